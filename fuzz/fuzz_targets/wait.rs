//! Whatever a provider asks for, no wait is longer than the longest, and headers go before words.
//!
//! An input is four bytes for the time, lines of `name:value`, an empty line, the body's delay on a
//! line of its own, and the message.

#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use segue::exchange;
use segue::exchange::Failure;

#[path = "../../src/relay/wait.rs"]
mod wait;

fuzz_target!(|input: &[u8]| {
    let Some((now, text)) = input.split_first_chunk::<4>() else {
        return;
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u32::from_be_bytes(*now).into());
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let headers: BTreeMap<&str, &str> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let (delay, message) = body.split_once('\n').unwrap_or(("", body));
    let failure = Failure {
        message: Some(message.to_owned()),
        retry_delay: Some(delay.to_owned()),
        ..Failure::default()
    };
    let told = wait::wait(|name| headers.get(name).copied(), &failure, now);
    let words = wait::in_words(&failure);
    for wait in [told, words].into_iter().flatten() {
        assert!(wait <= wait::LONGEST);
    }
    assert_eq!(wait::wait(|_| None, &failure, now), words);
    assert!(told.is_some() || words.is_none());
    if let Some(millis) = headers
        .get("retry-after-ms")
        .and_then(|text| text.parse::<u32>().ok())
    {
        let millis = Duration::from_millis(millis.into()).min(wait::LONGEST);
        assert!(told.is_some_and(|told| told.abs_diff(millis) < Duration::from_micros(1)));
    }
});
