//! The fault matrix: generated cells, each played end to end and judged byte by byte.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::sim::{Entry, Script, scripted_text};
use tokio::task::JoinSet;

use crate::ALONE;
use crate::cell::{Cell, Delivery, Held, Rescue, TOKENS, Upstream};
use crate::faults::{Nature, Ruling};
use crate::format::PLAYED;
use crate::oracle::{self, Outcome, Source};
use crate::relay_stage::until_idle;
use crate::stage::{Stage, amount, in_full, mark};
use crate::support::{Answer, Client};
use crate::truth::{self, Expected, Truths, good};

/// Cells that are played at the same time. Each lane has connections of its own, since over HTTP/2
/// a provider's fault ends all that shares its connection.
const LANES: usize = 24;

/// Cells of one world.
const IN_A_WORLD: usize = 1500;

/// A slice's cells.
const SLICE: usize = 300;

/// Lengths of the good answers: no two sources of a cell say equally much.
const AGAIN: usize = 9;
const SECOND: usize = 17;

const DEADLINE: Duration = Duration::from_secs(15);

/// How long an exchange may go on past its deadline.
const GRACE: Duration = Duration::from_millis(250);

/// A cell on its stage.
struct Played {
    number: usize,
    cell: Cell,
}

/// What came of a cell.
struct Result {
    answer: Answer,
    took: Duration,
}

impl Played {
    fn route(&self) -> String {
        format!("r{}", self.number)
    }

    fn model(&self, which: char) -> String {
        format!("{which}{}", self.number)
    }

    fn mark(&self, which: usize) -> String {
        mark(self.number * 3 + which)
    }

    /// The route's lines in the config.
    fn config(&self) -> String {
        let cell = &self.cell;
        let protocol = match cell.upstream {
            Upstream::H1 => format!("h1x{}", self.number % LANES),
            Upstream::H2 => format!("h2x{}", self.number % LANES),
        };
        let first = match cell.fault.nature {
            Nature::Unreachable(provider) => provider,
            _ => &protocol,
        };
        let first = format!("{first}{}", cell.speaks.first.suffix());
        let next = format!("{protocol}{}", cell.speaks.next.suffix());
        let timeouts = if cell.fault.is_silent() {
            "timeouts: { first_token: 1s, stall: 1s }"
        } else {
            "timeouts: { connect: 1s }"
        };
        let (a, b) = (self.model('a'), self.model('b'));
        let first = format!("[{{ target: {first}/{a}, {timeouts} }}]");
        let (tiers, tries) = match cell.rescue {
            Rescue::Retry => (format!("[{first}, [{next}/{b}]]"), 1),
            Rescue::Next => (format!("[{first}, [{next}/{b}]]"), 0),
            Rescue::Alone => (format!("[{first}]"), 0),
        };
        let hold = match cell.held {
            Held::None => "none".to_owned(),
            Held::Default => format!("{{ tokens: {}, at_most: 14s }}", oracle::HOLD),
            Held::All => "all".to_owned(),
        };
        format!(
            "{}: {{ tiers: {tiers}, hold: {hold}, deadline: 15s, breaker: off, retries: {{ same_target: {tries} }} }}\n",
            self.route()
        )
    }

