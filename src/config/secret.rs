//! Where a secret is written, and fetching it from there. No message ever shows a value.

use std::path::{Component, Path};

use zeroize::Zeroizing;

use super::cursor::{Cursor, Literals, Read};
use super::disk::{self, FileError};
use super::path::quoted;
use crate::secret::Secret;

/// The largest file of a secret.
const MAX_FILE: u64 = 64 << 10;

/// Where systemd puts credentials. Each is readable by its service only, through the folder's
/// permissions and an ACL, whatever the group bits say (systemd.exec(5), `LoadCredential=`).
const SYSTEMD: &str = "/run/credentials/";

/// How a secret may look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Without spaces.
    Word,
    /// With single spaces between words, as in `Basic …`.
    Words,
}

/// Reads `env:NAME`, `file:PATH` or, where allowed, the value itself.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Secret> {
    written(cursor, Form::Word)
}

/// The same for a whole header value, in which there may be spaces.
pub(super) fn words(cursor: &Cursor<'_>) -> Read<Secret> {
    written(cursor, Form::Words)
}

fn written(cursor: &Cursor<'_>, form: Form) -> Read<Secret> {
    let text = cursor.text()?;
    if let Some(name) = text.strip_prefix("env:") {
        return from_environment(cursor, name, form);
    }
    if let Some(path) = text.strip_prefix("file:") {
        return from_file(cursor, path, form);
    }
    match cursor.reading.literals.get() {
        Literals::Allowed => checked(cursor, "the secret", text, form),
        Literals::Refused => cursor.fail(
            "a secret in the file itself is refused: \
             write env:NAME or file:PATH, or set `allow_literal_secrets: true`",
        ),
    }
}

fn from_environment(cursor: &Cursor<'_>, name: &str, form: Form) -> Read<Secret> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(letters) {
        return cursor.fail("after env: comes a name of ASCII letters, digits and _");
    }
    let Some(value) = (cursor.reading.environment)(name) else {
        return cursor.fail(format_args!("the environment variable {name} is not set"));
    };
    checked(
        cursor,
        &format!("the environment variable {name}"),
        &Zeroizing::new(value),
        form,
    )
}

fn from_file(cursor: &Cursor<'_>, path: &str, form: Form) -> Read<Secret> {
    if path.is_empty() || path.contains('\0') {
        return cursor.fail("after file: comes a path");
    }
    let path = cursor.reading.folder.join(path);
    let shown = quoted(&path.display().to_string());
    let contents = match disk::read(&path, MAX_FILE, &cursor.reading.seen) {
        Ok(contents) => contents,
        Err(FileError::Io(error)) => {
            return cursor.fail(format_args!("the file {shown} cannot be read: {error}"));
        }
        Err(error) => return cursor.fail(format_args!("the file {shown} {error}")),
    };
    if !is_private(&path, contents.mode) {
        return cursor.fail(format_args!(
            "the file {shown} has mode {:04o}: it must be its owner's alone, such as 0600",
            contents.mode
        ));
    }
    let Ok(text) = std::str::from_utf8(&contents.bytes) else {
        return cursor.fail(format_args!("the file {shown} {NOT_VISIBLE}"));
    };
    let line = text.strip_suffix('\n').unwrap_or(text);
    checked(
        cursor,
        &format!("the file {shown}"),
        line.strip_suffix('\r').unwrap_or(line),
        form,
    )
}

const NOT_VISIBLE: &str = "must hold visible ASCII only, without spaces";

/// A secret goes into a header: anything but visible ASCII is a slip of copy and paste.
fn checked(cursor: &Cursor<'_>, source: &str, value: &str, form: Form) -> Read<Secret> {
    if value.is_empty() {
        return cursor.fail(format_args!("{source} is empty"));
    }
    let is_visible =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    match form {
        Form::Word if !is_visible(value) => {
            return cursor.fail(format_args!("{source} {NOT_VISIBLE}"));
        }
        Form::Words if !value.split(' ').all(is_visible) => {
            return cursor.fail(format_args!(
                "{source} must hold visible ASCII only, with single spaces between words"
            ));
        }
        Form::Word | Form::Words => {}
    }
    Ok(Secret::new(value.to_owned()))
}

/// Whether nobody but the owner, or a systemd service, can read or write it.
fn is_private(path: &Path, mode: u32) -> bool {
    let strays = path.components().any(|part| part == Component::ParentDir);
    let by_systemd = path.starts_with(SYSTEMD) && !strays;
    let shared = mode & 0o077;
    shared == 0 || (by_systemd && shared & !0o040 == 0 && mode & 0o700 == 0o400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_its_owners_alone() {
        let other = Path::new("/etc/segue/key");
        for mode in [0o600, 0o400, 0o700] {
            assert!(is_private(other, mode), "{mode:o}");
        }
        for mode in [
            0o640, 0o440, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777,
        ] {
            assert!(!is_private(other, mode), "{mode:o}");
        }
    }

    #[test]
    fn systemd_may_show_a_credential_to_its_services_group() {
        let credential = Path::new("/run/credentials/segue.service/key");
        assert!(is_private(credential, 0o400) && is_private(credential, 0o440));
        for mode in [0o640, 0o444, 0o460, 0o450] {
            assert!(!is_private(credential, mode), "{mode:o}");
        }
        let stray = Path::new("/run/credentials/../../tmp/key");
        assert!(!is_private(stray, 0o440));
    }
}
