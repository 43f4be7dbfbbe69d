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

/// Who hears a stream, and of whom.
fn told(provider: Dialect, client: Dialect) -> Voices<'static> {
    Voices {
        provider,
        client,
        ..voices(Delivery::Stream(UsageWish::Asked))
    }
}

/// The same forty words, as each provider streams them.
fn words(provider: Dialect) -> Bytes {
    let mut text = String::new();
    let frames: [&str; 3] = match provider {
        Dialect::OpenAi => [
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ],
        Dialect::Anthropic => [
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":40}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
        Dialect::Gemini => [
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" word\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":1,\"totalTokenCount\":4},\"modelVersion\":\"m\"}\r\n\r\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}]}\r\n\r\n",
        ],
    };
    text.push_str(frames[0]);
    text.push_str(&frames[1].repeat(40));
    text.push_str(frames[2]);
    text.into()
}

/// What a stream costs on its way to a client of each format, from its bytes on.
fn retold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("retold");
    for provider in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        let bytes = words(provider);
        for client in [Dialect::OpenAi, Dialect::Anthropic] {
            let voices = told(provider, client);
            group.throughput(Throughput::Elements(40));
            group.bench_function(
                format!("{}_to_{}", provider.name(), client.name()),
                |bench| {
                    bench.iter(|| {
                        let mut decoder = Decoder::new(ByteSize::mib(1));
                        decoder.push(black_box(bytes.clone()));
                        let mut stream = Stream::new(&voices);
                        while let Ok(Some(frame)) = decoder.next_frame() {
                            let _ = black_box(stream.frame(&frame, &mut |event| {
                                black_box(event);
                            }));
                        }
                        black_box(stream.end())
                    });
                },
            );
        }
    }
    group.finish();
}

/// What a long prompt costs on its way to a provider of another format.
fn translated(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translated");
    let turn = "All work and no play makes Jack a dull boy.\\nHe said \\\"no\\\". ".repeat(70);
    let turns: Vec<String> = (0..48)
        .map(|turn_of| {
            let role = if turn_of % 2 == 0 {
                "user"
            } else {
                "assistant"
            };
            format!(r#"{{"role":"{role}","content":"{turn}"}}"#)
        })
        .collect();
    let body = Bytes::from(format!(
        r#"{{"model":"support","max_tokens":99,"stream":true,"messages":[{},{{"role":"user","content":"go on"}}]}}"#,
        turns.join(",")
    ));
    group.throughput(Throughput::Bytes(body.len() as u64));
    for client in [Dialect::OpenAi, Dialect::Anthropic] {
        for provider in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            let name = format!("200_kib_{}_to_{}", client.name(), provider.name());
            group.bench_function(name, |bench| {
                bench.iter(|| {
                    let request = dialect::parse(client, Task::Chat, black_box(body.clone()));
                    let to = Recipient::plain(provider, "target", Form::Stream);
                    request.is_ok_and(|request| dialect::build(&request, &to).is_ok())
                });
            });
        }
    }
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

criterion_group!(all, answers, retold, translated, requests);
criterion_main!(all);
