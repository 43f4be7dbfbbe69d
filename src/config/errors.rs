//! What is wrong with a config file: every mistake, where it is and which rule it breaks.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in the file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One broken rule. Neither field ever holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where; `None` for the file as a whole.
    pub at: Option<Position>,
    /// The way to the key, such as `routes.support.timeouts.stall`; empty at the top.
    pub key: String,
    /// The rule, with the value that breaks it.
    pub rule: String,
}

/// All mistakes of one config file, sorted by position; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    path: PathBuf,
    mistakes: Vec<Mistake>,
}

impl Errors {
    /// Collects what was found in the file at `path`.
    pub(super) fn new(path: &Path, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.at);
        Self {
            path: path.to_owned(),
            mistakes,
        }
    }

    /// A mistake of the file as a whole.
    pub(super) fn whole(path: &Path, rule: impl Into<String>) -> Self {
        Self::new(
            path,
            vec![Mistake {
                at: None,
                key: String::new(),
                rule: rule.into(),
            }],
        )
    }

    /// The mistakes, in the order of their positions.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{}:", self.path.display())?;
            if let Some(Position { line, column }) = mistake.at {
                write!(out, "{line}:{column}:")?;
            }
            if !mistake.key.is_empty() {
                write!(out, " {}:", mistake.key)?;
            }
            write!(out, " {}", mistake.rule)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
