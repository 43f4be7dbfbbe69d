//! `samples`: which exchanges are told in full, and where.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::{Cursor, Read, all};
use super::measure::decimal;
use super::path::quoted;
use super::section::Section;
use crate::edge::ProviderSettings;
use crate::secret::Secret;
use crate::telemetry::{Always, Bodies, Pattern, Redactor, Rotation, Rules, SampleSettings};
use crate::units::ByteSize;

/// Of all exchanges.
pub const SAMPLE_SHARE: f64 = 0.05;
/// A file of samples.
pub const SAMPLE_SIZE: ByteSize = ByteSize::mib(64);
/// Files of samples.
pub const SAMPLE_FILES: u32 = 4;

/// At least what is written at once.
const SIZE: RangeInclusive<ByteSize> = ByteSize::mib(1)..=ByteSize::mib(16 << 10);
const FILES: RangeInclusive<u32> = 1..=100;
/// Patterns to redact by, and the length of one.
const PATTERNS: usize = 32;
const PATTERN: usize = 1024;

const ALWAYS: [(&str, Always); 5] = [
    ("fell_back", Always::FellBack),
    ("retried", Always::Retried),
    ("failed", Always::Failed),
    ("provider_error", Always::ProviderError),
    ("aborted", Always::Aborted),
];

/// Reads `off` or the section. The providers' credentials are never told.
pub(super) fn read(
    cursor: &Cursor<'_>,
    providers: &[ProviderSettings],
) -> Read<Option<SampleSettings>> {
    if cursor.is_text() {
        return cursor.choice(&[("off", None::<()>)]).map(|_| None);
    }
    let mut section = Section::open_or(cursor, "off or a map")?;
    let path = section.required("path").and_then(|cursor| path(&cursor));
    let share = section.or("share", SAMPLE_SHARE, share);
    let always = section.or("always", vec![Always::FellBack, Always::Failed], always);
    let bodies = section.or("bodies", false, Cursor::boolean);
    let patterns = section.or("redact", Vec::new(), patterns);
    let size = section.or("size", SAMPLE_SIZE, |cursor| cursor.size(&SIZE));
    let files = section.or("files", SAMPLE_FILES, |cursor| cursor.number(&FILES));
    section.close();
    let rules = Rules {
        share: share?,
        always: always?,
        bodies: if bodies? { Bodies::Told } else { Bodies::Left },
        redactor: Redactor::new(credentials(providers), patterns?),
    };
    Ok(Some(SampleSettings {
        path: path?,
        rotation: Rotation {
            size: size?.0,
            files: files?,
        },
        rules: Arc::new(rules),
    }))
}

/// The file that samples go to, and how many there are of it; nothing else of the file need be
/// right.
pub(super) fn only(root: &Cursor<'_>) -> Read<Option<(PathBuf, u32)>> {
    let mut section = Section::open(root)?;
    let Some(cursor) = section.optional("samples") else {
        return Ok(None);
    };
    let settings = read(&cursor, &[])?;
    Ok(settings.map(|settings| (settings.path, settings.rotation.files)))
}

/// A file has a slash, so that a slip makes none by chance.
fn path(cursor: &Cursor<'_>) -> Read<PathBuf> {
    let text = cursor.text()?;
    if !text.contains('/') || text.ends_with('/') {
        return cursor.fail(format_args!(
            "{} is not a file's path with a slash",
            quoted(text)
        ));
    }
    cursor.file()
}

/// `5%`, or `0%` for none.
fn share(cursor: &Cursor<'_>) -> Read<f64> {
    let text = cursor.scalar("a share such as 5%")?;
    let share = text.strip_suffix('%').and_then(decimal);
    match share.map(|percent| percent / 100.0) {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => cursor.fail(format_args!(
            "{} is not a share: 0% to 100%, such as 5%",
            quoted(text)
        )),
    }
}

fn always(cursor: &Cursor<'_>) -> Read<Vec<Always>> {
    all(cursor.items()?.iter().map(|item| item.choice(&ALWAYS)))
}

fn patterns(cursor: &Cursor<'_>) -> Read<Vec<Pattern>> {
    let items = cursor.items()?;
    if items.len() > PATTERNS {
        return cursor.fail(format_args!("at most {PATTERNS} patterns"));
    }
    all(items.iter().map(|item| {
        let text = item.text()?;
        if text.len() > PATTERN {
            return item.fail(format_args!("a pattern has at most {PATTERN} bytes"));
        }
        Pattern::compile(text)
            .or_else(|error| item.fail(format_args!("not a pattern to redact by: {error}")))
    }))
}

/// What proves who we are, without the scheme before it.
fn credentials(providers: &[ProviderSettings]) -> Vec<Secret> {
    let credentials = providers.iter().filter_map(|one| {
        let value = one.spec.credential.as_ref()?.value.to_str().ok()?;
        let token = value.rsplit(' ').next().unwrap_or(value);
        Some(Secret::new(token.to_owned()))
    });
    credentials.collect()
}
