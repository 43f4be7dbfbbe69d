//! Chaos: hundreds of streams at once, with random faults, cuts and clients that leave. Every text
//! is exactly one script's, and nothing stays behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::sim::{Entry, Script, scripted_text};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ALONE;
use crate::faults::{FAULTS, Nature};
use crate::relay_stage::{STREAM, WHOLE, frames, status, until_idle};
use crate::stage::{Random, Stage, amount, in_full};
use crate::support::{Answer, Client, PATIENCE, post};

/// Clients at once, and how many exchanges each has in a wave.
const CLIENTS: usize = 500;
const EACH: usize = 2;

/// How each mark begins: what is looked for in answers that must not have it.
const MARK: &str = "q7z";

/// A chain of three for each way to hold, so that a fault is rescued, retried or shown.
const ROUTES: &str = "\
c0: { tiers: [[h1x0/a], [h1x1/b], [h2x0/c]], hold: none, timeouts: { first_token: 3s, stall: 3s }, breaker: { open: 100ms, longest: 400ms } }
c1: { tiers: [[h1x1/b], [h2x0/c], [h1x0/a]], timeouts: { first_token: 3s, stall: 3s }, breaker: off }
c2: { tiers: [[h2x0/c], [h1x0/a], [h1x1/b]], hold: all, timeouts: { first_token: 3s, stall: 3s }, breaker: { open: 100ms, longest: 400ms } }
c3: { tiers: [[h1x0/a], [h2x0/c]], hold: { tokens: 3, at_most: 5ms }, keepalive: 1s, hedge: { after: 50ms, share: 20% }, timeouts: { first_token: 3s, stall: 3s } }
c4: { tiers: [{ balance: round_robin, targets: [h1x0/a, h1x1/b, h2x0/c] }], hold: all, checks: [json, tools], timeouts: { first_token: 3s, stall: 3s } }
c5: { tiers: [[h1x1/b]], timeouts: { first_token: 3s, stall: 3s } }";
const ROUTE_COUNT: usize = 6;

/// One exchange as its client saw it.
struct Seen {
    mark: String,
    got: Got,
}

enum Got {
    Answer(Answer),
    /// The client left; so much had come.
    Partly(Vec<u8>),
    /// No end of an answer in time, or none that can be read.
    Nothing,
}

/// What became of all of them.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    broken: usize,
    /// Errors by status.
    told: BTreeMap<u16, usize>,
    left: usize,
    attempts: usize,
}

