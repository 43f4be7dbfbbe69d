//! `router_settings` before `litellm_settings`: balance, retries, times, cool-downs, fallbacks, aliases.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::import::fields::{Fields, Switch};
use crate::cli::import::measure;
use crate::cli::import::tree::Node;
use crate::cli::import::why;

/// LiteLLM's strategies, and the balance of a tier that comes nearest.
const STRATEGIES: [(&str, &str); 9] = [
    ("simple-shuffle", "weighted"),
    ("weighted-pick", "weighted"),
    ("least-busy", "least_busy"),
    ("latency-based-routing", "least_latency"),
    ("lowest-latency", "least_latency"),
    ("usage-based-routing", "least_cost"),
    ("usage-based-routing-v2", "least_cost"),
    ("cost-based-routing", "least_cost"),
    ("lowest-cost", "least_cost"),
];

/// Kinds of errors that a retry policy names, and the class of segue.
const KINDS: [(&str, &str); 4] = [
    ("RateLimitErrorRetries", "rate_limited"),
    ("TimeoutErrorRetries", "transient"),
    ("InternalServerErrorRetries", "transient"),
    ("AuthenticationErrorRetries", "auth"),
];

/// What becomes of a failing target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Breaker {
    /// What is shipped.
    #[default]
    Shipped,
    /// It is asked all the same.
    Off,
    /// It is left alone.
    On(Option<u32>, Option<Duration>),
}

/// One list of fallbacks: whose, to what, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    pub(super) path: String,
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

/// An alias of a group.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) group: String,
}

/// What both sections may say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Of each tier.
    pub(super) balance: Option<&'static str>,
    /// Of one group.
    pub(super) retries: Option<u32>,
    /// A whole attempt.
    pub(super) total: Option<Duration>,
    /// A silence.
    pub(super) stall: Option<Duration>,
    pub(super) breaker: Breaker,
    /// By class.
    pub(super) verdicts: BTreeMap<&'static str, &'static str>,
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) too_long: Vec<Fallback>,
    pub(super) refused: Vec<Fallback>,
    /// For groups without fallbacks of their own.
    pub(super) defaults: Option<Fallback>,
    pub(super) aliases: Vec<Alias>,
}

impl Settings {
    /// Reads one section.
    pub(super) fn read(mut fields: Fields<'_>) -> Self {
        let mut settings = Self {
            balance: balance(&mut fields),
            retries: fields
                .number("num_retries")
                .and_then(|number| measure::count(number, 10)),
            total: total(&mut fields),
            stall: fields.number("stream_timeout").and_then(measure::time),
            breaker: breaker(&mut fields),
            verdicts: verdicts(&mut fields),
            fallbacks: lists(&mut fields, "fallbacks"),
            too_long: lists(&mut fields, "context_window_fallbacks"),
            refused: lists(&mut fields, "content_policy_fallbacks"),
            defaults: default_list(&mut fields),
            aliases: aliases(&mut fields, "model_group_alias"),
        };
        settings
            .aliases
            .extend(aliases(&mut fields, "model_alias_map"));
        // Both are what segue does by itself.
        for own in [
            "drop_params",
            "enable_pre_call_checks",
            "enable_pre_call_check",
        ] {
            fields.take(own);
        }
        if fields.flag("ssl_verify") == Some(Switch::Off) {
            fields.note(
                "ssl_verify",
                "certificates are always verified; see `tls.ca` of a provider",
            );
        }
        fields.close(why::settings);
        settings
    }

    /// This, and what the other says where this is silent.
    pub(super) fn over(self, other: Self) -> Self {
        let several = |own: Vec<_>, other| if own.is_empty() { other } else { own };
        Self {
            balance: self.balance.or(other.balance),
            retries: self.retries.or(other.retries),
            total: self.total.or(other.total),
            stall: self.stall.or(other.stall),
            breaker: if self.breaker == Breaker::Shipped {
                other.breaker
            } else {
                self.breaker
            },
            verdicts: if self.verdicts.is_empty() {
                other.verdicts
            } else {
                self.verdicts
            },
            fallbacks: several(self.fallbacks, other.fallbacks),
            too_long: several(self.too_long, other.too_long),
            refused: several(self.refused, other.refused),
            defaults: self.defaults.or(other.defaults),
            aliases: if self.aliases.is_empty() {
                other.aliases
            } else {
                self.aliases
            },
        }
    }
}

