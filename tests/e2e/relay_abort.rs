//! A client that leaves cancels the provider, in every phase and whichever way it goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::edge::Running;
use segue::sim::{End, Entry, Stage};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::relay_stage::{STREAM, WHOLE, ask_h2, body, chat, until_idle, world, world_h2};
use crate::support::{Client, PATIENCE, World, post, start};

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum Leave {
    /// It closes its sending side.
    Fin,
    /// It resets.
    Rst,
}

const BOTH: [Leave; 2] = [Leave::Fin, Leave::Rst];

/// Leaves, and says when. The connection is kept where it must not be closed yet.
async fn leave(mut stream: TcpStream, how: Leave) -> (Instant, Option<TcpStream>) {
    let at = Instant::now();
    match how {
        Leave::Fin => {
            stream.shutdown().await.unwrap();
            (at, Some(stream))
        }
        Leave::Rst => {
            stream.set_zero_linger().unwrap();
            (at, None)
        }
    }
}

/// The first entry, once it ended because the client left.
async fn closed(world: &World) -> (Stage, Instant) {
    let ended = |all: &[Arc<Entry>]| all.iter().any(|it| it.end().is_some());
    let entries = world.sim.journal().wait_for(ended, PATIENCE).await.unwrap();
    match entries[0].end() {
        Some(End::ClientClosed { after, at }) => (after, at),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_any_phase_cancels_the_provider() {
    let world = world("", "").await;
    // The script, what is asked, how much the client or else the provider's socket waits for.
    let phases = [
        ("hang", WHOLE, None),
        ("hang", STREAM, None),
        ("stall@head", STREAM, None),
        ("stall@0", STREAM, None),
        ("ping=5ms,stall@0", STREAM, None),
        ("stall@3", WHOLE, None),
        ("status=500,stall@10b", WHOLE, None),
        ("status=400,stall@10b", STREAM, None),
        ("tokens=inf,delay=2ms", STREAM, Some(" w3")),
        ("tokens=inf", STREAM, Some(" w3")),
        ("stall@3", STREAM, Some(" w2")),
        ("encoding=gzip,stall@3", STREAM, Some(" w2")),
        ("drip=7/1ms,tokens=inf", STREAM, Some(" w2")),
    ];
    for how in BOTH {
        for (script, ask, seen) in phases {
            world.sim.journal().clear();
            world.script(script);
            let mut client = world.client().await;
            client.ask(ask).await;
            if let Some(text) = seen {
                client.until(text).await;
            } else {
                let hangs = script == "hang";
                let there = |all: &[Arc<Entry>]| {
                    all.iter()
                        .any(|it| it.body_is_complete() && (hangs || it.bytes() > 0))
                };
                world.sim.journal().wait_for(there, PATIENCE).await.unwrap();
            }
            let _kept = leave(client.stream, how).await;
            closed(&world).await;
        }
    }
    good_again(&world).await;
}

/// Nothing is left over, and the next call is served.
async fn good_again(world: &World) {
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    until_idle(world.edge.admin_address().unwrap()).await;
    world.script("tokens=3");
    assert_eq!(world.client().await.chat(STREAM).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_it_does_not_read_cancels_the_provider() {
    let world = world("", "").await;
    for how in BOTH {
        world.sim.journal().clear();
        world.script("tokens=inf,token_bytes=16KiB");
        let mut client = world.client().await;
        client.ask(STREAM).await;
        let much = |all: &[Arc<Entry>]| all.iter().any(|it| it.bytes() > 6 << 20);
        world.sim.journal().wait_for(much, PATIENCE).await.unwrap();
        let _kept = leave(client.stream, how).await;
        closed(&world).await;
    }
    good_again(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_within_its_request_costs_no_call() {
    let world = world("", "").await;
    for how in BOTH {
        for part in [30, 90, chat("model", STREAM).len() - 1] {
            let mut client = world.client().await;
            client.send(&chat("model", STREAM)[..part]).await;
            let _kept = leave(client.stream, how).await;
            until_idle(world.edge.admin_address().unwrap()).await;
        }
    }
    assert_eq!(world.sim.journal().received(), 0);
    good_again(&world).await;
}

/// An edge whose only provider is at that address and should speak TLS.
fn before_tls(address: std::net::SocketAddr) -> Running {
    start(&format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: off }}\n\
         providers:\n  hole: {{ dialect: openai, base_url: \"https://hole.test/v1\", peers: [\"{address}\"] }}\n\
         routes:\n  model: {{ tiers: [[hole/m]], timeouts: {{ connect: 1m, first_token: 1m }} }}\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_we_connect_ends_the_handshake() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = before_tls(hole.local_addr().unwrap());
    for how in BOTH {
        let mut client = Client::connect(edge.addresses()[0]).await;
        client.ask(STREAM).await;
        let (mut peer, _) = timeout(PATIENCE, hole.accept()).await.unwrap().unwrap();
        let _kept = leave(client.stream, how).await;
        let mut hello = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut hello);
        // An end or a reset: what counts is that it comes.
        let _ = timeout(PATIENCE, read).await.expect("a closed connection");
        until_idle(edge.admin_address().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_nobody_accepts_ends_the_attempt() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hole = socket.listen(1).unwrap();
    let address = hole.local_addr().unwrap();
    let mut full = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        full.push(stream);
    }
    let edge = before_tls(address);
    let admin = edge.admin_address().unwrap();
    for how in BOTH {
        let mut client = Client::connect(edge.addresses()[0]).await;
        client.ask(STREAM).await;
        while crate::relay_stage::status(admin).await["exchanges_in_flight"] == 0 {}
        let _kept = leave(client.stream, how).await;
        until_idle(admin).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_noticed_within_milliseconds() {
    /// Aborts in a round, and the rounds there are: one quiet one is proof enough, for what takes
    /// long on a busy machine is not the proxy.
    const ABORTS: usize = 200;
    const ROUNDS: usize = 5;
    let world = world("", "").await;
    let mut best = Duration::MAX;
    for round in 0..ROUNDS {
        let mut delays = Vec::new();
        for number in 0..ABORTS {
            let (script, seen) = [
                ("hang", ""),
                ("stall@3", " w2"),
                ("tokens=inf,delay=2ms", " w3"),
            ][number % 3];
            world.sim.journal().clear();
            world.script(script);
            let mut client = world.client().await;
            client.ask(STREAM).await;
            let there = |all: &[Arc<Entry>]| all.iter().any(|it| it.body_is_complete());
            world.sim.journal().wait_for(there, PATIENCE).await.unwrap();
            if !seen.is_empty() {
                client.until(seen).await;
            }
            let (left, _kept) = leave(client.stream, BOTH[number % 2]).await;
            let (_, at) = closed(&world).await;
            delays.push(at.saturating_duration_since(left));
        }
        delays.sort_unstable();
        let (median, late) = (delays[ABORTS / 2], delays[ABORTS * 99 / 100]);
        println!(
            "round {round}: median {median:?}, p99 {late:?}, most {:?}",
            delays[ABORTS - 1]
        );
        best = best.min(late);
        if best <= Duration::from_millis(20) {
            return;
        }
    }
    panic!("the best p99 of {ROUNDS} rounds was {best:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_over_http2_cancels_its_provider_and_no_other() {
    let (world, mut client, _folder) = world_h2("").await;
    world
        .sim
        .script("beside", "tokens=400,delay=5ms".parse().unwrap());
    let (beside, _kept) = ask_h2(&mut client, "beside", STREAM);
    let mut beside = timeout(PATIENCE, beside).await.unwrap().unwrap();
    for (script, starts) in [
        ("hang", false),
        ("stall@0", false),
        ("stall@3", true),
        ("tokens=inf,delay=2ms", true),
        ("tokens=inf", true),
    ] {
        world.script(script);
        let before = world.sim.journal().received();
        let (response, mut sending) = ask_h2(&mut client, "model", STREAM);
        if starts {
            let mut response = timeout(PATIENCE, response).await.unwrap().unwrap();
            let data = timeout(PATIENCE, response.body_mut().data()).await.unwrap();
            assert!(!data.unwrap().unwrap().is_empty());
            sending.send_reset(h2::Reason::CANCEL);
        } else {
            let there = move |all: &[Arc<Entry>]| {
                all.iter()
                    .any(|it| it.number > before && it.body_is_complete())
            };
            world.sim.journal().wait_for(there, PATIENCE).await.unwrap();
            sending.send_reset(h2::Reason::CANCEL);
        }
        let ended = |all: &[Arc<Entry>]| all.last().is_some_and(|it| it.end().is_some());
        let entries = world.sim.journal().wait_for(ended, PATIENCE).await.unwrap();
        let end = entries.last().unwrap().end();
        assert!(
            matches!(end, Some(End::ClientClosed { .. })),
            "{script}: {end:?}"
        );
    }
    let mut text = Vec::new();
    while let Some(data) = timeout(PATIENCE, beside.body_mut().data()).await.unwrap() {
        let data = data.unwrap();
        beside
            .body_mut()
            .flow_control()
            .release_capacity(data.len())
            .unwrap();
        text.extend_from_slice(&data);
    }
    assert!(text.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_answered_is_not_cancelled_by_the_next() {
    let world = world("", "").await;
    world.script("tokens=3");
    let mut client = world.client().await;
    // Two at once: bytes after a request are no leave.
    let two = [
        chat("model", STREAM),
        post("/v1/chat/completions", "", &body("model", WHOLE)),
    ]
    .concat();
    client.send(&two).await;
    let first = client.answer().await;
    assert!(first.complete && first.events().last().unwrap() == "[DONE]");
}
