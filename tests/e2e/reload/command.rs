//! `segue reload`: it waits for the result, and the result is that of the file as it was then.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

use super::{chat, sim};
use crate::edge_stage::{Process, metric, page};

/// Runs the command for a process. It blocks.
pub fn run(config: &Path, admin: Option<SocketAddr>, environment: &[(&str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
    command.arg("reload").arg("-c").arg(config);
    if let Some(admin) = admin {
        command.args(["--admin", &admin.to_string()]);
    }
    command.env_remove("MAINPID");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

async fn reload(process: &Process) -> Output {
    let (path, admin) = (process.path("segue.yaml"), process.admin().await);
    let run = tokio::task::spawn_blocking(move || run(&path, Some(admin), &[]));
    run.await.unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_in_force_when_the_command_returns_or_it_says_why_not() {
    let sim = sim().await;
    let config = |route: &str| {
        Process::config(sim.address(), "").replace("model: sim/m", &format!("{route}: sim/m"))
    };
    let process = Process::start(&config("model")).await;
    let mut client = process.client().await;
    for number in 2..6 {
        let route = format!("route{number}");
        process.write(&config(&route));
        let output = said(&reload(&process).await);
        let expected = format!("generation {number} is in force\n");
        assert_eq!(output, (Some(0), expected));
        assert_eq!(chat(&mut client, &route, "").await.status, 200);
        process.write(&config("model").replace("routes:", "routs:"));
        let (code, text) = said(&reload(&process).await);
        assert_eq!(code, Some(1));
        assert!(text.contains("did you mean \"routes\""), "{text}");
        assert!(text.contains("the old one stays"), "{text}");
        assert_eq!(chat(&mut client, &route, "").await.status, 200);
    }
    let metrics = page(process.admin().await, "/metrics").await;
    let refused = metric(
        metrics.text(),
        "segue_config_reloads_total{result=\"rejected\"}",
    );
    assert_eq!(refused, Some(4.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_all_get_the_result_of_a_file_that_was_there() {
    let sim = sim().await;
    let config = Process::config(sim.address(), "");
    let process = Process::start(&config).await;
    let (path, admin) = (process.path("segue.yaml"), process.admin().await);
    process.write(&config.replace("model: sim/m", "other: sim/m"));
    let runs = (0..12).map(|_| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || said(&run(&path, Some(admin), &[])))
    });
    for run in runs.collect::<Vec<_>>() {
        let (code, text) = run.await.unwrap();
        assert_eq!(code, Some(0), "{text}");
    }
    let mut client = process.client().await;
    assert_eq!(chat(&mut client, "other", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_even_be_read_is_told_to_the_service_too() {
    let sim = sim().await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    process.write("{]");
    let path = process.path("segue.yaml");
    let main = [("MAINPID", process.pid().to_string())];
    let (code, text) = said(&run(&path, None, &main));
    assert_eq!(code, Some(1));
    assert!(text.contains("segue.yaml:"), "{text}");
    process.said("the old one stays").await;
}

/// One who answers at the admin listener's address as if it were this very process, born at
/// another time: were it believed, its HUP would end the test.
fn impostor(body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 1024];
        let _ = stream.read(&mut asked).unwrap();
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).unwrap();
    });
    address
}

#[test]
fn no_other_process_is_ever_signalled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segue.yaml");
    let status = |birth: &str| {
        format!(
            "{{\"readiness\": \"ready\", \"process\": {{ \"id\": {}, \"birth\": {birth} }}, \
             \"generation\": {{ \"number\": 1 }}, \"reloads\": {{ \"begun\": 0, \"ended\": 0 }}, \"last_reload\": null }}",
            std::process::id()
        )
    };
    for body in [
        status("1"),
        status("null"),
        "{}".to_owned(),
        "hello".to_owned(),
    ] {
        let (code, text) = said(&run(&path, Some(impostor(body)), &[]));
        assert_eq!(code, Some(1));
        assert!(
            text.contains("no segue that runs on this machine"),
            "{text}"
        );
    }
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (code, text) = said(&run(&path, Some(nobody), &[]));
    assert_eq!(code, Some(1));
    assert!(text.contains("cannot ask the process at"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_ending_says_so() {
    let sim = sim().await;
    sim.script("m", "tokens=inf,delay=5ms".parse().unwrap());
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut client = process.client().await;
    client.ask("\"stream\":true,").await;
    client.until("w5").await;
    process.signal("TERM");
    process.said("draining").await;
    let (code, text) = said(&reload(&process).await);
    assert_eq!(code, Some(1));
    assert!(text.contains("the process is ending"), "{text}");
    process.signal("INT");
    process.exit().await;
}
