//! Which tool call of a choice a piece belongs to.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The calls of one choice seen so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// One past the highest index.
    next: u32,
    current: u32,
    /// A digest of the last id: ids have no bound on their length.
    id: Option<u64>,
}

impl Calls {
    /// The piece's call. Its index tells, where there is one. Servers that leave it out send the
    /// calls one after the other: a new id, or a name without an id, begins the next one.
    pub(super) fn place(
        &mut self,
        index: Option<u32>,
        id: Option<&str>,
        name: Option<&str>,
    ) -> u32 {
        let id = id.map(digest);
        let begins = match id {
            Some(_) => id != self.id,
            None => name.is_some(),
        };
        self.current = match index {
            Some(index) => index,
            None if begins => self.next,
            None => self.current,
        };
        self.next = self.next.max(self.current.saturating_add(1));
        self.id = id.or(self.id);
        self.current
    }

    /// The call of the last piece.
    pub(super) fn current(&self) -> u32 {
        self.current
    }
}

fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::Calls;

    /// Places pieces written `index/id/name`, each part of which may be empty.
    fn placed(pieces: &str) -> Vec<u32> {
        let mut calls = Calls::default();
        let place = |piece: &str| {
            let mut parts = piece
                .split('/')
                .map(|part| Some(part).filter(|part| !part.is_empty()));
            let mut next = || parts.next().flatten();
            let index = next().and_then(|index| index.parse().ok());
            calls.place(index, next(), next())
        };
        pieces.split(' ').map(place).collect()
    }

    #[test]
    fn pieces_without_an_index_join_the_call_they_follow() {
        for (case, pieces, expected) in [
            ("one piece", "/a/f", vec![0]),
            ("nothing known", "// //", vec![0, 0]),
            ("id once", "/a/f //", vec![0, 0]),
            ("id repeated", "/a/ /a/f /a/", vec![0, 0, 0]),
            ("two ids", "/a/f // /b/f //", vec![0, 0, 1, 1]),
            ("names alone", "//f // //f", vec![0, 0, 1]),
            ("indexed", "1/a/ 0/b/ 1//", vec![1, 0, 1]),
            ("mixed", "4/a/ /b/ //", vec![4, 5, 5]),
            (
                "the range's end",
                "4294967295// /b/",
                vec![u32::MAX, u32::MAX],
            ),
        ] {
            assert_eq!(placed(pieces), expected, "{case}");
        }
    }
}
