//! What a client is told whose request no target can serve.

use std::fmt::Write as _;

use crate::exchange::{Fault, FaultKind, Need};
use crate::route::{LeftOut, Plan, Route};

/// The fault of a request that every target of its route was left out for; `None` if there is
/// somewhere to go, or if something else than the request stands in the way.
pub fn unserved(route: &Route, plan: &Plan) -> Option<Fault> {
    if !plan.places.is_empty() || plan.left_out.is_empty() {
        return None;
    }
    let mut message = format!("No target of '{}' can serve this request", route.name);
    let mut all_too_small = true;
    for (index, omission) in plan.left_out.iter().enumerate() {
        let target = route.targets().nth(omission.target)?;
        let reason = match omission.reason {
            LeftOut::Lacks(Need::Context) => "its window is too small".to_owned(),
            LeftOut::Lacks(Need::Output) => "it cannot give an answer of that length".to_owned(),
            LeftOut::Lacks(need) => format!("it has no {}", need.name()),
            LeftOut::StrictParams => "it does not take all of its parameters".to_owned(),
            LeftOut::FailClosed | LeftOut::OtherVectors => "it is another model".to_owned(),
            LeftOut::NoProvider | LeftOut::FallbackOff => return None,
        };
        all_too_small &= matches!(
            omission.reason,
            LeftOut::Lacks(Need::Context) | LeftOut::FailClosed | LeftOut::OtherVectors
        );
        let before = if index == 0 { ": " } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(message, "{before}{} - {reason}", target.name);
    }
    message.push('.');
    let kind = if all_too_small {
        FaultKind::ContextLength
    } else {
        FaultKind::BadRequest
    };
    Some(Fault::new(kind, message))
}
