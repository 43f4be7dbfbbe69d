//! `accounts.store`: where usage is kept, for how long, and what holds when that fails.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::path::quoted;
use super::section::Section;
use crate::account::store::{OnFailure, StoreSettings};

/// How long single exchanges are kept.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

const RETENTION_DAYS: RangeInclusive<u64> = 1..=3_650;

/// The folder that systemd gives a service, by `StateDirectory=`; several are divided by colons.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// The folder where there is no other word.
const FOLDER: &str = "/var/lib/segue";

/// The file's name in either.
const FILE: &str = "usage.db";

const ON_FAILURE: [(&str, OnFailure); 2] =
    [("continue", OnFailure::Continue), ("stop", OnFailure::Stop)];

/// Reads the key `store` of a section. Without it there is a store where the process was given a
/// folder for its state.
pub(super) fn read(section: &mut Section<'_>, root: &Cursor<'_>) -> Read<Option<StoreSettings>> {
    match section.optional("store") {
        Some(cursor) => store(&cursor),
        None => Ok(shipped(root)),
    }
}

/// The store of a file that says nothing of it.
pub(super) fn shipped(root: &Cursor<'_>) -> Option<StoreSettings> {
    state_folder(root).map(|folder| StoreSettings {
        path: folder.join(FILE),
        retention: RETENTION,
        on_failure: OnFailure::default(),
    })
}

fn store(cursor: &Cursor<'_>) -> Read<Option<StoreSettings>> {
    if cursor.is_text() {
        return cursor.choice(&[("off", None::<()>)]).map(|_| None);
    }
    let mut section = Section::open_or(cursor, "off or a map")?;
    let folder = state_folder(cursor).unwrap_or_else(|| FOLDER.into());
    let path = section.or("path", folder.join(FILE), path);
    let retention = section.or("retention", RETENTION, days);
    let on_failure = section.or("on_failure", OnFailure::default(), |at| {
        at.choice(&ON_FAILURE)
    });
    section.close();
    Ok(Some(StoreSettings {
        path: path?,
        retention: retention?,
        on_failure: on_failure?,
    }))
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

/// A whole number of days.
fn days(cursor: &Cursor<'_>) -> Read<Duration> {
    let text = cursor.scalar("a number of days such as 30d")?;
    let number = text.strip_suffix('d').map(str::parse::<u64>);
    match number {
        Some(Ok(days)) if RETENTION_DAYS.contains(&days) => Ok(Duration::from_hours(days * 24)),
        Some(Ok(_)) => cursor.fail(format_args!(
            "{text} is out of range: {}d to {}d",
            RETENTION_DAYS.start(),
            RETENTION_DAYS.end()
        )),
        _ => cursor.fail(format_args!(
            "{} is not a number of days: write a whole number and d, such as 30d",
            quoted(text)
        )),
    }
}

fn state_folder(cursor: &Cursor<'_>) -> Option<PathBuf> {
    let folders = (cursor.reading.environment)(STATE_DIRECTORY)?;
    let first = folders.split(':').next().unwrap_or_default();
    Path::new(first).is_absolute().then(|| first.into())
}

/// The store that a file names, and nothing else of it: its secrets may be out of reach for whoever
/// only wants to read.
pub(super) fn only(root: &Cursor<'_>) -> Read<Option<PathBuf>> {
    let mut section = Section::open(root)?;
    let store = match section.optional("accounts") {
        Some(accounts) => read(&mut Section::open(&accounts)?, root)?,
        None => shipped(root),
    };
    let standard = || Path::new(FOLDER).join(FILE);
    let is_silent = section
        .optional("accounts")
        .is_none_or(|accounts| !accounts.key_names().contains(&"store"));
    // Who reads is as a rule not the service, and was given no folder.
    Ok(match store {
        Some(store) => Some(store.path),
        None if is_silent => Some(standard()),
        None => None,
    })
}
