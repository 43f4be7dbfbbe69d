//! The tables, version by version.
//!
//! A version only adds: columns with defaults, tables, indexes. So a file of the next version can
//! still be used, and going back by one version needs no more than the older binary.

use rusqlite::{Connection, TransactionBehavior};

/// The version of the tables that this segue makes.
pub const VERSION: i64 = 1;

/// Each version's way from the one before it, the first from an empty file.
pub(super) const STEPS: [&str; 1] = [FIRST];

/// Days and starts are days since 1970, `began` is milliseconds since 1970, all in UTC; other times
/// are milliseconds, money is millionths of a USD. NULL is what is not known or does not apply.
const FIRST: &str = "
CREATE TABLE exchanges (
    boot INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    began INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    key TEXT,
    route TEXT,
    variant TEXT,
    session TEXT,
    user TEXT,
    format TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    delivery TEXT,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    fallback_reason TEXT,
    target TEXT,
    input INTEGER,
    cached INTEGER,
    cache_write INTEGER,
    output INTEGER,
    reasoning INTEGER,
    audio INTEGER,
    measure TEXT,
    cost_micro_usd INTEGER,
    wasted_input INTEGER NOT NULL,
    wasted_output INTEGER NOT NULL,
    wasted_micro_usd INTEGER,
    held_ms INTEGER,
    first_token_ms INTEGER,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (boot, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX exchanges_by_time ON exchanges (began);

CREATE TABLE attempts (
    boot INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    status INTEGER,
    error TEXT,
    verdict TEXT,
    fate TEXT NOT NULL,
    input INTEGER,
    cached INTEGER,
    cache_write INTEGER,
    output INTEGER,
    reasoning INTEGER,
    audio INTEGER,
    measure TEXT,
    cost_micro_usd INTEGER,
    first_byte_ms INTEGER,
    first_token_ms INTEGER,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (boot, sequence, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE days (
    day INTEGER NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    target TEXT NOT NULL,
    fate TEXT NOT NULL,
    exchanges INTEGER NOT NULL,
    fell_back INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (day, key, route, target, fate)
) STRICT, WITHOUT ROWID;

CREATE TABLE spent (
    quota TEXT NOT NULL,
    instance TEXT NOT NULL,
    period TEXT NOT NULL,
    start INTEGER NOT NULL,
    micro_usd INTEGER NOT NULL,
    PRIMARY KEY (quota, instance, period, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_by_start ON spent (start);
";

/// Whether a file of that version can be used.
pub(super) fn is_known(version: i64) -> bool {
    (0..=VERSION + 1).contains(&version)
}

/// The version of a file; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file forward, step by step, each in a transaction of its own. One that is newer stays
/// as it is.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    for (number, step) in (1_i64..).zip(steps) {
        if version(connection)? >= number {
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been first.
        if version(&transaction)? < number {
            transaction.execute_batch(step)?;
            transaction.execute_batch(&format!("PRAGMA user_version = {number}"))?;
        }
        transaction.commit()?;
    }
    Ok(())
}
