use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::sim::tests::{Client, PATIENCE, sim};
use crate::sim::{
    End, GARBAGE, Options, Sim, Stage, Version, answer_text, scripted_text, server_config,
};

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    /// With `END_STREAM`.
    Well,
    /// With `RST_STREAM`.
    Reset(Reason),
    /// With the connection, without a word.
    Cut,
    /// With an error that the client found.
    Error,
}

#[derive(Debug)]
struct Answer {
    /// 0 without a head.
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The lengths of the pieces in which the body came.
    pieces: Vec<usize>,
    ends: Ends,
}

impl Answer {
    /// The content of a stream's or a document's first choice, joined.
    fn content(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        crate::sim::tests::Answer {
            status: self.status,
            head: String::new(),
            body: text.into_bytes(),
            chunks: Vec::new(),
            complete: true,
            error: None,
        }
        .content()
    }
}

/// A client of HTTP/2 with prior knowledge.
struct Peer {
    requests: SendRequest<Bytes>,
    /// Ends with the connection.
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Peer {
    async fn connect(sim: &Sim) -> Self {
        let tcp = TcpStream::connect(sim.address()).await.unwrap();
        Self::over(tcp).await
    }

    async fn over(
        io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (requests, connection) = h2::client::handshake(io).await.unwrap();
        Self {
            requests: requests.ready().await.unwrap(),
            connection: tokio::spawn(connection),
        }
    }

    /// Asks for a chat completion. `more` is further JSON.
    fn ask(
        &mut self,
        model: &str,
        more: &str,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let model = serde_json::to_string(model).unwrap();
        let body = format!("{{\"model\":{model},\"messages\":[]{more}}}");
        let request = Request::post("http://sim/v1/chat/completions")
            .header("x-a", "b")
            .body(())
            .unwrap();
        let (response, mut sending) = self.requests.send_request(request, false).unwrap();
        sending.send_data(Bytes::from(body), true).unwrap();
        (response, sending)
    }

    async fn answer(&mut self, model: &str, more: &str) -> Answer {
        let (response, _sending) = self.ask(model, more);
        receive(response).await
    }
}

fn ends(error: &h2::Error) -> Ends {
    match error.reason() {
        Some(reason) if error.is_reset() && error.is_remote() => Ends::Reset(reason),
        None if error.is_io() => Ends::Cut,
        _ => Ends::Error,
    }
}

async fn receive(response: h2::client::ResponseFuture) -> Answer {
    let mut answer = Answer {
        status: 0,
        headers: HeaderMap::new(),
        body: Vec::new(),
        pieces: Vec::new(),
        ends: Ends::Well,
    };
    let response = tokio::time::timeout(PATIENCE, response).await.unwrap();
    let (head, mut body) = match response {
        Ok(response) => response.into_parts(),
        Err(error) => {
            answer.ends = ends(&error);
            return answer;
        }
    };
    answer.status = head.status.as_u16();
    answer.headers = head.headers;
    while let Some(piece) = tokio::time::timeout(PATIENCE, body.data()).await.unwrap() {
        match piece {
            Ok(piece) => {
                body.flow_control().release_capacity(piece.len()).unwrap();
                answer.pieces.push(piece.len());
                answer.body.extend_from_slice(&piece);
            }
            Err(error) => {
                answer.ends = ends(&error);
                break;
            }
        }
    }
    answer
}

/// One answer of a fresh simulator with one script.
async fn answer_to(script: &str, more: &str) -> Answer {
    let sim = sim(script).await;
    Peer::connect(&sim).await.answer("m", more).await
}

const STREAM: &str = ",\"stream\":true";

#[tokio::test]
async fn good_answers_are_the_same_over_both_protocols() {
    let scripts = [
        "tokens=5",
        "tokens=5,tools=2",
        "tokens=300,token_bytes=1KiB",
        "event_bytes=1MiB",
        "tokens=5,chunks=7",
        "tokens=5,chunks=event,encoding=gzip",
        "tokens=5,drip=100/1ms",
        "tokens=5,delay=1ms,head_after=1ms,first_after=1ms",
        "tokens=5,usage=every,crlf,done_twice,role=joined",
        "tokens=5,content_length",
        "tokens=5,until_close",
        "tokens=5,malformed@2,stall@3=1ms,garbage@4",
        "tokens=5,error@2",
        "tokens=5,whole",
        "empty",
        "status=429,retry_after=2,header=X-A:b",
        "status=502,type=text/html,body=\"<h1>\"",
        "status=204",
    ];
    for script in scripts {
        for more in ["", STREAM, ",\"n\":2"] {
            let sim = sim(script).await;
            let mut peer = Peer::connect(&sim).await;
            let two = peer.answer("m", more).await;
            let other = crate::sim::tests::sim(script).await;
            let mut client = Client::connect(&other).await;
            client.ask("m", more).await;
            if script == "status=204" {
                assert_eq!((two.status, two.body.len()), (204, 0));
                continue;
            }
            let one = client.answer().await;
            assert_eq!(two.ends, Ends::Well, "{script} {more}");
            assert_eq!(two.status, one.status, "{script} {more}");
            assert_eq!(two.body, one.body, "{script} {more}");
            for line in one.head.lines().skip(1).filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(": ").unwrap();
                match name {
                    "transfer-encoding" | "connection" => {
                        assert!(two.headers.get(name).is_none(), "{script}");
                    }
                    _ => assert_eq!(two.headers.get(name).unwrap(), value, "{script}"),
                }
            }
            let entry = &sim.journal().entries()[0];
            assert_eq!(entry.end(), Some(End::Served), "{script}");
            assert_eq!(entry.protocol(), Version::Http2);
            assert_eq!(entry.header("x-a").unwrap(), "b");
            assert_eq!(entry.header("host").unwrap(), "sim");
            assert_eq!(entry.model(), Some("m"));
        }
    }
}

