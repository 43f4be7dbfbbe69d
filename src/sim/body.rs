//! The body of an HTTP/1 request, taken from the inbox piece by piece. Pure: no sockets.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::sim::head::BodyLength;

/// The longest chunk-size or trailer line.
const LONGEST_LINE: usize = 8 << 10;

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Bytes of the body; never none.
    Bytes(Bytes),
    /// The inbox has to be filled first.
    More,
    /// The body is complete.
    End,
    /// The chunks are malformed.
    Malformed,
}

/// Where in a body the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// That many bytes are still to come.
    Left(u64),
    /// A chunk-size line comes.
    Size,
    /// That many bytes of a chunk are still to come, then its line end.
    Chunk(u64),
    /// A chunk's line end comes.
    ChunkEnd,
    /// Trailer lines come, the last one empty.
    Trailer,
    /// Complete.
    End,
}

impl Incoming {
    /// The beginning of a body.
    pub(crate) fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Known(0) => Self::End,
            BodyLength::Known(length) => Self::Left(length),
            BodyLength::Chunked => Self::Size,
        }
    }

    /// Takes what there is of the body out of the inbox.
    pub(crate) fn take(&mut self, inbox: &mut BytesMut) -> Next {
        loop {
            match *self {
                Self::End => return Next::End,
                Self::Left(left) => return self.take_bytes(inbox, left, Self::Left, Self::End),
                Self::Chunk(left) => {
                    return self.take_bytes(inbox, left, Self::Chunk, Self::ChunkEnd);
                }
                Self::Size | Self::ChunkEnd | Self::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', inbox) else {
                        let long = inbox.len() > LONGEST_LINE;
                        return if long { Next::Malformed } else { Next::More };
                    };
                    let line = inbox.split_to(end.saturating_add(1));
                    let Some(next) = self.after_line(line.trim_ascii()) else {
                        return Next::Malformed;
                    };
                    *self = next;
                }
            }
        }
    }

    fn take_bytes(
        &mut self,
        inbox: &mut BytesMut,
        left: u64,
        still: impl FnOnce(u64) -> Self,
        done: Self,
    ) -> Next {
        if inbox.is_empty() {
            return Next::More;
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(inbox.len());
        let bytes = inbox.copy_to_bytes(length);
        let left = left.saturating_sub(bytes.len() as u64);
        *self = if left == 0 { done } else { still(left) };
        Next::Bytes(bytes)
    }

    fn after_line(self, line: &[u8]) -> Option<Self> {
        match self {
            Self::ChunkEnd => line.is_empty().then_some(Self::Size),
            Self::Trailer if line.is_empty() => Some(Self::End),
            Self::Size => {
                let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
                let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                Some(if size == 0 {
                    Self::Trailer
                } else {
                    Self::Chunk(size)
                })
            }
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in steps of `size` bytes; gives the body, how it ended and what is left.
    fn read(length: BodyLength, input: &[u8], size: usize) -> (Vec<u8>, Next, usize) {
        let mut incoming = Incoming::new(length);
        let (mut inbox, mut body) = (BytesMut::new(), Vec::new());
        let mut steps = input.chunks(size);
        loop {
            match incoming.take(&mut inbox) {
                Next::Bytes(bytes) => body.extend_from_slice(&bytes),
                Next::More => match steps.next() {
                    Some(step) => inbox.extend_from_slice(step),
                    None => return (body, Next::More, 0),
                },
                end @ (Next::End | Next::Malformed) => {
                    let left = inbox.len() + steps.map(<[u8]>::len).sum::<usize>();
                    return (body, end, left);
                }
            }
        }
    }

    #[test]
    fn a_body_reads_the_same_however_it_arrives() {
        let chunked = b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\nGET";
        for size in 1..=chunked.len() {
            let expected = (b"hello world".to_vec(), Next::End, 3);
            assert_eq!(read(BodyLength::Chunked, chunked, size), expected, "{size}");
            let expected = (b"hello".to_vec(), Next::End, 3);
            assert_eq!(
                read(BodyLength::Known(5), b"helloGET", size),
                expected,
                "{size}"
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused_and_short_ones_waited_for() {
        let cases: [(&[u8], Next); 5] = [
            (b"x\r\n", Next::Malformed),
            (b"2\r\nabc\r\n", Next::Malformed),
            (b"\r\n", Next::Malformed),
            (b"2\r\na", Next::More),
            (&[b'1'; 9000], Next::Malformed),
        ];
        for (input, end) in cases {
            assert_eq!(read(BodyLength::Chunked, input, 10_000).1, end, "{input:?}");
        }
    }
}
