//! `segue.yaml` -> checked settings. Strict, and complete: every mistake is told, with its place.

mod accounts;
mod address;
mod allotment;
mod breaker;
mod capabilities;
mod certificate;
mod cursor;
mod disk;
mod errors;
pub mod file;
mod health;
mod hedge;
mod hint;
mod hold;
mod judgement;
mod keys;
mod limits;
mod listen;
mod measure;
mod moment;
mod node;
mod passthrough;
mod path;
mod peers;
mod policy;
mod price;
mod profile;
mod proofs;
mod providers;
mod quantity;
mod quotas;
mod retries;
mod root;
mod routes;
mod samples;
mod schema;
mod secret;
mod section;
mod shared;
mod store;
mod targets;
mod tiers;
mod timeouts;
mod traces;
mod url;
mod variants;
mod written;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use self::cursor::{Cursor, Literals, Read, Reading};
use crate::edge::Settings;

pub use self::errors::{Errors, Mistake, Position};
pub use self::limits::{DRAIN, QUEUE};
pub use self::listen::ADMIN;
pub use self::measure::{show_duration, show_share, show_size, show_usd};
pub use self::peers::DNS_EVERY;
pub use self::samples::{SAMPLE_FILES, SAMPLE_SHARE, SAMPLE_SIZE};
pub use self::schema::schema;
pub use self::shared::{SHARED_PREFIX, SHARED_TIMEOUT};
pub use self::store::RETENTION;
pub use self::traces::TRACES_TIMEOUT;

/// The largest config file.
const MAX_FILE: u64 = 1 << 20;

/// Reads the config file at `path`, once, and the secrets and certificates that it names.
pub fn load(path: &Path) -> Result<Settings, Errors> {
    parse(&text(path)?, path, &|name| std::env::var(name).ok())
}

/// Where the config file at `path` keeps usage; nothing else of it need be right or in reach.
pub fn store_path(path: &Path) -> Result<Option<PathBuf>, Errors> {
    let environment = |name: &str| std::env::var(name).ok();
    read(&text(path)?, path, &environment, store::only)
}

/// Where the config file at `path` has samples go, and how many files there are of them.
pub fn samples_path(path: &Path) -> Result<Option<(PathBuf, u32)>, Errors> {
    let environment = |name: &str| std::env::var(name).ok();
    read(&text(path)?, path, &environment, samples::only)
}

fn text(path: &Path) -> Result<Zeroizing<String>, Errors> {
    let contents = disk::read(path, MAX_FILE)
        .map_err(|error| Errors::whole(path, format!("the file {error}")))?;
    match std::str::from_utf8(&contents.bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Errors::whole(path, "the file is not UTF-8")),
    }
}

/// Reads the text of a config file. `path` is for messages; relative paths in the file start at
/// its folder. `environment` looks up a variable.
pub fn parse(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, Errors> {
    read(text, path, environment, root::read)
}

fn read<T>(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    reader: impl FnOnce(&Cursor<'_>) -> Read<T>,
) -> Result<T, Errors> {
    if text.len() as u64 > MAX_FILE {
        return Err(Errors::whole(path, "the file is larger than 1024 KiB"));
    }
    let mut mistakes = Vec::new();
    let tree = match node::read(text, &mut mistakes) {
        Ok(tree) => tree,
        Err(mistake) => {
            mistakes.push(mistake);
            return Err(Errors::new(path, mistakes));
        }
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let reading = Reading {
        environment,
        folder: path.parent().unwrap_or(Path::new("")),
        now: i64::try_from(now).unwrap_or(i64::MAX),
        literals: Cell::new(Literals::Refused),
        mistakes: RefCell::new(mistakes),
    };
    let read = reader(&Cursor::root(&reading, &tree));
    let mistakes = reading.mistakes.into_inner();
    match read {
        Ok(value) if mistakes.is_empty() => Ok(value),
        _ => Err(Errors::new(path, mistakes)),
    }
}
