//! What a reload changes at once: everything but the sockets and files that were opened at the start.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use segue::sim::{Options, Sim, server_config};

use super::{Live, chat, provider, sim};
use crate::edge_stage::{Authority, Process, shows};

const ROUTE: &str = "routes: { model: sim/m }\n";

#[tokio::test(flavor = "multi_thread")]
async fn routes_providers_and_pools() {
    let (one, two) = (sim().await, sim().await);
    let live = Live::start(&format!("{}{ROUTE}", provider(&one, "")));
    let mut client = live.client().await;
    assert_eq!(chat(&mut client, "model", "").await.status, 200);
    live.reload(&format!("{}{ROUTE}", provider(&two, "")));
    assert_eq!(chat(&mut client, "model", "").await.status, 200);
    assert_eq!((one.journal().received(), two.journal().received()), (1, 1));
    let peers = |sim: &Sim| {
        format!(
            "{}{ROUTE}",
            provider(&two, &format!(", peers: [\"{}\"]", sim.address()))
        )
    };
    live.reload(&peers(&one));
    assert_eq!(chat(&mut client, "model", "").await.status, 200);
    assert_eq!((one.journal().received(), two.journal().received()), (2, 1));
    live.reload(&format!(
        "{}routes: {{ other: sim/x }}\n",
        provider(&two, "")
    ));
    assert_eq!(chat(&mut client, "model", "").await.status, 404);
    assert_eq!(chat(&mut client, "other", "").await.status, 200);
    let entries = two.journal().entries();
    assert_eq!(entries.last().unwrap().model(), Some("x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_keys_and_what_they_may_use() {
    let sim = sim().await;
    let with = |keys: &str| format!("{}{ROUTE}keys: [{keys}]\n", provider(&sim, ""));
    let live = Live::start(&with("{ name: old, secret: old-key }"));
    let (old, new) = ("X-Api-Key: old-key\r\n", "X-Api-Key: new-key\r\n");
    assert_eq!(live.chat(old).await.status, 200);
    assert_eq!(live.chat(new).await.status, 401);
    live.reload(&with("{ name: new, secret: new-key }"));
    assert_eq!(live.chat(old).await.status, 401);
    assert_eq!(live.chat(new).await.status, 200);
    live.reload(&with("{ name: new, secret: new-key, disabled: true }"));
    assert_eq!(live.chat(new).await.status, 401);
    live.reload(&with(
        "{ name: new, secret: new-key, networks: [10.0.0.0/8] }",
    ));
    assert_eq!(live.chat(new).await.status, 401);
}

/// A route whose answers have 10 tokens, at so many dollars a million.
fn priced(sim: &Sim, output: u32, more: &str) -> String {
    format!(
        "{}routes:\n  model:\n    tiers: [[{{ target: \"sim/sim:tokens=10\", price: {{ input: 0, output: {output} }} }}]]\n{more}",
        provider(sim, "")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_limits_and_budgets_over_what_was_counted_before() {
    let sim = sim().await;
    let live = Live::start(&priced(
        &sim,
        5_000,
        "    budget: { usd: 100, per: month }\n    limits: { requests_per_minute: 100 }\n",
    ));
    for _ in 0..2 {
        let answer = live.chat("").await;
        assert_eq!(
            answer.header("x-segue-cost-usd"),
            Some("0.050000"),
            "{answer:?}"
        );
    }
    live.reload(&priced(
        &sim,
        10_000,
        "    budget: { usd: 100, per: month }\n    limits: { requests_per_minute: 100 }\n",
    ));
    let answer = live.chat("").await;
    assert_eq!(answer.header("x-segue-cost-usd"), Some("0.100000"));
    // 0.2 is spent: what is left of a quarter of a dollar is too little for what a request could cost.
    live.reload(&priced(
        &sim,
        10_000,
        "    budget: { usd: 0.25, per: month }\n    limits: { requests_per_minute: 100 }\n",
    ));
    let answer = live.chat("").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    live.reload(&priced(
        &sim,
        10_000,
        "    budget: { usd: 100, per: month }\n    limits: { requests_per_minute: 3 }\n",
    ));
    let answer = live.chat("").await;
    assert_eq!(answer.status, 429, "three were asked already: {answer:?}");
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
    live.reload(&priced(&sim, 10_000, ""));
    assert_eq!(live.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_on_what_clients_may_take() {
    let sim = sim().await;
    let with = |limits: &str| format!("{}{ROUTE}limits: {{ {limits} }}\n", provider(&sim, ""));
    let live = Live::start(&with("body: 1MiB"));
    let long = format!("X-Long: {}\r\n", "x".repeat(4_000));
    let body = |bytes: usize| {
        format!(
            r#"{{"model":"model","messages":[{{"role":"user","content":"{}"}}]}}"#,
            "x".repeat(bytes)
        )
    };
    let mut client = live.client().await;
    let ask = |bytes| crate::support::post("/v1/chat/completions", "", &body(bytes));
    client.send(&ask(4_000)).await;
    assert_eq!(client.answer().await.status, 200);
    live.reload(&with("body: 1KiB"));
    client.send(&ask(4_000)).await;
    assert_eq!(
        client.answer().await.status,
        413,
        "also on a connection that was open"
    );
    assert_eq!(live.chat(&long).await.status, 200);
    live.reload(&with("head: 2KiB"));
    assert_eq!(live.chat(&long).await.status, 431);
    drop(client);
    shows(live.admin(), "segue_connections{state=\"open\"}", 0.0).await;
    live.reload(&with("connections_per_address: 1"));
    let mut one = live.client().await;
    assert_eq!(chat(&mut one, "model", "").await.status, 200);
    assert_eq!(
        live.client().await.rest().await,
        b"",
        "the second one is closed"
    );
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_whose_files_have_changed() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    write(&ours, "sk-provider-1");
    write(&theirs, "client-key-1");
    let text = format!(
        "{}{ROUTE}keys: [{{ name: app, secret: file:theirs }}]\n",
        provider(&sim, ", credential: \"file:ours\"")
    );
    let live = Live::start_in(folder, &text);
    let mut client = live.client().await;
    for number in 1..=3 {
        write(&ours, &format!("sk-provider-{number}"));
        write(&theirs, &format!("client-key-{number}"));
        live.reload(&text);
        let fields = format!("X-Api-Key: client-key-{number}\r\n");
        assert_eq!(chat(&mut client, "model", &fields).await.status, 200);
        let entries = sim.journal().entries();
        let sent = entries.last().unwrap().header("authorization");
        assert_eq!(sent.unwrap(), format!("Bearer sk-provider-{number}"));
        let old = format!("X-Api-Key: client-key-{}\r\n", number - 1);
        assert_eq!(live.chat(&old).await.status, 401);
    }
    let connections = sim.journal().entries();
    assert!(
        connections.iter().all(|entry| entry.connection == 1),
        "another secret needs no other connection"
    );
}

/// A simulator with a certificate of this authority.
async fn secure_sim(authority: &Authority) -> Sim {
    let (leaf, key) = authority.server(&["localhost"]);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut tls = server_config(vec![leaf], key).unwrap();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Sim::start(Options {
        tls: Some(Arc::new(tls)),
        ..Options::default()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorities_that_a_provider_must_be_vouched_for_by() {
    let (right, wrong) = (Authority::new(), Authority::new());
    let sim = secure_sim(&right).await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_owned();
    right.write_root(&here, "ca.pem");
    let text = format!(
        "providers: {{ sim: {{ dialect: openai, base_url: \"https://localhost:{}/v1\", \
         peers: [\"{}\"], tls: {{ ca: ca.pem }} }} }}\n{ROUTE}",
        sim.address().port(),
        sim.address()
    );
    let live = Live::start_in(folder, &text);
    let mut client = live.client().await;
    assert_eq!(chat(&mut client, "model", "").await.status, 200);
    wrong.write_root(&here, "ca.pem");
    live.reload(&text);
    // The connection that stands was made under the old word: it is not used again.
    assert_eq!(chat(&mut client, "model", "").await.status, 502);
    assert_eq!(sim.journal().received(), 1);
    right.write_root(&here, "ca.pem");
    live.reload(&text);
    assert_eq!(chat(&mut client, "model", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_on_off_and_elsewhere() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_owned();
    let with = |samples: &str| format!("{}{ROUTE}samples: {samples}\n", provider(&sim, ""));
    let live = Live::start_in(folder, &with("off"));
    assert_eq!(live.chat("").await.status, 200);
    live.reload(&with("{ path: ./one.jsonl, share: 100% }"));
    assert_eq!(live.chat("").await.status, 200);
    live.reload(&with("{ path: ./one.jsonl, share: 0%, always: [] }"));
    assert_eq!(live.chat("").await.status, 200);
    live.reload(&with("{ path: ./two.jsonl, share: 100% }"));
    assert_eq!(live.chat("").await.status, 200);
    assert_eq!(live.chat("").await.status, 200);
    live.reload(&with("off"));
    assert_eq!(live.chat("").await.status, 200);
    *live.text.lock() = format!("{}{}", super::TOP, with("{ path: ./no/such/folder/x }"));
    let why = live.edge.reload().unwrap_err();
    assert!(why.contains("cannot open the samples"), "{why}");
    let lines = |name: &str| {
        let text = fs::read_to_string(here.join(name)).unwrap_or_default();
        text.lines().count()
    };
    // The writers of files that were left end by themselves.
    let written = async {
        while (lines("one.jsonl"), lines("two.jsonl")) != (1, 2) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(crate::support::PATIENCE, written).await;
    assert!(
        in_time.is_ok(),
        "{} {}",
        lines("one.jsonl"),
        lines("two.jsonl")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn how_much_the_log_says() {
    let sim = sim().await;
    let good = Process::config(sim.address(), "");
    let with = |level: &str| good.replace("./access.log", &format!("./access.log, level: {level}"));
    let process = Process::start(&good).await;
    let reload = async |number: f64, text: &str| {
        process.write(text);
        process.signal("HUP");
        let admin = process.admin().await;
        shows(admin, "segue_config_generation", number).await;
    };
    let said = || {
        process
            .lines()
            .iter()
            .filter(|line| line.contains("in force"))
            .count()
    };
    reload(2.0, &good).await;
    process.said("generation 2 is in force").await;
    reload(3.0, &with("error")).await;
    reload(4.0, &with("\"warn,segue::edge=info\"")).await;
    process.said("generation 4 is in force").await;
    assert_eq!(said(), 2, "{:#?}", process.lines());
    process.write(&with("inof"));
    process.signal("HUP");
    let line = process.said("the old one stays").await;
    assert!(line.contains("log.level: \"inof\" is no level"), "{line}");
}
