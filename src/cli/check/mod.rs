//! `segue check`: says whether a config is good, and what it comes to with all its defaults.
//!
//! Keys are shown by name only; no credential is ever printed.

mod accounts;
pub(super) mod advice;
mod elsewhere;
mod marked;
mod route;
mod samples;
mod spending;
mod store;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use self::accounts::{print_keys, print_quotas};
use self::advice::advice;
pub(super) use self::marked::url;
use self::marked::{marked, time};
use crate::cli::exit::{refused, unwritten, warned};
use crate::config::{self, show_duration, show_size};
use crate::edge::{
    ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings, LogTarget, ProviderSettings,
    Settings, TlsVersions,
};
use crate::upstream::{Balance, HealthCheck, HealthProbe, Peers};

/// Checks the file at `path`: its settings go to stdout, its mistakes and what is hardly meant to
/// stderr.
pub fn run(path: &Path) -> ExitCode {
    let settings = match config::load(path) {
        Ok(settings) => settings,
        Err(errors) => return refused(&errors),
    };
    match print(&settings, &mut io::stdout().lock()) {
        Ok(()) => {
            let mut lines = advice(&settings);
            lines.extend(spending::advice(&settings, SystemTime::now()));
            for line in lines {
                warned(&line);
            }
            ExitCode::SUCCESS
        }
        Err(error) => unwritten(&error),
    }
}

/// Writes the settings for a person to read, shipped values marked as such.
pub fn print(settings: &Settings, out: &mut impl Write) -> io::Result<()> {
    for listener in &settings.listeners {
        print_listener(listener, out)?;
    }
    match settings.admin.address {
        Some(address) => writeln!(out, "admin {}", marked(&address, &config::ADMIN))?,
        None => writeln!(out, "admin off")?,
    }
    print_keys(&settings.keys, out)?;
    for provider in &settings.providers {
        print_provider(provider, out)?;
    }
    for route in settings.routes.iter() {
        route::print(route, out)?;
        for variant in &route.variants {
            route::print(&variant.route, out)?;
            writeln!(out, "  when {}", variant.when)?;
        }
    }
    print_quotas(&settings.quotas, out)?;
    if let Some(passthrough) = &settings.passthrough {
        let paths = passthrough.paths.join(", ");
        writeln!(out, "passthrough to {}: {paths}", passthrough.provider)?;
    }
    print_limits(&settings.limits, out)?;
    print_log(&settings.log, out)?;
    samples::print(settings.samples.as_ref(), out)?;
    store::print(settings.store.as_ref(), out)?;
    elsewhere::print_shared(settings.shared.as_ref(), out)?;
    elsewhere::print_traces(settings.traces.as_ref(), out)?;
    let watch = settings.watch.map(show_duration);
    writeln!(
        out,
        "reload\n  watch {}\ndrain\n  deadline {}",
        watch.as_deref().unwrap_or("off (default)"),
        time(settings.drain, config::DRAIN)
    )
}

fn print_listener(listener: &ListenerSettings, out: &mut impl Write) -> io::Result<()> {
    match &listener.tls {
        None => writeln!(out, "listen {}: plain HTTP", listener.address),
        Some(tls) => {
            writeln!(out, "listen {}: TLS", listener.address)?;
            print_listener_tls(tls, out)
        }
    }
}

fn print_listener_tls(tls: &ListenerTls, out: &mut impl Write) -> io::Result<()> {
    let versions = match tls.versions {
        TlsVersions::From12 => "1.2 and 1.3 (default)",
        TlsVersions::Only13 => "1.3",
    };
    let http2 = if tls.http2 {
        "h2 and http/1.1 (default)"
    } else {
        "http/1.1"
    };
    let clients = match tls.client_auth {
        ClientAuth::Off => "off (default)",
        ClientAuth::Optional(_) => "optional",
        ClientAuth::Required(_) => "required",
    };
    writeln!(
        out,
        "  versions {versions}\n  protocols {http2}\n  client certificates {clients}"
    )?;
    if let Some(revoked) = &tls.revoked {
        let (path, until) = (revoked.path.display(), end(revoked.until));
        writeln!(out, "  revoked ones in {path}, until {until}")?;
    }
    for certificate in &tls.certificates {
        let names = match certificate.names.as_slice() {
            [] => "no host".to_owned(),
            names => names.join(", "),
        };
        let end = end(certificate.not_after);
        let path = certificate.path.display();
        writeln!(out, "  certificate {path} for {names}, until {end}")?;
    }
    Ok(())
}

