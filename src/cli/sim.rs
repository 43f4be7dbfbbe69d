//! `segue sim`: the provider simulator as a program, for rehearsing an outage.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::address;
use crate::cli::exit::failed;
use crate::sim::{Entry, Journal, Options, Scenario, Script, Sim, server_config, to_json};

/// What follows the options in the help.
const EXAMPLES: &str = "\
Examples:
  segue sim                                   every model gives a good answer
  segue sim --model '*=status=503,retry_after=5'
  segue sim --model 'flaky=tokens=40,delay=20ms,cut@12'

docs/simulator.md has all the words of a script.";

/// The arguments of `segue sim`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to listen; may be repeated
    /// [default: the scenario's, else 127.0.0.1:9000]
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse, verbatim_doc_comment)]
    pub listen: Vec<SocketAddr>,
    /// What a model does, e.g. flaky=status=503; the
    /// name * stands for all models; may be repeated
    #[arg(long = "model", value_name = "NAME=SCRIPT", value_parser = scripted, verbatim_doc_comment)]
    pub models: Vec<(String, Script)>,
    /// A YAML file of addresses, models and scripts
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Append every finished request to this file, one
    /// JSON object a line
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub journal: Option<PathBuf>,
    /// Requests to remember; 0 is fastest
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub keep: usize,
    /// Speak TLS with this certificate chain (PEM),
    /// HTTP/2 too
    #[arg(long, value_name = "FILE", requires = "tls_key", verbatim_doc_comment)]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Why the simulator did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
enum SimError {
    #[error("{path}: {source}")]
    Scenario {
        path: PathBuf,
        source: crate::sim::ScenarioError,
    },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path}: no {what} can be read from it: {source}")]
    Pem {
        path: PathBuf,
        what: &'static str,
        source: pem::Error,
    },
    #[error("the certificate and its key: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Listen(io::Error),
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
}

/// Runs until interrupted or terminated.
pub fn run(args: Args) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn start(args: Args) -> Result<(), SimError> {
    let journal = match &args.journal {
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            Some(file.map_err(|source| SimError::File {
                path: path.clone(),
                source,
            })?)
        }
        None => None,
    };
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(SimError::Runtime)?;
    runtime.block_on(serve(options, journal))
}

async fn serve(options: Options, file: Option<File>) -> Result<(), SimError> {
    // Heard from before the port is open: whoever sees it may send a signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SimError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(SimError::Signals)?;
    let greeting = Greeting::of(&options);
    let sim = Sim::start(options).await.map_err(SimError::Listen)?;
    let journal = sim.journal().clone();
    let writing = file.map(|file| {
        let ended = journal.subscribe();
        tokio::spawn(write_journal(file, journal.clone(), ended))
    });
    // For people, and for scripts that wait for the first line; nobody has to read it.
    let _ = greeting.write(sim.addresses(), &mut io::stdout().lock());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    journal.unsubscribe();
    if let Some(writing) = writing {
        // It ends with its queue; a panic in it has been reported already.
        let _ = writing.await;
    }
    Ok(())
}

/// What is said once the port is open.
#[derive(Debug)]
struct Greeting {
    scheme: &'static str,
    /// curl's flags.
    flags: &'static str,
    /// The model of the example.
    model: String,
}

impl Greeting {
    fn of(options: &Options) -> Self {
        // Of a name with other characters, a shell or JSON would make something else.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        let mut names = options.scripts.iter().map(|(name, _)| name);
        let model = names.find(|name| !name.starts_with('/') && name.bytes().all(plain));
        let (scheme, flags) = match options.tls {
            Some(_) => ("https", "-kN"),
            None => ("http", "-N"),
        };
        Self {
            scheme,
            flags,
            model: model.map_or_else(
                || "sim:tokens=40,delay=50ms,cut@12".to_owned(),
                Clone::clone,
            ),
        }
    }

    fn write(&self, addresses: &[SocketAddr], out: &mut impl Write) -> io::Result<()> {
        let Self {
            scheme,
            flags,
            model,
        } = self;
        for address in addresses {
            writeln!(out, "listening on {scheme}://{address}/v1")?;
        }
        let Some(address) = addresses.first() else {
            return Ok(());
        };
        writeln!(
            out,
            "\n  curl {flags} {scheme}://{address}/v1/chat/completions \\\n    \
             -d '{{\"model\":\"{model}\",\"stream\":true}}'\n\n  \
             scripts  a model's name may be one: sim:status=503 (docs/simulator.md)\n  \
             journal  {scheme}://{address}/_sim/journal"
        )?;
        out.flush()
    }
}

/// Writes entries as they end; flushed whenever there is none to write.
async fn write_journal(
    file: File,
    journal: Arc<Journal>,
    mut ended: tokio::sync::mpsc::Receiver<Arc<Entry>>,
) {
    let mut file = BufWriter::new(file);
    while let Some(entry) = ended.recv().await {
        let line = to_json(&entry, &journal);
        let written = writeln!(file, "{line}").and_then(|()| {
            if ended.is_empty() {
                file.flush()
            } else {
                Ok(())
            }
        });
        if let Err(error) = written {
            log::error!("the journal file cannot be written: {error}");
            return;
        }
    }
    if journal.lost() > 0 {
        log::warn!(
            "{} requests came too fast for the journal file",
            journal.lost()
        );
    }
}