/// A random script: about half of them fail.
fn script(random: &mut Random) -> Script {
    let mut parts = vec![format!("tokens={}", 1 + random.below(40))];
    if random.per_mille(500) {
        parts.push(format!("token_bytes={}", 8 + random.below(40)));
    }
    let usual = [
        "",
        "",
        "",
        "chunks=event",
        "chunks=173",
        "chunks=900",
        "chunks=random",
        "delay=1ms",
    ];
    parts.push((*random.pick(&usual)).to_owned());
    let fault = random.pick(FAULTS);
    let fails = random.per_mille(600) && !matches!(fault.nature, Nature::Unreachable(_));
    // Silence costs everybody time, and there is enough of it in one in five.
    if fails && (!fault.is_silent() || random.per_mille(200)) {
        // A document that is complete before the silence leaves a connection that looks idle.
        let place = match random.below(4) {
            0 if !fault.is_silent() => "done".to_owned(),
            _ => random.below(30).to_string(),
        };
        let text = fault.script.replace("AT", &place);
        let taken = |key: &str| text.contains(key);
        parts.retain(|part| {
            let key = part.split('=').next().unwrap_or_default();
            !(taken(&format!("{key}=")) || key == "delay" && taken("drip"))
        });
        parts.push(text);
    }
    parts.retain(|part| !part.is_empty());
    let text = parts.join(",");
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn request(route: usize, how: &str, mark: &str) -> Vec<u8> {
    let body = format!(
        "{{{how}\"model\":\"c{route}\",\"user\":\"canary:{mark}\",\
         \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    post("/v1/chat/completions", "", &body)
}

/// One client: exchanges one after the other, some of which it leaves.
async fn client(stage: Arc<Stage>, wave: usize, number: usize) -> Vec<Seen> {
    let mut random = Random::new((wave * CLIENTS + number) as u64);
    let mut seen = Vec::new();
    let mut kept = None;
    for exchange in 0..EACH {
        let mark = format!("{MARK}{}", (wave * CLIENTS + number) * EACH + exchange);
        let how = if random.per_mille(750) { STREAM } else { WHOLE };
        let request = request(random.below(ROUTE_COUNT), how, &mark);
        if random.per_mille(120) {
            let partly = leave(stage.address, &request, &mut random).await;
            let got = Got::Partly(partly);
            seen.push(Seen { mark, got });
            continue;
        }
        let mut on = match kept.take() {
            Some(on) => on,
            None => Client::connect(stage.address).await,
        };
        // A client that panics over its answer is one that got none.
        let exchange = tokio::spawn(async move {
            on.send(&request).await;
            let answer = on.answer().await;
            (on, answer)
        });
        let got = match exchange.await {
            Ok((on, answer)) => {
                let closes = answer.header("connection") == Some("close") || !answer.complete;
                kept = (!closes).then_some(on);
                Got::Answer(answer)
            }
            Err(_) => Got::Nothing,
        };
        seen.push(Seen { mark, got });
    }
    seen
}

/// Reads some of the answer and leaves, by FIN or RST.
async fn leave(address: std::net::SocketAddr, request: &[u8], random: &mut Random) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let wanted = random.below(4000);
    let mut came = Vec::new();
    let read = async {
        while came.len() < wanted && stream.read_buf(&mut came).await.is_ok_and(|read| read > 0) {}
    };
    // Its patience is short, too.
    let _ = timeout(Duration::from_millis(20 + random.draw() % 300), read).await;
    if random.per_mille(500) {
        stream.set_zero_linger().unwrap();
    }
    came
}

/// One wave; every exchange is judged.
async fn wave(stage: &Arc<Stage>, number: usize, tally: &mut Tally) -> Vec<String> {
    let mut random = Random::new(1_000_003 * (number as u64 + 1));
    for (sim, model) in [(&stage.h1, "a"), (&stage.h1, "b"), (&stage.h2, "c")] {
        let scripts = (0..2 * CLIENTS * EACH).map(|_| script(&mut random));
        sim.scripts(model, scripts.collect());
        sim.journal().clear();
    }
    let mut clients = JoinSet::new();
    for each in 0..CLIENTS {
        clients.spawn(client(stage.clone(), number, each));
    }
    let seen: Vec<Seen> = clients.join_all().await.into_iter().flatten().collect();
    if !seen.iter().any(|one| matches!(one.got, Got::Nothing)) {
        settle(stage).await;
    }
    let mut asked: HashMap<String, Vec<(&str, Arc<Entry>)>> = HashMap::new();
    for (name, sim) in [("h1", &stage.h1), ("h2", &stage.h2)] {
        for entry in sim.journal().entries() {
            let body: Value = serde_json::from_slice(entry.body()).unwrap_or_default();
            let user = body["user"].as_str().unwrap_or_default();
            let mark = user.trim_start_matches("canary:").to_owned();
            asked.entry(mark).or_default().push((name, entry));
        }
    }
    let mut wrong = Vec::new();
    for one in &seen {
        let attempts = asked.get(&one.mark).map(Vec::as_slice).unwrap_or_default();
        tally.attempts += attempts.len();
        if let Err(error) = judge(one, attempts, tally) {
            wrong.push(format!("{}: {error}\n{}", one.mark, shown(one, attempts)));
        }
    }
    wrong
}

/// What happened in an exchange, for people.
fn shown(one: &Seen, attempts: &[(&str, Arc<Entry>)]) -> String {
    let attempt = |(sim, entry): &(&str, Arc<Entry>)| {
        let script = entry.script().map(Script::to_string);
        format!("    {sim} {entry:?} {script:?}\n")
    };
    let attempts: String = attempts.iter().map(attempt).collect();
    match &one.got {
        Got::Answer(answer) => format!(
            "{attempts}    {} {:?} {:?}",
            answer.status,
            answer.headers,
            String::from_utf8_lossy(&answer.body)
        ),
        Got::Partly(bytes) => format!("{attempts}    {:?}", String::from_utf8_lossy(bytes)),
        Got::Nothing => attempts,
    }
}

/// Whether what a client got is one attempt's answer, its exact beginning and an error, or an error.
fn judge(one: &Seen, attempts: &[(&str, Arc<Entry>)], tally: &mut Tally) -> Result<(), String> {
    let answer = match &one.got {
        Got::Answer(answer) => answer,
        Got::Partly(bytes) => {
            tally.left += 1;
            return own_marks(&String::from_utf8_lossy(bytes), &one.mark, Border::Open);
        }
        Got::Nothing => return Err("no answer".to_owned()),
    };
    if !answer.complete {
        return Err("the framing has no end".to_owned());
    }
    own_marks(answer.text(), &one.mark, Border::Closed)?;
    if answer.status != 200 {
        *tally.told.entry(answer.status).or_default() += 1;

        return error(answer.text());
    }
    if answer.header("content-type") == Some("application/json") {
        tally.whole += 1;
        let chunk = answer.json();
        let text = chunk["choices"][0]["message"]["content"].as_str();
        return (text == Some(&said(attempts, &chunk, &one.mark)?))
            .then_some(())
            .ok_or_else(|| "not the text of its script".to_owned());
    }
    stream(answer, attempts, &one.mark, tally)
}

fn stream(
    answer: &Answer,
    attempts: &[(&str, Arc<Entry>)],
    mark: &str,
    tally: &mut Tally,
) -> Result<(), String> {
    let frames = frames(answer.text());
    let data = frames
        .iter()
        .filter_map(|frame| frame.trim_start_matches(": segue\n").strip_prefix("data: "));
    let mut data: Vec<_> = data.map(str::trim_end).collect();
    let last = data.pop().unwrap_or_default();
    let chunks: Vec<Value> = data
        .iter()
        .map(|data| serde_json::from_str(data).map_err(|error| format!("{error}: {data}")))
        .collect::<Result<_, _>>()?;
    let choices = || chunks.iter().map(|chunk| &chunk["choices"][0]);
    let content: String = choices()
        .filter_map(|choice| choice["delta"]["content"].as_str())
        .collect();
    let finished = choices().any(|choice| choice["finish_reason"].is_string());
    let same = |field: &str| {
        chunks
            .windows(2)
            .all(|pair| pair[0][field] == pair[1][field])
    };
    if !same("id") || !same("model") {
        return Err("frames of two answers".to_owned());
    }
    let said = match chunks.first() {
        Some(chunk) => said(attempts, chunk, mark)?,
        None => String::new(),
    };
    if last == "[DONE]" {
        tally.whole += 1;
        return (finished && content == said)
            .then_some(())
            .ok_or_else(|| "an end mark after half an answer".to_owned());
    }
    tally.broken += 1;
    error(last)?;
    let rest = said
        .strip_prefix(content.as_str())
        .ok_or("not the beginning of its script")?;
    (rest.is_empty() || rest.starts_with(' '))
        .then_some(())
        .ok_or_else(|| "half a token".to_owned())
}

/// The text of the attempt that a chunk's id names: it must be one that this exchange made.
fn said(attempts: &[(&str, Arc<Entry>)], chunk: &Value, mark: &str) -> Result<String, String> {
    let id = chunk["id"]
        .as_str()
        .and_then(|id| id.strip_prefix("chatcmpl-sim-"));
    let number: u64 = id.and_then(|id| id.parse().ok()).ok_or("no id")?;
    let sim = match chunk["model"].as_str() {
        Some("a" | "b") => "h1",
        Some("c") => "h2",
        _ => return Err("no model".to_owned()),
    };
    let attempt = attempts
        .iter()
        .find(|(name, entry)| *name == sim && entry.number == number);
    let (_, entry) = attempt.ok_or("the answer to somebody else's request")?;
    let script = entry.script().ok_or("no script")?;
    scripted_text(script, 0, Some(mark)).ok_or_else(|| "an endless script".to_owned())
}

/// Whether a text may end in the middle of a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Border {
    Open,
    Closed,
}

