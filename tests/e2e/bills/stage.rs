//! The stage of the bills: three formats over one simulator, routes that fail in their own ways, and
//! the judge.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use segue::sim::{Counts, Entry, Options};
use serde_json::Value;
use tempfile::TempDir;

use super::plays::Play;
use crate::support::{PATIENCE, World};

/// What a model says here: some hundred tokens of prose.
const ANSWER: &str = "Thank you for writing to us. I have looked at your account, and you are right: the \
    invoice for March was charged on the third and again on the fifth, because our bank repeated a \
    request that had already gone through. I have cancelled the second payment today. It takes three \
    to five working days until the money is back on your card, depending on your bank, and you need \
    not do anything. If it has not arrived by the end of next week, please call the number on your \
    invoice and name the reference below; my colleagues will look into it at once. We are sorry for \
    the trouble, and we have asked our bank to make sure that this does not happen again.";

/// The clients' keys.
pub const KEYS: [&str; 3] = ["app", "batch", "desk"];

/// What a key's client shows.
pub fn secret(key: &str) -> String {
    format!("secret-of-the-key-{key}-0123456789")
}

/// The proxy, its log, and the simulator behind all its providers.
pub struct Stage {
    pub world: World,
    folder: TempDir,
}

/// What both sides say when all is over.
pub struct Told {
    pub lines: Vec<Value>,
    entries: Vec<Arc<Entry>>,
    pub metrics: String,
    /// The file of the store.
    pub store: PathBuf,
    _folder: TempDir,
}

impl Stage {
    /// With a simulator that remembers the requests of so many exchanges, each with all its attempts.
    pub async fn open(exchanges: usize) -> Self {
        segue::dialect::load_tokenizer();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            journal: exchanges * 4,
            ..Options::default()
        };
        let config = |provider| config(provider, folder.path());
        let world = World::before(options, config).await;
        let say = |model: &str, scripts: &[&str]| {
            // Slow beside the moment that a provider takes to see that it is left: what it writes in
            // that moment is billed, and nobody hears of it.
            let common = format!("counted,delay=20ms,text=\"{ANSWER}\"");
            let scripts = scripts.iter().map(|script| match *script {
                "" => common.parse().unwrap(),
                share if share.ends_with('%') => format!("{share} {common}").parse().unwrap(),
                script if script.contains("status") => script.parse().unwrap(),
                script => match script.split_once("% ") {
                    Some((share, rest)) => format!("{share}% {common},{rest}").parse().unwrap(),
                    None => format!("{common},{script}").parse().unwrap(),
                },
            });
            world.sim.scripts(model, scripts.collect());
        };
        say("good", &[""]);
        say(
            "rough",
            &[
                "20% status=503",
                "20% cut@head",
                "10% hang",
                "10% stall@0",
                "",
            ],
        );
        say(
            "broken",
            &[
                "20% cut@40",
                "15% error@60",
                "15% stall@50",
                "10% reset@30",
                "",
            ],
        );
        say("slow", &["50% first_after=400ms", ""]);
        say("silent", &["50% usage=none", "20% usage=every", ""]);
        Self { world, folder }
    }

    /// Drains the proxy, so that all is written, and asks both sides.
    pub async fn close(self) -> Told {
        let admin = self.world.edge.admin_address().unwrap();
        crate::relay_stage::until_idle(admin).await;
        let journal = self.world.sim.journal();
        journal.wait_for_no_request(PATIENCE).await.unwrap();
        let metrics = crate::edge_stage::page(admin, "/metrics")
            .await
            .text()
            .to_owned();
        self.world.edge.drain().await;
        let text = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        Told {
            lines: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            entries: journal.entries(),
            metrics,
            store: self.folder.path().join("usage.db"),
            _folder: self.folder,
        }
    }
}

