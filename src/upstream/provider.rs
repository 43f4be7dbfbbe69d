//! A provider that can be called: picks a peer, gets a connection, sends the request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_core::upstreams::peer::HttpPeer;
use smallvec::SmallVec;

use super::call::{Again, Call, CallBounds};
use super::error::CallError;
use super::failure::Wanted;
use super::line::{Line, Lines};
use super::message::{Message, Outgoing, Recipient};
use super::peer::PeerLease;
use super::pool::{Berth, Pool, PoolStatus};
use super::spec::ProviderSpec;

/// Addresses tried for one connection.
const ADDRESSES: usize = 8;
/// The least share of the connect budget for an address, as long as there is budget left.
const LEAST_SHARE: Duration = Duration::from_millis(250);

/// A provider of one generation.
pub struct Provider {
    spec: ProviderSpec,
    pool: Arc<Pool>,
    lines: Arc<Lines>,
}

impl Provider {
    pub(super) fn new(spec: ProviderSpec, pool: Arc<Pool>, lines: Arc<Lines>) -> Self {
        Self { spec, pool, lines }
    }

    /// The name in the config.
    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    /// What it was raised from.
    pub fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    /// Its peers, for a status page.
    pub fn status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// A place for a call, unless `most` calls of it are under way. It is kept across reloads that
    /// keep its pool.
    pub fn berth(&self, most: u32) -> Option<Berth> {
        self.pool.berth(most)
    }

    /// Sends a request: picks a peer, connects or reuses, writes head and body. The answer is
    /// then asked from the call.
    ///
    /// When an address refuses or does not answer, the next one is tried, up to 8, all within the
    /// connect budget: each gets an equal share of what is left, but at least 250 ms, and the last
    /// one all of it. Nothing has been sent then, so this is no retry.
    ///
    /// # Cancel safety
    /// Dropped at any point, it closes what it has opened and leaves nothing behind.
    pub async fn call(&self, request: Outgoing<'_>, bounds: CallBounds) -> Result<Call, CallError> {
        let started = Instant::now();
        let to = Recipient {
            authority: &self.pool.roster.authority,
            prefix: &self.spec.base.prefix,
            credential: self.spec.credential.as_ref(),
        };
        let speaks = self.pool.roster.template.speaks();
        let message = Arc::new(Message::build(&to, &request, speaks)?);
        self.pool.ready(bounds.connect).await?;
        let (line, lease) = self
            .connect(request.affinity, started + bounds.connect)
            .await?;
        let lines = Arc::clone(&self.lines);
        Call::start(
            line,
            lease,
            Again {
                lines,
                message,
                bounds,
            },
            started,
        )
        .await
    }

    /// A peer for Pingora's own proxy phases, and the lease that counts its use.
    ///
    /// # Errors
    /// `NoPeer`, also when the provider's name has not been resolved yet.
    pub fn peer(&self, affinity: &[u8]) -> Result<(HttpPeer, PeerLease), CallError> {
        let lease = self.pool.lease(affinity, &[]).ok_or(CallError::NoPeer)?;
        Ok((lease.peer().http.clone(), lease))
    }

    #[cfg(test)]
    pub(super) fn peer_at(&self, address: SocketAddr) -> Arc<super::peer::Peer> {
        let members = self.pool.roster.members.load();
        Arc::clone(members.find(address).unwrap())
    }

    async fn connect(
        &self,
        affinity: &[u8],
        deadline: Instant,
    ) -> Result<(Line, PeerLease), CallError> {
        let mut tried: SmallVec<[SocketAddr; 4]> = SmallVec::new();
        let mut last = CallError::NoPeer;
        while tried.len() < ADDRESSES {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CallError::ConnectTimeout);
            }
            let Some(mut lease) = self.pool.lease(affinity, &tried) else {
                break;
            };
            let candidates = self.pool.len().min(ADDRESSES).saturating_sub(tried.len());
            let (lines, peer) = (Arc::clone(&self.lines), Arc::clone(lease.peer()));
            match Line::open(lines, peer, Wanted::Any, share(left, candidates)).await {
                Ok(line) => return Ok((line, lease)),
                Err(error) => last = error,
            }
            lease.failed(last, Instant::now());
            tried.push(lease.address());
        }
        Err(last)
    }
}

/// The time for one of so many addresses.
fn share(left: Duration, candidates: usize) -> Duration {
    let candidates = u32::try_from(candidates).unwrap_or(u32::MAX).max(1);
    (left / candidates).max(LEAST_SHARE).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addresss_share_is_fair_but_never_hopeless() {
        let ms = Duration::from_millis;
        let cases = [
            (2000, 1, 2000),
            (2000, 2, 1000),
            (2000, 4, 500),
            (2000, 8, 250),
            (800, 8, 250),
            (100, 8, 100),
            (2000, 0, 2000),
        ];
        for (left, candidates, expected) in cases {
            assert_eq!(
                share(ms(left), candidates),
                ms(expected),
                "{left} for {candidates}"
            );
        }
    }
}
