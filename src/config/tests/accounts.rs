//! Keys with their terms, quotas and the rules between them: what they come to, and the mistakes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smallvec::SmallVec;

use super::mistakes::{Cases, hold};
use super::{LISTEN, PROVIDERS, good_route, read, route, top};
use crate::account::{
    Activity, Budget, Each, OnBudget, Period, Quota, Quotas, Rejected, Scope, Waste,
};
use crate::edge::Settings;
use crate::units::{MicroUsd, Tokens};

const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn good(text: &str) -> Settings {
    read(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// A moment given in days since 1970.
fn midnight(days: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(days * 86_400)
}

/// A quota of this scope that bounds nothing yet.
fn unbounded(name: &str, scope: Scope, each: Each) -> Quota {
    Quota {
        name: name.into(),
        scope,
        each,
        requests_per_minute: None,
        tokens_per_minute: None,
        concurrent: None,
        ceiling: None,
        budgets: SmallVec::new(),
    }
}

fn budget(dollars: u64, per: Period) -> Budget {
    Budget {
        amount: MicroUsd(dollars * 1_000_000),
        per,
    }
}

#[test]
fn a_key_has_terms_tags_and_secrets_that_end_by_themselves() {
    let keys = format!(
        "keys:\n  - name: k\n    secrets: [{{secret: env:GOOD, not_after: 2026-12-31}}]\n    \
         tags: {{tier: free, cost.center: a/b:c@d_e-1}}\n    expires: 2027-01-31T12:00:00+01:00\n    \
         networks: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1]\n  \
         - {{name: l, digests: ['{DIGEST}'], disabled: true}}\n"
    );
    let settings = good(&top(&keys));
    let [k, l] = settings.keys.entries().collect::<Vec<_>>()[..] else {
        panic!("{:?}", settings.keys)
    };
    let noon = midnight(20_849) + Duration::from_hours(11);
    assert_eq!(k.terms.expires, Some(noon));
    let networks: Vec<String> = k.terms.networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]);
    assert_eq!(k.key.tags["tier"].as_ref(), "free");
    assert_eq!(k.key.tags["cost.center"].as_ref(), "a/b:c@d_e-1");
    // The whole of its last day.
    assert_eq!(k.proofs[0].not_after, Some(midnight(20_819)));
    assert_eq!(l.terms.activity, Activity::Disabled);
    assert_eq!((l.terms.expires, l.terms.networks.len()), (None, 0));
    let find = |shown: &[u8], from: &str, at| {
        let found = settings.keys.find(shown, from.parse().ok(), at);
        found.map(|key| key.name.to_string())
    };
    let good_key = b"sk-good-canary";
    let last = midnight(20_819) - Duration::from_secs(1);
    assert_eq!(find(good_key, "10.9.9.9", last), Ok("k".to_owned()));
    assert_eq!(
        find(good_key, "10.9.9.9", midnight(20_819)),
        Err(Rejected::Expired)
    );
    assert_eq!(find(good_key, "11.9.9.9", last), Err(Rejected::Network));
    assert_eq!(find(b"foo", "10.9.9.9", last), Err(Rejected::Disabled));
}

#[test]
fn quotas_of_keys_routes_and_the_list_become_one() {
    let text = format!(
        "{LISTEN}{PROVIDERS}routes:\n  \
         r: {{tiers: [[a/m]], limits: {{concurrent: 5}}, budget: {{usd: 500, per: week}}}}\n  s: a/m\n\
         keys:\n  - {{name: r, secret: env:GOOD, tags: {{tier: free}}, \
         limits: {{requests_per_minute: 600, tokens_per_minute: 4000000000, usd_per_exchange: 0.25}}, \
         budgets: [{{usd: 50, per: day}}, {{usd: 0, per: month}}]}}\n\
         quotas:\n  - {{name: s, for: all, limits: {{concurrent: 1}}}}\n  \
         - {{name: one, for: {{key: r}}, each: user, budget: {{usd: 1, per: day}}}}\n  \
         - {{name: two, for: {{route: s}}, each: session, budget: {{usd: 1, per: day}}}}\n  \
         - {{name: r, for: {{tag: {{tier: free}}}}, each: key, budget: {{usd: 1, per: day}}}}\n\
         accounts: {{on_budget: cheapest, waste: caller, assumed_output: 1000}}\n"
    );
    let together = Each::Together;
    let day = || [budget(1, Period::Day)].into_iter().collect();
    let expected = Quotas {
        all: vec![
            Quota {
                requests_per_minute: Some(600),
                tokens_per_minute: Some(Tokens(4_000_000_000)),
                ceiling: Some(MicroUsd(250_000)),
                budgets: vec![budget(50, Period::Day), budget(0, Period::Month)].into(),
                ..unbounded("r", Scope::Key("r".into()), together)
            },
            Quota {
                concurrent: Some(5),
                budgets: vec![budget(500, Period::Week)].into(),
                ..unbounded("r", Scope::Route("r".into()), together)
            },
            Quota {
                concurrent: Some(1),
                ..unbounded("s", Scope::All, together)
            },
            Quota {
                budgets: day(),
                ..unbounded("one", Scope::Key("r".into()), Each::User)
            },
            Quota {
                budgets: day(),
                ..unbounded("two", Scope::Route("s".into()), Each::Session)
            },
            Quota {
                budgets: day(),
                ..unbounded("r", Scope::Tag("tier".into(), "free".into()), Each::Key)
            },
        ],
        on_budget: OnBudget::Cheapest,
        waste: Waste::Caller,
        assumed_output: Tokens(1000),
    };
    assert_eq!(*good(&text).quotas, expected);
    assert_eq!(
        *good(&top("quotas: []\naccounts: {}\n")).quotas,
        Quotas::default()
    );
}

