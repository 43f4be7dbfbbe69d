//! The files that a configuration was read from, as they were then: enough to tell a later change.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files, each as it was when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(Vec<(PathBuf, Option<Mark>)>);

/// What changes whenever a file does. Links are followed: a mounted secret changes by another link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of its bytes, and of anything about it.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    /// The mark of an opened file.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// `None` where there is nothing, or nothing that we may look at.
    fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl Seen {
    /// Notes a file that was read.
    pub(super) fn read(&mut self, path: &Path, mark: Mark) {
        self.0.push((path.to_owned(), Some(mark)));
    }

    /// Notes a file that could not be read: that, too, may change.
    pub(super) fn missed(&mut self, path: &Path) {
        self.0.push((path.to_owned(), Mark::at(path)));
    }

    /// The same files as they are now. Blocks for as long as the file system does.
    #[must_use]
    pub fn look(&self) -> Self {
        let now = |(path, _): &(PathBuf, _)| (path.clone(), Mark::at(path));
        Self(self.0.iter().map(now).collect())
    }

    /// The first file that is not as it is in `other`, which has the same files.
    pub fn differs(&self, other: &Self) -> Option<&Path> {
        let mut pairs = self.0.iter().zip(&other.0);
        let (one, _) = pairs.find(|(one, other)| one != other)?;
        Some(&one.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_noticed_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "1").unwrap();
        fs::write(at("b"), "1").unwrap();
        symlink(at("a"), at("link")).unwrap();
        let mut seen = Seen::default();
        for name in ["link", "none"] {
            seen.missed(&at(name));
        }
        assert_eq!(seen.differs(&seen.look()), None);
        let mut changed = |case: &str, name: &str| {
            let now = seen.look();
            assert_eq!(seen.differs(&now), Some(at(name).as_path()), "{case}");
            seen = now;
            assert_eq!(seen.differs(&seen.look()), None, "{case}");
        };
        fs::write(at("a"), "22").unwrap();
        changed("written in place", "link");
        fs::rename(at("b"), at("a")).unwrap();
        changed("replaced", "link");
        fs::write(at("b"), "3").unwrap();
        symlink(at("b"), at("new")).unwrap();
        fs::rename(at("new"), at("link")).unwrap();
        changed("another link", "link");
        fs::remove_file(at("b")).unwrap();
        changed("gone", "link");
        fs::write(at("none"), "").unwrap();
        changed("there at last", "none");
    }
}
