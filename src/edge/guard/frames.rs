//! Follows the frames of an HTTP/2 client: counts those that make work and ask for nothing, keeps its answers to a PING
//! back (`pong`).
//!
//! Pure: bytes and the time come in. Behind it, each frame costs more than it cost to send: a stream
//! opened and reset is a request, a PING an answer, an empty DATA frame a wake. The frames that an
//! honest client sends as it reads and writes (HEADERS, DATA, `WINDOW_UPDATE`) have bounds elsewhere.

use std::time::{Duration, Instant};

use super::pong::Pong;

/// The client's preface (RFC 9113 section 3.4), which is no frame.
const PREFACE: u32 = 24;
/// The head of a frame (section 4.1).
const HEAD: usize = 9;

/// The time that is looked at together.
const SPAN: Duration = Duration::from_secs(10);
/// Streams that a client may reset in it.
const RESETS: u32 = 200;
/// Other frames in it that ask for nothing, beside those that come with requests: each is work at once, an
/// answer to a PING a packet of its own.
const IDLE: u32 = 250;
/// How many may come with a request, such as its priority.
const BESIDE: u32 = 2;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What one client has sent.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes until the next frame begins.
    skip: u32,
    /// The begin of a frame's head, and how much of it there is.
    head: [u8; HEAD],
    come: usize,
    /// Whether a block of fields has begun and not ended: only its continuation may come (section 4.3).
    in_fields: bool,
    pub(super) pong: Pong,
    /// Since when it is counted.
    begun: Option<Instant>,
    resets: u32,
    idle: u32,
}

/// A client that sends more of it than any that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flood;

impl Default for Frames {
    fn default() -> Self {
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            come: 0,
            in_fields: false,
            pong: Pong::None,
            begun: None,
            resets: 0,
            idle: 0,
        }
    }
}

impl Frames {
    /// Whether a frame may stand here.
    pub(super) fn is_between(&self) -> bool {
        self.skip == 0 && self.come == 0 && !self.in_fields
    }

