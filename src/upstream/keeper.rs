//! The task of a pool: asks for its name on a timer, checks its peers on theirs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::discover::{Allowed, resolve};
use super::error::CallError;

use super::peer::Peer;
use super::probe::check;
use super::roster::Roster;
use super::spec::{HealthCheck, Peers};
use super::tally::Thresholds;

/// Checks of one pool at a time.
const CHECKS: usize = 8;
/// The shortest time between two questions for a name, however many wait for it.
const PAUSE: Duration = Duration::from_millis(250);
/// The shortest period of any timer.
const SHORTEST: Duration = Duration::from_millis(10);
/// When nothing is due.
const IDLE: Duration = Duration::from_hours(1);

/// What a job of the task found.
enum Done {
    Checked(Arc<Peer>, Result<(), CallError>),
    Resolved(Result<Vec<SocketAddr>, CallError>),
}

/// Keeps a pool until it is aborted; its jobs end with it.
pub(super) async fn keep(pool: Arc<Roster>) {
    let mut keeper = Keeper {
        question: match pool.spec.peers {
            Peers::Dns { .. } => Question::Due(Instant::now()),
            Peers::Static(_) => Question::Never,
        },
        checks: Agenda::default(),
        jobs: JoinSet::new(),
        pool,
    };
    loop {
        let next = keeper.start_due(Instant::now());
        tokio::select! {
            () = sleep_until(next) => {}
            () = keeper.pool.wanted.notified() => keeper.hurry(Instant::now()),
            Some(done) = keeper.jobs.join_next(), if !keeper.jobs.is_empty() => keeper.note(done.ok(), Instant::now()),
        }
    }
}

struct Keeper {
    pool: Arc<Roster>,
    question: Question,
    checks: Agenda,
    jobs: JoinSet<Done>,
}

/// When the name is asked for next.
#[derive(Clone, Copy)]
enum Question {
    Never,
    Due(Instant),
    /// Under way, and given up as lost at that time.
    Asked(Instant),
}

impl Keeper {
    /// Starts what is due and says when to look again.
    fn start_due(&mut self, now: Instant) -> Instant {
        let question = self.ask_if_due(now);
        let Some(health) = self.pool.spec.health.clone() else {
            return question;
        };
        let members = self.pool.members.load_full();
        self.checks.follow(members.peers(), health.every, now);
        while self.jobs.len() < CHECKS {
            let Some(address) = self.checks.take_due(now, health.every) else {
                break;
            };
            if let Some(peer) = members.find(address) {
                self.check(Arc::clone(peer), health.clone());
            }
        }
        // With all hands full, the next job that ends makes room.
        if self.jobs.len() < CHECKS {
            question.min(self.checks.next().unwrap_or(question))
        } else {
            question
        }
    }

    fn check(&mut self, peer: Arc<Peer>, health: HealthCheck) {
        let (connector, template) = (
            Arc::clone(&self.pool.connector),
            Arc::clone(&self.pool.template),
        );
        let authority = self.pool.authority.clone();
        self.jobs.spawn(async move {
            let result = check(connector, template, authority, Arc::clone(&peer), health).await;
            Done::Checked(peer, result)
        });
    }

    fn ask_if_due(&mut self, now: Instant) -> Instant {
        let Peers::Dns { host, port, .. } = &self.pool.spec.peers else {
            return now + IDLE;
        };
        match self.question {
            Question::Due(at) | Question::Asked(at) if at > now => return at,
            Question::Never => return now + IDLE,
            Question::Due(_) | Question::Asked(_) => {}
        }
        let (host, port, resolver) = (host.clone(), *port, self.pool.resolver.clone());
        let allowed = if self.pool.spec.private_peers {
            Allowed::Private
        } else {
            Allowed::Public
        };
        self.jobs
            .spawn(async move { Done::Resolved(resolve(resolver, &host, port, allowed).await) });
        let lost = now + IDLE;
        self.question = Question::Asked(lost);
        lost
    }

