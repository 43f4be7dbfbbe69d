//! `samples`: what the section comes to, and the mistakes in it.

use super::{read, top};
use crate::telemetry::SampleSettings;
use crate::units::ByteSize;

fn good(text: &str) -> Option<SampleSettings> {
    let text = top(&format!("{text}\n"));
    let settings = read(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    settings.samples
}

#[test]
fn there_are_no_samples_unless_the_file_says_where_to() {
    assert!(good("").is_none());
    assert!(good("samples: off").is_none());
    let short = good("samples: {path: ./samples.jsonl}").unwrap();
    assert!(short.path.ends_with("samples.jsonl"), "{:?}", short.path);
    assert_eq!(short.rotation.size, ByteSize::mib(64).0);
    assert_eq!(short.rotation.files, 4);
}

#[test]
fn every_key_of_samples_is_taken() {
    let full = "samples: {path: /a/s.jsonl, share: 0%, always: [aborted], bodies: true, \
        redact: ['[0-9]{12,19}'], size: 1MiB, files: 1}";
    let full = good(full).unwrap();
    assert_eq!(full.rotation.size, ByteSize::mib(1).0);
    assert_eq!(full.rotation.files, 1);
}

#[test]
fn mistakes_in_samples_are_told_with_their_place() {
    for (text, rule) in [
        ("on", "known here: off"),
        ("[]", "off or a map"),
        ("{}", "the key `path` is missing"),
        ("{path: samples.jsonl}", "not a file's path with a slash"),
        ("{path: /a/}", "not a file's path with a slash"),
        ("{path: /a/s, share: 5}", "not a share"),
        ("{path: /a/s, share: 101%}", "not a share"),
        ("{path: /a/s, always: [never]}", "samples.always[0]"),
        ("{path: /a/s, redact: ['(']}", "not a pattern to redact by"),
        ("{path: /a/s, size: 1KiB}", "samples.size"),
        ("{path: /a/s, files: 0}", "samples.files"),
        ("{path: /a/s, shares: 1%}", "did you mean"),
    ] {
        let text = top(&format!("samples: {text}\n"));
        let errors = read(&text).unwrap_err().to_string();
        assert!(errors.contains(rule), "{text}\n{errors}");
    }
}
