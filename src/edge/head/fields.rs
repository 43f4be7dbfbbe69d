//! The fields that decide framing, host and connection: what each may say, and how often.

use std::net::Ipv6Addr;

use super::framing::Framing;
use super::rule::Rule;

/// What the fields of one head have said so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    seen: u8,
    length: Option<u64>,
    chunked: bool,
}

/// A request's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// The fields that may stand once. The discriminant is the bit in `Fields::seen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Once {
    Host = 1,
    ContentLength = 1 << 1,
    TransferEncoding = 1 << 2,
    Connection = 1 << 3,
    Expect = 1 << 4,
    Te = 1 << 5,
    Authorization = 1 << 6,
    ApiKey = 1 << 7,
}

/// Those fields, and the rule that a wrong value breaks.
const ONCE: [(&[u8], Once, Rule); 8] = [
    (b"host", Once::Host, Rule::Host),
    (b"content-length", Once::ContentLength, Rule::ContentLength),
    (
        b"transfer-encoding",
        Once::TransferEncoding,
        Rule::TransferEncoding,
    ),
    (b"connection", Once::Connection, Rule::Connection),
    (b"expect", Once::Expect, Rule::Expect),
    (b"te", Once::Te, Rule::Te),
    (b"authorization", Once::Authorization, Rule::Repeated),
    (b"x-api-key", Once::ApiKey, Rule::Repeated),
];

/// The fields that may not stand at all.
const NEVER: [(&[u8], Rule); 3] = [
    (b"upgrade", Rule::Upgrade),
    (b"http2-settings", Rule::Upgrade),
    (b"trailer", Rule::Trailer),
];

impl Fields {
    /// Takes one field, its name a token and its value trimmed.
    pub(super) fn take(&mut self, name: &[u8], value: &[u8], version: Version) -> Result<(), Rule> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if let Some((_, rule)) = NEVER.iter().find(|(known, _)| is(known)) {
            return Err(*rule);
        }
        let Some((_, once, rule)) = ONCE.iter().find(|(known, ..)| is(known)) else {
            return Ok(());
        };
        let bit = *once as u8;
        if self.seen & bit != 0 {
            return Err(Rule::Repeated);
        }
        self.seen |= bit;
        let says = |word: &[u8]| value.eq_ignore_ascii_case(word);
        let holds = match once {
            Once::Host => is_host(value),
            Once::ContentLength => {
                self.length = content_length(value);
                self.length.is_some()
            }
            Once::TransferEncoding => {
                self.chunked = version == Version::Http11 && says(b"chunked");
                self.chunked
            }
            Once::Connection => is_persistence(value),
            Once::Expect => says(b"100-continue"),
            Once::Te => says(b"trailers"),
            Once::Authorization | Once::ApiKey => true,
        };
        if holds { Ok(()) } else { Err(*rule) }
    }

    /// The body's framing, once the head is complete.
    pub(super) fn framing(&self) -> Result<Framing, Rule> {
        if self.seen & Once::Host as u8 == 0 {
            return Err(Rule::HostMissing);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Rule::TwoFramings),
            (None, true) => Ok(Framing::Chunked),
            (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// At most nineteen digits, so that every length fits in 64 bits.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// `close` and `keep-alive`, each at most once (RFC 9110 section 7.6.1). Anything else would name
/// fields for us to drop, and we forward none.
fn is_persistence(value: &[u8]) -> bool {
    let (mut close, mut keep_alive) = (0, 0);
    for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if option.eq_ignore_ascii_case(b"close") {
            close += 1;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            keep_alive += 1;
        } else {
            return false;
        }
    }
    close <= 1 && keep_alive <= 1
}

/// A name, an IPv4 address or a bracketed IPv6 address, and perhaps a port (RFC 9112 section 3.2).
/// Stricter than a URI's authority: no user, no escapes, no sub-delimiters, no empty port.
fn is_host(value: &[u8]) -> bool {
    let bracketed = value.strip_prefix(b"[");
    let host = bracketed.unwrap_or(value);
    let mark = if bracketed.is_some() { b']' } else { b':' };
    let end = host
        .iter()
        .position(|byte| *byte == mark)
        .unwrap_or(host.len());
    let (host, port) = host.split_at(end);
    let (known, port) = match bracketed {
        Some(_) => (is_ipv6(host), port.strip_prefix(b"]")),
        None => (is_name(host), Some(port)),
    };
    known
        && port.is_some_and(|port| port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_name(name: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    !name.is_empty() && name.iter().all(allowed)
}

fn is_port(port: &[u8]) -> bool {
    // The digits are checked first: `u16::from_str` would take a sign.
    let digits = port.iter().all(u8::is_ascii_digit);
    digits && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok())
}