    /// Somebody waits for the name: ask soon, unless it is being asked for.
    fn hurry(&mut self, now: Instant) {
        if let Question::Due(at) = self.question {
            self.question = Question::Due(at.min(now + PAUSE));
        }
    }

    fn note(&mut self, done: Option<Done>, now: Instant) {
        match done {
            Some(Done::Checked(peer, result)) => {
                if let Some(health) = &self.pool.spec.health {
                    let (failures, successes) = (health.failures, health.successes);
                    peer.note_check(
                        result,
                        Thresholds {
                            failures,
                            successes,
                        },
                        now.into_std(),
                    );
                }
            }
            Some(Done::Resolved(result)) => {
                // On an error the old addresses stay: they are more likely right than nothing.
                if let Ok(addresses) = result {
                    self.pool.replace(&addresses);
                }
                if let Peers::Dns { every, .. } = self.pool.spec.peers {
                    self.question = Question::Due(now + jittered(every));
                }
                self.pool
                    .asked
                    .send_modify(|asked| *asked = asked.wrapping_add(1));
            }
            // A job that panicked: its timer runs on.
            None => {}
        }
    }
}

/// When each peer is checked next.
#[derive(Default)]
struct Agenda(HashMap<SocketAddr, Instant>);

impl Agenda {
    /// New peers are checked first within one period, so that they do not all start at once.
    fn follow(&mut self, peers: &[Arc<Peer>], every: Duration, now: Instant) {
        for peer in peers {
            let first = || now + every.mul_f64(fraction());
            self.0.entry(peer.address).or_insert_with(first);
        }
        if self.0.len() > peers.len() {
            self.0
                .retain(|known, _| peers.iter().any(|peer| peer.address == *known));
        }
    }

    /// The peer that has been due longest; its next turn is set.
    fn take_due(&mut self, now: Instant, every: Duration) -> Option<SocketAddr> {
        let due = self.0.iter_mut().filter(|(_, at)| **at <= now);
        let (address, at) = due.min_by_key(|(_, at)| **at)?;
        *at = now + jittered(every);
        Some(*address)
    }

    fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }
}

/// A period, a tenth longer or shorter, so that many timers do not fall into step.
fn jittered(every: Duration) -> Duration {
    every.mul_f64(0.9 + 0.2 * fraction()).max(SHORTEST)
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use pingora_core::upstreams::peer::HttpPeer;

    use super::*;

    fn peer(last: u8) -> Arc<Peer> {
        let address = SocketAddr::from(([10, 0, 0, last], 80));
        Peer::new(address, HttpPeer::new(address, false, String::new()))
    }

    #[test]
    fn checks_are_spread_over_the_period_and_never_fall_into_step() {
        let every = Duration::from_secs(10);
        let start = Instant::now();
        let peers: Vec<Arc<Peer>> = (0..100).map(peer).collect();
        let mut agenda = Agenda::default();
        agenda.follow(&peers, every, start);
        let early = agenda
            .0
            .values()
            .filter(|at| **at < start + every / 2)
            .count();
        assert!(
            (20..80).contains(&early),
            "{early} of 100 in the first half"
        );
        assert!(agenda.0.values().all(|at| *at <= start + every));

        let now = start + every;
        let mut taken = 0;
        while agenda.take_due(now, every).is_some() {
            taken += 1;
        }
        assert_eq!(taken, 100);
        let (low, high) = (now + every.mul_f64(0.89), now + every.mul_f64(1.11));
        assert!(agenda.0.values().all(|at| (low..high).contains(at)));
    }

    #[test]
    fn a_peer_that_left_is_no_longer_on_the_agenda() {
        let peers = [peer(1), peer(2)];
        let mut agenda = Agenda::default();
        let (every, now) = (Duration::from_secs(1), Instant::now());
        agenda.follow(&peers, every, now);
        agenda.follow(&peers[1..], every, now);
        assert_eq!(agenda.0.keys().collect::<Vec<_>>(), [&peers[1].address]);
    }
}
