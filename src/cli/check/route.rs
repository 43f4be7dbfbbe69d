//! A route as it comes out: its tiers, and every value of its policy.

use std::io::{self, Write};
use std::time::Duration;

use super::marked::{marked, time};
use crate::config::{show_duration, show_usd};
use crate::route::{
    Balance, Check, Choice, Hedge, HedgeAfter, Hold, Malformed, Policy, Reach, Refusals, Route,
    Target, Tier, Timeouts,
};
use crate::upstream::BreakerPolicy;

/// Writes one route.
pub(super) fn print(route: &Route, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "route {}", route.name)?;
    for (index, tier) in route.tiers.iter().enumerate() {
        print_tier(index.saturating_add(1), tier, &route.policy.timeouts, out)?;
    }
    let shipped = Policy::default();
    let (policy, timeouts, retries) = (&route.policy, &route.policy.timeouts, &shipped.retries);
    let lines = [
        ("hold", marked(&hold(policy.hold), &hold(shipped.hold))),
        ("on_break", "error (default)".to_owned()),
        (
            "keepalive",
            marked(&keepalive(policy.keepalive), &keepalive(shipped.keepalive)),
        ),
        ("deadline", time(policy.deadline, shipped.deadline)),
    ];
    print_lines(lines, out)?;
    for (name, value, shipped) in bounds(timeouts, &shipped.timeouts) {
        writeln!(out, "  {name} {}", marked(&value, &shipped))?;
    }
    let own = &policy.retries;
    let lines = [
        (
            "same_target",
            marked(&own.same_target, &retries.same_target),
        ),
        (
            "max_attempts",
            marked(&own.max_attempts, &retries.max_attempts),
        ),
        ("patience", time(own.patience, retries.patience)),
    ];
    print_lines(lines, out)?;
    print_judgement(policy, &shipped, out)
}

fn print_judgement(policy: &Policy, shipped: &Policy, out: &mut impl Write) -> io::Result<()> {
    let of = |show: &dyn Fn(&Policy) -> String| marked(&show(policy), &show(shipped));
    let lines = [
        ("breaker", of(&|it| breaker(it.breaker.as_ref()))),
        ("hedge", of(&|it| hedge(it.hedge))),
        ("verdicts", of(&verdicts)),
        ("refusals", of(&|it| refusals(it.refusals).to_owned())),
        ("refusal_texts", of(&refusal_texts)),
        ("checks", of(&checks)),
        ("fail_closed", of(&|it| fail_closed(it.reach).to_owned())),
        ("malformed", of(&|it| malformed(it.malformed).to_owned())),
    ];
    print_lines(lines, out)
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
        None => "price none (default)".to_owned(),
        Some(price) => {
            let (input, output) = (show_usd(price.input), show_usd(price.output));
            format!("price {input} USD in, {output} USD out")
        }
    };
    let weight = marked(&target.weight, &1);
    writeln!(out, "    {}: weight {weight}, {price}", target.name)?;
    for (name, value, of_route) in bounds(&target.timeouts, route) {
        if value != of_route {
            writeln!(out, "      {name} {value}")?;
        }
    }
    Ok(())
}

fn print_lines<const N: usize>(lines: [(&str, String); N], out: &mut impl Write) -> io::Result<()> {
    lines
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "  {name} {value}"))
}

fn bounds(own: &Timeouts, other: &Timeouts) -> [(&'static str, String, String); 6] {
    let time = |name, own, other| (name, show_duration(own), show_duration(other));
    let (rate, other_rate) = (own.min_rate.to_string(), other.min_rate.to_string());
    [
        time("connect", own.connect, other.connect),
        time("first_token", own.first_token, other.first_token),
        time("stall", own.stall, other.stall),
        time("total", own.total, other.total),
        time("write", own.write, other.write),
        ("min_rate", rate, other_rate),
    ]
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
    // Rounded, for a hundred times 0.07 is not quite 7.
    let percent = (share * 1e8).round() / 1e6;
    format!("after {after}, {percent}% of exchanges")
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

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [] => "none".to_owned(),
        items => items.join(", "),
    }
}
