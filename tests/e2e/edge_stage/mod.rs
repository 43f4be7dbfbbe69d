//! What the tests of the edge share: certificates and TLS clients, HTTP/2 by frame, the real binary.

mod certificates;
mod frames;
mod http2;
mod process;

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{Answer, Client, PATIENCE};

pub use certificates::{Authority, Caller, ask, call, leaf};
pub use frames::{Frame, Frames};
pub use http2::{Http2, finish, read};
pub use process::Process;

/// Asks an admin listener for a page.
pub async fn page(address: SocketAddr, path: &str) -> Answer {
    let mut client = Client::connect(address).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    client.send(request.as_bytes()).await;
    client.answer().await
}

/// The value of a metric, by its name and labels as they are written.
pub fn metric(page: &str, series: &str) -> Option<f64> {
    page.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Waits until a metric has this value: what an exchange holds is given back behind its answer.
pub async fn shows(admin: SocketAddr, series: &str, value: f64) {
    let look = async {
        while metric(page(admin, "/metrics").await.text(), series) != Some(value) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, look).await.is_err() {
        let metrics = page(admin, "/metrics").await;
        panic!("{series} never was {value}: {}", metrics.text());
    }
}
