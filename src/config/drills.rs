//! `drills`: whether callers may ask for trouble, and which.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cursor::{Cursor, Read, all};
use super::hint::hint;
use super::path::quoted;
use super::section::Section;
use crate::account::Keys;
use crate::edge::Drills;

/// Reads the section. Where there are keys, those that may are named. `callers` is `None` where the
/// keys have mistakes of their own.
pub(super) fn read(cursor: &Cursor<'_>, callers: Option<&Keys>) -> Read<Drills> {
    let mut section = Section::open(cursor)?;
    let allowed = section.or("allow_header", false, Cursor::boolean);
    let keys = section.maybe("keys", |cursor| match callers {
        Some(callers) => Ok(Some(names(cursor, callers)?)),
        None => Ok(None),
    });
    section.close();
    let (allowed, keys) = (allowed?, keys?.flatten());
    let has_keys = callers.is_some_and(|callers| !callers.is_empty());
    match (allowed, keys) {
        (false, _) => Ok(Drills::Off),
        (true, Some(keys)) => Ok(Drills::Of(keys)),
        (true, None) if has_keys => {
            cursor.fail("name the keys that may: `keys`, a list of names of `keys`")
        }
        (true, None) => Ok(Drills::Anybody),
    }
}

fn names(cursor: &Cursor<'_>, callers: &Keys) -> Read<BTreeSet<Arc<str>>> {
    let known: Vec<&str> = callers.iter().map(|key| &*key.name).collect();
    let names = all(cursor.some_items()?.iter().map(|cursor| {
        let name = cursor.text()?;
        if known.contains(&name) {
            return Ok(Arc::from(name));
        }
        let hint = hint(name, &known);
        cursor.fail(format_args!("there is no key {}; {hint}", quoted(name)))
    }))?;
    Ok(names.into_iter().collect())
}
