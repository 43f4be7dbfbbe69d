//! What is said to the script, and what its answers mean. Pure.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;
use smallvec::SmallVec;

use crate::account::bucket::Window;
use crate::account::claim::{Claim, Scarce};
use crate::account::instance::Owner;
use crate::account::period::Period;
use crate::account::quota::Quota;
use crate::units::{Day, MicroUsd, Tokens};

/// After so long without a word of its node, an exchange or a reservation counts no more.
pub(super) const LEASE: Duration = Duration::from_secs(45);

/// The numbers that an answer has for each count.
const NUMBERS: usize = 8;

/// One shared count, and what bounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::account) struct Seat {
    /// The key in Redis.
    pub(in crate::account) key: Arc<str>,
    /// The limit of tokens in a minute.
    pub(super) tokens: Option<u64>,
    /// Whether money is counted.
    pub(super) counts_money: bool,
    /// Whether exchanges under way are counted.
    pub(super) counts_exchanges: bool,
}

impl Seat {
    /// The seat of an owner. All keys have one hash tag, so that they are on one shard.
    pub(in crate::account) fn of(prefix: &str, owner: &Owner, quota: &Quota) -> Self {
        Self {
            key: key(prefix, owner),
            tokens: quota.tokens_per_minute.map(|limit| limit.0),
            counts_money: !quota.budgets.is_empty(),
            counts_exchanges: quota.concurrent.is_some(),
        }
    }
}

/// The key of an owner's count.
pub(super) fn key(prefix: &str, owner: &Owner) -> Arc<str> {
    let (kind, quota) = (owner.kind.name(), &owner.quota);
    format!("{{{prefix}}}{kind}:{quota}:{}", owner.instance).into()
}

/// What belongs to no count begins with this.
pub(super) fn root(prefix: &str) -> String {
    format!("{{{prefix}}}")
}

/// What an attempt asks for, and with the first its exchange.
pub(super) struct Ask<'a> {
    pub(super) exchange: &'a str,
    pub(super) id: &'a str,
    pub(super) admit: Admit,
    pub(super) claim: Claim,
    pub(super) counts: &'a [(&'a Seat, &'a Quota)],
}

/// Whether the exchange is to be counted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admit {
    /// It begins.
    Exchange,
    /// It has begun.
    Attempt,
}

/// What is left of one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::account) struct Rest {
    pub(in crate::account) requests: Option<Window>,
    pub(in crate::account) tokens: Option<Window>,
    /// The day that counts there.
    pub(in crate::account) day: Day,
    /// What all have spent in its day, week and month.
    pub(in crate::account) spent: [MicroUsd; 3],
}

impl Rest {
    /// What is left of the requests, and nothing known of the rest.
    pub(in crate::account) fn of_requests(requests: Option<Window>) -> Self {
        Self {
            requests,
            tokens: None,
            day: Day::default(),
            spent: [MicroUsd(0); 3],
        }
    }
}

/// What is answered to who asks.
#[expect(
    clippy::large_enum_variant,
    reason = "one a round trip, and taken apart at once"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All was taken.
    Taken(SmallVec<[Rest; 4]>),
    /// Nothing was: of which count there is too little, of what, and for how long.
    Short(usize, Scarce, Option<Duration>),
}

/// A call of the script.
pub(super) fn call<'k>(
    script: &str,
    root: &str,
    keys: impl ExactSizeIterator<Item = &'k str>,
) -> Cmd {
    let mut cmd = redis::cmd("EVALSHA");
    cmd.arg(script).arg(keys.len() + 1).arg(root);
    for key in keys {
        cmd.arg(key);
    }
    cmd
}

/// Asks which Redis it is.
pub(super) fn hello(script: &str, root: &str, offered: &str) -> Cmd {
    let mut cmd = call(script, root, [].into_iter());
    cmd.arg("hello").arg(offered);
    cmd
}

/// Asks for an attempt.
pub(super) fn take(script: &str, root: &str, ask: &Ask<'_>) -> Cmd {
    let keys = ask.counts.iter().map(|(seat, _)| &*seat.key);
    let mut cmd = call(script, root, keys);
    cmd.arg("take")
        .arg(ask.id)
        .arg(LEASE.as_millis().to_string());
    cmd.arg(u8::from(ask.admit == Admit::Exchange));
    cmd.arg(ask.claim.tokens.0)
        .arg(ask.claim.cost.0)
        .arg(ask.exchange);
    let bound = |limit: Option<u64>, cmd: &mut Cmd| {
        cmd.arg(limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string()));
    };
    for (_, quota) in ask.counts {
        bound(quota.requests_per_minute.map(u64::from), &mut cmd);
        bound(quota.tokens_per_minute.map(|Tokens(limit)| limit), &mut cmd);
        bound(quota.concurrent.map(u64::from), &mut cmd);
        cmd.arg(quota.budgets.len());
        for budget in &quota.budgets {
            cmd.arg(letter(budget.per)).arg(budget.amount.0);
        }
    }
    cmd
}

