//! Trouble that a caller asks for, to see how its own program takes it: `x-segue-drill`.
//!
//! Pure. What an attempt is told to do it does in place of its provider; all that follows from it is
//! real: verdicts, breakers, what the client sees.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;

use crate::units::Tokens;

/// The longest text of a drill, in bytes.
const LONGEST: usize = 256;

/// What goes wrong in one exchange, attempt by attempt.
#[derive(Debug, Default)]
pub struct Drill {
    troubles: SmallVec<[(Which, Trouble); 2]>,
    made: AtomicU32,
}

/// Which attempts of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The one with this number, counted from 1.
    Nth(u32),
    /// Every one.
    Every,
}

/// What goes wrong in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection; nothing is sent.
    Refuse,
    /// No answer; nothing is sent.
    Hang,
    /// This status; nothing is sent.
    Status(u16),
    /// The connection ends once so many tokens are there.
    Cut(Tokens),
    /// Silence once so many tokens are there.
    Stall(Tokens),
}

/// What a drill cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "x-segue-drill is a list of refuse, hang, status=CODE, cut@TOKENS and stall@TOKENS, each with \
     the attempt's number or * before it if it is not the first, such as 2:stall@5"
)]
pub struct NoDrill;

impl FromStr for Drill {
    type Err = NoDrill;

    fn from_str(text: &str) -> Result<Self, NoDrill> {
        if text.len() > LONGEST {
            return Err(NoDrill);
        }
        let troubles = text.split(',').map(str::trim_ascii);
        let troubles = troubles.map(|item| match item.split_once(':') {
            Some((which, trouble)) => Ok((which_of(which)?, trouble_of(trouble)?)),
            None => Ok((Which::Nth(1), trouble_of(item)?)),
        });
        Ok(Self {
            troubles: troubles.collect::<Result<_, _>>()?,
            made: AtomicU32::new(0),
        })
    }
}

fn which_of(text: &str) -> Result<Which, NoDrill> {
    match text {
        "*" => Ok(Which::Every),
        _ => match number(text)? {
            0 => Err(NoDrill),
            nth => Ok(Which::Nth(nth)),
        },
    }
}

fn trouble_of(text: &str) -> Result<Trouble, NoDrill> {
    if let Some(status) = text.strip_prefix("status=") {
        let status = u16::try_from(number(status)?).map_err(|_| NoDrill)?;
        return match status {
            400..=599 => Ok(Trouble::Status(status)),
            _ => Err(NoDrill),
        };
    }
    let tokens = |text| Ok(Tokens(number(text)?.into()));
    match text.split_once('@') {
        None if text == "refuse" => Ok(Trouble::Refuse),
        None if text == "hang" => Ok(Trouble::Hang),
        Some(("cut", at)) => Ok(Trouble::Cut(tokens(at)?)),
        Some(("stall", at)) => Ok(Trouble::Stall(tokens(at)?)),
        _ => Err(NoDrill),
    }
}

/// Digits alone: no sign.
fn number(text: &str) -> Result<u32, NoDrill> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoDrill);
    }
    text.parse().map_err(|_| NoDrill)
}

impl Drill {
    /// What goes wrong in the attempt that begins now, if something does.
    pub(super) fn next(&self) -> Option<Trouble> {
        let number = self.made.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut troubles = self.troubles.iter();
        let found = troubles.find(|(which, _)| match which {
            Which::Nth(nth) => *nth == number,
            Which::Every => true,
        });
        found.map(|(_, trouble)| *trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_three(text: &str) -> [Option<Trouble>; 3] {
        let drill: Drill = text.parse().unwrap();
        [(); 3].map(|()| drill.next())
    }

    #[test]
    fn trouble_is_for_the_first_attempt_unless_it_says_another() {
        let stall = Trouble::Stall(Tokens(5));
        for (text, expected) in [
            ("stall@5", [Some(stall), None, None]),
            ("2:stall@5", [None, Some(stall), None]),
            (
                "hang, 3:refuse",
                [Some(Trouble::Hang), None, Some(Trouble::Refuse)],
            ),
            ("*:status=503", [Some(Trouble::Status(503)); 3]),
            (
                "2:cut@0,*:hang",
                [
                    Some(Trouble::Hang),
                    Some(Trouble::Cut(Tokens(0))),
                    Some(Trouble::Hang),
                ],
            ),
        ] {
            assert_eq!(first_three(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let long = "hang,".repeat(60);
        for text in [
            "",
            "x",
            "stall",
            "stall@",
            "stall@-1",
            "stall@+1",
            "stall@x",
            "cut@99999999999",
            "status=",
            "status=200",
            "status=600",
            "0:hang",
            "x:hang",
            ":hang",
            "hang,",
            "hang@1",
            "refuse@1",
            &long,
        ] {
            let parsed: Result<Drill, _> = text.parse();
            assert!(parsed.is_err(), "{text}");
        }
    }
}
