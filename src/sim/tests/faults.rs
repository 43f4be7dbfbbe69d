use std::io::ErrorKind;

use serde_json::Value;

use crate::sim::tests::{Client, PATIENCE, answer_to, sim, stream};
use crate::sim::{End, GARBAGE};

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    /// The body came to its end.
    Well,
    /// With a FIN.
    Fin,
    /// With an RST.
    Rst,
}

#[tokio::test]
async fn every_break_comes_exactly_where_the_script_says() {
    let cases = [
        ("tokens=5,cut@0", "", Ends::Fin),
        ("tokens=5,cut@3", " w0 w1 w2", Ends::Fin),
        ("tokens=5,cut@3,chunks=1", " w0 w1 w2", Ends::Fin),
        ("tokens=5,cut@5", " w0 w1 w2 w3 w4", Ends::Fin),
        ("tokens=5,reset@0", "", Ends::Rst),
        ("tokens=5,reset@3", " w0 w1 w2", Ends::Rst),
        ("tokens=5,reset@3,delay=1ms", " w0 w1 w2", Ends::Rst),
        ("tokens=5,cut@done", " w0 w1 w2 w3 w4", Ends::Fin),
        ("tokens=5,cut@end", " w0 w1 w2 w3 w4", Ends::Fin),
        ("tokens=5,error@2", " w0 w1", Ends::Well),
        ("tokens=5,malformed@2", " w0 w1 w2 w3 w4", Ends::Well),
        ("tokens=5,garbage@2", " w0 w1 w2 w3 w4", Ends::Well),
        ("tokens=5,stall@2=1ms", " w0 w1 w2 w3 w4", Ends::Well),
        ("tokens=5,cut@9", " w0 w1 w2 w3 w4", Ends::Well),
    ];
    for (script, content, ends) in cases {
        let answer = stream(script).await;
        assert_eq!(answer.status, 200, "{script}");
        assert_eq!(answer.content(), content, "{script}");
        let ended = match (answer.complete, answer.error) {
            (true, _) => Ends::Well,
            (false, None) => Ends::Fin,
            (false, Some(ErrorKind::ConnectionReset)) => Ends::Rst,
            (false, Some(error)) => panic!("{script}: {error}"),
        };
        assert_eq!(ended, ends, "{script}");
        let done = script.contains("@end") || ends == Ends::Well;
        assert_eq!(answer.text().contains("[DONE]"), done, "{script}");
    }
}

#[tokio::test]
async fn a_break_by_bytes_is_exact_in_every_framing() {
    let whole = stream("tokens=9").await.body;
    for how in [
        "",
        ",chunks=7",
        ",chunks=random:1",
        ",until_close",
        ",content_length",
        ",drip=50/1ms",
    ] {
        for at in [0, 1, 100, 333, whole.len() - 1] {
            let script = format!("tokens=9,cut@{at}b{how}");
            let answer = stream(&script).await;
            assert_eq!(answer.body, whole[..at], "{script}");
            assert!(!answer.complete || how == ",until_close", "{script}");
        }
    }
    let garbage = stream("tokens=9,garbage@100b").await;
    assert_eq!(
        garbage.body,
        [&whole[..100], GARBAGE, &whole[100..]].concat()
    );
    let document = answer_to("tokens=9,cut@30b", "").await;
    assert_eq!((document.body.len(), document.complete), (30, false));
    let error = answer_to("status=500,reset@10b", "").await;
    assert_eq!(
        (error.body.len(), error.error),
        (10, Some(ErrorKind::ConnectionReset))
    );
}

