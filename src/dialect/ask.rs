//! A request on its way to one provider: who is asked, with what bytes, and what cannot be said.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::carry::Segments;
use super::profile::Profile;
use crate::exchange::{Abilities, Dialect, Form, Need, Task};

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// What it speaks.
    pub dialect: Dialect,
    /// The model name that it knows.
    pub model: &'a str,
    /// How it differs from its format.
    pub profile: &'a Profile,
    /// What the model can do.
    pub abilities: &'a Abilities,
    /// The form in which it is to answer.
    pub form: Form,
}

impl<'a> Recipient<'a> {
    /// A model of which nothing is known but its name, at a provider that keeps to its format.
    pub fn plain(dialect: Dialect, model: &'a str, form: Form) -> Self {
        static PROFILE: Profile = Profile::PLAIN;
        static ABILITIES: Abilities = Abilities::UNKNOWN;
        Self {
            dialect,
            model,
            profile: &PROFILE,
            abilities: &ABILITIES,
            form,
        }
    }
}

/// Parameters that a provider does not hear of, by the client's names for them.
pub(super) type Dropped = SmallVec<[Cow<'static, str>; 2]>;

/// What one provider is sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it is asked for.
    pub task: Task,
    /// Path and query, below the path of its base URL.
    pub path: Cow<'static, str>,
    /// Headers that its format wants, beside those of every request.
    pub headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    /// The body, in pieces to be sent one after the other; a long prompt is a slice of the
    /// request's body where the formats agree.
    pub body: Segments,
    /// The client's parameters that it does not hear of, by the client's names for them.
    pub dropped: Dropped,
}

/// Why a request cannot be put to a recipient. Nothing has been sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has no such thing, and the caller relies on it.
    #[error("it cannot serve {}", .0.name())]
    Lacks(Need),
    /// The request cannot be read as far as translating it needs.
    #[error("'{param}' {rule}")]
    Unreadable {
        /// The field to blame, by the client's name for it.
        param: Cow<'static, str>,
        /// What is wrong with it; never quotes the value.
        rule: Cow<'static, str>,
    },
    /// The route has `strict_params`, and this parameter would be dropped.
    #[error("it does not take '{0}'")]
    Drops(Cow<'static, str>),
}

impl Unfit {
    /// A field that cannot be read.
    pub fn unreadable(
        param: impl Into<Cow<'static, str>>,
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Unreadable {
            param: param.into(),
            rule: rule.into(),
        }
    }

    /// The field to blame, by the client's name for it.
    pub fn param(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Lacks(_) => None,
            Self::Unreadable { param, .. } | Self::Drops(param) => Some(param.clone()),
        }
    }

    /// The reason's name in log and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lacks(need) => need.name(),
            Self::Unreadable { .. } => "unreadable",
            Self::Drops(_) => "strict_params",
        }
    }
}
