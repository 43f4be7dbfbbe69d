//! The page to look at, whole in one file, and what a browser may do with it: run this script and
//! no other, and ask nobody but us.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page, style and script inside.
pub(super) const HTML: &str = concat!(
    include_str!("page_head.html"),
    "<style>",
    include_str!("page.css"),
    "</style>",
    include_str!("page.html"),
    "<script>",
    include_str!("page.js"),
    "</script></body></html>\n"
);

/// Its content security policy: style and script by their digests.
pub(super) fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            digest(SCRIPT),
            digest(STYLE)
        )
    });
    &POLICY
}

/// The route that a query asks for, `route=NAME`, percent-encoded. What is no UTF-8 is no name.
pub(super) fn route(query: &str) -> Option<String> {
    let mut pairs = query.split('&');
    let name = pairs.find_map(|pair| pair.strip_prefix("route="))?;
    let mut parts = name.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

/// A digest as a policy writes it (Content Security Policy Level 3, section 2.3.1).
fn digest(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text)))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 4];
        three
            .iter_mut()
            .skip(1)
            .zip(chunk)
            .for_each(|(to, byte)| *to = *byte);
        let bits = u32::from_be_bytes(three);
        for place in 0..4_u32 {
            let letter = LETTERS.get((bits >> (18 - 6 * place) & 63) as usize);
            let letter = letter.filter(|_| place as usize <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_rfc_4648_says() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(
            digest(""),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn a_route_is_decoded_and_garbage_is_none() {
        for (query, expected) in [
            ("", None),
            ("x=1", None),
            ("route=", Some("")),
            ("x=1&route=gpt-4o&y", Some("gpt-4o")),
            ("route=a%2Fb%20%C3%BC", Some("a/b ü")),
            ("route=%", None),
            ("route=%2", None),
            ("route=%zz", None),
            ("route=%ff", None),
            ("route=%é", None),
        ] {
            assert_eq!(route(query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn the_page_is_whole_without_anything_from_elsewhere() {
        for foreign in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            "innerHTML",
            " style=",
        ] {
            let own = HTML.replace("http://www.w3.org/2000/svg", "");
            assert!(!own.contains(foreign), "{foreign}");
        }
        assert_eq!(HTML.matches("<script>").count(), 1);
        assert_eq!(HTML.matches("<style>").count(), 1);
    }
}
