//! The real binary, with its config in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{Client, PATIENCE};

/// A running `segue run`. Dropped, it is killed.
pub struct Process {
    pub folder: TempDir,
    pid: u32,
    lines: Arc<Mutex<Vec<String>>>,
    heard: watch::Receiver<usize>,
    gone: watch::Receiver<Option<i32>>,
    exit: watch::Receiver<Option<i32>>,
}

impl Process {
    /// Starts it with this config and this environment; does not wait.
    pub fn spawn(folder: TempDir, config: &str, environment: &[(&str, &str)]) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_segue"));
        Self::spawn_as(binary, folder, config, environment)
    }

    /// The same with another program in the binary's place, which becomes it.
    pub fn spawn_as(
        program: &Path,
        folder: TempDir,
        config: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::spawn_by(Command::new(program), folder, config, environment)
    }

    /// The same with a command that becomes the binary, arguments to come.
    pub fn spawn_by(
        mut command: Command,
        folder: TempDir,
        config: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let path = folder.path().join("segue.yaml");
        fs::write(&path, config).unwrap();
        command.args(["run", "-c"]).arg(&path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self::launch(command, folder, environment)
    }

    /// The same with any command that becomes it.
    pub fn launch(mut command: Command, folder: TempDir, environment: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (said, heard) = watch::channel(0);
        let (ended, exit) = watch::channel(None);
        let stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&lines);
        let listening = std::thread::spawn(move || listen(stderr, &kept, &said));
        let (left, gone) = watch::channel(None);
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            // A process that a signal ended has no code.
            let code = Some(status.code().unwrap_or(-1));
            left.send_replace(code);
            // A successor writes to the same pipe: this comes when all have ended.
            let _ = listening.join();
            ended.send_replace(code);
        });
        Self {
            folder,
            pid,
            lines,
            heard,
            gone,
            exit,
        }
    }

    /// Starts it and waits until it serves.
    pub async fn start(config: &str) -> Self {
        let process = Self::spawn(tempfile::tempdir().unwrap(), config, &[]);
        process.said("admin pages on").await;
        process
    }

    /// The plain config before a simulator, and further lines of it.
    pub fn config(provider: SocketAddr, extra: &str) -> String {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: ./access.log }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ model: sim/m }}\n{extra}\n"
        )
    }

    /// Replaces the config file.
    pub fn write(&self, config: &str) {
        let fresh = self.path("segue.yaml.new");
        fs::write(&fresh, config).unwrap();
        fs::rename(fresh, self.path("segue.yaml")).unwrap();
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    /// Waits for a line on standard error that has this text, from the first line on.
    pub async fn said(&self, text: &str) -> String {
        self.said_times(text, 1).await
    }

    /// Waits for the so manieth line that has this text.
    pub async fn said_times(&self, text: &str, times: usize) -> String {
        let mut heard = self.heard.clone();
        let search = async {
            loop {
                heard.borrow_and_update();
                let found = self.lines().into_iter().filter(|line| line.contains(text));
                if let Some(line) = found.into_iter().nth(times - 1) {
                    return line;
                }
                let changed = heard.changed().await;
                assert!(
                    changed.is_ok(),
                    "it ended without {text:?}: {:#?}",
                    self.lines()
                );
            }
        };
        let found = timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("no {text:?} in time: {:#?}", self.lines()))
    }

    /// All that it said on standard error.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Where it serves clients.
    pub async fn address(&self) -> SocketAddr {
        address(&self.said("listening on ").await)
    }

    /// Where its admin pages are.
    pub async fn admin(&self) -> SocketAddr {
        address(&self.said("admin pages on ").await)
    }

    /// A fresh connection to it.
    pub async fn client(&self) -> Client {
        Client::connect(self.address().await).await
    }

    /// Waits for its end, and that of its successors; the exit code, or -1 if a signal ended it.
    pub async fn exit(&self) -> i32 {
        self.ended(self.exit.clone()).await
    }

    /// Waits for the end of the process that was started; a successor may go on.
    pub async fn gone(&self) -> i32 {
        self.ended(self.gone.clone()).await
    }

    async fn ended(&self, mut end: watch::Receiver<Option<i32>>) -> i32 {
        let ended = timeout(PATIENCE, end.wait_for(Option::is_some)).await;
        let Ok(ended) = ended else {
            panic!("no end in time: {:#?}", self.lines());
        };
        ended.unwrap().unwrap()
    }

    /// The successors so far, the one that serves last.
    pub fn heirs(&self) -> Vec<u32> {
        let number = |line: &String| {
            let (_, rest) = line.split_once(": process ")?;
            let (number, _) = rest.split_once(" serves now")?;
            number.parse().ok()
        };
        self.lines().iter().filter_map(number).collect()
    }

    /// Sends a signal to the one that serves.
    pub fn signal_heir(&self, name: &str) {
        signal(self.heirs().last().copied().unwrap_or(self.pid), name);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.gone.borrow().is_some()
    }

    /// Whether its handler for INT is installed.
    pub fn catches_int(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & 1 << 1 != 0)
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that it has of its own, in bytes: without the pages of its program, which come as
    /// it runs.
    pub fn resident(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() << 10
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        all.count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for pid in self.heirs() {
            // Only what still runs in this folder is ours.
            let ours = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let folder = self.folder.path().as_os_str().as_encoded_bytes();
            if memchr::memmem::find(&ours, folder).is_some() {
                signal(pid, "KILL");
            }
        }
        if self.gone.borrow().is_none() {
            signal(self.pid, "KILL");
        }
    }
}

fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: there is no other that needs neither a tool nor unsafe code.
    let kill = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(status.success() || name == "KILL", "{kill}");
}

fn listen(stderr: impl Read, lines: &Mutex<Vec<String>>, said: &watch::Sender<usize>) {
    for line in BufReader::new(stderr).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        lines.lock().push(line);
        said.send_modify(|count| *count += 1);
    }
}

fn address(line: &str) -> SocketAddr {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
