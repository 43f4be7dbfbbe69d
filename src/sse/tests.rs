//! The promises of the room: the standard's cases, and the same frames for every cut.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Decoder, Frame, TooLong, comment, encode, naive};
use crate::units::ByteSize;

const PLENTY: ByteSize = ByteSize::mib(16);

/// What a stream in these pieces gives: frames, then a tail, then perhaps an error.
fn decode(limit: ByteSize, pieces: &[Bytes]) -> (Vec<Frame>, Option<Frame>, Option<TooLong>) {
    let mut decoder = Decoder::new(limit);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece.clone());
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, None, Some(error)),
            }
        }
    }
    let held = decoder.pending();
    match decoder.finish() {
        // A frame that only waited for an LF is complete: the closing CR tells it from a tail.
        Ok(Some(frame)) if frame.raw.ends_with(b"\n\r") => {
            assert_eq!(held, frame.raw.len());
            frames.push(frame);
            assert_eq!(decoder.finish(), Ok(None));
            (frames, None, None)
        }
        Ok(tail) => {
            assert_eq!(held, tail.as_ref().map_or(0, |tail| tail.raw.len()));
            assert_eq!((decoder.pending(), decoder.finish()), (0, Ok(None)));
            (frames, tail, None)
        }
        Err(error) => (frames, None, Some(error)),
    }
}

fn block(frame: &Frame) -> naive::Block {
    naive::Block {
        raw: frame.raw.to_vec(),
        event: frame.event.as_deref().map(<[u8]>::to_vec),
        data: frame.data.as_deref().map(<[u8]>::to_vec),
        id: frame.id.as_deref().map(<[u8]>::to_vec),
        retry: frame
            .retry
            .map(|retry| u64::try_from(retry.as_millis()).unwrap()),
    }
}

fn assert_as_naive(pieces: &[Bytes], case: &str) {
    let (frames, tail, error) = decode(PLENTY, pieces);
    assert_eq!(error, None, "{case}");
    let got = (frames.iter().map(block).collect(), tail.as_ref().map(block));
    assert_eq!(got, naive::parse(&pieces.concat()), "{case}");
}

fn fixtures() -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let streams = files.filter(|file| file.path().extension().is_some_and(|end| end == "sse"));
    streams
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap().into())
        })
        .collect()
}

/// The stream in pieces that end at these offsets, and the rest.
fn cut(stream: &Bytes, offsets: &[usize]) -> Vec<Bytes> {
    let starts = std::iter::once(0).chain(offsets.iter().copied());
    let ends = offsets.iter().copied().chain([stream.len()]);
    starts.zip(ends).map(|(a, b)| stream.slice(a..b)).collect()
}

fn bytes_of(stream: &Bytes) -> Vec<Bytes> {
    (0..stream.len()).map(|at| stream.slice(at..=at)).collect()
}

/// The data of each complete frame, `-` where there is none.
fn data(stream: &'static [u8]) -> Vec<String> {
    let (frames, ..) = decode(PLENTY, &[Bytes::from_static(stream)]);
    frames
        .iter()
        .map(|frame| text(frame.data.as_ref()))
        .collect()
}

fn text(field: Option<&Bytes>) -> String {
    field.map_or("-".to_owned(), |field| {
        String::from_utf8(field.to_vec()).unwrap()
    })
}

fn only(stream: &'static [u8]) -> Frame {
    let (mut frames, tail, error) = decode(PLENTY, &[Bytes::from_static(stream)]);
    assert_eq!((frames.len(), tail, error), (1, None, None));
    frames.remove(0)
}

