//! Which samples are found, and how they read.

use super::found::lines;
use super::*;

const RESCUED: &str = r#"{"time":"2026-11-22T01:33:35.123Z","request_id":"req-1","sampled":"fell_back","key":"app","route":"support","variant":"drafts","status":200,"outcome":"served","fallback_reason":"stall","request":{"method":"POST","path":"/v1/chat/completions","headers":["openai-organization"],"length":120,"body":"{\"messages\":[{\"role\":\"user\",\"content\":\"How do I reset the router in the hall?\"}]}"},"attempts":[{"target":"openai/gpt","kind":"first","status":200,"error":"stall","class":"transient","verdict":"fall_back","begun_ms":1.0,"first_token_ms":200.0,"total_ms":600.0,"response":{"type":"text/event-stream","length":40,"body":"data: {\"a\":1}\n\ndata: \u001b[31mred\u202e\n\n","cut":true}},{"target":"onprem/qwen","kind":"fallback","status":200,"begun_ms":610.0,"first_token_ms":100.0,"total_ms":590.5,"response":{"type":"application/json","length":9}}],"left_out":{"spare/m":"no tools"},"total_ms":1204.5}"#;
const FAILED: &str = r#"{"time":"2026-11-22T01:34:00.000Z","request_id":"req-2","sampled":"failed","route":"draft","status":502,"outcome":"failed","reason":"connect","request":{"method":"POST","path":"/v1/messages","headers":[],"length":7},"attempts":[{"target":"openai/gpt","kind":"first","error":"connect","verdict":"give_up","total_ms":3.25}],"total_ms":4.0}"#;

fn found(text: &str, last: usize, route: Option<&str>, outcome: Option<&str>) -> Found {
    let wanted = Wanted {
        last,
        route,
        outcome,
    };
    let mut found = Found::default();
    lines(&mut text.as_bytes(), &wanted, &mut found).unwrap();
    found
}

fn ids(found: &Found) -> Vec<&str> {
    let samples = found.samples.iter();
    samples.map(|(_, sample)| &*sample.request_id).collect()
}

#[test]
fn a_person_can_read_how_an_exchange_went() {
    let found = found(&format!("{RESCUED}\n{FAILED}\n"), 20, None, None);
    let mut out = Vec::new();
    show::print(&found, 60, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|it| it.is_control() && it != '\n'));
    assert!(text.lines().all(|line| line.chars().count() < 100));
    insta::assert_snapshot!(text);
}

#[test]
fn the_last_of_those_that_are_wanted_are_found_and_broken_lines_are_counted() {
    let text = format!("{RESCUED}\n{FAILED}\nnonsense\n{{}}\n{RESCUED}\n{FAILED}\n{{\"time\":\"");
    assert_eq!(
        ids(&found(&text, 3, None, None)),
        ["req-2", "req-1", "req-2"]
    );
    assert_eq!(found(&text, 3, None, None).unread, 2);
    assert_eq!(ids(&found(&text, 9, Some("draft"), None)), ["req-2"; 2]);
    assert_eq!(ids(&found(&text, 1, None, Some("served"))), ["req-1"]);
    assert!(ids(&found(&text, 0, None, None)).is_empty());
    assert!(ids(&found(&text, 9, Some("draft"), Some("served"))).is_empty());
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let mut out = Vec::new();
    show::print(&Found::default(), 80, &mut out).unwrap();
    assert_eq!(out, b"no samples\n");
}
