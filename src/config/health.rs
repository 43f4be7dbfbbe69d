//! `health` of a provider: active checks of its peers.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::measure::show_duration;
use super::path::quoted;
use super::section::Section;
use crate::upstream::{HealthCheck, HealthProbe, Scheme};

/// The time between rounds: a dead peer is found in about 15 s.
const EVERY: Duration = Duration::from_secs(5);
const EVERY_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
/// A peer that needs longer for a health check is not well.
const TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(1);
/// One lost packet must not take a peer down.
const FAILURES: u32 = 3;
/// Two, so that a peer that flaps stays down.
const SUCCESSES: u32 = 2;
const COUNT_RANGE: RangeInclusive<u32> = 1..=100;

/// Reads a health check.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<HealthCheck> {
    let mut section = Section::open(cursor)?;
    let probe = probe(&mut section, cursor);
    let every = section.or("every", EVERY, |cursor| cursor.duration(&EVERY_RANGE));
    let timeout = section.maybe("timeout", |cursor| {
        Ok((cursor.duration(&TIMEOUT_RANGE)?, cursor.clone()))
    });
    let failures = section.or("failures", FAILURES, |cursor| cursor.number(&COUNT_RANGE));
    let successes = section.or("successes", SUCCESSES, |cursor| cursor.number(&COUNT_RANGE));
    section.close();
    let every = every?;
    let timeout = match timeout? {
        None => TIMEOUT.min(every),
        Some((timeout, cursor)) if timeout > every => {
            let (timeout, every) = (show_duration(timeout), show_duration(every));
            return cursor.fail(format_args!("{timeout} is longer than `every`, {every}"));
        }
        Some((timeout, _)) => timeout,
    };
    Ok(HealthCheck {
        probe: probe?,
        every,
        timeout,
        failures: failures?,
        successes: successes?,
    })
}

/// Exactly one of the three kinds.
fn probe(section: &mut Section<'_>, cursor: &Cursor<'_>) -> Read<HealthProbe> {
    let tcp = section.maybe("tcp", |cursor| switch(cursor, HealthProbe::Tcp));
    let tls = section.maybe("tls", |cursor| switch(cursor, HealthProbe::Tls));
    let http = section.maybe("http", path);
    let mut probes = [tcp?, tls?, http?].into_iter().flatten();
    match (probes.next(), probes.next()) {
        (Some(probe), None) => Ok(probe),
        _ => cursor.fail_at_key("needs exactly one of `tcp: true`, `tls: true`, `http: /path`"),
    }
}

fn switch(cursor: &Cursor<'_>, probe: HealthProbe) -> Read<HealthProbe> {
    if cursor.boolean()? {
        return Ok(probe);
    }
    cursor.fail("only true has a meaning; leave the key out instead")
}

fn path(cursor: &Cursor<'_>) -> Read<HealthProbe> {
    let text = cursor.text()?;
    let fits = text.starts_with('/')
        && text.len() <= 1024
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !fits {
        return cursor.fail(format_args!(
            "{} is not a path: it begins with / and holds visible ASCII without #",
            quoted(text)
        ));
    }
    Ok(HealthProbe::Http(text.to_owned()))
}

/// A handshake needs a peer that speaks TLS.
pub(super) fn fits(check: HealthCheck, scheme: Scheme, cursor: &Cursor<'_>) -> Read<HealthCheck> {
    if scheme == Scheme::Http && check.probe == HealthProbe::Tls {
        return cursor.fail("`tls` cannot be checked: `base_url` begins with http://");
    }
    Ok(check)
}
