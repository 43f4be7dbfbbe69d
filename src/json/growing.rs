//! A document that comes in pieces: whether it can still become JSON, and whether it is complete.
//!
//! Keeps a few words of state however long the document is, and no piece of it.

use super::open::{Kind, Open};

/// As deep as values may nest: what keeps the stack in one word.
const DEEPEST: u32 = 128;

/// A text that grows and may turn out to be a JSON document (RFC 8259).
#[derive(Clone, Debug)]
pub struct Growing {
    top: Top,
    place: Place,
    open: Open,
}

/// What must stand at the document's top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// An object.
    Object,
    /// A value of any kind.
    Any,
}

/// Nothing that could follow makes JSON of the text, or it nests deeper than 128 levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text cannot become JSON")]
pub struct Impossible;

/// What the next byte goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing but whitespace so far.
    Start,
    /// A value must begin.
    Value,
    /// After `[`.
    FirstItem,
    /// After `{`.
    FirstName,
    /// After a comma in an object.
    Name,
    /// After a name.
    Colon,
    /// After a value.
    After,
    Text(Role),
    Escape(Role),
    /// In a `\u` escape that lacks so many digits.
    Hex(Role, u8),
    /// In `true`, `false` or `null`, of which this is missing.
    Word(&'static [u8]),
    Number(Number),
    /// For good.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Name,
    Value,
}

