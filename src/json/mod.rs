//! The top-level fields of a JSON object, found and spliced as bytes: never a tree. And a text in
//! pieces: whether it is JSON.

mod fields;
mod growing;
mod open;
#[cfg(test)]
mod oracle;
mod scan;
mod splice;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use fields::Fields;
pub use growing::{Growing, Impossible, Top};
pub use splice::Edit;
pub use text::{put_string, put_text, string};
pub use walk::{Walk, Written};

/// Why a document is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} at byte {offset}")]
pub struct Invalid {
    /// The byte that broke the rule, from 0; the document's length where it ended too soon.
    pub offset: usize,
    /// What it broke.
    pub rule: Rule,
}

/// What a document must keep to. Where RFC 8259 leaves a choice, the stricter reading is ours:
/// all who read the document after us must see the same value for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// UTF-8 throughout.
    #[error("not UTF-8")]
    Utf8,
    /// No byte-order mark.
    #[error("byte-order mark")]
    ByteOrderMark,
    /// An object at the top.
    #[error("not an object")]
    Object,
    /// The grammar, at a byte that cannot stand there.
    #[error("unexpected byte")]
    Unexpected,
    /// The grammar, at the document's end.
    #[error("unexpected end")]
    End,
    /// No bytes below 0x20 in a string.
    #[error("control byte in a string")]
    Control,
    /// The escapes that there are; a lone surrogate (`\ud800`) is one and passes.
    #[error("invalid escape")]
    Escape,
    /// The grammar of numbers; their range is not looked at.
    #[error("invalid number")]
    Number,
    /// At most 128 arrays and objects within one another, the top one counted.
    #[error("deeper than 128 levels")]
    Depth,
    /// At most 1,024 fields at the top.
    #[error("more than 1024 fields")]
    Count,
    /// No two fields at the top with the same name, escapes decoded.
    #[error("duplicate key")]
    Duplicate,
    /// Nothing but whitespace after the object.
    #[error("more than one value")]
    Trailing,
}