#[test]
fn a_target_has_what_its_provider_takes_in_a_minute() {
    let limits = |text: &str| {
        let settings = good(&route(text));
        let route = settings.routes.get("r").unwrap();
        let limits = route.targets().next().unwrap().limits;
        (limits.rpm, limits.tpm)
    };
    let target = |limits| format!("tiers: [[{{target: a/m{limits}}}]]");
    assert_eq!(limits(&target("")), (None, None));
    assert_eq!(limits(&target(", limits: {rpm: 500}")), (Some(500), None));
    let tokens = Some(Tokens(200_000));
    assert_eq!(limits(&target(", limits: {tpm: 200000}")), (None, tokens));
}

/// From line 4 of a good file on.
const TOP: Cases = &[
    (
        "keys: [{name: k, secret: {secret: env:GOOD}}]\n",
        &["4:26: keys[0].secret: expected text, found a map"],
    ),
    (
        "keys: [{name: k, secrets: [{not_after: 2026-12-31}, {secret: env:GOOD, digest: x}]}]\n",
        &[
            "4:28: keys[0].secrets[0]: the key `secret` is missing",
            "4:72: keys[0].secrets[1].digest: unknown key; known here: secret, not_after",
        ],
    ),
    (
        "keys: [{name: k, secrets: [env:GOOD, {secret: env:GOOD}]}]\n",
        &["4:47: keys[0].secrets[1].secret: the same secret as keys[0].secrets[0]"],
    ),
    (
        "keys: [{name: k, secrets: [{secret: sk-canary, not_after: soon}]}]\n",
        &[
            "4:37: keys[0].secrets[0].secret: a secret in the file itself is refused: write env:NAME or file:PATH, or set `allow_literal_secrets: true`",
            "4:59: keys[0].secrets[0].not_after: \"soon\" is neither a day such as 2027-01-31 nor a time such as 2027-01-31T18:00:00Z",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, expires: 2027-02-29, disabled: yes}]\n",
        &[
            "4:45: keys[0].expires: \"2027-02-29\" is neither a day such as 2027-01-31 nor a time such as 2027-01-31T18:00:00Z",
            "4:67: keys[0].disabled: expected true or false, found text",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, networks: [10.0.0.1/8, nowhere, 1.2.3.4/33, '::ffff:10.0.0.0/104']}]\n",
        &[
            "4:47: keys[0].networks[0]: \"10.0.0.1/8\": it is not the first address of its network, which is 10.0.0.0/8",
            "4:59: keys[0].networks[1]: \"nowhere\": a network is an address, a slash and a number of bits, such as 10.0.0.0/8",
            "4:68: keys[0].networks[2]: \"1.2.3.4/33\": a network is an address, a slash and a number of bits, such as 10.0.0.0/8",
            "4:80: keys[0].networks[3]: \"::ffff:10.0.0.0/104\": write an IPv4 network as one",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, networks: []}]\n",
        &["4:46: keys[0].networks: the list must not be empty"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, tags: {tier: 1, 'a b': x, team: 'a b'}}]\n",
        &[
            "4:49: keys[0].tags.tier: expected text, found a number; put it in quotes if it is meant",
            "4:52: keys[0].tags.\"a b\": \"a b\" is no tag: 1 to 64 of ASCII letters, digits and -_.:/@",
            "4:68: keys[0].tags.team: \"a b\" is no tag: 1 to 64 of ASCII letters, digits and -_.:/@",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, tags: {a: x, b: x, c: x, d: x, e: x, f: x, g: x, h: x, i: x, j: x, k: x, l: x, m: x, n: x, o: x, p: x, q: x}}]\n",
        &["4:42: keys[0].tags: a key has at most 16 tags"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, budget: {usd: 50}, limits: {}}]\n",
        &[
            "4:36: keys[0].budget: the key `per` is missing",
            "4:63: keys[0].limits: the map must not be empty",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, limits: {requests_per_minute: 0, tokens_per_minute: 4000000001, concurrent: 1.5, usd_per_exchange: 10000.1, rpm: 1}}]\n",
        &[
            "4:66: keys[0].limits.requests_per_minute: 0 is out of range: 1 to 10000000",
            "4:88: keys[0].limits.tokens_per_minute: 4000000001 is out of range: 1 to 4000000000",
            "4:112: keys[0].limits.concurrent: \"1.5\" is not a whole number",
            "4:135: keys[0].limits.usd_per_exchange: 10000.1 is out of range: 0 to 10000",
            "4:144: keys[0].limits.rpm: unknown key; known here: requests_per_minute, tokens_per_minute, concurrent, usd_per_exchange",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, budget: {usd: 1, per: day}, budgets: [{usd: 1, per: day}]}]\n",
        &["4:64: keys[0].budgets: there is a `budget` as well"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, budgets: [{usd: 1, per: day}, {usd: 2, per: year}, {usd: 3, per: day}]}]\n",
        &[
            "4:80: keys[0].budgets[1].per: \"year\" is unknown; known here: day, week, month",
            "4:87: keys[0].budgets[2]: there are two budgets per day",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, budget: {usd: 0.0000001, per: day}}]\n",
        &[
            "4:50: keys[0].budget.usd: \"0.0000001\" is not an amount of USD: a number with at most six decimals, such as 1.25",
        ],
    ),
    (
        "quotas: [{}]\n",
        &[
            "4:10: quotas[0]: the key `name` is missing",
            "4:10: quotas[0]: the key `for` is missing",
        ],
    ),
    (
        "quotas: [{name: q, for: all}, {name: q, for: some, each: one, limits: {concurrent: 1}}]\n",
        &[
            "4:10: quotas[0]: needs one of `limits`, `budget`, `budgets`",
            "4:38: quotas[1].name: two quotas have the name \"q\"",
            "4:46: quotas[1].for: \"some\" is unknown; known here: all",
            "4:58: quotas[1].each: \"one\" is unknown; known here: together, key, user, session",
        ],
    ),
    (
        "quotas: [{name: q, for: {}, limits: {concurrent: 1}}, {name: p, for: {key: k, route: r}, limits: {concurrent: 1}}]\n",
        &[
            "4:20: quotas[0].for: needs one of `key`, `route`, `tag`",
            "4:76: quotas[1].for.key: there is no key \"k\"; there are none",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD}]\nquotas: [{name: p, for: {key: k, route: r}, limits: {concurrent: 1}}, {name: q, for: {key: l}, limits: {concurrent: 1}}, {name: s, for: {route: s}, limits: {concurrent: 1}}]\n",
        &[
            "5:20: quotas[0].for: needs one of `key`, `route`, `tag`",
            "5:92: quotas[1].for.key: there is no key \"l\"; known here: k",
            "5:145: quotas[2].for.route: there is no route \"s\"; known here: r",
        ],
    ),
    (
        "quotas: [{name: q, for: {tag: {}}, limits: {concurrent: 1}}, {name: p, for: {tag: {a: x, b: x}}, limits: {concurrent: 1}}]\n",
        &[
            "4:31: quotas[0].for.tag: the map must not be empty",
            "4:83: quotas[1].for.tag: needs exactly one tag, such as { tier: free }",
        ],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, limits: {concurrent: 1}}]\nquotas: [{name: k, for: {key: k}, each: user, limits: {concurrent: 1}}, {name: l, for: {key: k}, limits: {concurrent: 1}}]\n",
        &["5:17: quotas[0].name: \"k\" has limits of its own under this name"],
    ),
    (
        "accounts: {on_budget: go, waste: nobody, assumed_output: 0, store: x}\n",
        &[
            "4:23: accounts.on_budget: \"go\" is unknown; known here: stop, cheapest",
            "4:34: accounts.waste: \"nobody\" is unknown; known here: route, caller",
            "4:58: accounts.assumed_output: 0 is out of range: 1 to 10000000",
            "4:68: accounts.store: \"x\" is unknown; known here: off",
        ],
    ),
];

/// From line 6 of a file whose route has a target on.
const ROUTE: Cases = &[
    (
        "budget: {usd: -1, per: day}\n",
        &[
            "6:19: routes.r.budget.usd: \"-1\" is not an amount of USD: a number with at most six decimals, such as 1.25",
        ],
    ),
    (
        "limits: []\n",
        &["6:13: routes.r.limits: expected a map, found a list"],
    ),
];

/// The route itself.
const TARGETS: Cases = &[(
    "tiers: [[{target: a/m, limits: {}}, {target: a/n, limits: {rpm: 0, tmp: 1}}]]\n",
    &[
        "5:36: routes.r.tiers[0][0].limits: the map must not be empty",
        "5:69: routes.r.tiers[0][1].limits.rpm: 0 is out of range: 1 to 10000000",
        "5:72: routes.r.tiers[0][1].limits.tmp: unknown key; did you mean \"tpm\"?",
    ],
)];

#[test]
fn every_mistake_in_keys_and_quotas_is_told_with_its_place() {
    hold(top, TOP);
    hold(good_route, ROUTE);
    hold(route, TARGETS);
}
