//! The connection to Redis: asked within a bound, and left alone for a second when it fails. Of a cluster, to the
//! node that has the counts: all of them have one hash tag, so it is one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, RedisConnectionInfo, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::account::shared::settings::{SharedSettings, Transport};
use crate::account::shared::words;

const SCRIPT: &str = include_str!("script.lua");

/// How long it may take to connect, and to take what is posted: nobody waits for either.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nodes of a cluster that are asked, each by the word of the one before.
const NODES: usize = 4;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("no connection in time")]
    Unreached,
    #[error("no answer in {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Refused(#[from] RedisError),
}

/// A connection on which the script is known.
#[derive(Clone)]
pub(super) struct Line {
    connection: MultiplexedConnection,
    script: Arc<str>,
    number: u64,
}

/// The way to Redis.
pub(super) struct Link {
    client: Client,
    root: String,
    timeout: Duration,
    line: Mutex<Current>,
    /// Told when the line in use has failed.
    pub(super) fallen: Notify,
}

#[derive(Default)]
struct Current {
    line: Option<Line>,
    number: u64,
}

impl Link {
    /// A way that nobody has gone yet.
    pub(super) fn new(settings: &SharedSettings) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(info(settings)?)?,
            root: words::root(&settings.prefix),
            timeout: settings.timeout,
            line: Mutex::default(),
            fallen: Notify::new(),
        })
    }

    /// Asks for an exchange, within the bound. `None` if there is no answer: then nobody else asks
    /// until the line is open again.
    pub(super) async fn ask(&self, build: impl FnOnce(&str, &str) -> Cmd) -> Option<Vec<i64>> {
        let mut line = self.line.lock().line.clone()?;
        let cmd = build(&line.script, &self.root);
        let error = match query(self.timeout, &cmd, &mut line.connection).await {
            Ok(words) => return Some(words),
            Err(error) => error,
        };
        let mut current = self.line.lock();
        if current
            .line
            .as_ref()
            .is_some_and(|it| it.number == line.number)
        {
            current.line = None;
            log::warn!("the shared counts are out of reach, local ones hold: {error}");
            self.fallen.notify_one();
        }
        None
    }

    /// Connects, and says which Redis it is. Nobody is let on yet.
    pub(super) async fn connect(&self, offered: &str) -> Result<(Line, String), String> {
        let mut client = self.client.clone();
        for _ in 0..NODES {
            let refused = match self.greet(&client, offered).await {
                Ok(found) => return Ok(found),
                Err(refused) => refused,
            };
            let asked = client.get_connection_info();
            let Some(there) = owner(&refused, asked.addr()) else {
                return Err(refused.to_string());
            };
            let info = asked.clone().set_addr(there);
            client = Client::open(info).map_err(|error| error.to_string())?;
        }
        Err("the nodes of the cluster name each other, and none has the counts".to_owned())
    }

    /// Connects to one node.
    async fn greet(&self, client: &Client, offered: &str) -> Result<(Line, String), Silence> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let open = client.get_multiplexed_async_connection_with_config(&config);
        let opened = timeout(PATIENCE, open).await;
        let mut connection = opened.map_err(|_| Silence::Unreached)??;
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(SCRIPT);
        let script: String = query(PATIENCE, &load, &mut connection).await?;
        // What an exchange will ask has to be answered as fast.
        let hello = words::hello(&script, &self.root, offered);
        let born = query(self.timeout, &hello, &mut connection).await?;
        let mut current = self.line.lock();
        current.number += 1;
        let line = Line {
            connection,
            script: script.into(),
            number: current.number,
        };
        Ok((line, born))
    }

    /// Lets exchanges on.
    pub(super) fn open(&self, line: &Line) {
        self.line.lock().line = Some(line.clone());
    }

    /// Lets nobody on.
    pub(super) fn close(&self) {
        self.line.lock().line = None;
    }

    /// Whether exchanges are let on.
    pub(super) fn is_open(&self) -> bool {
        self.line.lock().line.is_some()
    }

    /// Tells something for which nobody waits, and takes the answer.
    pub(super) async fn tell(&self, build: impl FnOnce(&str, &str) -> Cmd) -> Option<Vec<i64>> {
        let mut line = self.line.lock().line.clone()?;
        let cmd = build(&line.script, &self.root);
        query(PATIENCE, &cmd, &mut line.connection).await.ok()
    }

    /// Posts something; nobody waits for it.
    pub(super) async fn post(
        &self,
        line: &Line,
        build: impl FnOnce(&str, &str) -> Cmd,
    ) -> Result<i64, String> {
        let cmd = build(&line.script, &self.root);
        let told = query(PATIENCE, &cmd, &mut line.connection.clone()).await;
        told.map_err(|error| error.to_string())
    }
}

/// The node of a cluster that has what another was asked for (`MOVED`, Redis cluster specification, "MOVED
/// Redirection"). One that is named without a host is on the host that was asked.
fn owner(refused: &Silence, asked: &ConnectionAddr) -> Option<ConnectionAddr> {
    let Silence::Refused(error) = refused else {
        return None;
    };
    if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
        return None;
    }
    let (node, _slot) = error.redirect_node()?;
    let (named, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = |own: &str| if named.is_empty() { own } else { named }.to_owned();
    match asked {
        ConnectionAddr::Tcp(own, _) => Some(ConnectionAddr::Tcp(host(own), port)),
        ConnectionAddr::TcpTls { host: own, .. } => Some(ConnectionAddr::TcpTls {
            host: host(own),
            port,
            insecure: false,
            tls_params: None,
        }),
        _ => None,
    }
}

async fn query<T: FromRedisValue>(
    bound: Duration,
    cmd: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<T, Silence> {
    let answered = timeout(bound, cmd.query_async(connection)).await;
    Ok(answered.map_err(|_| Silence::Late(bound))??)
}

fn info(settings: &SharedSettings) -> RedisResult<ConnectionInfo> {
    let (host, port) = (settings.host.clone(), settings.port);
    let address = match settings.transport {
        Transport::Plain => ConnectionAddr::Tcp(host, port),
        Transport::Tls => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        },
    };
    let mut redis = RedisConnectionInfo::default().set_db(i64::from(settings.database));
    if let Some(user) = &settings.user {
        redis = redis.set_username(user);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(password.expose());
    }
    Ok(address.into_connection_info()?.set_redis_settings(redis))
}
