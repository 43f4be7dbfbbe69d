//! Ids of tool calls as this format takes them.

use std::borrow::Cow;

/// The longest id that is left as it is: longer than any vendor's own.
const LONGEST: usize = 64;
/// What is kept of the letters of an id that is rewritten; the digest of 16 digits follows.
const KEPT: usize = LONGEST - 17;

/// The id itself where it is of the alphabet that the API takes (`^[a-zA-Z0-9_-]+$`), else one that
/// is: a pure function of it, so that calls and results of all later turns still pair up.
pub(super) fn fit(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST && !id.is_empty() && id.bytes().all(is_plain) {
        return Cow::Borrowed(id);
    }
    let letters: String = id.chars().take(KEPT).map(plain).collect();
    Cow::Owned(format!("{letters}_{:016x}", digest(id.as_bytes())))
}

/// An id for a call that came without one: the answer's own id and the call's place in it.
pub(super) fn made_up(answer: &str, place: u32) -> String {
    let letters: String = answer.chars().take(KEPT).map(plain).collect();
    format!("toolu_{letters}_{place}")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn plain(letter: char) -> char {
    match u8::try_from(letter) {
        Ok(byte) if is_plain(byte) => letter,
        _ => '_',
    }
}

/// FNV-1a: the same in every build and on every machine, unlike the standard library's hasher.
fn digest(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ids_stay_and_others_become_good_ones_that_differ() {
        for id in ["toolu_01A", "call_a1-B2", "a", &"x".repeat(64)] {
            assert_eq!(fit(id), id);
            assert!(matches!(fit(id), Cow::Borrowed(_)));
        }
        let bad = [
            "functions.Bash:0",
            "functions.Bash:1",
            "functions_Bash:0",
            "",
            "é",
            "a b",
            &"x".repeat(65),
            &"x".repeat(900),
        ];
        let fitted: Vec<_> = bad.iter().map(|id| fit(id).into_owned()).collect();
        for (at, id) in fitted.iter().enumerate() {
            assert!(id.len() <= LONGEST && id.bytes().all(is_plain), "{id}");
            assert!(!fitted[..at].contains(id), "{id}");
            assert_eq!(fit(id), *id);
        }
        assert!(fit("functions.Bash:0").starts_with("functions_Bash_0_"));
        assert_eq!(digest(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn a_made_up_id_is_a_good_one() {
        assert_eq!(made_up("req-1.2", 3), "toolu_req-1_2_3");
        assert!(made_up(&"é".repeat(99), u32::MAX).bytes().all(is_plain));
    }
}
