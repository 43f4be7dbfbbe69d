//! `accounts.shared`: where machines share their counts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::path::quoted;
use super::secret;
use super::section::Section;
use super::url::{self, Host};
use crate::account::shared::{SharedSettings, Transport};

/// How long an exchange waits for Redis.
pub const SHARED_TIMEOUT: Duration = Duration::from_millis(5);

/// Below a millisecond nobody answers; above a second the wait is worse than what it prevents.
const TIMEOUT_RANGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);

/// What all keys begin with.
pub const SHARED_PREFIX: &str = "segue";

const PORT: u16 = 6379;

/// Reads the key `shared` of a section.
pub(super) fn read(section: &mut Section<'_>) -> Read<Option<SharedSettings>> {
    section.maybe("shared", shared)
}

fn shared(cursor: &Cursor<'_>) -> Read<SharedSettings> {
    let mut section = Section::open(cursor)?;
    let redis = section.required("redis").and_then(|at| server(&at));
    let user = section.maybe("user", |at| name(at).map(str::to_owned));
    let password = section.maybe("password", secret::read);
    let timeout = section.or("timeout", SHARED_TIMEOUT, |at| at.duration(&TIMEOUT_RANGE));
    let prefix = section.or("prefix", SHARED_PREFIX, name);
    section.close();
    let (transport, host, port, database) = redis?;
    let (user, password) = (user?, password?);
    if user.is_some() && password.is_none() {
        return cursor.fail("a `user` needs a `password`");
    }
    Ok(SharedSettings {
        host,
        port,
        transport,
        database,
        user,
        password,
        timeout: timeout?,
        prefix: prefix?.to_owned(),
    })
}

/// A URL: scheme, host, port and the number of a database.
fn server(cursor: &Cursor<'_>) -> Read<(Transport, String, u16, u32)> {
    let text = cursor.text()?;
    if text.contains('@') {
        return cursor.fail("user info (`@`) is not allowed: it goes to `user` and `password`");
    }
    match parse(text) {
        Ok(server) => Ok(server),
        Err(rule) => cursor.fail(format_args!("{} {rule}", quoted(text))),
    }
}

fn parse(text: &str) -> Result<(Transport, String, u16, u32), &'static str> {
    let (transport, rest) = match text.split_once("://") {
        Some(("redis", rest)) => (Transport::Plain, rest),
        Some(("rediss", rest)) => (Transport::Tls, rest),
        _ => return Err("does not begin with redis:// or rediss://"),
    };
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let database = match database {
        "" => 0,
        number if number.len() <= 5 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            number.parse().unwrap_or_default()
        }
        _ => return Err("has a path that is not the number of a database"),
    };
    let (host, port) = url::split_port(authority)?;
    let host = match url::parse_host(host)? {
        Host::Address(address) => address.to_string(),
        Host::Name(name) => name,
    };
    Ok((transport, host, port.unwrap_or(PORT), database))
}

/// A name without what Redis gives a meaning to.
fn name<'a>(cursor: &Cursor<'a>) -> Read<&'a str> {
    let text = cursor.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
        return cursor.fail(format_args!(
            "{} is not a name of 1 to 64 letters, digits, `_`, `.`, `:` or `-`",
            quoted(text)
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_taken_apart() {
        for (text, expected) in [
            (
                "redis://redis.internal",
                (Transport::Plain, "redis.internal", 6379, 0),
            ),
            (
                "redis://10.0.0.1:7000/3",
                (Transport::Plain, "10.0.0.1", 7000, 3),
            ),
            (
                "rediss://[2001:DB8::1]:6380/",
                (Transport::Tls, "2001:db8::1", 6380, 0),
            ),
        ] {
            let (transport, host, port, database) = parse(text).unwrap();
            assert_eq!((transport, &*host, port, database), expected, "{text}");
        }
        for text in [
            "",
            "redis",
            "http://redis",
            "redis://",
            "redis://redis:0",
            "redis://redis/x",
            "redis://redis/1/2",
            "redis://redis/-1",
            "redis://redis/123456",
            "redis://redis?db=1",
            "unix:///run/redis",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
