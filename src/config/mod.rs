//! `segue.yaml` -> checked settings. Strict, and complete: every mistake is told, with its place.

mod accounts;
mod address;
mod allotment;
mod breaker;
mod capabilities;
mod certificate;
mod cursor;
mod disk;
mod drills;
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
mod seen;
mod shared;
mod store;
mod targets;
mod tiers;
mod timeouts;
mod traces;
mod url;
mod variants;
mod watch;
mod written;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use self::cursor::{Cursor, Literals, Read, Reading};
use crate::edge::Settings;

pub use self::errors::{Errors, Mistake, Position};
pub use self::limits::{DRAIN, LEVEL, QUEUE};
pub use self::listen::ADMIN;
pub use self::measure::{show_duration, show_share, show_size, show_usd};
pub use self::peers::DNS_EVERY;
pub use self::samples::{SAMPLE_FILES, SAMPLE_SHARE, SAMPLE_SIZE};
pub use self::schema::schema;
pub use self::seen::Seen;
pub use self::shared::{SHARED_PREFIX, SHARED_TIMEOUT};
pub use self::store::RETENTION;
pub use self::traces::TRACES_TIMEOUT;

/// The largest config file.
const MAX_FILE: u64 = 1 << 20;

/// Reads the config file at `path`, once, and the secrets and certificates that it names.
pub fn load(path: &Path) -> Result<Settings, Errors> {
    load_seen(path).0
}

/// The same, with variables from elsewhere than the environment.
pub fn load_with(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, Errors> {
    from_file(path, environment, root::read).0
}

/// The same, and how the files were that it read or missed, whatever came of it.
pub fn load_seen(path: &Path) -> (Result<Settings, Errors>, Seen) {
    from_file(path, &variable, root::read)
}

/// Where the config file at `path` keeps usage; nothing else of it need be right or in reach.
pub fn store_path(path: &Path) -> Result<Option<PathBuf>, Errors> {
    from_file(path, &variable, store::only).0
}

/// Where the config file at `path` has samples go, and how many files there are of them.
pub fn samples_path(path: &Path) -> Result<Option<(PathBuf, u32)>, Errors> {
    from_file(path, &variable, samples::only).0
}

/// Where the process that the config file at `path` is for can be asked how it is; `None` without
/// an admin listener.
pub fn admin_address(path: &Path) -> Result<Option<SocketAddr>, Errors> {
    let admin = from_file(path, &variable, listen::admin_only).0?;
    Ok(admin.address)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn from_file<T>(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    reader: impl FnOnce(&Cursor<'_>) -> Read<T>,
) -> (Result<T, Errors>, Seen) {
    let seen = RefCell::default();
    let text = match text(path, &seen) {
        Ok(text) => text,
        Err(errors) => return (Err(errors), seen.into_inner()),
    };
    read(&text, path, environment, seen.into_inner(), reader)
}

fn text(path: &Path, seen: &RefCell<Seen>) -> Result<Zeroizing<String>, Errors> {
    let contents = disk::read(path, MAX_FILE, seen)
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
    read(text, path, environment, Seen::default(), root::read).0
}

fn read<T>(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    seen: Seen,
    reader: impl FnOnce(&Cursor<'_>) -> Read<T>,
) -> (Result<T, Errors>, Seen) {
    if text.len() as u64 > MAX_FILE {
        let errors = Errors::whole(path, "the file is larger than 1024 KiB");
        return (Err(errors), seen);
    }
    let mut mistakes = Vec::new();
    let tree = match node::read(text, &mut mistakes) {
        Ok(tree) => tree,
        Err(mistake) => {
            mistakes.push(mistake);
            return (Err(Errors::new(path, mistakes)), seen);
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
        seen: RefCell::new(seen),
        mistakes: RefCell::new(mistakes),
    };
    let read = reader(&Cursor::root(&reading, &tree));
    let mistakes = reading.mistakes.into_inner();
    let read = match read {
        Ok(value) if mistakes.is_empty() => Ok(value),
        _ => Err(Errors::new(path, mistakes)),
    };
    (read, reading.seen.into_inner())
}
