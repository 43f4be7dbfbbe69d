//! What the chunks of a stream and a whole document have in common.

use crate::sim::asked::Asked;
use crate::sim::script::{Content, Finish, Script, Usage};
use crate::sim::text::{Call, Words, push_number};

/// The creation time in every answer: fixed, so that equal requests give equal bytes.
pub(super) const CREATED: &[u8] = b"1795248000";

/// The terms of one answer.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    pub(super) script: &'a Script,
    pub(super) words: Words,
    /// `{"id":…,"object":…,"created":…,"model":…,"service_tier":…,"system_fingerprint":null,`
    pub(super) envelope: Vec<u8>,
    pub(super) choices: u32,
    prompt: u64,
    tool: String,
}

impl<'a> Terms<'a> {
    pub(super) fn new(
        script: &'a Script,
        asked: &Asked,
        origin: &Origin<'_>,
        object: &str,
    ) -> Self {
        let canary = origin.canary.or(asked.canary.as_deref());
        let model = serde_json::to_string(&asked.model).unwrap_or_default();
        let created = String::from_utf8_lossy(CREATED);
        let envelope = format!(
            "{{\"id\":\"chatcmpl-sim-{}\",\"object\":\"{object}\",\"created\":{created},\
             \"model\":{model},\"service_tier\":\"default\",\"system_fingerprint\":null,",
            origin.request
        );
        let tool = match &script.content {
            Content::Tools {
                name: Some(name), ..
            } => name.clone(),
            Content::Tools { name: None, .. } | Content::Text => {
                let tool = serde_json::to_string(asked.tool.as_deref().unwrap_or("lookup"));
                tool.unwrap_or_default().trim_matches('"').to_owned()
            }
        };
        Self {
            script,
            words: Words::new(script, canary),
            envelope: envelope.into_bytes(),
            choices: asked.choices,
            prompt: script
                .prompt
                .unwrap_or_else(|| origin.body_bytes.div_ceil(4)),
            tool,
        }
    }

    /// The finish reason as JSON.
    pub(super) fn finish(&self) -> String {
        match (&self.script.finish, &self.script.content) {
            (Finish::Natural, Content::Text) => "\"stop\"".to_owned(),
            (Finish::Natural, Content::Tools { .. }) => "\"tool_calls\"".to_owned(),
            (Finish::Reason(reason), _) => serde_json::to_string(reason).unwrap_or_default(),
            (Finish::Missing, _) => "null".to_owned(),
        }
    }

    /// Adds the usage object for that many completion tokens.
    pub(super) fn push_usage(&self, completion: u64, out: &mut Vec<u8>) {
        let (prompt, cached, completion) = match self.script.usage {
            Usage::Zero => (0, 0, 0),
            Usage::Asked | Usage::Missing | Usage::Every => {
                (self.prompt, self.script.cached, completion)
            }
        };
        let parts: [(&[u8], u64); 4] = [
            (b"{\"prompt_tokens\":", prompt),
            (b",\"completion_tokens\":", completion),
            (b",\"total_tokens\":", prompt.saturating_add(completion)),
            (b",\"prompt_tokens_details\":{\"cached_tokens\":", cached),
        ];
        for (text, number) in parts {
            out.extend_from_slice(text);
            push_number(number, out);
        }
        out.extend_from_slice(
            b",\"cache_write_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":\
              {\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\
              \"rejected_prediction_tokens\":0}}",
        );
    }

    /// Adds `"id":…,"type":"function","function":{"name":…,"arguments":"`
    pub(super) fn push_call_opening(&self, choice: u32, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"id\":\"call_sim_");
        push_number(u64::from(choice), out);
        out.push(b'_');
        push_number(index, out);
        out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
        out.extend_from_slice(self.tool.as_bytes());
        out.extend_from_slice(b"\",\"arguments\":\"");
    }

    /// Adds a token as a piece of a call's arguments, which are `{"text":" w0 w1"}` together.
    pub(super) fn push_argument(&self, choice: u32, token: u64, call: Call, out: &mut Vec<u8>) {
        if call.first {
            out.extend_from_slice(b"{\\\"text\\\":\\\"");
        }
        self.words.write(choice, token, out);
        if call.last {
            out.extend_from_slice(b"\\\"}");
        }
    }
}

/// What an answer takes from the request beside its JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The request's number, for the answer's id.
    pub(crate) request: u64,
    /// The size of the request's body: the prompt tokens follow from it.
    pub(crate) body_bytes: u64,
    /// `x-sim-canary`.
    pub(crate) canary: Option<&'a str>,
}
