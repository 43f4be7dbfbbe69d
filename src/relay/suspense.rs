//! The waits of an exchange before its commit: for attempts to pass their gate, and between them.
//! In each of them the client may leave, the process may stop, and a client that must hear
//! something does.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::exchange::Delivery;
use crate::relay::attempt::Held;
use crate::relay::carrier::{Begun, Carrier};
use crate::relay::client::{Client, ClientGone, Content};
use crate::relay::hedge::{self, Ended, Side};
use crate::relay::pour::{Outside, outside};
use crate::relay::turn::Turn;
use crate::relay::verdict::{self, Ruling};
use crate::relay::walk::WayOut;
use crate::route::{Hedge, HedgeAfter};
use crate::telemetry::AttemptKind;

/// What keeps a connection open while an answer is held: a comment, at a frame's border.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b": segue\n");

impl<'j, C: Client> Carrier<'_, 'j, C> {
    /// Waits before an attempt.
    pub(super) async fn pause(&mut self, wait: Duration) -> Result<(), Outside> {
        if wait.is_zero() {
            return Ok(());
        }
        self.meanwhile(tokio::time::sleep(wait)).await
    }

    /// Runs the attempt up to its gate, and another beside it should it be silent for too long and
    /// the route hedge.
    pub(super) async fn hold(
        &mut self,
        turn: &mut Turn<'j>,
        beside: &mut Option<Box<Turn<'j>>>,
    ) -> Result<(Option<Held>, Option<Held>), Outside> {
        let Some(after) = self.hedge_after(turn) else {
            // Boxed: it is many kilobytes, and over when the long part of a stream begins.
            let held = self.meanwhile(Box::pin(turn.run_held())).await?;
            return Ok((Some(held), None));
        };
        let (job, mut walk) = (self.job, self.walk.clone());
        let kind = self.judged_as(turn);
        let policy = job.policy();
        let spoke = turn.spoke();
        let silence = async {
            tokio::time::sleep(after).await;
            if spoke.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let walk_on = &mut walk;
        let second = move || {
            if !job.live.hedges()?.withdraw(Instant::now()) {
                return None;
            }
            let place = walk_on.beside()?;
            let slot = beside;
            *slot = Turn::enter(job, place, AttemptKind::Hedge, walk_on.way_out()).ok();
            Some(slot.as_mut()?.run_held())
        };
        let ended = |side, held: &Held| {
            let Held::Failed(why) = held else {
                return Ended::Decided;
            };
            let kind = match side {
                Side::First => kind,
                Side::Beside => AttemptKind::Hedge,
            };
            match verdict::judge(why, policy, kind).ruling {
                Ruling::Surface => Ended::Decided,
                _ => Ended::Failed,
            }
        };
        let race = Box::pin(hedge::race(turn.run_held(), silence, second, ended));
        let held = self.meanwhile(race).await;
        self.walk = walk;
        held
    }

    /// The silence after which this attempt is hedged, if it may be.
    fn hedge_after(&self, turn: &Turn<'j>) -> Option<Duration> {
        let Hedge { after, .. } = self.job.policy().hedge?;
        if self.walk.way_out() == WayOut::Shut {
            return None;
        }
        match after {
            HedgeAfter::Fixed(after) => Some(after),
            // A whole answer is silent until it is thought out.
            HedgeAfter::P95 if self.job.request.delivery == Delivery::Whole => None,
            HedgeAfter::P95 => turn.lane.state.p95(),
        }
    }

    /// Waits for `work` as long as the client stays and the process runs; a client that must hear
    /// something does.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Outside> {
        let mut work = pin!(work);
        loop {
            let speak = self.speak;
            let silence = async {
                match speak {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                outside = outside(self.client, &mut self.stop) => return Err(outside),
                () = silence => {}
            }
            self.speak().await.map_err(|ClientGone| Outside::Left)?;
        }
    }

    /// Gives a sign of life: the status and a comment, from then on comments.
    async fn speak(&mut self) -> Result<(), ClientGone> {
        match self.begun {
            Begun::Yes => self.client.send(SIGN_OF_LIFE).await?,
            Begun::No => {
                let head = self.head(Content::Events, 1, None);
                self.begun = Begun::Yes;
                self.client.begin(head, SIGN_OF_LIFE).await?;
            }
        }
        let keepalive = self.job.policy().keepalive;
        self.speak = keepalive.and_then(|wait| Instant::now().checked_add(wait));
        Ok(())
    }
}
