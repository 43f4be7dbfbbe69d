//! A provider's `base_url`: scheme, host, port and path prefix, and nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::{Cursor, Read};
use super::path::quoted;
use crate::upstream::{BaseUrl, Scheme};

/// The longest URL.
const LONGEST: usize = 1024;

/// What a URL's host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A literal address.
    Address(IpAddr),
    /// A name to be resolved, lower case.
    Name(String),
}

/// A base URL, and what its host is.
pub(super) struct Endpoint {
    pub(super) base: BaseUrl,
    pub(super) host: Host,
}

/// Reads a base URL. What it might hide (user info, a query) is refused and not repeated.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Endpoint> {
    let text = cursor.text()?;
    if text.contains('@') {
        return cursor.fail("user info (`@`) is not allowed: credentials go to `credential`");
    }
    if text.contains(['?', '#']) {
        return cursor.fail("a query (`?`) or fragment (`#`) is not allowed");
    }
    match parse(text) {
        Ok(url) => Ok(url),
        Err(rule) => cursor.fail(format_args!("{} {rule}", quoted(text))),
    }
}

fn parse(text: &str) -> Result<Endpoint, &'static str> {
    if text.len() > LONGEST {
        return Err("is longer than 1,024 bytes");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => return Err("does not begin with http:// or https://"),
    };
    let (authority, prefix) = match rest.find('/') {
        Some(slash) => rest.split_at_checked(slash).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    let (host, port) = split_port(authority)?;
    let port = match (port, scheme) {
        (Some(port), _) => port,
        (None, Scheme::Http) => 80,
        (None, Scheme::Https) => 443,
    };
    let host = parse_host(host)?;
    let name = match &host {
        Host::Address(address) => address.to_string(),
        Host::Name(name) => name.clone(),
    };
    let base = BaseUrl {
        scheme,
        host: name,
        port,
        prefix: parse_prefix(prefix)?,
    };
    Ok(Endpoint { base, host })
}

/// A host, and its port if there is one.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let colon = match (authority.rfind(':'), authority.rfind(']')) {
        (Some(colon), bracket) if bracket.is_none_or(|bracket| bracket < colon) => colon,
        _ => return Ok((authority, None)),
    };
    let (host, port) = authority.split_at_checked(colon).unwrap_or((authority, ""));
    let digits = port.strip_prefix(':').unwrap_or_default();
    match digits.parse() {
        Ok(port @ 1..) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((host, Some(port)))
        }
        _ => Err("has a port that is not a number from 1 to 65535"),
    }
}

/// What a host is.
pub(super) fn parse_host(host: &str) -> Result<Host, &'static str> {
    if let Some(inner) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address = inner.parse::<Ipv6Addr>();
        return address
            .map(|address| Host::Address(address.into()))
            .map_err(|_| "has brackets around what is not an IPv6 address");
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = host.to_ascii_lowercase();
    if !is_host_name(&name) {
        return Err("has a host that is neither a name nor an address");
    }
    // Some resolvers read `127.1` and `0x7f000001` as addresses (WHATWG URL, "ends in a number").
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has a host that ends in a number but is not an IPv4 address");
    }
    Ok(Host::Name(name))
}

/// Letters, digits, `-` and `_` in labels of 1 to 63, 253 in all (RFC 1035; `_` is in real use).
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn parse_prefix(path: &str) -> Result<String, &'static str> {
    let prefix = path.strip_suffix('/').unwrap_or(path);
    let strange = |byte: u8| !byte.is_ascii_graphic() || b"%\\\"<>^`{|}".contains(&byte);
    if prefix.bytes().any(strange) {
        return Err("has a character in its path that is not allowed there");
    }
    if !prefix.is_empty()
        && prefix
            .split('/')
            .skip(1)
            .any(|part| matches!(part, "" | "." | ".."))
    {
        return Err("has an empty, `.` or `..` segment in its path");
    }
    Ok(prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let cases = [
            (
                "https://api.openai.com/v1",
                Scheme::Https,
                "api.openai.com",
                443,
                "/v1",
            ),
            (
                "https://API.OpenAI.com/v1/",
                Scheme::Https,
                "api.openai.com",
                443,
                "/v1",
            ),
            (
                "http://llm.internal:8000",
                Scheme::Http,
                "llm.internal",
                8000,
                "",
            ),
            ("http://llm_1/", Scheme::Http, "llm_1", 80, ""),
            (
                "https://[2001:DB8::1]:8443/a/b",
                Scheme::Https,
                "2001:db8::1",
                8443,
                "/a/b",
            ),
            ("https://[::1]", Scheme::Https, "::1", 443, ""),
            ("http://10.0.0.1:80", Scheme::Http, "10.0.0.1", 80, ""),
        ];
        for (text, scheme, host, port, prefix) in cases {
            let url = parse(text).unwrap().base;
            let expected = BaseUrl {
                scheme,
                host: host.to_owned(),
                port,
                prefix: prefix.to_owned(),
            };
            assert_eq!(url, expected, "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let bad = "api.openai.com HTTPS://a ftp://a https:// https:///v1 https://a: https://a:0 \
            https://a:+1 https://a:65536 https://a:x https://a::1 https://[::1 https://::1 \
            https://[1.1.1.1] https://a..b https://.a https://a. https://-a https://a- \
            https://a\\b https://é https://127.1 https://0x7f000001 https://2130706433 \
            https://1.2.3.4.5 https://a/b//c https://a/../b https://a/./b https://a/%2e \
            https://a/{x} https://a// https://[::1]x https://[::1]]:1 https://a\tb";
        for text in bad.split(' ').filter(|text| !text.is_empty()) {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("https://{}", "a".repeat(64))).is_err());
        assert!(parse(&format!("https://a/{}", "b".repeat(1024))).is_err());
    }
}
