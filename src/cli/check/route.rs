//! A route as it comes out: its tiers, and every value of its policy.

use std::io::{self, Write};
use std::time::Duration;

use super::marked::marked;
use crate::config::{show_duration, show_share, show_usd};
use crate::exchange::{Abilities, Need};
use crate::route::{
    Balance, Check, Choice, Contracts, Drops, Hedge, HedgeAfter, Hold, Json, Malformed, OutputFit,
    Policy, Reach, Refusals, Route, StreamUse, Target, TargetLimits, Tier, Timeouts,
};
use crate::upstream::BreakerPolicy;

/// A key, and how its value is shown.
type Line<T> = (&'static str, fn(&T) -> String);

/// The bounds of an attempt.
const BOUNDS: [Line<Timeouts>; 6] = [
    ("connect", |it| show_duration(it.connect)),
    ("first_token", |it| show_duration(it.first_token)),
    ("stall", |it| show_duration(it.stall)),
    ("total", |it| show_duration(it.total)),
    ("write", |it| show_duration(it.write)),
    ("min_rate", |it| it.min_rate.to_string()),
];

/// What comes before the bounds.
const PROMISES: [Line<Policy>; 4] = [
    ("hold", |it| hold(it.hold)),
    ("on_break", |_| "error".to_owned()),
    ("keepalive", |it| keepalive(it.keepalive)),
    ("deadline", |it| show_duration(it.deadline)),
];

/// What comes after them.
const FAILURES: [Line<Policy>; 15] = [
    ("same_target", |it| it.retries.same_target.to_string()),
    ("max_attempts", |it| it.retries.max_attempts.to_string()),
    ("patience", |it| show_duration(it.retries.patience)),
    ("breaker", |it| breaker(it.breaker.as_ref())),
    ("hedge", |it| hedge(it.hedge)),
    ("verdicts", verdicts),
    ("refusals", |it| refusals(it.refusals).to_owned()),
    ("refusal_texts", refusal_texts),
    ("checks", checks),
    ("fail_closed", |it| fail_closed(it.reach).to_owned()),
    ("malformed", |it| malformed(it.malformed).to_owned()),
    ("strict_params", |it| {
        (it.drops == Drops::Refused).to_string()
    }),
    ("fit_output", |it| {
        (it.output == OutputFit::Fitted).to_string()
    }),
    ("contract", |it| contract(it.contract).to_owned()),
    ("json", |it| json(it.json).to_owned()),
];

/// Writes one route.
pub(super) fn print(route: &Route, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "route {}", route.title())?;
    for (index, tier) in route.tiers.iter().enumerate() {
        print_tier(index.saturating_add(1), tier, &route.policy.timeouts, out)?;
    }
    let (policy, shipped) = (&route.policy, &Policy::default());
    print_lines(&PROMISES, policy, shipped, out)?;
    print_lines(&BOUNDS, &policy.timeouts, &shipped.timeouts, out)?;
    print_lines(&FAILURES, policy, shipped, out)
}

fn print_lines<T>(
    lines: &[Line<T>],
    value: &T,
    shipped: &T,
    out: &mut impl Write,
) -> io::Result<()> {
    lines.iter().try_for_each(|(name, show)| {
        writeln!(out, "  {name} {}", marked(&show(value), &show(shipped)))
    })
}

fn print_tier(
    number: usize,
    tier: &Tier,
    route: &Timeouts,
    out: &mut impl Write,
) -> io::Result<()> {
    let balance = marked(&balance(tier.balance), &balance(Balance::default()));
    writeln!(out, "  tier {number}: {balance}")?;
    for target in &tier.targets {
        print_target(target, route, out)?;
    }
    Ok(())
}

/// A target's bounds are shown where they are not those of its route.
fn print_target(target: &Target, route: &Timeouts, out: &mut impl Write) -> io::Result<()> {
    let price = match target.price {
        None => "price not known".to_owned(),
        Some(price) => {
            let (input, output) = (show_usd(price.input), show_usd(price.output));
            format!("price {input} USD in, {output} USD out")
        }
    };
    let weight = marked(&target.weight, &1);
    writeln!(out, "    {}: weight {weight}, {price}", target.name)?;
    let TargetLimits { rpm, tpm } = target.limits;
    if let Some(rpm) = rpm {
        writeln!(out, "      rpm {rpm}")?;
    }
    if let Some(tpm) = tpm {
        writeln!(out, "      tpm {}", tpm.0)?;
    }
    print_abilities(target, out)?;
    for (name, show) in BOUNDS {
        let own = show(&target.timeouts);
        if own != show(route) {
            writeln!(out, "      {name} {own}")?;
        }
    }
    Ok(())
}