#[test]
fn data_is_read_as_the_standard_says() {
    let cases: &[(&[u8], &[&str])] = &[
        (b"", &[]),
        (b"\n\n\r\n\r", &[]),
        (b"data: a\n\n", &["a"]),
        (b"data:a\n\n", &["a"]),
        (b"data:  a \n\n", &[" a "]),
        (b"data:\ta\n\n", &["\ta"]),
        (b"data: a: b\n\n", &["a: b"]),
        (b"data\n\n", &[""]),
        (b"data:\n\n", &[""]),
        (b"data: \n\n", &[""]),
        (b"data\ndata\n\n", &["\n"]),
        (b"data: a\ndata: b\ndata:\ndata: c\n\n", &["a\nb\n\nc"]),
        (b"data:\ndata: a\n\n", &["\na"]),
        (b": c\n\n", &["-"]),
        (b":\n\n", &["-"]),
        (b":data: a\n\n", &["-"]),
        (b"Data: a\n\n", &["-"]),
        (b" data: a\n\n", &["-"]),
        (b"data : a\n\n", &["-"]),
        (b"datas: a\n\n", &["-"]),
        (b"event: x\n\n", &["-"]),
        (b": c\ndata: a\n: d\ndata: b\n\n", &["a\nb"]),
        (b"data: a\r\r", &["a"]),
        (b"data: a\r\n\r\n", &["a"]),
        (b"data: a\r\ndata: b\n\n", &["a\nb"]),
        (b"data: a\rdata: b\n\n", &["a\nb"]),
        (b"data: a\n\ndata: b\n\n", &["a", "b"]),
        (b"data: a\n\n\n\n\ndata: b\n\n", &["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", &["a", "b", "c"]),
        (
            "data: a\u{2028}b\u{85}c\x0b\x0c\n\n".as_bytes(),
            &["a\u{2028}b\u{85}c\x0b\x0c"],
        ),
        ("\u{feff}data: a\n\n".as_bytes(), &["a"]),
        ("\u{feff}\u{feff}data: a\n\n".as_bytes(), &["-"]),
        ("\n\u{feff}data: a\n\n".as_bytes(), &["-"]),
        ("data: a\n\n\u{feff}data: b\n\n".as_bytes(), &["a", "-"]),
        (b"data: a\n\ndata: b\n", &["a"]),
        (b"data: a\n\ndata: b", &["a"]),
        (b"data: a\0b\n\n", &["a\0b"]),
    ];
    for (stream, expected) in cases {
        assert_eq!(data(stream), *expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn names_ids_and_retries_are_read_as_the_standard_says() {
    let second = Some(Duration::from_secs(1));
    let cases: &[(&[u8], &str, &str, Option<Duration>)] = &[
        (b"event: a\n\n", "a", "-", None),
        (b"event:a\nevent: b\n\n", "b", "-", None),
        (b"event: a\nevent\n\n", "-", "-", None),
        (b"event:\n\n", "-", "-", None),
        (b"id: 1\n\n", "-", "1", None),
        (b"id: 1\nid: 2\n\n", "-", "2", None),
        (b"id\n\n", "-", "", None),
        (b"id: a\0b\n\n", "-", "-", None),
        (b"id: 1\nid: \0\n\n", "-", "1", None),
        (b"retry: 1000\n\n", "-", "-", second),
        (b"retry:0001000\n\n", "-", "-", second),
        (b"retry: 1000\nretry: 1s\n\n", "-", "-", second),
        (b"retry: 1000\nretry\n\n", "-", "-", second),
        (b"retry: 5\nretry: 1000\n\n", "-", "-", second),
        (b"retry: -1\n\n", "-", "-", None),
        (b"retry: +1\n\n", "-", "-", None),
        (b"retry:  1\n\n", "-", "-", None),
        (b"retry: 1.5\n\n", "-", "-", None),
        (b"retry: 1e3\n\n", "-", "-", None),
        (b"retry: ff\n\n", "-", "-", None),
        (b"retry: \xd9\xa1\n\n", "-", "-", None),
        (b"retry: 0\n\n", "-", "-", Some(Duration::ZERO)),
        (
            b"retry: 99999999999999999999\n\n",
            "-",
            "-",
            Some(Duration::from_millis(u64::MAX)),
        ),
    ];
    for (stream, event, id, retry) in cases {
        let frame = only(stream);
        let got = (
            text(frame.event.as_ref()),
            text(frame.id.as_ref()),
            frame.retry,
        );
        assert_eq!(
            got,
            ((*event).to_owned(), (*id).to_owned(), *retry),
            "{}",
            stream.escape_ascii()
        );
    }
}

#[test]
fn raw_is_the_frame_with_its_closing_blank_line() {
    let cases: &[(&[u8], &[&[u8]])] = &[
        (b"data: a\n\n\n", &[b"data: a\n\n"]),
        (b"\n\r: c\n\n", &[b": c\n\n"]),
        (b"\xEF\xBB\xBFdata: a\n\n", &[b"data: a\n\n"]),
        (b"\xEF\xBBdata: a\n\n", &[b"\xEF\xBBdata: a\n\n"]),
        (b"\xEFdata: a\n\n", &[b"\xEFdata: a\n\n"]),
        (b"data: a\r\n\r\n\r\n", &[b"data: a\r\n\r\n"]),
        (
            b"data: a\r\n\rdata: b\n\n",
            &[b"data: a\r\n\r", b"data: b\n\n"],
        ),
        (
            b"data: a\r\n\ndata: b\n\r\n",
            &[b"data: a\r\n\n", b"data: b\n\r\n"],
        ),
        (
            b"data: a\r\r\ndata: b\r\r",
            &[b"data: a\r\r", b"data: b\r\r"],
        ),
        (b"a\nb\rc\r\nd\n\rf\n\n", &[b"a\nb\rc\r\nd\n\r", b"f\n\n"]),
    ];
    for (stream, expected) in cases {
        let (frames, ..) = decode(PLENTY, &[Bytes::copy_from_slice(stream)]);
        let raw: Vec<&[u8]> = frames.iter().map(|frame| &*frame.raw).collect();
        assert_eq!(raw, *expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn every_fixture_reads_the_same_for_every_cut() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 20);
    for (name, stream) in fixtures {
        assert_as_naive(std::slice::from_ref(&stream), &name);
        assert_as_naive(&bytes_of(&stream), &name);
        for first in 0..=stream.len() {
            assert_as_naive(&cut(&stream, &[first]), &format!("{name} cut at {first}"));
            if stream.len() > 120 {
                continue;
            }
            for second in first..=stream.len() {
                let case = format!("{name} cut at {first} and {second}");
                assert_as_naive(&cut(&stream, &[first, second]), &case);
            }
        }
    }
}

#[test]
fn a_frame_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"event: e\nid: 7\ndata: one\n\ndata: two\r\n\r\n");
    let (frames, ..) = decode(PLENTY, std::slice::from_ref(&chunk));
    let at = |field: Option<&Bytes>| field.unwrap().as_ptr() as usize - chunk.as_ptr() as usize;
    let [one, two] = frames.as_slice() else {
        panic!("two frames");
    };
    assert_eq!((at(Some(&one.raw)), at(one.data.as_ref())), (0, 21));
    assert_eq!((at(one.event.as_ref()), at(one.id.as_ref())), (7, 13));
    assert_eq!((at(Some(&two.raw)), at(two.data.as_ref())), (26, 32));
}

#[test]
fn a_frame_across_chunks_is_gathered_once() {
    let stream = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let (frames, ..) = decode(PLENTY, &cut(&stream, &[15]));
    let [one, two] = frames.as_slice() else {
        panic!("two frames");
    };
    assert_eq!(one.raw.as_ptr(), stream.as_ptr());
    let offset = two.data.as_ref().unwrap().as_ptr() as usize - two.raw.as_ptr() as usize;
    assert_eq!(offset, "data: ".len());
}

#[test]
fn a_closing_carriage_return_waits_only_where_a_line_feed_is_likely() {
    let cases: &[(&'static [u8], bool)] = &[
        (b"data: a\r\r", true),
        (b"data: a\n\n", true),
        (b"data: a\r\n\n", true),
        (b"data: a\r\n\r\n", true),
        (b"data: a\r\n\r", false),
        (b"data: a\n\r", false),
    ];
    for (stream, complete) in cases {
        let case = stream.escape_ascii();
        let mut decoder = Decoder::new(PLENTY);
        decoder.push(Bytes::from_static(stream));
        let frame = decoder.next_frame().unwrap();
        assert_eq!(frame.is_some(), *complete, "{case}");
        assert_eq!(
            decoder.pending(),
            if *complete { 0 } else { stream.len() },
            "{case}"
        );
        let last = decoder.finish().unwrap();
        assert_eq!(last.is_some(), !*complete, "{case}");
        assert_eq!(frame.or(last).unwrap().raw, *stream, "{case}");
    }
}

#[test]
fn chunks_pushed_ahead_are_read_in_order() {
    let stream = Bytes::from_static(b"data: one\n\ndata: two\n\ndata: three");
    for at in 0..stream.len() {
        let mut decoder = Decoder::new(PLENTY);
        for piece in cut(&stream, &[at, at]) {
            decoder.push(piece);
        }
        assert_eq!(decoder.pending(), stream.len());
        let all: Vec<Frame> = std::iter::from_fn(|| decoder.finish().unwrap()).collect();
        let data: Vec<String> = all.iter().map(|frame| text(frame.data.as_ref())).collect();
        assert_eq!(data, ["one", "two", "three"], "cut at {at}");
    }
}

#[test]
fn what_is_between_frames_is_not_held() {
    let mut decoder = Decoder::new(PLENTY);
    for blank in ["\u{feff}", "\n", "\r\n\r\n", "\r", "\n\n"] {
        let chunk = Bytes::from(blank.to_owned());
        decoder.push(chunk.clone());
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.pending(), 0, "{blank:?}");
        assert!(chunk.is_unique(), "{blank:?}");
    }
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn a_frame_of_the_limit_passes_and_a_byte_more_fails_for_every_cut() {
    for end in ["\n\n", "\r\n\r\n", "\r\r", "\n\r"] {
        let frame = format!("data: 0123456789{end}");
        let stream = Bytes::from(format!("data: a\n\n{frame}data: b\n\n"));
        let limit = ByteSize(frame.len() as u64);
        let less = ByteSize(limit.0 - 1);
        let mut cuts: Vec<_> = (0..stream.len()).map(|at| cut(&stream, &[at])).collect();
        cuts.push(bytes_of(&stream));
        for pieces in cuts {
            let (frames, tail, error) = decode(limit, &pieces);
            assert_eq!((frames.len(), tail, error), (3, None, None), "{end:?}");
            let (frames, tail, error) = decode(less, &pieces);
            assert_eq!((frames.len(), tail), (1, None), "{end:?}");
            assert_eq!(error, Some(TooLong { limit: less }), "{end:?}");
        }
    }
}

#[test]
fn a_tail_past_the_limit_fails_and_one_of_the_limit_is_given_out() {
    let tail = Bytes::from_static(b"data: 1");
    let (_, given, error) = decode(ByteSize(7), std::slice::from_ref(&tail));
    assert_eq!((given.unwrap().raw, error), (tail.clone(), None));
    let (_, given, error) = decode(ByteSize(6), &[tail]);
    assert_eq!((given, error.is_some()), (None, true));
}

#[test]
fn past_the_limit_the_decoder_keeps_failing_and_holds_nothing() {
    let mut decoder = Decoder::new(ByteSize(8));
    let chunk = Bytes::from(b"data: 123\n\n".to_vec());
    let ahead = Bytes::from(b"data: 1\n\n".to_vec());
    decoder.push(chunk.clone());
    decoder.push(ahead.clone());
    let error = decoder.next_frame().unwrap_err();
    assert_eq!(error.to_string(), "event is longer than 8 bytes");
    assert_eq!(decoder.pending(), 0);
    assert!(chunk.is_unique() && ahead.is_unique());
    decoder.push(ahead.clone());
    assert_eq!(
        (decoder.next_frame(), decoder.finish()),
        (Err(error), Err(error))
    );
    assert!(ahead.is_unique());
}

#[test]
fn a_limit_of_nothing_still_skips_what_is_between_frames() {
    let (frames, tail, error) = decode(ByteSize(0), &[Bytes::from_static(b"\n\n\r\n")]);
    assert_eq!((frames, tail, error), (vec![], None, None));
    let mark = Bytes::from_static(b"\xEF\xBB\xBF\n\r\n");
    for pieces in [cut(&mark, &[1]), cut(&mark, &[2]), bytes_of(&mark)] {
        assert_eq!(decode(ByteSize(0), &pieces), (vec![], None, None));
    }
    for stream in [b":".as_slice(), b"\xEF", b"\xEF\xBB"] {
        let (_, _, error) = decode(ByteSize(0), &[Bytes::copy_from_slice(stream)]);
        assert!(error.is_some());
    }
}

/// Would not end in a day if a push looked at what is held already.
#[test]
fn a_million_single_byte_chunks_take_linear_time() {
    let line = Bytes::from_static(b"data: 0123456789\r\n");
    let mut decoder = Decoder::new(PLENTY);
    let mut pushed = 0;
    for byte in bytes_of(&line).iter().cycle().take(1_000_008) {
        decoder.push(byte.clone());
        assert_eq!(decoder.next_frame(), Ok(None));
        pushed += 1;
    }
    assert_eq!(decoder.pending(), pushed);
    decoder.push(Bytes::from_static(b"\n"));
    let frame = decoder.next_frame().unwrap().unwrap();
    assert_eq!(frame.raw.len(), pushed + 1);
    assert_eq!(frame.data.unwrap().len(), 1_000_008 / 18 * 11 - 1);
}

#[test]
fn an_encoded_frame_reads_back() {
    let cases: &[(Option<&str>, &[u8], &str)] = &[
        (None, b"[DONE]", "data: [DONE]\n\n"),
        (Some("ping"), b"{}", "event: ping\ndata: {}\n\n"),
        (None, b"", "data: \n\n"),
        (
            None,
            b"a\nb\r\nc\rd",
            "data: a\ndata: b\ndata: c\ndata: d\n\n",
        ),
        (None, b"a\n", "data: a\ndata: \n\n"),
        (None, b" a", "data:  a\n\n"),
        (Some("a\ndata: b"), b"c", "event: a\ndata: c\n\n"),
        (Some("a\rb"), b"c", "event: a\ndata: c\n\n"),
    ];
    for (event, data, expected) in cases {
        assert_eq!(encode(*event, data), expected, "{event:?}");
    }
}

#[test]
fn a_comment_joins_the_frame_that_follows() {
    assert_eq!(comment("segue"), ": segue\n");
    assert_eq!(comment("a\r\nb\n"), ": a\n: b\n: \n");
    let stream = [comment("a\ndata: b"), encode(None, b"c")].concat();
    let (frames, ..) = decode(PLENTY, &[Bytes::from(stream)]);
    assert_eq!(frames.len(), 1);
    assert_eq!(text(frames[0].data.as_ref()), "c");
}

/// Streams of what makes a difference, rather than of any bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let parts: &[&[u8]] = &[
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b" ",
        b"\0",
        b"12",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xE2\x80\xA8",
        b"x",
        b"data: y\n\n",
    ];
    let part = prop_oneof![
        8 => prop::sample::select(parts.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn cut_stream() -> impl Strategy<Value = Vec<Bytes>> {
    let offsets = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    (stream(), offsets).prop_map(|(stream, offsets)| {
        let stream = Bytes::from(stream);
        let mut at: Vec<usize> = offsets.iter().map(|i| i.index(stream.len() + 1)).collect();
        at.sort_unstable();
        cut(&stream, &at)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_stream_in_any_pieces_reads_as_the_naive_parser_says(pieces in cut_stream()) {
        assert_as_naive(&pieces, "random");
    }

    #[test]
    fn any_limit_gives_a_prefix_of_the_frames_the_same_for_any_cut(
        pieces in cut_stream(),
        limit in 0_u64..24,
    ) {
        let whole = Bytes::from(pieces.concat());
        let (frames, tail, error) = decode(ByteSize(limit), &pieces);
        let (all, all_tail, _) = decode(PLENTY, std::slice::from_ref(&whole));
        let long = |frame: &Frame| frame.raw.len() as u64 > limit;
        prop_assert_eq!(error.is_some(), all.iter().chain(&all_tail).any(long));
        prop_assert_eq!(&frames[..], &all[..frames.len()]);
        prop_assert!(!frames.iter().chain(&tail).any(long));
        if error.is_none() {
            prop_assert_eq!((frames.len(), tail), (all.len(), all_tail));
        }
    }

    #[test]
    fn every_byte_is_in_a_frame_or_pending_or_between_frames(pieces in cut_stream()) {
        let whole = pieces.concat();
        let mut rest = whole.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(&whole);
        let (frames, tail, _) = decode(PLENTY, &pieces);
        for frame in frames.iter().chain(&tail) {
            while let Some((b'\r' | b'\n', after)) = rest.split_first() {
                rest = after;
            }
            rest = rest.strip_prefix(&*frame.raw).unwrap();
        }
        prop_assert!(rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')));
    }

    #[test]
    fn what_is_encoded_reads_back(name in "[a-z_.]{1,12}", data in any::<Vec<u8>>()) {
        let (frames, tail, _) = decode(PLENTY, &[encode(Some(&name), &data)]);
        prop_assert_eq!((frames.len(), tail), (1, None));
        prop_assert_eq!(frames[0].event.as_deref(), Some(name.as_bytes()));
        let latin: String = data.iter().copied().map(char::from).collect();
        let joined = latin.replace("\r\n", "\n").replace('\r', "\n");
        let read = frames[0].data.iter().flatten().copied().map(char::from);
        prop_assert_eq!(read.collect::<String>(), joined);
    }
}
