//! Tokens counted as they are, where a guess by length is not good enough.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::units::Tokens;

/// Whether the encoding's tables are there: reading them takes a tenth of a second, which no
/// exchange has to wait for.
static TABLES: AtomicU8 = AtomicU8::new(ABSENT);
const ABSENT: u8 = 0;
const COMING: u8 = 1;
const THERE: u8 = 2;

/// Reads the encoding's tables, and takes that time for it.
pub fn load() {
    bpe_openai::o200k_base();
    TABLES.store(THERE, Ordering::Release);
}

/// Tokens of a text, as [`count`] has them. As long as the tables are not there, a guess by its
/// letters, and they are sent for.
pub fn tokens(text: &str) -> Tokens {
    let claim = TABLES.compare_exchange(ABSENT, COMING, Ordering::Acquire, Ordering::Acquire);
    match claim {
        Err(THERE) => Tokens(count(text)),
        Ok(_) => {
            let loader = std::thread::Builder::new().name("tokenizer".to_owned());
            if loader.spawn(load).is_err() {
                TABLES.store(ABSENT, Ordering::Release);
            }
            guess(text)
        }
        Err(_) => guess(text),
    }
}

/// Two letters in nine are a token's first in English; of other scripts most of them are.
fn guess(text: &str) -> Tokens {
    let (mut plain, mut accented, mut other) = (0_u64, 0_u64, 0_u64);
    for letter in text.chars() {
        match letter {
            '\0'..='\u{7f}' => plain += 1,
            '\u{80}'..='\u{7ff}' => accented += 1,
            _ => other += 1,
        }
    }
    Tokens((plain * 2).div_ceil(9) + accented.div_ceil(2) + (other * 3).div_ceil(4))
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

    #[test]
    fn a_guess_is_not_far_off() {
        for text in [
            include_str!("../../docs/fallback.md"),
            include_str!("tokens.rs"),
            "Die Rechnung wird am Ende jedes Monats verschickt; Änderungen gelten später.",
            "請求書は毎月末に送付されます。お急ぎの場合は、ページからダウンロードしてください。",
        ] {
            let (guess, count) = (guess(text).0, count(text));
            assert!(guess.abs_diff(count) * 3 <= count, "{guess} {count}");
        }
    }

    #[test]
    fn what_was_guessed_is_counted_once_the_tables_are_there() {
        load();
        assert_eq!(tokens("tiktoken is great!"), Tokens(6));
    }
}
