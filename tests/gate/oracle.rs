//! What a client may get in a cell: pure, from the scripts alone.

use std::ops::RangeInclusive;

use crate::cell::{Cell, Delivery, Held, Place, Rescue, TOKENS};
use crate::faults::{Nature, Ruling};

/// Content tokens that `hold: { tokens: … }` holds in the matrix: the default.
pub const HOLD: usize = 12;

/// Whose answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The first target's, as if nothing had been wrong.
    First,
    /// The first target's second answer.
    Again,
    /// The second target's.
    Second,
}

/// What a client got, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer, exact to the byte.
    Answer(Source),
    /// So many frames of the first attempt's answer, exact to the byte, then one error event.
    Broken(usize),
    /// A status with a well-formed error of ours.
    Ours(u16),
    /// A status with the provider's own error, unchanged.
    Theirs(u16),
}

/// How far the first attempt comes.
enum Damage {
    /// To its good end.
    None,
    /// So many frames come, role and finish included, and then it fails.
    After(RangeInclusive<usize>),
    /// Either: it hangs on what the framing tells, and on what a reset overtakes.
    Perhaps(RangeInclusive<usize>),
}

/// All that a client may get in this cell.
pub fn allowed(cell: &Cell) -> Vec<Outcome> {
    let plain = in_one_format(cell);
    if cell.speaks.is_plain() {
        return plain;
    }
    plain
        .into_iter()
        .flat_map(|outcome| across(cell, outcome))
        .collect()
}

/// An outcome as a client of another format hears of it.
fn across(cell: &Cell, outcome: Outcome) -> Vec<Outcome> {
    let client = cell.speaks.client;
    match outcome {
        Outcome::Answer(_) => vec![outcome],
        // What follows the last token, a finish without its end, may or may not be told.
        Outcome::Broken(frames) => vec![Outcome::Broken(frames.min(TOKENS + 1))],
        Outcome::Ours(status) => vec![Outcome::Ours(client.status(status))],
        Outcome::Theirs(_) if client == cell.speaks.first => vec![outcome],
        // Translated: by the status of the kind of error, with the provider's message or without.
        Outcome::Theirs(status) => {
            let status = if status == 422 { 400 } else { status };
            vec![Outcome::Theirs(status), Outcome::Ours(status)]
        }
    }
}

/// The same where `OpenAI`'s format is spoken on every side.
fn in_one_format(cell: &Cell) -> Vec<Outcome> {
    let whole = Outcome::Answer(Source::First);
    match damage(cell) {
        Damage::None => vec![whole],
        Damage::After(frames) => frames.flat_map(|count| failed(cell, count)).collect(),
        Damage::Perhaps(frames) => {
            let failed = frames.flat_map(|count| failed(cell, count));
            [whole].into_iter().chain(failed).collect()
        }
    }
}

fn damage(cell: &Cell) -> Damage {
    let nothing = Damage::After(0..=0);
    if cell.fault.nature == Nature::Sound {
        return Damage::None;
    }
    let tokens = match (cell.place, cell.delivery) {
        (Place::Token(_), Delivery::Whole) => return nothing,
        (Place::Token(tokens), Delivery::Stream) => tokens,
        (Place::Nowhere, _) => TOKENS,
        (Place::Done | Place::End, _) => TOKENS + 1,
    };
    // The role is a frame, and so is the finish.
    let frames = tokens + 1;
    let behind = matches!(cell.place, Place::Done | Place::End);
    match (cell.fault.nature, cell.delivery) {
        (Nature::Instead | Nature::Vanishes | Nature::Unreachable(_), _)
        | (Nature::Spoils, Delivery::Whole) => nothing,
        (Nature::Stops | Nature::Resets, Delivery::Stream) if behind => match cell.fault.nature {
            Nature::Resets => Damage::Perhaps(0..=frames),
            _ => Damage::None,
        },
        // With a length told, all has come; without one, its end is missing.
        (Nature::Stops | Nature::Resets, Delivery::Whole) => Damage::Perhaps(0..=0),
        (Nature::Resets, Delivery::Stream) => Damage::After(0..=frames),
        (Nature::Stops | Nature::Spoils | Nature::Deaf | Nature::Sound, _) => {
            Damage::After(frames..=frames)
        }
    }
}

/// What a client may get when the first attempt fails after so many frames.
fn failed(cell: &Cell, frames: usize) -> Vec<Outcome> {
    if is_committed(cell, frames) {
        return vec![Outcome::Broken(frames)];
    }
    let (again, second) = (
        Outcome::Answer(Source::Again),
        Outcome::Answer(Source::Second),
    );
    let free = match cell.fault.nature {
        Nature::Vanishes => Some(again),
        _ => None,
    };
    let ruled = match (cell.fault.ruling, cell.rescue) {
        (Ruling::Surface, _) => vec![Outcome::Theirs(cell.fault.status)],
        (_, Rescue::Alone) => vec![Outcome::Ours(cell.fault.status)],
        (_, Rescue::Next) | (Ruling::Next, Rescue::Retry) => vec![second],
        (Ruling::Retry | Ruling::Either, Rescue::Retry) => match cell.fault.nature {
            Nature::Unreachable(_) => vec![second],
            // The process's budget for retries may be used up.
            _ => vec![again, second],
        },
    };
    ruled.into_iter().chain(free).collect()
}

/// Whether that much of a stream opens the gate.
fn is_committed(cell: &Cell, frames: usize) -> bool {
    let held = match cell.rescue {
        // There is nowhere to go: the first content opens it.
        Rescue::Alone => Held::None,
        Rescue::Retry | Rescue::Next => cell.held,
    };
    let content = frames.saturating_sub(1);
    match held {
        Held::None => content >= 1,
        Held::Default => content >= HOLD,
        Held::All => false,
    }
}
