//! Any stream told again in our own words: no panic, frames of JSON, and the end only after a good
//! one, however the stream is cut.
//!
//! Good seeds: `tests/fixtures/openai`.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::dialect::{Label, Stream, Told, Voices};
use segue::exchange::{Delivery, Dialect, Form, Task, UsageWish};
use segue::sse::Decoder;
use segue::units::ByteSize;

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.len() * usize::from(bytes.last().copied().unwrap_or(0)) / 256;
    let (head, tail) = bytes.split_at(cut);
    // A completion that was asked for as a chat: the same format, told again.
    for (task, delivery) in [
        (Task::Completion, Delivery::Stream(UsageWish::Asked)),
        (Task::Chat, Delivery::Whole),
    ] {
        let told = told(task, delivery, &[bytes]);
        assert_eq!(told, self::told(task, delivery, &[head, tail]));
        let mut frames = Decoder::new(ByteSize::mib(8));
        if delivery == Delivery::Whole {
            assert!(told.is_empty() || serde_json::from_slice::<serde_json::Value>(&told).is_ok());
            continue;
        }
        frames.push(told.into());
        while let Ok(Some(frame)) = frames.next_frame() {
            let Some(data) = frame.data else { continue };
            let is_json = serde_json::from_slice::<serde_json::Value>(&data).is_ok();
            assert!(data == "[DONE]" || is_json);
        }
    }
});

fn told(task: Task, delivery: Delivery, pieces: &[&[u8]]) -> Vec<u8> {
    let voices = Voices {
        provider: Dialect::OpenAi,
        form: Form::Stream,
        asked: Task::Chat,
        client: Dialect::OpenAi,
        delivery,
        task,
        label: Label::default(),
    };
    let mut stream = Stream::new(&voices);
    let mut decoder = Decoder::new(ByteSize::mib(1));
    let mut out = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(frame)) = decoder.next_frame() {
            if let Ok(Told::Answer(bytes) | Told::Life(bytes)) = stream.frame(&frame, &mut |_| {}) {
                out.extend_from_slice(&bytes);
            }
        }
    }
    if stream.finished() {
        out.extend_from_slice(&stream.end());
    }
    out
}
