//! What is told without a model's words: lists of models, counts of tokens, vectors, health.

use crate::sim::asked::Refused;
use crate::sim::endpoint::{Endpoint, Task};
use crate::sim::head::Head;
use crate::sim::openai::EmbeddingsAsked;
use crate::sim::voice::Voice;
use crate::sim::{anthropic, gemini, openai};

/// A document, and whose script it follows.
pub(crate) struct Told {
    pub(crate) document: Vec<u8>,
    /// The model's script, where it is about one.
    pub(crate) model: Option<String>,
    /// Else this path's.
    pub(crate) path: &'static str,
}

/// What is told to a request; `None` where there is no such endpoint.
pub(crate) fn tell(
    endpoint: &Endpoint,
    head: &Head,
    body: &[u8],
    models: &[String],
) -> Result<Option<Told>, Refused> {
    let name = endpoint.model.as_deref();
    let size = body.len() as u64;
    let path = match endpoint.voice {
        Voice::Gemini => "/v1beta/models",
        _ => "/v1/models",
    };
    let of_path = |path, document| {
        Some(Told {
            document,
            model: None,
            path,
        })
    };
    Ok(match endpoint.task {
        Task::Embeddings => {
            if endpoint.voice == Voice::Azure {
                openai::azure_checked(head)?;
            }
            let asked = EmbeddingsAsked::parse(body, name)?;
            Some(Told {
                document: openai::embeddings(&asked, size),
                model: Some(asked.model),
                path,
            })
        }
        Task::Count => {
            let (model, document) = count(endpoint, head, body)?;
            Some(Told {
                document,
                model: Some(model),
                path,
            })
        }
        Task::Models => of_path(path, list(endpoint.voice, models)),
        Task::Model => of_path(path, one(endpoint.voice, name.unwrap_or_default())),
        Task::Health => of_path("/health", b"{\"status\":\"ok\"}".to_vec()),
        Task::Answer | Task::Echo | Task::Unknown => None,
    })
}

fn count(endpoint: &Endpoint, head: &Head, body: &[u8]) -> Result<(String, Vec<u8>), Refused> {
    let tokens = (body.len() as u64).div_ceil(4);
    if endpoint.voice == Voice::Gemini {
        gemini::counted(head, body)?;
        let model = endpoint.model.clone().unwrap_or_default();
        return Ok((model, gemini::count(tokens)));
    }
    Ok((anthropic::counted(head, body)?, anthropic::count(tokens)))
}

fn list(voice: Voice, names: &[String]) -> Vec<u8> {
    let names = names.iter().map(String::as_str);
    match voice {
        Voice::OpenAi | Voice::Completions | Voice::Azure => openai::models(names),
        Voice::Anthropic => anthropic::models(names),
        Voice::Gemini => gemini::models(names),
    }
}

fn one(voice: Voice, name: &str) -> Vec<u8> {
    match voice {
        Voice::OpenAi | Voice::Completions | Voice::Azure => openai::model(name),
        Voice::Anthropic => anthropic::model(name),
        Voice::Gemini => gemini::model(name),
    }
}
