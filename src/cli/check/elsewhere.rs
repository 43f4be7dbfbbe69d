//! What other machines are told, as `segue check` prints it: shared counts and traces.

use std::io::{self, Write};

use super::marked::{marked, time, url};
use crate::account::shared::{SharedSettings, Transport};
use crate::config::{self, show_share};
use crate::telemetry::{Share, TraceSettings};

/// Prints where machines share their counts.
pub(super) fn print_shared(
    shared: Option<&SharedSettings>,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(shared) = shared else {
        return writeln!(out, "shared counts off (default)");
    };
    let scheme = match shared.transport {
        Transport::Plain => "redis",
        Transport::Tls => "rediss",
    };
    let user = shared.user.as_deref().unwrap_or("default");
    let password = match shared.password {
        Some(_) => "with a password",
        None => "without a password",
    };
    writeln!(
        out,
        "shared counts in {scheme}://{}:{}/{}\n  user {user}, {password}\n  timeout {}\n  prefix {}",
        shared.host,
        shared.port,
        shared.database,
        time(shared.timeout, config::SHARED_TIMEOUT),
        marked(&shared.prefix.as_str(), &config::SHARED_PREFIX)
    )
}

/// Prints where traces go.
pub(super) fn print_traces(traces: Option<&TraceSettings>, out: &mut impl Write) -> io::Result<()> {
    let Some(traces) = traces else {
        return writeln!(out, "traces off (default)");
    };
    let headers: Vec<&str> = traces
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let headers = match headers[..] {
        [] => "none (default)".to_owned(),
        _ => headers.join(", "),
    };
    writeln!(
        out,
        "traces to {}\n  share {}\n  timeout {}\n  headers {headers}",
        url(&traces.otlp),
        marked(
            &show_share(traces.share.part()),
            &show_share(Share::ALL.part())
        ),
        time(traces.timeout, config::TRACES_TIMEOUT)
    )
}
