//! Good files, and what they come to.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{LISTEN, PROVIDERS, ROUTES, good_provider, provider, read, route, top};
use crate::account::RouteScope;
use crate::account::store::OnFailure;
use crate::config::load;
use crate::edge::{Drills, Limits, LogTarget, Settings};
use crate::exchange::Dialect;
use crate::route::Policy;
use crate::units::ByteSize;
use crate::upstream::{Balance, HealthCheck, HealthProbe, Peers};

fn good(text: &str) -> Settings {
    read(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn only_named_keys_may_ask_for_trouble_where_there_are_keys() {
    let drills = |rest: &str| good(&top(rest)).drills;
    assert_eq!(drills(""), Drills::Off);
    assert_eq!(drills("drills: {}\n"), Drills::Off);
    assert_eq!(drills("drills: {allow_header: true}\n"), Drills::Anybody);
    let keys = "keys: [{name: k, secret: env:GOOD}]\n";
    assert_eq!(
        drills(&format!(
            "{keys}drills: {{allow_header: true, keys: [k]}}\n"
        )),
        Drills::Of(["k".into()].into())
    );
    assert_eq!(
        drills(&format!("{keys}drills: {{keys: [k]}}\n")),
        Drills::Off
    );
}

#[test]
fn the_shortest_file_gets_every_default() {
    let settings = good(&top(""));
    assert_eq!(settings.listeners.len(), 1);
    assert!(settings.listeners[0].tls.is_none());
    assert_eq!(
        settings.admin.address,
        Some("127.0.0.1:9464".parse().unwrap())
    );
    assert!(settings.keys.is_empty());
    assert!(settings.passthrough.is_none());
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(
        (settings.log.access, settings.log.queue),
        (LogTarget::Stdout, 8192)
    );
    assert_eq!(settings.drain, s(600));
    let provider = &settings.providers[0];
    assert_eq!(provider.dialect, Dialect::OpenAi);
    assert!(provider.spec.credential.is_none());
    let pool = &provider.spec.pool;
    let every = s(30);
    assert_eq!(
        pool.peers,
        Peers::Dns {
            host: "a.example".to_owned(),
            port: 443,
            every
        }
    );
    assert_eq!(
        (pool.balance, pool.health.clone()),
        (Balance::RoundRobin, None)
    );
    let tls = pool.tls.clone().unwrap();
    assert_eq!(
        (tls.name.as_str(), tls.ca, tls.http2),
        ("a.example", None, false)
    );
    assert!(!pool.private_peers);
    let route = settings.routes.get("r").unwrap();
    assert_eq!(route.policy, Policy::default());
    assert_eq!(route.tiers.len(), 1);
    assert_eq!(route.targets().next().unwrap().name.as_ref(), "a/m");
}

#[test]
fn a_model_may_hold_slashes_and_a_route_may_be_written_in_four_ways() {
    for text in [
        "a/org/model:free",
        "{tiers: [[a/org/model:free]]}",
        "{tiers: [{targets: [a/org/model:free]}]}",
        "{tiers: [[{target: a/org/model:free}]]}",
    ] {
        let settings = good(&route(text));
        let target = settings
            .routes
            .get("r")
            .unwrap()
            .targets()
            .next()
            .unwrap()
            .clone();
        assert_eq!(
            (target.provider.as_ref(), target.model.as_ref()),
            ("a", "org/model:free")
        );
        assert_eq!(target.name.as_ref(), "a/org/model:free");
    }
}

#[test]
fn a_route_may_have_any_visible_name() {
    let names = ["gpt-5.5", "org/model", "a:b@c", "\"1.0\"", "true_"];
    for name in names {
        let text = format!("{LISTEN}{PROVIDERS}routes: {{{name}: a/m}}\n");
        assert!(
            good(&text).routes.get(name.trim_matches('"')).is_some(),
            "{name}"
        );
    }
}

#[test]
fn peers_are_the_operators_own_word() {
    let fixed = |text: &str| match good(text).providers[0].spec.pool.peers.clone() {
        Peers::Static(peers) => peers,
        Peers::Dns { .. } => panic!("{text}"),
    };
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let text = good_provider("peers: [10.0.0.5:8000, '[fd00::5]:8000', 127.0.0.1:1]\n");
    let expected = [
        address("10.0.0.5:8000"),
        address("[fd00::5]:8000"),
        address("127.0.0.1:1"),
    ];
    assert_eq!(fixed(&text), expected);
    let url = |url: &str| provider(&format!("{{dialect: openai, base_url: '{url}'}}"));
    assert_eq!(fixed(&url("https://1.1.1.1/v1")), [address("1.1.1.1:443")]);
    assert_eq!(
        fixed(&url("http://[2606:4700::1]:81")),
        [address("[2606:4700::1]:81")]
    );
    let private = "{dialect: openai, base_url: 'http://127.0.0.1:9', private_peers: true}";
    let settings = good(&provider(private));
    assert!(settings.providers[0].spec.pool.private_peers);
    assert!(settings.providers[0].spec.pool.tls.is_none());
    let with_peers = "{dialect: openai, base_url: 'https://10.0.0.1', peers: [10.0.0.2:1]}";
    assert_eq!(fixed(&provider(with_peers)), [address("10.0.0.2:1")]);
}

#[test]
fn a_health_check_has_defaults_that_fit() {
    let check = |text: &str| {
        good(&good_provider(text)).providers[0]
            .spec
            .pool
            .health
            .clone()
    };
    let expected = |probe, every, timeout| {
        Some(HealthCheck {
            probe,
            every,
            timeout,
            failures: 3,
            successes: 2,
        })
    };
    assert_eq!(
        check("health: {tcp: true}\n"),
        expected(HealthProbe::Tcp, s(5), s(2))
    );
    assert_eq!(
        check("health: {tls: true, every: 1s}\n"),
        expected(HealthProbe::Tls, s(1), s(1))
    );
    let http = HealthProbe::Http("/health?deep=0".to_owned());
    assert_eq!(
        check("health: {http: /health?deep=0}\n"),
        expected(http, s(5), s(2))
    );
}

#[test]
fn keys_are_found_by_secret_and_by_digest() {
    let digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let keys = format!(
        "keys:\n  - {{name: one, secrets: [env:GOOD], routes: [r]}}\n  \
         - {{name: two, digests: ['sha256:{digest}']}}\n"
    );
    let open = "listen: [{address: 0.0.0.0:80}, {address: '[::]:80'}, {address: 127.0.0.1:0}]\n";
    let settings = good(&format!("{open}{PROVIDERS}{ROUTES}{keys}"));
    let one = settings
        .keys
        .find(b"sk-good-canary", None, SystemTime::now())
        .unwrap();
    assert_eq!(one.name.as_ref(), "one");
    assert_eq!(one.routes, RouteScope::Only(["r".into()].into()));
    let two = settings.keys.find(b"foo", None, SystemTime::now()).unwrap();
    assert_eq!(
        (two.name.as_ref(), two.routes.clone()),
        ("two", RouteScope::All)
    );
    assert!(settings.keys.find(b"bar", None, SystemTime::now()).is_err());
}

#[test]
fn small_budgets_cut_the_defaults_below_them() {
    let limits = good(&top(
        "limits: {buffered: 8MiB, connections: 10, exchanges: 9}\n",
    ))
    .limits;
    let eight = ByteSize::mib(8);
    assert_eq!(
        (limits.body, limits.answer, limits.event),
        (eight, eight, eight)
    );
    assert_eq!(
        (limits.connections_per_address, limits.exchanges_per_key),
        (10, 9)
    );
}

#[test]
fn admin_and_log_can_be_switched_off() {
    let settings = good(&top("admin: off\nlog: {access: off}\n"));
    assert_eq!(
        (settings.admin.address, settings.log.access),
        (None, LogTarget::Off)
    );
    let settings = good(&top("admin: {}\nlog: {access: ./access.log, queue: 1}\n"));
    assert_eq!(settings.admin.address, Some(crate::config::ADMIN));
    assert_eq!(settings.log.access, LogTarget::File("./access.log".into()));
}

#[test]
fn json_is_good_yaml() {
    let text = r#"{"listen": [{"address": "127.0.0.1:8080"}],
        "providers": {"a": {"dialect": "openai", "base_url": "https://a.example"}},
        "routes": {"r": "a/m"}, "limits": {"exchanges": 7}, "allow_literal_secrets": true}"#;
    assert_eq!(good(text).limits.exchanges, 7);
}

#[test]
fn a_file_is_read_once_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segue.yaml");
    let error = |path: &Path| load(path).unwrap_err().to_string();
    assert!(
        error(&path).ends_with(
            "segue.yaml: the file cannot be read: No such file or directory (os error 2)"
        )
    );
    assert!(error(folder.path()).ends_with(": the file is not a regular file"));
    std::fs::write(&path, b"listen: \xff").unwrap();
    assert!(error(&path).ends_with("segue.yaml: the file is not UTF-8"));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(error(&path).ends_with("segue.yaml: the file is larger than 1024 KiB"));
    assert!(read(&"#".repeat((1 << 20) + 1)).is_err());
    std::fs::write(&path, top("")).unwrap();
    assert!(load(&path).is_ok());
}

