//! A bounded queue of lines and the one thread that writes them, many with one write.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;

use crate::telemetry::line::LINE_LIMIT;

use super::output::Output;

/// A batch is written once it has this many bytes (and at most a line more), or the queue is empty.
const BATCH: usize = 64 << 10;

/// The shortest time between two complaints about one output.
const COMPLAINT_EVERY: Duration = Duration::from_secs(1);

/// Whether write errors are told in the diagnostics. Those of the diagnostics themselves cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum Complaints {
    /// At most once a second.
    Logged,
    /// Counted only.
    Silent,
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Every line was written or given up.
    All,
    /// The output took too long; lines remain.
    TimedOut,
}

/// What waits in the queue.
enum Entry {
    /// A line as it is.
    Line(Vec<u8>),
    /// A line that the writer makes: work that no request should wait for.
    Work(Work),
}

/// Makes a line, bounded by itself.
pub(in crate::telemetry) type Work = Box<dyn FnOnce() -> Vec<u8> + Send>;

impl Entry {
    fn into_line(self) -> Vec<u8> {
        match self {
            Self::Line(line) => line,
            Self::Work(work) => work(),
        }
    }
}

/// The queue's entrance. Once it is dropped, the writer ends with the last line.
pub(in crate::telemetry) struct Sink {
    queue: SyncSender<Entry>,
    accepted: AtomicU64,
    shared: Arc<Shared>,
}

struct Shared {
    dropped: IntCounter,
    reopen: AtomicBool,
    /// Lines that the writer is done with.
    finished: Mutex<u64>,
    progress: Condvar,
}

impl Sink {
    /// Starts the writer. `capacity` is in lines.
    pub(in crate::telemetry) fn start(
        name: &'static str,
        output: Output,
        capacity: usize,
        dropped: IntCounter,
        complaints: Complaints,
    ) -> io::Result<Self> {
        let (queue, lines) = sync_channel(capacity.max(1));
        let shared = Arc::new(Shared {
            dropped,
            reopen: AtomicBool::new(false),
            finished: Mutex::new(0),
            progress: Condvar::new(),
        });
        let writer = Writer {
            name,
            lines,
            output,
            shared: shared.clone(),
            complaints,
            complained: None,
        };
        // Not joined: a writer that hangs on a stopped pipe must not keep the process from ending.
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            queue,
            accepted: AtomicU64::new(0),
            shared,
        })
    }

    /// Queues a line, which ends in a newline; one that is too long is cut. Never waits: without
    /// room the line is dropped and counted.
    pub(super) fn push(&self, mut line: Vec<u8>) {
        cut(&mut line);
        self.offer(Entry::Line(line));
    }

    /// Queues a line that is still to be made, by the writer. Never waits either.
    pub(in crate::telemetry) fn push_work(&self, work: Work) {
        self.offer(Entry::Work(work));
    }

    fn offer(&self, entry: Entry) {
        if !self.accepts(entry) {
            self.shared.dropped.inc();
        }
    }

    /// Has the output opened anew before the next write.
    pub(in crate::telemetry) fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        // An empty line wakes an idle writer. With a full queue it is awake anyway.
        self.accepts(Entry::Line(Vec::new()));
    }

    fn accepts(&self, entry: Entry) -> bool {
        let sent = self.queue.try_send(entry).is_ok();
        self.accepted.fetch_add(u64::from(sent), Ordering::Relaxed);
        sent
    }

    /// Waits until the writer is done with every line accepted so far.
    pub(in crate::telemetry) fn flush(&self, at_most: Duration) -> Flushed {
        let accepted = self.accepted.load(Ordering::Relaxed);
        let mut finished = self.shared.finished.lock();
        let behind = |finished: &mut u64| *finished < accepted;
        if self
            .shared
            .progress
            .wait_while_for(&mut finished, behind, at_most)
            .timed_out()
        {
            return Flushed::TimedOut;
        }
        Flushed::All
    }
}

struct Writer {
    name: &'static str,
    lines: Receiver<Entry>,
    output: Output,
    shared: Arc<Shared>,
    complaints: Complaints,
    complained: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH + LINE_LIMIT);
        while let Ok(first) = self.lines.recv() {
            let mut number = 1;
            batch.extend_from_slice(&first.into_line());
            while batch.len() < BATCH {
                let Ok(line) = self.lines.try_recv() else {
                    break;
                };
                number += 1;
                batch.extend_from_slice(&line.into_line());
            }
            self.write(&batch);
            batch.clear();
            batch.shrink_to(BATCH + LINE_LIMIT);
            *self.shared.finished.lock() += number;
            self.shared.progress.notify_all();
        }
    }

    fn write(&mut self, batch: &[u8]) {
        if self.shared.reopen.swap(false, Ordering::Acquire)
            && let Err(error) = self.output.reopen()
        {
            self.complain("cannot open it anew", &error);
        }
        if let Err(error) = self.output.write(batch) {
            let lines = memchr::memchr_iter(b'\n', batch).count();
            self.shared
                .dropped
                .inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
            self.complain("lines are lost", &error);
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        let now = Instant::now();
        if self.complaints == Complaints::Silent || !is_due(self.complained, now) {
            return;
        }
        self.complained = Some(now);
        log::error!("{}: {what}: {error}", self.name);
    }
}