#[tokio::test]
async fn every_break_comes_exactly_where_the_script_says() {
    let internal = || Ends::Reset(Reason::INTERNAL_ERROR);
    let cases = [
        ("cut", 0, "", Ends::Cut),
        ("cut@head", 200, "", Ends::Cut),
        ("cut@0", 200, "", Ends::Cut),
        ("cut@3", 200, " w0 w1 w2", Ends::Cut),
        ("cut@3,delay=1ms", 200, " w0 w1 w2", Ends::Cut),
        ("cut@3,chunks=1", 200, " w0 w1 w2", Ends::Cut),
        ("cut@done", 200, " w0 w1 w2 w3 w4", Ends::Cut),
        ("cut@end", 200, " w0 w1 w2 w3 w4", Ends::Cut),
        ("reset", 0, "", internal()),
        ("reset@head", 200, "", internal()),
        ("reset@0", 200, "", internal()),
        ("reset@3", 200, " w0 w1 w2", internal()),
        ("reset@done", 200, " w0 w1 w2 w3 w4", internal()),
        ("reset@end", 200, " w0 w1 w2 w3 w4", internal()),
        ("refuse", 0, "", Ends::Reset(Reason::REFUSED_STREAM)),
        ("garbage", 0, "", Ends::Error),
        ("error@2", 200, " w0 w1", Ends::Well),
    ];
    for (script, status, content, ends) in cases {
        let script = format!("tokens=5,{script}");
        let two = answer_to(&script, STREAM).await;
        assert_eq!(two.status, status, "{script}");
        assert_eq!(two.content(), content, "{script}");
        assert_eq!(two.ends, ends, "{script}");
    }
    let whole = answer_to("tokens=9", STREAM).await.body;
    for at in [0, 1, 100, whole.len() - 1] {
        for kind in ["cut", "reset"] {
            let two = answer_to(&format!("tokens=9,{kind}@{at}b"), STREAM).await;
            assert_eq!(two.body, whole[..at], "{kind} {at}");
            assert_ne!(two.ends, Ends::Well, "{kind} {at}");
        }
    }
}