    /// Goes on with what came at `now`, and spoils an answer to a PING in it.
    ///
    /// # Errors
    /// There is too much of it: the connection deserves no more time.
    pub(super) fn see(&mut self, mut bytes: &mut [u8], now: Instant) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let skipped = self.skip.min(here);
            self.skip -= skipped;
            let (payload, rest) = bytes
                .split_at_mut_checked(skipped as usize)
                .unwrap_or_default();
            self.pong.payload(payload);
            let taken = rest.len().min(HEAD - self.come);
            let (head, rest) = rest.split_at_mut_checked(taken).unwrap_or_default();
            for (place, byte) in self.head.iter_mut().skip(self.come).zip(&*head) {
                *place = *byte;
            }
            self.come += taken;
            bytes = rest;
            if self.come == HEAD {
                self.come = 0;
                self.frame(now)?;
            }
        }
        Ok(())
    }

    /// Counts the frame whose head is here.
    fn frame(&mut self, now: Instant) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        self.skip = u32::from_be_bytes([0, high, middle, low]);
        self.pong.head(self.head);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_fields = flags & END_HEADERS == 0;
        }
        let is_empty = self.skip == 0 && flags & END_STREAM == 0;
        if kind == HEADERS {
            self.idle = self.idle.saturating_sub(BESIDE);
        }
        if matches!(kind, HEADERS | WINDOW_UPDATE) || kind == DATA && !is_empty {
            return Ok(());
        }
        let is_over = |begun: Instant| now.saturating_duration_since(begun) >= SPAN;
        if self.begun.is_none_or(is_over) {
            (self.begun, self.resets, self.idle) = (Some(now), 0, 0);
        }
        let (count, most) = match kind {
            RST_STREAM => (&mut self.resets, RESETS),
            _ => (&mut self.idle, IDLE),
        };
        *count += 1;
        if *count > most { Err(Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRIORITY: u8 = 2;
    const PING: u8 = 6;
    const ACK: u8 = 1;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [_, high, middle, low] = u32::try_from(payload).unwrap().to_be_bytes();
        // A PING is the connection's.
        let stream = u8::from(kind != PING);
        let mut frame = vec![high, middle, low, kind, flags, 0, 0, 0, stream];
        frame.extend((0..=u8::MAX).cycle().take(payload));
        frame
    }

    fn begun() -> Frames {
        let mut frames = Frames::default();
        frames
            .see(&mut [0xff; PREFACE as usize], Instant::now())
            .unwrap();
        frames
    }

    /// How many of these frames are let through at `now`.
    fn let_through(frames: &mut Frames, frame: &[u8], now: Instant) -> u32 {
        (0..100_000)
            .take_while(|_| frames.see(&mut frame.to_vec(), now).is_ok())
            .fold(0, |count, _| count + 1)
    }

    #[test]
    fn what_asks_for_nothing_is_bounded_and_what_works_is_not() {
        let now = Instant::now();
        for (name, frame, most) in [
            ("reset", frame(RST_STREAM, 0, 4), RESETS),
            ("ping", frame(PING, 0, 8), IDLE),
            ("settings", frame(4, 0, 6), IDLE),
            ("priority", frame(PRIORITY, 0, 5), IDLE),
            ("continuation", frame(9, 0, 3), IDLE),
            ("of no known kind", frame(0x7f, 0, 1), IDLE),
            ("empty data", frame(DATA, 0, 0), IDLE),
            ("data", frame(DATA, 0, 1), 100_000),
            ("the end of data", frame(DATA, END_STREAM, 0), 100_000),
            ("head", frame(HEADERS, 4, 30), 100_000),
            ("window", frame(WINDOW_UPDATE, 0, 4), 100_000),
        ] {
            assert_eq!(let_through(&mut begun(), &frame, now), most, "{name}");
        }
    }

    #[test]
    fn what_comes_with_requests_is_not_counted() {
        let now = Instant::now();
        let request = [frame(HEADERS, 4, 30), frame(PRIORITY, 0, 5)].concat();
        assert_eq!(let_through(&mut begun(), &request, now), 100_000);
    }

    #[test]
    fn ten_seconds_later_it_is_counted_anew() {
        let (reset, now) = (frame(RST_STREAM, 0, 4), Instant::now());
        for (wait, more) in [(Duration::from_millis(9_999), 0), (SPAN, RESETS)] {
            let mut frames = begun();
            frames.see(&mut reset.repeat(RESETS as usize), now).unwrap();
            assert_eq!(let_through(&mut frames, &reset, now + wait), more);
        }
    }

    #[test]
    fn what_a_frame_carries_is_never_taken_for_a_frame() {
        let (mut frames, now) = (begun(), Instant::now());
        // Its payload would be resets.
        let mut data = frame(DATA, 0, 0);
        let inside = frame(RST_STREAM, 0, 4).repeat(1_000);
        let [_, high, middle, low] = u32::try_from(inside.len()).unwrap().to_be_bytes();
        data.splice(..3, [high, middle, low]);
        data.extend(inside);
        assert_eq!(frames.see(&mut data, now), Ok(()));
        assert_eq!(frames.resets, 0);
        assert_eq!(
            let_through(&mut frames, &frame(RST_STREAM, 0, 4), now),
            RESETS
        );
    }

    /// Whether nothing is left of the payload.
    fn is_spoilt(passed: &[u8], pong: &[u8]) -> bool {
        let mut payload = passed.iter().zip(pong).skip(HEAD);
        payload.all(|(now, then)| *now == !then)
    }

    /// What is given of the answer that was kept.
    fn given(frames: &mut Frames) -> Vec<u8> {
        frames.pong.give();
        std::iter::from_fn(|| frames.pong.next()).collect()
    }

    #[test]
    fn an_answer_to_a_ping_is_kept_and_given_between_frames() {
        let (mut frames, now) = (begun(), Instant::now());
        let pong = [&[0, 0, 8, PING, ACK, 0, 0, 0, 0][..], b"12345678"].concat();
        let mut passed = pong.clone();
        frames.see(&mut passed, now).unwrap();
        assert_eq!((&passed[..HEAD], passed.len()), (&pong[..HEAD], pong.len()));
        assert!(is_spoilt(&passed, &pong));
        assert!(frames.pong.is_kept());

        // A second one is not ours to keep.
        frames.see(&mut pong.clone(), now).unwrap();
        for (part, is_between) in [
            (frame(HEADERS, 0, 2), false),
            (frame(CONTINUATION, 0, 2), false),
            (frame(CONTINUATION, END_HEADERS, 2), true),
            (frame(DATA, 0, 2)[..5].to_vec(), false),
            (frame(DATA, 0, 2)[5..].to_vec(), true),
            (frame(DATA, 0, 2)[..HEAD].to_vec(), false),
        ] {
            frames.see(&mut part.clone(), now).unwrap();
            assert_eq!(frames.is_between(), is_between, "after {part:?}");
        }
        assert_eq!(given(&mut frames), pong);
        assert_eq!(frames.pong, Pong::None);
    }

    #[test]
    fn an_answer_to_a_ping_is_kept_wherever_it_is_cut() {
        let pong = frame(PING, ACK, 8);
        for cut in 0..=pong.len() {
            let (mut frames, mut passed) = (begun(), pong.clone());
            let (first, second) = passed.split_at_mut(cut);
            frames.see(first, Instant::now()).unwrap();
            assert_eq!(frames.pong.is_kept(), cut == pong.len());
            frames.see(second, Instant::now()).unwrap();
            assert!(is_spoilt(&passed, &pong));
            assert_eq!(given(&mut frames), pong);
        }
    }

    #[test]
    fn nothing_else_is_touched() {
        let mut frames = begun();
        for other in [
            frame(PING, 0, 8),
            [&[0, 0, 7, PING, ACK, 0, 0, 0, 0][..], b"1234567"].concat(),
            frame(4, ACK, 0),
            frame(DATA, ACK, 8),
        ] {
            let mut passed = other.clone();
            frames.see(&mut passed, Instant::now()).unwrap();
            assert_eq!(passed, other);
            assert!(!frames.pong.is_kept());
        }
    }

    proptest! {
        #[test]
        fn a_cut_changes_nothing(
            kinds in prop::collection::vec((0..12_u8, 0..6_u8, prop_oneof![0..40_usize, Just(8)]), 0..60),
            cut in 1..50_usize,
        ) {
            let now = Instant::now();
            let mut wire = vec![b'x'; PREFACE as usize];
            for (kind, flags, payload) in kinds {
                wire.extend(frame(kind, flags, payload));
            }
            let (mut whole, mut pieces) = (Frames::default(), Frames::default());
            let mut cut_up = wire.clone();
            whole.see(&mut wire, now).unwrap();
            for piece in cut_up.chunks_mut(cut) {
                pieces.see(piece, now).unwrap();
            }
            prop_assert_eq!(wire, cut_up);
            prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        }
    }
}
