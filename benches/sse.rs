//! Frames out of a provider's stream, as it comes from the network, and frames written.

use std::{hint::black_box, path::Path};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segue::{
    sse::{self, Decoder},
    units::ByteSize,
};

/// A usual read from a TLS connection.
const CHUNK: usize = 16 * 1024;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
    std::fs::read(folder.join(name)).unwrap_or_default()
}

fn decode(chunks: &[Bytes]) -> usize {
    let mut decoder = Decoder::new(ByteSize::mib(16));
    let mut bytes = 0;
    for chunk in chunks {
        decoder.push(chunk.clone());
        while let Ok(Some(frame)) = decoder.next_frame() {
            bytes += black_box(frame).raw.len();
        }
    }
    bytes
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sse");
    for name in ["openai-text", "anthropic-text", "gemini-crlf"] {
        let frames = fixture(&format!("{name}.sse"));
        let stream = Bytes::from(frames.repeat(1_000_000 / frames.len().max(1)));
        group.throughput(Throughput::Bytes(stream.len() as u64));
        for (cut, size) in [("frames_in_chunks", CHUNK), ("frames_cut", 97)] {
            let chunks: Vec<Bytes> = stream.chunks(size).map(|c| stream.slice_ref(c)).collect();
            group.bench_function(format!("decode/{name}/{cut}"), |bench| {
                bench.iter(|| decode(black_box(&chunks)));
            });
        }
    }
    let data = br#"{"id":"chatcmpl-A1","choices":[{"index":0,"delta":{"content":" the"}}]}"#;
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("encode", |bench| {
        bench.iter(|| sse::encode(Some("content_block_delta"), black_box(data)));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
