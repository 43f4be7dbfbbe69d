//! Token counts in Gemini's words.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::counted::Counted;
use crate::exchange::Usage;
use crate::units::Tokens;

/// `usageMetadata`. In a stream each chunk has the totals so far: the last one counts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Counts<'a> {
    #[serde(borrow)]
    prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    cached_content_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    thoughts_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates_tokens_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modality<'a> {
    modality: &'a str,
    token_count: Option<u32>,
}

impl Counts<'_> {
    /// The usage, if it says what the prompt took. The candidates' count leaves out the thoughts,
    /// and the prompt's the results of built-in tools, while it contains what was cached. A part
    /// that is larger than its total is cut to it.
    pub(super) fn read(&self) -> Option<Usage> {
        let mut counted = Counted::default();
        let mut total = |field: Option<&RawValue>| counted.total(field?.into());
        let prompt = total(self.prompt_token_count)?;
        let tools = total(self.tool_use_prompt_token_count).unwrap_or(0);
        let thoughts = total(self.thoughts_token_count).unwrap_or(0);
        let said = total(self.candidates_token_count).unwrap_or(0);
        let (input, output) = (prompt.saturating_add(tools), thoughts.saturating_add(said));
        let cached = self.cached_content_token_count;
        let cached = cached.map_or(0, |field| counted.part(field.into()));
        let audio =
            audio(self.prompt_tokens_details).saturating_add(audio(self.candidates_tokens_details));
        Some(Usage {
            input: Tokens(input),
            cached: Tokens(counted.within(cached, input)),
            cache_write: Tokens(0),
            output: Tokens(output),
            reasoning: Tokens(thoughts),
            audio: Tokens(counted.within(audio, input.saturating_add(output))),
            trust: counted.trust(),
        })
    }
}

/// The tokens of sound in a list of modalities: `[{"modality":"AUDIO","tokenCount":7}]`.
fn audio(details: Option<&RawValue>) -> u64 {
    let Some(details) = details.filter(|details| details.get().contains("AUDIO")) else {
        return 0;
    };
    let list: Vec<Modality<'_>> = serde_json::from_str(details.get()).unwrap_or_default();
    let sound = list.iter().filter(|part| part.modality == "AUDIO");
    sound
        .map(|part| u64::from(part.token_count.unwrap_or(0)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Trust::{self, Absurd, Mended, Sound};

    /// The counts, and what they deserve.
    type Said = Option<([u64; 5], Trust)>;

    #[test]
    fn thoughts_and_results_of_tools_are_added_and_parts_are_kept_within() {
        // Input, cached, output, reasoning, audio.
        let cases: [(&str, Said); 7] = [
            (
                r#"{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":5,"thoughtsTokenCount":7,"toolUsePromptTokenCount":3,"totalTokenCount":24,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"AUDIO","tokenCount":1}]}"#,
                Some(([12, 4, 12, 7, 1], Sound)),
            ),
            (r#"{"promptTokenCount":0}"#, Some(([0; 5], Sound))),
            (
                r#"{"promptTokenCount":9,"cachedContentTokenCount":10}"#,
                Some(([9, 9, 0, 0, 0], Mended)),
            ),
            (
                r#"{"promptTokenCount":9,"cachedContentTokenCount":-1}"#,
                Some(([9, 0, 0, 0, 0], Mended)),
            ),
            (
                r#"{"promptTokenCount":9,"thoughtsTokenCount":-1,"candidatesTokenCount":2}"#,
                Some(([9, 0, 2, 0, 0], Absurd)),
            ),
            (
                r#"{"promptTokenCount":9,"candidatesTokenCount":1.5}"#,
                Some(([9, 0, 1, 0, 0], Mended)),
            ),
            (r#"{"candidatesTokenCount":5}"#, None),
        ];
        for (json, expected) in cases {
            let counts: Counts<'_> = serde_json::from_str(json).unwrap();
            let found = counts.read().map(|usage| {
                let counts = [
                    usage.input,
                    usage.cached,
                    usage.output,
                    usage.reasoning,
                    usage.audio,
                ];
                (counts.map(|count| count.0), usage.trust)
            });
            assert_eq!(found, expected, "{json}");
        }
    }
}
