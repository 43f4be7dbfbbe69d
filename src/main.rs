//! Arguments in, exit code out; all else is in the library.

use std::process::ExitCode;

use segue::edge::Signals;

/// A request makes a few dozen small allocations, most of them Pingora's (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First of all: a HUP that comes before a handler is there ends the process.
    let signals = Signals::install();
    // Of the buffers that a stream holds, most is never touched: huge pages would double what it takes. Where a kernel
    // has no such switch, it does.
    let _ = nix::sys::prctl::set_thp_disable(true);
    segue::cli::main(signals)
}
