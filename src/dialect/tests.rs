//! What a provider's error is: bodies as they come on the wire, each with its class.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Stream, Voices, classify, failure};
use crate::exchange::Class::{
    self, Auth, BadModelOutput, BadRequest, ContentPolicy, ContextLength, NotFound, Overloaded,
    Quota, RateLimited, TooLarge, Transient,
};
use crate::exchange::{Delivery, Dialect, Event, Failure, Task, UsageWish};
use crate::sse::Frame;

/// Statuses with their bodies. Texts are the vendors' own; where only a code is documented, the
/// words beside it are made up.
#[rustfmt::skip]
const STATUSES: &[(Class, u16, &str)] = &[
    // OpenAI
    (Auth, 401, r#"{"error":{"message":"Incorrect API key provided: sk-12****cdef.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#),
    (Auth, 403, r#"{"error":{"message":"Country, region, or territory not supported","type":"request_forbidden","param":null,"code":"unsupported_country_region_territory"}}"#),
    (Auth, 403, r#"{"error":{"message":"You are not allowed to sample from this model","type":"invalid_request_error","param":null,"code":null}}"#),
    (NotFound, 404, r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#),
    (NotFound, 403, r#"{"error":{"message":"Project `p` does not have access to model `gpt-5`","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#),
    (BadRequest, 400, r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#),
    (BadRequest, 400, r#"{"error":{"message":"max_tokens is too large: 200000. This model supports at most 16384 completion tokens, whereas you provided 200000.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}"#),
    (BadRequest, 400, r#"{"error":{"message":"Invalid 'messages[0].content': string too long. Expected a string with maximum length 10485760.","type":"invalid_request_error","param":"messages[0].content","code":"string_above_max_length"}}"#),
    (ContextLength, 400, r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 131245 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#),
    (ContextLength, 400, r#"{"error":{"message":"Your input exceeds the context window of this model. Please adjust your input and try again.","type":"invalid_request_error","param":"input","code":null}}"#),
    (RateLimited, 429, r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000, Used 25265, Requested 8020. Please try again in 6.57s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#),
    (Quota, 429, r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#),
    (Quota, 429, r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#),
    (Quota, 429, r#"{"error":{"message":"Over.","type":"insufficient_quota","param":null,"code":null}}"#),
    (Quota, 429, r#"{"error":{"message":"Your project has reached its limit.","type":"rate_limit_error","param":null,"code":"project_spend_limit_exceeded"}}"#),
    (Quota, 429, r#"{"error":{"message":"Over.","type":"x","code":"credit_balance_exhausted"}}"#),
    (Quota, 429, r#"{"error":{"message":"Over.","type":"x","code":"organization_usage_limit_exceeded"}}"#),
    (Quota, 429, r#"{"error":{"message":"Your account is not active.","type":"billing_not_active","param":null,"code":"billing_not_active"}}"#),
    (Quota, 400, r#"{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","param":null,"code":"billing_hard_limit_reached"}}"#),
    (Overloaded, 429, r#"{"error":{"message":"Requests are ramping up too fast. Please slow down.","type":"rate_limit_error","param":null,"code":"slow_down"}}"#),
    (Overloaded, 503, r#"{"error":{"message":"The server is currently overloaded.","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}"#),
    (Overloaded, 500, r#"{"error":{"message":"Busy.","type":"server_error","param":null,"code":"server_is_overloaded"}}"#),
    (Transient, 500, r#"{"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Your request was rejected by our safety system.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Invalid prompt: we've limited access to this content for safety reasons.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Rejected.","type":"x","code":"bio_policy"}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Rejected.","type":"x","code":"misalignment_policy_violation"}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Rejected.","type":"image_generation_user_error","code":"moderation_blocked"}}"#),
    // Azure
    (ContentPolicy, 400, r#"{"error":{"message":"The response was filtered.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Filtered.","code":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"code":null}}"#),
    (RateLimited, 429, r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 45 seconds."}}"#),
    (Quota, 429, r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 86400 seconds."}}"#),
    (RateLimited, 429, r#"{"error":{"code":"too_many_requests","message":"Too Many Requests","type":"too_many_requests","param":null}}"#),
    (Overloaded, 429, r#"{"error":{"code":"429","message":"The system is currently experiencing high demand and cannot process your request."}}"#),
    (NotFound, 404, r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#),
    (NotFound, 400, r#"{"error":{"code":"DeploymentNotFound","message":"No."}}"#),
    (NotFound, 404, r#"{"statusCode":404,"message":"Resource not found"}"#),
    (Auth, 401, r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#),
    (Auth, 403, r#"{"error":{"code":"403","message":"Access denied due to Virtual Network/Firewall rules."}}"#),
    (Quota, 403, r#"{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 00:12:11."}"#),
    (Transient, 408, r#"{"error":{"code":"Timeout","message":"The operation was timeout."}}"#),
    // Anthropic
    (ContextLength, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205351 tokens > 200000 maximum"},"request_id":"r"}"#),
    (ContextLength, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}"#),
    (ContextLength, 413, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Prompt is too long"}}"#),
    (BadRequest, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens for claude"}}"#),
    (BadRequest, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"This model does not support assistant message prefill. The conversation must end with a user message."}}"#),
    (Quota, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#),
    (Quota, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#),
    (Auth, 401, r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#),
    (Auth, 400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"On hold.","details":{"error_code":"organization_on_hold"}}}"#),
    (Auth, 403, r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#),
    (Quota, 402, r#"{"type":"error","error":{"type":"billing_error","message":"There is an issue with your billing."}}"#),
    (NotFound, 404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-nope"}}"#),
    (TooLarge, 413, r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum allowed number of bytes."}}"#),
    (RateLimited, 429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 450,000 input tokens per minute."}}"#),
    (RateLimited, 429, r#"{"type":"error","error":{"type":"x","message":"Ramp.","details":{"error_code":"ramp_limit_exceeded"}}}"#),
    (Quota, 429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"Over.","details":{"error_code":"enforced_spend_limit_reached"}}}"#),
    (Quota, 429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"Over.","details":{"error_code":"contract_spend_limit_reached"}}}"#),
    (Transient, 500, r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#),
    (Transient, 504, r#"{"type":"error","error":{"type":"timeout_error","message":"The request timed out."}}"#),
    (Overloaded, 529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
    (Overloaded, 500, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
    // Gemini
    (RateLimited, 429, r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 45.25s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"45.25s"}]}}]"#),
    (Quota, 429, r#"{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 10h17m5.72s.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"250"}]}]}}"#),
    (Quota, 429, r#"{"error":{"code":429,"message":"Over.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"0"}]}]}}"#),
    (Quota, 429, r#"{"error":{"code":429,"message":"Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: gemini-3.5-pro","status":"RESOURCE_EXHAUSTED"}}"#),
    (RateLimited, 429, r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#),
    (Auth, 400, r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#),
    (Auth, 400, r#"{"error":{"code":400,"message":"Bad.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#),
    (Auth, 400, r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#),
    (Auth, 400, r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#),
    (ContextLength, 400, r#"{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#),
    (ContextLength, 400, r#"[{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#),
    (BadRequest, 400, r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0]': Cannot find field.","status":"INVALID_ARGUMENT"}}"#),
    (BadRequest, 400, r#"{"error":{"code":400,"message":"Requests ending with a model turn are not supported.","status":"INVALID_ARGUMENT"}}"#),
    (BadRequest, 400, r#"{"error":{"code":400,"message":"Function call is missing a thought_signature in functionCall parts.","status":"INVALID_ARGUMENT"}}"#),
    (Auth, 403, r#"{"error":{"code":403,"message":"Permission denied.","status":"PERMISSION_DENIED"}}"#),
    (NotFound, 404, r#"{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta","status":"NOT_FOUND"}}"#),
    (Transient, 500, r#"{"error":{"code":500,"message":"An internal error has occurred. Please retry.","status":"INTERNAL"}}"#),
    (Overloaded, 503, r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#),
    (Transient, 504, r#"{"error":{"code":504,"message":"Deadline expired before operation could complete.","status":"DEADLINE_EXCEEDED"}}"#),
    (Transient, 499, r#"{"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}"#),
    // Bedrock, its header's type in the type's place
    (ContextLength, 400, r#"{"type":"ValidationException","message":"Input is too long for requested model."}"#),
    (BadRequest, 400, r#"{"type":"ValidationException","message":"The toolConfig field must be defined when using toolUse and toolResult content blocks."}"#),
    (NotFound, 400, r#"{"type":"ValidationException","message":"Invocation of model ID anthropic.claude-opus-5 with on-demand throughput isn't supported. Retry your request with the ID or ARN of an inference profile that contains this model."}"#),
    (NotFound, 400, r#"{"type":"ValidationException","message":"The provided model identifier is invalid."}"#),
    (Auth, 403, r#"{"type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#),
    (Auth, 403, r#"{"type":"AccessDeniedException","message":"You don't have access to the model with the specified model ID."}"#),
    (Auth, 400, r#"{"type":"ExpiredTokenException","message":"Expired."}"#),
    (NotFound, 404, r#"{"type":"ResourceNotFoundException","message":"Could not resolve the foundation model from the provided model identifier."}"#),
    (Transient, 408, r#"{"type":"ModelTimeoutException","message":"Model has timed out in processing the request."}"#),
    (Transient, 424, r#"{"type":"ModelErrorException","message":"The request failed due to an error while processing the model.","originalStatusCode":500}"#),
    (RateLimited, 429, r#"{"type":"ThrottlingException","message":"Too many requests, please wait before trying again."}"#),
    (RateLimited, 429, r#"{"type":"ThrottlingException","message":"Too many tokens, please wait before trying again."}"#),
    (RateLimited, 400, r#"{"type":"ThrottlingException","message":"Too many tokens, please wait before trying again."}"#),
    (Quota, 429, r#"{"type":"ThrottlingException","message":"Too many tokens per day, please wait before trying again."}"#),
    (Quota, 400, r#"{"type":"ServiceQuotaExceededException","message":"Over."}"#),
    (Transient, 429, r#"{"type":"ModelNotReadyException","message":"Model is not ready for inference. Please wait and try again."}"#),
    (Transient, 500, r#"{"type":"InternalServerException","message":"The system encountered an unexpected error during processing."}"#),
    (Overloaded, 503, r#"{"type":"ServiceUnavailableException","message":"The service is temporarily unable to process the request."}"#),
    // Mistral
    (BadRequest, 422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":7}]}"#),
    (BadRequest, 400, r#"{"object":"error","message":"Tool call id was call_0fypS1hVX but must be a-z, A-Z, 0-9, with a length of 9.","type":"invalid_function_call","param":null,"code":"3280"}"#),
    (BadRequest, 400, r#"{"object":"error","message":"Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant","type":"invalid_request_error","param":null,"code":null}"#),
    (Overloaded, 429, r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#),
    (Overloaded, 429, r#"{"object":"error","message":"Full.","type":"x","param":null,"code":"3505"}"#),
    (RateLimited, 429, r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#),
    (NotFound, 400, r#"{"object":"error","message":"No such model.","type":"invalid_model","param":null,"code":"1500"}"#),
    (NotFound, 400, r#"{"object":"error","message":"Invalid model: mistral-9","type":"invalid_request_error","param":null,"code":null}"#),
    (ContextLength, 400, r#"{"object":"error","message":"Prompt contains 300000 tokens and 0 draft tokens, too large for model with 131072 maximum context length","type":"invalid_request_error","code":"3051"}"#),
    (Auth, 401, r#"{"detail":"Unauthorized"}"#),
    (BadRequest, 400, ""),
    (TooLarge, 413, ""),
    // DeepSeek
    (Quota, 402, r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#),
    (ContextLength, 400, r#"{"error":{"message":"This model's maximum context length is 131072 tokens. However, you requested 141980 tokens (133980 in the messages, 8000 in the completion).","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#),
    (NotFound, 400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#),
    (ContentPolicy, 400, r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#),
    (BadRequest, 400, r#"{"error":{"message":"The reasoning_content in the thinking mode must be passed back to the API.","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#),
    // Groq
    (BadModelOutput, 400, r#"{"error":{"message":"Failed to call a function. Please adjust your prompt.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=a>"}}"#),
    (BadModelOutput, 400, r#"{"error":{"message":"Failed to generate JSON.","type":"invalid_request_error","code":"json_validate_failed"}}"#),
    (Quota, 429, r#"{"error":{"message":"Rate limit reached for model `x` in organization `org` on tokens per day (TPD): Limit 100000, Used 99999, Requested 20. Please try again in 16.4s.","type":"tokens","code":"rate_limit_exceeded"}}"#),
    (RateLimited, 413, r#"{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#),
    (RateLimited, 413, r#"{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000.","type":"tokens","code":null}}"#),
    (ContextLength, 400, r#"{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":null}}"#),
    (Overloaded, 498, r#"{"error":{"message":"Flex tier capacity exceeded","type":"x","code":"capacity_exceeded"}}"#),
    (Transient, 499, r#"{"error":{"message":"Request cancelled"}}"#),
    // Together
    (ContextLength, 422, r#"{"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. This model's maximum context length is 8193 tokens.","type":"invalid_request_error"}}"#),
    (Overloaded, 503, r#"{"error":{"message":"Overloaded","type":"service_unavailable"}}"#),
    (Transient, 524, ""),
    // OpenRouter
    (RateLimited, 429, r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"error_type":"rate_limit_exceeded","provider_name":"Anthropic"}},"user_id":"u"}"#),
    (Quota, 429, r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day. Add credits."}}"#),
    (RateLimited, 429, r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-min. "}}"#),
    (Quota, 402, r#"{"error":{"code":402,"message":"Insufficient credits","metadata":{"error_type":"payment_required"}}}"#),
    (Quota, 402, r#"{"error":{"code":402,"message":"No.","metadata":{"error_type":"rate_limit_exceeded"}}}"#),
    (Overloaded, 503, r#"{"error":{"code":503,"message":"No available provider meets your routing requirements","metadata":{"error_type":"provider_overloaded"}}}"#),
    (Overloaded, 502, r#"{"error":{"code":502,"message":"No.","metadata":{"error_type":"provider_overloaded"}}}"#),
    (Transient, 502, r#"{"error":{"code":502,"message":"Provider disconnected unexpectedly","metadata":{"error_type":"provider_unavailable"}}}"#),
    (NotFound, 400, r#"{"error":{"code":400,"message":"x/nope is not a valid model ID"}}"#),
    (NotFound, 404, r#"{"error":{"code":404,"message":"No endpoints found for x/y."}}"#),
    (ContextLength, 400, r#"{"error":{"code":400,"message":"No.","metadata":{"error_type":"context_length_exceeded"}}}"#),
    (ContextLength, 400, r#"{"error":{"code":400,"message":"This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens."}}"#),
    (ContentPolicy, 403, r#"{"error":{"code":403,"message":"x requires moderation on y. Your input was flagged for \"violence\"."}}"#),
    (ContentPolicy, 403, r#"{"error":{"code":403,"message":"No.","metadata":{"error_type":"refusal"}}}"#),
    (Auth, 403, r#"{"error":{"code":403,"message":"Key limit exceeded"}}"#),
    // xAI
    (BadRequest, 400, r#"{"code":"Client specified an invalid argument","error":"Argument not supported on this model: presencePenalty"}"#),
    (ContextLength, 400, r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#),
    (Auth, 400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***3. You can obtain an API key from https://console.x.ai."}"#),
    (Quota, 403, r#"{"code":"The caller does not have permission to execute the specified operation","error":"Your team has either used all available credits or reached its monthly spending limit."}"#),
    (Quota, 429, r#"{"code":"Some resource has been exhausted","error":"Your team has either used all available credits or reached its monthly spending limit."}"#),
    (RateLimited, 429, r#"{"code":"Some resource has been exhausted","error":"Too many requests"}"#),
    (ContentPolicy, 403, r#"{"code":"The caller does not have permission","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}"#),
    (ContentPolicy, 403, r#"{"code":"SAFETY_CHECK_TYPE_BIO","error":"No."}"#),
    (Auth, 403, r#"{"code":"The caller does not have permission","error":"No."}"#),
    // Cohere
    (RateLimited, 429, r#"{"message":"You are using a Trial key, which is limited to 40 API calls / minute. You can continue to use the Trial key for free."}"#),
    (Quota, 429, r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#),
    (ContextLength, 400, r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000."}"#),
    (Auth, 498, r#"{"message":"invalid token"}"#),
    (Transient, 499, r#"{"message":"request cancelled"}"#),
    // Ollama
    (RateLimited, 503, r#"{"error":{"message":"server busy, please try again.  maximum pending requests exceeded","type":"api_error","param":null,"code":null}}"#),
    (NotFound, 404, r#"{"error":{"message":"model \"nope\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#),
    (Transient, 500, r#"{"error":"llama runner process has terminated"}"#),
    (ContextLength, 500, r#"{"error":"the request exceeds the available context size, try increasing it"}"#),
    // vLLM
    (ContextLength, 400, r#"{"error":{"message":"This model's maximum context length is 32768 tokens. However, your request has 40123 input tokens. Please reduce the length of the input messages.","type":"BadRequestError","param":null,"code":400}}"#),
    (BadRequest, 400, r#"{"object":"error","message":"'max_tokens' or 'max_completion_tokens' is too large: 40000. This model's maximum context length is 32768 tokens and your request has 1000 input tokens","type":"BadRequestError","param":null,"code":400}"#),
    (NotFound, 404, r#"{"error":{"message":"The model `nope` does not exist.","type":"NotFoundError","param":null,"code":404}}"#),
    (BadRequest, 400, r#"{"object":"error","message":"older releases have no error wrapper","type":"BadRequestError","param":null,"code":400}"#),
    (Auth, 401, r#"{"error":"Unauthorized"}"#),
    // llama.cpp
    (ContextLength, 400, r#"{"error":{"code":400,"message":"no","type":"exceed_context_size_error","n_prompt_tokens":15953,"n_ctx":4096}}"#),
    (Transient, 503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
    (BadRequest, 400, r#"{"error":{"code":400,"message":"Assistant response prefill is incompatible with enable_thinking.","type":"invalid_request_error"}}"#),
    (Overloaded, 503, "no slot available"),
    // Gateways and firewalls
    (Transient, 502, "<html><head><title>502 Bad Gateway</title></head><body></body></html>"),
    (Transient, 403, "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"),
    (Auth, 403, r#"{"message":"Forbidden"}"#),
    (Auth, 403, "Forbidden"),
    (Auth, 401, "<html><title>401 Authorization Required</title></html>"),
    (RateLimited, 429, "<html><title>429 Too Many Requests</title></html>"),
    (Overloaded, 503, "upstream connect error or disconnect/reset before headers"),
    // Words of the overflow lists that stand nowhere above
    (ContextLength, 400, r#"{"error":"The prompt token count of 200000 exceeds the limit of 128000"}"#),
    (ContextLength, 400, r#"{"error":"request is greater than the context length of the model"}"#),
    (ContextLength, 400, r#"{"error":"context window exceeds limit (2013)"}"#),
    (ContextLength, 400, r#"{"error":"Your request exceeded model token limit: 262144"}"#),
    (ContextLength, 400, r#"{"error":"Context length exceeded."}"#),
    (ContextLength, 400, r#"{"error":"BadRequestError: context_length_exceeded"}"#),
    (ContextLength, 400, r#"{"error":"the model's context length is only 4096 tokens"}"#),
    (ContextLength, 400, r#"{"error":"Requested input length 5000 exceeds maximum context length 4096"}"#),
    (ContextLength, 400, r#"{"error":"input length 5000 exceeds the model's context length of 4096"}"#),
    (BadRequest, 400, r#"{"error":"max_completion_tokens is too large: 5 is over what is left of the prompt; prompt is too long"}"#),
    (BadRequest, 400, r#"{"error":"`max_output_tokens` is too large"}"#),
    (BadRequest, 400, r#"{"error":"max_tokens too large: maximum context length is 5"}"#),
];

/// Errors inside a 200: the data of one frame.
#[rustfmt::skip]
const IN_STREAM: &[(Class, &str)] = &[
    (RateLimited, r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#),
    (RateLimited, r#"{"error":{"message":"Rate limit reached on tokens per min"}}"#),
    (RateLimited, r#"{"error":{"message":"Too many requests"}}"#),
    (RateLimited, r#"{"error":{"message":"x","code":429}}"#),
    (RateLimited, r#"{"error":{"message":"Too many tokens, please wait before trying again.","type":"throttlingException"}}"#),
    (Quota, r#"{"error":{"message":"Too many tokens per day, please wait before trying again.","type":"throttlingException"}}"#),
    (Quota, r#"{"error":{"message":"x","type":"insufficient_quota"}}"#),
    (Quota, r#"{"error":{"message":"Insufficient credits"}}"#),
    (Quota, r#"{"error":{"message":"x","code":402}}"#),
    (Overloaded, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
    (Overloaded, r#"{"error":{"message":"The model is overloaded."}}"#),
    (Overloaded, r#"{"error":{"message":"x","status":"UNAVAILABLE"}}"#),
    (Overloaded, r#"{"error":{"message":"x","type":"serviceUnavailableException"}}"#),
    (Overloaded, r#"{"error":{"message":"x","type":"service_unavailable_error"}}"#),
    (Overloaded, r#"{"error":{"message":"x","code":503}}"#),
    (Overloaded, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}"#),
    (ContextLength, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#),
    (ContextLength, r#"{"error":{"message":"prompt is too long"}}"#),
    (ContentPolicy, r#"{"error":{"message":"x","code":"content_filter"}}"#),
    (ContentPolicy, r#"{"error":{"message":"the content management policy"}}"#),
    (BadModelOutput, r#"{"error":{"message":"x","code":"tool_use_failed"}}"#),
    (BadRequest, r#"{"error":{"message":"x","type":"invalid_request_error"}}"#),
    (BadRequest, r#"{"error":{"message":"x","type":"BadRequestError"}}"#),
    (BadRequest, r#"{"error":{"message":"x","type":"validationException"}}"#),
    (BadRequest, r#"{"error":{"message":"x","status":"INVALID_ARGUMENT"}}"#),
    (Auth, r#"{"error":{"message":"x","type":"authentication_error"}}"#),
    (Transient, r#"{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}"#),
    (Transient, r#"{"error":{"message":"x","type":"server_error"}}"#),
    (Transient, r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#),
    (Transient, r#"{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider disconnected unexpectedly","metadata":{"error_type":"provider_unavailable"}}}"#),
    (Transient, r#"{"error":"an error was encountered while running the model: CUDA error"}"#),
    (Transient, r#"{"x_groq":{"error":"internal"}}"#),
    (Transient, r#"{"error":{}}"#),
    (Transient, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#),
];

#[test]
fn every_known_error_is_told_by_its_body() {
    assert!(STATUSES.len() >= 120, "{}", STATUSES.len());
    for (expected, status, body) in STATUSES {
        let failure = failure(Dialect::OpenAi, *status, body.as_bytes());
        assert_eq!(
            classify(&failure),
            *expected,
            "{status} {body}\n{failure:?}"
        );
    }
}

#[test]
fn an_error_inside_a_stream_is_judged_like_a_status() {
    for (expected, data) in IN_STREAM {
        let mut found = None;
        let raw = format!("data: {data}\n\n");
        let frame = Frame {
            raw: raw.into(),
            event: None,
            data: Some(Bytes::from_static(data.as_bytes())),
            id: None,
            retry: None,
        };
        let mut sink = |event: Event<'_>| {
            if let Event::Failed(failure) = event {
                found = Some(failure);
            }
        };
        Stream::new(&Voices::alike(
            Dialect::OpenAi,
            Task::Chat,
            Delivery::Stream(UsageWish::Asked),
        ))
        .frame(&frame, &mut sink)
        .unwrap();
        let failure = found.unwrap();
        assert_eq!(classify(&failure), *expected, "{data}\n{failure:?}");
    }
}

#[test]
fn without_words_the_status_decides() {
    for status in 100..=999 {
        let expected = match status {
            401 | 403 | 407 | 451 => Auth,
            402 => Quota,
            300..=399 | 404 | 405 | 410 => NotFound,
            408 | 409 | 424 | 425 | 499 => Transient,
            413 => TooLarge,
            429 => RateLimited,
            498 | 503 | 529 => Overloaded,
            400..=498 | 501 => BadRequest,
            _ => Transient,
        };
        for body in [
            "",
            "{}",
            r#"{"error":{"message":"who knows","code":"new"}}"#,
        ] {
            let failure = failure(Dialect::OpenAi, status, body.as_bytes());
            assert_eq!(classify(&failure), expected, "{status} {body}");
        }
    }
    assert_eq!(classify(&Failure::default()), Transient);
}

/// What a client could have quoted back at it, to have a target left alone for minutes.
#[test]
fn a_client_cannot_talk_a_target_out_of_use() {
    for quoted in [
        "You have reached your specified API usage limits",
        "Your credit balance is too low",
        "insufficient balance",
        "insufficient credits",
        "too many tokens per day",
        "tokens per day (TPD)",
        "spending limit",
        "limit: 0, ",
        "API key not valid",
        "Incorrect API key provided",
        "Model Not Exist",
        "Invalid model: x",
        "x is not a valid model ID",
        "Invocation of model ID x with on-demand throughput isn't supported",
        "the provided model identifier is invalid",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
        "server busy",
        "rate_limit_exceeded",
        "overloaded_error",
        "experiencing high demand",
    ] {
        for status in [400, 413, 422] {
            let failure = Failure {
                status: Some(status),
                kind: Some("invalid_request_error".to_owned()),
                message: Some(format!("Invalid value: '{quoted}' is no number.")),
                ..Failure::default()
            };
            let class = classify(&failure);
            assert!(
                matches!(class, BadRequest | TooLarge | ContextLength),
                "{status} {quoted}: {class:?}"
            );
        }
    }
}

#[test]
fn type_code_and_finer_reasons_count_alike_whatever_their_case() {
    let word = || Some("Insufficient_QUOTA".to_owned());
    let with = |failure: Failure| {
        classify(&Failure {
            status: Some(500),
            ..failure
        })
    };
    assert_eq!(
        with(Failure {
            kind: word(),
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            code: word(),
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            reasons: word(),
            ..Failure::default()
        }),
        Quota
    );
    let second = Some("x insufficient_quota y".to_owned());
    assert_eq!(
        with(Failure {
            reasons: second,
            ..Failure::default()
        }),
        Quota
    );
    assert_eq!(
        with(Failure {
            message: word(),
            ..Failure::default()
        }),
        Transient
    );
    let near = Some("no_insufficient_quota".to_owned());
    assert_eq!(
        with(Failure {
            code: near,
            ..Failure::default()
        }),
        Transient
    );
}

#[test]
fn only_the_beginning_of_an_endless_message_is_looked_at() {
    let class = |filler: usize| {
        classify(&Failure {
            status: Some(400),
            message: Some(format!("{}Prompt Is Too Long", "é".repeat(filler))),
            ..Failure::default()
        })
    };
    assert_eq!(class(1000), ContextLength);
    assert_eq!(class(1024), BadRequest);
    assert_eq!(class(1 << 20), BadRequest);
    // A cut in the middle of a character.
    let odd = Failure {
        status: Some(400),
        message: Some(format!(
            "prompt is too long {}",
            "a".to_owned() + &"é".repeat(2000)
        )),
        ..Failure::default()
    };
    assert_eq!(classify(&odd), ContextLength);
}

/// Texts that are near to what the table knows.
fn wordish() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "insufficient_quota",
        "PerDay",
        "quotaValue:0",
        "context_length_exceeded",
        "html",
        "3505",
        "rate limit",
        "trial key",
        "/ minute",
        "per day (",
        "max_tokens",
        "is too large",
        "token",
        "maximum context length is",
        "exceeds the limit of",
        "overloaded",
        "é",
        "*",
        ".",
        "",
    ]);
    prop::collection::vec(prop_oneof![known.prop_map(str::to_owned), ".{0,8}"], 0..6)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_error_has_a_class_and_402_is_always_money(
        status in prop::option::of(100_u16..1000),
        kind in prop::option::of(wordish()),
        code in prop::option::of(wordish()),
        reasons in prop::option::of(wordish()),
        message in prop::option::of(wordish()),
    ) {
        let failure = Failure { status, kind, code, reasons, message, retry_delay: None };
        let class = classify(&failure);
        prop_assert!(Class::ALL.contains(&class));
        prop_assert_eq!(classify(&failure), class);
        let paid = Failure { status: Some(402), ..failure };
        prop_assert_eq!(classify(&paid), Quota);
    }
}
