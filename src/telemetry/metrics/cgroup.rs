//! The memory that the process's control group may take.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are, by every convention there is.
const ROOT: &str = "/sys/fs/cgroup";

/// What the kernel writes where nothing is limited: the greatest number of whole pages.
const UNLIMITED: u64 = i64::MAX as u64 - 4096;

/// The memory limit of the process's control group or of one above it, the lowest of them, in
/// bytes; `None` where there is none or it cannot be read.
pub fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    lowest(&groups, &|path| fs::read_to_string(path).ok())
}

/// `groups` is `/proc/self/cgroup` (cgroups(7)): `0::PATH` for version 2, `N:memory:PATH` for 1.
fn lowest(groups: &str, read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or_default(), fields.next());
        let path = Path::new(path.unwrap_or("/").trim_start_matches('/'));
        let (root, file) = match controllers {
            "" => (PathBuf::from(ROOT), "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                (Path::new(ROOT).join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let groups = path.ancestors().map(|group| root.join(group).join(file));
        groups.filter_map(|file| limit(&read(&file)?)).collect()
    });
    limits.min()
}

fn limit(text: &str) -> Option<u64> {
    // Version 2 says `max` where there is none.
    let limit = text.trim().parse().ok()?;
    (limit < UNLIMITED).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        lowest(groups, &|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_lowest_limit_from_the_group_up_holds() {
        let unit = "/sys/fs/cgroup/system.slice/segue.service/memory.max";
        let slice = "/sys/fs/cgroup/system.slice/memory.max";
        let groups = "0::/system.slice/segue.service\n";
        for (own, above, expected) in [
            ("1073741824\n", "max\n", Some(1 << 30)),
            ("1073741824\n", "536870912\n", Some(512 << 20)),
            ("max\n", "max\n", None),
            ("", "nonsense", None),
        ] {
            assert_eq!(found(groups, &[(unit, own), (slice, above)]), expected);
        }
        assert_eq!(found(groups, &[]), None);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let files = [("/sys/fs/cgroup/memory.max", "268435456\n")];
        assert_eq!(found("0::/\n", &files), Some(256 << 20));
    }

    #[test]
    fn the_first_version_has_a_tree_for_memory_and_a_number_for_none() {
        let groups = "9:name=systemd:/a\n4:cpu,memory:/box\n0::/\n";
        let own = "/sys/fs/cgroup/memory/box/memory.limit_in_bytes";
        assert_eq!(found(groups, &[(own, "1048576\n")]), Some(1 << 20));
        assert_eq!(found(groups, &[(own, "9223372036854771712\n")]), None);
        assert_eq!(found("2:cpuset:/\n", &[(own, "1")]), None);
    }
}