/// No mark but the client's own stands in what it got.
fn own_marks(text: &str, mark: &str, border: Border) -> Result<(), String> {
    let foreign = |at: usize| {
        let found = text.split_at(at).1;
        let own = found
            .strip_prefix(mark)
            .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()));
        let cut = border == Border::Open && mark.starts_with(found.trim_end());
        !own && !cut
    };
    match text.match_indices(MARK).find(|(at, _)| foreign(*at)) {
        None => Ok(()),
        Some((at, _)) => Err(format!("somebody else's mark at byte {at}")),
    }
}

fn error(text: &str) -> Result<(), String> {
    let error: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    (error["error"]["message"].is_string() && error["error"]["type"].is_string())
        .then_some(())
        .ok_or_else(|| format!("no error: {text}"))
}

/// Waits until nothing is under way anywhere.
async fn settle(stage: &Stage) {
    for sim in [&stage.h1, &stage.h2] {
        if sim.journal().wait_for_no_request(PATIENCE).await.is_err() {
            let entries = sim.journal().entries().into_iter();
            let stuck = entries.filter(|entry| entry.end().is_none());
            let shown =
                stuck.map(|entry| format!("{entry:?} {:?}", entry.script().map(Script::to_string)));
            panic!("under way: {}", shown.collect::<Vec<_>>().join("\n"));
        }
    }
    until_idle(stage.admin).await;
    let closed = async {
        while status(stage.admin).await["connections"]["open"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, closed)
        .await
        .expect("no client connected");
}

/// Tasks of one pooled connection, at most: with HTTP/2 either side has two.
const TASKS: usize = 4;

/// What the process holds.
#[derive(Clone, Copy, Debug)]
struct Footing {
    descriptors: usize,
    tasks: usize,
    /// Pooled connections, of which both ends are ours, by protocol.
    pooled: [usize; 2],
}

impl Footing {
    fn now(stage: &Stage) -> Self {
        Self {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
            pooled: [stage.h1.open_connections(), stage.h2.open_connections()],
        }
    }

    /// Whether nothing has been added since but what more pooled connections take.
    fn is_back_at(&self, before: &Self) -> bool {
        let pairs = self.pooled.iter().zip(before.pooled);
        let more: usize = pairs.map(|(now, then)| now.saturating_sub(then)).sum();
        self.descriptors <= before.descriptors + 2 * more
            && self.tasks <= before.tasks + TASKS * more
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_every_text_is_one_scripts_and_nothing_stays_behind() {
    let _alone = ALONE.lock().await;
    let exchanges = amount(
        "SEGUE_CHAOS",
        if in_full() {
            100_000
        } else {
            2 * CLIENTS * EACH
        },
    );
    let waves = exchanges.div_ceil(CLIENTS * EACH).max(2);
    let stage = Arc::new(Stage::new(ROUTES, 50_000, 2).await);
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut before = None;
    for number in 0..waves {
        let wrong = wave(&stage, number, &mut tally).await;
        let shown = wrong
            .iter()
            .take(10)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        assert!(
            wrong.is_empty(),
            "{} in wave {number}:\n{shown}",
            wrong.len()
        );
        // What is made once and kept is there after the first.
        before = before.or_else(|| Some(Footing::now(&stage)));
    }
    println!(
        "{} exchanges in {:?}: {tally:?}",
        waves * CLIENTS * EACH,
        begun.elapsed()
    );
    let before = before.unwrap();
    let back = async {
        loop {
            if Footing::now(&stage).is_back_at(&before) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = timeout(PATIENCE, back).await;
    assert!(
        waited.is_ok(),
        "{before:?}, then {:?}",
        Footing::now(&stage)
    );
    assert_eq!(stage.panics().await, 0);
    let status = status(stage.admin).await;
    let text = status.to_string();
    let counts = text.matches("\"in_flight\":").count();
    assert_eq!(text.matches("\"in_flight\":0").count(), counts, "{text}");
    assert!(counts > 3 && status["buffered_bytes"] == 0, "{text}");
}
