//! `segue key`: makes client keys. A key is printed once and stored nowhere.

use std::io::{self, Read as _, Write};
use std::process::ExitCode;

use clap::Subcommand;
use zeroize::Zeroizing;

use crate::account::Digest;
use crate::cli::exit::{failed, unwritten};
use crate::hex;

/// What a key of ours begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "sk-segue-";
/// Random bytes of a key: nobody guesses 256 bits.
const RANDOM: usize = 32;
/// As long as a name in the config may be.
const LONGEST_NAME: usize = 64;
/// As long as a secret in a file may be.
const LONGEST_KEY: u64 = 64 << 10;

/// What to do with keys.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key: print it, its digest, and the lines for the configuration.
    ///
    /// The key is printed this once and stored nowhere. It goes to the client;
    /// the digest goes into the configuration.
    #[command(verbatim_doc_comment)]
    New {
        /// Its name in the configuration, for log and metrics.
        #[arg(long, value_name = "NAME", default_value = "new-key", value_parser = name)]
        name: String,
    },
    /// Print the digest of a key that is read from standard input.
    Digest,
}

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::New { name } => new(name),
        Command::Digest => digest(),
    }
}

fn new(name: &str) -> ExitCode {
    let mut bytes = Zeroizing::new([0; RANDOM]);
    if let Err(error) = getrandom::fill(bytes.as_mut()) {
        return failed(&format!("no random bytes: {error}"));
    }
    match print(name, &written(&bytes), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

/// The key of these bytes.
fn written(bytes: &[u8; RANDOM]) -> Zeroizing<String> {
    // All of the room at once: a buffer that grows leaves copies behind.
    let mut key = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * RANDOM));
    key.push_str(PREFIX);
    key.extend(hex::digits(bytes));
    key
}

fn print(name: &str, key: &str, out: &mut impl Write) -> io::Result<()> {
    let digest = Digest::of(key.as_bytes()).to_hex();
    // A JSON string is a YAML one, whatever the name looks like.
    let name = serde_json::Value::from(name);
    writeln!(
        out,
        "# For the client. It is not shown again.\n\
         {key}\n\n\
         # For the configuration.\n\
         keys:\n  - name: {name}\n    digest: sha256:{digest}"
    )
}

fn digest() -> ExitCode {
    let mut text = Zeroizing::new(String::new());
    let read = io::stdin()
        .lock()
        .take(LONGEST_KEY + 1)
        .read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > LONGEST_KEY => return failed("the key is too long"),
        Ok(_) => {}
        Err(error) => return failed(&format!("cannot read the key: {error}")),
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let key = line.strip_suffix('\r').unwrap_or(line);
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return failed("a key is one line of visible ASCII without spaces, on standard input");
    }
    let digest = Digest::of(key.as_bytes()).to_hex();
    match writeln!(io::stdout().lock(), "sha256:{digest}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

/// A name as the config takes it.
fn name(text: &str) -> Result<String, String> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if (1..=LONGEST_NAME).contains(&text.len()) && visible {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a name is 1 to {LONGEST_NAME} visible ASCII characters without spaces"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;
    use crate::config;

    #[test]
    fn the_lines_for_the_configuration_let_the_key_in() {
        for name in ["support-app", "null", "1.0", "a:#b", "\"", "\\", "{"] {
            let key = written(&[0xa5; RANDOM]);
            assert_eq!(*key, format!("sk-segue-{}", "a5".repeat(RANDOM)));
            let mut out = Vec::new();
            print(name, &key, &mut out).unwrap();
            let printed = String::from_utf8(out).unwrap();
            let lines = printed.split_once("# For the configuration.\n").unwrap().1;
            let text = format!(
                "listen: [{{address: 127.0.0.1:1}}]\n\
                 providers: {{p: {{dialect: openai, base_url: https://a.example}}}}\n\
                 routes: {{r: p/m}}\n{lines}"
            );
            let settings = config::parse(&text, Path::new(""), &|_: &str| None);
            let settings = settings.unwrap_or_else(|errors| panic!("{name}: {errors}"));
            let found = settings.keys.find(key.as_bytes(), None, SystemTime::now());
            assert_eq!(&*found.unwrap().name, name);
        }
    }

    #[test]
    fn a_name_is_one_that_the_configuration_takes() {
        assert!(name("a").is_ok() && name(&"a".repeat(64)).is_ok());
        for bad in ["", "a b", "é", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
