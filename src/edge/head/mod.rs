//! Strict reading of a raw HTTP/1 request head, before anything else sees its bytes.
//!
//! Pure and incremental: a head dripped byte by byte is scanned once. Two readers that disagree
//! about where a request ends are how requests are smuggled, so nothing doubtful is repaired:
//! bare LF, folded fields, lists of lengths, spaces before a colon and the like are refused.
//! Methods and paths are judged later; here they need only be well formed.

mod class;
mod fields;
mod framing;
mod rule;
#[cfg(test)]
mod tests;

pub use framing::Framing;
pub use rule::{Refusal, Rule};

use class::Class;
use fields::{Fields, Version};

/// Bounds on a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, with the empty line that ends it.
    pub bytes: usize,
    /// Fields.
    pub fields: usize,
}

/// A complete head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes; the body begins there.
    pub length: usize,
    /// How the body is delimited.
    pub framing: Framing,
}

/// Reads a head given whole; `None` when it is not complete.
///
/// # Errors
/// The first rule that the bytes break, in their order.
pub fn check(bytes: &[u8], limits: HeadLimits) -> Result<Option<Head>, Refusal> {
    HeadScan::new(limits).scan(bytes)
}

/// A head on its way in. After a refusal the scan is over.
#[derive(Clone, Copy, Debug)]
pub struct HeadScan {
    limits: HeadLimits,
    /// Where the line under way began.
    line: usize,
    /// Bytes that need no second look.
    scanned: usize,
    /// The request line's version, once it has been read.
    version: Option<Version>,
    count: usize,
    fields: Fields,
}

impl HeadScan {
    /// A scan that has seen nothing.
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            line: 0,
            scanned: 0,
            version: None,
            count: 0,
            fields: Fields::default(),
        }
    }

    /// Goes on with `bytes`: all that has come since the head's first byte, each time. Bytes past
    /// the head are not looked at. The cost of all calls together is linear in the head.
    ///
    /// # Errors
    /// The first rule that the bytes break, in their order, however they were cut.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<Head>, Refusal> {
        let within = bytes.get(..self.limits.bytes).unwrap_or(bytes);
        loop {
            let rest = within.get(self.scanned..).unwrap_or_default();
            let Some(at) = rest.iter().position(|byte| !Class::Text.has(*byte)) else {
                self.scanned = within.len();
                break;
            };
            let end = self.scanned + at;
            match rest.get(at..) {
                Some([b'\r', b'\n', ..]) => {}
                Some([b'\r']) => {
                    self.scanned = end;
                    break;
                }
                Some([b'\r' | b'\n', ..]) => return Err(Refusal::Malformed(Rule::LineEnd)),
                _ => return Err(Refusal::Malformed(Rule::Character)),
            }
            let line = within.get(self.line..end).unwrap_or_default();
            self.scanned = end + 2;
            self.line = self.scanned;
            if let Some(framing) = self.take_line(line)? {
                return Ok(Some(Head {
                    length: self.scanned,
                    framing,
                }));
            }
        }
        if bytes.len() >= self.limits.bytes {
            Err(Refusal::TooLarge)
        } else {
            Ok(None)
        }
    }

    /// Takes a line without its CR LF; the framing when it was the last.
    fn take_line(&mut self, line: &[u8]) -> Result<Option<Framing>, Refusal> {
        let Some(version) = self.version else {
            self.version = Some(request_line(line).map_err(Refusal::Malformed)?);
            return Ok(None);
        };
        if line.is_empty() {
            return self.fields.framing().map(Some).map_err(Refusal::Malformed);
        }
        self.count += 1;
        if self.count > self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        let (name, value) = field(line).map_err(Refusal::Malformed)?;
        self.fields
            .take(name, value, version)
            .map_err(Refusal::Malformed)?;
        Ok(None)
    }
}

/// `method SP request-target SP HTTP-version` (RFC 9112 section 3).
fn request_line(line: &[u8]) -> Result<Version, Rule> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Rule::RequestLine);
    };
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        _ => return Err(Rule::Version),
    };
    if !Class::Token.is_all_of(method) {
        return Err(Rule::Method);
    }
    let origin_form = target.first() == Some(&b'/') && Class::Target.is_all_of(target);
    if origin_form {
        Ok(version)
    } else {
        Err(Rule::Target)
    }
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 section 5).
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Rule> {
    if let Some(b' ' | b'\t') = line.first() {
        return Err(Rule::Fold);
    }
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(Rule::FieldName)?;
    let (name, value) = line.split_at(colon);
    if !Class::Name.is_all_of(name) {
        return Err(Rule::FieldName);
    }
    Ok((
        name,
        value.strip_prefix(b":").unwrap_or_default().trim_ascii(),
    ))
}
