//! What all connections of a simulator share: scripts by name, the journal, the bounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::sim::journal::Journal;
use crate::sim::pieces::SplitMix;
use crate::sim::script::{ParseError, Reading, Script};

/// The name that stands for every model without a script of its own.
pub const ANY: &str = "*";

/// A model name that begins so holds its script itself.
pub const INLINE: &str = "sim:";

/// The most names that may have scripts.
const MOST_NAMES: usize = 10_000;

/// Shared by all connections.
pub(crate) struct State {
    pub(crate) journal: Arc<Journal>,
    pub(crate) seed: u64,
    /// A larger body is refused, in bytes.
    pub(crate) largest_body: u64,
    /// Requests that brought a script with a share themselves.
    drawn: AtomicU64,
    scripts: RwLock<BTreeMap<String, Arc<Scripts>>>,
    good: Arc<Script>,
}

/// What a name does.
#[derive(Debug)]
struct Scripts {
    /// Used one after the other; the last one stays.
    turns: Vec<Arc<Script>>,
    next: AtomicUsize,
    /// Scripts with a share, which come before those.
    chances: Chances,
}

impl Scripts {
    fn new(scripts: Vec<Script>, seed: u64) -> Self {
        let (chances, turns) = scripts
            .into_iter()
            .map(Arc::new)
            .partition(|script| script.share.is_some());
        Self {
            turns,
            next: AtomicUsize::new(0),
            chances: Chances {
                scripts: chances,
                seed,
                drawn: AtomicU64::new(0),
            },
        }
    }

    fn current(&self) -> Option<&Arc<Script>> {
        self.turns
            .get(self.next.load(Ordering::Relaxed))
            .or(self.turns.last())
    }

    /// The next script; `None` for a good answer.
    fn take(&self) -> Option<Arc<Script>> {
        if let Some(script) = self.chances.draw() {
            return Some(script);
        }
        // Not past the end: the counter must not wrap around to the first script.
        let last = self.turns.len().saturating_sub(1);
        let step = |at: usize| (at < last).then_some(at + 1);
        let at = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .unwrap_or_else(|at| at);
        self.turns.get(at).or(self.turns.last()).cloned()
    }
}

/// Scripts that are drawn by chance, each by its share. Equal seeds draw alike.
#[derive(Debug)]
struct Chances {
    scripts: Vec<Arc<Script>>,
    seed: u64,
    drawn: AtomicU64,
}

impl Chances {
    /// Draws one, or none.
    fn draw(&self) -> Option<Arc<Script>> {
        if self.scripts.is_empty() {
            return None;
        }
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut left = SplitMix::nth(self.seed, drawn) % 100;
        for script in &self.scripts {
            let share = u64::from(script.share.unwrap_or(0));
            if left < share {
                return Some(script.clone());
            }
            left = left.saturating_sub(share);
        }
        None
    }
}