/// When something ends, given in seconds since 1970.
fn end(seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let end = SystemTime::UNIX_EPOCH.checked_add(seconds);
    end.map_or_else(|| "never".to_owned(), httpdate::fmt_http_date)
}

fn print_provider(provider: &ProviderSettings, out: &mut impl Write) -> io::Result<()> {
    let ProviderSettings { spec, dialect, .. } = provider;
    writeln!(
        out,
        "provider {}: {}, {}",
        spec.name,
        dialect.name(),
        url(&spec.base)
    )?;
    match &spec.credential {
        Some(credential) => writeln!(out, "  credential in {}", credential.header)?,
        None => writeln!(out, "  credential none (default)")?,
    }
    match &spec.pool.peers {
        Peers::Static(peers) => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            writeln!(out, "  peers {}", peers.join(", "))?;
        }
        Peers::Dns { host, port, every } => {
            let every = time(*every, config::DNS_EVERY);
            writeln!(out, "  peers of {host}:{port} by DNS, every {every}")?;
        }
    }
    let balance = match spec.pool.balance {
        Balance::RoundRobin => "round_robin (default)",
        Balance::LeastBusy => "least_busy",
        Balance::Consistent => "consistent",
    };
    let private = if spec.pool.private_peers {
        "allowed"
    } else {
        "refused (default)"
    };
    writeln!(out, "  balance {balance}\n  private addresses {private}")?;
    match &spec.pool.health {
        None => writeln!(out, "  health none (default)")?,
        Some(check) => print_health(check, out)?,
    }
    match &spec.pool.tls {
        None => writeln!(out, "  tls none"),
        Some(tls) => {
            let ca = tls
                .ca
                .as_ref()
                .map_or("public authorities (default)", |_| "its own CA");
            let http2 = if tls.http2 {
                "h2 and http/1.1"
            } else {
                "http/1.1 (default)"
            };
            writeln!(out, "  tls for {} by {ca}, {http2}", tls.name)
        }
    }
}

fn print_health(check: &HealthCheck, out: &mut impl Write) -> io::Result<()> {
    let probe = match &check.probe {
        HealthProbe::Tcp => "tcp".to_owned(),
        HealthProbe::Tls => "tls".to_owned(),
        HealthProbe::Http(path) => format!("GET {path}"),
    };
    let (every, timeout) = (show_duration(check.every), show_duration(check.timeout));
    let (failures, successes) = (check.failures, check.successes);
    writeln!(
        out,
        "  health {probe} every {every} within {timeout}; \
         down after {failures}, up after {successes}"
    )
}

fn print_limits(limits: &Limits, out: &mut impl Write) -> io::Result<()> {
    let shipped = Limits::default();
    writeln!(out, "limits")?;
    for (name, value, shipped) in [
        ("head", limits.head, shipped.head),
        ("body", limits.body, shipped.body),
        ("buffered", limits.buffered, shipped.buffered),
        ("answer", limits.answer, shipped.answer),
        ("event", limits.event, shipped.event),
        ("body_rate", limits.body_rate, shipped.body_rate),
    ] {
        writeln!(
            out,
            "  {name} {}",
            marked(&show_size(value), &show_size(shipped))
        )?;
    }
    for (name, value, shipped) in [
        ("head_time", limits.head_time, shipped.head_time),
        ("body_time", limits.body_time, shipped.body_time),
        ("idle", limits.idle, shipped.idle),
        ("client_write", limits.client_write, shipped.client_write),
    ] {
        writeln!(out, "  {name} {}", time(value, shipped))?;
    }
    for (name, value, shipped) in [
        (
            "requests_per_connection",
            limits.requests_per_connection,
            shipped.requests_per_connection,
        ),
        ("connections", limits.connections, shipped.connections),
        (
            "connections_per_address",
            limits.connections_per_address,
            shipped.connections_per_address,
        ),
        ("exchanges", limits.exchanges, shipped.exchanges),
        (
            "exchanges_per_key",
            limits.exchanges_per_key,
            shipped.exchanges_per_key,
        ),
        (
            "attempts_per_provider",
            limits.attempts_per_provider,
            shipped.attempts_per_provider,
        ),
        ("h2_streams", limits.h2_streams, shipped.h2_streams),
    ] {
        writeln!(out, "  {name} {}", marked(&value, &shipped))?;
    }
    Ok(())
}

