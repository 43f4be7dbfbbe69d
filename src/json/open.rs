//! A stack of brackets in one word.

/// The arrays and objects that are open, innermost last: a bit each, set for an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    objects: u128,
    pub(super) depth: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
}

impl Open {
    pub(super) fn enter(&mut self, kind: Kind) {
        self.objects = self.objects << 1 | u128::from(kind == Kind::Object);
        self.depth += 1;
    }

    pub(super) fn leave(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn innermost(&self) -> Option<Kind> {
        match (self.depth, self.objects & 1) {
            (0, _) => None,
            (_, 0) => Some(Kind::Array),
            _ => Some(Kind::Object),
        }
    }
}
