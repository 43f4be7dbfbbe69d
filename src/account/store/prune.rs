//! What is too old goes, in small steps.

use std::time::{Duration, SystemTime};

use rusqlite::{Connection, TransactionBehavior};

use crate::units::{Day, millis};

/// Exchanges that one step takes away at most: some milliseconds of work.
const STEP: usize = 1_000;

/// How long daily sums and what budgets have spent are kept, in days.
const SUMS: i64 = 400;

const ATTEMPTS: &str = "
DELETE FROM attempts WHERE (boot, sequence) IN
    (SELECT boot, sequence FROM exchanges WHERE began < ?1 ORDER BY began LIMIT ?2)";

const EXCHANGES: &str = "
DELETE FROM exchanges WHERE (boot, sequence) IN
    (SELECT boot, sequence FROM exchanges WHERE began < ?1 ORDER BY began LIMIT ?2)";

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    More,
}

/// Takes away what is older than `retention`, a step of it.
pub(super) fn step(
    connection: &mut Connection,
    retention: Duration,
    now: SystemTime,
) -> rusqlite::Result<Rest> {
    let oldest = now.checked_sub(retention).map_or(0, millis);
    let is_due: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM exchanges WHERE began < ?1)
            OR EXISTS (SELECT 1 FROM days WHERE day < ?2)
            OR EXISTS (SELECT 1 FROM spent WHERE start < ?2)",
        [oldest, Day::of(now).before(SUMS).0],
        |row| row.get(0),
    )?;
    if !is_due {
        return Ok(Rest::Nothing);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
    transaction.execute(ATTEMPTS, [oldest, limit])?;
    let gone = transaction.execute(EXCHANGES, [oldest, limit])?;
    let first = Day::of(now).before(SUMS).0;
    transaction.execute("DELETE FROM days WHERE day < ?1", [first])?;
    transaction.execute("DELETE FROM spent WHERE start < ?1", [first])?;
    transaction.commit()?;
    Ok(if gone == STEP {
        Rest::More
    } else {
        Rest::Nothing
    })
}
