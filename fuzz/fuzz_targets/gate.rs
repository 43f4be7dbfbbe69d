//! Whatever happens to a gate, in whatever order and at whatever time, it does as its model does:
//! not a byte before the commit, then all of them in order, none after a failure, and never more
//! held than its bound.

#![cfg_attr(fuzzing, no_main)]

// The model is there for tests and fuzzers only.
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| segue::relay::model::gate(bytes));

#[cfg(not(fuzzing))]
fn main() {}
