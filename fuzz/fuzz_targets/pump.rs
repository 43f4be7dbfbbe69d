//! Any bytes as a provider's stream: the same for a client however they are cut, by every rule of
//! holding, and no panic. And any text as a document that grows: judged as `serde_json` judges it.
//!
//! Good seeds: `tests/fixtures/openai`.

#![cfg_attr(fuzzing, no_main)]

use segue::json::{Growing, Top};
use serde::de::IgnoredAny;

// The model is there for tests and fuzzers only.
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    segue::relay::model::pump(bytes);
    grows(bytes);
});

#[cfg(not(fuzzing))]
fn main() {
    grows(&[]);
}

fn grows(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        grow(text);
    }
}

fn grow(text: &str) {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let mut growing = Growing::new(Top::Any);
    let possible = growing.push(text).is_ok();
    assert!(possible || !growing.is_complete());
    if growing.is_complete() || !too_deep(text) {
        assert_eq!(growing.is_complete(), is_json(text));
    }
    assert_eq!(
        growing.is_blank(),
        text.trim_matches([' ', '\t', '\r', '\n']).is_empty()
    );
}

/// Whether there are so many brackets that some of them may nest past the bound.
fn too_deep(text: &str) -> bool {
    text.matches(['[', '{']).count() > 128
}