#[tokio::test]
async fn a_break_before_the_head_sends_nothing_or_half_of_it() {
    let rest = async |script: &str| {
        let sim = sim(script).await;
        let mut client = Client::connect(&sim).await;
        client.ask("m", "").await;
        client.rest().await
    };
    assert_eq!(rest("cut").await, (vec![], None));
    assert_eq!(
        rest("reset").await,
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(rest("garbage").await, (GARBAGE.to_vec(), None));
    assert_eq!(
        rest("raw=\"HTTP/9 \\x00\\r\\n\"").await,
        (b"HTTP/9 \x00\r\n".to_vec(), None)
    );
    let (half, error) = rest("cut@head").await;
    assert!(half.starts_with(b"HTTP/1.1 200 OK\r\n") && !half.ends_with(b"\r\n\r\n"));
    assert_eq!(error, None);
    assert_eq!(rest("reset@head").await.1, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn what_breaks_inside_the_stream_is_where_it_should_be() {
    let events = stream("tokens=2,error@1,error_type=overloaded_error,error_message=busy")
        .await
        .events();
    let error: Value = serde_json::from_str(&events[2]).unwrap();
    assert_eq!(error["error"]["type"], "overloaded_error");
    assert_eq!(error["error"]["message"], "busy");
    assert_eq!(events[3..], ["[DONE]"]);
    assert_eq!(stream("tokens=2,error@1,no_done").await.events().len(), 3);
    let malformed = stream("tokens=2,malformed@1").await.events();
    assert!(serde_json::from_str::<Value>(&malformed[2]).is_err());
    assert!(serde_json::from_str::<Value>(&malformed[3]).is_ok());
    let garbage = stream("tokens=2,garbage@1").await;
    assert!(memchr::memmem::find(&garbage.body, GARBAGE).is_some());
    let document = answer_to("tokens=2,error@1", "").await;
    assert_eq!(document.status, 200);
    assert!(document.complete && document.text().starts_with("{\"error\":"));
    let broken = answer_to("tokens=2,malformed@1", "").await;
    assert!(broken.complete && serde_json::from_slice::<Value>(&broken.body).is_err());
}

#[tokio::test]
async fn an_error_status_has_the_body_and_headers_of_its_script() {
    let cases = [
        (
            "status=429,retry_after=2",
            429,
            "\"rate_limit_exceeded\"",
            "retry-after: 2\r\n",
        ),
        (
            "status=503",
            503,
            "\"server_is_overloaded\"",
            "content-type: application/json\r\n",
        ),
        ("status=500", 500, "\"server_error\"", ""),
        (
            "status=429,error_code=insufficient_quota",
            429,
            "\"insufficient_quota\"",
            "",
        ),
        (
            "status=502,type=text/html,body=\"<h1>,</h1>\"",
            502,
            "<h1>,</h1>",
            "content-type: text/html\r\n",
        ),
        ("body={},header=X-A:1", 200, "{}", "X-A: 1\r\n"),
        ("status=999", 999, "error", "HTTP/1.1 999 \r\n"),
    ];
    for (script, status, body, head) in cases {
        for more in ["", ",\"stream\":true"] {
            let answer = answer_to(script, more).await;
            assert_eq!(answer.status, status, "{script}");
            assert!(answer.text().contains(body), "{script}: {}", answer.text());
            assert!(answer.head.contains(head), "{script}: {}", answer.head);
            assert!(answer.complete, "{script}");
        }
    }
    let silent = sim("status=204").await;
    let mut client = Client::connect(&silent).await;
    client.ask("m", "").await;
    client.read_until("\r\n\r\n").await;
    assert!(client.inbox.starts_with(b"HTTP/1.1 204 No Content\r\n"));
    assert!(client.inbox.ends_with(b"\r\n\r\n"));
}

#[tokio::test]
async fn an_interim_head_comes_before_the_answers_own() {
    let sim = sim("interim=103").await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", "").await;
    client.read_until("\r\n\r\n").await;
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    assert!(client.inbox.starts_with(interim));
    client.inbox.drain(..interim.len());
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_can_be_closed_unannounced_after_a_good_answer() {
    for script in ["close_after", "close_after=5ms"] {
        let sim = sim(script).await;
        let mut client = Client::connect(&sim).await;
        client.ask("m", "").await;
        let answer = client.answer().await;
        assert!(
            answer.complete && !answer.head.contains("connection:"),
            "{script}"
        );
        assert_eq!(client.rest().await, (vec![], None), "{script}");
        assert_eq!(sim.journal().entries()[0].end(), Some(End::Served));
    }
}

#[tokio::test]
async fn stray_bytes_follow_a_complete_answer() {
    let sim = sim("stray=\"HTTP/1.1 400\"").await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", "").await;
    assert!(client.answer().await.complete);
    client.read_until("HTTP/1.1 400").await;
}

#[tokio::test]
async fn an_answer_can_come_before_the_body_was_read() {
    let sim = sim("status=413,unread").await;
    let mut client = Client::connect(&sim).await;
    client
        .send(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n{")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert!(answer.complete && answer.head.contains("connection: close\r\n"));
    let entry = &sim.journal().entries()[0];
    assert!(!entry.body_is_complete());
}

#[tokio::test]
async fn pings_are_comments_and_come_only_while_it_is_silent() {
    let sim = sim("tokens=2,first_after=500ms,ping=5ms,stall@1").await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", ",\"stream\":true").await;
    client.read_until(" w0").await;
    assert!(memchr::memmem::find(&client.inbox, b": ping\n\n").is_some());
    client.inbox.clear();
    client.read_until(": ping\n\n").await;
    drop(client);
    let journal = sim.journal();
    journal
        .wait_for(|entries| entries[0].end().is_some(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(journal.entries()[0].tokens(), 1);
}
