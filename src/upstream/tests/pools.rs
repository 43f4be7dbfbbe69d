//! Pools over their life: what a reload keeps, what checks find, what ends with a pool.

use tokio::sync::mpsc;

use super::tls::{Authority, NAME, named, secure, tls_peer};
use super::*;

fn checked(peers: &[SocketAddr], probe: HealthProbe) -> ProviderSpec {
    let mut spec = spec(peers);
    spec.pool.health = Some(check(probe));
    spec
}

fn check(probe: HealthProbe) -> HealthCheck {
    HealthCheck {
        probe,
        every: Duration::from_millis(20),
        timeout: Duration::from_secs(1),
        failures: 2,
        successes: 2,
    }
}

/// Waits until every peer of a provider is seen so.
async fn becomes(provider: &Provider, health: PeerHealth) {
    soon(async {
        while !provider
            .status()
            .peers
            .iter()
            .all(|peer| peer.health == health)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_reload_keeps_the_pools_that_did_not_change() {
    let peer = Script::answers(OK).await;
    let upstreams = Upstreams::new();
    let old_spec = spec(&[peer.address]);
    let old = upstreams.raise(std::slice::from_ref(&old_spec)).remove(0);
    ask(&old).await.unwrap();
    let _running = call(&old).await.unwrap();

    let mut moved = old_spec.clone();
    moved.base.prefix = "/v2".to_owned();
    moved.credential = None;
    let new = upstreams.raise(&[moved]).remove(0);
    assert_eq!(new.status(), old.status());
    assert_eq!(in_flight(&new), 1);
    assert_eq!((new.name(), &*new.spec().base.prefix), (old.name(), "/v2"));
    drop(old);
    assert_eq!(in_flight(&new), 1);

    let mut changes: Vec<ProviderSpec> = vec![old_spec; 4];
    changes[0].name = Arc::from("other");
    changes[1].pool.balance = Balance::LeastBusy;
    changes[2].base.host = "other.example".to_owned();
    changes[3].pool.health = Some(check(HealthProbe::Tcp));
    for provider in upstreams.raise(&changes) {
        assert_eq!(in_flight(&provider), 0);
        assert_eq!(provider.status().peers[0].health, PeerHealth::Unknown);
        // Nor does it use the other's connections.
        let call = call(&provider).await.unwrap();
        assert!(!call.reused());
    }
}

#[tokio::test]
async fn checks_start_spread_end_with_their_pool_and_reach_every_peer() {
    let (sender, mut checks) = mpsc::channel(64);
    let answering = move |mut stream: TcpStream, _: usize| {
        let sender = sender.clone();
        async move {
            let request = read_request(&mut stream).await;
            let _ = sender.try_send(request.map(|(head, _)| head));
            let _ = stream.write_all(OK).await;
        }
    };
    let (one, two) = (
        Script::run(answering.clone()).await,
        Script::run(answering).await,
    );
    let spec = checked(
        &[one.address, two.address],
        HealthProbe::Http("/health?x=1".to_owned()),
    );
    let upstreams = Upstreams::new();
    let provider = upstreams.raise(std::slice::from_ref(&spec)).remove(0);
    assert_eq!(provider.status().peers.len(), 2);
    becomes(&provider, PeerHealth::Up).await;
    let head = soon(checks.recv()).await.unwrap().unwrap();
    assert_eq!(
        head, "GET /health?x=1 HTTP/1.1\r\nhost: sim.example\r\naccept-encoding: identity\r\n\r\n",
        "a check carries no credential"
    );
    assert_eq!(in_flight(&provider), 0, "a check is no call");

    let kept = upstreams.raise(&[spec]).remove(0);
    drop(provider);
    let before = one.accepted();
    soon(async {
        while one.accepted() < before + 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(kept);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let after = one.accepted() + two.accepted();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(
        one.accepted() + two.accepted(),
        after,
        "checked after the end"
    );
}

#[tokio::test]
async fn a_peer_goes_down_and_comes_back_by_its_checks() {
    let healthy = Arc::new(AtomicUsize::new(1));
    let state = Arc::clone(&healthy);
    let peer = Script::run(move |mut stream, _| {
        let state = Arc::clone(&state);
        async move {
            while let Some((head, _)) = read_request(&mut stream).await {
                let sick = head.starts_with("GET /health") && state.load(Ordering::SeqCst) == 0;
                let answer: &[u8] = if sick {
                    b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n"
                } else {
                    OK
                };
                let _ = stream.write_all(answer).await;
            }
        }
    })
    .await;
    let provider = raise(&checked(
        &[peer.address],
        HealthProbe::Http("/health".to_owned()),
    ));
    becomes(&provider, PeerHealth::Up).await;
    healthy.store(0, Ordering::SeqCst);
    becomes(&provider, PeerHealth::Down).await;
    let last = provider.status().peers[0].last_error.unwrap();
    assert_eq!(last.error, CallError::Unhealthy(503));
    // The only one is still tried: it may be the check that is wrong.
    assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    healthy.store(1, Ordering::SeqCst);
    becomes(&provider, PeerHealth::Up).await;
}

#[tokio::test]
async fn a_tcp_check_wants_a_listener_only() {
    let peer = Script::run(|stream, _| stays_open(stream)).await;
    becomes(
        &raise(&checked(&[peer.address], HealthProbe::Tcp)),
        PeerHealth::Up,
    )
    .await;
    let gone = nobody().await;
    becomes(
        &raise(&checked(&[gone], HealthProbe::Tcp)),
        PeerHealth::Down,
    )
    .await;
}

#[tokio::test]
async fn a_tls_check_wants_the_providers_certificate() {
    let authority = Authority::new();
    for (name, health) in [(NAME, PeerHealth::Up), ("other.example", PeerHealth::Down)] {
        let acceptor = authority.server(&named(name), &[b"http/1.1"]);
        let peer = tls_peer(acceptor, stays_open).await;
        let mut spec = secure(&[peer.address], &authority);
        spec.pool.health = Some(check(HealthProbe::Tls));
        becomes(&raise(&spec), health).await;
    }
}

#[tokio::test]
async fn a_check_that_hangs_ends_with_its_timeout() {
    let peer = Script::run(|stream, _| stays_open(stream)).await;
    let mut spec = checked(&[peer.address], HealthProbe::Http("/health".to_owned()));
    if let Some(health) = &mut spec.pool.health {
        health.timeout = Duration::from_millis(30);
    }
    becomes(&raise(&spec), PeerHealth::Down).await;
}

#[test]
fn providers_may_be_raised_before_there_is_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let peer = runtime.block_on(Script::answers(OK));
    let provider = raise(&checked(&[peer.address], HealthProbe::Tcp));
    runtime.block_on(async {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
        becomes(&provider, PeerHealth::Up).await;
    });
}