#[test]
fn usage_is_kept_where_the_file_or_systemd_says() {
    let store = |text: &str, folder: Option<&str>| {
        let environment = |name: &str| {
            folder
                .filter(|_| name == "STATE_DIRECTORY")
                .map(str::to_owned)
        };
        let settings = crate::config::parse(&top(text), Path::new("/etc/segue.yaml"), &environment);
        settings.unwrap_or_else(|errors| panic!("{errors}")).store
    };
    let path = |text: &str, folder| store(text, folder).map(|store| store.path);
    let systemd = Some("/var/lib/a:/var/lib/b");
    assert_eq!(store("", None), None);
    assert_eq!(path("", systemd), Some("/var/lib/a/usage.db".into()));
    assert_eq!(
        path("accounts: {}", systemd),
        Some("/var/lib/a/usage.db".into())
    );
    assert_eq!(path("accounts: {store: off}", systemd), None);
    assert_eq!(
        path("accounts: {store: {}}", None),
        Some("/var/lib/segue/usage.db".into())
    );
    assert_eq!(
        path("accounts: {store: {path: ./u.db}}", systemd),
        Some("/etc/./u.db".into())
    );
    let set = store(
        "accounts: {store: {retention: 2d, on_failure: stop}}",
        systemd,
    )
    .unwrap();
    assert_eq!(
        (set.retention, set.on_failure),
        (s(2 * 86_400), OnFailure::Stop)
    );
}

#[test]
fn whoever_only_reads_usage_needs_no_secret_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segue.yaml");
    let path = |text: &str| {
        std::fs::write(&file, text).unwrap();
        crate::config::store_path(&file)
    };
    let secret = "keys: [{name: a, secret: env:NOWHERE}]\n";
    let on = format!("{secret}accounts: {{waste: route, store: {{path: ./u.db}}}}\n");
    assert_eq!(path(&on).unwrap(), Some(folder.path().join("./u.db")));
    assert_eq!(
        path(secret).unwrap(),
        Some("/var/lib/segue/usage.db".into())
    );
    assert_eq!(path("accounts: {store: off}\n").unwrap(), None);
    assert!(path("accounts: {store: {path: u.db}}\n").is_err());
    assert!(path("nonsense").is_err());
}
