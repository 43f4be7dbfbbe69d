//! What reading an answer costs: a frame of a few letters, the tools among them, a whole answer;
//! and what a long prompt costs on its way to a provider.

use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segue::dialect::{self, Recipient, Stream, Voices};
use segue::exchange::{Delivery, Dialect, Form, Task, UsageWish};
use segue::sse::{Decoder, Frame};
use segue::units::ByteSize;

fn fixture(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai");
    std::fs::read(folder.join(name)).unwrap_or_default().into()
}

fn frames(stream: Bytes) -> Vec<Frame> {
    let mut decoder = Decoder::new(ByteSize::mib(1));
    decoder.push(stream);
    std::iter::from_fn(|| decoder.next_frame().ok().flatten()).collect()
}

fn voices(delivery: Delivery) -> Voices<'static> {
    Voices::alike(Dialect::OpenAi, Task::Chat, delivery)
}

/// Reads all frames; returns how many events they told.
fn decode(frames: &[Frame]) -> usize {
    let mut stream = Stream::new(&voices(Delivery::Stream(UsageWish::Asked)));
    let mut events = 0;
    for frame in frames {
        let _ = black_box(stream.frame(frame, &mut |event| {
            black_box(event);
            events += 1;
        }));
    }
    events
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for name in [
        "text",
        "text_escaped",
        "tools",
        "reasoning",
        "usage_in_every_chunk",
        "azure_filter",
    ] {
        let frames = frames(fixture(&format!("{name}.sse")));
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(format!("frames/{name}"), |bench| {
            bench.iter(|| decode(black_box(&frames)));
        });
    }
    let body = fixture("tools.json");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("whole/tools", |bench| {
        bench.iter(|| {
            dialect::whole(&voices(Delivery::Whole), black_box(&body), &mut |event| {
                black_box(event);
            })
        });
    });
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for kib in [1, 200] {
        let prompt = "All work and no play makes Jack a dull boy. ".repeat(kib * 1024 / 44);
        let body = Bytes::from(format!(
            r#"{{"model":"support","stream":true,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
        ));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("parse_and_build/{kib}_kib"), |bench| {
            bench.iter(|| {
                let request = dialect::parse(Dialect::OpenAi, Task::Chat, black_box(body.clone()));
                let to = Recipient::plain(Dialect::OpenAi, "target", Form::Stream);
                request.is_ok_and(|request| dialect::build(&request, &to).is_ok())
            });
        });
    }
    group.finish();
}

criterion_group!(all, answers, requests);
criterion_main!(all);
