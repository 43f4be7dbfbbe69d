//! What the kernel knows of the process, read from `/proc/self` when it is asked for.

use std::fmt::{Display, Write as _};
use std::fs;
use std::time::Duration;

use super::names::{self, Family};

/// Clock ticks of a second in `/proc`: `USER_HZ`, a constant of the kernel's interface.
const TICKS: u64 = 100;

/// Appends the process's metrics in Prometheus' text format; what cannot be read is left out.
/// `started` is since 1970.
pub(super) fn render(started: Duration, out: &mut String) {
    put(out, names::START, "gauge", Some(started.as_secs_f64()));
    put(out, names::RESIDENT, "gauge", resident());
    put(
        out,
        names::CPU,
        "counter",
        read("/proc/self/stat").as_deref().and_then(cpu),
    );
    put(out, names::OPEN_FDS, "gauge", open_fds());
    put(
        out,
        names::MAX_FDS,
        "gauge",
        read("/proc/self/limits").as_deref().and_then(max_fds),
    );
}

fn put(out: &mut String, family: Family, kind: &str, value: Option<impl Display>) {
    let Some(value) = value else { return };
    let Family { name, help, .. } = family;
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
    );
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// In bytes; the file gives KiB.
fn resident() -> Option<u64> {
    read("/proc/self/status").as_deref().and_then(resident_in)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// User and system time in seconds: the 14th and 15th field, counted behind the program's name,
/// which may itself hold blanks and brackets (proc(5)).
fn cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = user.checked_add(system)?;
    Some(Duration::from_millis(ticks.checked_mul(1000 / TICKS)?).as_secs_f64())
}

fn open_fds() -> Option<u64> {
    // Since Linux 6.2 the folder's size is the number of descriptors: no need to list thousands.
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        0 => u64::try_from(fs::read_dir(folder).ok()?.count()).ok(),
        number => Some(number),
    }
}

/// The descriptors that the process may have, by its soft limit; `None` where it is unlimited or
/// cannot be read.
pub fn descriptor_limit() -> Option<u64> {
    max_fds(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_kernel_writes_them() {
        assert_eq!(
            resident_in("VmPeak:\t  99 kB\nVmRSS:\t    2048 kB\n"),
            Some(2_097_152)
        );
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 0 0 20 0 5 0 1234";
        assert_eq!(cpu(stat), Some(3.0));
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files   65536  65536  files\n";
        assert_eq!(max_fds(limits), Some(65_536));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for text in [
            "",
            "VmRSS:",
            "VmRSS: x kB",
            "7 (a) S",
            "Max open files  unlimited",
        ] {
            assert_eq!(
                (resident_in(text), cpu(text), max_fds(text)),
                (None, None, None),
                "{text}"
            );
        }
        let mut out = String::new();
        put(&mut out, names::RESIDENT, "gauge", None::<u64>);
        assert_eq!(out, "");
    }
}
