//! Takes out of a text what nobody is to read: keys always, then what the config's patterns match.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::secret::Secret;

/// What stands in the place of what was taken out.
const MASK: &str = "***";

/// What looks like a key wherever it stands.
const KEYS: [&str; 3] = [
    r"(?i)\bsk-[a-z0-9_\-]{8,}",
    r"(?i)\bbearer\s+[a-z0-9_\-.~+/=]{4,}",
    r#"(?i)["'\\]*\b(?:x-)?(?:goog-)?api[-_]?key["'\\]*\s*[:=]\s*["'\\]*[a-z0-9_\-.~+/=]{8,}"#,
];

/// The shortest credential that is looked for as it is: a shorter one is in any text.
const SHORTEST: usize = 6;

/// A compiled pattern, in bytes.
const COMPILED: usize = 1 << 20;

/// A pattern of the config.
#[derive(Clone)]
pub struct Pattern(Regex);

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadPattern {
    /// It is no regular expression, or too large a one.
    #[error("{0}")]
    Syntax(String),
    /// It matches nothing at all, which is everywhere.
    #[error("it matches the empty text, which is everywhere")]
    Empty,
}

impl Pattern {
    /// Compiles a pattern. Matching takes time in proportion to the text, whatever the pattern.
    ///
    /// # Errors
    /// One that is wrong, too large, or would match everywhere.
    pub fn compile(text: &str) -> Result<Self, BadPattern> {
        let compiled = RegexBuilder::new(text)
            .size_limit(COMPILED)
            .dfa_size_limit(COMPILED)
            .build();
        let compiled = compiled.map_err(|error| BadPattern::Syntax(last_line(&error)))?;
        if compiled.is_match("") {
            return Err(BadPattern::Empty);
        }
        Ok(Self(compiled))
    }
}

/// What is wrong, without the picture of the place.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Takes out of texts what nobody is to read.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
    keys: Vec<Regex>,
    patterns: Vec<Pattern>,
}

impl Redactor {
    /// One for these credentials, for keys of any kind, and for these patterns.
    pub fn new(credentials: impl IntoIterator<Item = Secret>, patterns: Vec<Pattern>) -> Self {
        Self {
            secrets: credentials.into_iter().filter(is_long).collect(),
            keys: KEYS.iter().filter_map(|key| Regex::new(key).ok()).collect(),
            patterns,
        }
    }

    /// The text without them, and without `own`, which is the caller's credential.
    pub(super) fn redact(&self, text: &str, own: Option<&Secret>, most: usize) -> String {
        let mut text = text.to_owned();
        let own = own.filter(|own| is_long(own));
        for secret in self.secrets.iter().chain(own) {
            let secret = secret.expose();
            if text.contains(secret) {
                text = text.replace(secret, MASK);
            }
            cut_beginning(&mut text, secret);
        }
        let patterns = self.patterns.iter().map(|Pattern(pattern)| pattern);
        for pattern in self.keys.iter().chain(patterns) {
            let masked = pattern.replace_all(&text, MASK);
            if let std::borrow::Cow::Owned(masked) = masked {
                text = masked;
            }
            // A mask is longer than the shortest match: the text must not grow with each pattern.
            text.truncate(text.floor_char_boundary(most));
        }
        text
    }
}

fn is_long(secret: &Secret) -> bool {
    secret.expose().len() >= SHORTEST
}

/// Takes the beginning of a secret off the end of a text that was cut inside it.
fn cut_beginning(text: &mut String, secret: &str) {
    let longest = secret.len().saturating_sub(1);
    for length in (SHORTEST..=longest).rev() {
        let beginning = secret.get(..length);
        if let Some(rest) = beginning.and_then(|beginning| text.strip_suffix(beginning)) {
            text.truncate(rest.len());
            text.push_str(MASK);
            return;
        }
    }
}

/// A pattern may quote what it is to hide.
impl fmt::Debug for Redactor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Redactor({} patterns)", self.patterns.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    fn redactor(patterns: &[&str]) -> Redactor {
        let patterns = patterns.iter().map(|text| Pattern::compile(text).unwrap());
        let ours = Secret::new("provider-credential".to_owned());
        Redactor::new([ours], patterns.collect())
    }

    #[test]
    fn keys_of_any_kind_are_taken_out() {
        let own = Secret::new("client+key/1".to_owned());
        for (text, expected) in [
            ("a client+key/1 b client+key/1", "a *** b ***"),
            ("provider-credential", "***"),
            ("cut: provider-cre", "cut: ***"),
            ("{\"k\":\"sk-proj-A1b2C3d4_e5\"}", "{\"k\":\"***\"}"),
            ("authorization: bearer abc.DEF==", "authorization: ***"),
            ("risk-adjusted-returns", "risk-adjusted-returns"),
            ("the bearer of an id", "the bearer of an id"),
        ] {
            let told = redactor(&[]).redact(text, Some(&own), MOST);
            assert_eq!(told, expected);
        }
        for text in [
            "{\"api_key\":\"abcdefgh1234\"}",
            "{\\\"api-key\\\": \\\"abcdefgh1234\\\"}",
            "x-api-key: abcdefgh1234",
            "?APIKEY=abcdefgh1234",
        ] {
            let told = redactor(&[]).redact(text, None, MOST);
            assert!(!told.contains("abcdefgh"), "{told}");
        }
    }

    #[test]
    fn patterns_come_after_the_keys_and_never_make_a_text_longer_than_it_may_be() {
        let redactor = redactor(&[r"\b\d{4}\b", "(?i)iban", r"\*", r"\*", r"\*"]);
        assert_eq!(redactor.redact("IBAN", None, 9), "*********");
        let told = redactor.redact(&"1234 ".repeat(1000), None, MOST);
        assert!(told.len() <= MOST && !told.contains('1'));
    }

    #[test]
    fn a_bad_pattern_is_refused_with_its_reason() {
        for (text, reason) in [
            ("(", "unclosed group"),
            ("a*", "it matches the empty text, which is everywhere"),
            ("a{1000}{1000}{1000}", "size limit"),
        ] {
            let error = Pattern::compile(text).err().unwrap().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", redactor(&["canary"]));
        assert_eq!(printed, "Redactor(1 patterns)");
    }
}
