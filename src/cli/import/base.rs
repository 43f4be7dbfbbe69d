//! LiteLLM's `api_base` -> segue's `base_url`.
//!
//! What the config room would not take is not written: its own reader is asked.

use std::path::Path;

use crate::cli::import::quote::quoted;
use crate::cli::import::vendor::Address;
use crate::config;

/// Which addresses a host may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public ones only.
    Public,
    /// Those of one's own network too.
    Private,
}

/// Ends of host names that are known to be of one's own network.
const OWN: [&str; 8] = [
    ".local",
    ".internal",
    ".lan",
    ".home",
    ".corp",
    ".svc",
    ".localhost",
    ".intranet",
];

/// The base URL in segue's sense, without its end slash.
pub(super) fn base(written: &str, address: Address) -> String {
    let text = written.trim().trim_end_matches('/');
    let text = text.replacen("://0.0.0.0", "://127.0.0.1", 1);
    match address {
        Address::Plain => without(&text, &["/chat/completions", "/completions", "/embeddings"]),
        Address::Ollama => {
            let root = without(&text, &["/api/chat", "/api/generate", "/api", "/v1"]);
            root + "/v1"
        }
        Address::Azure => match text.split_once("/openai/deployments") {
            Some((root, _)) => root.to_owned(),
            None => without(&text, &["/chat/completions", "/openai/v1", "/openai"]),
        },
        Address::Anthropic => without(&text, &["/v1/messages", "/v1"]),
        Address::Gemini | Address::Vertex => text,
    }
}

/// The text without the first of these ends.
fn without(text: &str, ends: &[&str]) -> String {
    let cut = ends.iter().find_map(|end| text.strip_suffix(end));
    cut.unwrap_or(text).trim_end_matches('/').to_owned()
}

/// Whether config takes the URL, and what it must be told of its host.
pub(super) fn reach(url: &str) -> Option<Reach> {
    if !taken(url, Reach::Private) {
        return None;
    }
    let host = host(url);
    let bare = !host.contains(['.', ':']);
    let own = bare || OWN.iter().any(|end| host.ends_with(end)) || url.starts_with("http://");
    if own || !taken(url, Reach::Public) {
        return Some(Reach::Private);
    }
    Some(Reach::Public)
}

/// The host of a URL that config takes, lower case.
pub(super) fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

fn taken(url: &str, reach: Reach) -> bool {
    let private = reach == Reach::Private;
    let url = quoted(url);
    let text = format!(
        "listen: [{{address: \"127.0.0.1:1\"}}]\n\
         providers: {{p: {{dialect: openai, private_peers: {private}, base_url: {url}}}}}\n\
         routes: {{r: p/m}}\n"
    );
    config::parse(&text, Path::new(""), &|_: &str| None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_base_becomes_what_segue_appends_its_paths_to() {
        let cases = [
            (
                Address::Plain,
                "https://a.example/v1/",
                "https://a.example/v1",
            ),
            (
                Address::Plain,
                "https://a.example/v1/chat/completions",
                "https://a.example/v1",
            ),
            (
                Address::Plain,
                "http://0.0.0.0:8000/v1",
                "http://127.0.0.1:8000/v1",
            ),
            (Address::Ollama, "http://gpu:11434", "http://gpu:11434/v1"),
            (
                Address::Ollama,
                "http://gpu:11434/api/chat",
                "http://gpu:11434/v1",
            ),
            (
                Address::Ollama,
                "http://gpu:11434/v1/",
                "http://gpu:11434/v1",
            ),
            (
                Address::Azure,
                "https://r.openai.azure.com/",
                "https://r.openai.azure.com",
            ),
            (
                Address::Azure,
                "https://r.openai.azure.com/openai/v1/",
                "https://r.openai.azure.com",
            ),
            (
                Address::Azure,
                "https://r.openai.azure.com/openai/deployments/d/chat/completions",
                "https://r.openai.azure.com",
            ),
            (
                Address::Anthropic,
                "https://a.example/v1/messages",
                "https://a.example",
            ),
            (
                Address::Anthropic,
                "https://a.example/anthropic/",
                "https://a.example/anthropic",
            ),
        ];
        for (address, written, expected) in cases {
            assert_eq!(base(written, address), expected, "{written}");
        }
    }

    #[test]
    fn what_config_would_refuse_is_found_before_it_is_written() {
        let cases = [
            ("https://a.example/v1", Some(Reach::Public)),
            ("https://8.8.8.8/v1", Some(Reach::Public)),
            ("https://10.0.0.5:8443/v1", Some(Reach::Private)),
            ("http://localhost:11434/v1", Some(Reach::Private)),
            ("https://localhost/v1", Some(Reach::Private)),
            ("http://[::1]:8000", Some(Reach::Private)),
            ("https://vllm:8000", Some(Reach::Private)),
            ("https://llm.corp.internal/v1", Some(Reach::Private)),
            ("https://user:pw@a.example/v1", None),
            ("https://a.example/v1?key=x", None),
            ("a.example", None),
            ("https://{resource}.a.example", None),
            ("https://a\"\n.example", None),
            ("", None),
        ];
        for (url, expected) in cases {
            assert_eq!(reach(url), expected, "{url}");
        }
    }
}
