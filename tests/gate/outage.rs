//! An outage: a provider is down for a while under steady load. Nobody notices, it is not stormed,
//! and it is back soon after it works again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use segue::sim::Entry;
use tokio::task::JoinSet;

use crate::ALONE;
use crate::relay_stage::{STREAM, chat};
use crate::stage::{Stage, amount, float, in_full};
use crate::support::{Answer, Client};

const RATE: u32 = 200;

/// A probe takes long enough for twenty exchanges to come meanwhile.
const DOWN: &str = "status=503,head_after=100ms";
const UP: &str = "tokens=20";

/// How a provider is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Down {
    /// It answers that it is.
    Answering,
    /// Nobody listens.
    Refusing,
}

/// The longest time from recovery to the last answer that comes from elsewhere.
fn longest_return() -> Duration {
    Duration::from_secs(if in_full() { 5 } else { 2 })
}

/// Connections that wait for their next request.
type Pool = Arc<Mutex<Vec<Client>>>;

/// An exchange: when it began, and what came.
struct Seen {
    begun: Instant,
    answer: Answer,
}

impl Seen {
    /// The requests that it took.
    fn attempts(&self) -> usize {
        self.answer
            .header("x-segue-attempts")
            .unwrap()
            .parse()
            .unwrap()
    }

    fn is_from_first(&self) -> bool {
        self.answer.header("x-segue-target") == Some("h1x0/a")
    }
}

async fn exchange(stage: Arc<Stage>, pool: Pool) -> Seen {
    let begun = Instant::now();
    let kept = pool.lock().pop();
    let mut client = match kept {
        Some(client) => client,
        None => Client::connect(stage.address).await,
    };
    client.send(&chat("r", STREAM)).await;
    let answer = client.answer().await;
    pool.lock().push(client);
    Seen { begun, answer }
}

/// Sends exchanges at the rate until `until`, whether or not those before have ended.
async fn load(stage: &Arc<Stage>, pool: &Pool, running: &mut JoinSet<Seen>, until: Instant) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    while Instant::now() < until {
        tick.tick().await;
        running.spawn(exchange(stage.clone(), pool.clone()));
    }
}

/// When the provider fell and when it rose again.
struct Outage {
    began: Instant,
    ended: Instant,
}

/// An outage that is over.
struct Played {
    /// What the provider was asked.
    entries: Vec<Arc<Entry>>,
    outage: Outage,
    /// The figures, for people.
    told: String,
}

/// A second of good weather, an outage, and the time to come back.
async fn weather(stage: &Arc<Stage>, how: Down, long: Duration) -> (Vec<Seen>, Outage) {
    let (pool, mut running) = (Pool::default(), JoinSet::new());
    let second = Duration::from_secs(1);
    stage.h1.script("a", UP.parse().unwrap());
    stage.h2.script("b", UP.parse().unwrap());
    load(stage, &pool, &mut running, Instant::now() + second).await;
    match how {
        Down::Answering => stage.h1.script("a", DOWN.parse().unwrap()),
        Down::Refusing => stage.h1.down().await,
    }
    let began = Instant::now();
    load(stage, &pool, &mut running, began + long).await;
    stage.h1.script("a", UP.parse().unwrap());
    stage.h1.up().await.unwrap();
    let ended = Instant::now();
    load(
        stage,
        &pool,
        &mut running,
        ended + longest_return() + second,
    )
    .await;
    (running.join_all().await, Outage { began, ended })
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_a_provider_is_noticed_by_nobody_and_storms_nothing() {
    let _alone = ALONE.lock().await;
    let played = play(Down::Answering).await;
    let probes = probes(&played.entries, &played.outage);
    println!("{}, {} probes", played.told, probes.len());
    assert!(!probes.is_empty());
    for pair in probes.windows(2) {
        let ended = pair[0].ended_at().unwrap();
        assert!(ended <= pair[1].arrived, "two probes at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_by_refused_connections_is_noticed_by_nobody_either() {
    let _alone = ALONE.lock().await;
    println!("{}", play(Down::Refusing).await.told);
}

/// Plays an outage and asserts what must hold of any; returns what the provider was asked.
async fn play(how: Down) -> Played {
    let seconds = amount("SEGUE_OUTAGE", if in_full() { 60 } else { 3 });
    let long = Duration::from_secs(u64::try_from(seconds).unwrap());
    let breaker = if in_full() {
        "open: 500ms, longest: 4s"
    } else {
        "open: 200ms, longest: 800ms"
    };
    let route = format!(
        "r: {{ tiers: [[h1x0/a], [h2x0/b]], breaker: {{ failures: 3, {breaker} }}, timeouts: {{ first_token: 5s }} }}"
    );
    let stage = Arc::new(Stage::new(&route, 100_000, 1).await);
    let (seen, outage) = weather(&stage, how, long).await;
    for Seen { answer, .. } in &seen {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.content(), segue::sim::answer_text(20));
    }
    if how == Down::Answering {
        let made: usize = seen.iter().map(Seen::attempts).sum();
        assert_eq!(made, asked(&stage), "the headers tell of every request");
    }
    let meanwhile = seen
        .iter()
        .filter(|seen| (outage.began..outage.ended).contains(&seen.begun));
    let requests: Vec<usize> = meanwhile.map(Seen::attempts).collect();
    let ratio = float(requests.iter().sum()) / float(requests.len());
    let mut after: Vec<_> = seen
        .iter()
        .filter(|seen| seen.begun > outage.ended)
        .collect();
    after.sort_by_key(|seen| seen.begun);
    let back = after
        .iter()
        .find(|seen| seen.is_from_first())
        .expect("the provider back");
    let back = back.begun - outage.ended;
    let late = after
        .iter()
        .filter(|seen| seen.begun > outage.ended + longest_return());
    let elsewhere: Vec<_> = late
        .filter(|seen| !seen.is_from_first())
        .map(|seen| &seen.answer.headers)
        .collect();
    let told = format!(
        "{how:?}: {} exchanges, {} in an outage of {long:?}, {ratio:.3} requests each, back after {back:?}",
        seen.len(),
        requests.len(),
    );
    assert!(ratio <= 1.1, "{ratio} requests an exchange");
    assert!(
        elsewhere.is_empty(),
        "long after the recovery: {elsewhere:?}"
    );
    Played {
        entries: stage.h1.journal().entries(),
        outage,
        told,
    }
}

fn asked(stage: &Stage) -> usize {
    stage.h1.journal().entries().len() + stage.h2.journal().entries().len()
}

/// What the provider was asked while it was down and known to be.
fn probes(entries: &[Arc<Entry>], outage: &Outage) -> Vec<Arc<Entry>> {
    let mut failed: Vec<_> = entries
        .iter()
        .filter(|entry| {
            (outage.began..outage.ended).contains(&entry.arrived)
                && entry.script().is_some_and(|script| script.status == 503)
        })
        .cloned()
        .collect();
    failed.sort_by_key(|entry| entry.arrived);
    // The breaker is open when the third has failed; who was on its way then arrives soon after.
    let mut ends: Vec<_> = failed.iter().filter_map(|entry| entry.ended_at()).collect();
    ends.sort();
    let known = ends[2] + Duration::from_millis(150);
    failed
        .into_iter()
        .filter(|entry| entry.arrived > known)
        .collect()
}