fn is_due(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= COMPLAINT_EVERY)
}

/// Cuts a line at the limit, between characters, and ends it.
fn cut(line: &mut Vec<u8>) {
    if line.len() <= LINE_LIMIT {
        return;
    }
    line.truncate(LINE_LIMIT - 1);
    let broken = line
        .utf8_chunks()
        .last()
        .map_or(0, |last| last.invalid().len());
    line.truncate(line.len() - broken);
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, Write};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::fs::OpenOptionsExt;

    use super::super::output::Destination;
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn counter() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    fn sink(output: Output, capacity: usize, dropped: &IntCounter) -> Sink {
        Sink::start(
            "test",
            output,
            capacity,
            dropped.clone(),
            Complaints::Logged,
        )
        .unwrap()
    }

    fn pipe() -> (PipeReader, Output) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Output::of(OwnedFd::from(writer).into()))
    }

    /// A pipe opened by its path, as a FIFO is.
    fn pipe_by_path() -> (PipeReader, Output) {
        let (reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        (
            reader,
            Output::open(Destination::File(path.into())).unwrap(),
        )
    }

    /// A pipe that takes nothing more: it is full of empty lines.
    fn stopped((reader, output): (PipeReader, Output)) -> (PipeReader, Output) {
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let mut open = std::fs::OpenOptions::new();
        let mut end = open
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .unwrap();
        for piece in [4096, 1] {
            while end.write(&vec![b'\n'; piece]).is_ok() {}
        }
        (reader, output)
    }

    fn number(line: u64) -> Vec<u8> {
        format!("{line:>999}\n").into_bytes()
    }

    #[test]
    fn a_stopped_pipe_costs_lines_but_nobody_waits_and_no_line_is_torn() {
        for (mut reader, output) in [pipe(), pipe_by_path()].map(stopped) {
            let dropped = counter();
            let sink = sink(output, 16, &dropped);
            for line in 0..1_000 {
                sink.push(number(line));
            }
            let lost = dropped.get();
            assert!((500..1_000).contains(&lost), "{lost}");
            assert_eq!(sink.flush(Duration::from_millis(1)), Flushed::TimedOut);
            drop(sink);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            let text = text.trim_start_matches('\n');
            assert!(text.lines().all(|line| line.len() == 999));
            let lines: Vec<u64> = text
                .lines()
                .map(|line| line.trim_start().parse().unwrap())
                .collect();
            assert_eq!(lines.len() as u64, 1_000 - lost);
            assert!(lines.is_sorted());
        }
    }

    #[test]
    fn lines_that_a_full_disk_or_a_closed_pipe_refuses_are_counted() {
        let (reader, closed) = pipe();
        drop(reader);
        let full = Output::open(Destination::File("/dev/full".into())).unwrap();
        for output in [full, closed] {
            let dropped = counter();
            let sink = sink(output, 100, &dropped);
            for line in 0..50 {
                sink.push(number(line));
            }
            assert_eq!(sink.flush(LONG), Flushed::All);
            assert_eq!(dropped.get(), 50);
        }
    }

    #[test]
    fn a_flush_waits_for_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let dropped = counter();
        let output = Output::open(Destination::File(path.clone())).unwrap();
        let sink = sink(output, 2_000, &dropped);
        let expected: Vec<u8> = (0..2_000).flat_map(number).collect();
        (0..2_000).for_each(|line| sink.push(number(line)));
        assert_eq!(sink.flush(LONG), Flushed::All);
        assert_eq!(
            (std::fs::read(&path).unwrap(), dropped.get()),
            (expected, 0)
        );
    }

    #[test]
    fn a_renamed_file_is_left_at_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let moved = folder.path().join("log.1");
        let output = Output::open(Destination::File(path.clone())).unwrap();
        let sink = sink(output, 10, &counter());
        sink.push(b"one\n".to_vec());
        sink.flush(LONG);
        std::fs::rename(&path, &moved).unwrap();
        sink.reopen();
        sink.push(b"two\n".to_vec());
        assert_eq!(sink.flush(LONG), Flushed::All);
        assert_eq!(std::fs::read(&moved).unwrap(), b"one\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
    }

    #[test]
    fn a_line_too_long_is_cut_between_characters() {
        for lead in 0..4 {
            let mut line =
                format!("{}{}\n", "x".repeat(lead), "\u{1f600}".repeat(5_000)).into_bytes();
            cut(&mut line);
            assert!(
                line.len() <= LINE_LIMIT && line.len() > LINE_LIMIT - 5,
                "{lead}"
            );
            assert!(
                String::from_utf8(line).unwrap().ends_with("\u{1f600}\n"),
                "{lead}"
            );
        }
        let mut short = b"short\n".to_vec();
        cut(&mut short);
        assert_eq!(short, b"short\n");
    }

    #[test]
    fn complaints_come_at_most_once_a_second() {
        let now = Instant::now();
        assert!(is_due(None, now));
        assert!(!is_due(Some(now), now + Duration::from_millis(999)));
        assert!(is_due(Some(now), now + COMPLAINT_EVERY));
    }
}
