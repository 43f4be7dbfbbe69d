//! What stands for the names of users and sessions, so that neither log nor store has them.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Stands for a name that a client gave: equal for equal names, and not the name itself. Whoever
/// guesses a name can tell that the guess is right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pseudonym([u8; 8]);

impl Pseudonym {
    /// The first 64 bits of a SHA-256: among a million names, hardly ever the same for two.
    pub fn of(name: &str) -> Self {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(Sha256::digest(name)) {
            *to = from;
        }
        Self(first)
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_same_for_the_same_name_only() {
        let one = Pseudonym::of("alice@example.com");
        assert_eq!(one, Pseudonym::of("alice@example.com"));
        assert_ne!(one, Pseudonym::of("alice@example.con"));
        assert_eq!(one.to_string(), "ff8d9819fc0e12bf");
    }
}
