//! `profile` of a provider or a target: how it differs from the format that it speaks.

use super::cursor::{Cursor, Read, all};
use super::hint::hint;
use super::path::quoted;
use super::section::Section;
use crate::dialect::{Auth, OwnChange, Profile};

/// The deepest place that a pointer may name.
const DEEPEST: usize = 8;

/// What segue itself writes into every request.
const OWN: [&str; 4] = ["/model", "/messages", "/stream", "/stream_options"];

pub(super) const AUTHS: [(&str, Auth); 4] = [
    ("bearer", Auth::Bearer),
    ("api-key", Auth::ApiKey),
    ("x-api-key", Auth::XApiKey),
    ("x-goog-api-key", Auth::XGoogApiKey),
];

/// Reads a profile: a name, or a map of what is different. What it leaves open is the `base`'s.
pub(super) fn read(cursor: &Cursor<'_>, base: &Profile) -> Read<Profile> {
    if cursor.is_text() {
        return named(cursor, base);
    }
    let mut section = Section::open_or(cursor, "a profile's name or a map")?;
    let like = section.maybe("like", |cursor| named(cursor, base));
    let drop = section.maybe("drop", |cursor| {
        let dropped = |at: &Cursor<'_>| Ok(OwnChange::Drop(pointer(at, at.text()?)?));
        all(cursor.some_items()?.iter().map(dropped))
    });
    let rename = section.maybe("rename", |cursor| {
        let renamed = |(at, name): &(&str, Cursor<'_>)| {
            Ok(OwnChange::Rename(pointer(name, at)?, name.text()?.into()))
        };
        all(cursor.named()?.iter().map(renamed))
    });
    let set = section.maybe("set", |cursor| {
        let set = |(at, value): &(&str, Cursor<'_>)| {
            Ok(OwnChange::Set(pointer(value, at)?, value.json()?.into()))
        };
        all(cursor.named()?.iter().map(set))
    });
    section.close();
    let mut profile = like?.unwrap_or_else(|| base.clone());
    for changes in [drop?, rename?, set?] {
        profile.own.extend(changes.unwrap_or_default());
    }
    Ok(profile)
}

fn named(cursor: &Cursor<'_>, base: &Profile) -> Read<Profile> {
    let name = cursor.text()?;
    let Some(known) = Profile::built_in(name) else {
        let names: Vec<_> = Profile::names().collect();
        return cursor.fail(format_args!(
            "there is no profile {}; {}",
            quoted(name),
            hint(name, &names)
        ));
    };
    Ok(Profile {
        paths: base.paths,
        api_version: base.api_version.clone(),
        own: base.own.clone(),
        ..known
    })
}

/// A JSON pointer (RFC 6901); `*` stands for every element of a list.
fn pointer(at: &Cursor<'_>, text: &str) -> Read<Box<str>> {
    if !text.starts_with('/') || text.ends_with('/') || text.split('/').count() - 1 > DEEPEST {
        return at.fail(format_args!(
            "{} is not a place: a JSON pointer like /top_k or /tools/*/function/strict, at most \
             {DEEPEST} steps",
            quoted(text)
        ));
    }
    if OWN.contains(&text) {
        return at.fail(format_args!("{} is segue's own to write", quoted(text)));
    }
    Ok(text.into())
}
