//! Completions for the shells that people sit at, under the names that their folders want.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate};

const FILES: [(Shell, &str); 3] = [
    (Shell::Bash, "segue.bash"),
    (Shell::Zsh, "_segue"),
    (Shell::Fish, "segue.fish"),
];

/// Writes one file a shell.
pub(crate) fn write(command: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (shell, file) in FILES {
        let mut text = Vec::new();
        generate(shell, &mut command.clone(), "segue", &mut text);
        fs::write(folder.join(file), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_command() {
        let folder = tempfile::tempdir().unwrap();
        let command = segue::cli::command();
        write(&command, folder.path()).unwrap();
        for (_, file) in FILES {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            for below in command.get_subcommands() {
                assert!(text.contains(below.get_name()), "{file}: {below}");
            }
        }
    }
}