/// The name of a period in the script.
pub(super) fn letter(per: Period) -> &'static str {
    match per {
        Period::Day => "d",
        Period::Week => "w",
        Period::Month => "m",
    }
}

/// What the answer to [`take`] means; `None` if it means nothing.
pub(super) fn answer(words: &[i64], counts: &[(&Seat, &Quota)]) -> Option<Answer> {
    match words {
        [0, place, of, wait] => {
            let place = usize::try_from(*place).ok()?.checked_sub(1)?;
            let of = match of {
                0 => Scarce::Requests,
                1 => Scarce::Tokens,
                2 => Scarce::Concurrency,
                3 => Scarce::Budget,
                _ => return None,
            };
            Some(Answer::Short(place, of, micros(*wait)))
        }
        [1, rest @ ..] if rest.len() == counts.len() * NUMBERS => {
            let rests = rest.chunks_exact(NUMBERS).zip(counts);
            let rests: Option<_> = rests
                .map(|(words, (_, quota))| left(words, quota))
                .collect();
            rests.map(Answer::Taken)
        }
        _ => None,
    }
}

fn left(words: &[i64], quota: &Quota) -> Option<Rest> {
    let &[requests, until_requests, tokens, until_tokens, day, d, w, m] = words else {
        return None;
    };
    let window = |limit: Option<u64>, left: i64, until: i64| {
        Some(Window {
            limit: limit?,
            remaining: u64::try_from(left).ok()?,
            reset: micros(until)?,
        })
    };
    let money = |amount: i64| MicroUsd(u64::try_from(amount).unwrap_or(0));
    Some(Rest {
        requests: window(
            quota.requests_per_minute.map(u64::from),
            requests,
            until_requests,
        ),
        tokens: window(
            quota.tokens_per_minute.map(|limit| limit.0),
            tokens,
            until_tokens,
        ),
        day: Day(day),
        spent: [money(d), money(w), money(m)],
    })
}

fn micros(number: i64) -> Option<Duration> {
    u64::try_from(number).ok().map(Duration::from_micros)
}

/// What happened to a count, and is told later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// This was spent.
    Book(MicroUsd),
    /// This had been spent in the period from that day on, before Redis lost it.
    Restore(MicroUsd, Period, Day),
    /// So many more tokens were used than were set aside, of that limit.
    Tokens(i64, u64),
    /// A reservation ends.
    End(Arc<str>, MicroUsd),
    /// An exchange ends.
    Leave(Arc<str>),
    /// A reservation goes on.
    Hold(Arc<str>, MicroUsd),
    /// An exchange goes on.
    Stay(Arc<str>),
}

/// Tells what happened, each with the key of its count.
pub(super) fn post(
    script: &str,
    root: &str,
    (node, born, number): (&str, &str, u64),
    acts: &[(Arc<str>, Act)],
) -> Cmd {
    let mut keys: Vec<&str> = acts.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut cmd = call(script, root, keys.iter().copied());
    cmd.arg("post").arg(node).arg(born).arg(number);
    cmd.arg(LEASE.as_millis().to_string());
    for (key, act) in acts {
        // The first key is the root, and Lua counts from 1.
        let place = keys.binary_search(&&**key).unwrap_or_default() + 2;
        let mut say = |kind: &str, one: &str, other: &str| {
            cmd.arg(kind).arg(place).arg(one).arg(other);
        };
        match act {
            Act::Book(amount) => say("b", &amount.0.to_string(), ""),
            Act::Restore(amount, per, day) => {
                let period = format!("{}{}", letter(*per), day.0);
                say("s", &amount.0.to_string(), &period);
            }
            Act::Tokens(more, limit) => say("t", &more.to_string(), &limit.to_string()),
            Act::End(id, cost) => say("l", id, &cost.0.to_string()),
            Act::Leave(id) => say("r", id, ""),
            Act::Hold(id, cost) => say("L", id, &cost.0.to_string()),
            Act::Stay(id) => say("R", id, ""),
        }
    }
    cmd
}
