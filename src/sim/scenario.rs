//! A scenario file (YAML) -> the options of a simulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::sim::script::{self, ParseError, Script};

/// A checked scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Where to listen; empty if the file does not say.
    pub listen: Vec<SocketAddr>,
    /// For random cuts and scripts with a share.
    pub seed: u64,
    /// Scripts by model name, path or `*`, sorted by name. No list is empty.
    pub models: Vec<(String, Vec<Script>)>,
}

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Not YAML, an unknown key, or a value of the wrong type.
    #[error("the scenario cannot be read: {0}")]
    Yaml(String),
    /// A script is wrong.
    #[error("the script of {model:?}: {source}")]
    Script {
        /// Whose script.
        model: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A model without a script.
    #[error("{model:?} has no script")]
    Empty {
        /// Which one.
        model: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    #[serde(default)]
    listen: AddressesFile,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    models: BTreeMap<String, ScriptsFile>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "listen: expected an address with a port, or a list of them"
)]
enum AddressesFile {
    One(SocketAddr),
    More(Vec<SocketAddr>),
}

impl Default for AddressesFile {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "models: expected a script, or a list of scripts"
)]
enum ScriptsFile {
    One(String),
    More(Vec<String>),
}

impl Scenario {
    /// Reads a scenario.
    pub fn parse(yaml: &str) -> Result<Self, ScenarioError> {
        // Without the excerpt, which would take several lines.
        let options = serde_saphyr::options! { with_snippet: false };
        let file: ScenarioFile = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|error| ScenarioError::Yaml(error.to_string()))?;
        let mut models = Vec::with_capacity(file.models.len());
        for (model, texts) in file.models {
            let texts = match texts {
                ScriptsFile::One(text) => vec![text],
                ScriptsFile::More(texts) => texts,
            };
            let scripts = match script::list(texts.iter().map(String::as_str)) {
                Ok(scripts) => scripts,
                Err(source) => return Err(ScenarioError::Script { model, source }),
            };
            if scripts.is_empty() {
                return Err(ScenarioError::Empty { model });
            }
            models.push((model, scripts));
        }
        Ok(Self {
            listen: match file.listen {
                AddressesFile::One(address) => vec![address],
                AddressesFile::More(addresses) => addresses,
            },
            seed: file.seed,
            models,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_names_addresses_and_scripts() {
        let scenario = Scenario::parse(
            "listen: [127.0.0.1:9000, 127.0.0.1:9001]\nseed: 7\nmodels:\n  \"*\": tokens=3\n  \
             flaky:\n    - status=500\n    - status=429,retry_after=2\n    - tokens=16\n  \
             /health: status=503\n",
        )
        .unwrap();
        assert_eq!(scenario.listen.len(), 2);
        assert_eq!(scenario.seed, 7);
        let models: Vec<_> = scenario
            .models
            .iter()
            .map(|(name, scripts)| (name.as_str(), scripts.len()))
            .collect();
        assert_eq!(models, [("*", 1), ("/health", 1), ("flaky", 3)]);
        let one = Scenario::parse("listen: 127.0.0.1:9000").unwrap();
        assert_eq!(one.listen, ["127.0.0.1:9000".parse().unwrap()]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("modles: {}", "modles"),
            ("models: { m: statsu=500 }", "did you mean \"status\""),
            (
                "models: { m: [60% hang, 50% cut] }",
                "the shares are more than 100%",
            ),
            ("models: { m: [] }", "\"m\" has no script"),
            ("models: { m: tokens=1, m: tokens=2 }", "m"),
            ("listen: nowhere", "listen: expected an address"),
            ("models: { m: { a: 1 } }", "models: expected a script"),
        ];
        for (yaml, part) in cases {
            let error = Scenario::parse(yaml).unwrap_err().to_string();
            assert!(error.contains(part), "{yaml}: {error}");
            assert!(!error.contains('\n'), "{yaml}: {error}");
        }
    }
}
