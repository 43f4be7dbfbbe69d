//! What the descriptor limit leaves for clients.

use crate::telemetry::descriptor_limit;

/// Each exchange may need a descriptor on either side; the last third is for all else.
const SHARE: u64 = 3;

/// The connections that clients may have: `wanted`, or what the descriptor limit allows.
pub(super) fn connections(wanted: u32) -> u32 {
    within(wanted, descriptor_limit())
}

fn within(wanted: u32, limit: Option<u64>) -> u32 {
    let share = limit.map_or(u64::MAX, |limit| (limit / SHARE).max(1));
    wanted.min(u32::try_from(share).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_a_third_of_the_descriptors_at_most() {
        for (wanted, limit, expected) in [
            (10_000, Some(1024), 341),
            (100, Some(1024), 100),
            (10, Some(2), 1),
            (10_000, Some(u64::MAX), 10_000),
            (10_000, None, 10_000),
        ] {
            assert_eq!(within(wanted, limit), expected, "{wanted} of {limit:?}");
        }
    }
}
