//! `variants` of a route: other targets or another policy for some callers and tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use crate::route::{Fact, Test, When};

/// The longest name of a variant.
const LONGEST_NAME: usize = 64;
/// The longest text of a condition, in bytes: longer ones are never a fact.
const LONGEST_TEXT: usize = 256;
/// Variants of one route, at most.
const MOST: usize = 32;
/// Texts of one condition, at most.
const MOST_TEXTS: usize = 64;

/// A variant whose route keys are still to be read.
pub(super) struct OpenVariant<'a> {
    pub(super) name: Read<Arc<str>>,
    pub(super) when: Read<When>,
    pub(super) section: Section<'a>,
}

/// Reads names and conditions of all variants, in the order in which they are tried.
pub(super) fn read<'a>(cursor: &Cursor<'a>) -> Read<Vec<OpenVariant<'a>>> {
    let items = cursor.some_items()?;
    if items.len() > MOST {
        return cursor.fail(format_args!("a route has at most {MOST} variants"));
    }
    let mut names = BTreeSet::new();
    all(items.iter().map(|cursor| {
        let mut section = Section::open(cursor)?;
        let name = section.required("name").and_then(|at| {
            let name = at.name(LONGEST_NAME)?;
            if !names.insert(name) {
                return at.fail(format_args!("two variants have the name {}", quoted(name)));
            }
            Ok(name)
        });
        let when = section.required("when").and_then(|at| when(&at));
        Ok(OpenVariant {
            name: name.map(Arc::from),
            when,
            section,
        })
    }))
}

/// Conditions by the facts they ask about, all of which must hold.
fn when(cursor: &Cursor<'_>) -> Read<When> {
    let named = cursor.named()?;
    let conditions = all(named.iter().map(|(name, cursor)| {
        let fact = match *name {
            "key" => Fact::Key,
            "task" => Fact::Task,
            "user" => Fact::User,
            "region" => Fact::Region,
            other => match other.strip_prefix("tag.") {
                Some(tag) if !tag.is_empty() => Fact::Tag(tag.into()),
                _ => {
                    let facts = "key, tag.NAME, task, user and region";
                    return cursor.fail_at_key(format_args!("conditions are about {facts}"));
                }
            },
        };
        Ok((fact, test(cursor)?))
    }));
    conditions.map(When)
}

/// A text, or `in` with several, or `prefix` with the beginning of one.
fn test(cursor: &Cursor<'_>) -> Read<Test> {
    if cursor.is_text() {
        return Ok(Test::In(vec![text(cursor)?]));
    }
    let mut section = Section::open_or(cursor, "a text or a map")?;
    let several = section.maybe("in", |at| {
        let items = at.some_items()?;
        if items.len() > MOST_TEXTS {
            return at.fail(format_args!("at most {MOST_TEXTS} texts"));
        }
        all(items.iter().map(text))
    });
    let prefix = section.maybe("prefix", text);
    section.close();
    match (several?, prefix?) {
        (Some(texts), None) => Ok(Test::In(texts)),
        (None, Some(prefix)) => Ok(Test::Prefix(prefix)),
        _ => cursor.fail("needs either `in` or `prefix`"),
    }
}

fn text(cursor: &Cursor<'_>) -> Read<Arc<str>> {
    match cursor.text()? {
        text if text.len() > LONGEST_TEXT => {
            cursor.fail(format_args!("at most {LONGEST_TEXT} bytes"))
        }
        text => Ok(text.into()),
    }
}
