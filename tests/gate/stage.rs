//! Providers that fail as told, over HTTP/1.1 and HTTP/2, and the edge before them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use segue::edge::Running;
use segue::sim::{Entry, Options, Sim, server_config};
use tempfile::NamedTempFile;

use crate::format::Format;
use crate::support::{self, Client};

/// A fixed sequence that looks random (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.draw() % end).unwrap()
    }

    /// Whether something happens that happens so often in a thousand.
    pub fn per_mille(&mut self, often: usize) -> bool {
        self.below(1000) < often
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// A short mark: with it every token's text has at most seven letters and counts as one.
pub fn mark(mut number: usize) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut mark = String::new();
    loop {
        mark.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return mark;
        }
    }
}

/// A number from the environment: how much of a test runs.
pub fn amount(name: &str, usual: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        Err(_) => usual,
    }
}

/// A count to divide by.
pub fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Whether all of it runs: then time is measured in earnest.
pub fn in_full() -> bool {
    std::env::var_os("SEGUE_GATE").is_some_and(|value| value == "full")
}

/// The stage.
pub struct Stage {
    pub h1: Sim,
    pub h2: Sim,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    _edge: Running,
    _authority: NamedTempFile,
}

impl Stage {
    /// An edge with these routes, one a line, over the providers `h1x0` and on and `h2x0` and on, a
    /// lane each, `refused` (nobody listens) and `untrusted` (a certificate that nobody vouches for);
    /// each in every format that is played, by `Format::suffix`.
    pub async fn new(routes: &str, journal: usize, lanes: usize) -> Self {
        let options = || Options {
            journal,
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0)); lanes],
            ..Options::default()
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (
            vec![made.cert.der().clone()],
            made.signing_key.serialize_der(),
        );
        let key = PrivateKeyDer::try_from(key).unwrap();
        let tls = Some(Arc::new(server_config(chain, key).unwrap()));
        let authority = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(authority.path(), made.cert.pem()).unwrap();
        let h1 = Sim::start(options()).await.unwrap();
        let h2 = Sim::start(Options { tls, ..options() }).await.unwrap();
        let text = config(&h1, &h2, authority.path(), routes);
        let edge = support::start(&text);
        let address = edge.addresses()[0];
        let admin = edge.admin_address().unwrap();
        Self {
            h1,
            h2,
            _edge: edge,
            address,
            admin,
            _authority: authority,
        }
    }

    /// How many panics were caught.
    pub async fn panics(&self) -> usize {
        let mut client = Client::connect(self.admin).await;
        client
            .send(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await;
        let page = client.answer().await;
        let count = page
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("segue_panics_total "));
        count.unwrap().parse().unwrap()
    }

    /// All that both providers were asked, each in order.
    pub fn asked(&self) -> Vec<Arc<Entry>> {
        let both = [&self.h1, &self.h2].map(|sim| sim.journal().entries());
        both.concat()
    }
}

fn config(h1: &Sim, h2: &Sim, authority: &Path, routes: &str) -> String {
    let routes = routes.trim_end().replace('\n', "\n  ");
    let mut text = "listen: [{ address: \"127.0.0.1:0\" }]\nadmin: { address: \"127.0.0.1:0\" }\n\
                    log: { access: off }\nallow_literal_secrets: true\nlimits: { event: 64KiB, answer: 64KiB }\nproviders:\n"
        .to_owned();
    let mut provider = |name: &str, url: &str, more: &str| {
        for format in Format::of_providers() {
            let (dialect, path, suffix) = (format.name(), format.base_path(), format.suffix());
            let credential = match format {
                Format::OpenAi => "",
                Format::Anthropic | Format::Gemini => ", credential: key-of-the-provider",
            };
            writeln!(
                text,
                "  {name}{suffix}: {{ dialect: {dialect}, base_url: \"{url}{path}\", \
                 private_peers: true{credential}{more} }}"
            )
            .unwrap();
        }
    };
    for (lane, address) in h1.addresses().iter().enumerate() {
        provider(&format!("h1x{lane}"), &format!("http://{address}"), "");
    }
    for (lane, address) in h2.addresses().iter().enumerate() {
        let url = format!("https://localhost:{}", address.port());
        let tls = format!(
            ", peers: [\"{address}\"], tls: {{ http2: true, ca: \"{}\" }}",
            authority.display()
        );
        provider(&format!("h2x{lane}"), &url, &tls);
    }
    provider("refused", &format!("http://{}", closed_port()), "");
    provider("untrusted", &format!("https://{}", h2.address()), "");
    format!("{text}routes:\n  {routes}\n")
}

/// A port on which nobody listens: bound for a moment, so that the kernel gives it to nobody soon.
fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
