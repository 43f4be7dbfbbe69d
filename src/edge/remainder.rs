//! What is left of a caller's quotas, in the headers that its SDK reads.
//!
//! OpenAI, "Rate limits" (`x-ratelimit-*`, times as Go writes durations); Anthropic, "Rate limits"
//! (`anthropic-ratelimit-*`, times as RFC 3339 writes them).

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};

use crate::account::{Caller, Left, Quotas, Scarce, Short, Window};
use crate::exchange::Dialect;
use crate::telemetry::Timestamp;

/// The names of limit, remainder and reset.
type Names = [HeaderName; 3];

const OPENAI: [Names; 2] = [
    [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ],
    [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ],
];

const ANTHROPIC: [Names; 2] = [
    [
        HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    ],
    [
        HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
        HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
        HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    ],
];

/// The header fields that tell a client what it has left; none where nothing bounds it.
pub(super) fn fields(
    client: Dialect,
    left: &Left,
    now: SystemTime,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let names = match client {
        Dialect::Anthropic => ANTHROPIC,
        Dialect::OpenAi | Dialect::Gemini => OPENAI,
    };
    let windows = [left.requests, left.tokens].into_iter().zip(names);
    let told = windows.filter_map(move |(window, names)| {
        let window = window?;
        let values = [
            Some(HeaderValue::from(window.limit)),
            Some(HeaderValue::from(window.remaining)),
            HeaderValue::from_str(&reset(client, window.reset, now)).ok(),
        ];
        let told = names.into_iter().zip(values);
        Some(told.filter_map(|(name, value)| Some((name, value?))))
    });
    told.flatten()
}

/// What a caller has left who is refused for one request too many: of that window, nothing.
pub(super) fn refused(short: &Short, quotas: &Quotas, caller: &Caller<'_>) -> Left {
    let (Scarce::Requests, Some(reset)) = (short.of, short.retry_after) else {
        return Left::default();
    };
    let same = quotas
        .all
        .iter()
        .filter(|quota| quota.name == short.quota && quota.holds_for(caller));
    let limit = same.filter_map(|quota| quota.requests_per_minute).min();
    Left {
        requests: limit.map(|limit| Window {
            limit: u64::from(limit),
            remaining: 0,
            reset,
        }),
        tokens: None,
    }
}

fn reset(client: Dialect, wait: Duration, now: SystemTime) -> String {
    match client {
        Dialect::Anthropic => Timestamp(now.checked_add(wait).unwrap_or(now)).to_second(),
        Dialect::OpenAi | Dialect::Gemini => go_duration(wait),
    }
}

/// As Go's `Duration.String` has it, to the millisecond, rounded up: `6m0s`, `6.57s`, `12ms`, `0s`.
fn go_duration(wait: Duration) -> String {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    let (seconds, part) = (millis / 1000, millis % 1000);
    if seconds == 0 && part > 0 {
        return format!("{part}ms");
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60);
    let mut text = match (hours, minutes) {
        (0, 0) => String::new(),
        (0, _) => format!("{minutes}m"),
        _ => format!("{hours}h{}m", minutes % 60),
    };
    text.push_str(&(seconds % 60).to_string());
    if part > 0 {
        let digits = format!(".{part:03}");
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('s');
    text
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::account::{Each, Quota, Scope};

    fn told(client: Dialect, left: &Left) -> Vec<String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_787_209_503_042);
        let fields = fields(client, left, now);
        fields
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    const LEFT: Left = Left {
        requests: Some(Window {
            limit: 500,
            remaining: 499,
            reset: Duration::from_millis(120),
        }),
        tokens: Some(Window {
            limit: 30_000,
            remaining: 0,
            reset: Duration::from_millis(6_570),
        }),
    };

    #[test]
    fn each_format_has_its_own_names_and_times() {
        assert_eq!(
            told(Dialect::OpenAi, &LEFT),
            [
                "x-ratelimit-limit-requests: 500",
                "x-ratelimit-remaining-requests: 499",
                "x-ratelimit-reset-requests: 120ms",
                "x-ratelimit-limit-tokens: 30000",
                "x-ratelimit-remaining-tokens: 0",
                "x-ratelimit-reset-tokens: 6.57s",
            ]
        );
        assert_eq!(
            told(Dialect::Anthropic, &LEFT),
            [
                "anthropic-ratelimit-requests-limit: 500",
                "anthropic-ratelimit-requests-remaining: 499",
                "anthropic-ratelimit-requests-reset: 2026-08-20T07:05:04Z",
                "anthropic-ratelimit-tokens-limit: 30000",
                "anthropic-ratelimit-tokens-remaining: 0",
                "anthropic-ratelimit-tokens-reset: 2026-08-20T07:05:10Z",
            ]
        );
    }

    #[test]
    fn nothing_is_told_where_nothing_is_bounded() {
        assert_eq!(
            told(Dialect::OpenAi, &Left::default()),
            Vec::<String>::new()
        );
        let one = Left {
            requests: None,
            ..LEFT
        };
        assert_eq!(told(Dialect::Anthropic, &one).len(), 3);
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (micros, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (12_000, "12ms"),
            (999_000, "999ms"),
            (999_001, "1s"),
            (1_000_000, "1s"),
            (6_570_000, "6.57s"),
            (59_999_000, "59.999s"),
            (60_000_000, "1m0s"),
            (360_000_000, "6m0s"),
            (3_600_000_000, "1h0m0s"),
            (86_461_005_000, "24h1m1.005s"),
        ] {
            assert_eq!(
                go_duration(Duration::from_micros(micros)),
                expected,
                "{micros}"
            );
        }
        assert!(go_duration(Duration::MAX).ends_with('s'));
    }

    #[test]
    fn who_is_refused_for_a_request_has_none_left() {
        let quota = |scope: Scope, requests| Quota {
            name: "app".into(),
            scope,
            each: Each::Together,
            requests_per_minute: requests,
            tokens_per_minute: None,
            concurrent: None,
            ceiling: None,
            budgets: SmallVec::new(),
        };
        let quotas = Quotas {
            all: vec![
                quota(Scope::Key("app".into()), Some(1)),
                quota(Scope::All, None),
                quota(Scope::Route("r".into()), Some(60)),
            ],
            ..Quotas::default()
        };
        let caller = Caller {
            key: None,
            route: "r",
            user: None,
            session: None,
        };
        let short = |of| Short {
            quota: "app".into(),
            of,
            retry_after: Some(Duration::from_secs(2)),
        };
        let left = refused(&short(Scarce::Requests), &quotas, &caller);
        let expected = Window {
            limit: 60,
            remaining: 0,
            reset: Duration::from_secs(2),
        };
        assert_eq!((left.requests, left.tokens), (Some(expected), None));
        let left = refused(&short(Scarce::Concurrency), &quotas, &caller);
        assert_eq!(left, Left::default());
    }
}