fn options(args: Args) -> Result<Options, SimError> {
    let scenario = match &args.scenario {
        None => Scenario::default(),
        Some(path) => {
            let yaml = std::fs::read_to_string(path).map_err(|source| SimError::File {
                path: path.clone(),
                source,
            })?;
            Scenario::parse(&yaml).map_err(|source| SimError::Scenario {
                path: path.clone(),
                source,
            })?
        }
    };
    let addresses = [args.listen, scenario.listen]
        .into_iter()
        .find(|list| !list.is_empty());
    let mut scripts = scenario.models;
    let given = args.models.into_iter();
    scripts.extend(given.map(|(name, script)| (name, vec![script])));
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(tls(certificate, key)?)),
        _ => None,
    };
    Ok(Options {
        addresses: addresses.unwrap_or_else(|| vec![SocketAddr::from(([127, 0, 0, 1], 9000))]),
        scripts,
        seed: scenario.seed,
        journal: args.keep,
        tls,
        ..Options::default()
    })
}

/// Reads NAME=SCRIPT; a name may hold no equals sign.
fn scripted(text: &str) -> Result<(String, Script), String> {
    let (name, script) = text.split_once('=').ok_or("expected NAME=SCRIPT")?;
    match script.parse() {
        Ok(script) => Ok((name.to_owned(), script)),
        Err(error) => Err(error.to_string()),
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig, SimError> {
    let unread = |path: &Path, what, source| SimError::Pem {
        path: path.to_owned(),
        what,
        source,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .and_then(|chain: Vec<_>| match chain.as_slice() {
            [] => Err(pem::Error::NoItemsFound),
            _ => Ok(chain),
        })
        .map_err(|source| unread(certificate, "certificate", source))?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|source| unread(key, "private key", source))?;
    Ok(server_config(chain, key)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Args {
        Program::parse_from(line.split(' ')).args
    }

    #[test]
    fn arguments_come_before_the_scenario() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenario.yaml");
        std::fs::write(
            &path,
            "listen: 127.0.0.1:1\nseed: 3\nmodels: { m: status=500 }",
        )
        .unwrap();
        let path = path.display();
        let given = options(parse(&format!("sim --scenario {path}"))).unwrap();
        assert_eq!(given.addresses, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!((given.seed, given.scripts.len()), (3, 1));
        let line = format!("sim --scenario {path} --listen 127.0.0.1:2 --model m=status=503,cut@3");
        let given = options(parse(&line)).unwrap();
        assert_eq!(given.addresses, ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(
            given.scripts.last().unwrap().1[0].to_string(),
            "status=503,cut@3"
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let cases = [
            (
                "sim --scenario /nowhere.yaml",
                "/nowhere.yaml: No such file or directory",
            ),
            ("sim --scenario /", "/: Is a directory"),
            (
                "sim --tls-cert /nowhere.pem --tls-key /nowhere.pem",
                "/nowhere.pem: no certificate can be read from it: ",
            ),
            (
                "sim --tls-cert /dev/null --tls-key /dev/null",
                "/dev/null: no certificate can be read from it: ",
            ),
        ];
        for (line, start) in cases {
            let error = options(parse(line)).unwrap_err().to_string();
            assert!(error.starts_with(start), "{line}: {error}");
            assert!(!error.contains('\n'), "{line}: {error}");
        }
    }

    #[test]
    fn a_slip_on_the_command_line_is_one_of_usage() {
        let cases = [
            ("sim --model m", "expected NAME=SCRIPT"),
            ("sim --model m=statsu=1", "\"statsu\" is not a key"),
            ("sim --listen 9000", "such as 127.0.0.1:9000"),
            ("sim --tls-cert /x.pem", "--tls-key"),
        ];
        for (line, part) in cases {
            let error = Program::try_parse_from(line.split(' ')).err().unwrap();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn the_greeting_is_a_command_to_paste() {
        let said = |line: &str| {
            let mut out = Vec::new();
            let addresses = ["127.0.0.1:1".parse().unwrap()];
            let greeting = Greeting::of(&options(parse(line)).unwrap());
            greeting.write(&addresses, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for (line, model) in [
            ("sim", "sim:tokens=40,delay=50ms,cut@12"),
            (
                "sim --model *=status=500",
                "sim:tokens=40,delay=50ms,cut@12",
            ),
            ("sim --model it's=hang --model m=status=500", "m"),
        ] {
            let text = said(line);
            assert!(text.starts_with("listening on http://127.0.0.1:1/v1\n"));
            assert!(
                text.contains(&format!(r#"{{"model":"{model}","stream":true}}"#)),
                "{text}"
            );
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        }
    }
}
