//! What two processes say to each other. Names and units of the words are fixed: two versions talk.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::{Change, Count, Instance, Kind, Owner};
use crate::relay::TargetRecord;
use crate::units::{Day, MicroUsd};
use crate::upstream::BreakerRecord;

/// What the heir says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeirWord {
    /// It was started, under this number.
    Born { pid: i32 },
    /// It could serve now.
    Ready { version: String },
    /// It cannot.
    Refused { why: String },
    /// It accepts connections.
    Serving,
    /// It ends: no need to wait for connections that have nothing under way.
    HangUp,
}

/// What the elder says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ElderWord {
    /// How a target stands.
    Target(TargetWord),
    /// How a count of a quota stands.
    Count(CountWord),
    /// That was all: accept connections.
    Serve,
    /// The service is the heir's. The elder drains.
    Yours,
    /// What changed of a count since.
    Change(ChangeWord),
    /// A target asks to be left alone, for so many milliseconds.
    Cool { target: String, ms: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TargetWord {
    name: String,
    failures: u32,
    opened: u32,
    open_ms: Option<u64>,
    cooling_ms: Option<u64>,
    requests: BucketWord,
    tokens: BucketWord,
}

/// What was taken, in parts (`account::Bucket`), and the microseconds since.
#[derive(Debug, Serialize, Deserialize)]
struct BucketWord {
    taken: u128,
    us: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwnerWord {
    kind: String,
    quota: String,
    instance: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CountWord {
    #[serde(flatten)]
    owner: OwnerWord,
    day: i64,
    spent: [u64; 3],
    requests: BucketWord,
    tokens: BucketWord,
    running: u32,
    reserved: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChangeWord {
    #[serde(flatten)]
    owner: OwnerWord,
    spent: u64,
    requests: (u64, u64),
    tokens: (u64, u64),
    running: u32,
    reserved: u64,
}

impl BucketWord {
    fn of((taken, since): (u128, Duration)) -> Self {
        let us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Self { taken, us }
    }

    fn handed(&self) -> (u128, Duration) {
        (self.taken, Duration::from_micros(self.us))
    }
}

impl From<TargetRecord> for TargetWord {
    fn from(record: TargetRecord) -> Self {
        let [requests, tokens] = record.rates.map(BucketWord::of);
        Self {
            name: record.name.to_string(),
            failures: record.breaker.failures,
            opened: record.breaker.opened,
            open_ms: record.breaker.open_for.map(millis),
            cooling_ms: record.breaker.cooling_for.map(millis),
            requests,
            tokens,
        }
    }
}

impl From<TargetWord> for TargetRecord {
    fn from(word: TargetWord) -> Self {
        Self {
            breaker: BreakerRecord {
                failures: word.failures,
                opened: word.opened,
                open_for: word.open_ms.map(Duration::from_millis),
                cooling_for: word.cooling_ms.map(Duration::from_millis),
            },
            rates: [word.requests.handed(), word.tokens.handed()],
            name: word.name.into(),
        }
    }
}

impl OwnerWord {
    fn of(owner: &Owner) -> Self {
        Self {
            kind: owner.kind.name().to_owned(),
            quota: owner.quota.to_string(),
            instance: owner.instance.to_string(),
        }
    }

    /// The owner, unless it is of a kind that this version does not have.
    fn owner(self) -> Option<Owner> {
        Some(Owner {
            kind: Kind::named(&self.kind)?,
            quota: self.quota.into(),
            instance: Instance::parse(&self.instance)?,
        })
    }
}

impl From<Count> for CountWord {
    fn from(count: Count) -> Self {
        Self {
            owner: OwnerWord::of(&count.owner),
            day: count.day.0,
            spent: count.spent.map(|spent| spent.0),
            requests: BucketWord::of(count.requests),
            tokens: BucketWord::of(count.tokens),
            running: count.running,
            reserved: count.reserved.0,
        }
    }
}

impl CountWord {
    /// The count, unless it is of a kind that this version does not have.
    pub(super) fn count(self) -> Option<Count> {
        Some(Count {
            owner: self.owner.owner()?,
            day: Day(self.day),
            spent: self.spent.map(MicroUsd),
            requests: self.requests.handed(),
            tokens: self.tokens.handed(),
            running: self.running,
            reserved: MicroUsd(self.reserved),
        })
    }
}

impl From<Change> for ChangeWord {
    fn from(change: Change) -> Self {
        Self {
            owner: OwnerWord::of(&change.owner),
            spent: change.spent.0,
            requests: change.requests,
            tokens: change.tokens,
            running: change.running,
            reserved: change.reserved.0,
        }
    }
}

impl ChangeWord {
    /// The change, unless it is of a kind that this version does not have.
    pub(super) fn change(self) -> Option<Change> {
        Some(Change {
            owner: self.owner.owner()?,
            spent: MicroUsd(self.spent),
            requests: self.requests,
            tokens: self.tokens,
            running: self.running,
            reserved: MicroUsd(self.reserved),
        })
    }
}

/// Rounded up: who is to be left alone for half a millisecond is not free yet.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<W: Serialize + for<'a> Deserialize<'a>>(word: &W) -> W {
        serde_json::from_str(&serde_json::to_string(word).unwrap()).unwrap()
    }

    #[test]
    fn what_is_known_survives_its_words() {
        let record = TargetRecord {
            name: "p/m".into(),
            breaker: BreakerRecord {
                failures: 2,
                opened: 3,
                open_for: Some(Duration::from_millis(1500)),
                cooling_for: None,
            },
            rates: [(u128::MAX, Duration::from_micros(7)), (0, Duration::ZERO)],
        };
        let word = said(&TargetWord::from(record.clone()));
        assert_eq!(TargetRecord::from(word), record);
        let count = Count {
            owner: Owner {
                kind: Kind::Tag,
                quota: "q".into(),
                instance: Instance([7; 16]),
            },
            day: Day(20_726),
            spent: [MicroUsd(1), MicroUsd(2), MicroUsd(u64::MAX)],
            requests: (60_000_000, Duration::from_secs(3)),
            tokens: (1, Duration::ZERO),
            running: 4,
            reserved: MicroUsd(9),
        };
        let word = said(&CountWord::from(count.clone()));
        assert_eq!(word.count(), Some(count));
        let change = Change {
            owner: Owner {
                kind: Kind::All,
                quota: "q".into(),
                instance: Instance::TOGETHER,
            },
            spent: MicroUsd(5),
            requests: (1, 0),
            tokens: (100, 40),
            running: 0,
            reserved: MicroUsd(0),
        };
        let word = said(&ChangeWord::from(change.clone()));
        assert_eq!(word.change(), Some(change));
    }

    #[test]
    fn the_words_are_those_that_other_versions_know() {
        let json = |word: &HeirWord| serde_json::to_string(word).unwrap();
        assert_eq!(json(&HeirWord::Born { pid: 7 }), r#"{"born":{"pid":7}}"#);
        assert_eq!(json(&HeirWord::Serving), r#""serving""#);
        let json = |word: &ElderWord| serde_json::to_string(word).unwrap();
        assert_eq!(json(&ElderWord::Yours), r#""yours""#);
        let cool = ElderWord::Cool {
            target: "p/m".into(),
            ms: 5,
        };
        assert_eq!(json(&cool), r#"{"cool":{"target":"p/m","ms":5}}"#);
    }
}
