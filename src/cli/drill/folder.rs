//! A folder of one's own for the time of a drill.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A folder that only this user gets into. Dropped, it is removed with all that is in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one among the temporary files.
    ///
    /// # Errors
    /// It cannot be made, or is there already.
    pub(super) fn make() -> io::Result<Self> {
        let number = RandomState::new().hash_one(std::process::id());
        let path = std::env::temp_dir().join(format!("segue-drill-{number:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost with what stays behind.
        let _ = fs::remove_dir_all(&self.0);
    }
}
