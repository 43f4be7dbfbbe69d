//! Tokens counted as they are, where a guess by length is not good enough.

use crate::units::Tokens;

/// Tokens of a text, as [`count`] has them.
pub fn tokens(text: &str) -> Tokens {
    Tokens(count(text))
}

/// Tokens of a text in `o200k_base`, the encoding of `OpenAI`'s models since gpt-4o. Others count
/// alike within some tens of per cent.
pub(super) fn count(text: &str) -> u64 {
    u64::try_from(bpe_openai::o200k_base().count(text)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_count_as_the_vendor_counts_them() {
        for (text, tokens) in [
            ("", 0),
            ("hello world", 2),
            ("tiktoken is great!", 6),
            ("お誕生日おめでとう", 8),
        ] {
            assert_eq!(count(text), tokens, "{text}");
        }
    }
}