fn balance(fields: &mut Fields<'_>) -> Option<&'static str> {
    let strategy = fields.written("routing_strategy")?;
    let known = STRATEGIES.iter().find(|(name, _)| *name == strategy);
    match known {
        None => fields.note("routing_strategy", "is unknown: targets are weighted"),
        Some((name, _)) if name.starts_with("usage") => {
            fields.note(
                "routing_strategy",
                "segue counts no tokens a minute: the cheapest target comes first",
            );
        }
        Some(_) => {}
    }
    known.map(|(_, balance)| *balance)
}

fn total(fields: &mut Fields<'_>) -> Option<Duration> {
    let timeout = fields.number("timeout");
    let request = fields.number("request_timeout");
    timeout.or(request).and_then(measure::time)
}

/// LiteLLM cools down a deployment that fails more often than allowed in a minute.
fn breaker(fields: &mut Fields<'_>) -> Breaker {
    let allowed = fields.number("allowed_fails");
    let cooldown = fields.number("cooldown_time");
    let off = fields.flag("disable_cooldowns") == Some(Switch::On);
    if off || cooldown.is_some_and(|seconds| seconds <= 0.0) {
        return Breaker::Off;
    }
    let failures = allowed.and_then(|allowed| measure::count(allowed + 1.0, 1_000));
    let open = cooldown
        .and_then(measure::time)
        .map(|time| time.clamp(Duration::from_millis(100), Duration::from_hours(1)));
    match (failures.map(|failures| failures.max(1)), open) {
        (None, None) => Breaker::Shipped,
        (failures, open) => Breaker::On(failures, open),
    }
}

fn verdicts(fields: &mut Fields<'_>) -> BTreeMap<&'static str, &'static str> {
    let mut policy = fields.below("retry_policy");
    let mut verdicts = BTreeMap::new();
    for (kind, class) in KINDS {
        let Some(number) = policy.number(kind) else {
            continue;
        };
        let verdict = if number >= 1.0 { "retry" } else { "fall_back" };
        if number > 1.0 {
            policy.note(
                kind,
                "how often is set for all kinds alike, by `retries.same_target`",
            );
        }
        // Two kinds may be one class here; whichever wants a retry has its way.
        let known = verdicts.entry(class).or_insert(verdict);
        if verdict == "retry" {
            *known = verdict;
        }
    }
    policy.close(|_| "counts for a kind of error are not carried over");
    verdicts
}

/// `[{a: [b, c]}, {d: [e]}]`, or the same in one map.
fn lists(fields: &mut Fields<'_>, key: &str) -> Vec<Fallback> {
    let path = fields.path(key);
    let maps = match fields.take(key) {
        Some(map @ Node::Map(_)) => vec![(path, map)],
        Some(Node::List(items)) => {
            let item = |(index, item)| (format!("{path}[{index}]"), item);
            items.iter().enumerate().map(item).collect()
        }
        Some(_) => {
            fields.note(key, "is no list: not read");
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut lists = Vec::new();
    for (path, map) in maps {
        let mut map = Fields::open(fields.reading, path, Some(map));
        let names: Vec<&str> = map.names();
        for from in names {
            let path = map.path(from);
            let to = texts(fields, map.list(from));
            let from = from.to_owned();
            lists.push(Fallback { path, from, to });
        }
    }
    lists
}

fn default_list(fields: &mut Fields<'_>) -> Option<Fallback> {
    let path = fields.path("default_fallbacks");
    let items = fields.list("default_fallbacks");
    let to = texts(fields, items);
    (!to.is_empty()).then(|| Fallback {
        path,
        from: "*".to_owned(),
        to,
    })
}

fn texts(fields: &Fields<'_>, items: Vec<(String, &Node)>) -> Vec<String> {
    let text = |(path, node): (String, &Node)| match node {
        Node::Text(text) | Node::Number(_, text) => Some(text.clone()),
        _ => {
            fields
                .reading
                .note(&path, "only names of models are carried over");
            None
        }
    };
    items.into_iter().filter_map(text).collect()
}

fn aliases(fields: &mut Fields<'_>, key: &str) -> Vec<Alias> {
    let mut map = fields.below(key);
    let mut aliases = Vec::new();
    for (name, node) in map.drain() {
        let group = match node {
            Node::Text(group) => Some(group),
            Node::Map(_) => {
                if node.get("hidden").is_some_and(|hidden| !hidden.is_idle()) {
                    map.note(name, "segue lists every route that a key may use");
                }
                match node.get("model") {
                    Some(Node::Text(group)) => Some(group),
                    _ => None,
                }
            }
            _ => None,
        };
        match group {
            Some(group) => aliases.push(Alias {
                path: map.path(name),
                name: name.to_owned(),
                group: group.clone(),
            }),
            None => map.note(name, "names no model"),
        }
    }
    aliases
}
