//! How many descriptors the process may have, and what that leaves for clients.

/// Each exchange may need a descriptor on either side; the last third is for all else.
const SHARE: u32 = 3;

/// The connections that clients may have: `wanted`, or what the descriptor limit allows.
pub(super) fn connections(wanted: u32) -> u32 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    within(wanted, soft_limit(&limits))
}

fn within(wanted: u32, limit: Option<u32>) -> u32 {
    match limit {
        Some(limit) => wanted.min((limit / SHARE).max(1)),
        None => wanted,
    }
}

/// The soft limit of open files in the format of `/proc/PID/limits` (proc(5)); `None` where it
/// is unlimited or cannot be read.
fn soft_limit(limits: &str) -> Option<u32> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_a_third_of_the_descriptors_at_most() {
        let limits = "Max processes    10  20  processes\nMax open files   1024  4096  files\n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(within(10_000, Some(1024)), 341);
        assert_eq!(within(100, Some(1024)), 100);
        assert_eq!(within(10, Some(2)), 1);
    }

    #[test]
    fn an_unlimited_or_unknown_limit_changes_nothing() {
        assert_eq!(
            soft_limit("Max open files  unlimited  unlimited  files"),
            None
        );
        assert_eq!(soft_limit(""), None);
        assert_eq!(within(10_000, None), 10_000);
    }
}
