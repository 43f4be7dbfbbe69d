//! Arguments in, exit code out; all else is in the library.

use std::process::ExitCode;

use segue::edge::Signals;

/// A request makes a few dozen small allocations, most of them Pingora's: this allocator takes a
/// tenth off a request's processor time (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // First of all: a HUP that comes before a handler is there ends the process.
    let signals = Signals::install();
    segue::cli::main(signals)
}