/// What is known of a target's model, if anything is.
fn print_abilities(target: &Target, out: &mut impl Write) -> io::Result<()> {
    let Abilities {
        lacks,
        context,
        max_input,
        max_output,
        ..
    } = *target.abilities;
    for (name, size) in [
        ("context", context),
        ("max_input", max_input),
        ("max_output", max_output),
    ] {
        if let Some(size) = size {
            writeln!(out, "      {name} {} tokens", size.0)?;
        }
    }
    // Of every chat model that is known.
    let lacks: Vec<&str> = lacks
        .without(Need::Embeddings)
        .iter()
        .map(Need::name)
        .collect();
    if !lacks.is_empty() {
        writeln!(out, "      lacks {}", lacks.join(", "))?;
    }
    match target.stream {
        StreamUse::AsAsked => Ok(()),
        StreamUse::Always => writeln!(out, "      upstream_stream always"),
        StreamUse::Never => writeln!(out, "      upstream_stream never"),
    }
}

fn balance(balance: Balance) -> &'static str {
    match balance {
        Balance::Weighted => "weighted",
        Balance::RoundRobin => "round_robin",
        Balance::LeastBusy => "least_busy",
        Balance::LeastLatency => "least_latency",
        Balance::LeastCost => "least_cost",
    }
}

fn hold(hold: Hold) -> String {
    match hold {
        Hold::None => "none".to_owned(),
        Hold::Head { tokens, at_most } => {
            format!("{} tokens, at most {}", tokens.0, show_duration(at_most))
        }
        Hold::All => "all".to_owned(),
    }
}

fn keepalive(keepalive: Option<Duration>) -> String {
    keepalive.map_or_else(|| "off".to_owned(), show_duration)
}

fn breaker(breaker: Option<&BreakerPolicy>) -> String {
    match breaker {
        None => "off".to_owned(),
        Some(breaker) => {
            let (open, longest) = (show_duration(breaker.open), show_duration(breaker.longest));
            let failures = breaker.failures;
            format!("after {failures} failures, open {open} to {longest}")
        }
    }
}

fn hedge(hedge: Option<Hedge>) -> String {
    let Some(Hedge { after, share }) = hedge else {
        return "off".to_owned();
    };
    let after = match after {
        HedgeAfter::Fixed(after) => show_duration(after),
        HedgeAfter::P95 => "p95".to_owned(),
    };
    format!("after {after}, {} of exchanges", show_share(share))
}

fn verdicts(policy: &Policy) -> String {
    let verdicts = policy.verdicts.iter();
    listed(verdicts.map(|(class, choice)| {
        let choice = match choice {
            Choice::Retry => "retry",
            Choice::FallBack => "fall_back",
            Choice::Surface => "surface",
        };
        format!("{} {choice}", class.name())
    }))
}

fn refusals(refusals: Refusals) -> &'static str {
    match refusals {
        Refusals::Surface => "surface",
        Refusals::FallBack => "fall_back",
    }
}

fn refusal_texts(policy: &Policy) -> String {
    listed(policy.refusal_texts.iter().map(|text| format!("{text:?}")))
}

fn checks(policy: &Policy) -> String {
    listed(policy.checks.iter().map(|check| match check {
        Check::Json => "json".to_owned(),
        Check::Tools => "tools".to_owned(),
    }))
}

fn fail_closed(reach: Reach) -> &'static str {
    match reach {
        Reach::Chain => "false",
        Reach::SameModel => "true",
    }
}

fn malformed(malformed: Malformed) -> &'static str {
    match malformed {
        Malformed::Break => "break",
        Malformed::Skip => "skip",
    }
}

fn contract(contract: Contracts) -> &'static str {
    match contract {
        Contracts::Off => "off",
        Contracts::Enforce => "enforce",
    }
}

fn json(json: Json) -> &'static str {
    match json {
        Json::Emulate => "emulate",
        Json::Native => "native",
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [] => "none".to_owned(),
        items => items.join(", "),
    }
}
