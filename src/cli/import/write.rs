//! The text of a `segue.yaml`, with comments that tell what to do next.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cli::import::account::Account;
use crate::cli::import::base::Reach;
use crate::cli::import::chain::{Target, Tier};
use crate::cli::import::draft::{Attempt, Draft, Route};
use crate::cli::import::notes::clean;
use crate::cli::import::quote::quoted;
use crate::cli::import::settings::Breaker;
use crate::config::show_duration;

/// Writes the file.
pub(super) fn file(draft: &Draft, notes: &[String]) -> String {
    let mut out = Out(String::new());
    head(draft, &mut out);
    listen(draft, &mut out);
    out.line("\nproviders:");
    for (name, account) in &draft.providers {
        provider(name, account, &mut out);
    }
    defaults(draft, &mut out);
    out.line("\nroutes:");
    for one in &draft.routes {
        route(one, draft, &mut out);
    }
    if !draft.limits.is_empty() {
        out.line("\nlimits:");
        for (name, value) in &draft.limits {
            out.line(&format!("  {name}: {value}"));
        }
    }
    if !notes.is_empty() {
        out.line("\n# Not carried over, or not quite:");
        for note in notes {
            out.line(&format!("#   {}", clean(note)));
        }
    }
    out.0
}

/// Lines of text.
struct Out(String);

