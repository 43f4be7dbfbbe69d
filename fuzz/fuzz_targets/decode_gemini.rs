//! Any bytes as a Gemini provider's answer: no panic, nothing told of what is malformed, no good
//! end after a failure, and the same events however the stream is cut.
//!
//! Good seeds: `tests/fixtures/gemini`.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::dialect::gemini::decode::{Stream, whole};
use segue::dialect::{self, Carry};
use segue::exchange::{Dialect, Event};
use segue::sse::{Decoder, Frame};
use segue::units::ByteSize;

fuzz_target!(|bytes: &[u8]| {
    // The last byte says where to cut, so that a recorded stream is a seed as it is.
    let cut = bytes.len() * usize::from(bytes.last().copied().unwrap_or(0)) / 256;
    let (head, tail) = bytes.split_at(cut);
    assert_eq!(transcript(&[head, tail]), transcript(&[bytes]));

    let mut told = 0_usize;
    let read = whole(bytes, &mut |_| told += 1);
    assert_eq!(read.is_ok(), told > 0);
    let failure = dialect::failure(Dialect::Gemini, 500, bytes);
    assert!(failure.message.is_none_or(|message| message.len() <= 1024));
});

/// What was told, a line an event.
fn transcript(pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new(ByteSize::mib(1));
    let mut stream = Stream::new();
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
    let carry = stream.frame(frame, &mut |event| {
        failed |= matches!(event, Event::Failed(_));
        lines.push(format!("{event:?}"));
    });
    assert_eq!(carry.is_ok(), lines.len() > before);
    assert_eq!(carry == Ok(Carry::Failure), failed);
    failed
}
