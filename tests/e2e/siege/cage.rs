//! A control group that bounds a process's memory, as `MemoryMax` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where such groups are, the file with a group's limit, and the one that counts whom it killed: of
/// cgroups(7) version 1, and of version 2.
const KINDS: [(&str, &str, &str); 2] = [
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.oom_control",
    ),
    ("/sys/fs/cgroup", "memory.max", "memory.events"),
];

/// A group of its own. Dropped after whoever was in it, it is gone.
pub struct Cage {
    folder: PathBuf,
    kills: &'static str,
}

impl Cage {
    /// A group with a limit in bytes. `None` where this machine lets us make none, and says so.
    pub fn new(limit: u64) -> Option<Self> {
        let made = KINDS.into_iter().find_map(|(root, file, kills)| {
            let folder = Path::new(root).join(format!("segue-siege-{}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            let cage = Self { folder, kills };
            let file = cage.folder.join(file);
            // In a folder that is not a control group there is no such file.
            (file.exists() && fs::write(file, limit.to_string()).is_ok()).then_some(cage)
        });
        if made.is_none() {
            println!("NO CONTROL GROUP could be made here: nothing but the test bounds memory");
        }
        made
    }

    /// A command that runs another one inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]);
        command.arg(self.folder.join("cgroup.procs")).arg(program);
        command
    }

    /// How many were killed because there was no memory left.
    pub fn kills(&self) -> u64 {
        let counts = fs::read_to_string(self.folder.join(self.kills)).unwrap();
        let mut counts = counts.lines().filter_map(|line| line.split_once(' '));
        let kills = counts.find(|(name, _)| *name == "oom_kill").unwrap().1;
        kills.parse().unwrap()
    }
}

impl Drop for Cage {
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing rings when a group is empty, and nothing is awaited in a drop"
    )]
    fn drop(&mut self) {
        // Whoever was in it takes a moment to be gone.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