fn print_log(log: &LogSettings, out: &mut impl Write) -> io::Result<()> {
    let access = match &log.access {
        LogTarget::Stdout => "stdout (default)".to_owned(),
        LogTarget::Off => "off".to_owned(),
        LogTarget::File(path) => path.display().to_string(),
    };
    writeln!(
        out,
        "log\n  access {access}\n  queue {}\n  level {}",
        marked(&log.queue, &(config::QUEUE as usize)),
        marked(&log.level.as_str(), &config::LEVEL)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
listen: [{address: 127.0.0.1:8080}]
keys:
  - {name: app, secrets: [sk-canary-1, sk-canary-2]}
  - {name: batch, secret: env:BATCH, routes: [support], tags: {tier: free, team: search}, expires: 2099-12-31}
  - name: partner
    secrets: [{secret: sk-canary-5, not_after: 2099-06-30T12:00:00Z}, sk-canary-6]
    networks: [10.0.0.0/8, '2001:db8::/32']
    disabled: true
    limits: {requests_per_minute: 600, tokens_per_minute: 1000, concurrent: 5, usd_per_exchange: 0.5}
    budgets: [{usd: 50, per: day}, {usd: 200, per: week}]
quotas:
  - {name: all, for: all, budget: {usd: 5000, per: month}}
  - {name: free, for: {tag: {tier: free}}, each: key, limits: {concurrent: 1}}
  - {name: users, for: {key: app}, each: user, limits: {concurrent: 2}}
  - {name: sessions, for: {route: support}, each: session, limits: {concurrent: 3}}
accounts: {on_budget: cheapest, shared: {redis: 'rediss://10.0.0.5/2', password: sk-canary-7}}
traces: {otlp: 'https://otel.example', share: 5%, headers: {authorization: sk-canary-8}}
providers:
  openai: {dialect: openai, base_url: https://api.openai.com/v1, credential: sk-canary-4}
  local:
    dialect: openai
    base_url: http://[::1]:8000
    private_peers: true
    balance: least_busy
    health: {http: /health, every: 3s}
routes:
  draft: local/qwen
  closed: {tiers: [[local/qwen, local/qwen-2]], hold: none, breaker: off, fail_closed: true}
  support:
    tiers:
      - [openai/gpt-5.5]
      - balance: least_cost
        targets:
          - {target: local/qwen, weight: 2, limits: {rpm: 60, tpm: 9000}, timeouts: {first_token: 20s, min_rate: 2.5}}
          - {target: openai/gpt-5.5-mini, price: {input: 0.25, output: 2}}
    limits: {concurrent: 100}
    hold: {tokens: 20}
    keepalive: 15s
    deadline: 45s
    timeouts: {stall: 10s}
    retries: {max_attempts: 3}
    breaker: {failures: 5}
    hedge: {after: p95, share: 7%}
    verdicts: {auth: surface, content_policy: fall_back}
    refusals: fall_back
    refusal_texts: [I cannot help, I will not]
    checks: [json, tools]
    malformed: skip
passthrough: {provider: openai, paths: [/v1/files]}
limits: {body: 1MiB}
allow_literal_secrets: true
";

    fn printed(text: &str) -> String {
        let environment = |_: &str| Some("sk-canary-3".to_owned());
        let settings = config::parse(text, Path::new("segue.yaml"), &environment).unwrap();
        let mut out = Vec::new();
        print(&settings, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_person_can_read_what_a_config_comes_to() {
        insta::assert_snapshot!(printed(FILE));
    }

    #[test]
    fn no_secret_is_printed_whatever_its_source() {
        let environment = |_: &str| Some("sk-canary-3".to_owned());
        let settings = config::parse(FILE, Path::new("segue.yaml"), &environment).unwrap();
        let all = printed(FILE) + &format!("{settings:?}");
        assert!(!all.contains("canary"), "{all}");
    }

    /// What is said of two tiers of targets at providers of several kinds.
    fn advised(above: &str, below: &str) -> Vec<String> {
        let text = format!(
            "
listen: [{{address: 127.0.0.1:8080}}]
providers:
  openai: {{dialect: openai, base_url: https://api.openai.com/v1}}
  second: {{dialect: openai, base_url: https://api.openai.com/v1}}
  deepseek: {{dialect: openai, base_url: https://api.deepseek.com/v1}}
  own: {{dialect: openai, base_url: https://llm.example/v1}}
  local: {{dialect: openai, base_url: http://127.0.0.1:8000/v1, private_peers: true}}
routes: {{r: {{tiers: [[{above}], [{below}]]}}}}
"
        );
        let settings = config::parse(&text, Path::new("segue.yaml"), &|_: &str| None).unwrap();
        advice(&settings)
    }

    /// Two tiers, and what is said of them.
    const HARDLY_MEANT: [(&str, &str, &[&str]); 10] = [
        ("openai/gpt-5.4", "local/qwen3", &[]),
        (
            "openai/gpt-5.4",
            "deepseek/deepseek-v4-pro",
            &["cannot take over what the tier above serves: images, prompts over 1000000 tokens"],
        ),
        (
            "deepseek/deepseek-v4-pro",
            "openai/gpt-5.4-nano",
            &["prompts over 400000 tokens"],
        ),
        (
            "deepseek/deepseek-v4-pro",
            "openai/gpt-5.4",
            &[
                "deepseek/deepseek-v4-pro falls back to openai/gpt-5.4, which is dearer: 2.5 and 15 USD for a million tokens in and out, against 0.435 and 0.87",
            ],
        ),
        (
            "openai/gpt-5.4",
            "second/gpt-5.5",
            &[
                "all 2 targets are at the host api.openai.com",
                "which is dearer",
            ],
        ),
        (
            "openai/gpt-5.4, openai/gpt-5.2",
            "openai/gpt-5.4-mini",
            &[
                "all 3 targets are at the provider openai",
                "prompts over 400000 tokens",
            ],
        ),
        (
            "openai/gpt-5.4",
            "own/qwen3:latest",
            &[
                "own/qwen3:latest: its name stands for",
                "own/qwen3:latest: the model is not in the catalogue",
            ],
        ),
        (
            "openai/gpt-5.4",
            "{target: own/qwen3, capabilities: {context: 2000000}}",
            &[],
        ),
        (
            "own/qwen3",
            "openai/gpt-9",
            &[
                "own/qwen3: the model is not",
                "openai/gpt-9: the model is not",
            ],
        ),
        (
            "openai/o3",
            "{target: own/x, capabilities: {lacks: [stop]}}",
            &["openai/o3: the vendor switches the model off on 2026-12-11"],
        ),
    ];

    #[test]
    fn what_is_hardly_meant_is_told() {
        for (above, below, expected) in HARDLY_MEANT {
            let found = advised(above, below);
            let told = |text: &&str| found.iter().any(|line| line.contains(*text));
            let missing: Vec<_> = expected.iter().filter(|it| !told(it)).collect();
            assert!(
                missing.is_empty(),
                "{above}, {below}: {missing:?}\n{found:#?}"
            );
            if above.contains("5.4-mini") || expected.len() < 2 && !below.contains("nano") {
                assert_eq!(found.len(), expected.len(), "{above}, {below}: {found:#?}");
            }
        }
    }
}
