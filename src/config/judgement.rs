//! `verdicts`, `refusals` and `checks`: what counts as a failure, and what follows from it.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use crate::exchange::Class;
use crate::route::{Check, Choice};

const CHOICES: [(&str, Choice); 3] = [
    ("retry", Choice::Retry),
    ("fall_back", Choice::FallBack),
    ("surface", Choice::Surface),
];

const CHECKS: [(&str, Check); 2] = [("json", Check::Json), ("tools", Check::Tools)];

/// Every held answer is compared with each of them.
const MOST_TEXTS: usize = 64;
/// In characters; a longer one would be no beginning but an answer.
const LONGEST_TEXT: usize = 256;

/// Reads a route's own verdicts, by the class of the error.
pub(super) fn verdicts(cursor: &Cursor<'_>) -> Read<BTreeMap<Class, Choice>> {
    let mut section = Section::open(cursor)?;
    let read = all(Class::ALL.into_iter().map(|class| {
        let choice = section.maybe(class.name(), |cursor| cursor.choice(&CHOICES))?;
        Ok(choice.map(|choice| (class, choice)))
    }));
    section.close();
    Ok(read?.into_iter().flatten().collect())
}

/// Reads what is looked at while an answer is held; an empty list switches inherited checks off.
pub(super) fn checks(cursor: &Cursor<'_>) -> Read<Vec<Check>> {
    let mut seen = Vec::new();
    all(cursor.items()?.iter().map(|cursor| {
        let check = cursor.choice(&CHECKS)?;
        if seen.contains(&check) {
            let name = quoted(cursor.text()?);
            return cursor.fail(format_args!("the check {name} is there twice"));
        }
        seen.push(check);
        Ok(check)
    }))
}

/// Reads the beginnings of answers that are refusals.
pub(super) fn refusal_texts(cursor: &Cursor<'_>) -> Read<Vec<String>> {
    let items = cursor.some_items()?;
    if items.len() > MOST_TEXTS {
        let count = items.len();
        return cursor.fail(format_args!("{count} texts: at most {MOST_TEXTS}"));
    }
    all(items.iter().map(|cursor| {
        let text = cursor.text()?;
        if text.trim().is_empty() {
            return cursor.fail("must not be blank: many answers begin that way");
        }
        let length = text.chars().count();
        if length > LONGEST_TEXT {
            return cursor.fail(format_args!(
                "{length} characters: a text has at most {LONGEST_TEXT}"
            ));
        }
        Ok(text.to_owned())
    }))
}
