//! `keys`: who may call. A secret becomes its digest as soon as it is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cursor::{Cursor, Read, all};
use super::hint::hint;
use super::path::quoted;
use super::secret;
use super::section::Section;
use crate::account::{Digest, Key, Keys, RouteScope, Tags};

/// The longest name of a key.
const LONGEST_NAME: usize = 64;

/// What keys may name: the routes of the file, whether or not they are well-formed.
pub(super) type RouteNames<'a> = BTreeSet<&'a str>;

/// Reads all keys.
pub(super) fn read(cursor: &Cursor<'_>, routes: &RouteNames<'_>) -> Read<Keys> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut digests: Vec<(Digest, Arc<str>)> = Vec::new();
    let items = cursor.items()?;
    let read = all(items.iter().map(|cursor| {
        let mut section = Section::open(cursor)?;
        section.later(&["budget", "limits"]);
        let name = section.required("name").and_then(|cursor| {
            let name = cursor.name(LONGEST_NAME)?;
            if !names.insert(name) {
                return cursor.fail(format_args!("two keys have the name {}", quoted(name)));
            }
            Ok(name)
        });
        let own = proofs(&mut section, cursor, &mut digests);
        let scope = section.maybe("routes", |cursor| scope(cursor, routes));
        section.close();
        let routes = scope?.map_or(RouteScope::All, RouteScope::Only);
        Ok((
            own?,
            Key {
                name: name?.into(),
                routes,
                tags: Tags::new(),
            },
        ))
    }));
    let mut keys = Keys::default();
    for (digests, key) in read? {
        for digest in digests {
            keys.add(digest, key.clone());
        }
    }
    Ok(keys)
}

/// What proves the key: exactly one of the four forms.
fn proofs(
    section: &mut Section<'_>,
    cursor: &Cursor<'_>,
    taken: &mut Vec<(Digest, Arc<str>)>,
) -> Read<Vec<Digest>> {
    let secret = section
        .optional("secret")
        .map(|cursor| (vec![cursor], Form::Secret));
    let secrets = section
        .optional("secrets")
        .map(|cursor| (cursor.some_items(), Form::Secret));
    let digest = section
        .optional("digest")
        .map(|cursor| (vec![cursor], Form::Digest));
    let digests = section
        .optional("digests")
        .map(|cursor| (cursor.some_items(), Form::Digest));
    let one = |given: Option<(Vec<_>, _)>| given.map(|(items, form)| (Ok(items), form));
    let mut given = [one(secret), secrets, one(digest), digests]
        .into_iter()
        .flatten();
    let (Some((items, form)), None) = (given.next(), given.next()) else {
        return cursor.fail_at_key("needs one of `secret`, `secrets`, `digest`, `digests`");
    };
    all(items?.iter().map(|cursor| {
        let digest = match form {
            Form::Secret => Digest::of(secret::read(cursor)?.expose().as_bytes()),
            Form::Digest => written_digest(cursor)?,
        };
        if let Some((_, path)) = taken.iter().find(|(other, _)| *other == digest) {
            return cursor.fail(format_args!("the same secret as {path}"));
        }
        taken.push((digest, cursor.path().into()));
        Ok(digest)
    }))
}

#[derive(Clone, Copy)]
enum Form {
    Secret,
    Digest,
}

/// A digest; what is written may be a secret in the wrong place and is not repeated.
fn written_digest(cursor: &Cursor<'_>) -> Read<Digest> {
    match cursor
        .text()?
        .strip_prefix("sha256:")
        .and_then(Digest::from_hex)
    {
        Some(digest) => Ok(digest),
        None => cursor.fail("expected sha256: and 64 hexadecimal digits"),
    }
}

fn scope(cursor: &Cursor<'_>, routes: &RouteNames<'_>) -> Read<BTreeSet<Arc<str>>> {
    let mut seen = BTreeSet::new();
    let names = all(cursor.some_items()?.iter().map(|cursor| {
        let name = cursor.text()?;
        if !routes.contains(name) {
            let known: Vec<&str> = routes.iter().copied().collect();
            let hint = hint(name, &known);
            return cursor.fail(format_args!("there is no route {}; {hint}", quoted(name)));
        }
        if !seen.insert(name) {
            return cursor.fail(format_args!("the route {} is there twice", quoted(name)));
        }
        Ok(Arc::from(name))
    }))?;
    Ok(names.into_iter().collect())
}
