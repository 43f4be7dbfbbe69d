//! One export over HTTP, and what the collector makes of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Uri};
use rustls::crypto::ring;
use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::telemetry::traces::settings::TraceSettings;
use crate::upstream::Scheme;

const AGENT: &str = concat!("segue/", env!("CARGO_PKG_VERSION"));

/// The answers after which the same is worth another try (OTLP, "Retryable Response Codes").
const RETRYABLE: [u16; 4] = [429, 502, 503, 504];

/// How much of an answer is read.
const ANSWER_LIMIT: u64 = 64 << 10;

/// The longest wait that a collector may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What became of an export.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// It was taken, but for so many spans.
    Taken { rejected: u64 },
    /// Not now; perhaps after this wait.
    Later(Option<Duration>, String),
    /// Never.
    Refused(String),
}

/// A client for one collector: it follows no redirects and no proxy, and keeps its connection.
pub(super) fn agent(scheme: Scheme) -> Agent {
    let roots = match scheme {
        Scheme::Http => Vec::new(),
        Scheme::Https => rustls_native_certs::load_native_certs().unwrap_or_else(|error| {
            log::error!("traces: no certificate authorities to trust: {error}");
            Vec::new()
        }),
    };
    let roots = roots
        .iter()
        .map(|root| Certificate::from_der(root).to_owned());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(AGENT)
        .max_idle_connections_per_host(1)
        .build()
        .new_agent()
}

/// Sends `body`, within `at_most`.
pub(super) fn post(
    agent: &Agent,
    settings: &TraceSettings,
    body: &[u8],
    at_most: Duration,
) -> Posted {
    let mut request = agent
        .post(uri(settings))
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    let request = request.config().timeout_global(Some(at_most)).build();
    let mut answer = match request.send(body) {
        Ok(answer) => answer,
        Err(error) => return Posted::Later(None, error.to_string()),
    };
    let status = answer.status().as_u16();
    let wait = retry_after(answer.headers(), SystemTime::now());
    let text = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_LIMIT)
        .read_to_vec();
    match status {
        200..=299 => Posted::Taken {
            // An answer that is cut short has been given all the same.
            rejected: text.map_or(0, |text| rejected(&text)),
        },
        _ if RETRYABLE.contains(&status) => Posted::Later(wait, format!("it answers {status}")),
        _ => Posted::Refused(format!("it answers {status}")),
    }
}

fn uri(settings: &TraceSettings) -> String {
    let base = &settings.otlp;
    let scheme = match base.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let uri = format!("{scheme}://{}{}", base.authority(), base.prefix);
    debug_assert!(uri.parse::<Uri>().is_ok());
    uri
}

/// The wait in a `Retry-After`: seconds, or a moment (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let moment = httpdate::parse_http_date(text).ok()?;
        moment.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

/// How many spans a collector that took an export did not take of it.
fn rejected(answer: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        partial_success: Option<Partial>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Partial {
        rejected_spans: Option<Number>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(u64),
        Text(String),
    }
    let answer = serde_json::from_slice::<Answer>(answer).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    match partial.and_then(|partial| partial.rejected_spans) {
        Some(Number::Plain(number)) => number,
        Some(Number::Text(text)) => text.parse().unwrap_or(0),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_collector_says_when_to_come_again() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, expected) in [
            ("0", Some(Duration::ZERO)),
            ("7", Some(Duration::from_secs(7))),
            ("86400", Some(LONGEST_WAIT)),
            (
                "Sun, 06 Nov 1994 08:49:40 GMT",
                Some(Duration::from_secs(3)),
            ),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_collector_says_what_it_did_not_take() {
        for (text, expected) in [
            (
                r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#,
                3,
            ),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"x"}}"#, 0),
            ("{}", 0),
            ("", 0),
        ] {
            assert_eq!(rejected(text.as_bytes()), expected, "{text}");
        }
    }
}
