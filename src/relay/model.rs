//! What the gate and the pump promise, said a second time and more simply: for the tests and for
//! the fuzz targets, which both feed it any bytes.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::dialect::{self, Voices};
use crate::exchange::{Delivery, Dialect, Task, UsageWish};
use crate::relay::gate::{Commit, Gate, HeldTooMuch};
use crate::relay::inspect::Inspector;
use crate::relay::pump::{Life, Pump, Terms};
use crate::relay::verdict::Why;
use crate::route::{Check, Hold, Malformed, Policy, Refusals};
use crate::units::{ByteSize, Tokens};

/// The most that a gate is put through at once.
const MOST_STEPS: usize = 48;

/// Something that happens to a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A frame of so many bytes with so much content.
    Frame(usize, u64),
    /// The good end.
    End,
    /// The attempt's failure.
    Fail,
    /// Time alone.
    Tick,
}

/// Something that happens so many milliseconds after the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) at: u64,
    pub(super) what: Happening,
}

/// What decides over a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Commit(Commit),
    TooMuch,
    Failed,
}

/// Puts a gate through what the bytes say and holds it against its promises: the first for the
/// rule, three for its bounds, then two for each step.
///
/// # Panics
/// When a promise is broken.
pub fn gate(bytes: &[u8]) {
    let [rule, tokens, at_most, limit, bytes @ ..] = bytes else {
        return;
    };
    let rule = match rule % 4 {
        0 => Hold::None,
        1 => Hold::All,
        _ => Hold::Head {
            tokens: Tokens(u64::from(*tokens)),
            at_most: Duration::from_millis(u64::from(*at_most)),
        },
    };
    let mut at = 0;
    let steps: Vec<Step> = bytes
        .chunks_exact(2)
        .take(MOST_STEPS)
        .map(|pair| {
            let [when, what] = [0, 1].map(|place| pair.get(place).copied().unwrap_or_default());
            at += u64::from(when / 8);
            let what = match when % 8 {
                0 => Happening::Tick,
                1 => Happening::End,
                2 => Happening::Fail,
                _ => Happening::Frame(usize::from(what % 32), u64::from(what / 32)),
            };
            Step { at, what }
        })
        .collect();
    check(rule, ByteSize(u64::from(*limit)), &steps);
}

/// Holds a gate against its promises after each of the steps.
pub(super) fn check(rule: Hold, limit: ByteSize, steps: &[Step]) {
    let start = Instant::now();
    let mut gate = Gate::bounded(rule, limit);
    let mut out = Vec::new();
    let mut committed = None;
    for (count, step) in steps.iter().enumerate() {
        let so_far = steps.get(..=count).unwrap_or_default();
        let decided = decision(rule, limit, so_far);
        take(&mut gate, count, *step, start, decided);
        out.extend(gate.take().unwrap_or_default());

        let story = || format!("{rule:?} {limit:?} {so_far:?}");
        assert_eq!(out, expected(decided, so_far), "{}", story());
        let commit = match decided {
            Some((_, Decision::Commit(commit))) => Some(commit),
            Some((_, Decision::TooMuch | Decision::Failed)) | None => None,
        };
        assert_eq!(gate.commit(), commit, "{}", story());
        assert!(committed.is_none() || committed == commit, "{}", story());
        committed = commit;
        let due = time(rule, so_far).map(|due| start + Duration::from_millis(due));
        assert_eq!(gate.due(), due.filter(|_| decided.is_none()), "{}", story());
        let held = if decided.is_none() {
            bytes_of(so_far)
        } else {
            0
        };
        assert_eq!(gate.len(), held, "{}", story());
        assert!(held <= limit.as_len(), "{}", story());
        let first = so_far
            .iter()
            .position(|step| matches!(step.what, Happening::Frame(..)))
            .filter(|first| decided.is_none_or(|(at, _)| at >= *first))
            .and_then(|first| so_far.get(first));
        let first = first.map(|step| start + Duration::from_millis(step.at));
        assert_eq!(gate.since(), first, "{}", story());
    }
}

