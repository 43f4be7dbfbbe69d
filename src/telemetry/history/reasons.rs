//! Numbers for the names of what went wrong, so that a minute can count them in place.

/// Names told apart; the code has fewer. Whatever comes beyond counts as the last.
pub(super) const NAMES: usize = 64;

/// What names beyond the bound count as.
const OTHER: &str = "other";

/// The names that have come up, each with its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(Vec<&'static str>);

impl Reasons {
    /// The number of a name, always less than [`NAMES`].
    pub(super) fn number(&mut self, name: &'static str) -> usize {
        if let Some(place) = self.0.iter().position(|known| *known == name) {
            return place;
        }
        if self.0.len() + 1 >= NAMES {
            return NAMES - 1;
        }
        self.0.push(name);
        self.0.len() - 1
    }

    /// The names in the order of their numbers; the last is for all beyond the bound.
    pub(super) fn names(&self) -> Vec<(usize, &'static str)> {
        let known = self.0.iter().copied().enumerate();
        known.chain([(NAMES - 1, OTHER)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_too_many_are_one() {
        let mut reasons = Reasons::default();
        let names: Vec<&'static str> = (0..NAMES * 2)
            .map(|place| &*format!("reason_{place}").leak())
            .collect();
        let first: Vec<_> = names.iter().map(|name| reasons.number(name)).collect();
        let again: Vec<_> = names.iter().map(|name| reasons.number(name)).collect();
        assert_eq!(first, again);
        assert_eq!(first[NAMES - 2], NAMES - 2);
        assert!(first[NAMES - 1..].iter().all(|number| *number == NAMES - 1));
        assert_eq!(reasons.names().len(), NAMES);
    }
}
