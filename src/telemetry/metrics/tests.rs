use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::exchange::{Bill, Measure, Trust, Usage};
use crate::telemetry::record::{Attempt, AttemptKind, Outcome, Protocol, Record};
use crate::units::{ByteSize, MicroUsd, Tokens};
use crate::upstream::BreakerState;

fn metrics() -> Metrics {
    let metrics = Metrics::try_new("1.2.3").unwrap();
    metrics.know(known(&["support"], &["openai/gpt", "onprem/qwen"]));
    metrics
}

fn known(routes: &[&str], targets: &[&str]) -> Known {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    Known {
        routes: names(routes),
        targets: names(targets),
        keys: names(&["app"]),
    }
}

fn record(route: &str, outcome: Outcome) -> Record {
    let mut record = Record::begin(SystemTime::UNIX_EPOCH, "r".to_owned(), Protocol::H1);
    record.route = Some(route.into());
    record.outcome = outcome;
    record
}

/// The value of a sample written with its labels.
fn value(metrics: &Metrics, sample: &str) -> Option<f64> {
    let text = metrics.render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn rescued() -> Record {
    let failed = Attempt {
        error: Some("quota"),
        discarded: Tokens(3),
        bill: Some(Bill {
            usage: Usage {
                input: Tokens(9),
                output: Tokens(3),
                trust: Trust::Absurd,
                ..Usage::default()
            },
            measure: Measure::Estimated,
            cost: Some(MicroUsd(1_200_007)),
        }),
        ..Attempt::at("openai/gpt".into())
    };
    let served = Attempt {
        kind: AttemptKind::Fallback,
        delivered: true,
        bill: Some(Bill {
            usage: Usage {
                input: Tokens(7),
                output: Tokens(5),
                ..Usage::default()
            },
            measure: Measure::Reported,
            cost: Some(MicroUsd(20)),
        }),
        ..Attempt::at("onprem/qwen".into())
    };
    Record {
        attempts: vec![failed, served],
        held: Some(Duration::from_millis(40)),
        commit: Some("tokens"),
        key: Some("app".into()),
        first_token: Some(Duration::from_millis(300)),
        total: Duration::from_secs(2),
        ..record("support", Outcome::Served)
    }
}

#[test]
fn an_exchange_counts_its_outcome_attempts_times_and_tokens() {
    let metrics = metrics();
    metrics.observe(&rescued());
    for (sample, expected) in [
        (
            r#"segue_exchanges_total{outcome="served",route="support"}"#,
            1.0,
        ),
        (
            r#"segue_exchanges_total{outcome="broken",route="support"}"#,
            0.0,
        ),
        (
            r#"segue_attempts_total{outcome="quota",target="openai/gpt"}"#,
            1.0,
        ),
        (
            r#"segue_attempts_total{outcome="ok",target="onprem/qwen"}"#,
            1.0,
        ),
        (
            r#"gen_ai_client_token_usage_total{fate="delivered",measure="reported",route="support",target="onprem/qwen",type="input"}"#,
            7.0,
        ),
        (
            r#"gen_ai_client_token_usage_total{fate="delivered",measure="reported",route="support",target="onprem/qwen",type="output"}"#,
            5.0,
        ),
        (
            r#"gen_ai_client_token_usage_total{fate="wasted",measure="estimated",route="support",target="openai/gpt",type="input"}"#,
            9.0,
        ),
        (
            r#"segue_cost_usd_total{fate="wasted",route="support",target="openai/gpt"}"#,
            1.200_007,
        ),
        (
            r#"segue_key_cost_usd_total{fate="delivered",key="app"}"#,
            0.000_02,
        ),
        (r#"segue_suspicious_usage_total{target="openai/gpt"}"#, 1.0),
        (
            r#"gen_ai_server_time_to_first_token_seconds_sum{route="support"}"#,
            0.3,
        ),
        (
            r#"gen_ai_server_request_duration_seconds_sum{route="support"}"#,
            2.0,
        ),
        (
            r#"segue_fallbacks_total{from="openai/gpt",reason="quota",route="support",to="onprem/qwen"}"#,
            1.0,
        ),
        (r#"segue_commits_total{reason="tokens"}"#, 1.0),
        (r#"segue_held_seconds_sum{route="support"}"#, 0.04),
        (r#"segue_discarded_tokens_total{target="openai/gpt"}"#, 3.0),
        (r#"segue_build_info{version="1.2.3"}"#, 1.0),
    ] {
        assert_eq!(value(&metrics, sample), Some(expected), "{sample}");
    }
}

#[test]
fn names_that_the_config_does_not_have_are_other() {
    let metrics = metrics();
    for number in 0..100 {
        metrics.observe(&Record {
            attempts: vec![Attempt::at(format!("made/up-{number}").into())],
            ..record(&format!("up-{number}"), Outcome::Failed)
        });
    }
    let sample = r#"segue_exchanges_total{outcome="failed",route="other"}"#;
    assert_eq!(value(&metrics, sample), Some(100.0));
    assert!(!metrics.render().contains("up-"));
}

#[test]
fn series_of_names_that_left_the_config_are_forgotten() {
    let metrics = metrics();
    let attempts = vec![Attempt::at("openai/gpt".into())];
    metrics.observe(&Record {
        attempts,
        ..record("support", Outcome::Served)
    });
    let before = metrics.render().lines().count();
    for number in 0..50 {
        metrics.know(known(&[&format!("route-{number}")], &["a/m"]));
    }
    let text = metrics.render();
    assert!(
        !text.contains("support") && !text.contains("openai/gpt"),
        "{text}"
    );
    assert!(
        text.contains("route-49") && !text.contains("route-48"),
        "{text}"
    );
    assert!(text.lines().count() <= before);
}

#[test]
fn what_is_under_way_counts_as_long_as_it_lives() {
    let metrics = metrics();
    let exchange = metrics.begin();
    let connection = metrics.connection(ConnectionState::Open);
    let open = r#"segue_connections{state="open"}"#;
    assert_eq!(value(&metrics, "segue_exchanges_in_flight"), Some(1.0));
    assert_eq!(value(&metrics, open), Some(1.0));
    drop((exchange, connection));
    assert_eq!(value(&metrics, "segue_exchanges_in_flight"), Some(0.0));
    assert_eq!(value(&metrics, open), Some(0.0));
}

#[test]
fn a_rejected_reload_keeps_the_generation_and_says_so() {
    let metrics = metrics();
    metrics.started(1);
    metrics.reloaded(ReloadResult::Applied(2));
    metrics.reloaded(ReloadResult::Rejected);
    for (sample, expected) in [
        ("segue_config_generation", 2.0),
        ("segue_config_last_reload_successful", 0.0),
        (r#"segue_config_reloads_total{result="applied"}"#, 1.0),
        (r#"segue_config_reloads_total{result="rejected"}"#, 1.0),
    ] {
        assert_eq!(value(&metrics, sample), Some(expected), "{sample}");
    }
    metrics.reloaded(ReloadResult::Applied(3));
    assert_eq!(
        value(&metrics, "segue_config_last_reload_successful"),
        Some(1.0)
    );
}

#[test]
fn peers_and_certificates_that_are_gone_are_forgotten() {
    let metrics = metrics();
    let address = |last: u8| SocketAddr::from(([10, 0, 0, last], 8000));
    metrics.set_peers([
        ("onprem".into(), address(1), PeerState::Up),
        ("onprem".into(), address(2), PeerState::Down),
    ]);
    let second = r#"segue_peer_up{peer="10.0.0.2:8000",provider="onprem"}"#;
    assert_eq!(value(&metrics, second), Some(0.0));
    metrics.set_peers([("onprem".into(), address(2), PeerState::Up)]);
    assert_eq!(value(&metrics, second), Some(1.0));
    assert!(!metrics.render().contains("10.0.0.1:8000"));

    metrics.set_certificates([(address(3), "a.test", 100), (address(3), "b.test", 200)]);
    metrics.set_certificates([(address(3), "b.test", 300)]);
    let sample = r#"segue_certificate_not_after_seconds{listener="10.0.0.3:8000",name="b.test"}"#;
    assert_eq!(value(&metrics, sample), Some(300.0));
    assert!(!metrics.render().contains("a.test"));

    metrics.set_revocation_lists([(address(4), 100), (address(5), 200)]);
    metrics.set_revocation_lists([(address(5), 300)]);
    let sample = r#"segue_revocation_list_not_after_seconds{listener="10.0.0.5:8000"}"#;
    assert_eq!(value(&metrics, sample), Some(300.0));
    assert!(!metrics.render().contains("10.0.0.4:8000"));
}

#[test]
fn a_limit_that_an_exchange_came_to_is_counted_by_its_name_in_the_config() {
    let metrics = metrics();
    metrics.set_limits([]);
    let reached = |limit: &str| {
        let sample = format!("segue_limit_reached_total{{limit=\"{limit}\"}}");
        value(&metrics, &sample)
    };
    assert_eq!(reached("exchanges"), Some(0.0), "there from the beginning");
    for reason in ["exchanges", "body_too_large", "body_rate", "unauthorized"] {
        metrics.observe(&Record {
            reason: Some(reason),
            ..record("support", Outcome::Refused)
        });
    }
    let attempt = |error| Attempt {
        error: Some(error),
        ..Attempt::at("openai/gpt".into())
    };
    metrics.observe(&Record {
        attempts: vec![attempt("too_large"), attempt("buffer_limit")],
        // The last attempt's own: it is counted once.
        reason: Some("buffer_limit"),
        left_out: vec![("onprem/qwen".into(), "provider_full")],
        ..record("support", Outcome::Failed)
    });
    for limit in [
        "exchanges",
        "body",
        "body_rate",
        "answer",
        "buffered",
        "attempts_per_provider",
    ] {
        assert_eq!(reached(limit), Some(1.0), "{limit}");
    }
    assert_eq!(reached("unauthorized"), None);
}

#[test]
fn every_metric_is_rendered_under_its_name_and_no_other() {
    let metrics = metrics();
    metrics.started(1);
    metrics.observe(&Record {
        attempts: [AttemptKind::First, AttemptKind::Fallback]
            .map(|kind| Attempt {
                kind,
                discarded: Tokens(1),
                bill: Some(Bill {
                    usage: Usage {
                        trust: Trust::Mended,
                        ..Usage::default()
                    },
                    measure: Measure::Estimated,
                    cost: Some(MicroUsd(1)),
                }),
                ..Attempt::at("openai/gpt".into())
            })
            .to_vec(),
        first_token: Some(Duration::ZERO),
        held: Some(Duration::ZERO),
        commit: Some("tokens"),
        ..record("support", Outcome::Served)
    });
    let _connection = metrics.connection(ConnectionState::Handshake);
    metrics.connection_refused("limit");
    metrics.set_buffered(ByteSize::kib(1));
    metrics.set_limits([("exchanges", 1.0)]);
    metrics.set_draining();
    metrics.panicked();
    metrics.set_peers([(
        "p".into(),
        SocketAddr::from(([1, 1, 1, 1], 1)),
        PeerState::Up,
    )]);
    metrics.set_certificates([(SocketAddr::from(([1, 1, 1, 1], 1)), "n", 1)]);
    metrics.set_revocation_lists([(SocketAddr::from(([1, 1, 1, 1], 1)), 1)]);
    metrics.set_breakers([("openai/gpt", BreakerState::Open)]);
    let budgets = vec![("day", 0.5, MicroUsd(5))];
    let quota = QuotaGauge {
        scope: "key",
        quota: "app",
        counts: 1,
        budgets,
    };
    metrics.set_quotas([quota], 0);
    let text = metrics.render();
    let rendered: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let named: BTreeSet<_> = names::ALL.iter().map(|family| family.name).collect();
    assert_eq!(rendered, named);
}