#[tokio::test]
async fn whole_answers_break_at_every_place_too() {
    let whole = answer_to("tokens=5", "").await.body;
    let length = whole.len();
    let cases = [
        ("cut", 0, 0),
        ("cut@head", 200, 0),
        ("cut@0b", 200, 0),
        ("cut@50b", 200, 50),
        ("cut@done", 200, length),
        ("cut@end", 200, length),
        ("reset", 0, 0),
        ("reset@head", 200, 0),
        ("reset@50b", 200, 50),
        ("reset@done", 200, length),
        ("reset@end", 200, length),
    ];
    for (script, status, bytes) in cases {
        let two = answer_to(&format!("tokens=5,{script}"), "").await;
        assert_eq!(two.status, status, "{script}");
        assert_eq!(two.body, whole[..bytes], "{script}");
        assert_ne!(two.ends, Ends::Well, "{script}");
    }
    for script in ["cut@3", "reset@3"] {
        let two = answer_to(&format!("tokens=5,{script}"), "").await;
        assert!(two.body.ends_with(b" w0 w1 w2"), "{script}");
        assert_ne!(two.ends, Ends::Well, "{script}");
    }
}

#[tokio::test]
async fn a_reset_is_of_one_stream_and_a_cut_of_all() {
    let sim = sim("tokens=3").await;
    let mut peer = Peer::connect(&sim).await;
    let (beside, _sending) = peer.ask("sim:tokens=3,stall@2", STREAM);
    let mut beside = beside.await.unwrap().into_body();
    assert_eq!(
        peer.answer("sim:reset@1", STREAM).await.ends,
        Ends::Reset(Reason::INTERNAL_ERROR)
    );
    assert_eq!(
        peer.answer("sim:refuse", STREAM).await.ends,
        Ends::Reset(Reason::REFUSED_STREAM)
    );
    assert_eq!(peer.answer("m", STREAM).await.content(), answer_text(3));
    assert_eq!(sim.open_connections(), 1);
    assert_eq!(peer.answer("sim:cut@1", STREAM).await.ends, Ends::Cut);
    let error = loop {
        match beside.data().await.unwrap() {
            Ok(piece) => beside.flow_control().release_capacity(piece.len()).unwrap(),
            Err(error) => break error,
        }
    };
    assert_eq!(ends(&error), Ends::Cut);
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    let ends: Vec<_> = sim
        .journal()
        .entries()
        .iter()
        .map(|entry| entry.end())
        .collect();
    let [cut, reset, served] = [End::Cut, End::Reset, End::Served].map(Some);
    assert_eq!(ends, [cut, reset, reset, served, cut]);
}

