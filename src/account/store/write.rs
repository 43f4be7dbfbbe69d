//! A batch in one transaction: exchanges, attempts, sums. Written again, it changes nothing.

use rusqlite::{Connection, Statement, TransactionBehavior, params};

use std::time::Duration;

use super::entry::{AttemptEntry, Entry};
use super::queue::Numbered;
use super::sums::{Sums, counts, money, tokens};
use crate::account::instance::{Instance, Kind, Owner};
use crate::account::period::Period;
use crate::account::spent::Spent;
use crate::exchange::Bill;
use crate::units::{Day, MicroUsd, Tokens, millis};

const EXCHANGE: &str = "
INSERT INTO exchanges (boot, sequence, began, request_id, key, route, variant, session, user, format,
    endpoint, delivery, status, outcome, reason, fallback_reason, target, input, cached, cache_write,
    output, reasoning, audio, measure, cost_micro_usd, wasted_input, wasted_output, wasted_micro_usd,
    held_ms, first_token_ms, total_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)
ON CONFLICT DO NOTHING";

const ATTEMPT: &str = "
INSERT INTO attempts (boot, sequence, number, target, kind, status, error, verdict, fate, input,
    cached, cache_write, output, reasoning, audio, measure, cost_micro_usd, first_byte_ms,
    first_token_ms, total_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";

/// Characters of a request's id: a bound for rows, beyond what the edge takes.
const ID_LIMIT: usize = 128;

/// Writes a batch, or nothing of it. `boot` tells this process from all others.
pub(super) fn batch(
    connection: &mut Connection,
    boot: i64,
    entries: &[Numbered],
) -> rusqlite::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sums = Sums::default();
    {
        let mut exchange = transaction.prepare(EXCHANGE)?;
        let mut attempt = transaction.prepare(ATTEMPT)?;
        for (sequence, entry) in entries {
            let id = (boot, i64::try_from(*sequence).unwrap_or(i64::MAX));
            // It is there already when a commit was told to have failed and had not.
            if write_exchange(&mut exchange, id, entry)? == 0 {
                continue;
            }
            for (number, one) in (0_i64..).zip(&entry.attempts) {
                write_attempt(&mut attempt, id, number, one)?;
            }
            sums.add(entry);
        }
    }
    sums.store(&transaction)?;
    transaction.commit()
}

fn write_exchange(
    to: &mut Statement<'_>,
    (boot, sequence): (i64, i64),
    entry: &Entry,
) -> rusqlite::Result<usize> {
    let bill = Columns::of(entry.delivered());
    let [input, cached, cache_write, output, reasoning, audio] = bill.tokens;
    let mut wasted = (Tokens(0), Tokens(0), Some(MicroUsd(0)));
    for bill in entry.wasted() {
        wasted.0 += bill.usage.input;
        wasted.1 += bill.usage.output;
        wasted.2 = wasted.2.zip(bill.cost).map(|(sum, cost)| sum + cost);
    }
    let id: String = entry.request_id.chars().take(ID_LIMIT).collect();
    to.execute(params![
        boot,
        sequence,
        millis(entry.began),
        id,
        entry.key.as_deref(),
        entry.route.as_deref(),
        entry.variant.as_deref(),
        entry.session.map(|it| it.to_string()),
        entry.user.map(|it| it.to_string()),
        entry.format,
        entry.endpoint,
        entry.delivery,
        entry.status,
        entry.outcome,
        entry.reason,
        entry.fallback_reason,
        entry.target.as_deref(),
        input,
        cached,
        cache_write,
        output,
        reasoning,
        audio,
        bill.measure,
        bill.cost,
        tokens(wasted.0),
        tokens(wasted.1),
        wasted.2.map(money),
        entry.held.map(ms),
        entry.first_token.map(ms),
        ms(entry.total),
    ])
}

fn write_attempt(
    to: &mut Statement<'_>,
    (boot, sequence): (i64, i64),
    number: i64,
    attempt: &AttemptEntry,
) -> rusqlite::Result<usize> {
    let bill = Columns::of(attempt.bill.as_ref());
    let [input, cached, cache_write, output, reasoning, audio] = bill.tokens;
    to.execute(params![
        boot,
        sequence,
        number,
        &*attempt.target,
        attempt.kind,
        attempt.status,
        attempt.error,
        attempt.verdict,
        attempt.fate.name(),
        input,
        cached,
        cache_write,
        output,
        reasoning,
        audio,
        bill.measure,
        bill.cost,
        attempt.first_byte.map(ms),
        attempt.first_token.map(ms),
        ms(attempt.total),
    ])
}

/// A bill as columns hold it.
struct Columns {
    tokens: [Option<i64>; 6],
    measure: Option<&'static str>,
    cost: Option<i64>,
}

impl Columns {
    fn of(bill: Option<&Bill>) -> Self {
        Self {
            tokens: bill.map_or([None; 6], |bill| counts(bill).map(Some)),
            measure: bill.map(|bill| bill.measure.name()),
            cost: bill.and_then(|bill| bill.cost).map(money),
        }
    }
}

/// What budgets have spent in periods that began on that day or later.
pub(super) fn spent(connection: &Connection, since: Day) -> rusqlite::Result<Vec<Spent>> {
    let mut statement = connection
        .prepare("SELECT quota, instance, period, start, micro_usd FROM spent WHERE start >= ?1")?;
    let mut rows = statement.query([since.0])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (quota, instance): (String, String) = (row.get(0)?, row.get(1)?);
        let quota = quota.split_once(':');
        let quota = quota.and_then(|(kind, name)| Some((Kind::named(kind)?, name)));
        // What only a later version knows is of no use here.
        let (Some((kind, quota)), Some(instance), Some(per)) = (
            quota,
            Instance::parse(&instance),
            Period::named(&row.get::<_, String>(2)?),
        ) else {
            continue;
        };
        all.push(Spent {
            owner: Owner {
                kind,
                quota: quota.into(),
                instance,
            },
            per,
            start: Day(row.get(3)?),
            amount: MicroUsd(u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0)),
        });
    }
    Ok(all)
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
