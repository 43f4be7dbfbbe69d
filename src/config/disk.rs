//! Reading the files that a config names: regular, small, and never waited for.

use std::cell::RefCell;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::seen::{Mark, Seen};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// It could not be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A folder, a device, a pipe.
    #[error("is not a regular file")]
    Irregular,
    /// Larger than anything of its kind.
    #[error("is larger than {} KiB", .0 / 1024)]
    TooLarge(u64),
}

/// A file's bytes, wiped when dropped, and its permission bits.
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) mode: u32,
}

/// Reads a file, and notes how it was.
pub(super) fn read(path: &Path, most: u64, seen: &RefCell<Seen>) -> Result<Contents, FileError> {
    let opened = open(path, most);
    let mut seen = seen.borrow_mut();
    match &opened {
        Ok((_, metadata)) => seen.read(path, Mark::of(metadata)),
        Err(_) => seen.missed(path),
    }
    drop(seen);
    let (file, metadata) = opened?;
    contents(file, &metadata, most)
}

/// Opens a regular file of at most `most` bytes. Links are followed: mounted secrets are links.
/// Kind and mode are those of the opened file, so a swap in between changes nothing.
fn open(path: &Path, most: u64) -> Result<(File, Metadata), FileError> {
    // Without O_NONBLOCK a named pipe would hold up the start for ever.
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::Irregular);
    }
    if metadata.len() > most {
        return Err(FileError::TooLarge(most));
    }
    Ok((file, metadata))
}

fn contents(file: File, metadata: &Metadata, most: u64) -> Result<Contents, FileError> {
    // The whole size at once: a growing vector would leave copies behind that are not wiped.
    let room = usize::try_from(metadata.len())
        .unwrap_or(0)
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(most));
    }
    Ok(Contents {
        bytes,
        mode: metadata.permissions().mode() & 0o7777,
    })
}
