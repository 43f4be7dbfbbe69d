//! What a drill's outcome should make its reader think about. Pure.

use std::time::Duration;

use crate::cli::check::advice;
use crate::cli::drill::cast::Form;
use crate::cli::drill::fault::{Blame, Reach};
use crate::cli::drill::play::{Later, Others, Played, Stance};
use crate::cli::drill::report::{saw, seconds, struck};
use crate::cli::drill::seen::Seen;
use crate::config::show_duration;
use crate::edge::Settings;
use crate::route::{self, Policy};

/// A wait for the first word that people take for an outage.
const LONG: Duration = Duration::from_secs(15);

/// A wait for an error that clients' own timeouts may not last for.
const VERY_LONG: Duration = Duration::from_mins(1);

/// Why a route gave no answer although one provider alone failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// There is no other target.
    OneTarget,
    /// All are at the provider that failed.
    OnePlace,
    /// The deadline was over before another was asked.
    Deadline,
    /// The route does not go to another model.
    FailClosed,
    /// Nobody else was asked for another reason.
    NotAsked,
    /// Others were asked, and did not answer either.
    OthersFailed,
}

/// The warnings for a route, by what came of its scenes.
pub(super) fn of(form: &Form, settings: &Settings, scenes: &[Played]) -> Vec<String> {
    let mut lines: Vec<String> = scenes.iter().filter_map(garbled).collect();
    lines.extend(calm(scenes));
    lines.extend(advice::alone(&form.route, settings));
    lines.extend(unanswered(form, scenes));
    lines.extend(held_up(&form.route.policy, scenes));
    lines.extend(never_left(scenes));
    lines.extend(late_news(scenes));
    lines
}

fn garbled(played: &Played) -> Option<String> {
    match &played.seen {
        Seen::Garbled { what, .. } => Some(format!(
            "{} at {}: the client saw {what}; this must not be: please report it",
            played.fault.name,
            struck(played)
        )),
        Seen::Answer { .. } | Seen::Error { .. } | Seen::Broken { .. } => None,
    }
}

/// What fails on a good day needs no drill.
fn calm(scenes: &[Played]) -> Option<String> {
    let failed = scenes
        .iter()
        .find(|played| played.fault.blame == Blame::Nobody && !played.seen.is_answer())?;
    let saw = saw(&failed.seen);
    Some(format!(
        "there is no answer even when all is well: {saw}; the faults were not played"
    ))
}

/// No fallback, by the reason why.
fn unanswered(form: &Form, scenes: &[Played]) -> Vec<String> {
    let mut groups: Vec<(Reason, &str, Vec<&str>)> = Vec::new();
    for played in scenes {
        let Some(reason) = reason(form, played) else {
            continue;
        };
        let at = struck(played);
        let group = groups
            .iter_mut()
            .find(|group| (group.0, group.1) == (reason, at));
        match group {
            Some((.., faults)) => faults.push(played.fault.name),
            None => groups.push((reason, at, vec![played.fault.name])),
        }
    }
    let said = groups.into_iter();
    said.filter_map(|(reason, at, faults)| said_of(reason, at, &faults.join(", "), form))
        .collect()
}

fn reason(form: &Form, played: &Played) -> Option<Reason> {
    let fault = played.fault;
    // Behind the commit nobody else is asked, by design; garbled answers have words of their own.
    let refused = matches!(played.seen, Seen::Error { .. });
    if !refused || fault.blame != Blame::Provider || fault.reach == Reach::All {
        return None;
    }
    let in_time = played
        .tries
        .iter()
        .all(|one| one.error.as_deref() != Some("deadline"));
    Some(match played.others {
        Others::None if form.route.targets().count() == 1 => Reason::OneTarget,
        Others::None => Reason::OnePlace,
        Others::There if !in_time => Reason::Deadline,
        Others::There if played.others_asked > 0 => Reason::OthersFailed,
        Others::There if form.route.policy.reach == route::Reach::SameModel => Reason::FailClosed,
        Others::There => Reason::NotAsked,
    })
}

/// `None` for what another warning says already.
fn said_of(reason: Reason, at: &str, faults: &str, form: &Form) -> Option<String> {
    let deadline = show_duration(form.route.policy.deadline);
    Some(match reason {
        Reason::OnePlace => return None,
        Reason::OneTarget => {
            format!("no fallback for {faults} at {at}: the route has no other target")
        }
        Reason::Deadline => format!(
            "the deadline cannot be met with {faults} at {at}: {deadline} are over before another \
             target has answered; shorten `first_token` and `stall`, or hedge"
        ),
        Reason::FailClosed => {
            format!("no fallback for {faults} at {at}: the route is `fail_closed`")
        }
        Reason::NotAsked => {
            format!("no fallback for {faults} at {at}: no other target was asked")
        }
        Reason::OthersFailed => {
            format!("no answer with {faults} at {at}: others were asked, and did not answer either")
        }
    })
}

/// A breaker opens after some failures, and until then everybody waits for each of them.
fn held_up(policy: &Policy, scenes: &[Played]) -> Vec<String> {
    let failures = policy.breaker.as_ref().map(|breaker| breaker.failures);
    let slow = scenes.iter().filter(|played| {
        let after = played.seen.after();
        played.seen.is_answer() && played.fault.blame == Blame::Provider && after > LONG
    });
    slow.map(|played| {
        let until = match failures {
            Some(1) => "until its breaker opens".to_owned(),
            Some(failures) => format!("until its breaker has seen {failures} failures"),
            None => "for as long as it lasts, as `breaker` is off".to_owned(),
        };
        format!(
            "the breaker is too slow for {} at {}: each caller waits {} {until}; shorten \
             `first_token` or `stall`, or hedge",
            played.fault.name,
            struck(played),
            seconds(played.seen.after()),
        )
    })
    .collect()
}

/// What is never left alone holds every exchange up for ever.
fn never_left(scenes: &[Played]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for played in scenes {
        let again = |later: Later| later.stance == Stance::AskedAgain;
        if !played.later.is_some_and(again) || !played.seen.is_answer() {
            continue;
        }
        let at = struck(played);
        match groups.iter_mut().find(|group| group.0 == at) {
            Some((_, faults)) => faults.push(played.fault.name),
            None => groups.push((at, vec![played.fault.name])),
        }
    }
    let said = |(at, faults): (&str, Vec<&str>)| {
        let faults = faults.join(", ");
        format!("{at} is asked again by every exchange in spite of {faults}")
    };
    groups.into_iter().map(said).collect()
}

/// Whoever waits for an error gives up sooner than it comes.
fn late_news(scenes: &[Played]) -> Vec<String> {
    let late = scenes
        .iter()
        .filter(|played| played.fault.reach == Reach::All && played.seen.after() > VERY_LONG);
    late.map(|played| {
        format!(
            "with {} callers hear of it after {} only: their own timeouts may be shorter",
            played.fault.name,
            seconds(played.seen.after())
        )
    })
    .collect()
}
