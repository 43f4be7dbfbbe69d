//! Pictures and files as blocks.

use std::borrow::Cow;

use serde::Serialize;

use crate::dialect::ask::Unfit;
use crate::exchange::{self, Need};

const PDF: &str = "application/pdf";
/// How the base64 of each kind of picture begins. Clients lie about the type, and the API checks.
const BEGINNINGS: [(&str, &str); 4] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
];

/// The field `source`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: &'a str,
    },
    Url {
        url: &'a str,
    },
    Text {
        media_type: &'a str,
        data: Cow<'a, str>,
    },
}

/// Where a picture is.
pub(super) fn image<'a>(source: &'a exchange::Source<'a>) -> Result<Source<'a>, Unfit> {
    match source {
        exchange::Source::Inline { media_type, data } => {
            let media_type = picture(media_type, data).ok_or(Unfit::Lacks(Need::Images))?;
            Ok(Source::Base64 { media_type, data })
        }
        exchange::Source::Url(url) => Ok(Source::Url { url }),
        exchange::Source::Text(_) => Err(Unfit::Lacks(Need::Images)),
    }
}

/// Where a file is.
pub(super) fn document<'a>(source: &'a exchange::Source<'a>) -> Result<Source<'a>, Unfit> {
    match source {
        exchange::Source::Inline { media_type, data } if bare(media_type) == PDF => {
            Ok(Source::Base64 {
                media_type: PDF,
                data,
            })
        }
        exchange::Source::Url(url) => Ok(Source::Url { url }),
        exchange::Source::Text(text) => Ok(Source::Text {
            media_type: "text/plain",
            data: Cow::Borrowed(text),
        }),
        exchange::Source::Inline { .. } => Err(Unfit::Lacks(Need::Documents)),
    }
}

/// What kind of picture it is: what it looks like goes before what it is called.
fn picture(media_type: &str, data: &str) -> Option<&'static str> {
    let looks = BEGINNINGS.iter().find(|(begin, _)| data.starts_with(begin));
    looks.map(|(_, kind)| *kind).or(match &*bare(media_type) {
        "image/png" => Some("image/png"),
        "image/jpeg" | "image/jpg" | "image/pjpeg" => Some("image/jpeg"),
        "image/gif" => Some("image/gif"),
        "image/webp" => Some("image/webp"),
        _ => None,
    })
}

/// A media type without its parameters.
fn bare(media_type: &str) -> String {
    let bare = media_type.split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}
