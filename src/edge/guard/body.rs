//! Where a request's body ends (RFC 9112 sections 6.3 and 7.1).
//!
//! Pure: says how many of the next bytes belong to the body, and keeps none of them. On chunks it is
//! stricter than the reader behind it, which takes an empty size for zero and ignores extensions
//! and trailers.

use crate::edge::head::{Framing, Rule};

/// What is still to come of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunks),
}

impl Body {
    /// A body of which nothing has come.
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }

    /// Whether all of it has come.
    pub(super) fn is_done(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Done))
    }

    /// Goes on with `bytes`; returns how many of them belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Rule> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left = left.saturating_sub(taken as u64);
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.take(bytes),
        }
    }
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before a chunk's size.
    #[default]
    Start,
    /// In a chunk's size.
    Size { digits: u8, size: u32 },
    /// Before the LF behind a size.
    SizeEnd { size: u32 },
    /// In a chunk's data.
    Data { left: u32 },
    /// Before the CR behind the data.
    DataCr,
    /// Before the LF behind the data.
    DataLf,
    /// Before the CR of the empty line behind the last chunk.
    LastCr,
    /// Before its LF.
    LastLf,
    /// Behind the body.
    Done,
}

impl Chunks {
    /// The longest size line, in digits: more than 4 GiB in one chunk is no request of ours.
    const DIGITS: u8 = 8;

    /// Goes on with `bytes`; returns how many of them belong to the body.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Rule> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            if *self == Self::Done {
                break;
            }
            taken += self.step(rest)?;
        }
        Ok(taken)
    }

    /// Takes one byte, or as much data as there is.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Rule> {
        let byte = bytes.first().copied().unwrap_or_default();
        *self = match *self {
            Self::Start => Self::Size {
                digits: 1,
                size: hex(byte).ok_or(Rule::ChunkSize)?,
            },
            Self::Size { size, .. } if byte == b'\r' => Self::SizeEnd { size },
            Self::Size {
                digits: Self::DIGITS,
                ..
            } => return Err(Rule::ChunkSize),
            Self::Size { digits, size } => {
                let digit = hex(byte).ok_or(Rule::ChunkSize)?;
                Self::Size {
                    digits: digits + 1,
                    size: size << 4 | digit,
                }
            }
            Self::SizeEnd { size: 0 } if byte == b'\n' => Self::LastCr,
            Self::SizeEnd { size } if byte == b'\n' => Self::Data { left: size },
            Self::SizeEnd { .. } => return Err(Rule::ChunkSize),
            Self::Data { left } => return Ok(self.skip(left, bytes.len())),
            Self::DataCr if byte == b'\r' => Self::DataLf,
            Self::DataLf if byte == b'\n' => Self::Start,
            Self::DataCr | Self::DataLf => return Err(Rule::ChunkEnd),
            Self::LastCr if byte == b'\r' => Self::LastLf,
            Self::LastLf if byte == b'\n' => Self::Done,
            Self::LastCr | Self::LastLf => return Err(Rule::Trailer),
            Self::Done => return Ok(0),
        };
        Ok(1)
    }

    fn skip(&mut self, left: u32, here: usize) -> usize {
        let here = u32::try_from(here).unwrap_or(u32::MAX).min(left);
        *self = if here == left {
            Self::DataCr
        } else {
            Self::Data { left: left - here }
        };
        here as usize
    }
}

fn hex(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<(usize, Chunks), Rule> {
        let mut chunks = Chunks::default();
        chunks.take(bytes).map(|taken| (taken, chunks))
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_takes_nothing_behind_it() {
        for (body, length) in [
            (&b"0\r\n\r\n"[..], 5),
            (b"5\r\nhello\r\n0\r\n\r\n", 15),
            (b"5\r\nhello\r\n00\r\n\r\nGET / HTTP/1.1", 16),
            (b"0000000A\r\n0123456789\r\n1\r\n\r\r\n0\r\n\r\n\r\n", 33),
            (b"a\r\n\r\n0\r\n\r\n012\r\n0\r\n\r\n", 20),
        ] {
            let text = String::from_utf8_lossy(body);
            assert_eq!(read(body), Ok((length, Chunks::Done)), "{text:?}");
        }
    }

    #[test]
    fn a_doubtful_framing_is_refused() {
        for (body, rule) in [
            (&b"\r\n\r\n"[..], Rule::ChunkSize),
            (b"\n", Rule::ChunkSize),
            (b" 0\r\n", Rule::ChunkSize),
            (b"0 \r\n", Rule::ChunkSize),
            (b"0x0\r\n", Rule::ChunkSize),
            (b"+0\r\n", Rule::ChunkSize),
            (b"-1\r\n", Rule::ChunkSize),
            (b"0_0\r\n", Rule::ChunkSize),
            (b"0\n\r\n", Rule::ChunkSize),
            (b"0\r\r\n", Rule::ChunkSize),
            (b"5;a=b\r\n", Rule::ChunkSize),
            (b"5;\rx\r\n", Rule::ChunkSize),
            (b"5\thello", Rule::ChunkSize),
            (b"000000005\r\n", Rule::ChunkSize),
            (b"FFFFFFFFFFFFFFFF0\r\n", Rule::ChunkSize),
            (b"\xb2\r\n", Rule::ChunkSize),
            (b"5\r\nhello0\r\n", Rule::ChunkEnd),
            (b"5\r\nhello\n0\r\n", Rule::ChunkEnd),
            (b"5\r\nhello\r0\r\n", Rule::ChunkEnd),
            (b"5\r\nhelloworld\r\n", Rule::ChunkEnd),
            (b"0\r\nx: y\r\n\r\n", Rule::Trailer),
            (b"0\r\n\n", Rule::Trailer),
            (b"0\r\n\rX", Rule::Trailer),
        ] {
            let text = String::from_utf8_lossy(body);
            assert_eq!(read(body), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn any_cut_reads_the_same() {
        let body = b"5\r\nhello\r\n1F\r\n0123456789012345678901234567890\r\n0\r\n\r\nnext";
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            let mut chunks = Chunks::default();
            let taken = chunks.take(head).unwrap() + chunks.take(tail).unwrap();
            assert_eq!((taken, chunks), (body.len() - 4, Chunks::Done), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_chunked_is_read_to_its_end(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in 0usize..400,
        ) {
            let mut body = Vec::new();
            for part in &parts {
                body.extend(format!("{:x}\r\n", part.len()).bytes());
                body.extend(part);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\n\r\n");
            let length = body.len();
            body.extend(b"GET / HTTP/1.1\r\n");
            let (head, tail) = body.split_at(cut.min(length));
            let mut chunks = Chunks::default();
            let taken = chunks.take(head).unwrap() + chunks.take(tail).unwrap();
            prop_assert_eq!((taken, chunks), (length, Chunks::Done));
        }

        #[test]
        fn a_cut_changes_nothing_about_random_bytes(
            body in prop::collection::vec(prop::sample::select(&b"015aF\r\n;x"[..]), 0..40),
            cut in 0usize..40,
        ) {
            let (head, tail) = body.split_at(cut.min(body.len()));
            let mut chunks = Chunks::default();
            let cut = chunks.take(head).and_then(|taken| Ok(taken + chunks.take(tail)?));
            prop_assert_eq!(cut.map(|taken| (taken, chunks)), read(&body));
        }
    }
}
