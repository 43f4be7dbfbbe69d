//! The commit gate: holds the head of a stream until it is safe to let it out.
//!
//! Pure: no sockets, no clock. While it holds, everything can still become another target's answer
//! or a proper HTTP status; what is held is bounded. Frames are not read here: how much content one
//! has is told with it.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::exchange::Event;
use crate::route::Hold;
use crate::units::{ByteSize, Tokens};

/// Held of a head, at most: beyond it the gate commits. Role and usage frames are a few hundred
/// bytes.
const HEAD_LIMIT: ByteSize = ByteSize::mib(1);

/// Held of a whole stream, at most: beyond it the attempt fails.
const ALL_LIMIT: ByteSize = ByteSize::mib(32);

/// Letters that count as one token.
const LETTERS: usize = 4;

/// Why the head was let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// The first content came, and nothing was to be held.
    Unheld,
    /// Enough content had come.
    Tokens,
    /// Enough time had passed since the first content.
    Time,
    /// The answer had come to its good end.
    End,
    /// More bytes had come than are held.
    Bytes,
}

impl Commit {
    /// The reason's name in log and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unheld => "unheld",
            Self::Tokens => "tokens",
            Self::Time => "time",
            Self::End => "end",
            Self::Bytes => "bytes",
        }
    }
}

/// More came than may be held of an answer that is held to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldTooMuch;

/// Holds the frames of one attempt's stream.
///
/// ```text
/// Holding ─▶ Committed ─▶ Ended
///    │  └──────────────────▲
///    └─▶ Failed
/// ```
///
/// A committed gate stays committed, whatever happens; nothing follows an end or a failure.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    /// What waits: for the commit, or then for being taken.
    frames: Frames,
    since: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// Nothing has reached the client: the attempt may still be abandoned.
    Holding(Holding),
    /// The answer must be finished.
    Committed(Commit),
    /// The answer has come to its good end.
    Ended(Commit),
    /// The attempt failed and left nothing.
    Failed,
}

#[derive(Debug)]
struct Holding {
    rule: Hold,
    limit: ByteSize,
    tokens: Tokens,
    /// When time alone commits: known from the first content on.
    due: Option<Instant>,
}

impl Gate {
    /// A gate that holds by this rule.
    pub(super) fn new(rule: Hold) -> Self {
        let limit = match rule {
            Hold::None | Hold::Head { .. } => HEAD_LIMIT,
            Hold::All => ALL_LIMIT,
        };
        Self::bounded(rule, limit)
    }

    /// A gate that holds by this rule, and so many bytes at most.
    pub(super) fn bounded(rule: Hold, limit: ByteSize) -> Self {
        Self {
            state: State::Holding(Holding {
                rule,
                limit,
                tokens: Tokens(0),
                due: None,
            }),
            frames: Frames::default(),
            since: None,
        }
    }

    /// Takes the next frame, in which there is so much content.
    pub(super) fn frame(
        &mut self,
        frame: Bytes,
        content: Tokens,
        now: Instant,
    ) -> Result<(), HeldTooMuch> {
        match &mut self.state {
            State::Committed(_) => self.frames.push(frame),
            State::Holding(holding) => {
                self.since.get_or_insert(now);
                self.frames.push(frame);
                match holding.take(content, self.frames.len(), now) {
                    None => {}
                    Some(Ok(commit)) => self.state = State::Committed(commit),
                    Some(Err(too_much)) => {
                        self.fail();
                        return Err(too_much);
                    }
                }
            }
            State::Ended(_) | State::Failed => {}
        }
        Ok(())
    }

    /// Takes the answer's good end, and its last frame.
    pub(super) fn end(&mut self, last: Bytes) {
        let commit = match self.state {
            State::Holding(_) => Commit::End,
            State::Committed(commit) => commit,
            State::Ended(_) | State::Failed => return,
        };
        self.frames.push(last);
        self.state = State::Ended(commit);
    }

    /// Takes the attempt's failure. What is held is dropped; what was let out stays let out.
    pub(super) fn fail(&mut self) {
        if let State::Holding(_) = self.state {
            self.state = State::Failed;
            self.frames = Frames::default();
        }
    }

