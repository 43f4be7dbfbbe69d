//! A request with a lower bound on its answer: for a target that could not give what was asked for.

use bytes::Bytes;

use super::dispatch::parse;
use crate::exchange::{Request, Task};
use crate::json::Edit;
use crate::units::Tokens;

/// The names of the bound in the formats of clients.
const BOUNDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The request with its bound lowered to `most`; `None` where it has none, or a lower one. Copies
/// the body: this is not the usual way of a request.
pub fn lowered(request: &Request, most: Tokens) -> Option<Request> {
    let asked = request.max_output?;
    if asked <= most || !matches!(request.task, Task::Chat | Task::Completion) {
        return None;
    }
    let number = Bytes::from(most.0.to_string());
    let there = BOUNDS
        .into_iter()
        .filter(|name| request.fields.span(name).is_some());
    let edits: Vec<Edit<'_>> = there.map(|name| Edit::Set(name, number.clone())).collect();
    let body = request.fields.splice(&request.body, &edits).concat();
    parse(request.dialect, request.task, body.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Dialect;

    #[test]
    fn only_the_bound_is_lowered_and_never_raised() {
        let body =
            r#"{"x":[1],"model":"m","max_tokens":900,"messages":[{"role":"user","content":"hi"}]}"#;
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let request = parse(dialect, Task::Chat, body.into()).unwrap();
            let lower = lowered(&request, Tokens(7)).unwrap();
            assert_eq!(lower.max_output, Some(Tokens(7)));
            assert_eq!(lower.body, body.replace("900", "7"));
            assert!(lowered(&request, Tokens(900)).is_none());
        }
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let request = parse(Dialect::OpenAi, Task::Chat, body.into()).unwrap();
        assert!(lowered(&request, Tokens(1)).is_none());
    }
}
