//! What a path is for, and whose words it is asked in. Pure.

use crate::sim::asked::Delivery;
use crate::sim::head::Head;
use crate::sim::voice::Voice;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) voice: Voice,
    pub(crate) task: Task,
    /// The model, where the path names it.
    pub(crate) model: Option<String>,
    /// How the answer is wanted, where the path says it.
    pub(crate) delivery: Option<Delivery>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To go on with a conversation or a text.
    Answer,
    Embeddings,
    /// To count a prompt's tokens.
    Count,
    Models,
    Model,
    Health,
    Echo,
    Unknown,
}

impl Endpoint {
    pub(crate) fn of(head: &Head) -> Self {
        let path = head.path.as_str();
        let (post, get) = (is_post(head), is_get(head));
        match path {
            "/v1/chat/completions" if post => Self::new(Voice::OpenAi, Task::Answer),
            "/v1/completions" if post => Self::new(Voice::Completions, Task::Answer),
            "/v1/embeddings" if post => Self::new(Voice::OpenAi, Task::Embeddings),
            "/v1/messages" if post => Self::new(Voice::Anthropic, Task::Answer),
            "/v1/messages/count_tokens" if post => Self::new(Voice::Anthropic, Task::Count),
            "/v1/models" if get => Self::new(listed_for(head), Task::Models),
            "/v1beta/models" if get => Self::new(Voice::Gemini, Task::Models),
            "/health" => Self::new(Voice::OpenAi, Task::Health),
            _ => Self::with_name(head),
        }
    }

    fn new(voice: Voice, task: Task) -> Self {
        Self {
            voice,
            task,
            model: None,
            delivery: None,
        }
    }

    /// The paths that have a model's name in them.
    fn with_name(head: &Head) -> Self {
        let path = head.path.as_str();
        let (post, get) = (is_post(head), is_get(head));
        if let Some(name) = path.strip_prefix("/v1/models/")
            && get
        {
            return Self::new(listed_for(head), Task::Model).named(name);
        }
        if let Some((name, task)) = deployment(path)
            && post
        {
            return Self::new(Voice::Azure, task).named(name);
        }
        if let Some((name, method)) = google(path) {
            let task = match method {
                Some("generateContent" | "streamGenerateContent") if post => Task::Answer,
                Some("countTokens") if post => Task::Count,
                None if get => Task::Model,
                _ => Task::Unknown,
            };
            let delivery = match method {
                Some("streamGenerateContent") => Delivery::StreamWithUsage,
                _ => Delivery::Whole,
            };
            return Self {
                delivery: Some(delivery),
                ..Self::new(Voice::Gemini, task).named(name)
            };
        }
        match path {
            _ if path.starts_with("/v1/messages") => Self::new(Voice::Anthropic, Task::Unknown),
            _ if path.starts_with("/v1/") => Self::new(Voice::OpenAi, Task::Echo),
            _ if path.starts_with("/v1beta/") => Self::new(Voice::Gemini, Task::Unknown),
            _ if path.starts_with("/openai/") => Self::new(Voice::Azure, Task::Unknown),
            _ => Self::new(Voice::OpenAi, Task::Unknown),
        }
    }

    fn named(self, name: &str) -> Self {
        Self {
            model: Some(decoded(name)),
            ..self
        }
    }
}

fn is_post(head: &Head) -> bool {
    head.method == "POST"
}

fn is_get(head: &Head) -> bool {
    matches!(head.method.as_str(), "GET" | "HEAD")
}

/// `/v1/models` is a path of two providers; the headers tell whose client asks.
fn listed_for(head: &Head) -> Voice {
    let anthropic = ["anthropic-version", "x-api-key"].map(|name| head.field(name).is_some());
    if anthropic.contains(&true) {
        Voice::Anthropic
    } else {
        Voice::OpenAi
    }
}

/// A deployment of Azure's, and what it is asked for.
fn deployment(path: &str) -> Option<(&str, Task)> {
    let rest = path.strip_prefix("/openai/deployments/")?;
    if let Some(name) = rest.strip_suffix("/chat/completions") {
        return Some((name, Task::Answer));
    }
    Some((rest.strip_suffix("/embeddings")?, Task::Embeddings))
}

/// A model of Google's and the method, at the Developer API or below a publisher (Vertex).
fn google(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = match path.strip_prefix("/v1beta/models/") {
        Some(rest) => rest,
        None => path.split_once("/publishers/google/models/")?.1,
    };
    Some(match rest.rsplit_once(':') {
        Some((name, method)) => (name, Some(method)),
        None => (rest, None),
    })
}

/// A part of a path without its percent signs (RFC 3986 section 2.1); as it is where they are wrong.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whose_words_are_spoken() {
        let cases = [
            ("POST /v1/chat/completions", Voice::OpenAi, Task::Answer, ""),
            ("POST /v1/completions", Voice::Completions, Task::Answer, ""),
            ("POST /v1/embeddings", Voice::OpenAi, Task::Embeddings, ""),
            (
                "POST /openai/deployments/a%2Fb/chat/completions?api-version=1",
                Voice::Azure,
                Task::Answer,
                "a/b",
            ),
            ("POST /v1/messages", Voice::Anthropic, Task::Answer, ""),
            (
                "POST /v1/messages/count_tokens",
                Voice::Anthropic,
                Task::Count,
                "",
            ),
            (
                "POST /v1beta/models/sim:cut@3:generateContent",
                Voice::Gemini,
                Task::Answer,
                "sim:cut@3",
            ),
            (
                "POST /v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent?alt=sse",
                Voice::Gemini,
                Task::Answer,
                "m",
            ),
            (
                "POST /v1beta/models/m:countTokens",
                Voice::Gemini,
                Task::Count,
                "m",
            ),
            ("GET /v1/models", Voice::OpenAi, Task::Models, ""),
            ("GET /v1/models/a/b", Voice::OpenAi, Task::Model, "a/b"),
            ("GET /v1beta/models", Voice::Gemini, Task::Models, ""),
            ("GET /v1/messages", Voice::Anthropic, Task::Unknown, ""),
            ("POST /v1/files", Voice::OpenAi, Task::Echo, ""),
            ("GET /elsewhere", Voice::OpenAi, Task::Unknown, ""),
        ];
        for (line, voice, task, model) in cases {
            let head = Head::parse(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
            let endpoint = Endpoint::of(&head);
            assert_eq!((endpoint.voice, endpoint.task), (voice, task), "{line}");
            assert_eq!(endpoint.model.unwrap_or_default(), model, "{line}");
        }
        let list = b"GET /v1/models HTTP/1.1\r\nanthropic-version: 2023-06-01\r\n\r\n";
        let endpoint = Endpoint::of(&Head::parse(list).unwrap());
        assert_eq!(endpoint.voice, Voice::Anthropic);
    }
}