    /// Commits if it is time to.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.due().is_some_and(|due| now >= due) {
            self.state = State::Committed(Commit::Time);
        }
    }

    /// When time alone commits.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Holding(holding) => holding.due,
            State::Committed(_) | State::Ended(_) | State::Failed => None,
        }
    }

    /// What may go out now, in one piece: nothing before the commit.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        match self.state {
            State::Committed(_) | State::Ended(_) => self.frames.take(),
            State::Holding(_) | State::Failed => None,
        }
    }

    /// Why frames were let out; `None` while none were.
    pub(super) fn commit(&self) -> Option<Commit> {
        match self.state {
            State::Committed(commit) | State::Ended(commit) => Some(commit),
            State::Holding(_) | State::Failed => None,
        }
    }

    /// When the first frame came.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

impl Holding {
    /// Counts a frame; says whether that ends the holding, and how. `held` is all that waits.
    fn take(
        &mut self,
        content: Tokens,
        held: usize,
        now: Instant,
    ) -> Option<Result<Commit, HeldTooMuch>> {
        if content > Tokens(0) {
            self.tokens += content;
            match self.rule {
                Hold::None => return Some(Ok(Commit::Unheld)),
                Hold::Head { tokens, .. } if self.tokens >= tokens => {
                    return Some(Ok(Commit::Tokens));
                }
                Hold::Head { at_most, .. } => {
                    self.due = self.due.or_else(|| now.checked_add(at_most));
                }
                Hold::All => {}
            }
        }
        if held <= self.limit.as_len() {
            return None;
        }
        Some(match self.rule {
            Hold::None | Hold::Head { .. } => Ok(Commit::Bytes),
            Hold::All => Err(HeldTooMuch),
        })
    }
}

/// How much content an event is: a token for every four letters, at least one; none for what is
/// no content.
pub(super) fn weight(event: &Event<'_>) -> Tokens {
    let letters = |text: &str| text.chars().count();
    let letters = match event {
        Event::Text { text, .. } | Event::Reasoning { text, .. } | Event::Refusal { text, .. } => {
            letters(text)
        }
        Event::ToolCall {
            name, arguments, ..
        } => name.as_deref().map_or(0, letters) + letters(arguments),
        Event::Media { .. } => LETTERS,
        Event::Started
        | Event::Signature { .. }
        | Event::Aside { .. }
        | Event::Finished { .. }
        | Event::Usage(_)
        | Event::Failed(_)
        | Event::Ping
        | Event::End => 0,
    };
    let tokens = if letters == 0 {
        0
    } else {
        (letters / LETTERS).max(1)
    };
    Tokens(u64::try_from(tokens).unwrap_or(u64::MAX))
}

/// Frames in a row: a single one is passed on as the slice that it is.
#[derive(Debug, Default)]
struct Frames {
    first: Option<Bytes>,
    rest: BytesMut,
}

impl Frames {
    fn push(&mut self, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
        match self.first.take() {
            None if self.rest.is_empty() => self.first = Some(frame),
            None => self.rest.extend_from_slice(&frame),
            Some(first) => {
                self.rest.reserve(first.len() + frame.len());
                self.rest.extend_from_slice(&first);
                self.rest.extend_from_slice(&frame);
            }
        }
    }

