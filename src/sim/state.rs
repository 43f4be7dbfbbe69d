//! What all connections of a simulator share: scripts by name, the journal, the bounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::sim::journal::Journal;
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
    scripts: RwLock<BTreeMap<String, Arc<Sequence>>>,
    good: Arc<Script>,
}

/// Scripts used one after the other; the last one stays.
#[derive(Debug)]
struct Sequence {
    scripts: Vec<Arc<Script>>,
    next: AtomicUsize,
}

impl Sequence {
    fn current(&self) -> Option<&Arc<Script>> {
        self.scripts
            .get(self.next.load(Ordering::Relaxed))
            .or(self.scripts.last())
    }

    fn take(&self) -> Option<Arc<Script>> {
        // Not past the end: the counter must not wrap around to the first script.
        let last = self.scripts.len().saturating_sub(1);
        let step = |at: usize| (at < last).then_some(at + 1);
        let at = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .unwrap_or_else(|at| at);
        self.scripts.get(at).or(self.scripts.last()).cloned()
    }
}

impl State {
    pub(crate) fn new(journal: Arc<Journal>, seed: u64, largest_body: u64) -> Self {
        Self {
            journal,
            seed,
            largest_body,
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
            let scripts = scripts.into_iter().map(Arc::new).collect();
            all.insert(
                name.to_owned(),
                Arc::new(Sequence {
                    scripts,
                    next: AtomicUsize::new(0),
                }),
            );
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
            Some(text) => text.parse().map(Arc::new),
            None => Ok(self.take(model).unwrap_or_else(|| self.for_any())),
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

    fn take(&self, name: &str) -> Option<Arc<Script>> {
        self.scripts
            .read()
            .get(name)
            .and_then(|sequence| sequence.take())
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
