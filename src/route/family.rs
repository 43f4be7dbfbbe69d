//! Whose models a provider serves: by its host where that is known, else by its format.

use serde::Deserialize;

use crate::exchange::Dialect;

/// A vendor whose models the catalogue knows, by its names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `OpenAI`, and Azure's deployments of its models.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google: Gemini, here and on Vertex AI.
    Google,
    /// Mistral AI.
    Mistral,
    /// `DeepSeek`.
    DeepSeek,
    /// xAI.
    Xai,
    /// Groq.
    Groq,
    /// Together AI.
    Together,
    /// Cohere.
    Cohere,
    /// Amazon Bedrock.
    Bedrock,
}

/// Hosts, each with all names below it.
const HOSTS: [(&str, Family); 16] = [
    ("api.openai.com", Family::OpenAi),
    ("openai.azure.com", Family::OpenAi),
    ("services.ai.azure.com", Family::OpenAi),
    ("cognitiveservices.azure.com", Family::OpenAi),
    ("api.anthropic.com", Family::Anthropic),
    ("generativelanguage.googleapis.com", Family::Google),
    ("aiplatform.googleapis.com", Family::Google),
    ("api.mistral.ai", Family::Mistral),
    ("api.deepseek.com", Family::DeepSeek),
    ("api.x.ai", Family::Xai),
    ("api.groq.com", Family::Groq),
    ("api.together.ai", Family::Together),
    ("api.together.xyz", Family::Together),
    ("api.cohere.com", Family::Cohere),
    ("api.cohere.ai", Family::Cohere),
    ("amazonaws.com", Family::Bedrock),
];

/// Profiles that are named after a vendor.
const PROFILES: [(&str, Family); 8] = [
    ("azure", Family::OpenAi),
    ("mistral", Family::Mistral),
    ("deepseek", Family::DeepSeek),
    ("xai", Family::Xai),
    ("groq", Family::Groq),
    ("together", Family::Together),
    ("cohere", Family::Cohere),
    ("bedrock", Family::Bedrock),
];

impl Family {
    /// The family of a provider's models. `profile` is the name of its profile, empty for none.
    /// `None` where many a server speaks the format: it may call any model by any name.
    pub fn of(dialect: Dialect, host: &str, profile: &str) -> Option<Self> {
        let named = PROFILES.iter().find(|(name, _)| *name == profile);
        // Vertex names a host for each region: `europe-west1-aiplatform.googleapis.com`.
        let below = |suffix: &str| {
            let before = host.strip_suffix(suffix);
            before.is_some_and(|before| before.is_empty() || before.ends_with(['.', '-']))
        };
        let hosted = HOSTS.iter().find(|(suffix, _)| below(suffix));
        let found = named.or(hosted).map(|(_, family)| *family);
        match (dialect, found) {
            // Claude on Vertex.
            (Dialect::Anthropic, None | Some(Self::Google)) => Some(Self::Anthropic),
            (Dialect::Gemini, None) => Some(Self::Google),
            (_, found) => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_profile_host_and_format_in_this_order() {
        use Dialect::{Anthropic, Gemini, OpenAi};
        for (dialect, host, profile, expected) in [
            (OpenAi, "api.openai.com", "", Some(Family::OpenAi)),
            (OpenAi, "eu.api.openai.com", "", Some(Family::OpenAi)),
            (OpenAi, "notapi.openai.com", "", None),
            (OpenAi, "api.openai.com.evil.example", "", None),
            (OpenAi, "me.openai.azure.com", "", Some(Family::OpenAi)),
            (OpenAi, "gateway.example", "mistral", Some(Family::Mistral)),
            (OpenAi, "gateway.example", "vllm", None),
            (OpenAi, "127.0.0.1", "", None),
            (Anthropic, "127.0.0.1", "", Some(Family::Anthropic)),
            (Anthropic, "api.deepseek.com", "", Some(Family::DeepSeek)),
            (Gemini, "gateway.example", "", Some(Family::Google)),
            (
                Gemini,
                "europe-west1-aiplatform.googleapis.com",
                "",
                Some(Family::Google),
            ),
            (
                Anthropic,
                "europe-west1-aiplatform.googleapis.com",
                "",
                Some(Family::Anthropic),
            ),
            (
                OpenAi,
                "bedrock-runtime.eu-west-1.amazonaws.com",
                "",
                Some(Family::Bedrock),
            ),
        ] {
            assert_eq!(Family::of(dialect, host, profile), expected, "{host}");
        }
    }
}
