//! Where a picture or a file is: a data URL taken apart, or an address.

use std::borrow::Cow;

use crate::exchange::Source;

/// What base64 of a known kind of file begins with (the formats' magic numbers). Clients name the
/// wrong type, and some providers look.
const BEGINS: [(&str, &str); 5] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
];

/// The source that an `image_url` or a `file_data` names; `None` for a data URL that is neither
/// base64 nor plain text.
pub(super) fn source(url: Cow<'_, str>) -> Option<Source<'_>> {
    let Some(parts) = DataUrl::split(&url) else {
        return Some(Source::Url(url));
    };
    let media_type = parts.media_type();
    if !parts.base64 {
        let text = unescaped(parts.data)?;
        return media_type
            .starts_with("text/")
            .then_some(Source::Text(Cow::Owned(text)));
    }
    let offset = url.len() - parts.data.len();
    Some(Source::Inline {
        media_type,
        data: from(url, offset)?,
    })
}

/// Base64 that stands alone, of a type that its beginning tells.
pub(super) fn bare(data: Cow<'_, str>) -> Source<'_> {
    let media_type = Cow::Borrowed(sniffed(&data).unwrap_or("application/pdf"));
    Source::Inline { media_type, data }
}

fn sniffed(data: &str) -> Option<&'static str> {
    BEGINS
        .iter()
        .find(|(begin, _)| data.starts_with(begin))
        .map(|(_, media_type)| *media_type)
}

fn from(text: Cow<'_, str>, offset: usize) -> Option<Cow<'_, str>> {
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(offset..)?),
        Cow::Owned(text) => Cow::Owned(text.get(offset..)?.to_owned()),
    })
}

/// `data:image/png;charset=x;base64,…` (RFC 2397); scheme and type in any case.
struct DataUrl<'a> {
    named: &'a str,
    base64: bool,
    data: &'a str,
}

impl<'a> DataUrl<'a> {
    fn split(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_at_checked("data:".len())?;
        if !scheme.eq_ignore_ascii_case("data:") {
            return None;
        }
        let (head, data) = rest.split_once(',')?;
        let mut words = head.split(';').map(str::trim);
        Some(Self {
            named: words.next().unwrap_or_default(),
            base64: words.any(|word| word.eq_ignore_ascii_case("base64")),
            data,
        })
    }

    /// By what the data begins with, else as it says.
    fn media_type<'t>(&self) -> Cow<'t, str> {
        if let Some(known) = sniffed(self.data).filter(|_| self.base64) {
            return Cow::Borrowed(known);
        }
        Cow::Owned(match self.named.to_ascii_lowercase().as_str() {
            "" => "text/plain".to_owned(),
            "image/jpg" => "image/jpeg".to_owned(),
            named => named.to_owned(),
        })
    }
}

/// Percent-encoding undone; `None` if the result is no text.
fn unescaped(data: &str) -> Option<String> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = coded {
            out.push(high << 4 | low);
            rest = rest.get(3..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(media_type: &'static str, data: &'static str) -> Source<'static> {
        Source::Inline {
            media_type: media_type.into(),
            data: data.into(),
        }
    }

    #[test]
    fn a_data_url_may_be_written_in_many_ways() {
        for (url, expected) in [
            (
                "data:image/png;base64,QUJD",
                Some(inline("image/png", "QUJD")),
            ),
            (
                "DATA:Image/PNG;Base64,QUJD",
                Some(inline("image/png", "QUJD")),
            ),
            (
                "data:image/webp;charset=utf-8; base64,QQ==",
                Some(inline("image/webp", "QQ==")),
            ),
            (
                "data:image/jpg;base64,QUJD",
                Some(inline("image/jpeg", "QUJD")),
            ),
            (
                "data:image/jpeg;base64,iVBORw0KGgoAAA",
                Some(inline("image/png", "iVBORw0KGgoAAA")),
            ),
            (
                "data:;base64,JVBERi0xLjQK",
                Some(inline("application/pdf", "JVBERi0xLjQK")),
            ),
            ("data:;base64,QUJD", Some(inline("text/plain", "QUJD"))),
            (
                "data:text/plain,a%20b%2",
                Some(Source::Text("a b%2".into())),
            ),
            ("data:,a", Some(Source::Text("a".into()))),
            ("data:image/svg+xml,%3Csvg%2F%3E", None),
            ("data:text/plain,%ff", None),
            (
                "https://a.example/x.png",
                Some(Source::Url("https://a.example/x.png".into())),
            ),
            ("data:image/png", Some(Source::Url("data:image/png".into()))),
            ("", Some(Source::Url("".into()))),
        ] {
            assert_eq!(source(url.into()), expected, "{url}");
            assert_eq!(source(url.to_owned().into()), expected, "{url}");
        }
    }

    #[test]
    fn a_picture_is_not_copied() {
        let url = "data:image/png;base64,QUJD";
        let Some(Source::Inline { data, .. }) = source(url.into()) else {
            unreachable!("it is inline");
        };
        assert!(matches!(data, Cow::Borrowed(_)));
    }
}
