//! `traces`: where spans go, and which.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderName, HeaderValue};

use super::cursor::{Cursor, Read, all};
use super::hedge;
use super::path::quoted;
use super::secret;
use super::section::Section;
use super::url;
use crate::telemetry::{Share, TraceSettings};
use crate::upstream::BaseUrl;

/// How long one export may take.
pub const TRACES_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);

/// Where collectors take spans when nothing else is said (OTLP/HTTP, "Request").
const PATH: &str = "/v1/traces";

/// The longest name of a header.
const LONGEST_NAME: usize = 64;

/// The headers that are the exporter's own.
const OWN: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    USER_AGENT,
];

/// Reads the section.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<TraceSettings> {
    let mut section = Section::open(cursor)?;
    let otlp = section.required("otlp").and_then(|cursor| otlp(&cursor));
    let share = section.or("share", Share::ALL, |cursor| {
        hedge::share(cursor).map(Share::of)
    });
    let headers = section.or("headers", Vec::new(), headers);
    let timeout = section.or("timeout", TRACES_TIMEOUT, |cursor| {
        cursor.duration(&TIMEOUTS)
    });
    section.close();
    Ok(TraceSettings {
        otlp: otlp?,
        share: share?,
        headers: headers?,
        timeout: timeout?,
    })
}

fn otlp(cursor: &Cursor<'_>) -> Read<BaseUrl> {
    let mut base = url::read(cursor)?.base;
    if base.prefix.is_empty() {
        PATH.clone_into(&mut base.prefix);
    }
    Ok(base)
}

fn headers(cursor: &Cursor<'_>) -> Read<Vec<(HeaderName, HeaderValue)>> {
    let named = cursor.named()?;
    let headers = all(named.iter().map(|(name, cursor)| header(name, cursor)))?;
    for (at, (name, _)) in headers.iter().enumerate() {
        if headers.iter().take(at).any(|(before, _)| before == name) {
            return cursor.fail(format_args!("{} is there twice", quoted(name.as_str())));
        }
    }
    Ok(headers)
}

/// A header whose value is a secret, words such as `Basic` before it included.
fn header(name: &str, cursor: &Cursor<'_>) -> Read<(HeaderName, HeaderValue)> {
    cursor.check_key(name, LONGEST_NAME)?;
    let Ok(header) = HeaderName::try_from(name) else {
        return cursor.fail_at_key(format_args!("{} is not the name of a header", quoted(name)));
    };
    if OWN.contains(&header) {
        return cursor.fail_at_key("this header is the exporter's own");
    }
    let secret = secret::words(cursor)?;
    let Ok(mut value) = HeaderValue::from_str(secret.expose()) else {
        return cursor.fail("the secret cannot stand in a header");
    };
    value.set_sensitive(true);
    Ok((header, value))
}
