//! What a route promises, as a route or `defaults` sets it: the keys that the two share.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::breaker::Breaking;
use super::cursor::{Cursor, Read};
use super::hedge::Hedging;
use super::hold::Holding;
use super::judgement;
use super::retries::Retrying;
use super::section::Section;
use super::timeouts::{Bounds, LEAST, LONGEST};
use super::written::{Written, longer};
use crate::exchange::Class;
use crate::route::{
    Check, Choice, Contracts, Drops, Json, Malformed, OutputFit, Policy, Reach, Refusals,
};

const DEADLINE_RANGE: RangeInclusive<Duration> = LEAST..=LONGEST;
/// Shorter is traffic for nothing; balancers that cut a silence wait for less than five minutes.
const KEEPALIVE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

const REFUSALS: [(&str, Refusals); 2] = [
    ("surface", Refusals::Surface),
    ("fall_back", Refusals::FallBack),
];

const MALFORMED: [(&str, Malformed); 2] = [("break", Malformed::Break), ("skip", Malformed::Skip)];

const CONTRACTS: [(&str, Contracts); 2] =
    [("off", Contracts::Off), ("enforce", Contracts::Enforce)];

const JSON: [(&str, Json); 2] = [("emulate", Json::Emulate), ("native", Json::Native)];

/// What one place of the file sets.
#[derive(Clone, Default)]
pub(super) struct Layer<'a> {
    hold: Holding<'a>,
    keepalive: Written<'a, Option<Duration>>,
    deadline: Written<'a, Duration>,
    timeouts: Bounds<'a>,
    retries: Retrying<'a>,
    breaker: Breaking<'a>,
    hedge: Hedging<'a>,
    verdicts: BTreeMap<Class, Choice>,
    refusals: Written<'a, Refusals>,
    refusal_texts: Written<'a, Vec<String>>,
    checks: Written<'a, Vec<Check>>,
    reach: Written<'a, Reach>,
    malformed: Written<'a, Malformed>,
    drops: Written<'a, Drops>,
    output: Written<'a, OutputFit>,
    contract: Written<'a, Contracts>,
    json: Written<'a, Json>,
}

impl<'a> Layer<'a> {
    /// Reads the keys that routes and `defaults` share, all but `tiers`.
    pub(super) fn read(section: &mut Section<'a>) -> Read<Self> {
        let hold = section.maybe("hold", Holding::read);
        let on_break = section.maybe("on_break", on_break);
        let keepalive = Written::read(section, "keepalive", |at| {
            at.duration_or("off", &KEEPALIVE_RANGE)
        });
        let deadline = Written::read(section, "deadline", |at| at.duration(&DEADLINE_RANGE));
        let timeouts = section.maybe("timeouts", Bounds::read);
        let retries = section.maybe("retries", Retrying::read);
        let breaker = section.maybe("breaker", Breaking::read);
        let hedge = section.maybe("hedge", Hedging::read);
        let verdicts = section.maybe("verdicts", judgement::verdicts);
        let refusals = Written::read(section, "refusals", |at| at.choice(&REFUSALS));
        let refusal_texts = Written::read(section, "refusal_texts", judgement::refusal_texts);
        let checks = Written::read(section, "checks", judgement::checks);
        let reach = Written::read(section, "fail_closed", reach);
        let malformed = Written::read(section, "malformed", |at| at.choice(&MALFORMED));
        let drops = Written::read(section, "strict_params", drops);
        let output = Written::read(section, "fit_output", output);
        let contract = Written::read(section, "contract", |at| at.choice(&CONTRACTS));
        let json = Written::read(section, "json", |at| at.choice(&JSON));
        on_break?;
        Ok(Self {
            hold: hold?.unwrap_or_default(),
            keepalive: keepalive?,
            deadline: deadline?,
            timeouts: timeouts?.unwrap_or_default(),
            retries: retries?.unwrap_or_default(),
            breaker: breaker?.unwrap_or_default(),
            hedge: hedge?.unwrap_or_default(),
            verdicts: verdicts?.unwrap_or_default(),
            refusals: refusals?,
            refusal_texts: refusal_texts?,
            checks: checks?,
            reach: reach?,
            malformed: malformed?,
            drops: drops?,
            output: output?,
            contract: contract?,
            json: json?,
        })
    }