fn take(
    gate: &mut Gate,
    count: usize,
    step: Step,
    start: Instant,
    decided: Option<(usize, Decision)>,
) {
    let now = start + Duration::from_millis(step.at);
    match step.what {
        Happening::Frame(_, tokens) => {
            let taken = gate.frame(letters(count, step.what).into(), Tokens(tokens), now);
            let too_much = decided == Some((count, Decision::TooMuch));
            assert_eq!(taken, if too_much { Err(HeldTooMuch) } else { Ok(()) });
        }
        Happening::End => gate.end(letters(count, step.what).into()),
        Happening::Fail => gate.fail(),
        Happening::Tick => gate.tick(now),
    }
}

/// The bytes of a step's frame: its number, so that order shows.
fn letters(count: usize, what: Happening) -> Vec<u8> {
    let number = u8::try_from(count).unwrap_or(u8::MAX);
    match what {
        Happening::Frame(length, _) => vec![number; length],
        Happening::End => vec![number; 3],
        Happening::Fail | Happening::Tick => Vec::new(),
    }
}

/// The first step at which something must be decided, and what.
fn decision(rule: Hold, limit: ByteSize, steps: &[Step]) -> Option<(usize, Decision)> {
    (0..steps.len()).find_map(|last| {
        let so_far = steps.get(..=last)?;
        let decision = match (so_far.last()?.what, rule) {
            (Happening::End, _) => Decision::Commit(Commit::End),
            (Happening::Fail, _) => Decision::Failed,
            (Happening::Tick, _) => {
                let now = so_far.last()?.at;
                time(rule, so_far).filter(|due| now >= *due)?;
                Decision::Commit(Commit::Time)
            }
            (Happening::Frame(_, 1..), Hold::None) => Decision::Commit(Commit::Unheld),
            (Happening::Frame(_, 1..), Hold::Head { tokens, .. })
                if tokens_of(so_far) >= tokens.0 =>
            {
                Decision::Commit(Commit::Tokens)
            }
            (Happening::Frame(..), _) if bytes_of(so_far) <= limit.as_len() => return None,
            (Happening::Frame(..), Hold::All) => Decision::TooMuch,
            (Happening::Frame(..), Hold::None | Hold::Head { .. }) => {
                Decision::Commit(Commit::Bytes)
            }
        };
        Some((last, decision))
    })
}

/// All that must have gone out after the steps.
fn expected(decided: Option<(usize, Decision)>, steps: &[Step]) -> Vec<u8> {
    let Some((_, Decision::Commit(_))) = decided else {
        return Vec::new();
    };
    let ended = steps.iter().position(|step| step.what == Happening::End);
    let last = ended.unwrap_or(steps.len());
    let steps = steps.iter().enumerate().take_while(|(at, _)| *at <= last);
    steps
        .flat_map(|(at, step)| letters(at, step.what))
        .collect()
}

/// When time alone commits: from the first content on.
fn time(rule: Hold, steps: &[Step]) -> Option<u64> {
    let Hold::Head { at_most, .. } = rule else {
        return None;
    };
    let content = |step: &&Step| matches!(step.what, Happening::Frame(_, 1..));
    let first = steps.iter().find(content)?.at;
    Some(first + u64::try_from(at_most.as_millis()).ok()?)
}

fn tokens_of(steps: &[Step]) -> u64 {
    let tokens = steps.iter().map(|step| match step.what {
        Happening::Frame(_, tokens) => tokens,
        Happening::End | Happening::Fail | Happening::Tick => 0,
    });
    tokens.sum()
}

fn bytes_of(steps: &[Step]) -> usize {
    let bytes = steps.iter().map(|step| match step.what {
        Happening::Frame(length, _) => length,
        Happening::End | Happening::Fail | Happening::Tick => 0,
    });
    bytes.sum()
}

/// What a client got of a stream, and how it ended.
#[derive(Debug, PartialEq)]
pub(super) struct Got {
    pub(super) bytes: String,
    pub(super) end: Result<(), &'static str>,
    pub(super) commit: Option<Commit>,
    pub(super) usage: Option<u64>,
    pub(super) tokens: u64,
    pub(super) skipped: u32,
}

