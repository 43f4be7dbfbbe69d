//! Undoes a content coding that was sent although `identity` was asked for.
//!
//! Pure: compressed bytes in, pieces of text out. Every piece that a chunk of input can give is
//! given before the next chunk is taken, so that an event is never delayed; a piece is at most
//! 64 KiB; and past the first MiB the output may be at most a hundred times the input.

use std::io::Write;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Operation};

use super::error::InflateError;

/// The longest piece given out at once.
const PIECE: usize = 64 << 10;
/// Output that needs no justification by input.
const FREE: u64 = 1 << 20;
/// Output bytes allowed for each input byte beyond it.
const RATIO: u64 = 100;
/// Zstandard windows over 8 MiB are refused (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// A streaming decoder of one content coding.
pub(super) struct Inflater {
    decoder: Decoder,
    input: Bytes,
    scratch: Box<[u8]>,
    taken: u64,
    given: u64,
}

/// The decoders, each with what it needs to know at the end.
enum Decoder {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

enum Deflate {
    /// The first byte of the header, kept until the second tells zlib from raw.
    Unknown(Option<u8>),
    Open(Box<Decompress>),
    Ended,
}

struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: Ended,
}

struct Zstd {
    decoder: zstd::stream::raw::Decoder<'static>,
    ended: Ended,
}

/// Whether the compressed stream has come to its own end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Yes,
    No,
}

/// What one step of a decoder did.
struct Step {
    consumed: usize,
    produced: usize,
}

impl Inflater {
    /// The decoder for a `content-encoding`; `None` when there is nothing to undo.
    ///
    /// # Errors
    /// An unknown coding, or several.
    pub(super) fn for_coding(coding: &str) -> Result<Option<Self>, UnknownCoding> {
        let decoder = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => return Ok(None),
            "gzip" | "x-gzip" => Decoder::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Decoder::Deflate(Deflate::Unknown(None)),
            "br" => Decoder::Brotli(Box::new(Brotli::new())),
            "zstd" => Decoder::Zstd(Zstd::try_new().map_err(|_| UnknownCoding)?),
            _ => return Err(UnknownCoding),
        };
        Ok(Some(Self {
            decoder,
            input: Bytes::new(),
            scratch: vec![0; PIECE].into_boxed_slice(),
            taken: 0,
            given: 0,
        }))
    }

    /// Takes the next chunk of input. The one before must have been pulled out.
    pub(super) fn push(&mut self, input: Bytes) {
        debug_assert!(self.input.is_empty(), "pull until there is nothing left");
        self.input = input;
    }

    /// The next piece, or `None` when more input is needed.
    pub(super) fn pull(&mut self) -> Result<Option<Bytes>, InflateError> {
        let mut filled = 0;
        while let Some(room) = self
            .scratch
            .get_mut(filled..)
            .filter(|room| !room.is_empty())
        {
            let step = self.decoder.step(&self.input, room)?;
            self.input.advance(step.consumed.min(self.input.len()));
            self.taken = self.taken.saturating_add(step.consumed as u64);
            filled = filled.saturating_add(step.produced);
            if step.consumed == 0 && step.produced == 0 {
                break;
            }
        }
        let piece = self.scratch.get(..filled).unwrap_or_default();
        if piece.is_empty() {
            // No progress with input left: bytes behind the end of the stream.
            let done = self.input.is_empty();
            return done.then_some(None).ok_or(InflateError::Corrupt);
        }
        self.given = self.given.saturating_add(filled as u64);
        if self.given > FREE.max(self.taken.saturating_mul(RATIO)) {
            return Err(InflateError::TooLarge);
        }
        Ok(Some(Bytes::copy_from_slice(piece)))
    }

    /// Whether the stream may end here. An empty body is nobody's compressed stream and may.
    pub(super) fn finish(&mut self) -> Result<(), InflateError> {
        if self.taken == 0 {
            return Ok(());
        }
        let ended = match &mut self.decoder {
            Decoder::Gzip(gzip) => gzip.try_finish().is_ok(),
            Decoder::Deflate(deflate) => matches!(deflate, Deflate::Ended),
            Decoder::Brotli(brotli) => brotli.ended == Ended::Yes,
            Decoder::Zstd(zstd) => zstd.ended == Ended::Yes,
        };
        ended.then_some(()).ok_or(InflateError::Corrupt)
    }
}

