//! Which variant of a route serves an exchange: conditions on who asks and for what. No language of
//! its own: a fact equals a text, is one of several, or begins with one, and all of them must hold.

use std::sync::Arc;

use crate::account::Tags;

/// What is known of an exchange before it is planned. Texts are as the client or the config wrote
/// them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The name of the caller's key.
    pub key: Option<&'a str>,
    /// The tags of the caller's key.
    pub tags: Option<&'a Tags>,
    /// What the request is for: `x-segue-task`, else `metadata.task_type`.
    pub task: Option<&'a str>,
    /// The caller's own user: `user`, or Anthropic's `metadata.user_id`.
    pub user: Option<&'a str>,
    /// Where the caller is: `x-segue-region`.
    pub region: Option<&'a str>,
}

/// Something that a condition asks about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The name of the caller's key.
    Key,
    /// A tag of the caller's key.
    Tag(Arc<str>),
    /// What the request is for.
    Task,
    /// The caller's own user.
    User,
    /// Where the caller is.
    Region,
}

/// What a fact must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// One of these texts.
    In(Vec<Arc<str>>),
    /// A text that begins with this one.
    Prefix(Arc<str>),
}

/// Conditions that must all hold; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(pub Vec<(Fact, Test)>);

impl When {
    /// Whether all conditions hold. One about a fact that is not known does not.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.0
            .iter()
            .all(|(fact, test)| facts.get(fact).is_some_and(|text| test.holds(text)))
    }
}

impl Test {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::In(texts) => texts.iter().any(|one| **one == *text),
            Self::Prefix(prefix) => text.starts_with(&**prefix),
        }
    }
}

impl<'a> Facts<'a> {
    fn get(&self, fact: &Fact) -> Option<&'a str> {
        match fact {
            Fact::Key => self.key,
            Fact::Tag(name) => self.tags?.get(name).map(|tag| &**tag),
            Fact::Task => self.task,
            Fact::User => self.user,
            Fact::Region => self.region,
        }
    }
}

impl std::fmt::Display for Fact {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key => out.write_str("key"),
            Self::Tag(name) => write!(out, "tag.{name}"),
            Self::Task => out.write_str("task"),
            Self::User => out.write_str("user"),
            Self::Region => out.write_str("region"),
        }
    }
}

impl std::fmt::Display for When {
    /// As `explain` and `check` print it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (fact, test)) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str(" and ")?;
            }
            match test {
                Test::In(texts) => {
                    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
                    let is = if texts.len() == 1 { "is" } else { "is one of" };
                    write!(out, "{fact} {is} {}", texts.join(", "))?;
                }
                Test::Prefix(prefix) => write!(out, "{fact} begins with {prefix}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(conditions: &[(Fact, Test)]) -> When {
        When(conditions.to_vec())
    }

    #[test]
    fn every_condition_must_hold() {
        let tags = Tags::from([("tier".into(), "free".into())]);
        let facts = Facts {
            key: Some("app"),
            tags: Some(&tags),
            task: Some("summary-long"),
            ..Facts::default()
        };
        let free = (Fact::Tag("tier".into()), Test::In(vec!["free".into()]));
        let app = (Fact::Key, Test::In(vec!["other".into(), "app".into()]));
        let summary = (Fact::Task, Test::Prefix("summary".into()));
        let exact = (Fact::Task, Test::In(vec!["summary".into()]));
        let user = (Fact::User, Test::Prefix("".into()));
        let team = (Fact::Tag("team".into()), Test::Prefix("".into()));
        for (conditions, expected) in [
            (&[free.clone()][..], true),
            (&[free.clone(), app, summary], true),
            (&[exact], false),
            (&[free.clone(), user], false),
            (&[team], false),
            (&[free], true),
        ] {
            assert_eq!(when(conditions).holds(&facts), expected, "{conditions:?}");
        }
    }

    #[test]
    fn conditions_read_as_a_sentence() {
        let when = when(&[
            (Fact::Tag("tier".into()), Test::In(vec!["free".into()])),
            (
                Fact::Region,
                Test::In(vec!["eu-west".into(), "eu-north".into()]),
            ),
            (Fact::Task, Test::Prefix("sum".into())),
        ]);
        let expected =
            "tag.tier is free and region is one of eu-west, eu-north and task begins with sum";
        assert_eq!(when.to_string(), expected);
    }
}
