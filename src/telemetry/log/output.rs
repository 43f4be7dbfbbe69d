//! Where a log's bytes go: a stream of the process, or a file that can be opened anew. A file of
//! bounded size makes room for itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Owner writes, group reads: log shippers are in the group. The process's umask may take more.
const MODE: u32 = 0o640;

/// Nobody but the owner: what is private.
const PRIVATE: u32 = 0o600;

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

/// How large a file becomes, and how many there are of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of one file. What is written at once is never torn in two.
    pub size: u64,
    /// Files in all, the newest included: `name`, `name.1`, `name.2` and on.
    pub files: u32,
}

/// An open [`Destination`].
pub(in crate::telemetry) struct Output {
    file: File,
    path: Option<PathBuf>,
    /// What bounds it, and its length by now.
    bound: Option<(Rotation, u64)>,
    /// The last write broke off inside a line.
    torn: bool,
}

impl Output {
    /// Opens it. A copy of the stream's descriptor is used, not std's handle: its lock and buffer
    /// would let a stopped pipe hold up everyone who prints.
    pub(in crate::telemetry) fn open(destination: Destination) -> io::Result<Self> {
        let (file, path) = match destination {
            Destination::Stdout => (duplicate(io::stdout())?, None),
            Destination::Stderr => (duplicate(io::stderr())?, None),
            Destination::File(path) => (append_to(&path, MODE)?, Some(path)),
        };
        Ok(Self {
            file,
            path,
            bound: None,
            torn: false,
        })
    }

    /// Opens a file that only its owner may read, bounded in size.
    pub(in crate::telemetry) fn private(path: PathBuf, rotation: Rotation) -> io::Result<Self> {
        let (file, length) = append_privately(&path)?;
        Ok(Self {
            file,
            path: Some(path),
            bound: Some((rotation, length)),
            torn: false,
        })
    }

    /// What is open already.
    #[cfg(test)]
    pub(super) fn of(file: File) -> Self {
        Self {
            file,
            path: None,
            bound: None,
            torn: false,
        }
    }

    /// Opens the file anew; on an error the old one stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        self.file = match &mut self.bound {
            None => append_to(path, MODE)?,
            Some((_, length)) => {
                let (file, found) = append_privately(path)?;
                *length = found;
                file
            }
        };
        self.torn = false;
        Ok(())
    }

    /// Makes room for so many bytes where the file is bounded. What finds none is not written.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let (Some((rotation, length)), Some(path)) = (&mut self.bound, &self.path) else {
            return Ok(());
        };
        if *length > 0 && length.saturating_add(bytes) > rotation.size {
            rotate(path, rotation.files)?;
            self.reopen()?;
        }
        if let Some((_, length)) = &mut self.bound {
            *length += bytes;
        }
        Ok(())
    }

    /// Writes whole lines. After an error inside a line the next call begins on a new one.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.make_room(u64::try_from(lines.len()).unwrap_or(u64::MAX))?;
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
fn append_to(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(mode)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// The file, and how long it is. One that was there already becomes private as well.
fn append_privately(path: &Path) -> io::Result<(File, u64)> {
    let file = append_to(path, PRIVATE)?;
    let found = file.metadata()?;
    if found.is_file() {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    Ok((file, found.len()))
}

/// Moves each file to the next number; the last one goes.
fn rotate(path: &Path, files: u32) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    for number in (1..files).rev() {
        match fs::rename(numbered(path, number - 1), numbered(path, number)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    if files <= 1 {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The file that has this number; the newest has 0, and no number in its name.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_file_never_passes_its_size_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.jsonl");
        fs::write(&path, "old\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let rotation = Rotation { size: 10, files: 3 };
        let mut output = Output::private(path.clone(), rotation).unwrap();
        for line in [
            "one\n",
            "two\n",
            "three\n",
            "longer than a file\n",
            "x\n",
            "y\n",
        ] {
            output.write(line.as_bytes()).unwrap();
        }
        let held: Vec<_> = (0..3)
            .map(|number| fs::read_to_string(numbered(&path, number)).unwrap())
            .collect();
        assert_eq!(held, ["x\ny\n", "longer than a file\n", "two\nthree\n"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        for number in 0..3 {
            let mode = fs::metadata(numbered(&path, number)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
        // Renamed by somebody else, and opened anew.
        fs::rename(&path, folder.path().join("taken")).unwrap();
        output.reopen().unwrap();
        output.write(b"fresh\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "fresh\n");
    }

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
