//! Any bytes as a Gemini provider's answer: see `decode`.
//!
//! Good seeds: `tests/fixtures/gemini`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::exchange::{Dialect, Task};

mod decode;

fuzz_target!(|bytes: &[u8]| decode::check(Dialect::Gemini, &[Task::Chat], bytes));