    /// Tells the providers what to do.
    fn script(&self, stage: &Stage) {
        let sim = match self.cell.upstream {
            Upstream::H1 => &stage.h1,
            Upstream::H2 => &stage.h2,
        };
        let faulty = format!(
            "{},{}",
            good_but(&self.cell, &self.mark(0)),
            self.cell.script()
        );
        let script = |text: &str| -> Script {
            text.parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let again = script(&good(AGAIN, &self.mark(1)));
        sim.scripts(&self.model('a'), vec![script(&faulty), again]);
        sim.script(&self.model('b'), script(&good(SECOND, &self.mark(2))));
    }

    fn sources(&self, truths: &Truths) -> Vec<(Source, String)> {
        [
            (Source::First, TOKENS, 'a'),
            (Source::Again, AGAIN, 'a'),
            (Source::Second, SECOND, 'b'),
        ]
        .into_iter()
        .enumerate()
        .map(|(which, (source, tokens, model))| {
            let finish = self.cell.fault.script.strip_prefix("finish=");
            let text = truths.answer(
                tokens,
                self.cell.delivery,
                &self.model(model),
                &self.mark(which),
            );
            let text = match (source, finish) {
                (Source::First, Some(finish)) => {
                    let told = |reason: &str| format!("\"finish_reason\":\"{reason}\"");
                    text.replace(&told("stop"), &told(finish))
                }
                _ => text,
            };
            (source, text)
        })
        .collect()
    }

    /// What each source says to a client of another format: its text, its length and its finish.
    fn expected(&self) -> Vec<(Source, Expected)> {
        let client = self.cell.speaks.client;
        [
            (Source::First, TOKENS),
            (Source::Again, AGAIN),
            (Source::Second, SECOND),
        ]
        .into_iter()
        .enumerate()
        .map(|(which, (source, tokens))| {
            let finish = self.cell.fault.script.strip_prefix("finish=");
            let finish = finish.filter(|_| source == Source::First).unwrap_or("stop");
            let script: Script = good(tokens, &self.mark(which)).parse().unwrap();
            let text = scripted_text(&script, 0, None).unwrap();
            let finish = client.finish(finish).to_owned();
            let expected = Expected {
                text,
                tokens,
                finish,
            };
            (source, expected)
        })
        .collect()
    }

    /// Says what is wrong with the answer, or how it is to be counted.
    fn judge(
        &self,
        result: &Result,
        truths: &Truths,
        asked: &HashMap<String, Vec<Arc<Entry>>>,
    ) -> std::result::Result<Outcome, String> {
        let answer = &result.answer;
        let outcome = if self.cell.speaks.is_plain() {
            truth::read(answer, self.cell.delivery, &self.sources(truths))?
        } else {
            truth::hear(answer, &self.cell, &self.expected())?
        };
        let mut allowed = oracle::allowed(&self.cell);
        allowed.dedup();
        if !allowed.contains(&outcome) {
            return Err(format!("{outcome:?}, not {allowed:?}"));
        }
        let speaks = self.cell.speaks;
        if let (Outcome::Theirs(_), true) = (outcome, speaks.client == speaks.first) {
            let script = error_script(&self.cell);
            let theirs = truths.error(speaks.first, &script, self.cell.delivery);
            if truth::unnumbered(answer.text()) != theirs {
                return Err(format!("not the provider's words: {theirs}"));
            }
        }
        let [first, second] =
            ['a', 'b'].map(|which| asked.get(&self.model(which)).map_or(0, Vec::len));
        self.tally(outcome, first, second)?;
        self.told(answer, outcome)?;
        let most = if in_full() {
            DEADLINE + GRACE
        } else {
            2 * DEADLINE
        };
        (result.took <= most)
            .then_some(outcome)
            .ok_or_else(|| format!("it took {:?}", result.took))
    }

    /// Whether each target was asked as often as it should have been.
    fn tally(
        &self,
        outcome: Outcome,
        first: usize,
        second: usize,
    ) -> std::result::Result<(), String> {
        let reachable = !matches!(self.cell.fault.nature, Nature::Unreachable(_));
        let once = usize::from(reachable);
        let expected = match outcome {
            Outcome::Answer(Source::Again) => (2, 0),
            Outcome::Answer(Source::Second) => (once, 1),
            Outcome::Answer(Source::First)
            | Outcome::Broken(_)
            | Outcome::Ours(_)
            | Outcome::Theirs(_) => (once, 0),
        };
        ((first, second) == expected)
            .then_some(())
            .ok_or_else(|| format!("asked {first} and {second} times, not {expected:?}"))
    }

    /// Whether the headers tell who answered, and why it was not the first.
    fn told(&self, answer: &Answer, outcome: Outcome) -> std::result::Result<(), String> {
        let target = answer.header("x-segue-target").unwrap_or_default();
        let model = match outcome {
            Outcome::Answer(Source::Second) => self.model('b'),
            Outcome::Answer(_) | Outcome::Broken(_) => self.model('a'),
            Outcome::Ours(_) | Outcome::Theirs(_) => return Ok(()),
        };
        let reason = answer.header("x-segue-fallback-reason");
        let fell = outcome == Outcome::Answer(Source::Second);
        if !target.ends_with(&format!("/{model}")) || reason.is_some() != fell {
            return Err(format!("told target {target:?}, reason {reason:?}"));
        }
        Ok(())
    }
}

/// The good answer of the first target, as far as its fault leaves it.
fn good_but(cell: &Cell, mark: &str) -> String {
    let text = good(TOKENS, mark);
    match cell.fault.nature {
        // Its script has a length of its own.
        Nature::Unreachable(_) => text.replace(&format!("tokens={TOKENS},"), ""),
        _ => text,
    }
}

/// The script by which the provider says its error alone.
fn error_script(cell: &Cell) -> String {
    cell.fault.script.replace("AT", "0")
}

async fn learn(stage: &Stage, cells: &[Played]) -> Truths {
    let mut truths = Truths::default();
    for delivery in [Delivery::Stream, Delivery::Whole] {
        for tokens in [TOKENS, AGAIN, SECOND] {
            truths.learn(&stage.h1, tokens, delivery).await;
        }
        for cell in cells.iter().map(|played| &played.cell) {
            let first = cell.speaks.first;
            let shown = cell.fault.ruling == Ruling::Surface && cell.speaks.client == first;
            if shown && cell.delivery == delivery {
                truths
                    .learn_error(&stage.h1, first, &error_script(cell), delivery)
                    .await;
            }
        }
    }
    truths
}

/// Plays the cells on one stage; returns each one's outcome.
async fn play(cells: Vec<Played>) -> Vec<(Cell, std::result::Result<Outcome, String>)> {
    let routes = cells.iter().map(Played::config).collect::<String>();
    let stage = Arc::new(Stage::new(&routes, 100_000, LANES).await);
    for cell in &cells {
        cell.script(&stage);
    }
    let truths = learn(&stage, &cells).await;
    let cells = Arc::new(cells);
    let mut lanes = JoinSet::new();
    for number in 0..LANES {
        lanes.spawn(lane(stage.clone(), cells.clone(), number));
    }
    let mut results: BTreeMap<usize, _> = lanes.join_all().await.into_iter().flatten().collect();
    until_idle(stage.admin).await;
    assert_eq!(stage.panics().await, 0);
    let mut asked: HashMap<String, Vec<Arc<Entry>>> = HashMap::new();
    for entry in stage.asked() {
        let model = entry.model().unwrap_or_default().to_owned();
        asked.entry(model).or_default().push(entry);
    }
    let cells = Arc::into_inner(cells).unwrap();
    let judged = cells.into_iter().map(|played| {
        let outcome = match results.remove(&played.number) {
            None => Err("no answer".to_owned()),
            Some(result) => played
                .judge(&result, &truths, &asked)
                .map_err(|error| format!("{error}\n    {}", shown(&result.answer))),
        };
        (played.cell, outcome)
    });
    judged.collect()
}

/// Plays cell after cell over one connection, on which a byte too many spoils the next answer.
async fn lane(stage: Arc<Stage>, cells: Arc<Vec<Played>>, number: usize) -> Vec<(usize, Result)> {
    let mut results = Vec::new();
    let mut client = None;
    for played in cells.iter().skip(number).step_by(LANES) {
        let client_format = played.cell.speaks.client;
        let request = client_format.request(&played.route(), played.cell.delivery);
        let mut on = match client.take() {
            Some(client) => client,
            None => Client::connect(stage.address).await,
        };
        // A client that panics over its answer is one failed cell, not all of them.
        let exchange = tokio::spawn(async move {
            let begun = Instant::now();
            on.send(&request).await;
            let answer = on.answer().await;
            (on, answer, begun.elapsed())
        });
        if let Ok((on, answer, took)) = exchange.await {
            let closes = answer.header("connection") == Some("close") || !answer.complete;
            client = (!closes).then_some(on);
            results.push((played.number, Result { answer, took }));
        }
    }
    results
}

fn shown(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let end = text.char_indices().nth_back(600).map_or(0, |(at, _)| at);
    let headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-segue"))
        .collect();
    format!("{} {headers:?} …{:?}", answer.status, text.split_at(end).1)
}

/// The cells that the environment asks for.
fn chosen() -> Vec<Cell> {
    let all = Cell::all(PLAYED);
    if let Ok(name) = std::env::var("SEGUE_CELL") {
        let some: Vec<_> = all
            .into_iter()
            .filter(|cell| cell.to_string().contains(&name))
            .collect();
        assert!(!some.is_empty(), "no cell is called {name:?}");
        return some;
    }
    let count = amount("SEGUE_CELLS", if in_full() { all.len() } else { SLICE });
    all.into_iter().take(count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_every_fault_gives_one_whole_answer_or_one_proper_error() {
    let _alone = ALONE.lock().await;
    let begun = Instant::now();
    let cells = chosen();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for world in cells.chunks(IN_A_WORLD) {
        let played = world.iter().enumerate();
        let played = played.map(|(number, cell)| Played {
            number,
            cell: *cell,
        });
        for (cell, outcome) in play(played.collect()).await {
            match outcome {
                Ok(outcome) => {
                    let name = format!("{outcome:?}");
                    let name = name.split(|letter: char| letter.is_ascii_digit()).next();
                    *counts
                        .entry(name.unwrap_or_default().to_owned())
                        .or_default() += 1;
                }
                Err(error) => failures.push(format!("{cell}: {error}")),
            }
        }
    }
    let told = counts
        .iter()
        .fold(String::new(), |mut text, (name, count)| {
            write!(text, " {name} {count}").unwrap();
            text
        });
    println!("{} cells in {:?}:{told}", cells.len(), begun.elapsed());
    let shown = failures
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        failures.is_empty(),
        "{} cells failed:\n{shown}",
        failures.len()
    );
}
