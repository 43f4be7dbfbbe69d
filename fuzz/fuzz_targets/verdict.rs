//! Whatever a provider answers, its verdict keeps the laws of the table.
//!
//! An input is four bytes that pick status, attempt and policy, then an error's body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::{account, dialect, exchange, route, telemetry, units, upstream};

mod relay;

fuzz_target!(|input: &[u8]| {
    if let [high, low, kind, policy, body @ ..] = input {
        let status = u16::from_be_bytes([*high, *low]) % 1000;
        relay::judge(status, *kind, *policy, body);
    }
});
