//! Every metric's name, with its unit, and its labels. `docs/operations.md` has them in a table.
//!
//! A label's value comes from the config or from a set in the code, never from a peer.

/// A metric's name, labels and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name, its unit at the end.
    pub name: &'static str,
    /// The labels' names, in the order of their values.
    pub labels: &'static [&'static str],
    /// One line for a person.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Family =
                Family { name: $name, labels: &[$($label),*], help: $help };
        )*

        /// Every metric.
        pub const ALL: &[Family] = &[$($constant),*];
    };
}

families! {
    EXCHANGES = "segue_exchanges_total" ["route", "outcome"]
        "Exchanges that have ended.";
    ATTEMPTS = "segue_attempts_total" ["target", "outcome"]
        "Attempts that have ended: ok, or what ended them.";
    FALLBACKS = "segue_fallbacks_total" ["route", "from", "to", "reason"]
        "Times that another target was asked, and what ended the attempt before.";
    COMMITS = "segue_commits_total" ["reason"]
        "Answers whose first byte went to the client, by what opened the gate.";
    HELD = "segue_held_seconds" ["route"]
        "From the first frame of an answer that was held back to its commit.";
    DISCARDED = "segue_discarded_tokens_total" ["target"]
        "Content tokens that came and were thrown away, by the gate's count.";
    BREAKER = "segue_breaker_state" ["target"]
        "The breaker of a target: 0 closed, 1 half open, 2 open.";
    FIRST_TOKEN = "gen_ai_server_time_to_first_token_seconds" ["route"]
        "From the request to the first token of the answer that the client got.";
    DURATION = "gen_ai_server_request_duration_seconds" ["route"]
        "From the request to the end of the answer, for exchanges that asked a target.";
    TOKENS = "gen_ai_client_token_usage_total" ["route", "target", "type", "measure", "fate"]
        "Tokens that attempts took. What caches had and took is part of input, reasoning of output.";
    COST = "segue_cost_usd_total" ["route", "target", "fate"]
        "What attempts cost, in US dollars, by what became of their answers.";
    KEY_COST = "segue_key_cost_usd_total" ["key", "fate"]
        "What attempts for a client key cost, in US dollars.";
    SUSPICIOUS = "segue_suspicious_usage_total" ["target"]
        "Attempts whose provider reported token counts that cannot be.";
    IN_FLIGHT = "segue_exchanges_in_flight" []
        "Exchanges under way.";
    ABORTS = "segue_client_aborts_total" []
        "Exchanges that the client left.";
    PANICS = "segue_panics_total" []
        "Panics caught. Each is a bug.";
    CONNECTIONS = "segue_connections" ["state"]
        "Client connections.";
    REFUSED = "segue_connections_refused_total" ["reason"]
        "Client connections closed unserved.";
    BUFFERED = "segue_buffered_bytes" []
        "Request bodies and whole answers held in memory.";
    LIMIT = "segue_limit" ["limit"]
        "A limit in force, by its name in the config: a number, bytes or seconds.";
    LIMIT_REACHED = "segue_limit_reached_total" ["limit"]
        "Exchanges refused or ended, and targets left out, because a limit was reached.";
    RELOADS = "segue_config_reloads_total" ["result"]
        "Config reloads: applied or rejected.";
    GENERATION = "segue_config_generation" []
        "Number of the configuration that is served, from 1.";
    RELOAD_SUCCESSFUL = "segue_config_last_reload_successful" []
        "1 when the config file as last read is the one that is served.";
    CERTIFICATE = "segue_certificate_not_after_seconds" ["listener", "name"]
        "When a certificate expires, in seconds since 1970.";
    REVOCATION_LIST = "segue_revocation_list_not_after_seconds" ["listener"]
        "When the lists of revoked client certificates end, in seconds since 1970.";
    PEER_UP = "segue_peer_up" ["provider", "peer"]
        "1 when a provider's peer passes its checks.";
    DRAINING = "segue_draining" []
        "1 while the process finishes what is under way before it ends.";
    ACCESS_LOG_DROPPED = "segue_access_log_dropped_total" []
        "Access-log lines that found no room or could not be written.";
    SAMPLES_DROPPED = "segue_samples_dropped_total" []
        "Samples that found no room or could not be written.";
    DIAGNOSTICS_DROPPED = "segue_diagnostics_dropped_total" []
        "Diagnostic lines that found no room or could not be written.";
    BUDGET_USED = "segue_budget_used_ratio" ["scope", "quota", "period"]
        "The share of a budget that is spent or set aside, of the caller who has most of his: 1 is all.";
    BUDGET_SPENT = "segue_budget_spent_usd" ["scope", "quota", "period"]
        "What was spent of a budget in its period, all its callers together, in US dollars.";
    QUOTA_COUNTS = "segue_quota_counts" ["scope", "quota"]
        "Counts that are kept of a quota: one, or one a caller.";
    QUOTA_EVICTED = "segue_quota_counts_evicted" []
        "Counts of callers that were forgotten for others, since the start.";
    STORE_FAILING = "segue_store_failing" []
        "1 while the store of usage takes nothing.";
    STORE_ENTRIES = "segue_store_entries_total" []
        "Exchanges written to the store of usage.";
    STORE_LOST = "segue_store_lost_entries_total" []
        "Exchanges that the store of usage had no room for, or gave up.";
    STORE_WAITING = "segue_store_waiting_entries" []
        "Exchanges that wait to be written to the store of usage.";
    SHARED_UP = "segue_shared_up" []
        "1 while the counts that machines share are within reach.";
    SHARED_DECISIONS = "segue_shared_decisions_total" []
        "Attempts that the shared counts let on or refused.";
    SHARED_FALLBACKS = "segue_shared_fallbacks_total" []
        "Attempts that local counts decided, because the shared ones did not answer in time.";
    SHARED_LOST = "segue_shared_lost_total" []
        "What found no room while it waited to be told to the shared counts.";
    SPANS_EXPORTED = "segue_spans_exported_total" []
        "Spans that the collector of traces took.";
    SPANS_DROPPED = "segue_spans_dropped_total" []
        "Spans that found no room, were given up, or were not wanted by the collector.";
    SPAN_EXPORT_FAILURES = "segue_span_export_failures_total" []
        "Exports of spans that failed, each try for itself.";
    BUILD = "segue_build_info" ["version"]
        "Always 1.";
    RESIDENT = "process_resident_memory_bytes" []
        "Memory of the process that is in RAM.";
    CPU = "process_cpu_seconds_total" []
        "Processor time used, user and system.";
    OPEN_FDS = "process_open_fds" []
        "Open file descriptors.";
    MAX_FDS = "process_max_fds" []
        "The limit on open file descriptors.";
    START = "process_start_time_seconds" []
        "When the process began, in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_legal() {
        let names: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn every_metric_is_in_the_operators_table() {
        let page = include_str!("../../../docs/operations.md");
        for Family { name, labels, .. } in ALL {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{name} has no row"));
            for label in *labels {
                assert!(row.contains(&format!("`{label}`")), "{name} {label}");
            }
        }
        let rows = page.lines().filter(|line| {
            ["| `segue_", "| `gen_ai_", "| `process_"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        assert_eq!(rows.count(), ALL.len(), "a row for a metric that is gone");
    }
}