    /// What this place says, and what it inherits where it is silent; not yet cut to fit, so that
    /// a place below may lengthen its deadline.
    pub(super) fn over(&self, inherited: &Policy) -> Policy {
        let mut verdicts = inherited.verdicts.clone();
        verdicts.extend(&self.verdicts);
        Policy {
            hold: self.hold.over(inherited.hold),
            keepalive: self.keepalive.over(&inherited.keepalive),
            deadline: self.deadline.over(&inherited.deadline),
            timeouts: self.timeouts.over(&inherited.timeouts),
            retries: self.retries.over(&inherited.retries),
            breaker: self.breaker.over(inherited.breaker.as_ref()),
            hedge: self.hedge.over(inherited.hedge),
            verdicts,
            refusals: self.refusals.over(&inherited.refusals),
            refusal_texts: self.refusal_texts.over(&inherited.refusal_texts),
            checks: self.checks.over(&inherited.checks),
            reach: self.reach.over(&inherited.reach),
            malformed: self.malformed.over(&inherited.malformed),
            drops: self.drops.over(&inherited.drops),
            output: self.output.over(&inherited.output),
            contract: self.contract.over(&inherited.contract),
            json: self.json.over(&inherited.json),
        }
    }

    /// What `over` came to: what is written here must make sense, what is inherited is cut to fit.
    pub(super) fn fit(&self, policy: &Policy) -> Read<Policy> {
        let deadline = policy.deadline;
        let hold = self.hold.fit(policy.hold, deadline);
        let keepalive = self
            .keepalive
            .check(|own| own.and_then(|own| longer(own, deadline, "the deadline")));
        let timeouts = self.timeouts.fit(&policy.timeouts, deadline);
        let retries = self.retries.fit(&policy.retries, deadline);
        let breaker = self.breaker.fit(policy.breaker.clone());
        let hedge = self.hedge.fit(policy.hedge, deadline);
        let refusal_texts = self.refusal_texts(policy);
        keepalive?;
        Ok(Policy {
            hold: hold?,
            timeouts: timeouts?,
            retries: retries?,
            breaker: breaker?,
            hedge: hedge?,
            refusal_texts: refusal_texts?,
            ..policy.clone()
        })
    }

    fn refusal_texts(&self, policy: &Policy) -> Read<Vec<String>> {
        match policy.refusals {
            Refusals::FallBack => Ok(policy.refusal_texts.clone()),
            Refusals::Surface => {
                let rule = "has no effect: `refusals` is not fall_back";
                self.refusal_texts.check(|_| Some(rule.to_owned()))?;
                Ok(Vec::new())
            }
        }
    }
}

/// How an answer that breaks off after the commit ends: of the two, this version knows one.
fn on_break(cursor: &Cursor<'_>) -> Read<()> {
    match cursor.choice(&[("error", Some(())), ("resume", None)])? {
        Some(()) => Ok(()),
        None => cursor.fail("resume comes in a later version; until then only error"),
    }
}

fn reach(cursor: &Cursor<'_>) -> Read<Reach> {
    if cursor.boolean()? {
        return Ok(Reach::SameModel);
    }
    Ok(Reach::Chain)
}

fn drops(cursor: &Cursor<'_>) -> Read<Drops> {
    Ok(if cursor.boolean()? {
        Drops::Refused
    } else {
        Drops::Allowed
    })
}

fn output(cursor: &Cursor<'_>) -> Read<OutputFit> {
    Ok(if cursor.boolean()? {
        OutputFit::Fitted
    } else {
        OutputFit::AsAsked
    })
}
