//! End to end: the real edge in this process, the simulator as its provider, real sockets between.
//!
//! One binary, a module a promise. Ports come from the kernel; waits are for events.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "a test that panics is a test that fails"
)]

mod activation;
mod bills;
mod budgets;
mod dialects;
mod drain;
mod drill_header;
mod edge_canary;
mod edge_drain;
mod edge_keys;
mod edge_limits;
mod edge_log;
mod edge_malformed;
mod edge_passthrough;
mod edge_reload;
mod edge_stage;
mod edge_tls;
mod errors_told;
mod gate_calm;
mod gate_rescue;
mod gate_stage;
mod gate_told;
mod http2;
mod load;
mod overload;
mod page;
mod quotas;
mod relay_abort;
mod relay_backpressure;
mod relay_bounds;
mod relay_dropped;
mod relay_faults;
mod relay_headers;
mod relay_hedge;
mod relay_nagle;
mod relay_stage;
mod reload;
mod samples;
mod shared;
mod siege;
mod smoke;
mod soak;
mod store;
mod support;
mod syscalls;
mod traces;
mod upgrade;
mod variants;
