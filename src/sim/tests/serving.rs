use std::sync::Arc;

use crate::sim::tests::{Client, PATIENCE, sim};
use crate::sim::{End, Options, Sim, answer_text};

#[tokio::test]
async fn a_connection_serves_a_thousand_requests() {
    let sim = sim("tokens=4").await;
    let mut client = Client::connect(&sim).await;
    for request in 0..1000 {
        let more = if request % 2 == 0 {
            ",\"stream\":true"
        } else {
            ""
        };
        client.ask("m", more).await;
        let answer = client.answer().await;
        assert!(answer.complete);
        assert_eq!(answer.content(), answer_text(4));
    }
    let journal = sim.journal();
    journal.wait_for_no_request(PATIENCE).await.unwrap();
    let entries = journal.entries();
    assert_eq!(entries.len(), 1000);
    assert!(
        entries
            .iter()
            .all(|entry| entry.connection == 1 && entry.end() == Some(End::Served))
    );
    assert_eq!(sim.open_connections(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    for tokens in 1..=5 {
        client.ask(&format!("sim:tokens={tokens}"), "").await;
    }
    for tokens in 1..=5 {
        assert_eq!(client.answer().await.content(), answer_text(tokens));
    }
}

#[tokio::test]
async fn the_journal_keeps_what_came_and_no_more_than_it_may() {
    let sim = Sim::start(Options {
        journal: 3,
        ..Options::default()
    })
    .await
    .unwrap();
    let mut client = Client::connect(&sim).await;
    for request in 0..5 {
        let body = format!("{{\"model\":\"m{request}\"}}");
        client
            .post("/v1/chat/completions", "A: 1\r\na:  2 \r\n", &body)
            .await;
        client.answer().await;
    }
    let entries = sim.journal().entries();
    assert_eq!(
        entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        [3, 4, 5]
    );
    assert_eq!(sim.journal().dropped(), 2);
    let last = entries.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str()),
        ("POST", "/v1/chat/completions")
    );
    let headers: Vec<_> = last
        .headers()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(headers, ["host=sim", "A=1", "a=2", "content-length=14"]);
    assert_eq!(last.body(), b"{\"model\":\"m4\"}");
    assert_eq!(last.tokens(), 16);
}

#[tokio::test]
async fn a_chunked_request_is_read_to_its_end() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    for _ in 0..2 {
        client
            .send(b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        for byte in b"{\"model\":\"sim:tokens=2\"}" {
            client
                .send(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n'])
                .await;
        }
        client.send(b"0\r\nX-Trailer: 1\r\n\r\n").await;
        assert_eq!(client.answer().await.content(), " w0 w1");
    }
}

#[tokio::test]
async fn a_client_that_waits_to_send_its_body_is_told_to() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    let head =
        b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: 13\r\n\r\n";
    client.send(head).await;
    client.read_until("100 Continue\r\n\r\n").await;
    client.inbox.clear();
    client.send(b"{\"model\":\"m\"}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_large_prompt_is_hashed_whole_and_kept_in_part() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    let text = "x".repeat(300_000);
    let body = format!("{{\"messages\":[{{\"content\":\"{text}\"}}],\"model\":\"m\"}}");
    client.post("/v1/chat/completions", "", &body).await;
    assert_eq!(client.answer().await.status, 200);
    let entry = &sim.journal().entries()[0];
    assert_eq!(entry.body(), &body.as_bytes()[..crate::sim::KEPT_BODY]);
    assert_eq!(entry.body_bytes(), body.len() as u64);
    let digest = <sha2::Sha256 as sha2::Digest>::digest(body.as_bytes());
    assert_eq!(
        entry.body_sha256().unwrap(),
        crate::hex::digits(&digest).collect::<String>()
    );
}

#[tokio::test]
async fn other_paths_echo_the_body_as_it_comes() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    let head =
        b"POST /v1/files HTTP/1.1\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head).await;
    client.send(b"3\r\none\r\n").await;
    client.read_until("one").await;
    client.send(b"3\r\ntwo\r\n0\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.head.contains("content-type: a/b\r\n"));
    assert_eq!(answer.text(), "onetwo");
    client.post("/v1/files", "", &"y".repeat(100_000)).await;
    let answer = client.answer().await;
    assert!(answer.head.contains("content-length: 100000\r\n"));
    assert_eq!(answer.text(), "y".repeat(100_000));
    assert_eq!(
        client.get("/v1/files/1").await.text(),
        "{\"method\":\"GET\",\"path\":\"/v1/files/1\"}"
    );
    let entries = sim.journal().entries();
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.body_bytes())
            .collect::<Vec<_>>(),
        [6, 100_000, 0]
    );
    sim.script("/v1/files", "status=500".parse().unwrap());
    client.post("/v1/files", "", "z").await;
    assert_eq!(client.answer().await.status, 500);
}