    fn len(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len) + self.rest.len()
    }

    fn take(&mut self) -> Option<Bytes> {
        self.first.take().or_else(|| {
            let frames = std::mem::take(&mut self.rest);
            (!frames.is_empty()).then(|| frames.freeze())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::exchange::{Failure, Finish, Usage};
    use crate::relay::model::{self, Happening, Step};

    const HEAD: Hold = Hold::Head {
        tokens: Tokens(12),
        at_most: Duration::from_millis(400),
    };

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Puts frames with so much content to a gate, one each millisecond; returns it with what went
    /// out at once.
    fn put(rule: Hold, contents: &[u64], start: Instant) -> (Gate, Vec<Option<usize>>) {
        let mut gate = Gate::new(rule);
        let mut sent = Vec::new();
        for (at, content) in (0..).zip(contents) {
            let frame = Bytes::from_static(b"frame");
            gate.frame(frame, Tokens(*content), after(start, at))
                .unwrap();
            sent.push(gate.take().map(|bytes| bytes.len() / 5));
        }
        (gate, sent)
    }

    #[test]
    fn nothing_goes_out_before_the_rule_is_met_and_then_all_of_it_in_order() {
        let start = Instant::now();
        for (rule, contents, sent, commit) in [
            (
                Hold::None,
                &[0, 0, 1, 0, 5][..],
                "..311",
                Some(Commit::Unheld),
            ),
            (Hold::None, &[3, 1], "11", Some(Commit::Unheld)),
            (HEAD, &[0, 5, 6, 0], "....", None),
            (HEAD, &[0, 5, 6, 0, 1, 0], "....51", Some(Commit::Tokens)),
            (HEAD, &[12, 1], "11", Some(Commit::Tokens)),
            (Hold::All, &[0, 100, 1000, 0], "....", None),
        ] {
            let (gate, went) = put(rule, contents, start);
            let shown = |sent: &Option<usize>| sent.map_or(".".to_owned(), |sent| sent.to_string());
            let went: String = went.iter().map(shown).collect();
            assert_eq!((went.as_str(), gate.commit()), (sent, commit), "{rule:?}");
        }
    }

    #[test]
    fn time_counts_from_the_first_content_and_not_from_the_first_frame() {
        let start = Instant::now();
        let (mut gate, _) = put(HEAD, &[0, 0], start);
        assert_eq!((gate.due(), gate.since()), (None, Some(start)));
        gate.tick(after(start, 4_000));
        assert_eq!(gate.commit(), None);

        let (mut gate, _) = put(HEAD, &[0, 0, 1, 1], start);
        assert_eq!(gate.due(), Some(after(start, 402)));
        gate.tick(after(start, 401));
        assert_eq!((gate.take(), gate.commit()), (None, None));
        gate.tick(after(start, 402));
        assert_eq!(gate.commit(), Some(Commit::Time));
        assert_eq!(gate.take().unwrap().len(), 20);
        assert_eq!((gate.due(), gate.since()), (None, Some(start)));
    }

    #[test]
    fn time_alone_commits_neither_what_is_not_held_nor_what_is_held_to_its_end() {
        let start = Instant::now();
        for (rule, contents) in [(Hold::None, &[0][..]), (Hold::All, &[0, 50])] {
            let (mut gate, _) = put(rule, contents, start);
            assert_eq!(gate.due(), None, "{rule:?}");
            gate.tick(after(start, 3_600_000));
            assert_eq!(gate.commit(), None, "{rule:?}");
        }
        let forever = Hold::Head {
            tokens: Tokens(9),
            at_most: Duration::MAX,
        };
        assert_eq!(put(forever, &[1], start).0.due(), None);
    }

    #[test]
    fn a_good_end_lets_everything_out() {
        let start = Instant::now();
        for rule in [Hold::None, HEAD, Hold::All] {
            let (mut gate, _) = put(rule, &[0], start);
            gate.end(Bytes::from_static(b"end"));
            assert_eq!(gate.take().unwrap(), "frameend", "{rule:?}");
            assert_eq!(gate.commit(), Some(Commit::End));
            gate.end(Bytes::from_static(b"end"));
            gate.frame(Bytes::from_static(b"x"), Tokens(1), start)
                .unwrap();
            assert_eq!(gate.take(), None, "nothing follows the end");
            gate.fail();
            assert_eq!(gate.commit(), Some(Commit::End));
        }
    }

    #[test]
    fn a_failure_drops_what_is_held_and_nothing_else() {
        let start = Instant::now();
        let (mut gate, _) = put(HEAD, &[1, 1], start);
        assert_eq!(gate.len(), 10);
        gate.fail();
        gate.tick(after(start, 3_600_000));
        gate.end(Bytes::from_static(b"end"));
        gate.frame(Bytes::from_static(b"x"), Tokens(50), start)
            .unwrap();
        assert_eq!((gate.take(), gate.commit(), gate.len()), (None, None, 0));

        let mut gate = Gate::new(HEAD);
        gate.frame(Bytes::from_static(b"x"), Tokens(50), start)
            .unwrap();
        gate.fail();
        assert_eq!(gate.commit(), Some(Commit::Tokens));
        assert_eq!(
            gate.take().unwrap(),
            "x",
            "what was let out before goes out"
        );
    }

    #[test]
    fn what_is_held_is_bounded() {
        let start = Instant::now();
        for rule in [Hold::None, HEAD] {
            let mut gate = Gate::new(rule);
            let full = Bytes::from(vec![b'x'; 1 << 20]);
            gate.frame(full, Tokens(0), start).unwrap();
            assert_eq!((gate.take(), gate.len()), (None, 1 << 20), "{rule:?}");
            gate.frame(Bytes::from_static(b"x"), Tokens(0), start)
                .unwrap();
            assert_eq!(gate.commit(), Some(Commit::Bytes));
            assert_eq!(gate.take().unwrap().len(), (1 << 20) + 1);
        }
        let mut gate = Gate::new(Hold::All);
        let full = Bytes::from(vec![b'x'; 32 << 20]);
        gate.frame(full, Tokens(9), start).unwrap();
        assert_eq!((gate.take(), gate.len()), (None, 32 << 20));
        let too_much = gate.frame(Bytes::from_static(b"x"), Tokens(0), start);
        assert_eq!(too_much, Err(HeldTooMuch));
        assert_eq!((gate.take(), gate.commit(), gate.len()), (None, None, 0));
    }

    #[test]
    fn a_single_slice_is_not_copied_held_or_not() {
        let start = Instant::now();
        for rule in [Hold::None, HEAD] {
            let frame = Bytes::from(vec![b'x'; 10]);
            let mut gate = Gate::new(rule);
            gate.frame(frame.clone(), Tokens(11), start).unwrap();
            gate.tick(after(start, 400));
            assert_eq!(gate.take().unwrap().as_ptr(), frame.as_ptr());
            gate.frame(frame.clone(), Tokens(1), start).unwrap();
            assert_eq!(gate.take().unwrap().as_ptr(), frame.as_ptr());
        }
    }

    #[test]
    fn content_weighs_a_token_for_four_letters_and_nothing_else_weighs() {
        let text = |text: &'static str| Event::Text {
            choice: 0,
            text: Cow::Borrowed(text),
        };
        let call = |name: Option<&'static str>, arguments: &'static str| Event::ToolCall {
            choice: 0,
            index: 0,
            id: Some(Cow::Borrowed("an id is no content")),
            name: name.map(Cow::Borrowed),
            arguments: Cow::Borrowed(arguments),
        };
        let reason = Finish::Stop;
        for (event, tokens) in [
            (text(""), 0),
            (text("a"), 1),
            (text("abcd"), 1),
            (text("abcdefg"), 1),
            (text("abcdefgh"), 2),
            (text("äöüß€🦀漢字"), 2),
            (
                Event::Reasoning {
                    choice: 0,
                    text: Cow::Borrowed("abcdefgh"),
                },
                2,
            ),
            (
                Event::Refusal {
                    choice: 0,
                    text: Cow::Borrowed("abcdefgh"),
                },
                2,
            ),
            (call(None, ""), 0),
            (call(Some("f"), ""), 1),
            (call(None, "{"), 1),
            (call(Some("abcd"), "abcd"), 2),
            (Event::Media { choice: 0 }, 1),
            (Event::Started, 0),
            (Event::Finished { choice: 0, reason }, 0),
            (Event::Usage(Usage::default()), 0),
            (Event::Failed(Failure::default()), 0),
            (Event::Ping, 0),
            (Event::End, 0),
        ] {
            assert_eq!(weight(&event), Tokens(tokens), "{event:?}");
        }
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            12 => (0..40_usize, 0..6_u64).prop_map(|(length, tokens)| Happening::Frame(length, tokens)),
            3 => Just(Happening::Tick),
            1 => Just(Happening::End),
            1 => Just(Happening::Fail),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_gate_does_as_its_model(
            rule in prop_oneof![
                Just(Hold::None),
                Just(Hold::All),
                (0..20_u64, 0..50_u64).prop_map(|(tokens, at_most)| Hold::Head {
                    tokens: Tokens(tokens),
                    at_most: Duration::from_millis(at_most),
                }),
            ],
            limit in 0..300_u64,
            steps in prop::collection::vec((0..20_u64, happening()), 0..40),
        ) {
            let mut at = 0;
            let steps: Vec<Step> = steps
                .into_iter()
                .map(|(wait, what)| {
                    at += wait;
                    Step { at, what }
                })
                .collect();
            model::check(rule, ByteSize(limit), &steps);
        }

        #[test]
        fn any_bytes_are_a_story_that_the_gate_tells_as_its_model(
            bytes in prop::collection::vec(any::<u8>(), 0..120)
        ) {
            model::gate(&bytes);
        }

        #[test]
        fn a_failure_at_the_very_moment_that_time_runs_out_is_before_it_or_after_it(
            contents in prop::collection::vec(1..4_u64, 1..4)
        ) {
            let start = Instant::now();
            let due = after(start, 400);
            let (mut failed, _) = put(HEAD, &contents, start);
            failed.fail();
            failed.tick(due);
            prop_assert_eq!((failed.take(), failed.commit()), (None, None));
            let (mut broken, _) = put(HEAD, &contents, start);
            broken.tick(due);
            broken.fail();
            prop_assert_eq!(broken.commit(), Some(Commit::Time));
            prop_assert_eq!(broken.take().unwrap().len(), 5 * contents.len());
        }
    }
}
