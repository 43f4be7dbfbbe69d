//! A LiteLLM config -> the text of a `segue.yaml`, and what could not be carried over.
//!
//! Pure: the environment is a function, and only values that are no secrets are asked of it.

use std::collections::BTreeSet;

use crate::cli::import::account::Accounts;
use crate::cli::import::chain::{Chain, Groups};
use crate::cli::import::deployment::{self, Deployment, Shared};
use crate::cli::import::draft::{Draft, Key, Route, Times};
use crate::cli::import::fields::{Fields, join};
use crate::cli::import::measure;
use crate::cli::import::reading::Reading;
use crate::cli::import::secrets::Secrets;
use crate::cli::import::settings::{Alias, Settings};
use crate::cli::import::tree::{self, MAX_FILE, Node, Unreadable};
use crate::cli::import::why;
use crate::cli::import::write;

/// What an import comes to.
#[derive(Debug)]
pub(super) struct Imported {
    /// The text of the file.
    pub(super) text: String,
    /// What to know, a line each.
    pub(super) notes: Vec<String>,
}

/// An input that nothing can be made of, and what was found on the way.
#[derive(Debug)]
pub(super) struct Failed {
    /// Why.
    pub(super) error: Unreadable,
    /// What to know, a line each.
    pub(super) notes: Vec<String>,
}

/// Turns a config into the text of a `segue.yaml`.
pub(super) fn convert(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Imported, Failed> {
    let alone = |error| Failed {
        error,
        notes: Vec::new(),
    };
    let root = tree::read(text).map_err(alone)?;
    if !matches!(root.get("model_list"), Some(Node::List(_))) {
        return Err(alone(Unreadable::Other));
    }
    let reading = Reading::new(&root, environment);
    let draft = read(&root, &reading);
    let notes = reading.into_notes().lines();
    if draft.routes.is_empty() {
        let error = Unreadable::Nothing;
        return Err(Failed { error, notes });
    }
    let text = write::file(&draft, &notes);
    if text.len() as u64 > MAX_FILE {
        let error = Unreadable::Outgrown;
        return Err(Failed { error, notes });
    }
    Ok(Imported { text, notes })
}

fn read(root: &Node, reading: &Reading<'_>) -> Draft {
    let mut root_fields = Fields::open(reading, String::new(), Some(root));
    let mut shared = Shared {
        secrets: Secrets::new(root),
        accounts: Accounts::default(),
        credentials: credentials(&mut root_fields),
    };
    let deployments = deployments(&mut root_fields, &mut shared);
    let first = Settings::read(root_fields.below("router_settings"));
    let settings = first.over(Settings::read(root_fields.below("litellm_settings")));
    let groups = Groups::new(&deployments, &settings, reading);
    let names: Vec<String> = groups.names().map(str::to_owned).collect();
    let mut routes = routes(&groups, &names, &settings, reading);
    routes.extend(aliases(
        &groups,
        &names,
        &settings.aliases,
        reading,
        &settings,
    ));
    let (keys, limits) = general(root_fields.below("general_settings"), &mut shared.secrets);
    variables(&mut root_fields);
    root_fields.close(why::root);
    let times = Times::of(&settings, &routes);
    Draft {
        variables: shared.secrets.into_needed(),
        providers: shared.accounts.into_list(),
        key: keys,
        limits,
        retries: settings
            .retries
            .map(|retries| (retries, retries.saturating_add(1))),
        balance: settings.balance,
        breaker: settings.breaker,
        verdicts: settings.verdicts.into_iter().collect(),
        times,
        routes,
    }
}

fn credentials<'a>(root: &mut Fields<'a>) -> Vec<(&'a str, &'a Node)> {
    let named = |(_, node): (String, &'a Node)| match node.get("credential_name") {
        Some(Node::Text(name)) => Some((name.as_str(), node)),
        _ => None,
    };
    root.list("credential_list")
        .into_iter()
        .filter_map(named)
        .collect()
}

fn deployments<'a>(root: &mut Fields<'a>, shared: &mut Shared<'a>) -> Vec<Deployment> {
    let entries = root.list("model_list");
    let read = |(path, node)| {
        let entry = Fields::open(root.reading, path, Some(node));
        deployment::read(entry, shared)
    };
    entries.into_iter().filter_map(read).collect()
}

fn routes(
    groups: &Groups,
    names: &[String],
    settings: &Settings,
    reading: &Reading<'_>,
) -> Vec<Route> {
    let route = |name: &String| {
        let chain = groups.chain(name, reading)?;
        Some(Route::new(name, None, chain, settings))
    };
    names.iter().filter_map(route).collect()
}

fn aliases(
    groups: &Groups,
    names: &[String],
    aliases: &[Alias],
    reading: &Reading<'_>,
    settings: &Settings,
) -> Vec<Route> {
    let mut taken: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut routes = Vec::new();
    for alias in aliases {
        let chain: Option<Chain> = groups.chain(&alias.group, reading);
        match chain {
            None => reading.note(&alias.path, "no model of that name is carried over"),
            Some(_) if !deployment::is_name(&alias.name) => {
                reading.note(
                    &alias.path,
                    "a route's name is 1 to 128 visible ASCII characters",
                );
            }
            Some(_) if !taken.insert(&alias.name) => {
                reading.note(
                    &alias.path,
                    "there is a model of that name already, and it stays",
                );
            }
            Some(chain) => {
                routes.push(Route::new(&alias.name, Some(&alias.group), chain, settings));
            }
        }
    }
    routes
}

/// The key of clients, and bounds on what they may take.
fn general(
    mut fields: Fields<'_>,
    secrets: &mut Secrets,
) -> (Option<Key>, Vec<(&'static str, String)>) {
    let key = fields.written("master_key").map(|text| Key {
        variable: secrets.written(
            text,
            "LITELLM_MASTER_KEY",
            &fields.path("master_key"),
            fields.reading,
        ),
    });
    let mut limits = Vec::new();
    for (name, key) in [
        ("body", "max_request_size_mb"),
        ("answer", "max_response_size_mb"),
    ] {
        let size = fields
            .number(key)
            .and_then(|size| measure::count(size, 512));
        limits.extend(size.map(|size| (name, format!("{}MiB", size.max(1)))));
    }
    let exchanges = fields.number("global_max_parallel_requests");
    let exchanges = exchanges.and_then(|number| measure::count(number, 1_000_000));
    limits.extend(
        exchanges
            .filter(|number| *number > 0)
            .map(|number| ("exchanges", number.to_string())),
    );
    fields.close(why::general);
    (key, limits)
}

/// Variables that LiteLLM sets for itself: whoever starts segue must.
fn variables(root: &mut Fields<'_>) {
    let mut variables = root.below("environment_variables");
    for (name, _) in variables.drain() {
        let path = join("environment_variables", name);
        root.reading.note(
            &path,
            "segue sets no variables: set it where segue starts, if it is needed",
        );
    }
}
