//! Any bytes as a provider's answer in Anthropic's format: no panic, nothing told of what is
//! malformed, no good end after a failure, and the same events however the stream is cut.
//!
//! Good seeds: `tests/fixtures/anthropic`.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::dialect::{self, Stream, Told, Voices};
use segue::exchange::{Delivery, Dialect, Event, Task, UsageWish};
use segue::sse::{Decoder, Frame};
use segue::units::ByteSize;

fuzz_target!(|bytes: &[u8]| {
    // The last byte says where to cut, so that a recorded stream is a seed as it is.
    let cut = bytes.len() * usize::from(bytes.last().copied().unwrap_or(0)) / 256;
    let (head, tail) = bytes.split_at(cut);
    assert_eq!(transcript(&[head, tail]), transcript(&[bytes]));

    for task in [Task::Chat, Task::Count] {
        let voices = Voices::alike(Dialect::Anthropic, task, Delivery::Whole);
        let mut told = 0_usize;
        let read = dialect::whole(&voices, &Bytes::copy_from_slice(bytes), &mut |_| told += 1);
        assert_eq!(read.is_ok(), told > 0);
    }
});

/// What was told, a line an event.
fn transcript(pieces: &[&[u8]]) -> Vec<String> {
    let delivery = Delivery::Stream(UsageWish::Asked);
    let mut decoder = Decoder::new(ByteSize::mib(1));
    let mut stream = Stream::new(&Voices::alike(Dialect::Anthropic, Task::Chat, delivery));
    let mut lines = Vec::new();
    let mut failed = false;
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(frame)) = decoder.next_frame() {
            failed |= read(&mut stream, &frame, &mut lines);
            assert!(!failed || !stream.finished());
        }
    }
    while let Ok(Some(frame)) = decoder.finish() {
        failed |= read(&mut stream, &frame, &mut lines);
    }
    assert!(!failed || !stream.finished());
    lines.push(stream.finished().to_string());
    lines
}

/// Says whether the frame told of a failure.
fn read(stream: &mut Stream, frame: &Frame, lines: &mut Vec<String>) -> bool {
    let before = lines.len();
    let mut failed = false;
    let told = stream.frame(frame, &mut |event| {
        failed |= matches!(event, Event::Failed(_));
        lines.push(format!("{event:?}"));
    });
    assert_eq!(told.is_ok(), lines.len() > before);
    assert_eq!(told == Ok(Told::Failure), failed);
    failed
}
