//! What simulated providers say, each in words of its own: so a text tells whose it is, and whether it
//! is whole.

use crate::sim::Script;
use crate::sim::script::Length;

/// Tokens of a good answer.
pub(super) const TOKENS: u64 = 40;

/// The same, counted as words.
pub(super) const WORDS: usize = 40;

/// The script of a provider that is well. `number` is its place among those of the drill.
pub(super) fn good(number: usize) -> Script {
    Script {
        tokens: Length::Tokens(TOKENS),
        ..own_words(Script::default(), number)
    }
}

/// A script, said in the words of that provider.
pub(super) fn own_words(script: Script, number: usize) -> Script {
    Script {
        canary: Some(canary(number)),
        ..script
    }
}

fn canary(number: usize) -> String {
    format!("p{number}")
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Nothing.
    Nothing,
    /// The whole good answer of a provider.
    Whole(usize),
    /// So many tokens of a provider's answer, from its beginning.
    Part(usize, usize),
    /// Something that nobody said.
    Garbled,
}

/// Finds out what a text is.
pub(super) fn recognise(text: &str) -> Text {
    let mut words = text.split(' ');
    match words.next() {
        Some("") => {}
        _ => return Text::Garbled,
    }
    let words: Vec<&str> = words.collect();
    let Some(first) = words.first() else {
        return Text::Nothing;
    };
    let speaker = first
        .strip_prefix('p')
        .and_then(|rest| rest.strip_suffix(".0"));
    let Some(number) = speaker.and_then(|number| number.parse().ok()) else {
        return Text::Garbled;
    };
    let canary = canary(number);
    let is_next = |(token, word): (usize, &&str)| **word == format!("{canary}.{token}");
    if !words.iter().enumerate().all(is_next) {
        return Text::Garbled;
    }
    if words.len() == WORDS {
        Text::Whole(number)
    } else {
        Text::Part(number, words.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scripted_text;

    #[test]
    fn a_text_tells_whose_it_is_and_whether_it_is_whole() {
        let whole = scripted_text(&good(3), 0, None).unwrap();
        assert_eq!(recognise(&whole), Text::Whole(3));
        assert_eq!(recognise(""), Text::Nothing);
        assert_eq!(recognise(" p3.0 p3.1"), Text::Part(3, 2));
        let other = scripted_text(&good(4), 0, None).unwrap();
        for garbled in [
            "x".to_owned(),
            " w0 w1".to_owned(),
            " p3.1".to_owned(),
            " p3.0 p3.2".to_owned(),
            " p3.0 p4.1".to_owned(),
            " p3.0 p3.1 ".to_owned(),
            format!("{whole}{other}"),
        ] {
            assert_eq!(recognise(&garbled), Text::Garbled, "{garbled}");
        }
    }
}
