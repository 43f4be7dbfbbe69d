//! What a picture is by its first bytes: clients lie about it, and providers look.

/// The media type of a picture in base64; `None` if it is none that providers know.
pub(crate) fn media_type(base64: &str) -> Option<&'static str> {
    let head = decode(base64.as_bytes().get(..16).unwrap_or(base64.as_bytes()))?;
    let is = |start: &[u8]| head.starts_with(start);
    if is(b"\x89PNG") {
        Some("image/png")
    } else if is(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if is(b"GIF8") {
        Some("image/gif")
    } else if is(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

/// Base64 (RFC 4648 section 4), padding or not; bits that make no byte are left out.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.iter().copied().take_while(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        let cases = [
            ("iVBORw0KGgo=", Some("image/png")),
            ("/9j/4AAQSkZJRg==", Some("image/jpeg")),
            ("R0lGODlhAQABAAAAACw=", Some("image/gif")),
            ("UklGRiQAAABXRUJQVlA4", Some("image/webp")),
            ("aGVsbG8=", None),
            ("####", None),
            ("", None),
        ];
        for (base64, expected) in cases {
            assert_eq!(media_type(base64), expected, "{base64}");
        }
    }
}
