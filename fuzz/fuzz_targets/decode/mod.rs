//! What holds for every format, whatever a provider of it sends: no panic, nothing told of what is
//! malformed, no good end after a failure, and the same events however the stream is cut.

use bytes::Bytes;
use segue::dialect::{self, Stream, Told, Voices};
use segue::exchange::{Delivery, Dialect, Event, Task, UsageWish};
use segue::sse::{Decoder, Frame};
use segue::units::ByteSize;

/// Reads any bytes as answers to these tasks.
pub fn check(dialect: Dialect, tasks: &[Task], bytes: &[u8]) {
    // The last byte says where to cut, so that a recorded stream is a seed as it is.
    let cut = bytes.len() * usize::from(bytes.last().copied().unwrap_or(0)) / 256;
    let (head, tail) = bytes.split_at(cut);
    assert_eq!(
        transcript(dialect, &[head, tail]),
        transcript(dialect, &[bytes])
    );
    for task in tasks {
        let voices = Voices::alike(dialect, *task, Delivery::Whole);
        let mut told = 0_usize;
        let read = dialect::whole(&voices, &Bytes::copy_from_slice(bytes), &mut |_| told += 1);
        assert_eq!(read.is_ok(), told > 0);
    }
    let failure = dialect::failure(dialect, 500, bytes);
    assert!(failure.message.is_none_or(|message| message.len() <= 1024));
}

/// What was told, a line an event.
fn transcript(dialect: Dialect, pieces: &[&[u8]]) -> Vec<String> {
    let delivery = Delivery::Stream(UsageWish::Asked);
    let mut decoder = Decoder::new(ByteSize::mib(1));
    let mut stream = Stream::new(&Voices::alike(dialect, Task::Chat, delivery));
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
