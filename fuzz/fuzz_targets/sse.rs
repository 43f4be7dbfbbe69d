//! The decoder gives what the naive parser gives, for any stream, any cut and any limit.
//!
//! An input is a byte for the number of cuts, one for the limit, a byte a cut, then the stream.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::{
    sse::{Decoder, Frame, TooLong},
    units::ByteSize,
};

#[path = "../../src/sse/naive.rs"]
mod naive;

fuzz_target!(|input: &[u8]| {
    let [cuts, limit, input @ ..] = input else {
        return;
    };
    let cuts = usize::from(cuts % 16).min(input.len());
    let (cuts, stream) = input.split_at(cuts);
    let pieces = cut(stream, cuts);
    let (blocks, tail) = naive::parse(stream);

    let (frames, error) = decode(ByteSize::mib(16), &pieces);
    let expected: Vec<naive::Block> = blocks.into_iter().chain(tail).collect();
    let got: Vec<naive::Block> = frames.iter().map(block).collect();
    assert_eq!((&got, error), (&expected, None));

    let limit = ByteSize(u64::from(*limit));
    let (bounded, error) = decode(limit, &pieces);
    let long = |frame: &Frame| frame.raw.len() > limit.as_len();
    let fit = frames.iter().take_while(|frame| !long(frame)).count();
    assert_eq!(bounded, frames[..fit]);
    assert_eq!(error.is_some(), fit < frames.len());
});

/// All frames, complete or not, in order.
fn decode(limit: ByteSize, pieces: &[Bytes]) -> (Vec<Frame>, Option<TooLong>) {
    let mut decoder = Decoder::new(limit);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece.clone());
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    loop {
        match decoder.finish() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// The stream in pieces, each as long as its byte says, and the rest.
fn cut(stream: &[u8], lengths: &[u8]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(stream);
    let mut pieces = Vec::new();
    for length in lengths {
        pieces.push(rest.split_to(usize::from(*length).min(rest.len())));
    }
    pieces.push(rest);
    pieces
}

fn block(frame: &Frame) -> naive::Block {
    naive::Block {
        raw: frame.raw.to_vec(),
        event: frame.event.as_deref().map(<[u8]>::to_vec),
        data: frame.data.as_deref().map(<[u8]>::to_vec),
        id: frame.id.as_deref().map(<[u8]>::to_vec),
        retry: frame.retry.map(|retry| retry.as_millis() as u64),
    }
}