/// A number for a name (FNV-1a): two names of one simulator do not draw alike.
fn number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl State {
    pub(crate) fn new(journal: Arc<Journal>, seed: u64, largest_body: u64) -> Self {
        Self {
            journal,
            seed,
            largest_body,
            drawn: AtomicU64::new(0),
            scripts: RwLock::default(),
            good: Arc::new(Script::default()),
        }
    }

    /// Sets or replaces what a name does; without scripts the name is forgotten. A new name
    /// beyond the bound is ignored.
    pub(crate) fn set(&self, name: &str, scripts: Vec<Script>) {
        let mut all = self.scripts.write();
        if scripts.is_empty() {
            all.remove(name);
        } else if all.contains_key(name) || all.len() < MOST_NAMES {
            let scripts = Scripts::new(scripts, self.seed ^ number(name));
            all.insert(name.to_owned(), Arc::new(scripts));
        }
    }

    /// The models that have scripts.
    pub(crate) fn models(&self) -> Vec<String> {
        let all = self.scripts.read();
        all.keys()
            .filter(|name| *name != ANY && !name.starts_with('/'))
            .cloned()
            .collect()
    }

    /// The script of a model: the one in its name, its own, or the one of `*`.
    pub(crate) fn for_model(&self, model: &str) -> Result<Arc<Script>, ParseError> {
        match model.strip_prefix(INLINE) {
            Some(text) => Ok(self.perhaps(text.parse()?)),
            None => Ok(self.take(model).unwrap_or_else(|| self.for_any())),
        }
    }

    /// A script that a request brought itself, or a good answer where its share says so.
    pub(crate) fn perhaps(&self, script: Script) -> Arc<Script> {
        let Some(share) = script.share else {
            return Arc::new(script);
        };
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        if SplitMix::nth(self.seed, drawn) % 100 < u64::from(share) {
            Arc::new(script)
        } else {
            self.good.clone()
        }
    }

    /// The script of a path, or a good answer.
    pub(crate) fn for_path(&self, path: &str) -> Arc<Script> {
        self.take(path).unwrap_or_else(|| self.good.clone())
    }

    /// The script of a path, or the one of `*`.
    pub(crate) fn for_path_or_any(&self, path: &str) -> Arc<Script> {
        self.take(path).unwrap_or_else(|| self.for_any())
    }

    /// The script of `*`, if it says that the body is not to be read: then the model is not known.
    pub(crate) fn unread(&self) -> Option<Arc<Script>> {
        let any = self.scripts.read().get(ANY).cloned()?;
        let unread = any
            .current()
            .is_some_and(|script| script.reading == Reading::Nothing);
        if unread { any.take() } else { None }
    }

    fn for_any(&self) -> Arc<Script> {
        self.take(ANY).unwrap_or_else(|| self.good.clone())
    }

    /// `None` for a name that has no scripts.
    fn take(&self, name: &str) -> Option<Arc<Script>> {
        let scripts = self.scripts.read().get(name).cloned()?;
        Some(scripts.take().unwrap_or_else(|| self.good.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_used_up_and_its_last_script_stays() {
        let state = State::new(Arc::new(Journal::new(0)), 0, 0);
        let scripts = ["status=500", "status=503", "tokens=1"];
        state.set(
            "m",
            scripts.iter().map(|text| text.parse().unwrap()).collect(),
        );
        let taken = || state.for_model("m").unwrap().to_string();
        assert_eq!(
            [taken(), taken(), taken(), taken()],
            ["status=500", "status=503", "tokens=1", "tokens=1"]
        );
        state.set("m", Vec::new());
        assert_eq!(taken(), "tokens=16");
    }

    fn draws(seed: u64, name: &str, scripts: &[&str]) -> Vec<String> {
        let state = State::new(Arc::new(Journal::new(0)), seed, 0);
        let scripts = scripts.iter().map(|text| text.parse().unwrap()).collect();
        state.set(name, scripts);
        let draw = |_| state.for_model(name).unwrap().to_string();
        (0..10_000).map(draw).collect()
    }

    #[test]
    fn shares_are_kept_and_what_is_left_goes_in_turn() {
        let scripts = ["15% status=500", "status=429", "10% cut@3", "tokens=20"];
        let drawn = draws(7, "m", &scripts);
        let count = |script: &str| drawn.iter().filter(|drawn| *drawn == script).count();
        assert!((1300..1700).contains(&count("15% status=500")));
        assert!((850..1150).contains(&count("10% cut@3")));
        assert_eq!(count("status=429"), 1);
        let shared = count("15% status=500") + count("10% cut@3");
        assert_eq!(count("tokens=20"), 9_999 - shared);
        let alone = draws(7, "m", &["30% hang"]);
        let good = alone.iter().filter(|drawn| *drawn == "tokens=16").count();
        assert!((6700..7300).contains(&good), "{good}");
        assert!(
            draws(7, "m", &["100% hang"])
                .iter()
                .all(|drawn| drawn == "100% hang")
        );
    }

    #[test]
    fn equal_seeds_draw_alike_and_other_seeds_and_names_do_not() {
        let scripts = ["50% hang", "tokens=1"];
        assert_eq!(draws(7, "m", &scripts), draws(7, "m", &scripts));
        assert_ne!(draws(7, "m", &scripts), draws(8, "m", &scripts));
        assert_ne!(draws(7, "m", &scripts), draws(7, "n", &scripts));
        let inline = draws(7, "sim:50% hang", &[]);
        let hanging = inline.iter().filter(|drawn| *drawn == "50% hang").count();
        assert!((4700..5300).contains(&hanging), "{hanging}");
    }

    #[test]
    fn a_model_is_scripted_by_its_name_then_by_any() {
        let state = State::new(Arc::new(Journal::new(0)), 0, 0);
        state.set(ANY, vec!["tokens=2".parse().unwrap()]);
        state.set("own", vec!["tokens=3".parse().unwrap()]);
        let script = |model| state.for_model(model).unwrap().to_string();
        assert_eq!(
            [script("sim:tokens=4"), script("own"), script("other")],
            ["tokens=4", "tokens=3", "tokens=2"]
        );
        assert!(state.for_model("sim:nonsense").is_err());
        assert_eq!(state.for_path("/health").to_string(), "tokens=16");
        assert_eq!(state.models(), ["own"]);
    }
}
