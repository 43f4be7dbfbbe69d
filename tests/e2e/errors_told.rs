//! Every recorded error of every provider: what is made of it, and what a client of either format is
//! told.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use segue::edge::Running;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Answer, Client, post, start};

/// An error as a provider words it.
#[derive(Deserialize)]
struct Recorded {
    provider: String,
    class: String,
    status: u16,
    body: String,
}

/// A provider that gives one answer to all, byte for byte.
struct Parrot {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Parrot {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = said.lock().unwrap().clone();
                tokio::spawn(one_answer(stream, answer));
            }
        });
        Self { address, answer }
    }

    fn says(&self, error: &Recorded) {
        let Recorded { status, body, .. } = error;
        let (media, body) = match status {
            200 => ("text/event-stream", format!("data: {body}\n\n")),
            _ => ("application/json", body.clone()),
        };
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
    }
}

/// Reads a whole request, and answers it.
async fn one_answer(mut stream: TcpStream, answer: Vec<u8>) -> std::io::Result<()> {
    let mut seen = Vec::new();
    let wanted = loop {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .split_once("content-length: ")
                .map_or("0", |(_, rest)| rest);
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            break head.len() + 4 + length;
        }
    };
    while seen.len() < wanted && stream.read_buf(&mut seen).await? > 0 {}
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

const CLIENTS: [(&str, &str); 2] = [
    ("openai", "/v1/chat/completions"),
    ("anthropic", "/v1/messages"),
];

/// A proxy before the parrot, which is all its providers.
fn proxy(parrot: &Parrot, log: &Path) -> Running {
    let provider = |name: &str, dialect: &str, below: &str| {
        format!(
            "  {name}: {{ dialect: {dialect}, base_url: \"http://{}{below}\", private_peers: true, \
             credential: sk-a-secret-of-ours }}\n",
            parrot.address
        )
    };
    start(&format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: {} }}\nallow_literal_secrets: true\n\
         defaults: {{ breaker: off, retries: {{ same_target: 0 }} }}\n\
         providers:\n{}{}{}\
         routes: {{ openai: openai/m, anthropic: anthropic/m, gemini: gemini/m }}\n",
        log.display(),
        provider("openai", "openai", "/v1"),
        provider("anthropic", "anthropic", ""),
        provider("gemini", "gemini", "/v1beta"),
    ))
}

/// Puts each error to a client of each format; what they got, and the access log.
async fn heard(errors: &[Recorded]) -> (Vec<Answer>, Vec<Value>) {
    let parrot = Parrot::start().await;
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.log");
    let edge = proxy(&parrot, &log);
    let address = edge.addresses()[0];
    let mut answers: Vec<Answer> = Vec::new();
    for error in errors {
        parrot.says(error);
        let route = match error.provider.as_str() {
            spoken @ ("anthropic" | "gemini") => spoken,
            _ => "openai",
        };
        let stream = error.status == 200;
        let body = format!(
            "{{\"model\":\"{route}\",\"max_tokens\":9,\"stream\":{stream},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        for (_, path) in CLIENTS {
            let mut client = Client::connect(address).await;
            client.send(&post(path, "", &body)).await;
            answers.push(client.answer().await);
        }
    }
    edge.drain().await;
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), answers.len());
    (answers, lines)
}

/// What becomes of each error, a line for each client.
async fn told(errors: &[Recorded]) -> String {
    let (answers, lines) = heard(errors).await;
    let mut out = String::new();
    for (number, (answer, line)) in answers.iter().zip(&lines).enumerate() {
        let error = &errors[number / CLIENTS.len()];
        if number % CLIENTS.len() == 0 {
            writeln!(
                out,
                "{} {} {}",
                error.provider,
                error.status,
                shortened(&error.body)
            )
            .unwrap();
        }
        let attempt = &line["attempts"][0];
        assert_eq!(attempt["class"], error.class, "{} {line}", error.body);
        assert!(!answer.text().contains("sk-a-secret-of-ours"));
        let (client, _) = CLIENTS[number % CLIENTS.len()];
        let told = answer.json();
        well_formed(client, answer.status, &told);
        writeln!(
            out,
            "  {} {} -> {client} {} {}",
            error.class,
            attempt["verdict"].as_str().unwrap(),
            answer.status,
            shortened(answer.text()),
        )
        .unwrap();
    }
    out
}

/// What every SDK of the format reads an error by.
fn well_formed(client: &str, status: u16, told: &Value) {
    assert!((400..600).contains(&status), "{status} {told}");
    // Our credential, account and models are nobody else's business.
    assert!(![401, 402, 404].contains(&status), "{status} {told}");
    assert!(
        told["error"].is_object() || told["error"].is_string() || told["message"].is_string(),
        "{told}"
    );
    if client == "anthropic" {
        assert_eq!(told["type"], "error", "{told}");
        assert!(told["error"]["type"].is_string() && told["error"]["message"].is_string());
    }
}

fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[tokio::test]
async fn every_recorded_error_is_judged_and_told_in_the_clients_words() {
    let errors = include_str!("../fixtures/errors.json");
    let errors: Vec<Recorded> = serde_json::from_str(errors).unwrap();
    assert!(errors.len() >= 120);
    insta::assert_snapshot!(told(&errors).await);
}
