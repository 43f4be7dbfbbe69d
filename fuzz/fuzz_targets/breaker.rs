//! A breaker does what its history says, whatever comes in whatever order.
//!
//! An input is two bytes of policy, then two bytes a step: see the oracle.

#![no_main]

use libfuzzer_sys::fuzz_target;
// Under the name that it has for the oracle in its own crate.
use segue::upstream;

#[path = "../../src/upstream/breaker/oracle.rs"]
mod oracle;

fuzz_target!(|input: &[u8]| oracle::check(input));
