//! What of a request makes a difference to a route, found once for all its requests.

use crate::dialect::Watched;
use crate::exchange::{Dialect, Needs};
use crate::route::capable::lacks;
use crate::route::{Drops, Route, Target};
use crate::units::Tokens;

/// What of a request makes a difference to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    openai: Needs,
    anthropic: Needs,
    /// The smallest window among its targets.
    window: Option<Tokens>,
    /// The smallest bound on answers among its targets.
    answer: Option<Tokens>,
    /// Whether a parameter that would be dropped leaves a target out.
    drops: bool,
}

impl Watch {
    /// Of a route.
    pub fn of(route: &Route) -> Self {
        let lacked = |client: Dialect| {
            let targets = route.targets();
            let lacked = targets.map(|target| lacks(&route.policy, target, client));
            lacked.fold(Needs::NONE, Needs::and)
        };
        let answers = route
            .targets()
            .filter_map(|target| target.abilities.max_output);
        Self {
            openai: lacked(Dialect::OpenAi),
            anthropic: lacked(Dialect::Anthropic),
            window: route.targets().filter_map(Target::window).min(),
            answer: answers.min(),
            drops: route.policy.drops == Drops::Refused,
        }
    }

    /// For the clients of a format.
    pub fn watched(&self, client: Dialect) -> Watched {
        let needs = match client {
            Dialect::OpenAi | Dialect::Gemini => self.openai,
            Dialect::Anthropic => self.anthropic,
        };
        Watched {
            needs,
            window: self.window,
            answer: self.answer,
            drops: self.drops,
        }
    }
}
