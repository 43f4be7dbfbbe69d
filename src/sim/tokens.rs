//! Tokens as a vendor counts them (`o200k_base`), for scripts that want it so. Pure.

use crate::sim::heard::Heard;

/// What a vendor adds for each message, and once for the answer's beginning (`OpenAI`'s cookbook,
/// "How to count tokens").
const FOR_MESSAGE: u64 = 4;
const FOR_ANSWER: u64 = 3;

/// The tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    bpe_openai::o200k_base().count(text) as u64
}

/// The tokens of a prompt: of its texts, and what stands between them.
pub(crate) fn prompt(heard: &Heard) -> u64 {
    let mut tokens = FOR_ANSWER;
    heard.texts(|text| tokens = tokens.saturating_add(count(text)));
    tokens.saturating_add(heard.messages().saturating_mul(FOR_MESSAGE))
}
