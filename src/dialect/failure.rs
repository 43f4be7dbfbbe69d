//! A provider's error in its own words, whatever their shape. Never fails.

use super::leaf::Leaf;
use super::name::Name;
use crate::exchange::Failure;

/// The most bytes kept of a message: it is for a person.
const MAX_MESSAGE: usize = 1024;
/// The most bytes kept of a type or code: they are words to compare and count.
const MAX_WORD: usize = 128;
/// The most bytes kept of the finer codes together.
const MAX_REASONS: usize = 256;
/// The type of a page: a word that no provider needs for anything else.
const PAGE: &str = "html";

/// What the body of an error status says: `OpenAI`'s shape, the flat ones (xAI, Mistral, older
/// vLLM), `detail` (`FastAPI`), a list of one (Gemini's compatible endpoint), a page of HTML, prose,
/// or nothing. The caller bounds the body.
pub(super) fn failure(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let failure = of_text(text.trim_start_matches('\u{feff}'));
    Failure {
        status: Some(status),
        ..failure
    }
}

/// What the data of an event named `error` says.
pub(super) fn of_event(data: &[u8]) -> Failure {
    of_text(&String::from_utf8_lossy(data))
}

/// What the value of an `error` field says: a string, or an object of `OpenAI`'s kind.
pub(super) fn of_error(error: Leaf<'_>) -> Failure {
    if let Some(text) = error.text() {
        return Failure {
            message: words(&text, MAX_MESSAGE),
            ..Failure::default()
        };
    }
    let mut failure = Failure::default();
    error.fields(|name, value| flat(&mut failure, name, value));
    failure
}

/// What a finish reason says that is none.
pub(super) fn of_reason(reason: Leaf<'_>) -> Failure {
    Failure {
        code: word(reason),
        ..Failure::default()
    }
}

/// Takes one field of an error object, or of a document that is one itself.
pub(super) fn flat(failure: &mut Failure, name: Name, value: Leaf<'_>) {
    match name {
        Name::Message | Name::Msg => failure.message = message(value),
        Name::Type => failure.kind = word(value).or(failure.kind.take()),
        Name::Code => {
            failure.status = failure.status.or_else(|| status(value));
            failure.code = word(value);
        }
        // A number (Azure), or a word (Gemini).
        Name::Status => match status(value) {
            Some(status) => failure.status = Some(status),
            None => failure.kind = failure.kind.take().or_else(|| word(value)),
        },
        // OpenRouter says the type there.
        Name::Metadata => value.fields(|name, value| {
            if name == Name::ErrorType && failure.kind.is_none() {
                failure.kind = word(value);
            }
        }),
        Name::Details => {
            of_details(failure, value);
            value.items(|item| of_details(failure, item));
        }
        // Azure's code behind the code.
        Name::Innererror => value.fields(|name, value| {
            if name == Name::Code {
                add_reason(failure, word(value));
            }
        }),
        _ => {}
    }
}

/// What stands beside an error: `{error_code}` (Anthropic), or one of `google.rpc`'s `ErrorInfo`,
/// `QuotaFailure` and `RetryInfo`.
fn of_details(failure: &mut Failure, details: Leaf<'_>) {
    details.fields(|name, value| match name {
        Name::ErrorCode | Name::Reason => add_reason(failure, word(value)),
        Name::RetryDelay => failure.retry_delay = word(value),
        Name::Violations => {
            value.items(|violation| {
                violation.fields(|name, value| of_violation(failure, name, value));
            });
        }
        _ => {}
    });
}

/// Which quota it is; one of nothing is told apart, for no time will fill it.
fn of_violation(failure: &mut Failure, name: Name, value: Leaf<'_>) {
    match name {
        Name::QuotaId => add_reason(failure, word(value)),
        Name::QuotaValue if word(value).as_deref() == Some("0") => {
            add_reason(failure, Some("quotaValue:0".to_owned()));
        }
        _ => {}
    }
}

