//! Providers behind names: a scripted name server says where they are.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::UdpSocket;

use super::*;

/// A name server with one set of IPv4 addresses for every name; `None` for a failure.
struct NameServer {
    addresses: Arc<Mutex<Option<Vec<Ipv4Addr>>>>,
    asked: Arc<AtomicUsize>,
    resolver: TokioResolver,
    task: JoinHandle<()>,
}

impl NameServer {
    async fn run(addresses: &[[u8; 4]]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let addresses = addresses
            .iter()
            .map(|address| Ipv4Addr::from(*address))
            .collect();
        let addresses = Arc::new(Mutex::new(Some(addresses)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count) = (Arc::clone(&addresses), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut query).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answer(&query[..length], answers.lock().unwrap().as_deref());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        let mut server = NameServerConfig::udp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        server.connections[0].port = port;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        builder.options_mut().cache_size = 0;
        Self {
            addresses,
            asked,
            resolver: builder.build().unwrap(),
            task,
        }
    }

    fn says(&self, addresses: Option<&[[u8; 4]]>) {
        let addresses = addresses.map(|list| list.iter().map(|one| Ipv4Addr::from(*one)).collect());
        *self.addresses.lock().unwrap() = addresses;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn raise(&self, spec: &ProviderSpec) -> Arc<Provider> {
        let upstreams = Upstreams::with_resolver(self.resolver.clone());
        upstreams.raise(std::slice::from_ref(spec)).remove(0)
    }

    /// Waits until two more questions have been answered.
    async fn is_asked_again(&self) {
        let before = self.asked();
        soon(async {
            while self.asked() < before + 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer by hand (RFC 1035, section 4): the question, then a record for each address.
fn answer(query: &[u8], addresses: Option<&[Ipv4Addr]>) -> Vec<u8> {
    let name = query[12..].iter().position(|byte| *byte == 0).unwrap() + 13;
    let (question, kind) = (&query[12..name + 4], query[name + 1]);
    let records = match kind {
        1 => addresses.unwrap_or_default(),
        _ => &[],
    };
    let code = if addresses.is_some() { 0 } else { 2 };
    let mut answer = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0];
    answer.push(u8::try_from(records.len()).unwrap());
    answer.extend([0, 0, 0, 0]);
    answer.extend(question);
    for address in records {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

fn named(port: u16) -> ProviderSpec {
    let mut spec = spec(&[]);
    spec.pool.peers = Peers::Dns {
        host: "llm.example.".to_owned(),
        port,
        every: Duration::from_millis(20),
    };
    spec
}

fn addresses(provider: &Provider) -> Vec<String> {
    provider
        .status()
        .peers
        .iter()
        .map(|peer| peer.address.ip().to_string())
        .collect()
}

/// Waits until a provider has these addresses.
async fn has(provider: &Provider, expected: &[&str]) {
    soon(async {
        while addresses(provider) != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_call_waits_for_the_name_and_every_address_is_tried() {
    let peer = Script::answers(OK).await;
    // Nobody listens on the first two of the loopback network.
    let names = NameServer::run(&[[127, 0, 0, 7], [127, 0, 0, 8], [127, 0, 0, 1]]).await;
    let provider = names.raise(&named(peer.address.port()));
    assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    assert_eq!(
        addresses(&provider),
        ["127.0.0.1", "127.0.0.7", "127.0.0.8"]
    );
}

#[tokio::test]
async fn addresses_follow_the_name_and_those_that_stay_keep_their_calls() {
    let peer = Script::answers(OK).await;
    let names = NameServer::run(&[[127, 0, 0, 1]]).await;
    let provider = names.raise(&named(peer.address.port()));
    let _running = call(&provider).await.unwrap();
    names.says(Some(&[[127, 0, 0, 1], [127, 0, 0, 9]]));
    has(&provider, &["127.0.0.1", "127.0.0.9"]).await;
    assert_eq!(in_flight(&provider), 1);
}

#[tokio::test]
async fn a_failing_empty_or_forbidden_answer_leaves_the_old_addresses() {
    let names = NameServer::run(&[[8, 8, 8, 8]]).await;
    let mut spec = named(443);
    spec.pool.private_peers = false;
    let provider = names.raise(&spec);
    has(&provider, &["8.8.8.8"]).await;
    for bad in [
        None,
        Some(&[][..]),
        Some(&[[127, 0, 0, 1], [169, 254, 169, 254]][..]),
    ] {
        names.says(bad);
        names.is_asked_again().await;
        assert_eq!(addresses(&provider), ["8.8.8.8"], "{bad:?}");
    }
    names.says(Some(&[[10, 0, 0, 1], [9, 9, 9, 9]]));
    has(&provider, &["9.9.9.9"]).await;
}

#[tokio::test]
async fn a_name_that_never_resolved_or_only_to_forbidden_addresses_is_an_error_at_once() {
    let names = NameServer::run(&[[127, 0, 0, 1]]).await;
    let mut spec = named(1);
    spec.pool.private_peers = false;
    let provider = names.raise(&spec);
    assert_eq!(ask(&provider).await, Err(CallError::Resolve));
    names.says(None);
    assert_eq!(ask(&provider).await, Err(CallError::Resolve));
    // And it is asked again by itself.
    names.says(Some(&[[8, 8, 4, 4]]));
    has(&provider, &["8.8.4.4"]).await;
}

#[tokio::test]
async fn questions_end_with_the_pool() {
    let names = NameServer::run(&[[127, 0, 0, 1]]).await;
    let provider = names.raise(&named(1));
    names.is_asked_again().await;
    drop(provider);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = names.asked();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(names.asked(), asked);
}

#[tokio::test]
async fn a_name_of_the_hosts_file_works_for_private_peers() {
    let peer = Script::answers(OK).await;
    let mut spec = named(peer.address.port());
    if let Peers::Dns { host, .. } = &mut spec.pool.peers {
        *host = "localhost".to_owned();
    }
    assert_eq!(ask(&raise(&spec)).await, Ok((200, b"ok".to_vec())));
    spec.pool.private_peers = false;
    assert_eq!(ask(&raise(&spec)).await, Err(CallError::Resolve));
}
