//! Whatever a provider does, a client gets the exact answer, or a proper error with nothing of
//! the attempt in it, or the exact beginning and one error event.

use std::time::{Duration, SystemTime};

use segue::sim::Script;

use crate::relay_stage::{
    MARK, STREAM, STREAM_USAGE, WHOLE, chat, frames, is_usage, plain, truth, world,
};
use crate::support::{Answer, Client, PATIENCE, World};

/// A route for each clock that a case runs out, so that no other does.
const ROUTES: &str = "first: { tiers: [[sim/m]], timeouts: { first_token: 400ms } }\n\
                      stall: { tiers: [[sim/m]], timeouts: { stall: 400ms } }";

/// What a client must get.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// All that the script says without its fault.
    Exact,
    /// So many of its frames, then one error event.
    Broken(usize),
    /// This status, and words of ours.
    Status(u16),
}
use Expect::{Broken, Exact, Status};

/// The good answer that faults are added to.
const GOOD: &str = "tokens=5,canary=zebra,error_message=zebra";

async fn stage() -> (World, Client) {
    let world = world(ROUTES, "event: 5MiB, answer: 8MiB").await;
    let client = world.client().await;
    (world, client)
}

/// Asks with a script; the connection is kept, so that a byte too many spoils the next answer.
async fn ask(world: &World, client: &mut Client, script: &str, ask: &str) -> Answer {
    world.script(script);
    let route = match script {
        _ if script.contains("hang") || script.contains("stall@head") => "first",
        _ if script.contains("stall@0") => "first",
        _ if script.contains("stall") => "stall",
        _ => "model",
    };
    client.send(&chat(route, ask)).await;
    client.answer().await
}

/// What the client should have got, had nothing gone wrong.
async fn good(world: &World, base: &str, ask: &str) -> String {
    world.script(base);
    let text = plain(&truth(world).await).replace("[DONE]\r\n\r\n", "[DONE]\n\n");
    if ask == STREAM {
        let frames = frames(&text).into_iter();
        return frames.filter(|frame| !is_usage(frame)).collect();
    }
    text
}

async fn check(
    world: &World,
    client: &mut Client,
    base: &str,
    fault: &str,
    how: &str,
    expect: Expect,
) {
    let script = [base, fault].join(",");
    let script = script.trim_end_matches(',');
    let answer = ask(world, client, script, how).await;
    let case = format!("{script} | {how} | {expect:?}\ngot {answer:?}");
    let good = good(world, base, how).await;
    assert!(answer.complete, "{case}");
    match expect {
        Exact => {
            assert_eq!(answer.status, 200, "{case}");
            assert_eq!(plain(&answer), good, "{case}");
        }
        Broken(count) => {
            assert_eq!(answer.status, 200, "{case}");
            let text = plain(&answer);
            let got = frames(&text);
            let (last, before) = got.split_last().expect(&case);
            assert_eq!(before, &frames(&good)[..count], "{case}");
            assert_is_error_event(last, &case);
        }
        Status(status) => {
            assert_eq!(answer.status, status, "{case}");
            assert_is_ours(&answer, &case);
        }
    }
}

fn assert_is_error_event(frame: &str, case: &str) {
    let data = frame
        .strip_prefix("data: ")
        .and_then(|rest| rest.strip_suffix("\n\n"))
        .expect(case);
    let event: serde_json::Value = serde_json::from_str(data).expect(case);
    assert_is_error(&event, case);
}

fn assert_is_error(document: &serde_json::Value, case: &str) {
    let error = document["error"].as_object().expect(case);
    let fields: Vec<_> = error.keys().map(String::as_str).collect();
    assert_eq!(fields, ["code", "message", "param", "type"], "{case}");
    assert!(!document.to_string().contains(MARK), "{case}");
}

