//! Sums of a batch, made in memory and added to the tables once.

use std::collections::HashMap;

use rusqlite::{Transaction, params};

use super::entry::{AttemptEntry, Entry};
use crate::account::claim::Fate;
use crate::account::instance::Owner;
use crate::exchange::{Bill, Measure};
use crate::units::{Day, MicroUsd, Tokens};

/// More tokens than anybody bills: what a provider makes up must not spoil a sum.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// A billion USD, in millionths.
const MOST_COST: u64 = 1_000_000_000_000_000;

const ADD_DAY: &str = "
INSERT INTO days (day, key, route, target, fate, exchanges, fell_back, failed, attempts, estimated,
    unpriced, input, cached, cache_write, output, reasoning, audio, cost_micro_usd)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT DO UPDATE SET
    exchanges = exchanges + excluded.exchanges,
    fell_back = fell_back + excluded.fell_back,
    failed = failed + excluded.failed,
    attempts = attempts + excluded.attempts,
    estimated = estimated + excluded.estimated,
    unpriced = unpriced + excluded.unpriced,
    input = input + excluded.input,
    cached = cached + excluded.cached,
    cache_write = cache_write + excluded.cache_write,
    output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning,
    audio = audio + excluded.audio,
    cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd";

const ADD_SPENT: &str = "
INSERT INTO spent (quota, instance, period, start, micro_usd) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET micro_usd = micro_usd + excluded.micro_usd";

/// The sums of a batch.
#[derive(Default)]
pub(super) struct Sums<'e> {
    days: HashMap<Cell<'e>, Tally>,
    spent: HashMap<Account<'e>, i64>,
}

/// What one row of `spent` is for.
#[derive(PartialEq, Eq, Hash)]
struct Account<'e> {
    owner: &'e Owner,
    period: &'static str,
    start: i64,
}

/// What one row of `days` is for.
#[derive(PartialEq, Eq, Hash)]
struct Cell<'e> {
    day: i64,
    key: &'e str,
    route: &'e str,
    target: &'e str,
    fate: &'static str,
}

#[derive(Default)]
struct Tally {
    exchanges: i64,
    fell_back: i64,
    failed: i64,
    attempts: i64,
    estimated: i64,
    unpriced: i64,
    /// Input, cached, cache write, output, reasoning, audio.
    tokens: [i64; 6],
    cost: i64,
}

impl<'e> Sums<'e> {
    /// Adds an exchange, its attempts and what they spent.
    pub(super) fn add(&mut self, entry: &'e Entry) {
        let answered = entry.target.as_deref();
        let fate = answered.map_or("none", |_| Fate::Delivered.name());
        let tally = self.cell(entry, answered.unwrap_or_default(), fate);
        tally.exchanges += 1;
        tally.fell_back += i64::from(entry.fallback_reason.is_some() && answered.is_some());
        tally.failed += i64::from(matches!(entry.outcome, "failed" | "broken" | "panicked"));
        for attempt in &entry.attempts {
            self.cell(entry, &attempt.target, attempt.fate.name())
                .add(attempt);
        }
        for one in &entry.spent {
            let account = Account {
                owner: &one.owner,
                period: one.per.name(),
                start: one.start.0,
            };
            *self.spent.entry(account).or_default() += money(one.amount);
        }
    }

    /// Adds them to the tables.
    pub(super) fn store(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut add = to.prepare(ADD_DAY)?;
        for (cell, sum) in &self.days {
            let [input, cached, cache_write, output, reasoning, audio] = sum.tokens;
            add.execute(params![
                cell.day,
                cell.key,
                cell.route,
                cell.target,
                cell.fate,
                sum.exchanges,
                sum.fell_back,
                sum.failed,
                sum.attempts,
                sum.estimated,
                sum.unpriced,
                input,
                cached,
                cache_write,
                output,
                reasoning,
                audio,
                sum.cost,
            ])?;
        }
        let mut add = to.prepare(ADD_SPENT)?;
        for (account, cost) in &self.spent {
            let owner = account.owner;
            let quota = format!("{}:{}", owner.kind.name(), owner.quota);
            let instance = owner.instance.to_string();
            add.execute(params![
                quota,
                instance,
                account.period,
                account.start,
                cost
            ])?;
        }
        Ok(())
    }

    fn cell(&mut self, entry: &'e Entry, target: &'e str, fate: &'static str) -> &mut Tally {
        let cell = Cell {
            day: Day::of(entry.began).0,
            key: entry.key.as_deref().unwrap_or_default(),
            route: entry.route.as_deref().unwrap_or_default(),
            target,
            fate,
        };
        self.days.entry(cell).or_default()
    }
}

impl Tally {
    fn add(&mut self, attempt: &AttemptEntry) {
        self.attempts += 1;
        let Some(bill) = &attempt.bill else { return };
        self.estimated += i64::from(bill.measure == Measure::Estimated);
        for (sum, tokens) in self.tokens.iter_mut().zip(counts(bill)) {
            *sum += tokens;
        }
        match bill.cost {
            Some(cost) => self.cost += money(cost),
            None => self.unpriced += 1,
        }
    }
}

/// Input, cached, cache write, output, reasoning, audio.
pub(super) fn counts(bill: &Bill) -> [i64; 6] {
    let usage = &bill.usage;
    [
        usage.input,
        usage.cached,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        usage.audio,
    ]
    .map(tokens)
}

/// As a column holds it.
pub(super) fn tokens(tokens: Tokens) -> i64 {
    i64::try_from(tokens.0.min(MOST_TOKENS)).unwrap_or(i64::MAX)
}

/// As a column holds it, in millionths of a USD.
pub(super) fn money(cost: MicroUsd) -> i64 {
    i64::try_from(cost.0.min(MOST_COST)).unwrap_or(i64::MAX)
}
