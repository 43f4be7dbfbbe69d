//! `segue schema`: prints the JSON Schema of the config file, for editors.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::exit::unwritten;
use crate::config;

/// Prints the schema.
pub fn run() -> ExitCode {
    match print(&mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

/// Writes the schema as JSON, indented, with a line end.
pub fn print(out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &config::schema())?;
    out.write_all(b"\n")
}