fn assert_is_ours(answer: &Answer, case: &str) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{case}"
    );
    assert_is_error(&answer.json(), case);
    assert!(answer.header("x-sim").is_none(), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_is_a_status_before_its_first_token_and_a_break_after_it() {
    let (world, mut client) = stage().await;
    let cases = [
        ("hang", Status(504)),
        ("cut", Status(502)),
        ("cut@head", Status(502)),
        ("cut@0", Status(502)),
        ("cut@1", Broken(2)),
        ("cut@3", Broken(4)),
        ("cut@5", Broken(6)),
        ("cut@done", Exact),
        ("cut@end", Exact),
        ("reset", Status(502)),
        ("reset@head", Status(502)),
        ("reset@0", Status(502)),
        ("reset@3", Broken(4)),
        ("reset@done", Exact),
        ("reset@end", Exact),
        ("stall@head", Status(504)),
        ("stall@0", Status(504)),
        ("stall@1", Broken(2)),
        ("stall@3", Broken(4)),
        ("stall@done", Exact),
        ("stall@end", Exact),
        ("garbage", Status(502)),
        ("garbage@0", Status(502)),
        ("garbage@3", Broken(4)),
        ("garbage@done", Broken(7)),
        ("error@0", Status(502)),
        ("error@0,no_done", Status(502)),
        ("error@1", Broken(2)),
        ("error@3", Broken(4)),
        ("error@3,no_done", Broken(4)),
        ("error@5,no_finish", Broken(6)),
        ("error@done", Broken(7)),
        ("malformed@0", Status(502)),
        ("malformed@3", Broken(4)),
        ("malformed@done", Broken(7)),
        ("empty", Status(502)),
        ("empty,until_close", Status(502)),
        ("no_finish", Broken(6)),
        ("no_finish,no_done", Broken(6)),
        ("no_finish,no_done,until_close", Broken(6)),
        ("until_close,cut@3", Broken(4)),
        ("content_length,cut@3", Broken(4)),
        ("encoding=gzip,cut@3", Broken(4)),
        ("encoding=zstd,reset@3", Broken(4)),
        ("encoding=br,stall@3", Broken(4)),
        ("chunks=1,cut@3", Broken(4)),
        ("chunks=random:3,error@3", Broken(4)),
        ("whole", Status(502)),
        ("type=text/html", Status(502)),
        ("type=application/json", Status(502)),
        ("type=text/event-streams", Status(502)),
        ("header=content-encoding:rot13", Status(502)),
        ("header=\"transfer-encoding: identity\"", Status(502)),
    ];
    for (fault, expect) in cases {
        check(&world, &mut client, GOOD, fault, STREAM, expect).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_that_fails_is_a_status_wherever_it_breaks() {
    let (world, mut client) = stage().await;
    let cases = [
        ("hang", Status(504)),
        ("cut", Status(502)),
        ("cut@head", Status(502)),
        ("cut@0", Status(502)),
        ("cut@3", Status(502)),
        ("cut@done", Exact),
        ("cut@end", Exact),
        ("cut@3,until_close", Status(502)),
        ("cut@3,encoding=gzip", Status(502)),
        ("reset", Status(502)),
        ("reset@head", Status(502)),
        ("reset@0", Status(502)),
        ("reset@3", Status(502)),
        ("stall@head", Status(504)),
        ("stall@3", Status(504)),
        ("stall@end,encoding=br", Status(504)),
        ("garbage", Status(502)),
        ("garbage@3", Status(502)),
        ("garbage@done", Status(502)),
        ("error@0", Status(502)),
        ("error@3", Status(502)),
        ("malformed@3", Status(502)),
        ("malformed@done", Status(502)),
        ("empty", Status(502)),
        ("body=\"\"", Status(502)),
        ("body=\"null\"", Status(502)),
        ("body=\"{}\"", Status(502)),
        ("body=\"[1]\"", Status(502)),
        ("body=\"<html>zebra</html>\"", Status(502)),
        ("type=text/html", Status(502)),
        ("type=text/event-stream", Status(502)),
        ("header=content-encoding:rot13", Status(502)),
        // The last one: its connection is good for all that can be seen, and answers no more.
        ("stall@end", Exact),
    ];
    for (fault, expect) in cases {
        check(&world, &mut client, GOOD, fault, WHOLE, expect).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_but_good_answer_comes_through_to_the_byte() {
    let (world, mut client) = stage().await;
    let cuts = [
        "",
        "chunks=1",
        "chunks=event",
        "chunks=random:1",
        "chunks=random:2",
        "drip=40/1ms",
    ];
    let codings = [
        "",
        "encoding=gzip",
        "encoding=deflate",
        "encoding=br",
        "encoding=zstd",
    ];
    for how in [STREAM, STREAM_USAGE, WHOLE] {
        for cut in cuts {
            for coding in codings {
                let fault = [cut, coding].join(",");
                let fault = fault.trim_matches(',');
                check(&world, &mut client, GOOD, fault, how, Exact).await;
            }
        }
        for (base, fault) in [
            (GOOD, "content_length"),
            (GOOD, "until_close"),
            (GOOD, "until_close,encoding=gzip"),
            (GOOD, "interim=103"),
            (
                GOOD,
                "stray=\"HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\n\\r\\nzebra\"",
            ),
            (GOOD, "done_twice"),
            (GOOD, "no_done"),
            (GOOD, "no_done,until_close"),
            (GOOD, "head_after=5ms,first_after=5ms,delay=1ms"),
            (GOOD, "close_after"),
            ("tokens=5,role=joined", ""),
            ("tokens=5,role=none", ""),
            ("tokens=0", ""),
            ("tokens=5,usage=none", ""),
            ("tokens=5,usage=zero", ""),
            ("tokens=5,finish=length", ""),
            ("tokens=5,finish=content_filter", ""),
            ("tokens=5,finish=never_heard_of", ""),
            ("tokens=9,tools=3", "chunks=random:5"),
            ("tokens=3,crlf", ""),
            ("tokens=3,crlf", "chunks=1"),
            ("tokens=300", "chunks=random:9"),
            ("event_bytes=4MiB,tokens=3", ""),
        ] {
            check(&world, &mut client, base, fault, how, Exact).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_choices_end_only_together() {
    let (world, mut client) = stage().await;
    let two = "\"n\":2,\"stream\":true,\"stream_options\":{\"include_usage\":true},";
    let base = "tokens=4,usage=none";
    check(&world, &mut client, base, "chunks=random:4", two, Exact).await;
    check(&world, &mut client, base, "cut@3", two, Broken(8)).await;
    check(&world, &mut client, base, "no_finish", two, Broken(10)).await;
    check(&world, &mut client, "tokens=4", "", "\"n\":3,", Exact).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_byte_gives_whole_frames_and_one_error() {
    let (world, mut client) = stage().await;
    for (script, how) in [
        ("tokens=3", STREAM),
        ("tokens=3,chunks=random:8", STREAM),
        ("tokens=3", WHOLE),
    ] {
        let answer = ask(&world, &mut client, script, how).await;
        assert_eq!(answer.status, 200);
        let good = good(&world, script, how).await;
        for at in (0..answer.body.len()).step_by(41) {
            let answer = ask(&world, &mut client, &format!("{script},cut@{at}b"), how).await;
            let case = format!("{script} cut@{at}b {how}: {answer:?}");
            assert!(answer.complete, "{case}");
            let text = plain(&answer);
            if answer.status != 200 {
                assert_eq!(answer.status, 502, "{case}");
                assert_is_ours(&answer, &case);
            } else if text != good {
                assert_eq!(how, STREAM, "{case}");
                let got = frames(&text);
                let (last, before) = got.split_last().expect(&case);
                assert_eq!(before, &frames(&good)[..before.len()], "{case}");
                assert!(before.len() > 1, "a role alone is no beginning: {case}");
                assert_is_error_event(last, &case);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_the_request_goes_back_unchanged_and_no_other_does() {
    let (world, mut client) = stage().await;
    for how in [WHOLE, STREAM] {
        for status in [400, 413, 422] {
            for more in [
                "",
                ",chunks=1",
                ",encoding=gzip",
                ",type=application/problem+json",
            ] {
                let words = format!("status={status},error_message=\"look, zebra\"{more}");
                let answer = ask(&world, &mut client, &words, how).await;
                let truth = truth(&world).await;
                assert_eq!(answer.status, status, "{answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.header("x-segue-target"), Some("sim/m"));
                if !more.contains("gzip") {
                    assert_eq!(answer.body, truth.body);
                }
                assert_eq!(answer.json()["error"]["message"], "look, zebra");
            }
            for odd in [
                "type=text/html,body=\"<html><title>zebra</title></html>\"",
                "body=\"\"",
                "body=\"{\\\"zebra\\\":1}\"",
                "error_message=zebra,cut@40b",
                "error_message=zebra,stall@40b",
                "encoding=gzip,error_message=zebra,cut@20b",
            ] {
                let script = format!("status={status},{odd}");
                let answer = ask(&world, &mut client, &script, how).await;
                assert_eq!(answer.status, status, "{script}: {answer:?}");
                assert_is_ours(&answer, &script);
            }
        }
        for status in [
            201, 202, 204, 206, 301, 302, 307, 304, 401, 402, 403, 404, 405, 408, 409, 418, 421,
            451, 500, 501, 502, 503, 504, 520, 529, 599, 999,
        ] {
            for odd in [
                "",
                ",type=text/html,body=\"<h1>zebra</h1>\"",
                ",retry_after=3,chunks=1",
            ] {
                let script = format!(
                    "status={status},error_message=zebra,header=location:/zebra,header=x-sim:zebra{odd}"
                );
                let answer = ask(&world, &mut client, &script, how).await;
                assert_eq!(answer.status, 502, "{script}: {answer:?}");
                assert_is_ours(&answer, &script);
                assert!(answer.header("location").is_none(), "{script}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_says_when_to_come_back_as_far_as_it_is_known() {
    let (world, mut client) = stage().await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(5));
    let past = "Wed, 21 Oct 2015 07:28:00 GMT";
    let cases = [
        (String::new(), None),
        ("retry_after=7".to_owned(), Some(7..=7)),
        ("retry_after=0".to_owned(), Some(0..=0)),
        ("retry_after=1.2".to_owned(), Some(2..=2)),
        (format!("retry_after=\"{date}\""), Some(200..=300)),
        (format!("retry_after=\"{past}\""), None),
        ("header=retry-after-ms:1500".to_owned(), Some(2..=2)),
        (
            "header=retry-after-ms:20,retry_after=9".to_owned(),
            Some(1..=1),
        ),
        ("retry_after=99999999999".to_owned(), Some(600..=600)),
        ("retry_after=soon".to_owned(), None),
        ("retry_after=-4".to_owned(), None),
        ("retry_after=inf".to_owned(), None),
        ("retry_after=\"\"".to_owned(), None),
        ("retry_after=7,cut@30b".to_owned(), Some(7..=7)),
        ("retry_after=7,encoding=br".to_owned(), Some(7..=7)),
        (
            "retry_after=7,type=text/html,body=\"zebra\"".to_owned(),
            Some(7..=7),
        ),
    ];
    for how in [WHOLE, STREAM] {
        for (script, expected) in &cases {
            let script = format!("status=429,error_message=zebra,{script}");
            let answer = ask(&world, &mut client, script.trim_end_matches(','), how).await;
            assert_eq!(answer.status, 429, "{script}: {answer:?}");
            assert_is_ours(&answer, &script);
            let wait = answer
                .header("retry-after")
                .map(|text| text.parse::<u64>().unwrap());
            let as_expected = match (expected, wait) {
                (None, None) => true,
                (Some(range), Some(wait)) => range.contains(&wait),
                _ => false,
            };
            assert!(as_expected, "{script}: {wait:?}, not {expected:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vast_error_body_is_not_read_on() {
    let (world, mut client) = stage().await;
    for (status, expected) in [(400, 400), (429, 429), (500, 502)] {
        let quoted = format!("{{\"error\":\"zebra{}\"}}", "x".repeat(10 << 20));
        world.sim.script(
            "m",
            Script {
                status,
                body: Some(quoted.into_bytes()),
                ..Script::default()
            },
        );
        client.send(&chat("model", WHOLE)).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, expected);
        assert_is_ours(&answer, &status.to_string());
        let cut = |entries: &[std::sync::Arc<segue::sim::Entry>]| {
            entries.iter().all(|entry| entry.end().is_some())
        };
        let entries = world.sim.journal().wait_for(cut, PATIENCE).await.unwrap();
        assert!(entries.last().unwrap().end() != Some(segue::sim::End::Served));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_or_answer_over_its_limit_is_a_failure() {
    let (world, mut client) = stage().await;
    // The first event is the huge one: nothing has gone out when it grows too long.
    check(
        &world,
        &mut client,
        "tokens=3",
        "event_bytes=6MiB",
        STREAM,
        Status(502),
    )
    .await;
    check(
        &world,
        &mut client,
        "tokens=3",
        "event_bytes=9MiB",
        WHOLE,
        Status(502),
    )
    .await;
    check(&world, &mut client, "tokens=3", "", STREAM, Exact).await;
    let endless = "tokens=3,type=text/event-stream,body=\"data: {\\\"choices\\\":[{\\\"index\\\":0,\\\"delta\\\":{\\\"content\\\":\\\"a\\\"}}]}\\n\\n";
    let script = format!("{endless}data: {}\"", "x".repeat(6 << 20));
    let answer = ask(&world, &mut client, &script, STREAM).await;
    assert!(answer.complete && answer.status == 200);
    let text = plain(&answer);
    assert_eq!(frames(&text).len(), 2);
    assert_is_error_event(frames(&text)[1], "an event that never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_marks_and_stray_fields_are_read_by_the_standard() {
    let (world, mut client) = stage().await;
    let chunk = |text: &str| {
        format!("{{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}")
    };
    let finish = "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}";
    let (a, b) = (chunk("a"), chunk("b"));
    let came = format!(
        "\u{feff}: before\n\nid: 1\nretry: 5\ndata: {a}\n\n: between\n\nevent: message\ndata:{b}\n\n\
         unknown: field\n\ndata: {finish}\n\ndata: [DONE]\n\ndata: after\n\n"
    );
    let went = format!(
        "data: {a}\n\n: between\n\ndata: {b}\n\nunknown: field\n\ndata: {finish}\n\ndata: [DONE]\n\n"
    );
    for chunks in ["chunks=1", "chunks=random:2", "chunks=event"] {
        let mut script: Script = format!("type=text/event-stream,{chunks}").parse().unwrap();
        script.body = Some(came.clone().into_bytes());
        world.sim.script("m", script);
        client.send(&chat("model", STREAM)).await;
        let answer = client.answer().await;
        assert_eq!(answer.text(), went, "{chunks}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_do_not_stand_for_life() {
    let (world, mut client) = stage().await;
    let answer = ask(&world, &mut client, "ping=30ms,stall@0", STREAM).await;
    assert_eq!(answer.status, 504);
    let answer = ask(&world, &mut client, "ping=30ms,stall@2", STREAM).await;
    let text = plain(&answer);
    let (last, before) = frames(&text)
        .split_last()
        .map(|(a, b)| (a.to_string(), b.len()))
        .unwrap();
    assert_is_error_event(&last, &text);
    assert!(before > 4 && text.contains("\n\n: ping\n\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_to_whoever_asked_and_to_nobody_else() {
    let (world, mut client) = stage().await;
    for (script, how, told) in [
        ("tokens=3", STREAM, false),
        ("tokens=3", STREAM_USAGE, true),
        ("tokens=3,usage=none", STREAM_USAGE, false),
        ("tokens=3,usage=zero", STREAM_USAGE, true),
        (
            "tokens=3",
            "\"stream\":true,\"stream_options\":{\"include_usage\":false},",
            false,
        ),
        (
            "tokens=3",
            "\"stream\":true,\"stream_options\":null,",
            false,
        ),
    ] {
        let answer = ask(&world, &mut client, script, how).await;
        let text = plain(&answer);
        assert_eq!(
            frames(&text).iter().any(|frame| is_usage(frame)),
            told,
            "{script} {how}"
        );
        let asked = world.sim.journal().entries().last().cloned().unwrap();
        let asked: serde_json::Value = serde_json::from_slice(asked.body()).unwrap();
        assert_eq!(
            asked["stream_options"]["include_usage"], true,
            "{script} {how}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_connection_that_dies_is_replaced_unseen() {
    let (world, mut client) = stage().await;
    for how in [STREAM, WHOLE] {
        // Within that time the next request meets a connection that will not answer it.
        let first = ask(&world, &mut client, "tokens=3,close_after=300ms", how).await;
        let second = ask(&world, &mut client, "tokens=3", how).await;
        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(plain(&first), plain(&second));
        let entries = world.sim.journal().entries();
        let [.., before, after] = &entries[..] else {
            panic!("two requests")
        };
        assert_ne!(before.connection, after.connection);
        assert_eq!(after.body(), before.body());
    }
    assert_eq!(world.sim.journal().received(), 4, "nothing was asked twice");
}
