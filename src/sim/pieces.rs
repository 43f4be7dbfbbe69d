//! How a body is cut: the length of the next piece. Pure; equal seeds cut alike.

use crate::sim::script::{Chunks, Drip};

/// The largest piece of a random cut.
const LARGEST_RANDOM: u64 = 48;

/// From one state of `SplitMix` to the next.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Tells where to cut.
#[derive(Clone, Debug)]
pub(crate) enum Cutter {
    /// Nowhere: what is there goes out in one write.
    Due,
    /// After every blank line.
    Event,
    /// After that many bytes.
    Size(usize),
    /// After 1 to 48 bytes.
    Random(SplitMix),
}

impl Cutter {
    /// A drip has sizes of its own. `seed` is for a random cut that names none.
    pub(crate) fn new(chunks: Chunks, drip: Option<Drip>, seed: u64) -> Self {
        let size = |bytes: u64| Self::Size(usize::try_from(bytes).unwrap_or(usize::MAX).max(1));
        match (drip, chunks) {
            (Some(drip), _) => size(drip.bytes),
            (None, Chunks::Due) => Self::Due,
            (None, Chunks::Event) => Self::Event,
            (None, Chunks::Size(bytes)) => size(bytes),
            (None, Chunks::Random(chosen)) => Self::Random(SplitMix(chosen.unwrap_or(seed))),
        }
    }

    /// The length of the next piece of `bytes`: at least 1, at most all, 0 only for none.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> usize {
        let wanted = match self {
            Self::Due => bytes.len(),
            Self::Event => event_end(bytes),
            Self::Size(size) => *size,
            Self::Random(random) => usize::try_from(random.next() % LARGEST_RANDOM)
                .unwrap_or(0)
                .saturating_add(1),
        };
        wanted.min(bytes.len())
    }
}

/// Where the first event ends, its blank line included; all bytes if none does.
pub(crate) fn event_end(bytes: &[u8]) -> usize {
    let lf = memchr::memmem::find(bytes, b"\n\n").map(|at| at.saturating_add(2));
    let crlf = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at.saturating_add(4));
    lf.into_iter().chain(crlf).min().unwrap_or(bytes.len())
}

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    /// The number that comes after so many others.
    pub(crate) fn nth(seed: u64, before: u64) -> u64 {
        Self(seed.wrapping_add(before.wrapping_mul(STEP))).next()
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(chunks: Chunks, bytes: &[u8]) -> Vec<usize> {
        let mut cutter = Cutter::new(chunks, None, 9);
        let mut rest = bytes;
        let mut lengths = Vec::new();
        while !rest.is_empty() {
            let length = cutter.cut(rest);
            lengths.push(length);
            rest = &rest[length..];
        }
        lengths
    }

    #[test]
    fn every_way_of_cutting_keeps_all_bytes() {
        let bytes = b"data: 1\n\ndata: 2\r\n\r\ndata";
        assert_eq!(lengths(Chunks::Due, bytes), [24]);
        assert_eq!(lengths(Chunks::Event, bytes), [9, 11, 4]);
        assert_eq!(lengths(Chunks::Size(10), bytes), [10, 10, 4]);
        assert_eq!(lengths(Chunks::Size(1), bytes).len(), 24);
    }

    #[test]
    fn equal_seeds_cut_alike_and_others_do_not() {
        let mut random = SplitMix(7);
        for before in 0..3 {
            assert_eq!(random.next(), SplitMix::nth(7, before));
        }
        let bytes = [b'x'; 4096];
        let cut = |seed| lengths(Chunks::Random(Some(seed)), &bytes);
        assert_eq!(cut(7), cut(7));
        assert_ne!(cut(7), cut(8));
        assert_eq!(cut(7).iter().sum::<usize>(), 4096);
        assert!(cut(7).iter().all(|length| (1..=48).contains(length)));
        assert_eq!(lengths(Chunks::Random(None), &bytes), cut(9));
    }
}
