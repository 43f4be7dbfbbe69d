//! Where a log's bytes go: a stream of the process, or a file that can be opened anew.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Owner writes, group reads: log shippers are in the group. The process's umask may take more.
const MODE: u32 = 0o640;

/// How long to wait before asking a stopped pipe again.
const PAUSE: Duration = Duration::from_millis(10);

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to; made with mode 0640 where it is not there.
    File(PathBuf),
}

/// An open [`Destination`].
pub(super) struct Output {
    file: File,
    path: Option<PathBuf>,
    /// The last write broke off inside a line.
    torn: bool,
}

impl Output {
    /// Opens it. A copy of the stream's descriptor is used, not std's handle: its lock and buffer
    /// would let a stopped pipe hold up everyone who prints.
    pub(super) fn open(destination: Destination) -> io::Result<Self> {
        let (file, path) = match destination {
            Destination::Stdout => (duplicate(io::stdout())?, None),
            Destination::Stderr => (duplicate(io::stderr())?, None),
            Destination::File(path) => (append_to(&path)?, Some(path)),
        };
        Ok(Self {
            file,
            path,
            torn: false,
        })
    }

    /// What is open already.
    #[cfg(test)]
    pub(super) fn of(file: File) -> Self {
        Self {
            file,
            path: None,
            torn: false,
        }
    }

    /// Opens the file anew; on an error the old one stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = append_to(path)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes whole lines. After an error inside a line the next call begins on a new one.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.put(b"\n")?;
        }
        self.put(lines)
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (done, rest) = bytes.split_at_checked(written).unwrap_or((bytes, &[]));
                    self.torn = done.last() != Some(&b'\n');
                    bytes = rest;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A pipe that nobody reads now, opened by us or by our parent without blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::park_timeout(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn duplicate(stream: impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

/// Without blocking, for the open of a FIFO that nobody reads would hang the start.
fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_appended_to_and_not_readable_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        for line in ["one\n", "two\n"] {
            Output::open(Destination::File(path.clone()))
                .unwrap()
                .write(line.as_bytes())
                .unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
    }

    #[test]
    fn a_renamed_file_is_left_behind_and_a_failed_reopen_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let moved = folder.path().join("access.log.1");
        let mut output = Output::open(Destination::File(path.clone())).unwrap();
        output.write(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(output.reopen().is_err());
        output.write(b"two\n").unwrap();
        std::fs::remove_dir(&path).unwrap();
        output.reopen().unwrap();
        output.write(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_line_that_broke_off_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut output = Output::open(Destination::File(path.clone())).unwrap();
        output.put(b"half").unwrap();
        assert!(output.torn);
        output.write(b"whole\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half\nwhole\n");
    }

    #[test]
    fn a_missing_folder_is_an_error_at_the_start() {
        let error = Output::open(Destination::File("/nowhere/access.log".into()))
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
