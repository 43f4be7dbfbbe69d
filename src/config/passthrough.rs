//! `passthrough`: the paths that go to a provider uninterpreted.

use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use super::targets::{Providers, known_provider};
use crate::edge::Passthrough;

/// The endpoints that are segue's own, in this version or a later one. Passed through, they would
/// go around routes and the keys' scopes.
const OWN: [&str; 6] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/models",
    "/v1/responses",
];

/// Reads the section.
pub(super) fn read(cursor: &Cursor<'_>, providers: &Providers<'_>) -> Read<Passthrough> {
    let mut section = Section::open(cursor)?;
    let provider = section.required("provider").and_then(|cursor| {
        let name = cursor.text()?;
        known_provider(&cursor, name, providers)?;
        Ok(name)
    });
    let paths = section
        .required("paths")
        .and_then(|cursor| all(cursor.some_items()?.iter().map(path)));
    section.close();
    Ok(Passthrough {
        provider: provider?.into(),
        paths: paths?,
    })
}

fn path(cursor: &Cursor<'_>) -> Read<String> {
    let text = cursor.text()?;
    let strange = |byte: u8| !byte.is_ascii_graphic() || b"%?#\\@".contains(&byte);
    let dots = text.split('/').any(|part| matches!(part, "." | ".."));
    if !text.starts_with("/v1/") || text.contains("//") || dots || text.bytes().any(strange) {
        return cursor.fail(format_args!(
            "{} is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, \
             `\\` or `@`",
            quoted(text)
        ));
    }
    let own = |own: &&str| {
        own.starts_with(text)
            || text
                .strip_prefix(*own)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    if let Some(own) = OWN.iter().find(|known| own(known)) {
        return cursor.fail(format_args!(
            "{} would take in {own}, which is ours",
            quoted(text)
        ));
    }
    Ok(text.to_owned())
}