fn config(provider: std::net::SocketAddr, folder: &Path) -> String {
    let at = |name: &str, dialect: &str, below: &str| {
        format!(
            "  {name}: {{ dialect: {dialect}, base_url: \"http://{provider}{below}\", \
             private_peers: true, credential: key-of-the-provider }}\n"
        )
    };
    let target = |name: &str| {
        format!("{{ target: {name}, price: {{ input: 3, output: 15, cache_read: 0.3 }} }}")
    };
    let route = |name: &str, tiers: &[&str], more: &str| {
        let tiers: Vec<String> = tiers
            .iter()
            .map(|one| format!("[{}]", target(one)))
            .collect();
        let tiers = tiers.join(", ");
        format!("  {name}: {{ tiers: [{tiers}], breaker: off{more} }}\n")
    };
    let timeouts = ", timeouts: { first_token: 400ms, stall: 200ms }";
    let held = format!("{timeouts}, hold: all");
    let hedge = ", hedge: { after: 60ms, share: 100% }";
    let routes = [
        route("calm", &["openai/good"], ""),
        route(
            "rough",
            &["openai/rough", "anthropic/good", "gemini/good"],
            timeouts,
        ),
        route("broken", &["anthropic/broken", "openai/good"], &held),
        route("hedged", &["openai/slow", "anthropic/good"], hedge),
        route("other", &["gemini/broken", "anthropic/good"], timeouts),
        route("silent", &["openai/silent"], ""),
    ];
    let keys = KEYS.map(|key| format!("  - {{ name: {key}, secret: {} }}\n", secret(key)));
    let keys = keys.concat();
    format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: {folder}/access.log }}\nallow_literal_secrets: true\n\
         accounts: {{ store: {{ path: {folder}/usage.db }} }}\nkeys:\n{keys}\
         providers:\n{}{}{}routes:\n{}",
        at("openai", "openai", "/v1"),
        at("anthropic", "anthropic", ""),
        at("gemini", "gemini", "/v1beta"),
        routes.concat(),
        folder = folder.display(),
    )
}

/// What the log has told so far, and the truth beside it.
#[derive(Debug, Default)]
struct Sums {
    /// Attempts whose provider said what they took.
    reported: usize,
    /// Those whose bill is an estimate.
    estimated: usize,
    /// Input and output of the estimates.
    log: [u64; 2],
    truth: [u64; 2],
    /// What all attempts cost by their tokens, in millionths of a dollar.
    cost: u64,
}

impl Sums {
    /// Takes an attempt, and the request that it made.
    fn take(&mut self, attempt: &Value, entry: &Entry) {
        let Some(truth) = entry.truth() else {
            assert!(attempt.get("tokens").is_none(), "{entry:?} {attempt}");
            return;
        };
        let took = [&attempt["tokens"]["input"], &attempt["tokens"]["output"]];
        let took = took.map(|count| count.as_u64().unwrap_or_else(|| panic!("{attempt}")));
        let cost = took[0] * 3 + took[1] * 15;
        assert_eq!(
            micros(attempt["cost_usd"].as_f64().unwrap()),
            cost,
            "{attempt}"
        );
        self.cost += cost;
        let mut real = counts(&truth.taken);
        if attempt.get("estimated").is_none() {
            let told = truth.told.unwrap_or_else(|| panic!("{entry:?} {attempt}"));
            assert_eq!(took, counts(&told), "{entry:?} {attempt}");
            assert_eq!(took, real, "{entry:?} {attempt}");
            self.reported += 1;
            return;
        }
        if !is_stream(entry) {
            // It was made in the dark: nobody but the provider knows how much of it.
            assert!(took[1] <= real[1], "{entry:?} {attempt}");
            real[1] = took[1];
        }
        self.estimated += 1;
        for at in 0..2 {
            self.log[at] += took[at];
            self.truth[at] += real[at];
        }
    }
}

