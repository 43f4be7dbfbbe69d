//! Files in any state: half-written, swapped under the reader's eyes, gone, or no files at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use segue::config;
use segue::edge::Running;
use segue::telemetry::Metrics;

use super::{chat, sim};
use crate::edge_stage::{Authority, Process, leaf};
use crate::support::{Client, PATIENCE};

/// An edge in this process whose config is read from a file.
fn edge(path: PathBuf) -> Running {
    let read = move || config::load(&path).map_err(|errors| errors.to_string());
    let settings = read().unwrap();
    let metrics = Arc::new(Metrics::try_new("test").unwrap());
    Running::start(settings, Box::new(read), metrics).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_anywhere_is_refused_or_a_config_by_itself() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segue.yaml");
    let whole = format!(
        "{}keys: [{{ name: app, digest: \"sha256:{}\" }}]\n",
        Process::config(sim.address(), ""),
        "0".repeat(64)
    );
    fs::write(&path, &whole).unwrap();
    let edge = edge(path.clone());
    let mut generation = 1;
    let mut refused = 0;
    for end in 0..whole.len() {
        // As an editor writes that begins with an empty file: in place.
        fs::write(&path, &whole.as_bytes()[..end]).unwrap();
        match edge.reload() {
            Ok(number) => {
                generation += 1;
                assert_eq!(number, generation);
                assert!(
                    matches!(whole.as_bytes()[end], b'\n' | b'k') || whole[..end].ends_with('\n'),
                    "{}",
                    &whole[..end]
                );
            }
            Err(why) => {
                refused += 1;
                assert!(why.contains("segue.yaml:"), "{why}");
            }
        }
    }
    assert!(refused > whole.len() / 2, "{refused} of {}", whole.len());
    fs::write(&path, &whole).unwrap();
    edge.reload().unwrap();
    let mut client = Client::connect(edge.addresses()[0]).await;
    assert_eq!(
        chat(&mut client, "model", "").await.status,
        401,
        "keys are asked for"
    );
}

/// Swaps a link in one step, as `ln -sfn` does not.
fn point(link: &Path, to: &str) {
    let fresh = link.with_extension("fresh");
    symlink(to, &fresh).unwrap();
    fs::rename(fresh, link).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_swapped_by_its_link_while_it_is_read_is_never_half_taken() {
    let (sim, authority) = (sim().await, Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut leaves = Vec::new();
    // As Kubernetes mounts: every file is a link through `data`, and `data` is swapped.
    for (version, route) in [("v1", "one"), ("v2", "two")] {
        let dir = here.join(version);
        fs::create_dir(&dir).unwrap();
        leaves.push(authority.write(&dir, "a", &["localhost"]));
        let text = Process::config(sim.address(), "")
            .replace("model: sim/m", &format!("{route}: sim/m"))
            .replace("access: ./access.log", "access: off")
            .replace(
                "listen: [{ address: \"127.0.0.1:0\" }]",
                "listen: [{ address: \"127.0.0.1:0\", tls: { certificate: a.pem, key: a.key } }]",
            );
        fs::write(dir.join("segue.yaml"), text).unwrap();
    }
    point(&here.join("data"), "v1");
    for name in ["segue.yaml", "a.pem", "a.key"] {
        symlink(format!("data/{name}"), here.join(name)).unwrap();
    }
    let edge = Arc::new(edge(here.join("segue.yaml")));
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, link) = (Arc::clone(&stop), here.join("data"));
        std::thread::spawn(move || {
            let mut turn = 0_usize;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                point(&link, if turn.is_multiple_of(2) { "v1" } else { "v2" });
            }
        })
    };
    let (mut taken, mut torn) = (0, 0);
    let caller = authority.caller();
    for round in 0..200 {
        let reloading = Arc::clone(&edge);
        let result = tokio::task::spawn_blocking(move || reloading.reload())
            .await
            .unwrap();
        match result {
            Ok(_) => taken += 1,
            Err(why) => {
                torn += 1;
                let pair = why.contains("the key does not belong to the certificate");
                assert!(pair, "{why}");
            }
        }
        if round % 20 == 0 {
            // Whatever is in force, its pair is one: the handshake proves it.
            let stream = caller.call(edge.addresses()[0], "localhost").await.unwrap();
            assert!(leaves.contains(&leaf(&stream)));
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(taken > 0, "{taken} taken, {torn} torn");
    point(&here.join("data"), "v2");
    edge.reload().unwrap();
    let stream = caller.call(edge.addresses()[0], "localhost").await.unwrap();
    assert_eq!(leaf(&stream), leaves[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_refused_without_waiting_for_it() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segue.yaml");
    let text = Process::config(sim.address(), "");
    fs::write(&path, &text).unwrap();
    let edge = Arc::new(edge(path.clone()));
    let fifo = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let huge = folder.path().join("huge");
    fs::File::create(&huge).unwrap().set_len(2 << 30).unwrap();
    let loop_ = folder.path().join("loop");
    symlink("loop", &loop_).unwrap();
    for (case, to, why) in [
        ("a folder", "/", "is not a regular file"),
        ("a pipe", "fifo", "is not a regular file"),
        ("a device", "/dev/zero", "is not a regular file"),
        ("a huge file", "huge", "is larger than"),
        ("a link to itself", "loop", "cannot be read"),
        ("a link to nothing", "nothing", "cannot be read"),
    ] {
        point(&path, to);
        let reloading = Arc::clone(&edge);
        let reload = tokio::task::spawn_blocking(move || reloading.reload());
        let result = tokio::time::timeout(PATIENCE, reload).await.expect(case);
        let said = result.unwrap().unwrap_err();
        assert!(said.contains(why), "{case}: {said}");
    }
    fs::remove_file(&path).unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(edge.reload(), Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hups_in_a_second_are_few_reloads_and_the_last_file_holds() {
    let sim = sim().await;
    let config = |route: &str| {
        Process::config(sim.address(), "").replace("model: sim/m", &format!("{route}: sim/m"))
    };
    let process = Process::start(&config("first")).await;
    let pid = process.pid();
    let burst = format!("i=0; while [ $i -lt 100 ]; do kill -HUP {pid}; i=$((i+1)); done");
    process.write(&config("last"));
    let burst = Command::new("sh").args(["-c", &burst]).status().unwrap();
    assert!(burst.success());
    let admin = process.admin().await;
    let status = async || crate::edge_stage::page(admin, "/status").await.json();
    let mut client = process.client().await;
    let last = async { while chat(&mut client, "last", "").await.status != 200 {} };
    tokio::time::timeout(PATIENCE, last)
        .await
        .expect("the last file");
    let calm = async {
        loop {
            let before = status().await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let after = status().await;
            if before["reloads"] == after["reloads"]
                && after["reloads"]["begun"] == after["reloads"]["ended"]
            {
                return after;
            }
        }
    };
    let status = tokio::time::timeout(PATIENCE, calm).await.expect("an end");
    let reloads = status["reloads"]["ended"].as_u64().unwrap();
    assert!((1..=100).contains(&reloads), "{status}");
    assert_eq!(status["last_reload"]["result"], "applied");
    assert!(!process.has_ended());
}
