//! Reloads: what takes effect, what lives on, what is survived, and how one is asked for.

mod command;
mod files;
mod live;
mod storm;
mod survives;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use segue::config;
use segue::edge::Running;
use segue::sim::{Options, Sim};
use segue::telemetry::Metrics;
use serde_json::Value;
use tempfile::TempDir;

use crate::edge_stage::{metric, page};
use crate::support::{Answer, Client, post};

/// An edge in this process whose config can be replaced; relative files are in its folder.
struct Live {
    edge: Running,
    text: Arc<Mutex<String>>,
    _folder: TempDir,
}

/// What every config here begins with.
const TOP: &str = "listen: [{ address: \"127.0.0.1:0\" }]\nadmin: { address: \"127.0.0.1:0\" }\n\
                   log: { access: off }\nallow_literal_secrets: true\n";

impl Live {
    /// With the rest of a config that begins with `TOP`.
    fn start(rest: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), rest)
    }

    fn start_in(folder: TempDir, rest: &str) -> Self {
        let text = Arc::new(Mutex::new(format!("{TOP}{rest}")));
        let path = folder.path().join("segue.yaml");
        let read = {
            let text = Arc::clone(&text);
            move || {
                let text = text.lock().clone();
                config::parse(&text, &path, &|_| None).map_err(|errors| errors.to_string())
            }
        };
        let settings = read().unwrap_or_else(|errors| panic!("{errors}"));
        let metrics = Arc::new(Metrics::try_new("test").unwrap());
        let edge = Running::start(settings, Box::new(read), metrics).unwrap();
        Self {
            edge,
            text,
            _folder: folder,
        }
    }

    /// Reloads with another rest, which must be taken.
    fn reload(&self, rest: &str) {
        *self.text.lock() = format!("{TOP}{rest}");
        self.edge.reload().unwrap();
    }

    async fn client(&self) -> Client {
        Client::connect(self.edge.addresses()[0]).await
    }

    /// Asks the route `model` on a connection of its own, with further header lines.
    async fn chat(&self, fields: &str) -> Answer {
        chat(&mut self.client().await, "model", fields).await
    }

    fn admin(&self) -> SocketAddr {
        self.edge.admin_address().unwrap()
    }

    async fn metric(&self, series: &str) -> Option<f64> {
        metric(page(self.admin(), "/metrics").await.text(), series)
    }

    async fn status(&self) -> Value {
        page(self.admin(), "/status").await.json()
    }
}

async fn sim() -> Sim {
    Sim::start(Options::default()).await.unwrap()
}

/// A provider's lines, by its simulator; further members with a comma before them.
fn provider(sim: &Sim, more: &str) -> String {
    let address = sim.address();
    format!(
        "providers: {{ sim: {{ dialect: openai, base_url: \"http://{address}/v1\", private_peers: true{more} }} }}\n"
    )
}

async fn chat(client: &mut Client, model: &str, fields: &str) -> Answer {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":20,"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    client
        .send(&post("/v1/chat/completions", fields, &body))
        .await;
    client.answer().await
}