/// What of a number was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Growing {
    /// A document of which nothing has come.
    pub fn new(top: Top) -> Self {
        Self {
            top,
            place: Place::Start,
            open: Open::default(),
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Impossible`] at the first byte that rules JSON out, and on each call after that.
    pub fn push(&mut self, piece: &str) -> Result<(), Impossible> {
        for &byte in piece.as_bytes() {
            // Most bytes are plain ones of a text.
            if matches!(self.place, Place::Text(_)) && byte >= b' ' && !b"\"\\".contains(&byte) {
                continue;
            }
            self.place = self.step(byte).unwrap_or(Place::Broken);
        }
        match self.place {
            Place::Broken => Err(Impossible),
            _ => Ok(()),
        }
    }

    /// Whether the text so far is a document, and not only the beginning of one.
    pub fn is_complete(&self) -> bool {
        let ended = match self.place {
            Place::After => true,
            Place::Number(number) => number.is_whole(),
            _ => false,
        };
        ended && self.open.depth == 0
    }

    /// Whether nothing but whitespace has come.
    pub fn is_blank(&self) -> bool {
        self.place == Place::Start
    }

    fn step(&mut self, byte: u8) -> Option<Place> {
        match self.place {
            Place::Text(role) => text(role, byte),
            Place::Escape(role) => escape(role, byte),
            Place::Hex(role, digits) if byte.is_ascii_hexdigit() => Some(match digits {
                0 | 1 => Place::Text(role),
                _ => Place::Hex(role, digits - 1),
            }),
            Place::Word([next, rest @ ..]) if byte == *next => Some(match rest {
                [] => Place::After,
                _ => Place::Word(rest),
            }),
            Place::Hex(..) | Place::Word(_) | Place::Broken => None,
            Place::Number(number) => match number.next(byte) {
                Some(number) => Some(Place::Number(number)),
                None if !number.is_whole() => None,
                None if is_white(byte) => Some(Place::After),
                None => self.after(byte),
            },
            place if is_white(byte) => Some(place),
            Place::Start if self.top == Top::Object && byte != b'{' => None,
            Place::FirstItem if byte == b']' => self.close(Kind::Array),
            Place::Start | Place::Value | Place::FirstItem => self.value(byte),
            Place::FirstName if byte == b'}' => self.close(Kind::Object),
            Place::FirstName | Place::Name => (byte == b'"').then_some(Place::Text(Role::Name)),
            Place::Colon => (byte == b':').then_some(Place::Value),
            Place::After => self.after(byte),
        }
    }

    fn value(&mut self, byte: u8) -> Option<Place> {
        Some(match byte {
            b'"' => Place::Text(Role::Value),
            b'-' => Place::Number(Number::Minus),
            b'0' => Place::Number(Number::Zero),
            b'1'..=b'9' => Place::Number(Number::Integer),
            b't' => Place::Word(b"rue"),
            b'f' => Place::Word(b"alse"),
            b'n' => Place::Word(b"ull"),
            b'{' | b'[' if self.open.depth == DEEPEST => return None,
            b'{' => {
                self.open.enter(Kind::Object);
                Place::FirstName
            }
            b'[' => {
                self.open.enter(Kind::Array);
                Place::FirstItem
            }
            _ => return None,
        })
    }

    /// After a value, at a byte that is not white.
    fn after(&mut self, byte: u8) -> Option<Place> {
        match (self.open.innermost()?, byte) {
            (Kind::Array, b',') => Some(Place::Value),
            (Kind::Object, b',') => Some(Place::Name),
            (Kind::Array, b']') => self.close(Kind::Array),
            (Kind::Object, b'}') => self.close(Kind::Object),
            _ => None,
        }
    }

    fn close(&mut self, kind: Kind) -> Option<Place> {
        let fits = self.open.innermost() == Some(kind);
        self.open.leave();
        fits.then_some(Place::After)
    }
}

impl Number {
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => return None,
        })
    }

    fn is_whole(self) -> bool {
        match self {
            Self::Zero | Self::Integer | Self::Fraction | Self::Power => true,
            Self::Minus | Self::Point | Self::Exponent | Self::Sign => false,
        }
    }
}

fn text(role: Role, byte: u8) -> Option<Place> {
    match (byte, role) {
        (b'"', Role::Name) => Some(Place::Colon),
        (b'"', Role::Value) => Some(Place::After),
        (b'\\', _) => Some(Place::Escape(role)),
        (byte, _) => (byte >= b' ').then_some(Place::Text(role)),
    }
}

fn escape(role: Role, byte: u8) -> Option<Place> {
    match byte {
        b'u' => Some(Place::Hex(role, 4)),
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(Place::Text(role)),
        _ => None,
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    /// A text that makes a document of what has come.
    fn completion(growing: &Growing) -> String {
        let mut rest = match growing.place {
            Place::Start | Place::Value => "{}".to_owned(),
            Place::FirstItem | Place::FirstName | Place::After => String::new(),
            Place::Name => "\"\":1".to_owned(),
            Place::Colon => ":1".to_owned(),
            Place::Text(Role::Value) => "\"".to_owned(),
            Place::Text(Role::Name) => "\":1".to_owned(),
            Place::Escape(Role::Value) => "n\"".to_owned(),
            Place::Escape(Role::Name) => "n\":1".to_owned(),
            Place::Hex(Role::Value, digits) => "0".repeat(digits.into()) + "\"",
            Place::Hex(Role::Name, digits) => "0".repeat(digits.into()) + "\":1",
            Place::Word(word) => String::from_utf8_lossy(word).into_owned(),
            Place::Number(number) if number.is_whole() => String::new(),
            Place::Number(_) => "1".to_owned(),
            Place::Broken => unreachable!(),
        };
        let mut open = growing.open.clone();
        while let Some(kind) = open.innermost() {
            rest.push(if kind == Kind::Object { '}' } else { ']' });
            open.leave();
        }
        rest
    }

    fn is_json(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// Takes the text byte by byte where it can, and checks each promise at each place.
    fn check(text: &str) {
        let mut growing = Growing::new(Top::Any);
        for (at, letter) in text.char_indices() {
            let possible = growing.push(letter.encode_utf8(&mut [0; 4]));
            let (so_far, _) = text.split_at(at + letter.len_utf8());
            let mut at_once = Growing::new(Top::Any);
            assert_eq!(at_once.push(so_far), possible, "{so_far:?}");
            assert_eq!(growing.is_complete(), is_json(so_far), "{so_far:?}");
            assert_eq!(growing.is_blank(), so_far.trim().is_empty(), "{so_far:?}");
            if possible.is_err() {
                assert!(!is_json(text), "{text:?} was given up at {so_far:?}");
                return;
            }
            let whole = format!("{so_far}{}", completion(&growing));
            assert!(is_json(&whole), "{so_far:?} is no beginning");
        }
    }

    #[test]
    fn the_first_byte_that_rules_json_out_is_found() {
        for (text, possible) in [
            ("{", true),
            (" \r\n\t{\"a\"", true),
            (
                "{\"a\":[1,-0.5e+3,true,false,null,\"\\u00e9\\n\"],\"b\":{}}",
                true,
            ),
            ("{} \n", true),
            ("Sure", false),
            ("```", false),
            ("\u{feff}{}", false),
            ("{}{", false),
            ("{}x", false),
            ("{a", false),
            ("{\"a\",", false),
            ("{\"a\":1,}", false),
            ("{]", false),
            ("[}", false),
            ("[1}", false),
            ("[1,]", false),
            ("[,", false),
            ("{\"a\":tru ", false),
            ("[nul]", false),
            ("[01", false),
            ("[-]", false),
            ("[1.]", false),
            ("[1.e", false),
            ("[1e]", false),
            ("[1e+]", false),
            ("[1.5.", false),
            ("[\"\\x", false),
            ("[\"\\u12g", false),
            ("[\"\n", false),
        ] {
            assert_eq!(
                Growing::new(Top::Any).push(text).is_ok(),
                possible,
                "{text:?}"
            );
            check(text);
        }
    }

    #[test]
    fn what_must_be_an_object_is_nothing_else() {
        for text in ["[", "1", "\"", "t", "x", " ["] {
            assert_eq!(
                Growing::new(Top::Object).push(text),
                Err(Impossible),
                "{text:?}"
            );
        }
        let mut growing = Growing::new(Top::Object);
        assert!(growing.is_blank() && growing.push(" {\"a\":[1]} ").is_ok());
        assert!(growing.is_complete() && !growing.is_blank());
    }

    #[test]
    fn what_is_impossible_stays_so() {
        let mut growing = Growing::new(Top::Any);
        assert_eq!(growing.push("}"), Err(Impossible));
        assert_eq!(growing.push("{}"), Err(Impossible));
        assert!(!growing.is_complete());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let mut growing = Growing::new(Top::Any);
        assert!(growing.push(&nested(128)).is_ok() && growing.is_complete());
        assert!(Growing::new(Top::Any).push(&nested(129)).is_err());
        let objects = "{\"a\":".repeat(129);
        assert!(Growing::new(Top::Any).push(&objects).is_err());
    }

    proptest! {
        #[test]
        fn any_text_of_jsons_letters_is_judged_as_serde_json_does(
            text in r#"[ \[\]{},:"\\/bfnrtu0-9aelsE.+é-]{0,24}"#
        ) {
            check(&text);
        }

        #[test]
        fn every_beginning_of_a_document_may_become_one(
            text in r#"( ?(\[|\{"a\\n" ?:)){0,5}(-?(0|[1-9][0-9]{0,2})(\.[0-9]+)?(e[+-]?[0-9])?|"(é|\\u[0-9a-f]{4}|\\t)*"|true|false|null)?(, ?1|,"b":2|\]|\}){0,6}"#
        ) {
            check(&text);
        }
    }
}
