//! What the machine leaves of the limits: by its descriptors, and by its memory.

use crate::edge::settings::Limits;
use crate::telemetry::{descriptor_limit, memory_limit};
use crate::units::ByteSize;

/// Each exchange may need a descriptor on either side; the last third is for all else.
const SHARE: u64 = 3;

/// What is buffered may be so much of the memory: the rest is for connections and for the answers
/// on their way.
const OF_MEMORY: u64 = 2;

/// The limits as they can be kept here; what had to be cut is said.
pub(super) fn kept(wanted: &Limits) -> Limits {
    let kept = within(wanted, descriptor_limit(), memory_limit());
    if kept.connections < wanted.connections {
        let Limits { connections, .. } = kept;
        log::info!("at most {connections} connections: the descriptor limit allows no more");
    }
    if kept.exchanges < wanted.exchanges {
        let Limits { exchanges, .. } = kept;
        log::info!("at most {exchanges} exchanges: the descriptor limit allows no more");
    }
    if kept.buffered < wanted.buffered {
        let ByteSize(buffered) = kept.buffered;
        log::info!("at most {buffered} bytes buffered: half of the memory limit");
    }
    kept
}

fn within(wanted: &Limits, descriptors: Option<u64>, memory: Option<u64>) -> Limits {
    let share = descriptors.map_or(u64::MAX, |limit| (limit / SHARE).max(1));
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    let half = memory.map_or(u64::MAX, |limit| limit / OF_MEMORY);
    Limits {
        connections: wanted.connections.min(share),
        exchanges: wanted.exchanges.min(share),
        buffered: wanted.buffered.min(ByteSize(half)),
        ..wanted.clone()
    }
}

/// Each limit in force by its name in the config: for metrics. Times are in seconds.
pub(super) fn told(limits: &Limits) -> [(&'static str, f64); 17] {
    let size = |size: ByteSize| {
        #[expect(clippy::cast_precision_loss, reason = "a gauge; limits are small")]
        let size = size.0 as f64;
        size
    };
    [
        ("head", size(limits.head)),
        ("head_time", limits.head_time.as_secs_f64()),
        ("body", size(limits.body)),
        ("body_time", limits.body_time.as_secs_f64()),
        ("body_rate", size(limits.body_rate)),
        ("idle", limits.idle.as_secs_f64()),
        (
            "requests_per_connection",
            limits.requests_per_connection.into(),
        ),
        ("connections", limits.connections.into()),
        (
            "connections_per_address",
            limits.connections_per_address.into(),
        ),
        ("exchanges", limits.exchanges.into()),
        ("exchanges_per_key", limits.exchanges_per_key.into()),
        ("attempts_per_provider", limits.attempts_per_provider.into()),
        ("buffered", size(limits.buffered)),
        ("answer", size(limits.answer)),
        ("event", size(limits.event)),
        ("client_write", limits.client_write.as_secs_f64()),
        ("h2_streams", limits.h2_streams.into()),
    ]
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
            let limits = Limits {
                connections: wanted,
                exchanges: wanted,
                ..Limits::default()
            };
            let kept = within(&limits, limit, None);
            let both = (kept.connections, kept.exchanges);
            assert_eq!(both, (expected, expected), "{wanted} of {limit:?}");
        }
    }

    #[test]
    fn what_is_buffered_gets_half_of_the_memory_at_most() {
        for (wanted, limit, expected) in [
            (512, Some(1024), 512),
            (512, Some(512), 256),
            (64, Some(512), 64),
            (512, None, 512),
        ] {
            let limits = Limits {
                buffered: ByteSize::mib(wanted),
                ..Limits::default()
            };
            let kept = within(&limits, None, limit.map(|limit| limit << 20));
            assert_eq!(
                kept.buffered,
                ByteSize::mib(expected),
                "{wanted} of {limit:?}"
            );
        }
    }
}
