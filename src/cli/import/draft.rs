//! What is to be written, with all decisions made.

use std::time::Duration;

use crate::cli::import::account::Account;
use crate::cli::import::chain::Chain;
use crate::cli::import::measure;
use crate::cli::import::settings::{Breaker, Settings};

/// What is shipped: a retry of the same target, four attempts.
const SHIPPED: (u32, u32) = (1, 4);
/// The most attempts that config takes.
const MOST_ATTEMPTS: u32 = 16;
/// The shipped time to a first token.
const FIRST_TOKEN: Duration = Duration::from_mins(1);
/// The shipped bound of a whole attempt, and the shipped deadline.
const DEADLINE: Duration = Duration::from_mins(10);

/// The file.
pub(super) struct Draft {
    /// The variables that it names.
    pub(super) variables: Vec<String>,
    pub(super) providers: Vec<(String, Account)>,
    pub(super) key: Option<Key>,
    pub(super) limits: Vec<(&'static str, String)>,
    /// Of the same target, and in all.
    pub(super) retries: Option<(u32, u32)>,
    pub(super) balance: Option<&'static str>,
    pub(super) breaker: Breaker,
    pub(super) verdicts: Vec<(&'static str, &'static str)>,
    pub(super) times: Times,
    pub(super) routes: Vec<Route>,
}

/// What clients prove themselves with.
pub(super) struct Key {
    pub(super) variable: String,
}

/// The bounds that all routes share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) deadline: Option<Duration>,
    pub(super) attempt: Attempt,
}

/// The bounds of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) first_token: Option<Duration>,
    pub(super) stall: Option<Duration>,
    pub(super) total: Option<Duration>,
}

impl Times {
    /// The settings' own; the deadline has room for the longest attempt of all.
    pub(super) fn of(settings: &Settings, routes: &[Route]) -> Self {
        let attempt = Attempt::of(settings.total, settings.stall, Attempt::default());
        let targets = routes
            .iter()
            .flat_map(|route| route.chain.tiers.iter().flatten());
        let longest = targets.filter_map(|target| target.total).max();
        let longest = longest.max(attempt.total);
        Self {
            deadline: longest.filter(|longest| *longest > DEADLINE),
            attempt,
        }
    }
}

impl Attempt {
    /// LiteLLM's `timeout` and `stream_timeout`, where `inherited` holds unless they say otherwise. The
    /// time to a first token is bounded by the former, for segue has one such bound for streams and
    /// whole answers.
    pub(super) fn of(total: Option<Duration>, stall: Option<Duration>, inherited: Self) -> Self {
        let most = total.or(inherited.total).unwrap_or(DEADLINE);
        let patient = inherited.first_token.unwrap_or(FIRST_TOKEN);
        let first_token = total.or(stall.filter(|stall| *stall > patient));
        let within = |time: Duration| measure::silence(time.min(most));
        Self {
            first_token: first_token.map(within),
            stall: stall.map(within),
            total,
        }
    }
}

/// A route.
pub(super) struct Route {
    pub(super) name: String,
    /// The group that it is another name of.
    pub(super) alias: Option<String>,
    pub(super) chain: Chain,
    /// Where they differ from what the route inherits.
    pub(super) retries: Option<(u32, u32)>,
}

impl Route {
    pub(super) fn new(name: &str, alias: Option<&str>, chain: Chain, settings: &Settings) -> Self {
        let inherited = settings
            .retries
            .map_or(SHIPPED, |retries| (retries, retries.saturating_add(1)));
        let own = retries(&chain, settings.retries);
        Self {
            name: name.to_owned(),
            alias: alias.map(str::to_owned),
            chain,
            retries: (own != inherited).then_some(own),
        }
    }
}

/// LiteLLM retries within a group, at any of its deployments, and then goes on to the next group.
/// So the equals of a tier share the retries, and there are attempts enough to reach the last target.
fn retries(chain: &Chain, wanted: Option<u32>) -> (u32, u32) {
    let size = |count: usize| u32::try_from(count).unwrap_or(MOST_ATTEMPTS).max(1);
    let widest = size(chain.tiers.iter().map(Vec::len).max().unwrap_or(1));
    let targets = size(chain.tiers.iter().map(Vec::len).sum());
    let (wanted, least) = match wanted {
        Some(wanted) => (
            wanted.saturating_add(1).div_ceil(widest).saturating_sub(1),
            1,
        ),
        None => SHIPPED,
    };
    let room = (MOST_ATTEMPTS / targets).saturating_sub(1);
    let same = wanted.min(room).min(10);
    let attempts = targets.saturating_mul(same.saturating_add(1));
    (same, attempts.clamp(least, MOST_ATTEMPTS))
}
