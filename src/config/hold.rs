//! `hold`: how much of an answer's head is held back.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::section::Section;
use super::written::Written;
use crate::route::Hold;
use crate::units::Tokens;

const WORDS: [(&str, Hold); 2] = [("none", Hold::None), ("all", Hold::All)];

/// More is `all`.
const TOKENS_RANGE: RangeInclusive<u32> = 1..=10_000;
/// Nobody waits longer for a head that has begun.
const AT_MOST_RANGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(1);
/// The head as shipped, where a place asks for one and inherits none.
const TOKENS: Tokens = Tokens(12);
const AT_MOST: Duration = Duration::from_millis(400);

/// What one place of the file says.
#[derive(Clone, Default)]
pub(super) enum Holding<'a> {
    #[default]
    Inherited,
    Word(Hold),
    Head {
        tokens: Written<'a, Tokens>,
        at_most: Written<'a, Duration>,
    },
}

impl<'a> Holding<'a> {
    /// Reads `none`, `all` or a map.
    pub(super) fn read(cursor: &Cursor<'a>) -> Read<Self> {
        if cursor.is_text() {
            return cursor.choice(&WORDS).map(Self::Word);
        }
        let mut section = Section::open_or(cursor, "none, all or a map")?;
        let tokens = Written::read(&mut section, "tokens", |cursor| {
            let tokens = cursor.number(&TOKENS_RANGE)?;
            Ok(Tokens(u64::from(tokens)))
        });
        let at_most = Written::read(&mut section, "at_most", |at| at.duration(&AT_MOST_RANGE));
        section.close();
        Ok(Self::Head {
            tokens: tokens?,
            at_most: at_most?,
        })
    }

    /// This, and what is inherited where it is silent; not yet cut to fit.
    pub(super) fn over(&self, inherited: Hold) -> Hold {
        match self {
            Self::Inherited => inherited,
            Self::Word(hold) => *hold,
            Self::Head { tokens, at_most } => {
                let (inherited_tokens, inherited_time) = match inherited {
                    Hold::Head { tokens, at_most } => (tokens, at_most),
                    Hold::None | Hold::All => (TOKENS, AT_MOST),
                };
                Hold::Head {
                    tokens: tokens.over(&inherited_tokens),
                    at_most: at_most.over(&inherited_time),
                }
            }
        }
    }

    /// What `over` came to, held to the deadline.
    pub(super) fn fit(&self, hold: Hold, deadline: Duration) -> Read<Hold> {
        let Hold::Head { tokens, at_most } = hold else {
            return Ok(hold);
        };
        let at_most = match self {
            Self::Head { at_most: own, .. } => own.within(at_most, deadline, "the deadline")?,
            Self::Inherited | Self::Word(_) => at_most.min(deadline),
        };
        Ok(Hold::Head { tokens, at_most })
    }
}
