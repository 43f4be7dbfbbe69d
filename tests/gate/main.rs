//! The gate, proved end to end over real sockets: every fault at every place, chaos, an outage,
//! the odds of a chain, and what holding costs.
//!
//! A binary of its own whose tests take turns, since they count descriptors, tasks and time. A slice
//! of each runs with every `cargo test`; `bash .ci/run gate` runs all of it. One cell alone:
//! `SEGUE_CELL='cut@3|stream|h1|all|next' cargo test --test gate matrix`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test that panics is a test that fails"
)]

mod cell;
mod chaos;
mod cost;
mod faults;
mod format;
mod matrix;
mod odds;
mod oracle;
mod outage;
mod reader;
mod stage;
mod truth;

#[path = "../e2e/relay_stage.rs"]
#[expect(dead_code, reason = "written for the tests of the relay too")]
mod relay_stage;
#[path = "../e2e/support/mod.rs"]
#[expect(dead_code, reason = "written for the end-to-end tests too")]
mod support;

/// What is measured is the whole process's: one test at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
