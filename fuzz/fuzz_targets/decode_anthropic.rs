//! Any bytes as a provider's answer in Anthropic's format: see `decode`.
//!
//! Good seeds: `tests/fixtures/anthropic`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::exchange::{Dialect, Task};

mod decode;

fuzz_target!(|bytes: &[u8]| decode::check(Dialect::Anthropic, &[Task::Chat, Task::Count], bytes));
