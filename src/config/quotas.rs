//! `quotas`: what callers may take who are not one key and do not share one route.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::allotment::Allotment;
use super::cursor::{Cursor, Read, all};
use super::hint::hint;
use super::keys;
use super::path::quoted;
use super::section::Section;
use crate::account::{Each, Quota, Scope};

/// The longest name of a quota.
const LONGEST_NAME: usize = 64;

const EACH: [(&str, Each); 4] = [
    ("together", Each::Together),
    ("key", Each::Key),
    ("user", Each::User),
    ("session", Each::Session),
];

/// What quotas may name.
pub(super) struct Known<'a> {
    /// The keys of the file; `None` if they have mistakes of their own.
    pub(super) keys: Option<BTreeSet<Arc<str>>>,
    /// The routes of the file.
    pub(super) routes: &'a BTreeSet<&'a str>,
    /// The quotas that stand with their key or route.
    pub(super) own: &'a [Quota],
}

/// Reads all quotas of the list.
pub(super) fn read(cursor: &Cursor<'_>, known: &Known<'_>) -> Read<Vec<Quota>> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    all(cursor.items()?.iter().map(|cursor| {
        let mut section = Section::open(cursor)?;
        let name = section.required("name").and_then(|cursor| {
            let name = cursor.name(LONGEST_NAME)?;
            if !names.insert(name) {
                return cursor.fail(format_args!("two quotas have the name {}", quoted(name)));
            }
            Ok((name, cursor))
        });
        let scope = section.required("for").and_then(|at| scope(&at, known));
        let each = section.or("each", Each::default(), |at| at.choice(&EACH));
        let allotment = Allotment::read(&mut section);
        section.close();
        let ((name, name_at), scope, each) = (name?, scope?, each?);
        let Some(allotment) = allotment? else {
            return cursor.fail_at_key("needs one of `limits`, `budget`, `budgets`");
        };
        // A name tells one quota of a kind from the others, here and in what has been counted.
        let kind = std::mem::discriminant(&scope);
        let is_taken =
            |own: &Quota| *own.name == *name && std::mem::discriminant(&own.scope) == kind;
        if known.own.iter().any(is_taken) {
            return name_at.fail(format_args!(
                "{} has limits of its own under this name",
                quoted(name)
            ));
        }
        Ok(allotment.quota(name.into(), scope, each))
    }))
}

/// `all`, or a map of one of the three others.
fn scope(cursor: &Cursor<'_>, known: &Known<'_>) -> Read<Scope> {
    if cursor.is_text() {
        return cursor.choice(&[("all", ())]).map(|()| Scope::All);
    }
    let mut section = Section::open_or(cursor, "all or a map")?;
    let key = section.maybe("key", |at| key(at, known.keys.as_ref()));
    let route = section.maybe("route", |at| route(at, known.routes));
    let tag = section.maybe("tag", tag);
    section.close();
    let mut given = [key?, route?, tag?].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(scope), None) => Ok(scope),
        _ => cursor.fail_at_key("needs one of `key`, `route`, `tag`"),
    }
}

fn key(cursor: &Cursor<'_>, keys: Option<&BTreeSet<Arc<str>>>) -> Read<Scope> {
    let name = cursor.text()?;
    match keys {
        Some(keys) if !keys.contains(name) => {
            let known: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
            let hint = hint(name, &known);
            cursor.fail(format_args!("there is no key {}; {hint}", quoted(name)))
        }
        _ => Ok(Scope::Key(name.into())),
    }
}

fn route(cursor: &Cursor<'_>, routes: &BTreeSet<&str>) -> Read<Scope> {
    let name = cursor.text()?;
    if !routes.contains(name) {
        let known: Vec<&str> = routes.iter().copied().collect();
        let hint = hint(name, &known);
        return cursor.fail(format_args!("there is no route {}; {hint}", quoted(name)));
    }
    Ok(Scope::Route(name.into()))
}

fn tag(cursor: &Cursor<'_>) -> Read<Scope> {
    let mut tags = keys::tags(cursor)?.into_iter();
    match (tags.next(), tags.next()) {
        (Some((name, value)), None) => Ok(Scope::Tag(name, value)),
        _ => cursor.fail("needs exactly one tag, such as { tier: free }"),
    }
}