/// Runs a stream in pieces through a pump while time stands still.
pub(super) fn run(terms: Terms, pieces: &[&[u8]]) -> Got {
    let now = Instant::now();
    let mut pump = Pump::new(terms);
    let mut bytes = Vec::new();
    let mut tokens = Tokens(0);
    let mut end: Option<Result<(), Why>> = None;
    let mut pieces = pieces.iter();
    while end.is_none() {
        let step = match pieces.next() {
            Some(piece) => pump.chunk(Bytes::copy_from_slice(piece), now),
            None => pump.finish(now),
        };
        assert!(step.send.is_none() || pump.commit().is_some());
        assert_eq!(step.life == Life::Content, step.tokens > Tokens(0));
        assert!(pump.commit().is_none() || pump.held() == 0);
        bytes.extend(step.send.unwrap_or_default());
        tokens += step.tokens;
        end = step.end;
    }
    assert_eq!(pump.tokens(), tokens);
    assert!(pump.commit().is_some() || bytes.is_empty() && pump.held() == 0);
    Got {
        // What is not text has been refused.
        bytes: String::from_utf8(bytes).unwrap_or_else(|error| format!("{error:?}")),
        end: end.unwrap_or(Ok(())).map_err(|why| why.name()),
        commit: pump.commit(),
        usage: pump.heard().word.map(|(usage, _)| usage.output.0),
        tokens: tokens.0,
        skipped: pump.skipped(),
    }
}

/// An inspector that looks for everything there is, in an answer that must be a JSON object or
/// call `a`.
pub(super) fn strict() -> Option<Inspector> {
    let policy = Policy {
        refusals: Refusals::FallBack,
        refusal_texts: vec!["{\"Sorry".to_owned()],
        checks: vec![Check::Json, Check::Tools],
        ..Policy::default()
    };
    let body = r#"{"model":"m","messages":[{}],"response_format":{"type":"json_object"},"tools":[{"function":{"name":"a"}}]}"#;
    let request = dialect::parse(Dialect::OpenAi, Task::Chat, body.into()).ok()?;
    Some(Inspector::new(&policy, &request))
}

/// Every kind of hold.
pub(super) fn holds() -> [Hold; 4] {
    let head = |tokens| Hold::Head {
        tokens: Tokens(tokens),
        at_most: Duration::from_secs(1),
    };
    [Hold::None, head(2), head(12), Hold::All]
}

/// Any bytes as a provider's stream, cut in any two places: the client gets the same of it however
/// it is cut, and how it ends does not hang on how long it is held. The last two bytes say where to
/// cut and their number how it is held, so that a recorded stream is a seed as it is.
///
/// # Panics
/// When a promise is broken.
pub fn pump(bytes: &[u8]) {
    cut(bytes, bytes.len());
    let plain = |hold| run(terms(hold, Malformed::Break, None), &[bytes]).end;
    let [unheld, others @ ..] = holds().map(plain);
    assert!(others.iter().all(|end| *end == unheld), "{others:?}");
}

/// Cuts a stream by its last two bytes and compares, held and inspected in one of
/// 24 ways.
pub(super) fn cut(bytes: &[u8], way: usize) {
    let hold = holds().into_iter().nth(way % 4).unwrap_or(Hold::All);
    let malformed = match way / 4 % 2 {
        0 => Malformed::Break,
        _ => Malformed::Skip,
    };
    let inspector = match way / 8 % 3 {
        0 => None,
        1 => Some(Inspector::default()),
        _ => strict(),
    };
    let mut cuts = [1, 2].map(|place| {
        let share = bytes.len().checked_sub(place).and_then(|at| bytes.get(at));
        bytes.len() * usize::from(share.copied().unwrap_or_default()) / 256
    });
    cuts.sort_unstable();
    let (head, rest) = bytes.split_at_checked(cuts[0]).unwrap_or((bytes, b""));
    let (middle, tail) = rest
        .split_at_checked(cuts[1] - cuts[0])
        .unwrap_or((rest, b""));
    let run = |pieces: &[&[u8]]| run(terms(hold, malformed, inspector.clone()), pieces);
    assert_eq!(run(&[bytes]), run(&[head, middle, tail]), "{hold:?}");
}

fn terms(hold: Hold, malformed: Malformed, inspector: Option<Inspector>) -> Terms<'static> {
    Terms {
        voices: Voices::alike(
            Dialect::OpenAi,
            Task::Chat,
            Delivery::Stream(UsageWish::NotAsked),
        ),
        event_limit: ByteSize::kib(1),
        hold,
        inspector,
        malformed,
    }
}
