//! A request's body indexed, and its model replaced: done once for each request and attempt.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segue::json::{self, Edit, Fields};

/// Some lines of prose and code, as a prompt holds them: a line end or quote every 60 bytes.
const LINES: &str = r#"The relay carries one exchange from its first attempt to its last byte.
    let route = table.find("gpt-5")?; // one name, "many" targets
It holds the head of an answer until the answer has really begun.
"#;

const MANY_LANGUAGES: &str = "Straße, naïve café, Жизнь, 日本語のテキスト、مرحبا 🌤\n";

/// A chat request of about so many bytes.
fn request(prompt: &str, bytes: usize) -> String {
    let message = |role: &str| {
        let text = prompt.repeat(bytes / prompt.len() / 4 + 1);
        let text = json::string(&text);
        format!(
            r#"{{"role":"{role}","content":{}}}"#,
            String::from_utf8_lossy(&text)
        )
    };
    let messages = ["system", "user", "assistant", "user"].map(message);
    format!(
        r#"{{"model":"smart","temperature":0.2,"stream":true,"messages":[{}],"user":"u-1"}}"#,
        messages.join(",")
    )
}

/// The same over several lines: whitespace makes the search for control bytes necessary.
fn indented(request: &str) -> String {
    request.replace(r#","messages":["#, ",\n  \"messages\": [\n    ")
}

/// Mostly structure: a conversation of short turns.
fn turns(bytes: usize) -> String {
    let turn = r#"{"role":"user","content":[{"type":"text","text":"And now?"}],"n":[1,2.5]}"#;
    let turns = vec![turn; bytes / turn.len()];
    format!(r#"{{"model":"smart","messages":[{}]}}"#, turns.join(","))
}

fn benches(criterion: &mut Criterion) {
    let prompt = request(LINES, 200_000);
    let documents = [
        ("small", request("Hi", 1_000)),
        ("prompt", prompt.clone()),
        ("prompt_indented", indented(&prompt)),
        ("prompt_languages", request(MANY_LANGUAGES, 200_000)),
        ("turns", turns(200_000)),
    ];
    let mut group = criterion.benchmark_group("json");
    for (name, document) in documents {
        let document = Bytes::from(document);
        group.throughput(Throughput::Bytes(document.len() as u64));
        group.bench_function(format!("index/{name}"), |bench| {
            bench.iter(|| Fields::index(black_box(&document)));
        });
        let Ok(fields) = Fields::index(&document) else {
            continue;
        };
        let edits = [
            Edit::Set("model", Bytes::from_static(b"\"gpt-5.5\"")),
            Edit::Set(
                "stream_options",
                Bytes::from_static(b"{\"include_usage\":true}"),
            ),
            Edit::Remove("user"),
        ];
        group.bench_function(format!("splice/{name}"), |bench| {
            bench.iter(|| fields.splice(black_box(&document), black_box(&edits)));
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
