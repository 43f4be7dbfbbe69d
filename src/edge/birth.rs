//! When a process began: with it, a process's number cannot be mistaken for another's.

use std::fs;

/// The field in which `/proc/PID/stat` has the time of the start, counted from 0 behind the
/// command's closing bracket (proc(5): `starttime` is the 22nd, what follows the command the 3rd).
const START: usize = 19;

/// When a process of this machine began, in clock ticks since the machine did. `None` where there
/// is no such process, or no `/proc` that shows it.
pub fn birth(pid: u32) -> Option<u64> {
    // The command may hold anything, also what is no UTF-8.
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    started(&String::from_utf8_lossy(&line))
}

fn started(line: &str) -> Option<u64> {
    let (_, fields) = line.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_was_born_once_and_one_that_is_not_there_never() {
        let own = birth(std::process::id()).unwrap();
        assert_eq!(birth(std::process::id()), Some(own));
        assert!(own >= birth(1).unwrap_or(0));
        assert_eq!(birth(u32::MAX), None);
    }

    #[test]
    fn a_command_that_looks_like_fields_is_not_taken_for_them() {
        let fields = "S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 9 0 4711 1 1";
        for name in ["segue", "a) R 1 1 1", "((", ""] {
            let line = format!("7 ({name}) {fields}");
            assert_eq!(started(&line), Some(4711), "{line}");
        }
        for line in ["", "7 segue", "7 (segue)", "7 (segue) S 1"] {
            assert_eq!(started(line), None, "{line:?}");
        }
    }
}
