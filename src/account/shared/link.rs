//! The connection to Redis: asked within a bound, and left alone for a second when it fails.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo as _, RedisConnectionInfo, RedisResult,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::account::shared::settings::{SharedSettings, Transport};
use crate::account::shared::words;

const SCRIPT: &str = include_str!("script.lua");

/// How long it may take to connect, and to take what is posted: nobody waits for either.
const PATIENCE: Duration = Duration::from_secs(1);

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
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let open = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let opened = timeout(PATIENCE, open).await;
        let mut connection = opened
            .map_err(|_| "no connection in time".to_owned())?
            .map_err(|error| error.to_string())?;
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
        query(PATIENCE, &cmd, &mut line.connection.clone()).await
    }
}

async fn query<T: FromRedisValue>(
    bound: Duration,
    cmd: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<T, String> {
    match timeout(bound, cmd.query_async(connection)).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {bound:?}")),
    }
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
