//! Writes what a package has beside the program: man pages and completions, from the command line as
//! it is. `segue-packaging FOLDER` fills `FOLDER/man` and `FOLDER/completions`.

mod man;
mod shells;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let [folder] = &*arguments else {
        eprintln!("usage: segue-packaging FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("segue-packaging: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let command = segue::cli::command();
    man::write(&command, &folder.join("man"))?;
    shells::write(&command, &folder.join("completions"))
}
