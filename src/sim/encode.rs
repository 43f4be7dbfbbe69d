//! Content codings, flushed whenever the receiver is to have what was written so far.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::sim::script::Encoding;

/// Levels are low: what is tested is that somebody decodes, not how small it is.
const BROTLI_QUALITY: u32 = 2;
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;

/// A running compressor.
pub(crate) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    pub(crate) fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Encoding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast())),
            Encoding::Brotli => Self::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Encoding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
        })
    }

    /// Takes plain bytes, gives all coded bytes that stand for them.
    pub(crate) fn push(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => {
                write_through(encoder, plain)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Deflate(encoder) => {
                write_through(encoder, plain)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Brotli(encoder) => {
                write_through(encoder, plain)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Zstd(encoder) => {
                write_through(encoder, plain)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// The coded bytes that end the body.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn write_through(encoder: &mut impl Write, plain: &[u8]) -> io::Result<()> {
    encoder.write_all(plain)?;
    encoder.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decode(encoding: Encoding, coded: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let read = match encoding {
            Encoding::Gzip => flate2::read::GzDecoder::new(coded).read_to_end(&mut plain),
            Encoding::Deflate => flate2::read::ZlibDecoder::new(coded).read_to_end(&mut plain),
            Encoding::Brotli => brotli::Decompressor::new(coded, 4096).read_to_end(&mut plain),
            Encoding::Zstd => zstd::stream::read::Decoder::new(coded)
                .unwrap()
                .read_to_end(&mut plain),
        };
        read.unwrap();
        plain
    }

    #[test]
    fn every_coding_is_undone_by_its_decoder() {
        for encoding in [
            Encoding::Gzip,
            Encoding::Deflate,
            Encoding::Brotli,
            Encoding::Zstd,
        ] {
            let mut encoder = Encoder::new(encoding).unwrap();
            let mut coded = Vec::new();
            for part in ["data: 1\n\n", "data: 2\n\n"] {
                let some = encoder.push(part.as_bytes()).unwrap();
                assert!(!some.is_empty(), "{encoding:?} holds a flushed event back");
                coded.extend(some);
            }
            coded.extend(encoder.finish().unwrap());
            assert_eq!(
                decode(encoding, &coded),
                b"data: 1\n\ndata: 2\n\n",
                "{encoding:?}"
            );
        }
    }
}
