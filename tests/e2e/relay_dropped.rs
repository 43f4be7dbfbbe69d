//! An exchange that is dropped, or panics, has taken what it has taken.

use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use segue::account::Purse;
use segue::config;
use segue::dialect;
use segue::exchange::{Dialect, Measure, Task};
use segue::relay::{
    Allowance, AnswerHead, Booked, Budget, Client, ClientGone, Fallback, Found, Job, LiveRoute,
    Standings, carry,
};
use segue::sim::{Options, Sim};
use segue::telemetry::Attempt;
use segue::units::ByteSize;
use segue::upstream::Upstreams;
use tokio::sync::{oneshot, watch};

use crate::relay_stage::{STREAM, ask_h2, body, until_idle, world_h2};
use crate::support::PATIENCE;

/// What a client does when it has been sent so many writes.
#[derive(Clone, Copy)]
enum Then {
    Panics,
    Hangs,
}

/// A client in memory.
struct Fake {
    left: u32,
    then: Then,
    hangs: Option<oneshot::Sender<()>>,
}

impl Fake {
    async fn take(&mut self) -> Result<(), ClientGone> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Ok(());
        }
        match self.then {
            Then::Panics => panic!("as the test wants it"),
            Then::Hangs => {
                self.hangs.take().map(|hangs| hangs.send(()));
                pending().await
            }
        }
    }
}

impl Client for Fake {
    fn left(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    async fn answer(&mut self, _: AnswerHead, _: Bytes) -> Result<(), ClientGone> {
        self.take().await
    }

    async fn begin(&mut self, _: AnswerHead, _: Bytes) -> Result<(), ClientGone> {
        self.take().await
    }

    async fn send(&mut self, _: Bytes) -> Result<(), ClientGone> {
        self.take().await
    }

    async fn end(&mut self, _: Bytes) -> Result<(), ClientGone> {
        self.take().await
    }
}

/// The route `r` of two targets, alive.
fn live(sim: &Sim) -> Arc<LiveRoute> {
    let config = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nproviders:\n  \
         sim: {{ dialect: openai, base_url: \"http://{}/v1\", private_peers: true }}\nroutes:\n  \
         r: {{ tiers: [[sim/a], [sim/b]], hold: none, timeouts: {{ first_token: 500ms }}, \
         retries: {{ same_target: 0 }} }}\n",
        sim.address()
    );
    let settings = config::parse(&config, Path::new("test.yaml"), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let upstreams = Upstreams::new();
    let specs: Vec<_> = settings
        .providers
        .iter()
        .map(|one| one.spec.clone())
        .collect();
    let providers = upstreams.raise(&specs).into_iter();
    let providers = providers.map(|one| (Arc::clone(one.name()), one)).collect();
    let routes = LiveRoute::raise(&settings.routes, &providers, &Standings::default());
    Arc::clone(&routes["r"])
}

/// Has an exchange carried for a client that does so after three writes, whose first target fails.
async fn booked(then: Then) -> Vec<Attempt> {
    // The simulator counts by it, and would take a second for it while a clock runs.
    dialect::load_tokenizer();
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("a", "stall@0".parse().unwrap());
    let text = "counted,delay=5ms,tokens=inf";
    sim.script("b", text.parse().unwrap());
    let live = live(&sim);
    let request = dialect::parse(Dialect::OpenAi, Task::Chat, body("r", STREAM).into()).unwrap();
    let (_keep, stop) = watch::channel(false);
    let (hangs, has_hung) = oneshot::channel();
    let (budget, retries) = (
        Budget::new(ByteSize::mib(64)),
        Allowance::new(1.0, 10, Instant::now()),
    );
    let (purse, booked) = (Purse::default(), Booked::default());
    let job = Job {
        id: "id",
        request: &request,
        live: &live,
        fallback: Fallback::On,
        forwarded: &[],
        started: Instant::now(),
        answer_limit: ByteSize::mib(1),
        event_limit: ByteSize::mib(1),
        attempts_per_provider: 1,
        budget: &budget,
        retries: &retries,
        stop,
        purse: &purse,
        booked: &booked,
        room: None,
        drill: None,
        trace: None,
        found: Found::default(),
    };
    let mut client = Fake {
        left: 3,
        then,
        hangs: Some(hangs),
    };
    let carried = AssertUnwindSafe(carry(&mut client, &job)).catch_unwind();
    let carried = tokio::time::timeout(PATIENCE, carried);
    tokio::select! {
        ended = carried => {
            if let Ok(report) = ended.expect("an end in time") {
                panic!("no panic: {report:?}");
            }
        }
        hung = has_hung => hung.unwrap(),
    }
    booked.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_before_a_panic_or_a_drop_is_booked() {
    for (then, reason) in [(Then::Hangs, "dropped"), (Then::Panics, "panicked")] {
        let attempts = booked(then).await;
        let [first, second] = &attempts[..] else {
            panic!("{attempts:?}");
        };
        assert_eq!(first.error, Some("first_token_timeout"));
        assert!(!first.delivered);
        let bill = first.bill.unwrap();
        assert!(
            bill.usage.input.0 > 0 && bill.usage.output.0 == 0,
            "{bill:?}"
        );
        assert_eq!(second.error, Some(reason));
        assert!(second.delivered);
        let bill = second.bill.unwrap();
        assert_eq!(bill.measure, Measure::Estimated);
        assert!(
            bill.usage.input.0 > 0 && bill.usage.output.0 > 0,
            "{bill:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_stream_of_http_2_is_billed_for_what_it_got() {
    dialect::load_tokenizer();
    let (world, mut client, _files) = world_h2("").await;
    world.script("counted,delay=2ms,tokens=inf");
    let (response, mut sending) = ask_h2(&mut client, "model", STREAM);
    let mut answer = response.await.unwrap().into_body();
    let mut text = Vec::new();
    while memchr::memmem::find(&text, b" w20").is_none() {
        text.extend_from_slice(&answer.data().await.unwrap().unwrap());
    }
    sending.send_reset(h2::Reason::CANCEL);
    drop((answer, sending));
    let journal = world.sim.journal();
    journal.wait_for_no_request(PATIENCE).await.unwrap();
    let admin = world.edge.admin_address().unwrap();
    until_idle(admin).await;
    let truth = journal.entries()[0].truth().unwrap();
    let page = crate::edge_stage::page(admin, "/metrics").await;
    let series = "gen_ai_client_token_usage_total{fate=\"delivered\",measure=\"estimated\",\
                  route=\"model\",target=\"sim/m\",type=\"output\"} ";
    let told = page
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(series));
    let told: u64 = told.expect(series).parse().unwrap();
    let taken = truth.taken.completion();
    assert!(told <= taken && taken - told <= taken / 4, "{told} {taken}");
}
