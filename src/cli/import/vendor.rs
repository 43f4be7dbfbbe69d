//! The vendors that LiteLLM names before the slash of a model, and what they are to segue.
//!
//! Addresses and variables are those of the vendors' own documents and of LiteLLM's provider pages.

use self::Address::{Anthropic, Azure, Gemini, Ollama, Plain, Vertex};
use self::Format::{OpenAi, OpenAiOwn};

/// The wire format, and the profile of those that speak `OpenAI`'s with a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `dialect: openai`, any server.
    OpenAi,
    /// `dialect: openai` with a profile.
    OpenAiOwn(&'static str),
    /// `dialect: anthropic`.
    Anthropic,
    /// `dialect: gemini`.
    Gemini,
}

impl Format {
    /// The value of `dialect`.
    pub(super) fn dialect(self) -> &'static str {
        match self {
            Self::OpenAi | Self::OpenAiOwn(_) => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The value of `profile`.
    pub(super) fn profile(self) -> Option<&'static str> {
        match self {
            Self::OpenAiOwn(profile) => Some(profile),
            Self::OpenAi | Self::Anthropic | Self::Gemini => None,
        }
    }
}

/// What LiteLLM appends to an `api_base`, and segue to a `base_url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Both append `/chat/completions`.
    Plain,
    /// LiteLLM speaks Ollama's own format; `OpenAI`'s is below `/v1`.
    Ollama,
    /// The resource's URL.
    Azure,
    /// LiteLLM appends `/v1/messages` if it is missing, segue always.
    Anthropic,
    /// Both append `/models/…`.
    Gemini,
    /// Made of project and location.
    Vertex,
}

/// A vendor.
#[derive(Debug)]
pub(super) struct Vendor {
    /// Its names at LiteLLM; the first one is the provider's at segue.
    pub(super) names: &'static [&'static str],
    /// The wire format.
    pub(super) format: Format,
    /// How its address is written.
    pub(super) address: Address,
    /// Where it is unless the input says otherwise; empty for none.
    pub(super) base: &'static str,
    /// Where LiteLLM looks for its key; empty for none.
    pub(super) variable: &'static str,
}

impl Vendor {
    /// Its name in the output.
    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or("provider")
    }
}

const fn vendor(
    names: &'static [&'static str],
    format: Format,
    address: Address,
    base: &'static str,
    variable: &'static str,
) -> Vendor {
    Vendor {
        names,
        format,
        address,
        base,
        variable,
    }
}