/// A content coding that is not ours to undo.
#[derive(Debug)]
pub(super) struct UnknownCoding;

impl Decoder {
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step, InflateError> {
        match self {
            Self::Gzip(gzip) => step_gzip(gzip, input, room),
            Self::Deflate(deflate) => deflate.step(input, room),
            Self::Brotli(brotli) => brotli.step(input, room),
            Self::Zstd(zstd) => zstd.step(input, room),
        }
    }
}

/// One write gives at most the decoder's own 32 KiB buffer; what does not fit waits in the sink.
fn step_gzip(
    gzip: &mut MultiGzDecoder<Vec<u8>>,
    input: &[u8],
    room: &mut [u8],
) -> Result<Step, InflateError> {
    let mut consumed = 0;
    if gzip.get_ref().is_empty() {
        if input.is_empty() {
            gzip.flush().map_err(|_| InflateError::Corrupt)?;
        } else {
            consumed = gzip.write(input).map_err(|_| InflateError::Corrupt)?;
        }
    }
    let sink = gzip.get_mut();
    let produced = sink.len().min(room.len());
    for (to, from) in room.iter_mut().zip(sink.drain(..produced)) {
        *to = from;
    }
    Ok(Step { consumed, produced })
}

impl Deflate {
    /// `deflate` is zlib (RFC 9110, section 8.4.1.2), but some servers send it without its header.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step, InflateError> {
        match self {
            Self::Unknown(first) => {
                let Some((&byte, _)) = input.split_first() else {
                    return Ok(Step {
                        consumed: 0,
                        produced: 0,
                    });
                };
                let Some(first) = *first else {
                    *self = Self::Unknown(Some(byte));
                    return Ok(Step {
                        consumed: 1,
                        produced: 0,
                    });
                };
                let is_zlib = first & 0x0f == 8 && u16::from_be_bytes([first, byte]) % 31 == 0;
                let mut decoder = Box::new(Decompress::new(is_zlib));
                // The kept byte goes first; it can give no output yet.
                decoder
                    .decompress(&[first], room, FlushDecompress::None)
                    .map_err(|_| InflateError::Corrupt)?;
                let step = run(&mut decoder, input, room);
                *self = Self::Open(decoder);
                Ok(self.settle(step?))
            }
            Self::Open(decoder) => {
                let step = run(decoder, input, room)?;
                Ok(self.settle(step))
            }
            Self::Ended => Ok(Step {
                consumed: 0,
                produced: 0,
            }),
        }
    }

    fn settle(&mut self, (step, status): (Step, Status)) -> Step {
        if status == Status::StreamEnd {
            *self = Self::Ended;
        }
        step
    }
}

fn run(
    decoder: &mut Decompress,
    input: &[u8],
    room: &mut [u8],
) -> Result<(Step, Status), InflateError> {
    let (taken, given) = (decoder.total_in(), decoder.total_out());
    let status = decoder
        .decompress(input, room, FlushDecompress::None)
        .map_err(|_| InflateError::Corrupt)?;
    let step = Step {
        consumed: usize::try_from(decoder.total_in() - taken).unwrap_or(usize::MAX),
        produced: usize::try_from(decoder.total_out() - given).unwrap_or(usize::MAX),
    };
    Ok((step, status))
}

impl Brotli {
    /// Strict: the large-window extension would let a header ask for 1 GiB of memory.
    fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: BrotliState::new_strict(alloc(), alloc(), alloc()),
            ended: Ended::No,
        }
    }

    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step, InflateError> {
        if self.ended == Ended::Yes {
            return Ok(Step {
                consumed: 0,
                produced: 0,
            });
        }
        let (mut available_in, mut consumed) = (input.len(), 0);
        let (mut available_out, mut produced, mut total) = (room.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut consumed,
            input,
            &mut available_out,
            &mut produced,
            room,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.ended = Ended::Yes,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(InflateError::Corrupt),
        }
        Ok(Step { consumed, produced })
    }
}

