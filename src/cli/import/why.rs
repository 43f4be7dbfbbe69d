//! Why a key is not carried over, in a few words.

const CLIENTS: &str = "segue sends what the client sends: set it there";
const HEADERS: &str = "segue sets no headers of its own towards a provider";
const PER_ROUTE: &str = "segue sets this for a route or for all, not for a deployment";
const QUOTAS: &str = "segue keeps no budgets and no rate limits";
const SHARED: &str = "segue keeps no state outside its process";
const USERS: &str = "segue has no users, teams and virtual keys: write `keys`";
const LOGS: &str = "segue writes one access log and metrics, and calls nobody";
const ABILITIES: &str = "what a model can do is not taken from here";
const CACHE: &str = "segue keeps no answers";
const CLOUD: &str = "segue does not sign requests for a cloud";
const NONE: &str = "segue has no such setting";

/// A key of the file itself.
pub(super) fn root(key: &str) -> &'static str {
    match key {
        "include" => "files that are included are not read: import each of them",
        "guardrails" | "policies" | "policy_attachments" => "segue has no guardrails",
        "mcp_servers" | "mcp_tools" | "mcp_semantic_tool_filter" => "segue is no MCP gateway",
        "callback_settings" => LOGS,
        "files_settings" | "finetune_settings" | "assistant_settings" => {
            "segue serves chats, completions and embeddings; see `passthrough`"
        }
        "prompts" => "segue keeps no prompts",
        _ => NONE,
    }
}

/// A key of `litellm_params`, or beside it.
pub(super) fn deployment(key: &str) -> &'static str {
    match key {
        "temperature"
        | "top_p"
        | "top_k"
        | "max_tokens"
        | "max_completion_tokens"
        | "stop"
        | "seed"
        | "n"
        | "presence_penalty"
        | "frequency_penalty"
        | "response_format"
        | "tools"
        | "tool_choice"
        | "user"
        | "reasoning_effort"
        | "thinking"
        | "logit_bias"
        | "extra_body"
        | "dimensions"
        | "stream" => CLIENTS,
        "organization" | "extra_headers" | "headers" | "default_headers" => HEADERS,
        "max_retries"
        | "num_retries"
        | "cooldown_time"
        | "fallbacks"
        | "context_window_fallbacks" => PER_ROUTE,
        "rpm" | "tpm" | "max_parallel_requests" | "max_budget" | "budget_duration" => QUOTAS,
        "additional_drop_params" | "drop_params" | "allowed_openai_params" => {
            "segue drops what a target does not know; see `profile`"
        }
        "tags" => "segue does not route by tags",
        "ssl_verify" => "certificates are always verified; see `tls.ca` of a provider",
        "api_version" => "only Azure has versions",
        "tenant_id" | "client_id" | "client_secret" | "azure_username" | "azure_password"
        | "azure_scope" => {
            "segue does not fetch tokens of Entra: put one into a variable, with `auth: bearer`"
        }
        "vertex_credentials" => {
            "segue does not fetch tokens of Google: renew the variable of the provider"
        }
        _ if key.starts_with("aws_") => CLOUD,
        _ => NONE,
    }
}

/// A key of `model_info`.
pub(super) fn info(key: &str) -> &'static str {
    match key {
        "base_model" | "max_tokens" | "max_input_tokens" | "max_output_tokens"
        | "litellm_provider" => ABILITIES,
        "access_groups" | "team_id" | "team_public_model_name" => USERS,
        "supported_environments" => "it is served in every environment",
        _ if key.starts_with("supports_") => ABILITIES,
        _ if key.contains("_cost_per_") => "segue prices input and output tokens only",
        _ => NONE,
    }
}

/// A key of `litellm_settings` or `router_settings`.
pub(super) fn settings(key: &str) -> &'static str {
    match key {
        "cache"
        | "cache_params"
        | "cache_responses"
        | "enable_caching_on_provider_specific_optional_params" => CACHE,
        "callbacks"
        | "success_callback"
        | "failure_callback"
        | "service_callbacks"
        | "audit_log_callbacks"
        | "turn_off_message_logging"
        | "redact_user_api_key_info"
        | "langfuse_default_tags"
        | "json_logs"
        | "set_verbose"
        | "debug_level"
        | "s3_callback_params"
        | "prometheus_metrics_config" => LOGS,
        "redis_host" | "redis_port" | "redis_password" | "redis_db" | "redis_url"
        | "cache_kwargs" | "client_ttl" => SHARED,
        "max_budget"
        | "budget_duration"
        | "default_internal_user_params"
        | "max_internal_user_budget"
        | "default_team_settings"
        | "key_generation_settings"
        | "upperbound_key_generate_params"
        | "default_key_generate_params"
        | "default_team_params" => USERS,
        "default_max_parallel_requests" | "provider_budget_config" => QUOTAS,
        "routing_strategy_args" | "polling_interval" | "default_priority" => {
            "segue's own measures are used"
        }
        "retry_policy" | "model_group_retry_policy" => {
            "counts for a kind of error are not carried over"
        }
        "allowed_fails_policy" => "a breaker counts all failures of the target's own alike",
        "max_fallbacks" => "a chain has at most 16 targets and 16 attempts",
        "retry_after" => "segue backs off with jitter and heeds Retry-After",
        "enable_tag_filtering" | "tag_filtering_match_any" | "tag_routing" => {
            "segue does not route by tags"
        }
        "default_litellm_params" => CLIENTS,
        "force_ipv4" => "segue takes the addresses that DNS gives",
        "modify_params" => "segue translates between formats by itself",
        "mcp_aliases" => "segue is no MCP gateway",
        _ => NONE,
    }
}

/// A key of `general_settings`.
pub(super) fn general(key: &str) -> &'static str {
    match key {
        "database_url"
        | "database_connection_pool_limit"
        | "database_connection_timeout"
        | "store_model_in_db"
        | "allow_requests_on_db_unavailable"
        | "disable_spend_logs"
        | "store_prompts_in_spend_logs"
        | "proxy_batch_write_at"
        | "supported_db_objects"
        | "database_type" => "segue has no database",
        "alerting"
        | "alerting_threshold"
        | "alert_types"
        | "alerting_args"
        | "alert_to_webhook_url"
        | "spend_report_frequency" => LOGS,
        "custom_auth"
        | "enable_jwt_auth"
        | "litellm_jwtauth"
        | "enable_oauth2_auth"
        | "custom_sso"
        | "custom_key_generate"
        | "allow_user_auth"
        | "ui_access_mode"
        | "default_team_disabled"
        | "user_api_key_cache_ttl"
        | "service_account_settings"
        | "enable_oauth2_proxy_auth" => USERS,
        "pass_through_endpoints" => "see `passthrough`",
        "background_health_checks" | "health_check_interval" | "health_check_details" => {
            "see `health` of a provider"
        }
        "key_management_system"
        | "key_management_settings"
        | "use_google_kms"
        | "use_azure_key_vault" => "secrets come from env:NAME or file:PATH",
        "max_parallel_requests" => QUOTAS,
        "allowed_ips" | "use_x_forwarded_for" => "let a firewall do it, or client certificates",
        "litellm_key_header_name" => "keys come as `authorization: Bearer` or `x-api-key`",
        "completion_model" | "embedding_model" | "image_generation_model" | "moderation_model" => {
            "the client names its model"
        }
        "forward_client_headers_to_llm_api" | "forward_openai_org_id" => {
            "which headers go on to a provider is fixed"
        }
        _ => NONE,
    }
}
