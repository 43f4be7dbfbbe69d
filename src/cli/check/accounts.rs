//! Who may call, and what callers may take, as it comes out.

use std::io::{self, Write};

use super::marked::marked;
use crate::account::{
    Activity, Each, KeyEntry, Keys, OnBudget, Quota, Quotas, RouteScope, Scope, Waste,
};
use crate::config::show_usd;
use crate::telemetry::Timestamp;

/// Writes all keys.
pub(super) fn print_keys(keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    if keys.is_empty() {
        return writeln!(out, "keys none: open to everybody on this machine");
    }
    keys.entries().try_for_each(|entry| print_key(entry, out))
}

fn print_key(entry: &KeyEntry, out: &mut impl Write) -> io::Result<()> {
    let KeyEntry { key, terms, proofs } = entry;
    match &key.routes {
        RouteScope::All => writeln!(out, "key {}: all routes (default)", key.name)?,
        RouteScope::Only(names) => {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            writeln!(out, "key {}: {}", key.name, names.join(", "))?;
        }
    }
    if terms.activity == Activity::Disabled {
        writeln!(out, "  disabled")?;
    }
    if !key.tags.is_empty() {
        let tags = key
            .tags
            .iter()
            .map(|(name, value)| format!("{name} {value}"));
        writeln!(out, "  tags {}", tags.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(end) = terms.expires {
        writeln!(out, "  until {}", Timestamp(end).to_second())?;
    }
    for (index, proof) in proofs.iter().enumerate() {
        if let Some(end) = proof.not_after {
            let (number, count) = (index.saturating_add(1), proofs.len());
            let end = Timestamp(end).to_second();
            writeln!(out, "  secret {number} of {count} until {end}")?;
        }
    }
    if !terms.networks.is_empty() {
        let networks = terms.networks.iter().map(ToString::to_string);
        writeln!(out, "  from {}", networks.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

/// Writes all quotas, and the rules between them.
pub(super) fn print_quotas(quotas: &Quotas, out: &mut impl Write) -> io::Result<()> {
    for quota in &quotas.all {
        let (name, holders, each) = (&quota.name, holders(&quota.scope), each(quota.each));
        writeln!(out, "quota {name} of {holders}{each}: {}", allowance(quota))?;
    }
    let shipped = Quotas::default();
    let (on_budget, waste) = (on_budget(quotas.on_budget), waste(quotas.waste));
    writeln!(
        out,
        "accounts\n  on_budget {}\n  waste {}\n  assumed_output {}",
        marked(&on_budget, &self::on_budget(shipped.on_budget)),
        marked(&waste, &self::waste(shipped.waste)),
        marked(&quotas.assumed_output.0, &shipped.assumed_output.0)
    )
}

/// Whom a quota holds for.
pub(super) fn holders(scope: &Scope) -> String {
    match scope {
        Scope::All => "everybody".to_owned(),
        Scope::Key(name) => format!("key {name}"),
        Scope::Route(name) => format!("route {name}"),
        Scope::Tag(name, value) => format!("keys with {name} {value}"),
    }
}

fn each(each: Each) -> &'static str {
    match each {
        Each::Together => "",
        Each::Key => ", each key",
        Each::User => ", each user",
        Each::Session => ", each session",
    }
}

fn allowance(quota: &Quota) -> String {
    let mut all = Vec::new();
    if let Some(requests) = quota.requests_per_minute {
        all.push(format!("{requests} requests a minute"));
    }
    if let Some(tokens) = quota.tokens_per_minute {
        all.push(format!("{} tokens a minute", tokens.0));
    }
    if let Some(concurrent) = quota.concurrent {
        all.push(format!("{concurrent} at a time"));
    }
    if let Some(ceiling) = quota.ceiling {
        all.push(format!("{} USD an exchange", show_usd(ceiling)));
    }
    for budget in &quota.budgets {
        let (amount, per) = (show_usd(budget.amount), budget.per.name());
        all.push(format!("{amount} USD a {per}"));
    }
    all.join(", ")
}

fn on_budget(on_budget: OnBudget) -> &'static str {
    match on_budget {
        OnBudget::Stop => "stop",
        OnBudget::Cheapest => "cheapest",
    }
}

fn waste(waste: Waste) -> &'static str {
    match waste {
        Waste::Route => "route",
        Waste::Caller => "caller",
    }
}
