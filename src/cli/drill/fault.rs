//! The list of what goes wrong in a drill, as scripts of the simulator.

use crate::route::Hold;

/// Something that goes wrong at a provider.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its name: in the report, and on the command line.
    pub(super) name: &'static str,
    /// What the provider does.
    pub(super) words: &'static str,
    /// How it is done.
    pub(super) deed: Deed,
    /// Where it strikes.
    pub(super) reach: Reach,
    /// Who is to blame.
    pub(super) blame: Blame,
}

/// How a provider fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Not at all.
    None,
    /// Nothing listens at its address.
    Down,
    /// By this script.
    Script(&'static str),
    /// By this word of a script, after more tokens than the route holds back.
    Late(&'static str),
}

/// Which providers of a route fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The one that is asked first.
    First,
    /// All of them.
    All,
}

/// Who is to blame for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nobody: nothing fails.
    Nobody,
    /// The provider: another could have answered.
    Provider,
    /// The request: nobody else is asked, but for one who may take it.
    Request,
}

/// Tokens behind the hold until something goes wrong there.
const BEYOND: u64 = 30;

impl Fault {
    /// The script of a provider that fails so; `None` where it does not by a script.
    pub(super) fn script(&self, hold: Hold) -> Option<String> {
        match self.deed {
            Deed::None | Deed::Down => None,
            Deed::Script(script) => Some(script.to_owned()),
            Deed::Late(word) => {
                let before = match hold {
                    Hold::None | Hold::All => 0,
                    Hold::Head { tokens, .. } => tokens.0.min(10_000),
                };
                let at = before.saturating_add(BEYOND);
                let all = at.saturating_add(BEYOND);
                Some(format!("tokens={all},delay=1ms,{word}@{at}"))
            }
        }
    }

    /// Whether it lasts for as long as somebody waits.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.deed, Deed::Script(script) if script.contains("hang") || script.contains("stall"))
    }
}

/// Nothing goes wrong: what a route does on a good day.
pub(super) const CALM: Fault = Fault {
    name: "calm",
    words: "all providers are well",
    deed: Deed::None,
    reach: Reach::First,
    blame: Blame::Nobody,
};

/// A fault of the provider that is asked first.
const fn first(name: &'static str, words: &'static str, script: &'static str) -> Fault {
    Fault {
        name,
        words,
        deed: Deed::Script(script),
        reach: Reach::First,
        blame: Blame::Provider,
    }
}

/// What goes wrong, in the order of the report.
pub(super) const FAULTS: [Fault; 20] = [
    Fault {
        deed: Deed::Down,
        ..first("refused", "connections are refused", "")
    },
    first("reset", "the connection is reset before an answer", "reset"),
    first("hang", "requests are taken and never answered", "hang"),
    first("error_500", "status 500", "status=500"),
    first(
        "overloaded",
        "status 503, overloaded",
        "status=503,error_type=overloaded_error",
    ),
    first(
        "bad_gateway",
        "status 502 with a page of HTML",
        "status=502,type=text/html,body=\"<html>Bad gateway</html>\"",
    ),
    first(
        "rate_limited",
        "status 429, to be asked again after 30 s",
        "status=429,error_code=rate_limit_exceeded,retry_after=30",
    ),
    first(
        "no_money",
        "status 429, the account's quota is used up",
        "status=429,error_code=insufficient_quota",
    ),
    first(
        "bad_key",
        "status 401, our key is not known",
        "status=401,error_code=invalid_api_key",
    ),
    first(
        "no_model",
        "status 404, the model is gone",
        "status=404,error_code=model_not_found",
    ),
    first(
        "login_page",
        "status 200 with a page of HTML",
        "type=text/html,body=\"<html>Sign in</html>\"",
    ),
    first("empty", "status 200 without an answer in it", "empty"),
    first("garbage", "bytes that are no HTTP", "garbage"),
    first(
        "error_event",
        "an error event after 3 tokens",
        "tokens=40,delay=1ms,error@3,error_type=overloaded_error",
    ),
    first(
        "cut_early",
        "the connection ends after 3 tokens",
        "tokens=40,delay=1ms,cut@3",
    ),
    first(
        "stall_early",
        "silence after 3 tokens",
        "tokens=40,delay=1ms,stall@3",
    ),
    Fault {
        deed: Deed::Late("cut"),
        ..first(
            "cut_late",
            "the connection ends when the head of the answer is out",
            "",
        )
    },
    Fault {
        blame: Blame::Request,
        ..first(
            "too_long",
            "status 400, the prompt is too long",
            "status=400,error_code=context_length_exceeded",
        )
    },
    Fault {
        deed: Deed::Down,
        reach: Reach::All,
        ..first(
            "all_refused",
            "connections are refused, at all providers",
            "",
        )
    },
    Fault {
        reach: Reach::All,
        ..first(
            "all_hang",
            "requests are never answered, at all providers",
            "hang",
        )
    },
];

/// The fault of that name.
pub(super) fn named(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::sim::Script;
    use crate::units::Tokens;

    #[test]
    fn every_fault_is_a_script_and_has_a_name_of_its_own() {
        let holds = [
            Hold::None,
            Hold::All,
            Hold::Head {
                tokens: Tokens(u64::MAX),
                at_most: Duration::ZERO,
            },
        ];
        let mut names = BTreeSet::new();
        for fault in &FAULTS {
            assert!(names.insert(fault.name), "{}", fault.name);
            assert_eq!(named(fault.name), Some(fault));
            for script in holds.iter().filter_map(|hold| fault.script(*hold)) {
                let parsed: Result<Script, _> = script.parse();
                assert!(parsed.is_ok(), "{}: {script}: {parsed:?}", fault.name);
            }
        }
        assert_eq!(named("calm"), None);
    }

    #[test]
    fn what_comes_late_comes_behind_the_hold() {
        let late = named("cut_late").unwrap();
        let hold = Hold::Head {
            tokens: Tokens(12),
            at_most: Duration::ZERO,
        };
        let script = late.script(hold).unwrap();
        assert_eq!(script, "tokens=72,delay=1ms,cut@42");
    }
}