#[tokio::test]
async fn a_stream_that_the_client_resets_is_noticed_at_once_and_alone() {
    let cases = [
        ("hang", Stage::BeforeHead),
        ("head_after=5m", Stage::BeforeHead),
        ("first_after=5m", Stage::Tokens(0)),
        ("stall@3", Stage::Tokens(3)),
        ("delay=5m", Stage::Tokens(1)),
        ("stall@end", Stage::Tokens(16)),
        ("drip=1/1m", Stage::Tokens(0)),
    ];
    let sim = sim("tokens=3").await;
    let mut peer = Peer::connect(&sim).await;
    for (number, (script, stage)) in cases.into_iter().enumerate() {
        let (response, mut sending) = peer.ask(&format!("sim:{script}"), STREAM);
        let reached = |entries: &[Arc<crate::sim::Entry>]| {
            entries
                .get(number)
                .is_some_and(|entry| entry.body_is_complete() && entry.stage() == stage)
        };
        sim.journal()
            .wait_for(reached, PATIENCE)
            .await
            .expect(script);
        assert_eq!(sim.under_way(), 1, "{script}");
        sending.send_reset(Reason::CANCEL);
        drop(response);
        sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
        match sim.journal().entries()[number].end() {
            Some(End::ClientClosed { after, .. }) => assert_eq!(after, stage, "{script}"),
            other => panic!("{script}: {other:?}"),
        }
        assert_eq!(sim.open_connections(), 1);
    }
    let (_response, _sending) = peer.ask("sim:hang", STREAM);
    let hangs = |entries: &[Arc<crate::sim::Entry>]| entries.len() == 8;
    sim.journal().wait_for(hangs, PATIENCE).await.unwrap();
    peer.connection.abort();
    sim.journal()
        .wait_for_no_connection(PATIENCE)
        .await
        .unwrap();
    let end = sim.journal().entries()[7].end();
    assert!(matches!(end, Some(End::ClientClosed { .. })), "{end:?}");
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_answer() {
    let sim = sim("tokens=inf,token_bytes=16KiB").await;
    let mut peer = Peer::connect(&sim).await;
    let (response, mut sending) = peer.ask("m", STREAM);
    let mut body = response.await.unwrap().into_body();
    // Of its window the client takes everything in, and gives nothing back.
    let mut bytes = 0;
    loop {
        let more = sim
            .journal()
            .wait_for(|all| all[0].bytes() > bytes, Duration::from_millis(300))
            .await;
        match more {
            Ok(entries) => bytes = entries[0].bytes(),
            Err(_) => break,
        }
    }
    assert!((60_000..70_000).contains(&bytes), "{bytes}");
    let goes_on = |all: &[Arc<crate::sim::Entry>]| all[0].bytes() > 2 * bytes;
    tokio::join!(
        async { sim.journal().wait_for(goes_on, PATIENCE).await.unwrap() },
        async {
            let mut read = 0;
            while read < 4 * bytes {
                let piece = body.data().await.unwrap().unwrap();
                read += piece.len() as u64;
                body.flow_control().release_capacity(piece.len()).unwrap();
            }
        }
    );
    sending.send_reset(Reason::CANCEL);
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_goaway_ends_the_connection_once_it_is_idle() {
    for script in ["goaway", "goaway@head", "goaway@2", "goaway@end"] {
        let sim = sim(&format!("tokens=3,{script}")).await;
        let mut peer = Peer::connect(&sim).await;
        let (beside, _sending) = peer.ask("sim:tokens=2,stall@1=50ms", STREAM);
        let answer = peer.answer("m", STREAM).await;
        assert_eq!(answer.content(), answer_text(3), "{script}");
        assert_eq!(receive(beside).await.content(), answer_text(2), "{script}");
        let end = tokio::time::timeout(PATIENCE, peer.connection).await;
        end.unwrap().unwrap().unwrap();
        drop(peer.requests);
        sim.journal()
            .wait_for_no_connection(PATIENCE)
            .await
            .unwrap();
        let mut one = Client::connect(&sim).await;
        one.ask("m", STREAM).await;
        let answer = one.answer().await;
        assert!(answer.complete && answer.head.contains("connection: close\r\n"));
        assert_eq!(one.rest().await, (vec![], None), "{script}");
    }
    let sim = sim("refuse").await;
    let mut one = Client::connect(&sim).await;
    one.ask("m", STREAM).await;
    assert_eq!(one.rest().await, (vec![], None));
}

#[tokio::test]
async fn an_idle_connection_can_close_without_a_goaway() {
    let sim = sim("close_after=5ms").await;
    let mut peer = Peer::connect(&sim).await;
    assert_eq!(peer.answer("m", STREAM).await.ends, Ends::Well);
    let _ = tokio::time::timeout(PATIENCE, &mut peer.connection)
        .await
        .unwrap();
    let entries = sim.journal().entries();
    assert_eq!(entries[0].end(), Some(End::Served));
}

#[tokio::test]
async fn what_only_http_1_can_say_is_refused_with_a_reason() {
    let sim = sim("tokens=1").await;
    let mut peer = Peer::connect(&sim).await;
    for script in [
        "raw=\"HTTP/1.1 200 OK\"",
        "stray=x",
        "header=connection:close",
        "header=transfer-encoding:chunked",
        "nonsense",
    ] {
        let answer = peer.answer(&format!("sim:{script}"), STREAM).await;
        assert_eq!((answer.status, answer.ends), (400, Ends::Well), "{script}");
        assert!(!answer.body.is_empty(), "{script}");
    }
    // An interim head is known to both; the client's library passes it by.
    let answer = peer.answer("sim:interim=103,tokens=2", STREAM).await;
    assert_eq!(answer.content(), answer_text(2));
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    assert_eq!(sim.journal().entries()[0].end(), Some(End::Refused));
}

#[tokio::test]
async fn pieces_are_frames_and_the_smaller_endpoints_answer() {
    let sim = sim("tokens=3,chunks=50").await;
    let mut peer = Peer::connect(&sim).await;
    let answer = peer.answer("m", STREAM).await;
    // The last frame holds nothing but the end.
    let [full @ .., last, 0] = answer.pieces.as_slice() else {
        panic!("{:?}", answer.pieces);
    };
    assert!(full.iter().all(|length| *length == 50) && *last <= 50);
    let mut get = async |method: &str, path: &str, body: &str| {
        let request = Request::builder().method(method);
        let request = request.uri(format!("http://sim{path}")).body(()).unwrap();
        let (response, mut sending) = peer.requests.send_request(request, false).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        sending.send_data(body, true).unwrap();
        receive(response).await
    };
    assert_eq!(get("GET", "/health", "").await.body, b"{\"status\":\"ok\"}");
    assert_eq!(get("PUT", "/_sim/scripts/m", "hang").await.status, 200);
    let large = "y".repeat(3 << 20);
    assert_eq!(
        get("POST", "/v1/files?a=b", &large).await.body,
        large.as_bytes()
    );
    let head = get("HEAD", "/v1/models", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let journal = get("GET", "/_sim/journal", "").await;
    let journal: serde_json::Value = serde_json::from_slice(&journal.body).unwrap();
    assert_eq!(journal[0]["protocol"], "h2");
    assert_eq!(journal[0]["model"], "m");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_run_side_by_side_on_one_connection() {
    let sim = sim("tokens=50,delay=1ms").await;
    let mut peer = Peer::connect(&sim).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (response, sending) = peer.ask("m", STREAM);
        tasks.spawn(async move {
            let answer = receive(response).await;
            drop(sending);
            (answer.content(), answer.ends)
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap(), (answer_text(50), Ends::Well));
    }
    assert_eq!(sim.journal().entries().len(), 200);
    assert!(sim.tally("m").most > 1);
}

#[tokio::test]
async fn over_tls_the_handshake_says_what_is_spoken() {
    let made = rcgen::generate_simple_self_signed(["sim".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = server_config(vec![made.cert.der().clone()], key).unwrap();
    let options = Options {
        tls: Some(Arc::new(server)),
        ..Options::default()
    };
    let sim = Sim::start(options).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = || ServerName::try_from("sim").unwrap();
    for offered in [vec![], vec!["http/1.1"], vec!["h2"], vec!["h2", "http/1.1"]] {
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config.clone()));
        let tcp = TcpStream::connect(sim.address()).await.unwrap();
        let tls = connector.connect(name(), tcp).await.unwrap();
        let http2 = offered.contains(&"h2");
        assert_eq!(tls.get_ref().1.alpn_protocol() == Some(b"h2"), http2);
        if http2 {
            let mut peer = Peer::over(tls).await;
            assert_eq!(peer.answer("m", STREAM).await.content(), answer_text(16));
            let cut = peer.answer("sim:tokens=9,cut@4", STREAM).await;
            assert_eq!((cut.content(), cut.ends), (answer_text(4), Ends::Cut));
        }
    }
}

#[tokio::test]
async fn garbage_in_the_body_is_in_the_frames() {
    let plain = answer_to("tokens=4", STREAM).await.body;
    let two = answer_to("tokens=4,garbage@20b", STREAM).await;
    assert_eq!(two.body, [&plain[..20], GARBAGE, &plain[20..]].concat());
    let two = answer_to("tokens=4,garbage@2", STREAM).await;
    assert!(memchr::memmem::find(&two.body, GARBAGE).is_some());
    assert_eq!(two.ends, Ends::Well);
    assert_eq!(
        two.content(),
        scripted_text(&"tokens=4".parse().unwrap(), 0, None).unwrap()
    );
}
