//! What the config room promises, seen from outside: text in, settings or mistakes out.

mod accounts;
mod certificates;
mod chaos;
mod inheritance;
mod mistakes;
mod route_mistakes;
mod samples;
mod schema;
mod secrets;
mod settings;
mod traces;

use std::path::Path;

use super::{Errors, parse};
use crate::edge::Settings;

const LISTEN: &str = "listen: [{address: 127.0.0.1:8080}]\n";
const PROVIDERS: &str = "providers: {a: {dialect: openai, base_url: https://a.example/v1}}\n";
const ROUTES: &str = "routes: {r: a/m}\n";

/// A good file with `rest` from line 4 on.
fn top(rest: &str) -> String {
    format!("{LISTEN}{PROVIDERS}{ROUTES}{rest}")
}

/// A good file whose one listener is `rest`, from line 4, column 5 on.
fn listener(rest: &str) -> String {
    format!("{PROVIDERS}{ROUTES}listen:\n  - {rest}")
}

/// A good file whose provider `a` is `rest`, from line 5, column 5 on.
fn provider(rest: &str) -> String {
    format!("{LISTEN}{ROUTES}providers:\n  a:\n    {rest}")
}

/// A good file whose provider `a` has all it needs, and `rest` from line 7, column 5 on.
fn good_provider(rest: &str) -> String {
    provider(&format!(
        "dialect: openai\n    base_url: https://a.example/v1\n    {rest}"
    ))
}

/// A good file whose route `r` is `rest`, from line 5, column 5 on.
fn route(rest: &str) -> String {
    format!("{LISTEN}{PROVIDERS}routes:\n  r:\n    {rest}")
}

/// A good file whose route `r` has a target, and `rest` from line 6, column 5 on.
fn good_route(rest: &str) -> String {
    route(&format!("tiers: [[a/m]]\n    {rest}"))
}

fn read(text: &str) -> Result<Settings, Errors> {
    read_in(Path::new(""), text)
}

fn read_in(folder: &Path, text: &str) -> Result<Settings, Errors> {
    parse(text, &folder.join("segue.yaml"), &|name| match name {
        "GOOD" => Some("sk-good-canary".to_owned()),
        "EMPTY" => Some(String::new()),
        "SPACED" => Some("sk-spaced canary".to_owned()),
        _ => None,
    })
}