impl Zstd {
    fn try_new() -> std::io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self {
            decoder,
            ended: Ended::No,
        })
    }

    /// A new frame may follow an ended one: without input there is nothing to ask it.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step, InflateError> {
        if self.ended == Ended::Yes && input.is_empty() {
            return Ok(Step {
                consumed: 0,
                produced: 0,
            });
        }
        let status = self
            .decoder
            .run_on_buffers(input, room)
            .map_err(|_| InflateError::Corrupt)?;
        self.ended = match status.remaining {
            0 => Ended::Yes,
            _ => Ended::No,
        };
        Ok(Step {
            consumed: status.bytes_read,
            produced: status.bytes_written,
        })
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const EVENTS: &[&str] = &[
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße 👋\"}}]}\n\n",
        ": ping\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    ];

    const CODINGS: [&str; 6] = ["gzip", "members", "deflate", "raw", "br", "zstd"];

    /// The events as an honest server sends them: each one flushed.
    fn compress(coding: &str) -> Vec<Vec<u8>> {
        fn flushed<W: Write>(
            mut encoder: W,
            taken: impl Fn(&mut W) -> Vec<u8>,
        ) -> (W, Vec<Vec<u8>>) {
            let mut chunks = Vec::new();
            for event in EVENTS {
                encoder.write_all(event.as_bytes()).unwrap();
                encoder.flush().unwrap();
                chunks.push(taken(&mut encoder));
            }
            (encoder, chunks)
        }
        let level = Compression::default();
        let (mut chunks, rest) = match coding {
            "gzip" => {
                let gzip = GzEncoder::new(Vec::new(), level);
                let (gzip, chunks) = flushed(gzip, |gzip| std::mem::take(gzip.get_mut()));
                (chunks, gzip.finish().unwrap())
            }
            "members" => {
                let member = |event: &&str| {
                    let mut gzip = GzEncoder::new(Vec::new(), level);
                    gzip.write_all(event.as_bytes()).unwrap();
                    gzip.finish().unwrap()
                };
                (EVENTS.iter().map(member).collect(), Vec::new())
            }
            "deflate" => {
                let zlib = ZlibEncoder::new(Vec::new(), level);
                let (zlib, chunks) = flushed(zlib, |zlib| std::mem::take(zlib.get_mut()));
                (chunks, zlib.finish().unwrap())
            }
            "raw" => {
                let raw = DeflateEncoder::new(Vec::new(), level);
                let (raw, chunks) = flushed(raw, |raw| std::mem::take(raw.get_mut()));
                (chunks, raw.finish().unwrap())
            }
            "br" => {
                let brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
                let (brotli, chunks) = flushed(brotli, |brotli| std::mem::take(brotli.get_mut()));
                (chunks, brotli.into_inner())
            }
            _ => {
                let zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
                let (zstd, chunks) = flushed(zstd, |zstd| std::mem::take(zstd.get_mut()));
                (chunks, zstd.finish().unwrap())
            }
        };
        chunks.last_mut().unwrap().extend(rest);
        chunks
    }

    fn inflater(coding: &str) -> Inflater {
        let header = match coding {
            "members" => "gzip",
            "raw" => "deflate",
            other => other,
        };
        Inflater::for_coding(header).unwrap().unwrap()
    }

    fn pull_all(inflater: &mut Inflater) -> Result<Vec<u8>, InflateError> {
        let mut out = Vec::new();
        while let Some(piece) = inflater.pull()? {
            assert!(piece.len() <= PIECE);
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }

    fn decode<'a>(
        coding: &str,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<u8>, InflateError> {
        let mut inflater = inflater(coding);
        let mut out = Vec::new();
        for chunk in chunks {
            inflater.push(Bytes::copy_from_slice(chunk));
            out.extend(pull_all(&mut inflater)?);
        }
        inflater.finish()?;
        Ok(out)
    }

    #[test]
    fn every_cut_of_a_compressed_stream_gives_the_same_text() {
        let text = EVENTS.concat().into_bytes();
        for coding in CODINGS {
            let whole = compress(coding).concat();
            for at in 0..=whole.len() {
                let (left, right) = whole.split_at(at);
                let out = decode(coding, [left, right]).unwrap();
                assert_eq!(out, text, "{coding} cut at {at}");
            }
            assert_eq!(
                decode(coding, whole.chunks(1)).unwrap(),
                text,
                "{coding} by bytes"
            );
        }
    }

    #[test]
    fn an_event_that_the_server_flushed_is_not_delayed() {
        for coding in CODINGS {
            let mut inflater = inflater(coding);
            for (chunk, event) in compress(coding).into_iter().zip(EVENTS) {
                inflater.push(Bytes::from(chunk));
                let out = pull_all(&mut inflater).unwrap();
                assert_eq!(out, event.as_bytes(), "{coding}");
            }
            inflater.finish().unwrap();
        }
    }

    #[test]
    fn a_stream_cut_short_is_no_end() {
        for coding in CODINGS {
            let whole = compress(coding).concat();
            let boundaries: Vec<usize> = match coding {
                // A file of several members may end after each of them.
                "members" => compress(coding)
                    .iter()
                    .scan(0, |at, member| {
                        *at += member.len();
                        Some(*at)
                    })
                    .collect(),
                _ => Vec::new(),
            };
            for at in (1..whole.len()).filter(|at| !boundaries.contains(at)) {
                let out = decode(coding, [&whole[..at]]);
                assert_eq!(out, Err(InflateError::Corrupt), "{coding} cut at {at}");
            }
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        for coding in CODINGS {
            let mut whole = compress(coding).concat();
            whole.extend(b"HTTP/1.1 200 OK\r\n\r\n");
            assert_eq!(
                decode(coding, [&whole[..]]),
                Err(InflateError::Corrupt),
                "{coding}"
            );
        }
    }

    #[test]
    fn a_bomb_ends_near_its_limit_in_every_coding() {
        let zeros = vec![0_u8; 64 << 20];
        let pack = |coding: &str| -> Vec<u8> {
            let best = Compression::best();
            match coding {
                "gzip" => {
                    let mut gzip = GzEncoder::new(Vec::new(), best);
                    gzip.write_all(&zeros).unwrap();
                    gzip.finish().unwrap()
                }
                "deflate" => {
                    let mut zlib = ZlibEncoder::new(Vec::new(), best);
                    zlib.write_all(&zeros).unwrap();
                    zlib.finish().unwrap()
                }
                "br" => {
                    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 3, 22);
                    brotli.write_all(&zeros).unwrap();
                    brotli.into_inner()
                }
                _ => zstd::stream::encode_all(&zeros[..], 1).unwrap(),
            }
        };
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let bomb = pack(coding);
            let mut inflater = inflater(coding);
            inflater.push(Bytes::from(bomb));
            let mut given = 0_u64;
            let error = loop {
                match inflater.pull() {
                    Ok(Some(piece)) => given += piece.len() as u64,
                    Ok(None) => panic!("{coding} was let through: {given} bytes"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, InflateError::TooLarge, "{coding}");
            assert!(
                given <= FREE.max(inflater.taken * RATIO),
                "{coding} gave {given}"
            );
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        for coding in CODINGS {
            for seed in 0_u32..200 {
                let garbage: Vec<u8> = (0..16_u32)
                    .flat_map(|at| (seed ^ at).wrapping_mul(2_654_435_761).to_be_bytes())
                    .collect();
                let mut whole = compress(coding).concat();
                let half = whole.len() / 2;
                whole.truncate(half);
                whole.extend(&garbage);
                let _ = decode(coding, [&whole[..]]);
                let _ = decode(coding, [&garbage[..]]);
            }
        }
    }

    #[test]
    fn a_window_beyond_eight_mebibytes_is_refused() {
        // Frame header of Zstandard (RFC 8878, 3.1.1): magic, no content size, window 2^27.
        let frame = [
            0x28,
            0xb5,
            0x2f,
            0xfd,
            0x00,
            (27 - 10) << 3,
            0x01,
            0x00,
            0x00,
        ];
        assert_eq!(decode("zstd", [&frame[..]]), Err(InflateError::Corrupt));
    }

    #[test]
    fn an_empty_body_and_identity_need_no_decoder() {
        assert!(Inflater::for_coding("identity").unwrap().is_none());
        assert!(Inflater::for_coding(" ").unwrap().is_none());
        for coding in ["gzip", "br", "deflate", "zstd", "GZIP", "x-gzip"] {
            let mut inflater = Inflater::for_coding(coding).unwrap().unwrap();
            assert_eq!(inflater.pull(), Ok(None));
            assert_eq!(inflater.finish(), Ok(()));
        }
        for coding in ["compress", "gzip, br", "snappy", "gzip,"] {
            assert!(Inflater::for_coding(coding).is_err(), "{coding}");
        }
    }
}
