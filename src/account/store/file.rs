//! The database file: found in order, made private, checked, brought forward; moved aside if damaged.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;
use crate::units::{Day, millis};

/// How long another process's transaction is waited for.
const BUSY: Duration = Duration::from_millis(250);

/// How long the check of a file may take. One that is not through by then counts as sound: what is
/// damaged further on shows when it is met.
const CHECK: Duration = Duration::from_secs(2);

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;

/// The write-ahead log is cut to this after a checkpoint, in bytes.
const LOG_LIMIT: u32 = 16 << 20;

/// Ours, and nobody else's.
const MODE: u32 = 0o600;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder is not there, or cannot be looked at.
    #[error("the folder {} cannot be used: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anybody could put another file in its place.
    #[error("the folder {} can be written to by everybody", .0.display())]
    Exposed(PathBuf),
    /// The file cannot be made or made private.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It was written by a version too far ahead of this one.
    #[error(
        "{} was written by a newer version of segue: its tables are of version {found}, and this one \
         knows {} and reads {}; install that version, or name another file",
        path.display(), schema::VERSION, schema::VERSION + 1
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
    },
    /// It is a database, but not one of ours.
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The check found damage.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first that was found.
        what: String,
    },
    /// It is gone, or another file stands in its place.
    #[error("{} was taken away while it was written to", .0.display())]
    Gone(PathBuf),
    /// SQLite could not do what it was asked for.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The writer's thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What helps against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// Another try, with the same connection.
    Again,
    /// Another try, with the file opened anew.
    Reopen,
    /// Another file: this one is beyond use.
    Replace,
    /// A person, before the start: the settings or the file are not meant so.
    Person,
    /// Nothing: this cannot be written.
    Nothing,
}

impl StoreError {
    /// What helps against it.
    pub(super) fn cure(&self) -> Cure {
        match self {
            Self::Damaged { .. } => Cure::Replace,
            Self::Gone(_) | Self::Thread(_) => Cure::Reopen,
            Self::Folder { source, .. } | Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory => Cure::Person,
                _ => Cure::Reopen,
            },
            Self::Exposed(_) | Self::Newer { .. } | Self::Foreign(_) => Cure::Person,
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Cure::Replace,
                Some(
                    ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::SchemaChanged,
                ) => Cure::Again,
                Some(
                    ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::NoLargeFileSupport
                    | ErrorCode::NotFound,
                ) => Cure::Reopen,
                _ => Cure::Nothing,
            },
        }
    }
}

/// Whether a file is looked through before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Quick,
    None,
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) connection: Connection,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl File {
    /// Opens it, or makes it.
    pub(super) fn open(path: &Path, check: Check) -> Result<Self, StoreError> {
        let identity = prepare(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let found = version(&connection, path)?;
        if found == 0 && tables(&connection)? > 0 {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        if check == Check::Quick && found > 0 {
            look_through(&mut connection, path)?;
        }
        // WAL: readers and the writer are in nobody's way. NORMAL: no wait for the disk at each
        // transaction; what the machine's crash may take is whole transactions, the last ones.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
        schema::migrate(&mut connection, &schema::STEPS)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            identity,
        })
    }

    /// Fails when the file is no longer the one at its path: SQLite would go on writing to what
    /// nobody can open any more.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.path) {
            Ok(now) if (now.dev(), now.ino()) == self.identity => Ok(()),
            _ => Err(StoreError::Gone(self.path.clone())),
        }
    }
}

/// The version of the tables, if it is one that can be read; 0 where there are none of ours.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = schema::version(connection)?;
    if schema::is_known(found) {
        return Ok(found);
    }
    Err(StoreError::Newer {
        path: path.to_owned(),
        found,
    })
}

/// Moves a file aside, with what belongs to it; the name that it has then.
pub(super) fn move_aside(path: &Path, now: SystemTime) -> io::Result<PathBuf> {
    let second = millis(now).rem_euclid(Day(1).begins()) / 1_000;
    let time = format!(
        "{}T{:02}{:02}{:02}Z",
        Day::of(now),
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    let mut aside = with_suffix(path, &format!(".corrupt-{time}"));
    for number in 1.. {
        if !aside.exists() {
            break;
        }
        aside = with_suffix(path, &format!(".corrupt-{time}.{number}"));
    }
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Checks the folder, makes the file if it is not there, and takes it from everybody else: SQLite
/// gives the files beside it the same mode.
fn prepare(path: &Path) -> Result<(u64, u64), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let no_folder = |source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    };
    let metadata = fs::metadata(folder).map_err(no_folder)?;
    if !metadata.is_dir() {
        return Err(no_folder(io::ErrorKind::NotADirectory.into()));
    }
    // With the sticky bit, as on /tmp, nobody can rename what is another's.
    if metadata.mode() & 0o1002 == 0o002 {
        return Err(StoreError::Exposed(folder.to_owned()));
    }
    let no_file = |source| StoreError::File {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(MODE);
    // Without O_NONBLOCK a named pipe would hold up the start for ever.
    let file = options
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(no_file)?;
    let metadata = file.metadata().map_err(no_file)?;
    if !metadata.is_file() {
        return Err(no_file(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.mode() & 0o077 != 0 {
        log::warn!("{} could be read by others; now it cannot", path.display());
        let mode = Permissions::from_mode(MODE);
        file.set_permissions(mode).map_err(no_file)?;
    }
    Ok((metadata.dev(), metadata.ino()))
}

fn tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

/// Looks for damage, for a bounded time.
fn look_through(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let until = Instant::now() + CHECK;
    let is_over = move || Instant::now() >= until;
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over))?;
    let found: rusqlite::Result<String> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(what) => Err(StoreError::Damaged {
            path: path.to_owned(),
            what,
        }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            log::info!("{} is too large to be checked at the start", path.display());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
