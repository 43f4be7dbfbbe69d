//! The cells of the matrix: the product of its axes, without what cannot be.

use std::fmt;

use crate::faults::{FAULTS, Fault, Form, Nature, Wire};
use crate::format::{Played, Speaks};
use crate::relay_stage::{STREAM, WHOLE};
use crate::stage::Random;

/// The content tokens of the faulty answer.
pub const TOKENS: usize = 30;

/// Where in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has none.
    Nowhere,
    /// After so many tokens.
    Token(usize),
    /// Before the end mark, after finish reason and usage.
    Done,
    /// All is out but the framing's own end.
    End,
}

const PLACES: [Place; 10] = [
    Place::Token(0),
    Place::Token(1),
    Place::Token(3),
    Place::Token(11),
    Place::Token(12),
    Place::Token(20),
    Place::Token(29),
    Place::Token(30),
    Place::Done,
    Place::End,
];

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    Stream,
    Whole,
}

impl Delivery {
    /// The members of the request that ask for it.
    pub fn ask(self) -> &'static str {
        match self {
            Self::Stream => STREAM,
            Self::Whole => WHOLE,
        }
    }
}

/// How the providers are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    H1,
    H2,
}

/// How much of the head is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    None,
    Default,
    All,
}

/// What there is to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescue {
    /// The same target again, which then answers; and another one.
    Retry,
    /// Another target, which answers.
    Next,
    /// Nothing.
    Alone,
}

/// One cell.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub fault: &'static Fault,
    pub place: Place,
    pub delivery: Delivery,
    pub upstream: Upstream,
    pub held: Held,
    pub rescue: Rescue,
    pub speaks: Speaks,
}

impl Cell {
    /// Every cell, in an order in which each beginning covers the faults evenly, and the other axes
    /// by chance with a fixed seed.
    pub fn all(played: Played) -> Vec<Self> {
        let mut random = Random::new(7);
        let mut of = |fault| [Self::of(fault), Self::across(fault, played, &mut random)].concat();
        let mut by_fault: Vec<Vec<Self>> = FAULTS.iter().map(&mut of).collect();
        for cells in &mut by_fault {
            random.shuffle(cells);
        }
        let most = by_fault.iter().map(Vec::len).max().unwrap_or(0);
        let round = |turn: usize| by_fault.iter().filter_map(move |cells| cells.get(turn));
        (0..most).flat_map(round).copied().collect()
    }

    fn places(fault: &Fault) -> &'static [Place] {
        if fault.is_placed() {
            &PLACES
        } else {
            &[Place::Nowhere]
        }
    }

    /// Every cell of a fault in one format.
    fn of(fault: &'static Fault) -> Vec<Self> {
        let mut cells = Vec::new();
        for place in Self::places(fault) {
            for delivery in [Delivery::Stream, Delivery::Whole] {
                for upstream in [Upstream::H1, Upstream::H2] {
                    for held in [Held::None, Held::Default, Held::All] {
                        for rescue in [Rescue::Retry, Rescue::Next, Rescue::Alone] {
                            let place = *place;
                            cells.push(Self {
                                fault,
                                place,
                                delivery,
                                upstream,
                                held,
                                rescue,
                                speaks: Speaks::PLAIN,
                            });
                        }
                    }
                }
            }
        }
        cells.retain(Self::can_be);
        cells
    }

    /// The cells of a fault between formats: each of them at each place, streamed and whole; the
    /// other axes by chance.
    fn across(fault: &'static Fault, played: Played, random: &mut Random) -> Vec<Self> {
        let mut cells = Vec::new();
        for speaks in Speaks::others(played) {
            for place in Self::places(fault) {
                for delivery in [Delivery::Stream, Delivery::Whole] {
                    let wires: &[Upstream] = match fault.wire {
                        Wire::Any => &[Upstream::H1, Upstream::H2],
                        Wire::H1 => &[Upstream::H1],
                        Wire::H2 => &[Upstream::H2],
                    };
                    // Alone there is no next target to speak anything.
                    let rescues: &[Rescue] = if speaks.next == speaks.first {
                        &[Rescue::Alone, Rescue::Retry, Rescue::Next]
                    } else {
                        &[Rescue::Retry, Rescue::Next, Rescue::Next]
                    };
                    cells.push(Self {
                        fault,
                        place: *place,
                        delivery,
                        upstream: *random.pick(wires),
                        held: *random.pick(&[Held::None, Held::Default, Held::All]),
                        rescue: *random.pick(rescues),
                        speaks,
                    });
                }
            }
        }
        cells.retain(Self::can_be);
        cells
    }

    fn can_be(&self) -> bool {
        let form = match self.fault.form {
            Form::Both => true,
            Form::Stream => self.delivery == Delivery::Stream,
            Form::Whole => self.delivery == Delivery::Whole,
        };
        let wire = match self.fault.wire {
            Wire::Any => true,
            Wire::H1 => self.upstream == Upstream::H1,
            Wire::H2 => self.upstream == Upstream::H2,
        };
        let behind = matches!(self.place, Place::Done | Place::End);
        // What is wrong stands at a token or before the end mark.
        let late = self.fault.nature == Nature::Spoils && self.place == Place::End;
        // Complete for all that can be seen, on a connection that will not answer the next
        // request: a fault of that one (relay_faults has it).
        let poisoned = self.delivery == Delivery::Whole && self.fault.is_silent() && behind;
        form && wire && !late && !poisoned
    }

    /// What the first target does first.
    pub fn script(&self) -> String {
        let place = match self.place {
            Place::Nowhere => String::new(),
            Place::Token(count) => count.to_string(),
            Place::Done => "done".to_owned(),
            Place::End => "end".to_owned(),
        };
        self.fault.script.replace("AT", &place)
    }
}

/// The name by which it can be run alone.
impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.fault.nature {
            Nature::Unreachable(what) => what.to_owned(),
            _ => self.script(),
        };
        let axes = format!(
            "{:?}|{:?}|{:?}|{:?}|{}",
            self.delivery, self.upstream, self.held, self.rescue, self.speaks
        );
        write!(out, "{name}|{}", axes.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_cells_are_many_and_each_has_its_name() {
        for played in [Played::OneFormat, Played::AllFormats] {
            let cells = Cell::all(played);
            let names: BTreeSet<_> = cells.iter().map(Cell::to_string).collect();
            assert_eq!(names.len(), cells.len());
            let plain = cells.iter().filter(|cell| cell.speaks.is_plain()).count();
            assert!(plain >= 3000, "{plain}");
            let across = cells.len() - plain;
            assert!(across >= 4000 || played == Played::OneFormat, "{across}");
        }
    }

    #[test]
    fn a_slice_covers_every_value_of_every_axis() {
        for played in [Played::OneFormat, Played::AllFormats] {
            let slice = &Cell::all(played)[..300];
            let values =
                |of: fn(&Cell) -> String| slice.iter().map(of).collect::<BTreeSet<_>>().len();
            let fault = |cell: &Cell| format!("{:?}", cell.fault);
            assert_eq!(values(fault), FAULTS.len());
            assert_eq!(values(|cell| format!("{:?}", cell.place)), PLACES.len() + 1);
            assert_eq!(values(|cell| format!("{:?}", cell.delivery)), 2);
            assert_eq!(values(|cell| format!("{:?}", cell.upstream)), 2);
            assert_eq!(values(|cell| format!("{:?}", cell.held)), 3);
            assert_eq!(values(|cell| format!("{:?}", cell.rescue)), 3);
            let formats = 1 + Speaks::others(played).len();
            assert_eq!(values(|cell| cell.speaks.to_string()), formats);
        }
    }
}