impl Out {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

fn head(draft: &Draft, out: &mut Out) {
    out.line("# Written by `segue import litellm`. Read it through, set the variables, then:");
    out.line("#   segue check -c segue.yaml");
    if !draft.variables.is_empty() {
        out.line("#\n# Variables of the environment that it needs (`file:PATH` is better where others can look):");
        for name in &draft.variables {
            out.line(&format!("#   {name}"));
        }
    }
    out.line("");
}

fn listen(draft: &Draft, out: &mut Out) {
    out.line("listen:");
    out.line("  - address: \"127.0.0.1:4000\"    # the port of LiteLLM; other addresses need `keys`, and better `tls`");
    match &draft.key {
        Some(key) => {
            out.line("\nkeys:");
            out.line("  - name: master");
            out.line(&format!(
                "    secret: {}",
                quoted(&format!("env:{}", key.variable))
            ));
        }
        None => out.line(
            "\n# There is no master_key, so that anybody on this machine may call: see `keys`.",
        ),
    }
}

fn provider(name: &str, account: &Account, out: &mut Out) {
    out.line(&format!("  {}:", quoted(name)));
    let mut put = |key: &str, value: &str| out.line(&format!("    {key}: {}", quoted(value)));
    put("dialect", account.format.dialect());
    if let Some(profile) = account.format.profile() {
        put("profile", profile);
    }
    put("base_url", &account.base);
    if let Some(version) = &account.version {
        put("api_version", version);
    }
    if let Some(variable) = &account.credential {
        put("credential", &format!("env:{variable}"));
        if let Some(auth) = account.auth {
            put("auth", auth);
        }
    }
    if account.reach == Reach::Private {
        out.line("    private_peers: true");
    }
}

fn defaults(draft: &Draft, out: &mut Out) {
    let mut lines = Vec::new();
    if let Some(deadline) = draft.times.deadline {
        lines.push(format!("  deadline: {}", show_duration(deadline)));
    }
    if let Some(times) = timeouts(draft.times.attempt) {
        lines.push(format!("  timeouts: {times}"));
    }
    if let Some(retries) = draft.retries {
        lines.push(format!("  retries: {}", self::retries(retries)));
    }
    match draft.breaker {
        Breaker::Shipped => {}
        Breaker::Off => lines.push("  breaker: off".to_owned()),
        Breaker::On(failures, open) => {
            let failures = failures.map(|failures| ("failures", failures.to_string()));
            let open = open.map(|open| ("open", show_duration(open)));
            lines.push(format!(
                "  breaker: {}",
                map(failures.into_iter().chain(open))
            ));
        }
    }
    if !draft.verdicts.is_empty() {
        lines.push(format!("  verdicts: {}", verdicts(&draft.verdicts)));
    }
    if !lines.is_empty() {
        out.line("\ndefaults:");
        out.line(&lines.join("\n"));
    }
}

fn route(route: &Route, draft: &Draft, out: &mut Out) {
    let name = quoted(&route.name);
    if let Some(group) = &route.alias {
        out.line(&format!("  # another name of {}", clean(group)));
    }
    let chain = &route.chain;
    let plain = route.retries.is_none() && chain.verdicts.is_empty();
    if let ([tier], true) = (chain.tiers.as_slice(), plain)
        && let [target] = tier.as_slice()
        && let Some(short) = short(target, tier)
    {
        return out.line(&format!("  {name}: {short}"));
    }
    out.line(&format!("  {name}:\n    tiers:"));
    for tier in &chain.tiers {
        self::tier(tier, draft, out);
    }
    if let Some(retries) = route.retries {
        out.line(&format!("    retries: {}", self::retries(retries)));
    }
    if !chain.verdicts.is_empty() {
        out.line(&format!("    verdicts: {}", verdicts(&chain.verdicts)));
    }
}

fn tier(tier: &Tier, draft: &Draft, out: &mut Out) {
    let balance = draft.balance;
    let balance = balance.filter(|balance| *balance != "weighted" && tier.len() > 1);
    let short: Option<Vec<String>> = tier.iter().map(|target| short(target, tier)).collect();
    if let (Some(short), None) = (&short, balance) {
        return out.line(&format!("      - [{}]", short.join(", ")));
    }
    match balance {
        Some(balance) => out.line(&format!("      - balance: {balance}\n        targets:")),
        None => out.line("      - targets:"),
    }
    for target in tier {
        match self::short(target, tier) {
            Some(short) => out.line(&format!("          - {short}")),
            None => out.line(&format!(
                "          - {}",
                full(target, tier, draft.times.attempt)
            )),
        }
    }
}

/// A target that has nothing of its own.
fn short(target: &Target, tier: &Tier) -> Option<String> {
    let weighs = tier.len() > 1 && target.weight != 1;
    let plain =
        !weighs && target.price.is_none() && target.total.is_none() && target.stall.is_none();
    plain.then(|| quoted(&target.name))
}

fn full(target: &Target, tier: &Tier, inherited: Attempt) -> String {
    let mut entries = vec![("target", quoted(&target.name))];
    if tier.len() > 1 && target.weight != 1 {
        entries.push(("weight", target.weight.to_string()));
    }
    if let Some((input, output)) = &target.price {
        let price = [("input", input.clone()), ("output", output.clone())];
        entries.push(("price", map(price)));
    }
    let times = timeouts(Attempt::of(target.total, target.stall, inherited));
    entries.extend(times.map(|times| ("timeouts", times)));
    map(entries)
}

fn timeouts(attempt: Attempt) -> Option<String> {
    let times = [
        ("first_token", attempt.first_token),
        ("stall", attempt.stall),
        ("total", attempt.total),
    ];
    let shown = |(name, time): (&'static str, Option<Duration>)| Some((name, show_duration(time?)));
    let times: Vec<_> = times.into_iter().filter_map(shown).collect();
    (!times.is_empty()).then(|| map(times))
}

fn retries((same, most): (u32, u32)) -> String {
    map([
        ("same_target", same.to_string()),
        ("max_attempts", most.to_string()),
    ])
}

fn verdicts(list: &[(&'static str, &'static str)]) -> String {
    map(list
        .iter()
        .map(|(class, verdict)| (*class, (*verdict).to_owned())))
}

/// A map on one line; its values are YAML already.
fn map<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut out = "{".to_owned();
    for (index, (key, value)) in entries.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // A string takes all that is written to it.
        let _ = write!(out, "{comma} {key}: {value}");
    }
    out + " }"
}