#[tokio::test]
async fn the_smaller_endpoints_answer_and_can_be_scripted() {
    let sim = sim("tokens=1").await;
    sim.script("gpt", "tokens=2".parse().unwrap());
    let mut client = Client::connect(&sim).await;
    assert_eq!(client.get("/health").await.text(), "{\"status\":\"ok\"}");
    let models: serde_json::Value =
        serde_json::from_slice(&client.get("/v1/models").await.body).unwrap();
    assert_eq!(models["data"][0]["id"], "gpt");
    assert!(
        client
            .get("/v1/models/a/b")
            .await
            .text()
            .contains("\"id\":\"a/b\"")
    );
    client
        .post("/v1/embeddings", "", r#"{"model":"m","input":["a","b"]}"#)
        .await;
    let vectors: serde_json::Value = serde_json::from_slice(&client.answer().await.body).unwrap();
    assert_eq!(vectors["data"].as_array().unwrap().len(), 2);
    sim.script("/health", "status=503".parse().unwrap());
    sim.script("*", "status=500".parse().unwrap());
    assert_eq!(client.get("/health").await.status, 503);
    assert_eq!(client.get("/v1/models").await.status, 200);
    client
        .post("/v1/embeddings", "", r#"{"model":"m","input":"a"}"#)
        .await;
    assert_eq!(client.answer().await.status, 500);
    assert_eq!(client.get("/elsewhere").await.status, 404);
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_closed() {
    let cases: [(&[u8], &str); 4] = [
        (b"NONSENSE\r\n\r\n", "HTTP/1.1 400"),
        (b"PRI * HTTP/2.0\r\n\r\n", "HTTP/1.1 400"),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{]",
            "HTTP/1.1 400",
        ),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
            "HTTP/1.1 400",
        ),
    ];
    let sim = Sim::start(Options::default()).await.unwrap();
    for (request, start) in cases {
        let mut client = Client::connect(&sim).await;
        client.send(request).await;
        let (answer, error) = client.rest().await;
        assert!(
            answer.starts_with(start.as_bytes()),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        assert_eq!(error, None);
    }
    let mut client = Client::connect(&sim).await;
    client.send(&vec![b'x'; 70 << 10]).await;
    assert!(client.rest().await.0.starts_with(b"HTTP/1.1 431"));
    let small = Sim::start(Options {
        largest_body: 10,
        ..Options::default()
    })
    .await
    .unwrap();
    let mut client = Client::connect(&small).await;
    client.ask("m", "").await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn an_old_client_gets_a_body_without_chunks() {
    let sim = sim("tokens=2").await;
    let mut client = Client::connect(&sim).await;
    client.send(b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: 27\r\n\r\n{\"model\":\"m\",\"stream\":true}").await;
    let (answer, _) = client.rest().await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.contains("connection: close\r\n\r\ndata: {"),
        "{answer}"
    );
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
}

#[tokio::test]
async fn the_journal_and_the_scripts_are_reached_over_http() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    client
        .send(b"PUT /_sim/scripts/m HTTP/1.1\r\ncontent-length: 10\r\n\r\nstatus=503")
        .await;
    assert_eq!(client.answer().await.status, 200);
    client.ask("m", "").await;
    assert_eq!(client.answer().await.status, 503);
    let journal: serde_json::Value =
        serde_json::from_slice(&client.get("/_sim/journal").await.body).unwrap();
    assert_eq!(journal.as_array().unwrap().len(), 1);
    assert_eq!(
        (&journal[0]["script"], &journal[0]["end"]),
        (&"status=503".into(), &"served".into())
    );
    client.send(b"DELETE /_sim/journal HTTP/1.1\r\n\r\n").await;
    client.answer().await;
    assert!(sim.journal().entries().is_empty());
    assert!(
        client
            .get("/_sim/state")
            .await
            .text()
            .contains("\"open_connections\":1")
    );
}

#[tokio::test]
async fn many_connections_are_served_side_by_side_and_bounded() {
    let options = Options {
        connections: 8,
        ..Options::default()
    };
    let sim = Arc::new(Sim::start(options).await.unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let sim = sim.clone();
        tasks.spawn(async move {
            let mut client = Client::connect(&sim).await;
            client
                .ask("sim:tokens=3,delay=1ms", ",\"stream\":true")
                .await;
            assert!(sim.open_connections() <= 8);
            assert_eq!(client.answer().await.content(), " w0 w1 w2");
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    sim.journal()
        .wait_for_no_connection(PATIENCE)
        .await
        .unwrap();
    assert_eq!(sim.journal().received(), 40);
}

#[tokio::test]
async fn tls_is_spoken_and_a_cut_sends_no_close_notify() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let certified = rcgen::generate_simple_self_signed(["sim".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let options = Options {
        tls: Some(Arc::new(server)),
        ..Options::default()
    };
    let sim = Sim::start(options).await.unwrap();
    for (script, truncated) in [("until_close", false), ("until_close,cut@end", true)] {
        let tcp = tokio::net::TcpStream::connect(sim.address()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("sim").unwrap();
        let mut tls = connector.connect(name, tcp).await.unwrap();
        let body = format!("{{\"model\":\"sim:{script}\",\"stream\":true}}");
        let length = body.len();
        let head =
            format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
        tls.write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        let end = tls.read_to_end(&mut answer).await;
        assert!(answer.ends_with(b"data: [DONE]\n\n"), "{script}");
        assert_eq!(end.is_err(), truncated, "{script}: {end:?}");
    }
}
