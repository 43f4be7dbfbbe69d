//! `limits`, `log` and `drain`: bounds and the life of the process.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::hint::hint;
use super::measure::show_size;
use super::path::quoted;
use super::section::Section;
use crate::edge::{Limits, LogSettings, LogTarget};
use crate::telemetry;
use crate::units::ByteSize;

const KIB: ByteSize = ByteSize::kib(1);
/// Pingora's own bound on a head.
const HEAD: RangeInclusive<ByteSize> = KIB..=ByteSize::mib(1);
const BODY: RangeInclusive<ByteSize> = KIB..=ByteSize::mib(1024);
const EVENT: RangeInclusive<ByteSize> = KIB..=ByteSize::mib(256);
const BUFFERED: RangeInclusive<ByteSize> = ByteSize::mib(1)..=ByteSize::mib(256 << 10);
/// In bytes a second.
const RATE: RangeInclusive<ByteSize> = ByteSize(1)..=ByteSize::mib(1);
const TIME: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
const HEAD_TIME: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
const COUNT: RangeInclusive<u32> = 1..=1_000_000;
/// More exceptions than anybody wants to read.
const LONGEST_LEVEL: usize = 1_000;
const H2_STREAMS: RangeInclusive<u32> = 1..=1_000;

/// Log lines that may wait.
pub const QUEUE: u32 = 8_192;

/// What the diagnostics say.
pub const LEVEL: &str = "info";

/// How long streams may go on after TERM.
pub const DRAIN: Duration = Duration::from_mins(10);
const DRAIN_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(24);

/// Reads the bounds on what clients may take.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Limits> {
    let mut section = Section::open(cursor)?;
    let shipped = Limits::default();
    let head = section.or("head", shipped.head, |cursor| cursor.size(&HEAD));
    let head_time = section.or("head_time", shipped.head_time, |at| at.duration(&HEAD_TIME));
    let body_time = section.or("body_time", shipped.body_time, |at| at.duration(&TIME));
    let body_rate = section.or("body_rate", shipped.body_rate, |at| at.size(&RATE));
    let idle = section.or("idle", shipped.idle, |at| at.duration(&TIME));
    let requests = count(
        &mut section,
        "requests_per_connection",
        shipped.requests_per_connection,
    );
    let connections = count(&mut section, "connections", shipped.connections);
    let exchanges = count(&mut section, "exchanges", shipped.exchanges);
    let of_provider = shipped.attempts_per_provider;
    let per_provider = count(&mut section, "attempts_per_provider", of_provider);
    let client_write = section.or("client_write", shipped.client_write, |at| {
        at.duration(&TIME)
    });
    let h2_streams = section.or("h2_streams", shipped.h2_streams, |at| {
        at.number(&H2_STREAMS)
    });
    let buffered = section.or("buffered", shipped.buffered, |at| at.size(&BUFFERED));
    let body = buffer(&mut section, "body", shipped.body, &BODY, buffered);
    let answer = buffer(&mut section, "answer", shipped.answer, &BODY, buffered);
    let event = buffer(&mut section, "event", shipped.event, &EVENT, buffered);
    let per_address = part(
        &mut section,
        "connections_per_address",
        shipped.connections_per_address,
        ("connections", connections),
    );
    let per_key = part(
        &mut section,
        "exchanges_per_key",
        shipped.exchanges_per_key,
        ("exchanges", exchanges),
    );
    section.close();
    Ok(Limits {
        head: head?,
        head_time: head_time?,
        body: body?,
        body_time: body_time?,
        body_rate: body_rate?,
        idle: idle?,
        requests_per_connection: requests?,
        connections: connections?,
        connections_per_address: per_address?,
        exchanges: exchanges?,
        exchanges_per_key: per_key?,
        attempts_per_provider: per_provider?,
        buffered: buffered?,
        answer: answer?,
        event: event?,
        client_write: client_write?,
        h2_streams: h2_streams?,
    })
}

/// A size that must fit into the budget of all buffers; a default is cut to it.
fn buffer(
    section: &mut Section<'_>,
    key: &'static str,
    default: ByteSize,
    range: &RangeInclusive<ByteSize>,
    buffered: Read<ByteSize>,
) -> Read<ByteSize> {
    let own = section.maybe(key, |cursor| Ok((cursor.size(range)?, cursor.clone())));
    match (own?, buffered?) {
        (None, most) => Ok(default.min(most)),
        (Some((size, cursor)), most) if size > most => {
            let (size, most) = (show_size(size), show_size(most));
            cursor.fail(format_args!("{size} is more than `buffered`, {most}"))
        }
        (Some((size, _)), _) => Ok(size),
    }
}

fn count(section: &mut Section<'_>, key: &'static str, default: u32) -> Read<u32> {
    section.or(key, default, |cursor| cursor.number(&COUNT))
}

/// A count that is a part of another one; a default is cut to it.
fn part(
    section: &mut Section<'_>,
    key: &'static str,
    default: u32,
    (whole, most): (&str, Read<u32>),
) -> Read<u32> {
    let own = section.maybe(key, |cursor| Ok((cursor.number(&COUNT)?, cursor.clone())));
    match (own?, most?) {
        (None, most) => Ok(default.min(most)),
        (Some((own, cursor)), most) if own > most => {
            cursor.fail(format_args!("{own} is more than `{whole}`, {most}"))
        }
        (Some((own, _)), _) => Ok(own),
    }
}

/// The log as shipped.
pub(super) fn shipped_log() -> LogSettings {
    LogSettings {
        access: LogTarget::Stdout,
        queue: QUEUE as usize,
        level: LEVEL.to_owned(),
    }
}

/// Reads where log lines go.
pub(super) fn log(cursor: &Cursor<'_>) -> Read<LogSettings> {
    let mut section = Section::open(cursor)?;
    let access = section.or("access", LogTarget::Stdout, target);
    let queue = section.or("queue", QUEUE, |cursor| cursor.number(&COUNT));
    let level = section.or("level", LEVEL.to_owned(), level);
    section.close();
    Ok(LogSettings {
        access: access?,
        queue: queue? as usize,
        level: level?,
    })
}

/// A level, or levels of parts of the program, as in `RUST_LOG`.
fn level(cursor: &Cursor<'_>) -> Read<String> {
    let text = cursor.text()?;
    if text.len() <= LONGEST_LEVEL && telemetry::is_level(text) {
        return Ok(text.to_owned());
    }
    cursor.fail(format_args!(
        "{} is no level: off, error, warn, info, debug or trace, \
         or with exceptions, such as warn,segue::relay=debug",
        quoted(text)
    ))
}

/// `stdout`, `off` or a file; a file has a slash, so that a slip makes none by chance.
fn target(cursor: &Cursor<'_>) -> Read<LogTarget> {
    match cursor.text()? {
        "stdout" => Ok(LogTarget::Stdout),
        "off" => Ok(LogTarget::Off),
        path if path.contains('/') && !path.ends_with('/') => Ok(LogTarget::File(cursor.file()?)),
        other => cursor.fail(format_args!(
            "{} is neither stdout, off nor a path with a slash; {}",
            quoted(other),
            hint(other, &["stdout", "off"])
        )),
    }
}

/// Reads how long streams may go on after TERM.
pub(super) fn drain(cursor: &Cursor<'_>) -> Read<Duration> {
    let mut section = Section::open(cursor)?;
    let deadline = section.or("deadline", DRAIN, |cursor| cursor.duration(&DRAIN_RANGE));
    section.close();
    deadline
}
