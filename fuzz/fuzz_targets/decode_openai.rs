//! Any bytes as an OpenAI provider's answer: see `decode`.
//!
//! Good seeds: `tests/fixtures/openai`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segue::exchange::{Dialect, Task};

mod decode;

fuzz_target!(|bytes: &[u8]| decode::check(Dialect::OpenAi, &[Task::Chat], bytes));
