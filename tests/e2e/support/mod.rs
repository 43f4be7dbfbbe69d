//! The stage: a simulator, the edge before it, and a client that speaks raw HTTP/1.1.

mod client;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use segue::config;
use segue::edge::Running;
use segue::sim::{Options, Sim};
use segue::telemetry::Metrics;

pub use client::{Answer, Client, PATIENCE, post};

/// A simulator and an edge that runs before it, both in this process.
pub struct World {
    /// The provider.
    pub sim: Sim,
    /// The proxy.
    pub edge: Running,
    /// Where the proxy listens for clients: its first listener.
    pub address: SocketAddr,
}

impl World {
    /// The edge with one open loopback listener and the route `model` for the simulator's model
    /// `m`; `extra` is added to the config's top level.
    pub async fn new(extra: &str) -> Self {
        Self::with(|provider| {
            format!(
                "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
                 log: {{ access: off }}\n\
                 providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
                 routes: {{ model: sim/m }}\n{extra}\n"
            )
        })
        .await
    }

    /// The edge by a config of the test's own, given the provider's address.
    pub async fn with(config: impl Fn(SocketAddr) -> String) -> Self {
        Self::before(Options::default(), config).await
    }

    /// The same before a simulator that is set up in another way.
    pub async fn before(options: Options, config: impl Fn(SocketAddr) -> String) -> Self {
        let sim = Sim::start(options).await.unwrap();
        let edge = start(&config(sim.address()));
        let address = edge.addresses()[0];
        Self { sim, edge, address }
    }

    /// Says what the provider does about the model `m` from now on, in the script's language.
    pub fn script(&self, script: &str) {
        self.sim.script("m", script.parse().unwrap());
    }

    /// A fresh connection to the edge.
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }
}

/// Starts an edge by a config's text.
pub fn start(text: &str) -> Running {
    let load = |text: &str| {
        config::parse(text, Path::new("test.yaml"), &|name| {
            std::env::var(name).ok()
        })
        .map_err(|errors| errors.to_string())
    };
    let settings = load(text).unwrap_or_else(|errors| panic!("{errors}"));
    let metrics = Arc::new(Metrics::try_new("test").unwrap());
    let text = text.to_owned();
    Running::start(settings, Box::new(move || load(&text)), metrics).unwrap()
}
