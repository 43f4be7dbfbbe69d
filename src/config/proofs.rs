//! What proves a key: secrets or digests, each of which may have an end of its own.

use std::sync::Arc;

use super::cursor::{Cursor, Read, all};
use super::moment;
use super::secret;
use super::section::Section;
use crate::account::{Digest, Proof};

/// The digests so far, and where each is written.
pub(super) type Taken = Vec<(Digest, Arc<str>)>;

/// How a digest is written.
#[derive(Clone, Copy)]
enum Form {
    /// By the secret itself.
    Secret,
    /// By its digest.
    Digest,
}

impl Form {
    /// Its key within an item of a list.
    fn key(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Digest => "digest",
        }
    }
}

/// How many there can be.
#[derive(Clone, Copy)]
enum Count {
    One,
    Several,
}

/// Reads what proves the key at `cursor`: exactly one of the four forms.
pub(super) fn read(
    section: &mut Section<'_>,
    cursor: &Cursor<'_>,
    taken: &mut Taken,
) -> Read<Vec<Proof>> {
    let mut given = Vec::new();
    for (one, several, form) in [
        ("secret", "secrets", Form::Secret),
        ("digest", "digests", Form::Digest),
    ] {
        given.extend(section.optional(one).map(|at| (at, form, Count::One)));
        given.extend(
            section
                .optional(several)
                .map(|at| (at, form, Count::Several)),
        );
    }
    let [(at, form, count)] = given.as_slice() else {
        return cursor.fail_at_key("needs one of `secret`, `secrets`, `digest`, `digests`");
    };
    match count {
        Count::One => Ok(vec![lasting(at, *form, taken)?]),
        Count::Several => all(at.some_items()?.iter().map(|item| {
            if item.is_map() {
                return dated(item, *form, taken);
            }
            lasting(item, *form, taken)
        })),
    }
}

/// One that proves its key as long as it is in the file.
fn lasting(cursor: &Cursor<'_>, form: Form, taken: &mut Taken) -> Read<Proof> {
    Ok(Proof {
        digest: digest(cursor, form, taken)?,
        not_after: None,
    })
}

/// One with an end, so that the next takes over without a gap.
fn dated(cursor: &Cursor<'_>, form: Form, taken: &mut Taken) -> Read<Proof> {
    let mut section = Section::open(cursor)?;
    let digest = section
        .required(form.key())
        .and_then(|cursor| digest(&cursor, form, taken));
    let not_after = section.maybe("not_after", moment::end);
    section.close();
    Ok(Proof {
        digest: digest?,
        not_after: not_after?,
    })
}

fn digest(cursor: &Cursor<'_>, form: Form, taken: &mut Taken) -> Read<Digest> {
    let digest = match form {
        Form::Secret => Digest::of(secret::read(cursor)?.expose().as_bytes()),
        Form::Digest => written_digest(cursor)?,
    };
    if let Some((_, path)) = taken.iter().find(|(other, _)| *other == digest) {
        return cursor.fail(format_args!("the same secret as {path}"));
    }
    taken.push((digest, cursor.path().into()));
    Ok(digest)
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