/// All that are known.
#[rustfmt::skip]
static VENDORS: [Vendor; 36] = [
    vendor(&["openai", "text-completion-openai"], OpenAiOwn("openai"), Plain, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    vendor(&["azure", "azure_text"], OpenAiOwn("azure"), Azure, "", "AZURE_API_KEY"),
    vendor(&["anthropic", "anthropic_text"], Format::Anthropic, Anthropic, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    vendor(&["gemini"], Format::Gemini, Gemini, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    vendor(&["vertex_ai", "vertex_ai_beta"], Format::Gemini, Vertex, "", "VERTEX_ACCESS_TOKEN"),
    vendor(&["mistral"], OpenAiOwn("mistral"), Plain, "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    vendor(&["codestral"], OpenAiOwn("mistral"), Plain, "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY"),
    vendor(&["deepseek"], OpenAiOwn("deepseek"), Plain, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    vendor(&["groq"], OpenAiOwn("groq"), Plain, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    vendor(&["together_ai"], OpenAiOwn("together"), Plain, "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    vendor(&["openrouter"], OpenAiOwn("openrouter"), Plain, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    vendor(&["xai"], OpenAiOwn("xai"), Plain, "https://api.x.ai/v1", "XAI_API_KEY"),
    vendor(&["cohere", "cohere_chat"], OpenAiOwn("cohere"), Plain, "https://api.cohere.com/compatibility/v1", "COHERE_API_KEY"),
    vendor(&["ollama", "ollama_chat"], OpenAiOwn("ollama"), Ollama, "http://localhost:11434/v1", ""),
    vendor(&["hosted_vllm", "vllm"], OpenAiOwn("vllm"), Plain, "", ""),
    vendor(&["llamafile"], OpenAiOwn("llamacpp"), Plain, "http://127.0.0.1:8080/v1", ""),
    vendor(&["lm_studio"], OpenAi, Plain, "http://127.0.0.1:1234/v1", ""),
    vendor(&["xinference"], OpenAi, Plain, "http://127.0.0.1:9997/v1", ""),
    vendor(&["openai_like", "custom_openai", "custom"], OpenAi, Plain, "", ""),
    vendor(&["litellm_proxy"], OpenAi, Plain, "", ""),
    vendor(&["databricks"], OpenAi, Plain, "", "DATABRICKS_API_KEY"),
    vendor(&["perplexity"], OpenAi, Plain, "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    vendor(&["fireworks_ai"], OpenAi, Plain, "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
    vendor(&["deepinfra"], OpenAi, Plain, "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    vendor(&["cerebras"], OpenAi, Plain, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    vendor(&["nvidia_nim"], OpenAi, Plain, "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    vendor(&["sambanova"], OpenAi, Plain, "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    vendor(&["moonshot"], OpenAi, Plain, "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    vendor(&["dashscope"], OpenAi, Plain, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    vendor(&["zai"], OpenAi, Plain, "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    vendor(&["hyperbolic"], OpenAi, Plain, "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    vendor(&["novita"], OpenAi, Plain, "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    vendor(&["nebius"], OpenAi, Plain, "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    vendor(&["featherless_ai"], OpenAi, Plain, "https://api.featherless.ai/v1", "FEATHERLESS_AI_API_KEY"),
    vendor(&["lambda_ai"], OpenAi, Plain, "https://api.lambda.ai/v1", "LAMBDA_API_KEY"),
    vendor(&["ai21"], OpenAi, Plain, "https://api.ai21.com/studio/v1", "AI21_API_KEY"),
];

/// The vendor of this name.
fn find(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.names.contains(&name))
}

/// The vendor that LiteLLM takes a bare model name for: those of its model list.
fn guess(model: &str) -> Option<&'static Vendor> {
    const STARTS: [(&str, &str); 14] = [
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("ft:", "openai"),
        ("text-embedding-", "openai"),
        ("omni-", "openai"),
        ("codex-", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "vertex_ai"),
        ("command", "cohere"),
        ("embed-", "cohere"),
        ("davinci-", "openai"),
    ];
    let start = STARTS.iter().find(|(start, _)| model.starts_with(start));
    start.and_then(|(_, name)| find(name))
}

/// The vendor of a model as LiteLLM writes it, and the model without its prefix.
pub(super) fn split<'a>(
    model: &'a str,
    custom: Option<&str>,
) -> (Option<&'static Vendor>, &'a str) {
    let prefixed = model.split_once('/');
    if let Some(custom) = custom {
        let bare = prefixed.filter(|(prefix, _)| *prefix == custom);
        return (find(custom), bare.map_or(model, |(_, bare)| bare));
    }
    match prefixed {
        Some((prefix, bare)) => (find(prefix), bare),
        None => (guess(model), model),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::import::base::{Reach, reach};

    #[test]
    fn every_vendor_has_names_of_its_own_and_an_address_that_config_takes() {
        let mut seen = BTreeSet::new();
        for vendor in &VENDORS {
            for name in vendor.names {
                assert!(seen.insert(name), "{name} is there twice");
                assert_eq!(find(name).unwrap().name(), vendor.name());
            }
            if !vendor.base.is_empty() {
                let reach = reach(vendor.base).unwrap_or_else(|| panic!("{}", vendor.base));
                let public = vendor.base.starts_with("https://");
                assert_eq!(reach == Reach::Public, public, "{}", vendor.base);
                assert_eq!(public, !vendor.variable.is_empty(), "{}", vendor.base);
            }
        }
    }

    #[test]
    fn bare_names_have_the_vendor_that_litellm_takes_them_for() {
        let cases = [
            ("gpt-4o", Some("openai")),
            ("o3-mini", Some("openai")),
            ("claude-sonnet-4-5", Some("anthropic")),
            ("gemini-2.5-pro", Some("vertex_ai")),
            ("llama-3", None),
        ];
        for (model, expected) in cases {
            let (vendor, bare) = split(model, None);
            assert_eq!((vendor.map(Vendor::name), bare), (expected, model));
        }
    }

    #[test]
    fn a_prefix_ends_at_the_first_slash() {
        let cases = [
            (
                "openrouter/meta/llama",
                None,
                Some("openrouter"),
                "meta/llama",
            ),
            ("bedrock/x", None, None, "x"),
            (
                "meta/llama",
                Some("hosted_vllm"),
                Some("hosted_vllm"),
                "meta/llama",
            ),
            ("groq/llama", Some("groq"), Some("groq"), "llama"),
        ];
        for (model, custom, expected, bare) in cases {
            let (vendor, rest) = split(model, custom);
            assert_eq!(
                (vendor.map(Vendor::name), rest),
                (expected, bare),
                "{model}"
            );
        }
    }
}
