//! What crosses the proxy: headers by one list each way, and the body's own bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use segue::sim::Entry;

use crate::relay_stage::{STREAM, STREAM_USAGE, WHOLE, truth, world};
use crate::support::{Answer, Client, PATIENCE, World, post};

/// Headers of every kind that must stay here, and the four that go on.
const SENT: &str = "authorization: Bearer sk-client-secret\r\n\
    cookie: session=client-secret\r\nproxy-authorization: Basic client-secret\r\n\
    x-forwarded-for: 10.1.1.1\r\nforwarded: for=10.1.1.1\r\nx-real-ip: 10.1.1.1\r\nvia: 1.1 x\r\n\
    openai-organization: org-client\r\nopenai-project: proj-client\r\nx-stainless-os: Linux\r\n\
    user-agent: OpenAI/Python 3\r\naccept: text/weird\r\naccept-encoding: gzip, br\r\n\
    accept-language: de\r\norigin: https://x.example\r\nreferer: https://x.example/\r\n\
    x-sim-script: status=500\r\nx-sim-canary: client\r\nte: trailers\r\n\
    if-none-match: \"x\"\r\nrange: bytes=0-1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
    tracestate: a=b\r\nopenai-beta: assistants=v2\r\nidempotency-key: k-1\r\nx-request-id: client-id.1\r\n";

async fn last(world: &World) -> Arc<Entry> {
    let there = |all: &[Arc<Entry>]| all.last().is_some_and(|it| it.end().is_some());
    let entries = world.sim.journal().wait_for(there, PATIENCE).await.unwrap();
    entries.last().cloned().unwrap()
}

fn set(fields: impl IntoIterator<Item = (String, String)>) -> BTreeSet<String> {
    let field = |(name, value): (String, String)| format!("{}: {value}", name.to_lowercase());
    fields.into_iter().map(field).collect()
}

async fn ask(client: &mut Client, headers: &str, body: &str) -> Answer {
    client
        .send(&post("/v1/chat/completions", headers, body))
        .await;
    client.answer().await
}

