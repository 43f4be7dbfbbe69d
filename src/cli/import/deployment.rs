//! An entry of `model_list` -> a target.

use std::time::Duration;

use crate::cli::import::account::Accounts;
use crate::cli::import::fields::{Fields, Known};
use crate::cli::import::measure;
use crate::cli::import::place;
use crate::cli::import::secrets::Secrets;
use crate::cli::import::tree::Node;
use crate::cli::import::vendor::{self, Address, Vendor};
use crate::cli::import::why;

/// As config has it.
const LONGEST_MODEL: usize = 256;
/// As config has it.
const LONGEST_ROUTE: usize = 128;

/// What deployments share.
pub(super) struct Shared<'a> {
    /// The variables of the output.
    pub(super) secrets: Secrets,
    /// The providers of the output.
    pub(super) accounts: Accounts,
    /// `credential_list`, by name.
    pub(super) credentials: Vec<(&'a str, &'a Node)>,
}

/// A model at a provider, as one entry has it.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    /// The way to the entry.
    pub(super) path: String,
    /// The model name that clients ask for.
    pub(super) group: String,
    /// `model_info.id`, which fallbacks may name.
    pub(super) id: Option<String>,
    /// `provider/model`.
    pub(super) target: String,
    /// The lower, the earlier.
    pub(super) order: Option<f64>,
    /// `weight`, `rpm` and `tpm`.
    pub(super) shares: [Option<f64>; 3],
    /// USD for a million tokens, in and out.
    pub(super) price: Option<(String, String)>,
    /// The whole attempt.
    pub(super) total: Option<Duration>,
    /// The silence of a stream.
    pub(super) stall: Option<Duration>,
}

/// Reads an entry; `None` for what cannot be served, which is noted.
pub(super) fn read<'a>(mut entry: Fields<'a>, shared: &mut Shared<'a>) -> Option<Deployment> {
    let group = entry.written("model_name").map(str::to_owned);
    let mut params = entry.below("litellm_params");
    let mut info = entry.below("model_info");
    inherit(&mut params, shared);
    let mode = info.written("mode");
    let placed = group.and_then(|group| {
        let model = model(&mut params, mode)?;
        let account = place::account(model.vendor, &mut params, &mut shared.secrets);
        let provider = shared.accounts.name(model.vendor, account);
        named(&entry, &group).then(|| (group, format!("{provider}/{}", model.name)))
    });
    let id = info.written("id").map(str::to_owned);
    let share = |params: &mut Fields<'_>, entry: &mut Fields<'_>, key| {
        let share = params.number(key).or_else(|| entry.number(key));
        share.filter(|share| *share >= 0.0)
    };
    let weight = share(&mut params, &mut entry, "weight");
    let [rpm, tpm] = ["rpm", "tpm"].map(|key| {
        let share = share(&mut params, &mut entry, key);
        if share.is_some() {
            params.note(
                key,
                "segue keeps no rate limits; it only weighs equals of a tier",
            );
        }
        share
    });
    let price = price(&mut params, &mut info);
    let total = params
        .number("timeout")
        .or_else(|| params.number("request_timeout"));
    let stall = params.number("stream_timeout");
    let order = params.number("order");
    let path = entry.path("").trim_end_matches('.').to_owned();
    if placed.is_some() {
        params.close(why::deployment);
        info.close(why::info);
        entry.close(why::deployment);
    }
    let (group, target) = placed?;
    Some(Deployment {
        path,
        group,
        id,
        target,
        order,
        shares: [weight, rpm, tpm],
        price,
        total: total.and_then(measure::time),
        stall: stall.and_then(measure::time),
    })
}

/// A model, and whose it is.
struct Model {
    vendor: &'static Vendor,
    name: String,
}

fn model(params: &mut Fields<'_>, mode: Option<&str>) -> Option<Model> {
    let custom = params.written("custom_llm_provider");
    let Some(written) = params.text("model") else {
        params.note("model", "is not there: nothing is served");
        return None;
    };
    let Known::Is(written) = written else {
        params.note(
            "model",
            "hangs on a variable that is not set here: nothing is served",
        );
        return None;
    };
    if !mode.is_none_or(|mode| ["chat", "completion", "embedding", "responses"].contains(&mode)) {
        params.note(
            "model",
            "segue serves chats, completions and embeddings only",
        );
        return None;
    }
    let (vendor, name) = vendor::split(&written, custom);
    let known_base = params.peek("api_base") || params.peek("base_url");
    let vendor = match vendor {
        None if custom.is_none() && known_base && !written.contains('/') => {
            vendor::split("openai/", None).0
        }
        vendor => vendor,
    };
    let Some(vendor) = vendor else {
        let whose = custom.or(written.split_once('/').map(|(prefix, _)| prefix));
        let why = match whose {
            Some(whose) => format!("segue does not speak the format of {whose}"),
            None => "nobody knows whose model it is".to_owned(),
        };
        params.note("model", &why);
        return None;
    };
    if vendor.address == Address::Vertex && !name.starts_with("gemini") {
        params.note("model", "of Vertex segue speaks the format of Gemini only");
        return None;
    }
    let name = match vendor.address {
        Address::Azure => without_series(name),
        _ => name,
    };
    let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
    if name.is_empty() || name.len() > LONGEST_MODEL || !visible {
        params.note("model", "is no name of 1 to 256 visible ASCII characters");
        return None;
    }
    let name = name.to_owned();
    Some(Model { vendor, name })
}

/// LiteLLM's hints beside the name of an Azure deployment.
fn without_series(name: &str) -> &str {
    let cut = ["o_series/", "gpt5_series/", "responses/"];
    cut.iter()
        .find_map(|start| name.strip_prefix(start))
        .unwrap_or(name)
}

/// Whether the group's name can be a route's.
fn named(entry: &Fields<'_>, group: &str) -> bool {
    if group.contains('*') {
        entry.note(
            "model_name",
            "segue has no wildcards: write a route for each model; the provider is there",
        );
        return false;
    }
    let good = is_name(group);
    if !good {
        entry.note(
            "model_name",
            "a route's name is 1 to 128 visible ASCII characters",
        );
    }
    good
}

/// Whether a text can be the name of a route.
pub(super) fn is_name(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    !text.is_empty() && text.len() <= LONGEST_ROUTE && visible
}

/// Adds what a named entry of `credential_list` says.
fn inherit<'a>(params: &mut Fields<'a>, shared: &Shared<'a>) {
    let Some(name) = params.written("litellm_credential_name") else {
        return;
    };
    let found = shared.credentials.iter().find(|(known, _)| *known == name);
    match found.and_then(|(_, node)| node.get("credential_values")) {
        Some(values) => params.inherit(values),
        None => params.note(
            "litellm_credential_name",
            "there is no such credential in the file",
        ),
    }
}

fn price(params: &mut Fields<'_>, info: &mut Fields<'_>) -> Option<(String, String)> {
    let mut of = |key: &str| {
        let own = params.number(key);
        let other = info.number(key);
        own.or(other)
    };
    let (input, output) = (of("input_cost_per_token"), of("output_cost_per_token"));
    let (input, output) = match (input, output) {
        (None, None) => return None,
        (Some(input), Some(output)) => (measure::price(input), measure::price(output)),
        (Some(_), None) | (None, Some(_)) => (None, None),
    };
    if input.is_none() || output.is_none() {
        params.note(
            "input_cost_per_token",
            "a price is two numbers, each at most 10,000 USD for a million tokens",
        );
    }
    input.zip(output)
}