/// Keeps one more finer code, as long as all of them stay short.
fn add_reason(failure: &mut Failure, reason: Option<String>) {
    let Some(reason) = reason else { return };
    let Some(reasons) = &mut failure.reasons else {
        failure.reasons = Some(reason);
        return;
    };
    if reasons.len() + 1 + reason.len() <= MAX_REASONS {
        reasons.push(' ');
        reasons.push_str(&reason);
    }
}

/// Fills what the inner error leaves open from the document around it.
pub(super) fn within(inner: Failure, document: Failure) -> Failure {
    Failure {
        status: inner.status.or(document.status),
        kind: inner.kind.or(document.kind),
        code: inner.code.or(document.code),
        reasons: inner.reasons.or(document.reasons),
        retry_delay: inner.retry_delay.or(document.retry_delay),
        message: inner.message.or(document.message),
    }
}

fn of_text(text: &str) -> Failure {
    let text = text.trim();
    match Leaf::parse(text) {
        Some(document) => of_document(document),
        None => Failure {
            kind: is_page(text).then(|| PAGE.to_owned()),
            message: prose(text),
            ..Failure::default()
        },
    }
}

fn of_document(document: Leaf<'_>) -> Failure {
    let mut outer = Failure::default();
    let mut inner = None;
    let mut take = |document: Leaf<'_>| {
        document.fields(|name, value| match name {
            Name::Error if value.is_truthy() => inner = Some(of_error(value)),
            Name::Detail => detail(&mut outer, value),
            name => flat(&mut outer, name, value),
        });
    };
    take(document);
    let mut first = true;
    document.items(|item| {
        if std::mem::take(&mut first) {
            take(item);
        }
    });
    if let Some(text) = document.text() {
        outer.message = words(&text, MAX_MESSAGE);
    }
    within(inner.unwrap_or_default(), outer)
}

/// `FastAPI`: a string, or a list of `{type, loc, msg, input}`.
fn detail(failure: &mut Failure, detail: Leaf<'_>) {
    if detail.text().is_some() || detail.is_object() {
        *failure = within(of_error(detail), std::mem::take(failure));
    }
    let mut first = true;
    detail.items(|item| {
        if std::mem::take(&mut first) {
            *failure = within(of_error(item), std::mem::take(failure));
        }
    });
}

fn is_page(text: &str) -> bool {
    text.starts_with('<') && !text.starts_with("<?xml")
}

/// The title of a page, or the text itself.
fn prose(text: &str) -> Option<String> {
    if !text.starts_with('<') {
        return words(text, MAX_MESSAGE);
    }
    let (_, rest) = text
        .split_once("<title>")
        .or_else(|| text.split_once("<TITLE>"))?;
    let title = rest.split('<').next()?;
    words(title, MAX_MESSAGE)
}

fn message(value: Leaf<'_>) -> Option<String> {
    match value.text() {
        Some(text) => words(&text, MAX_MESSAGE),
        // A list or an object in the message's place: better than nothing.
        None if value.is_truthy() => words(value.json(), MAX_MESSAGE),
        None => None,
    }
}

/// A string, or a number's digits.
fn word(value: Leaf<'_>) -> Option<String> {
    match value.text() {
        Some(text) => words(&text, MAX_WORD),
        None => value.count().and(words(value.json(), MAX_WORD)),
    }
}

/// A number in the place of an HTTP status, as `OpenRouter`, vLLM and Azure (in a string) have it.
fn status(value: Leaf<'_>) -> Option<u16> {
    let text = value.text();
    let digits = text.as_deref().unwrap_or(value.json());
    digits
        .parse()
        .ok()
        .filter(|status| (400..=599).contains(status))
}

/// Without control characters (white space among them becomes a space), trimmed and cut to
/// `most` bytes between two characters; `None` if nothing is left.
fn words(text: &str, most: usize) -> Option<String> {
    let mut kept = String::new();
    for letter in text.trim().chars() {
        let letter = if letter.is_whitespace() { ' ' } else { letter };
        if letter.is_control() {
            continue;
        }
        if kept.len() + letter.len_utf8() > most {
            break;
        }
        kept.push(letter);
    }
    Some(kept).filter(|kept| !kept.is_empty())
}
