//! End to end: the real edge in this process, the simulator as its provider, real sockets between.
//!
//! One binary, a module a promise. Ports come from the kernel; waits are for events.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "a test that panics is a test that fails"
)]

mod http2;
mod smoke;
mod support;
