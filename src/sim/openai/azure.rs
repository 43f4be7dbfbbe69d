//! What Azure adds to `OpenAI`'s format: its door, its headers, its filter results, its errors.

use serde_json::json;

use crate::sim::asked::Refused;
use crate::sim::head::Head;
use crate::sim::openai::error::status_error;
use crate::sim::script::ErrorText;
use crate::sim::trouble::{Trouble, message};

/// The first chunk of a stream, which has neither choices nor id.
pub(super) const FILTERED_PROMPT: &[u8] = b"{\"choices\":[],\"created\":0,\"id\":\"\",\
\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\
\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"},\
\"jailbreak\":{\"filtered\":false,\"detected\":false}}}]}";

/// What stands in every choice.
pub(super) const FILTERED_CHOICE: &[u8] =
    b"\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}},";

/// Checks what the gateway checks: the version in the query, and that there is a credential.
pub(crate) fn checked(head: &Head) -> Result<(), Refused> {
    if head
        .query("api-version")
        .is_none_or(|version| version.is_empty())
    {
        return Err(Refused::status(404, "Resource not found"));
    }
    if head.field("api-key").is_none() && head.field("authorization").is_none() {
        return Err(Refused::status(
            401,
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to \
             provide a valid key for an active subscription and use a correct regional API \
             endpoint for your resource.",
        ));
    }
    Ok(())
}

/// The error of a status. Its gateway says some in its own way.
pub(crate) fn error(status: u16, text: &ErrorText) -> Vec<u8> {
    let trouble = Trouble::of(Some(status), text);
    let named = text.kind.is_some() || text.code.is_some();
    let document = match (status, trouble) {
        (404, Trouble::UnknownModel) if text.message.as_deref() == Some("Resource not found") => {
            json!({ "statusCode": 404, "message": "Resource not found" })
        }
        (401, _) if !named => {
            let usual = "Access denied due to invalid subscription key or wrong API endpoint.";
            json!({ "error": { "code": "401", "message": message(trouble, usual, text) } })
        }
        (404, _) if !named => {
            let usual = "The API deployment for this resource does not exist.";
            json!({ "error": {
                "code": "DeploymentNotFound", "message": message(trouble, usual, text) } })
        }
        (429, _) if !named => {
            let usual = "Requests to the ChatCompletions_Create Operation have exceeded token rate \
                         limit of your current OpenAI S0 pricing tier.";
            json!({ "error": { "code": "429", "message": message(trouble, usual, text) } })
        }
        (400, Trouble::ContentPolicy) => {
            let usual = "The response was filtered due to the prompt triggering Azure OpenAI's \
                         content management policy.";
            json!({ "error": {
                "message": message(trouble, usual, text), "type": null, "param": "prompt",
                "code": "content_filter", "status": 400,
                "innererror": { "code": "ResponsibleAIPolicyViolation" } } })
        }
        _ => return status_error(status, text),
    };
    document.to_string().into_bytes()
}

/// The headers of every answer.
pub(crate) fn headers(number: u64) -> Vec<String> {
    vec![
        format!("x-request-id: req-sim-{number}"),
        format!("apim-request-id: apim-sim-{number}"),
        "x-ms-region: Sim".to_owned(),
    ]
}
