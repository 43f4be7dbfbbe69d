//! Peers that fail the calls they take: left alone by the next, and never the last way out.

use std::time::Instant;

use super::*;

const SICK: &[u8] = b"HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\nno";

/// A peer that answers with `SICK` or `OK`, as it is told, and counts its requests.
struct Patient {
    script: Script,
    sick: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Patient {
    async fn new() -> Self {
        let (sick, asked): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let (state, count) = (Arc::clone(&sick), Arc::clone(&asked));
        let script = Script::run(move |mut stream, _| {
            let (state, count) = (Arc::clone(&state), Arc::clone(&count));
            async move {
                while read_request(&mut stream).await.is_some() {
                    count.fetch_add(1, Ordering::SeqCst);
                    let sick = state.load(Ordering::SeqCst) == 1;
                    let answer = if sick { SICK } else { OK };
                    stream.write_all(answer).await.unwrap();
                }
            }
        })
        .await;
        Self {
            script,
            sick,
            asked,
        }
    }

    fn falls_ill(&self) {
        self.sick.store(1, Ordering::SeqCst);
    }

    fn recovers(&self) {
        self.sick.store(0, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn patients() -> [Patient; 3] {
    [
        Patient::new().await,
        Patient::new().await,
        Patient::new().await,
    ]
}

fn ward(patients: &[Patient]) -> Arc<Provider> {
    let addresses: Vec<_> = patients
        .iter()
        .map(|patient| patient.script.address)
        .collect();
    provider(&addresses)
}

/// A call as someone makes it who knows what a status means.
async fn exchange(provider: &Provider) -> u16 {
    let mut call = call(provider).await.unwrap();
    let status = soon(call.head()).await.unwrap().status;
    if status >= 500 {
        call.note(Settled::Failure);
    }
    body(&mut call).await.unwrap();
    call.release().await;
    status
}

async fn good_of(provider: &Provider, count: usize) -> usize {
    let mut good = 0;
    for _ in 0..count {
        good += usize::from(exchange(provider).await == 200);
    }
    good
}

fn breaker(provider: &Provider, address: SocketAddr) -> BreakerState {
    let status = provider.status();
    let mut peers = status.peers.iter();
    peers.find(|peer| peer.address == address).unwrap().breaker
}

/// Probes that open times of five seconds and more may have brought since `start`.
fn probes(start: Instant) -> usize {
    usize::try_from(start.elapsed().as_secs() / 5).unwrap()
}

#[tokio::test]
async fn a_peer_that_answers_500_is_left_alone_and_comes_back_when_it_recovers() {
    let patients = patients().await;
    let provider = ward(&patients);
    assert_eq!(good_of(&provider, 6).await, 6);
    let start = Instant::now();
    let address = patients[0].script.address;
    patients[0].falls_ill();
    let good = good_of(&provider, 60).await;
    let met = patients[0].asked() - 2;
    assert_eq!(good + met, 60);
    assert!((3..=3 + probes(start)).contains(&met), "{met}");
    assert_eq!(breaker(&provider, address), BreakerState::Open);
    for other in &patients[1..] {
        let state = breaker(&provider, other.script.address);
        assert_eq!(state, BreakerState::Closed);
    }

    // Its time is over: one call sees that nothing has changed.
    provider.peer_at(address).hasten(Instant::now());
    assert_eq!(breaker(&provider, address), BreakerState::HalfOpen);
    let good = good_of(&provider, 30).await;
    let met_again = patients[0].asked() - 2 - met;
    assert_eq!(good + met_again, 30);
    assert!((1..=1 + probes(start)).contains(&met_again), "{met_again}");
    assert_eq!(breaker(&provider, address), BreakerState::Open);

    patients[0].recovers();
    provider.peer_at(address).hasten(Instant::now());
    let before = patients[0].asked();
    assert_eq!(good_of(&provider, 30).await, 30);
    assert!(patients[0].asked() - before >= 9, "a third of them");
    assert_eq!(breaker(&provider, address), BreakerState::Closed);
}

#[tokio::test]
async fn a_peer_that_resets_before_it_answers_is_left_alone() {
    let resetting = Script::run(|mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    })
    .await;
    let good = Script::answers(OK).await;
    let provider = provider(&[resetting.address, good.address]);
    let start = Instant::now();
    let mut failed = 0;
    for _ in 0..40 {
        failed += usize::from(ask(&provider).await.is_err());
    }
    assert!((3..=3 + probes(start)).contains(&failed), "{failed}");
    assert_eq!(resetting.accepted(), failed);
    assert_eq!(breaker(&provider, resetting.address), BreakerState::Open);
}

#[tokio::test]
async fn a_peer_that_refuses_is_tried_once() {
    let (gone, good) = (nobody().await, Script::answers(OK).await);
    let provider = provider(&[gone, good.address]);
    for _ in 0..10 {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    }
    assert_eq!(breaker(&provider, gone), BreakerState::Open);
    assert_eq!(breaker(&provider, good.address), BreakerState::Closed);
}

#[tokio::test]
async fn the_only_peer_is_asked_whatever_it_answers() {
    let patient = Patient::new().await;
    patient.falls_ill();
    let provider = ward(std::slice::from_ref(&patient));
    assert_eq!(good_of(&provider, 10).await, 0);
    assert_eq!(patient.asked(), 10);
    patient.recovers();
    assert_eq!(good_of(&provider, 10).await, 10);
    let address = patient.script.address;
    assert_eq!(breaker(&provider, address), BreakerState::Closed);
}

#[tokio::test]
async fn when_all_are_sick_the_first_that_recovers_serves() {
    let patients = patients().await;
    let provider = ward(&patients);
    for patient in &patients {
        patient.falls_ill();
    }
    assert_eq!(good_of(&provider, 20).await, 0);
    assert!(patients.iter().all(|patient| patient.asked() > 3));
    patients[1].recovers();
    // One that failed longer ago may come before it.
    assert!(good_of(&provider, 20).await >= 18);
}

#[tokio::test]
async fn a_probe_whose_client_leaves_makes_room_for_the_next() {
    let silent = Script::run(|stream, _| stays_open(stream)).await;
    let provider = provider(&[silent.address]);
    for _ in 0..3 {
        let mut call = call(&provider).await.unwrap();
        call.note(Settled::Failure);
    }
    assert_eq!(breaker(&provider, silent.address), BreakerState::Open);
    let peer = provider.peer_at(silent.address);
    peer.hasten(Instant::now());
    for _ in 0..3 {
        let probe = call(&provider).await.unwrap();
        assert!(peer.lease(Instant::now()).is_none());
        drop(probe);
        assert_eq!(breaker(&provider, silent.address), BreakerState::HalfOpen);
    }
    let left = provider.call(outgoing(&[]), BOUNDS);
    drop(left);
    assert!(peer.lease(Instant::now()).is_some());
}

#[tokio::test]
async fn client_errors_and_aborts_count_for_nothing() {
    let peer = Script::answers(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").await;
    let provider = provider(&[peer.address]);
    for round in 0..3 {
        for _ in 0..5 {
            assert_eq!(breaker(&provider, peer.address), BreakerState::Closed);
            assert_eq!(ask(&provider).await, Ok((404, Vec::new())));
            drop(call(&provider).await.unwrap());
        }
        let mut call = call(&provider).await.unwrap();
        soon(call.head()).await.unwrap();
        call.note(Settled::Failure);
        drop(call);
        let open = breaker(&provider, peer.address) == BreakerState::Open;
        assert_eq!(open, round == 2, "{round}");
    }
}
