//! The demo from end to end, in this process: real sockets, a page in memory.

use std::sync::Arc;

use super::invite::invite;
use super::page::{Page, Paint};
use super::stage::{CONFIG, Listen, Stage, StageError};
use super::step::{CALM, Promise, STEPS};
use super::tour::{self, Verdict};
use super::{Args, loopback};
use crate::cli::client::post;
use crate::config;
use crate::edge::LogTarget;
use crate::route::Route;
use crate::sim::answer_text;
use crate::telemetry::Metrics;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::try_new("test").unwrap())
}

fn free() -> Listen {
    Listen::At(([127, 0, 0, 1], 0).into())
}

async fn tour(config: &str) -> (String, Verdict) {
    let stage = Stage::set(config, free(), metrics()).await.unwrap();
    let mut page = Vec::new();
    let verdict = tour::run(&stage, &mut Page::new(&mut page, Paint::Plain)).await;
    (String::from_utf8(page).unwrap(), verdict.unwrap())
}

/// What was measured, and ports, which differ from run to run, as `#`.
fn masked(text: &str) -> String {
    let number = |text: &str| text.parse::<f64>().is_ok();
    let mut masked = String::new();
    for line in text.lines() {
        let line = match line.rsplit_once("  ") {
            Some((said, took))
                if took
                    .strip_suffix(" ms")
                    .is_some_and(|took| number(took.trim())) =>
            {
                format!("{} # ms", said.trim_end())
            }
            _ => line.to_owned(),
        };
        let measured = ["cost  ", "the first after", "it go,", "steps as", "held-ms"];
        let measured = measured.iter().any(|part| line.contains(part));
        let mut words = line.split(' ').peekable();
        while let Some(word) = words.next() {
            let unit = words.peek().copied().unwrap_or("ms");
            let is_time = ["ms", "s"].contains(&unit.trim_end_matches([':', ',']));
            match word.split_once("127.0.0.1:") {
                Some((before, _)) => masked.extend([before, "127.0.0.1:#"]),
                None if measured && is_time && number(word) => masked.push('#'),
                None => masked.push_str(word),
            }
            masked.push(if words.peek().is_some() { ' ' } else { '\n' });
        }
    }
    masked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_goes_as_promised_and_reads_well() {
    let (page, verdict) = tour(CONFIG).await;
    assert_eq!(verdict, Verdict::Kept, "{page}");
    assert!(page.lines().all(|line| line.len() <= 100), "{page}");
    insta::assert_snapshot!(masked(&page));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_says_what_did_not_go_as_promised() {
    let config = CONFIG
        .replace("same_target: 1", "same_target: 0")
        .replace("tokens=20,delay=20ms,cut@5", "tokens=20")
        .replace("delay=20ms,cut@16", "delay=20ms,cut@15")
        .replace("retry_after=5", "retry_after=6");
    assert_ne!(config, CONFIG);
    let (page, verdict) = tour(&config).await;
    assert_eq!(verdict, Verdict::Broken);
    let [longer, shorter] = [16, 15].map(answer_text);
    let shorter = format!("the words: {shorter:?}, not {longer:?}");
    let failed: Vec<_> = page
        .lines()
        .filter(|line| line.contains("FAILED"))
        .map(|line| line.trim().split_once("  ").unwrap().1.trim())
        .map(|line| line.rsplit_once("  ").unwrap().0.trim())
        .collect();
    assert_eq!(
        failed,
        [
            r#"the attempts: "2", not "3""#,
            "byte 91 of the answer is not the provider's",
            &shorter,
            r#"retry-after: "6", not "5""#,
        ],
        "{page}"
    );
    assert!(page.contains("9 of 13 steps as promised"), "{page}");
}

#[test]
fn the_config_is_one_that_a_person_may_use() {
    let settings = config::parse(CONFIG, "conf/demo.yaml".as_ref(), &|_| None).unwrap();
    assert_eq!(settings.log.access, LogTarget::Off);
    assert_eq!(settings.listeners.len(), 1);
    for step in STEPS {
        assert!(settings.routes.get(step.model).is_some(), "{}", step.title);
        let texts = step.providers.iter().map(|(_, does)| does.len());
        assert!(
            step.means.len() < 72 && texts.max() < Some(80),
            "{}",
            step.title
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_asked_after_the_tour_is_told_in_commands_to_paste() {
    let stage = Stage::set(CONFIG, free(), metrics()).await.unwrap();
    let mut page = Vec::new();
    invite(&stage, &mut Page::new(&mut page, Paint::Plain)).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.lines().all(|line| line.len() <= 100), "{page}");
    let told = format!("curl -iN http://{}/v1/chat/completions \\\n", stage.address);
    assert_eq!(page.matches(&told).count(), 2, "{page}");
    let models = page.lines().find(|line| line.contains("models")).unwrap();
    let all = stage.routes.iter();
    assert!(all.into_iter().all(|route| models.contains(&*route.name)));
    assert!(page.contains(&format!("http://{}/status", stage.admin.unwrap())));
}

#[test]
fn a_rescue_is_measured_against_its_own_last_target() {
    let settings = config::parse(CONFIG, "conf/demo.yaml".as_ref(), &|_| None).unwrap();
    let last = |route| {
        let route: &Route = settings.routes.get(route).unwrap();
        route.targets().last().unwrap().clone()
    };
    for step in &STEPS {
        if let Promise::Rescue(_) = step.promise {
            assert_eq!(last(step.model), last(CALM), "{}", step.title);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_an_error_if_it_was_asked_for_and_else_not() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Stage::set(CONFIG, Listen::At(address), metrics()).await;
    let error = error.err().unwrap();
    assert!(matches!(error, StageError::Edge(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {address}: ")),
        "{error}"
    );
    let config = CONFIG.replace("127.0.0.1:8080", &address.to_string());
    let stage = Stage::set(&config, Listen::Usual, metrics()).await.unwrap();
    assert_ne!(stage.address, address);
}

#[test]
fn only_loopback_addresses_are_listened_on() {
    for good in ["127.0.0.1:8080", "127.1.2.3:0", "[::1]:80"] {
        assert!(loopback(good).is_ok(), "{good}");
    }
    for bad in [
        "0.0.0.0:8080",
        "[::]:80",
        "10.0.0.1:80",
        "8080",
        "localhost:80",
        "",
    ] {
        assert!(loopback(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_tour_that_was_cut_short_has_proved_nothing() {
    let args = |tour| Args { listen: None, tour };
    assert_eq!(super::cut_short(args(true)), Verdict::Broken);
    assert_eq!(super::cut_short(args(false)), Verdict::Kept);
}

#[tokio::test]
async fn the_client_takes_no_nonsense() {
    use tokio::io::AsyncWriteExt as _;

    let framed = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-le", "ended in mid-answer"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "ended in mid-answer",
        ),
        ("SSH-2.0\r\n\r\n", "not HTTP/1.1: its status line"),
        ("HTTP/1.1 200 OK\r\n\r\n", "not HTTP/1.1: its framing"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
            "larger than 1048576 bytes",
        ),
        (&format!("{framed}fffffffffffffffff\r\n"), "a chunk's size"),
        (&format!("{framed}1\r\nab\r\n"), "a chunk's end"),
    ];
    for (bytes, expected) in cases {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            // Closed with a request unread, it would be a reset.
            stream.shutdown().await.unwrap();
            tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .ok();
        };
        let ask = async {
            match post(address, "{}").await {
                Ok(mut answer) => answer.whole().await.map(<[u8]>::to_vec),
                Err(error) => Err(error),
            }
        };
        let ((), error) = tokio::join!(serve, ask);
        let error = error.unwrap_err();
        assert!(error.to_string().contains(expected), "{bytes:?}: {error}");
    }
}
