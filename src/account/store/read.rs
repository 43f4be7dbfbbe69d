//! Reading sums out of the store, beside a process that writes it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use super::file::{StoreError, version};
use super::source::{By, DAYS, ROWS};
use crate::account::claim::Fate;
use crate::exchange::Usage;
use crate::units::{MicroUsd, Tokens};

/// How long another process may keep us from reading.
const BUSY: Duration = Duration::from_secs(5);

/// Groups that are read at most: more is no table.
const MOST_GROUPS: usize = 100_000;

/// The columns of [`Part`], for each of the two fates.
const PART: [&str; 10] = [
    "attempts",
    "estimated",
    "unpriced",
    "input",
    "cached",
    "cache_write",
    "output",
    "reasoning",
    "audio",
    "cost_micro_usd",
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first millisecond since 1970, UTC.
    pub from: i64,
    /// The first millisecond after it.
    pub until: i64,
    /// Whether both are the beginnings of days, so that daily sums will do.
    pub is_days: bool,
}

/// What a group of exchanges took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// What tells the group from others, in the order that was asked for; empty where it has none.
    pub names: Vec<String>,
    /// Exchanges.
    pub exchanges: u64,
    /// Those of them that another target than the first answered.
    pub fell_back: u64,
    /// Those of them that failed, broke off or panicked.
    pub failed: u64,
    /// What clients got.
    pub delivered: Part,
    /// What was thrown away.
    pub wasted: Part,
}

/// What a group of attempts took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Attempts.
    pub attempts: u64,
    /// Those of them whose tokens were estimated.
    pub estimated: u64,
    /// Those of them whose target has no price.
    pub unpriced: u64,
    /// Their tokens.
    pub usage: Usage,
    /// What they cost, as far as prices are known.
    pub cost: MicroUsd,
}

/// A store, open to be read.
#[derive(Debug)]
pub struct Reader(Connection);

impl Reader {
    /// Opens a store that is there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite's own word for a file that is not there says nothing.
        std::fs::metadata(path).map_err(|source| StoreError::File {
            path: path.to_owned(),
            source,
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let found = version(&connection, path)?;
        if found == 0 {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        Ok(Self(connection))
    }

    /// The sums of a span of time, by up to a few of its properties, in the order of those.
    pub fn sums(&self, span: &Span, by: &[By]) -> Result<Vec<Sum>, StoreError> {
        let is_summed = span.is_days && by.iter().all(|by| by.is_summed());
        let query = query(if is_summed { DAYS } else { ROWS }, by);
        let mut statement = self.0.prepare(&query)?;
        let mut rows = statement.query([span.from, span.until])?;
        let mut sums = Vec::new();
        while let Some(row) = rows.next()? {
            sums.push(sum(row, by.len())?);
            if sums.len() == MOST_GROUPS {
                break;
            }
        }
        Ok(sums)
    }
}

/// Names come from the code alone: nothing that a person typed is in it.
fn query(source: &str, by: &[By]) -> String {
    let mut columns: Vec<String> = by
        .iter()
        .map(|by| format!("coalesce({}, '')", by.column()))
        .collect();
    let names = columns.len();
    columns.extend(["exchanges", "fell_back", "failed"].map(|name| format!("sum({name})")));
    for fate in Fate::ALL.map(Fate::name) {
        let part =
            PART.map(|name| format!("coalesce(sum({name}) FILTER (WHERE fate = '{fate}'), 0)"));
        columns.extend(part);
    }
    let mut query = format!("SELECT {} FROM {source}", columns.join(", "));
    if names > 0 {
        let numbers: Vec<String> = (1..=names).map(|number| number.to_string()).collect();
        let numbers = numbers.join(", ");
        query.extend([" GROUP BY ", &numbers, " ORDER BY ", &numbers]);
    }
    query
}

fn sum(row: &Row<'_>, names: usize) -> rusqlite::Result<Sum> {
    Ok(Sum {
        names: (0..names).map(|at| row.get(at)).collect::<Result<_, _>>()?,
        exchanges: count(row, names)?,
        fell_back: count(row, names + 1)?,
        failed: count(row, names + 2)?,
        delivered: part(row, names + 3)?,
        wasted: part(row, names + 3 + PART.len())?,
    })
}

fn part(row: &Row<'_>, at: usize) -> rusqlite::Result<Part> {
    let number = |offset: usize| count(row, at + offset);
    Ok(Part {
        attempts: number(0)?,
        estimated: number(1)?,
        unpriced: number(2)?,
        usage: Usage {
            input: Tokens(number(3)?),
            cached: Tokens(number(4)?),
            cache_write: Tokens(number(5)?),
            output: Tokens(number(6)?),
            reasoning: Tokens(number(7)?),
            audio: Tokens(number(8)?),
            ..Usage::default()
        },
        cost: MicroUsd(number(9)?),
    })
}

/// NULL is the sum of nothing.
fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let number: Option<i64> = row.get(at)?;
    Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
}

impl Sum {
    /// Adds another group to this one.
    pub fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.fell_back += other.fell_back;
        self.failed += other.failed;
        self.delivered.add(&other.delivered);
        self.wasted.add(&other.wasted);
    }
}

impl Part {
    /// Adds other attempts to these.
    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.estimated += other.estimated;
        self.unpriced += other.unpriced;
        self.cost += other.cost;
        let (sum, more) = (&mut self.usage, &other.usage);
        sum.input += more.input;
        sum.cached += more.cached;
        sum.cache_write += more.cache_write;
        sum.output += more.output;
        sum.reasoning += more.reasoning;
        sum.audio += more.audio;
    }
}
