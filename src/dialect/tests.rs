//! What a provider's error is: bodies as they come on the wire, each with its class.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Stream, Voices, classify, failure};
use crate::exchange::Class::{
    self, Auth, BadRequest, ContextLength, NotFound, Overloaded, Quota, RateLimited, TooLarge,
    Transient,
};
use crate::exchange::{Delivery, Dialect, Event, Failure, Task, UsageWish};
use crate::sse::Frame;

/// An error as a provider words it.
#[derive(serde::Deserialize)]
struct Recorded {
    provider: String,
    class: String,
    status: u16,
    body: String,
}

/// Errors as they come on the wire, statuses first, then the data of events inside a 200. Texts are
/// the vendors' own; where only a code is documented, the words beside it are made up.
fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("../../tests/fixtures/errors.json")).unwrap()
}

#[test]
fn every_known_error_is_told_by_its_body() {
    let errors = recorded().into_iter().filter(|error| error.status != 200);
    let mut seen = 0;
    for Recorded {
        provider,
        class,
        status,
        body,
    } in errors
    {
        let failure = failure(Dialect::OpenAi, status, body.as_bytes());
        let found = classify(&failure).name();
        assert_eq!(found, class, "{provider} {status} {body}\n{failure:?}");
        seen += 1;
    }
    assert!(seen >= 120, "{seen}");
}

#[test]
fn an_error_inside_a_stream_is_judged_like_a_status() {
    for Recorded {
        class, body: data, ..
    } in recorded().into_iter().filter(|error| error.status == 200)
    {
        let mut found = None;
        let raw = format!("data: {data}\n\n");
        let frame = Frame {
            raw: raw.into(),
            event: None,
            data: Some(Bytes::from(data.clone())),
            id: None,
            retry: None,
        };
        let mut sink = |event: Event<'_>| {
            if let Event::Failed(failure) = event {
                found = Some(failure);
            }
        };
        Stream::new(&Voices::alike(
            Dialect::OpenAi,
            Task::Chat,
            Delivery::Stream(UsageWish::Asked),
        ))
        .frame(&frame, &mut sink)
        .unwrap();
        let failure = found.unwrap();
        assert_eq!(classify(&failure).name(), class, "{data}\n{failure:?}");
    }
}

#[test]
fn without_words_the_status_decides() {
    for status in 100..=999 {
        let expected = match status {
            401 | 403 | 407 | 451 => Auth,
            402 => Quota,
            300..=399 | 404 | 405 | 410 => NotFound,
            408 | 409 | 424 | 425 | 499 => Transient,
            413 => TooLarge,
            429 => RateLimited,
            498 | 503 | 529 => Overloaded,
            400..=498 | 501 => BadRequest,
            _ => Transient,
        };
        for body in [
            "",
            "{}",
            r#"{"error":{"message":"who knows","code":"new"}}"#,
        ] {
            let failure = failure(Dialect::OpenAi, status, body.as_bytes());
            assert_eq!(classify(&failure), expected, "{status} {body}");
        }
    }
    assert_eq!(classify(&Failure::default()), Transient);
}

/// What a client could have quoted back at it, to have a target left alone for minutes.
#[test]
fn a_client_cannot_talk_a_target_out_of_use() {
    for quoted in [
        "You have reached your specified API usage limits",
        "Your credit balance is too low",
        "insufficient balance",
        "insufficient credits",
        "too many tokens per day",
        "tokens per day (TPD)",
        "spending limit",
        "limit: 0, ",
        "API key not valid",
        "Incorrect API key provided",
        "Model Not Exist",
        "Invalid model: x",
        "x is not a valid model ID",
        "Invocation of model ID x with on-demand throughput isn't supported",
        "the provided model identifier is invalid",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
        "server busy",
        "rate_limit_exceeded",
        "overloaded_error",
        "experiencing high demand",
    ] {
        for status in [400, 413, 422] {
            let failure = Failure {
                status: Some(status),
                kind: Some("invalid_request_error".to_owned()),
                message: Some(format!("Invalid value: '{quoted}' is no number.")),
                ..Failure::default()
            };
            let class = classify(&failure);
            assert!(
                matches!(class, BadRequest | TooLarge | ContextLength),
                "{status} {quoted}: {class:?}"
            );
        }
    }
}

#[test]
fn type_code_and_finer_reasons_count_alike_whatever_their_case() {
    let word = || Some("Insufficient_QUOTA".to_owned());
    let with = |failure: Failure| {
        classify(&Failure {
            status: Some(500),
            ..failure
        })
    };
    assert_eq!(
        with(Failure {
            kind: word(),
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            code: word(),
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            reasons: word(),
            ..Failure::default()
        }),
        Quota
    );
    let second = Some("x insufficient_quota y".to_owned());
    assert_eq!(
        with(Failure {
            reasons: second,
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            message: word(),
            ..Failure::default()
        }),
        Transient
    );
    let near = Some("no_insufficient_quota".to_owned());
    assert_eq!(
        with(Failure {
            code: near,
            ..Failure::default()
        }),
        Transient
    );
}

#[test]
fn only_the_beginning_of_an_endless_message_is_looked_at() {
    let class = |filler: usize| {
        classify(&Failure {
            status: Some(400),
            message: Some(format!("{}Prompt Is Too Long", "é".repeat(filler))),
            ..Failure::default()
        })
    };
    assert_eq!(class(1000), ContextLength);
    assert_eq!(class(1024), BadRequest);
    assert_eq!(class(1 << 20), BadRequest);
    // A cut in the middle of a character.
    let odd = Failure {
        status: Some(400),
        message: Some(format!(
            "prompt is too long {}",
            "a".to_owned() + &"é".repeat(2000)
        )),
        ..Failure::default()
    };
    assert_eq!(classify(&odd), ContextLength);
}

/// Texts that are near to what the table knows.
fn wordish() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "insufficient_quota",
        "PerDay",
        "quotaValue:0",
        "context_length_exceeded",
        "html",
        "3505",
        "rate limit",
        "trial key",
        "/ minute",
        "per day (",
        "max_tokens",
        "is too large",
        "token",
        "maximum context length is",
        "exceeds the limit of",
        "overloaded",
        "é",
        "*",
        ".",
        "",
    ]);
    prop::collection::vec(prop_oneof![known.prop_map(str::to_owned), ".{0,8}"], 0..6)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_error_has_a_class_and_402_is_always_money(
        status in prop::option::of(100_u16..1000),
        kind in prop::option::of(wordish()),
        code in prop::option::of(wordish()),
        reasons in prop::option::of(wordish()),
        message in prop::option::of(wordish()),
    ) {
        let failure = Failure { status, kind, code, reasons, message, retry_delay: None };
        let class = classify(&failure);
        prop_assert!(Class::ALL.contains(&class));
        prop_assert_eq!(classify(&failure), class);
        let paid = Failure { status: Some(402), ..failure };
        prop_assert_eq!(classify(&paid), Quota);
    }
}
