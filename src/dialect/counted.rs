//! A provider's counts of tokens: made possible where they are not, and that said.

use super::leaf::Leaf;
use crate::exchange::Trust;

/// No answer takes more tokens: the largest windows have some millions, and there may be several
/// answers to one prompt.
const MOST: f64 = 268_435_456.0;

/// Reads the counts of one usage and keeps what they deserve.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted(Trust);

impl Counted {
    /// A total. Without it there is no usage, so one that cannot be makes all of it absurd; `null`
    /// and what is no number is none.
    pub(super) fn total(&mut self, value: Leaf<'_>) -> Option<u64> {
        let number = self.number(value)?;
        if !(0.0..=MOST).contains(&number) {
            self.note(Trust::Absurd);
        } else if number.fract() != 0.0 {
            self.note(Trust::Mended);
        }
        value.count()
    }

    /// A part of a total: 0 where it says nothing that can be.
    pub(super) fn part(&mut self, value: Leaf<'_>) -> u64 {
        let number = self.number(value).unwrap_or_default();
        if !(0.0..=MOST).contains(&number) || number.fract() != 0.0 {
            self.note(Trust::Mended);
        }
        value.count().unwrap_or_default()
    }

    /// A part, no larger than what it is a part of.
    pub(super) fn within(&mut self, part: u64, total: u64) -> u64 {
        if part > total {
            self.note(Trust::Mended);
        }
        part.min(total)
    }

    /// Takes what another reader found.
    pub(super) fn note(&mut self, trust: Trust) {
        self.0 = self.0.max(trust);
    }

    /// What the counts deserve.
    pub(super) fn trust(self) -> Trust {
        self.0
    }

    fn number(&mut self, value: Leaf<'_>) -> Option<f64> {
        let number = value.number();
        if number.is_none() && value.json() != "null" {
            self.note(Trust::Mended);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_made_possible_and_said() {
        use Trust::{Absurd, Mended, Sound};
        let huge = u64::from(u32::MAX);
        for (json, total, part) in [
            ("0", (Some(0), Sound), (0, Sound)),
            ("17", (Some(17), Sound), (17, Sound)),
            ("17.0", (Some(17), Sound), (17, Sound)),
            ("1e3", (Some(1000), Sound), (1000, Sound)),
            ("-0", (Some(0), Sound), (0, Sound)),
            ("null", (None, Sound), (0, Sound)),
            ("17.5", (Some(17), Mended), (17, Mended)),
            ("-1", (Some(0), Absurd), (0, Mended)),
            ("-0.5", (Some(0), Absurd), (0, Mended)),
            ("1e300", (Some(huge), Absurd), (huge, Mended)),
            ("18446744073709551616", (Some(huge), Absurd), (huge, Mended)),
            (
                "300000000",
                (Some(300_000_000), Absurd),
                (300_000_000, Mended),
            ),
            ("\"17\"", (None, Mended), (0, Mended)),
            ("\"NaN\"", (None, Mended), (0, Mended)),
            ("[]", (None, Mended), (0, Mended)),
        ] {
            let leaf = Leaf::parse(json).unwrap();
            let mut counted = Counted::default();
            assert_eq!((counted.total(leaf), counted.trust()), total, "{json}");
            let mut counted = Counted::default();
            assert_eq!((counted.part(leaf), counted.trust()), part, "{json}");
        }
        let mut counted = Counted::default();
        assert_eq!((counted.within(3, 3), counted.trust()), (3, Sound));
        assert_eq!((counted.within(4, 3), counted.trust()), (3, Mended));
    }
}
