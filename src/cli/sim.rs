//! `segue sim`: the provider simulator as a program, for rehearsing an outage.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};

use crate::sim::{Entry, Journal, Options, Scenario, Script, Sim, to_json};

/// Simulate a provider whose models fail as scripted.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Where to listen; may be given more than once [default: the scenario's, else 127.0.0.1:9000]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<SocketAddr>,
    /// What a model does, e.g. `flaky=status=503`; the name * stands for all models
    #[arg(long = "model", value_name = "NAME=SCRIPT")]
    pub models: Vec<String>,
    /// A YAML file of addresses, models and their scripts
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Append every finished request to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// How many requests to keep in memory; 0 records nothing and is fastest
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub keep: usize,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Why the simulator did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
enum SimError {
    #[error("--model {0:?}: expected NAME=SCRIPT")]
    Model(String),
    #[error("--model {name}: {source}")]
    Script {
        name: String,
        source: crate::sim::script::ParseError,
    },
    #[error("{path}: {source}")]
    Scenario {
        path: PathBuf,
        source: crate::sim::ScenarioError,
    },
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Pem {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error("the certificate and its key: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot listen: {0}")]
    Listen(std::io::Error),
    #[error("{0}")]
    Runtime(std::io::Error),
}

/// Runs until interrupted or terminated.
pub fn run(args: Args) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code tells it all the same.
            let _ = writeln!(std::io::stderr(), "segue sim: {error}");
            ExitCode::FAILURE
        }
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
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SimError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(SimError::Runtime)?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let sim = Sim::start(options).await.map_err(SimError::Listen)?;
    let journal = sim.journal().clone();
    let writing = file.map(|file| {
        let ended = journal.subscribe();
        tokio::spawn(write_journal(file, journal.clone(), ended))
    });
    for address in sim.addresses() {
        // For scripts that wait for the line; nobody has to read it.
        let _ = writeln!(std::io::stdout(), "listening on {scheme}://{address}/v1");
    }
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
    for model in args.models {
        scripts.push(scripted(&model)?);
    }
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

fn scripted(model: &str) -> Result<(String, Vec<Script>), SimError> {
    let (name, text) = model
        .split_once('=')
        .ok_or_else(|| SimError::Model(model.to_owned()))?;
    let name = name.to_owned();
    match text.parse() {
        Ok(script) => Ok((name, vec![script])),
        Err(source) => Err(SimError::Script { name, source }),
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig, SimError> {
    let pem = |path: &Path, source| SimError::Pem {
        path: path.to_owned(),
        source,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|source| pem(certificate, source))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| pem(key, source))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
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
    fn what_is_wrong_is_said() {
        let cases = [
            ("sim --model m", "--model \"m\": expected NAME=SCRIPT"),
            (
                "sim --model m=statsu=1",
                "--model m: \"statsu\" is not a key",
            ),
            ("sim --scenario /nowhere.yaml", "/nowhere.yaml: "),
            (
                "sim --tls-cert /nowhere.pem --tls-key /nowhere.pem",
                "/nowhere.pem: ",
            ),
        ];
        for (line, part) in cases {
            let error = options(parse(line)).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