/// Holds every line against the truth: attempt by attempt where providers said what they took, in
/// sum where they did not. The prices make of every count another cost.
pub fn judge(plays: &[Play], told: &Told) {
    assert_eq!(told.lines.len(), plays.len());
    let (mut sums, mut cost, mut wasted) = (Sums::default(), 0, 0);
    let lines = told.lines.iter();
    let lines: HashMap<_, _> = lines
        .map(|line| (line["request_id"].as_str().unwrap(), line))
        .collect();
    let mut requests: HashMap<_, Vec<&Arc<Entry>>> = HashMap::new();
    for entry in &told.entries {
        requests.entry(id(entry)).or_default().push(entry);
    }
    for play in plays {
        let line = lines.get(&*play.id);
        let line = line.unwrap_or_else(|| panic!("no line of {play:?}"));
        let mut asked = requests.remove(play.id.as_bytes()).unwrap_or_default();
        for attempt in line["attempts"].as_array().unwrap() {
            // Of two tries of one target the one that came first ended first.
            let Some(at) = asked.iter().position(|entry| is_of(entry, attempt)) else {
                assert!(was_left_unsent(attempt), "{line}");
                continue;
            };
            sums.take(attempt, asked.remove(at));
        }
        assert!(asked.is_empty(), "{line} {asked:?}");
        cost += micros(line["cost_usd"].as_f64().unwrap_or(0.0));
        wasted += usize::from(line.get("wasted_cost_usd").is_some());
    }
    eprintln!("{sums:?}, {wasted} exchanges with waste");
    assert_eq!(cost, sums.cost);
    assert_eq!(cost, metered(&told.metrics));
    assert!(sums.reported > plays.len() / 3 && sums.estimated > plays.len() / 10);
    assert!(wasted > plays.len() / 10, "{wasted}");
    for (log, truth) in sums.log.into_iter().zip(sums.truth) {
        assert!(log.abs_diff(truth) * 20 <= truth, "{sums:?}");
    }
}

/// What the metrics say that all of it cost, in millionths of a dollar.
fn metered(metrics: &str) -> u64 {
    let series = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("segue_cost_usd_total{")?.split_once("} "));
    series
        .map(|(_, value)| micros(value.parse().unwrap()))
        .sum()
}

/// Millionths of an amount that has no finer parts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no test spends as much"
)]
pub fn micros(dollars: f64) -> u64 {
    (dollars * 1e6).round() as u64
}

/// The id of the exchange that a request is of, out of its prompt: `bill-7-`.
fn id(entry: &Entry) -> &[u8] {
    let body = entry.body();
    let begin = memchr::memmem::find(body, b"bill-").unwrap();
    let number = begin + b"bill-".len();
    let length = memchr::memchr(b'-', &body[number..]).unwrap();
    &body[begin..=number + length]
}

/// Whether a request asks for a stream.
fn is_stream(entry: &Entry) -> bool {
    let said = memchr::memmem::find(entry.body(), b"\"stream\":true").is_some();
    said || entry.path.ends_with(":streamGenerateContent")
}

fn counts(counts: &Counts) -> [u64; 2] {
    [counts.prompt, counts.completion()]
}

/// Whether an attempt was given up before its request got to the provider: it is not billed.
fn was_left_unsent(attempt: &Value) -> bool {
    let left = ["hedge_lost", "aborted"].map(Value::from);
    let heard = ["status", "tokens", "cost_usd"].map(|key| attempt.get(key));
    left.contains(&attempt["error"]) && heard == [None; 3]
}

/// Whether a request is the one that an attempt made: by the provider's format and the model.
fn is_of(entry: &Entry, attempt: &Value) -> bool {
    let (provider, model) = attempt["target"].as_str().unwrap().split_once('/').unwrap();
    let format = match entry.path.as_str() {
        "/v1/chat/completions" => "openai",
        "/v1/messages" => "anthropic",
        _ => "gemini",
    };
    format == provider && entry.model() == Some(model)
}