fn body(how: &str) -> String {
    format!("{{{how}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_gets_exactly_the_headers_of_the_list() {
    let world = world("", "").await;
    world.script("tokens=2");
    let mut client = world.client().await;
    for (how, accept) in [(WHOLE, "application/json"), (STREAM, "text/event-stream")] {
        for (sent, more) in [
            ("", &[][..]),
            (
                SENT,
                &[
                    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "tracestate: a=b",
                    "openai-beta: assistants=v2",
                    "idempotency-key: k-1",
                ],
            ),
        ] {
            assert_eq!(ask(&mut client, sent, &body(how)).await.status, 200);
            let entry = last(&world).await;
            let fields = entry
                .headers()
                .map(|(name, value)| (name.into_owned(), value.into_owned()));
            let host = world.sim.address();
            let length = entry.body_bytes();
            let mut expected: BTreeSet<String> = [
                format!("host: {host}"),
                "accept-encoding: identity".to_owned(),
                format!("content-length: {length}"),
                "authorization: Bearer sk-provider-secret".to_owned(),
                "content-type: application/json".to_owned(),
                format!("accept: {accept}"),
                format!("user-agent: segue/{}", env!("CARGO_PKG_VERSION")),
            ]
            .into();
            expected.extend(more.iter().map(|&field| field.to_owned()));
            assert_eq!(set(fields), expected, "{how}");
            assert_eq!(entry.headers().count(), expected.len(), "none comes twice");
            assert_eq!(
                (entry.method.as_str(), entry.path.as_str()),
                ("POST", "/v1/chat/completions")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_exactly_the_headers_of_the_list() {
    let world = world("", "").await;
    let mut client = world.client().await;
    let talk = "header=server:sim,header=set-cookie:a=b,header=x-ratelimit-remaining:1,\
                header=openai-organization:org,header=alt-svc:h3,header=strict-transport-security:x,\
                header=x-segue-route:forged,header=cache-control:public";
    let common = [
        "cache-control: no-store",
        "connection: keep-alive",
        "x-request-id: client-id.1",
    ];
    let from = [
        "x-segue-route: model",
        "x-segue-target: sim/m",
        "x-segue-attempts: 1",
    ];
    let streamed = [&from[..], &["x-segue-held-ms: 0"]].concat();
    let tried = ["x-segue-route: model", "x-segue-attempts: 2"];
    let gone = [&tried[..], &["x-should-retry: false"]].concat();
    let json = "content-type: application/json";
    let cases = [
        ("tokens=2", WHOLE, 200, &from[..], json, true),
        (
            "tokens=2",
            STREAM,
            200,
            &streamed,
            "content-type: text/event-stream; charset=utf-8",
            false,
        ),
        (
            "tokens=2,encoding=gzip",
            STREAM,
            200,
            &streamed,
            "content-type: text/event-stream; charset=utf-8",
            false,
        ),
        ("status=400", WHOLE, 400, &from, json, true),
        ("status=500", STREAM, 502, &gone, json, true),
        ("cut", WHOLE, 502, &gone, json, true),
        ("status=429", WHOLE, 429, &tried, json, true),
    ];
    for (script, how, status, more, kind, has_length) in cases {
        world.script(&format!("{script},{talk}"));
        let answer = ask(&mut client, SENT, &body(how)).await;
        assert_eq!(answer.status, status, "{script}");
        let date = answer.header("date").expect("a date").to_owned();
        assert!(httpdate::parse_http_date(&date).is_ok(), "{date}");
        let mut expected: BTreeSet<String> =
            common.iter().chain(more).map(|&it| it.to_owned()).collect();
        expected.insert(kind.to_owned());
        expected.insert(format!("date: {date}"));
        expected.insert(if has_length {
            format!("content-length: {}", answer.body.len())
        } else {
            "transfer-encoding: chunked".to_owned()
        });
        assert_eq!(answer.headers.len(), expected.len(), "{answer:?}");
        assert_eq!(set(answer.headers), expected, "{script} {how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_request_id_is_kept_and_a_bad_one_replaced() {
    let world = world("", "").await;
    world.script("tokens=1");
    let mut client = world.client().await;
    let longest = "a".repeat(128);
    let too_long = "a".repeat(129);
    for (given, kept) in [
        ("abc-1_2.3:4/5+6=", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        ("a b", false),
        ("a\"b", false),
        ("<script>", false),
        ("", false),
    ] {
        let header = format!("x-request-id: {given}\r\n");
        let answer = ask(&mut client, &header, &body(WHOLE)).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(id == given, kept, "{given:?}: {id}");
        if !kept {
            let digits = id.strip_prefix("req_").expect(&id);
            assert!(
                digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit()),
                "{id}"
            );
        }
    }
    let one = ask(&mut client, "", &body(WHOLE)).await;
    let two = ask(&mut client, "", &body(WHOLE)).await;
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_reaches_the_provider_as_it_was_written() {
    let world = world("", "").await;
    world.script("tokens=2");
    let mut client = world.client().await;
    let long = format!(
        "{{\"model\":\"model\",\"messages\":[\"{}\"],\"z\":\"\\u0000\"}}",
        "\u{fc}x".repeat(100_000)
    );
    let cases = [
        (
            r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
        ),
        // Spacing, escapes, numbers, duplicates below the top, and fields nobody knows.
        (
            " {\t\"never_heard_of\" : [1.50, 1e400, -0, {\"a\":1,\"a\":2}] ,\r\n \"model\" : \"model\" , \"messages\":[ \"\\u0041\\ud83d\\ude00\\/\" ], \"temperature\":1.0000000000000000001 }\n",
            " {\t\"never_heard_of\" : [1.50, 1e400, -0, {\"a\":1,\"a\":2}] ,\r\n \"model\" : \"m\" , \"messages\":[ \"\\u0041\\ud83d\\ude00\\/\" ], \"temperature\":1.0000000000000000001 }\n",
        ),
        (
            r#"{"messages":["model"],"metadata":{"model":"model"},"model":"\u006dodel"}"#,
            r#"{"messages":["model"],"metadata":{"model":"model"},"model":"m"}"#,
        ),
        (
            r#"{"model":"model","stream":false,"messages":[0],"stream_options":null}"#,
            r#"{"model":"m","stream":false,"messages":[0],"stream_options":null}"#,
        ),
        (
            r#"{"stream": true ,"model":"model","messages":[0],"stream_options":{ "include_usage" : true,"x":1}}"#,
            r#"{"stream": true ,"model":"m","messages":[0],"stream_options":{ "include_usage" : true,"x":1}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"x": [1] ,"include_usage":false},"model":"model","messages":[0]}"#,
            r#"{"stream":true,"stream_options":{"x": [1] ,"include_usage":true},"model":"m","messages":[0]}"#,
        ),
        (
            &long,
            &long.replacen("\"model\":\"model\"", "\"model\":\"m\"", 1),
        ),
    ];
    for (sent, expected) in cases {
        let answer = ask(&mut client, "", sent).await;
        assert_eq!(answer.status, 200, "{sent:.200}: {answer:?}");
        let entry = last(&world).await;
        assert_eq!(
            entry.body_sha256().unwrap(),
            sha256(expected),
            "{sent:.200}"
        );
    }
    // What is added is added to the rest, and nothing else moves.
    for (sent, expected) in [
        (
            r#"{"stream":true,"model":"model","messages":[0]}"#,
            r#"{"stream":true,"model":"m","messages":[0],"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":null,"model":"model","messages":[0]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"model":"m","messages":[0]}"#,
        ),
    ] {
        assert_eq!(ask(&mut client, "", sent).await.status, 200);
        assert_eq!(String::from_utf8_lossy(last(&world).await.body()), expected);
    }
}

/// In hexadecimal digits.
fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    format!("{:x}", sha2::Sha256::digest(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_quotes_its_credential_is_not_quoted() {
    let world = world("", "").await;
    let mut client = world.client().await;
    for how in [WHOLE, STREAM_USAGE] {
        world.script("status=400,error_message=\"key sk-provider-secret of sk-provider-secret\"");
        let answer = ask(&mut client, "", &body(how)).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"]["message"], "key *** of ***");
        assert!(truth(&world).await.text().contains("sk-provider-secret"));
    }
}
