//! Who is in a pool now, and which of them serves the next call.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Instant;

use pingora_load_balancing::discovery::Static;
use pingora_load_balancing::selection::{BackendIter, BackendSelection, Consistent, RoundRobin};
use pingora_load_balancing::{Backend, Backends, Extensions, LoadBalancer};

use super::peer::{Peer, PeerLease, Standing};
use super::spec::Balance;

/// The members of a pool at one time. Never changed: a new set takes its place.
pub(super) struct Members {
    peers: Vec<Arc<Peer>>,
    balancer: Balancer,
}

enum Balancer {
    RoundRobin(LoadBalancer<RoundRobin>),
    Consistent(LoadBalancer<Consistent>),
    /// Where the search begins, so that equals take turns.
    LeastBusy(AtomicUsize),
}

impl Members {
    /// A set of peers. One whose address is listed n times gets n shares.
    pub(super) fn new(
        balance: Balance,
        addresses: &[SocketAddr],
        mut peer: impl FnMut(SocketAddr) -> Arc<Peer>,
    ) -> Self {
        let mut weights: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for address in addresses {
            *weights.entry(*address).or_default() += 1;
        }
        let peers = weights.keys().map(|address| peer(*address)).collect();
        let balancer = match balance {
            Balance::RoundRobin => Balancer::RoundRobin(balancer(&weights)),
            Balance::Consistent => Balancer::Consistent(balancer(&weights)),
            Balance::LeastBusy => Balancer::LeastBusy(AtomicUsize::new(0)),
        };
        Self { peers, balancer }
    }

    pub(super) fn peers(&self) -> &[Arc<Peer>] {
        &self.peers
    }

    pub(super) fn find(&self, address: SocketAddr) -> Option<&Arc<Peer>> {
        let found = self
            .peers
            .binary_search_by_key(&address, |peer| peer.address);
        self.peers.get(found.ok()?)
    }

    /// A place at the peer for the next call: by balance among those that are usable, else at the
    /// least bad, for one that is down may be back, and an error is certain not to be an answer.
    pub(super) fn pick(
        &self,
        affinity: &[u8],
        tried: &[SocketAddr],
        now: Instant,
    ) -> Option<PeerLease> {
        let usable =
            |peer: &Peer| !tried.contains(&peer.address) && peer.standing(now) == Standing::Usable;
        // Another call may take a peer's only place between the look and the lease.
        for _ in &self.peers {
            let Some(peer) = self.balanced(affinity, usable) else {
                break;
            };
            if let Some(lease) = peer.lease(now) {
                return Some(lease);
            }
        }
        self.least_bad(tried, now).map(|peer| peer.resort(now))
    }

    fn balanced(&self, affinity: &[u8], usable: impl Fn(&Peer) -> bool) -> Option<&Arc<Peer>> {
        if let [only] = self.peers.as_slice() {
            return usable(only).then_some(only);
        }
        match &self.balancer {
            Balancer::RoundRobin(balancer) => self.select(balancer, affinity, usable),
            Balancer::Consistent(balancer) => self.select(balancer, affinity, usable),
            Balancer::LeastBusy(turn) => {
                let turn = turn.fetch_add(1, Ordering::Relaxed) % self.peers.len().max(1);
                let (before, after) = self.peers.split_at_checked(turn)?;
                let peers = after.iter().chain(before).filter(|peer| usable(peer));
                peers.min_by_key(|peer| peer.in_flight())
            }
        }
    }

    fn select<S>(
        &self,
        balancer: &LoadBalancer<S>,
        affinity: &[u8],
        usable: impl Fn(&Peer) -> bool,
    ) -> Option<&Arc<Peer>>
    where
        S: BackendSelection + 'static,
        S::Iter: BackendIter,
    {
        // Enough for a ring to meet everyone, with its points of one peer side by side.
        let steps = self.peers.len().saturating_mul(16);
        let member = |backend: &Backend| self.find(*backend.addr.as_inet()?);
        let chosen = balancer.select_with(affinity, steps, |backend, _| {
            member(backend).is_some_and(|peer| usable(peer))
        });
        member(&chosen?)
    }

    fn least_bad(&self, tried: &[SocketAddr], now: Instant) -> Option<&Arc<Peer>> {
        let untried = self
            .peers
            .iter()
            .filter(|peer| !tried.contains(&peer.address));
        untried.min_by_key(|peer| (peer.standing(now), peer.failed_at(), peer.in_flight()))
    }
}

/// A balancer with its backends in it: discovery is ours, and so is health.
fn balancer<S>(weights: &BTreeMap<SocketAddr, usize>) -> LoadBalancer<S>
where
    S: BackendSelection + 'static,
    S::Iter: BackendIter,
{
    let backends = weights.iter().map(|(address, weight)| Backend {
        addr: (*address).into(),
        weight: *weight,
        ext: Extensions::new(),
    });
    let discovery = Static::new(backends.collect());
    let balancer = LoadBalancer::from_backends(Backends::new(discovery));
    // Static discovery is ready at once and cannot fail.
    let _ = pin!(balancer.update()).poll(&mut Context::from_waker(Waker::noop()));
    balancer
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;
    use crate::upstream::breaker::Settled;
    use crate::upstream::error::CallError;
    use crate::upstream::spec::{BaseUrl, Scheme};
    use crate::upstream::tally::Thresholds;
    use crate::upstream::template::Template;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 80))
    }

    fn members(balance: Balance, addresses: &[SocketAddr]) -> Members {
        let base = BaseUrl {
            scheme: Scheme::Http,
            host: "x".to_owned(),
            port: 80,
            prefix: String::new(),
        };
        let template = Template::new(&base, None, 1);
        Members::new(balance, addresses, |address| {
            Peer::new(address, template.peer(address))
        })
    }

    fn picks(members: &Members, affinity: &[u8], count: usize) -> HashMap<SocketAddr, usize> {
        let mut picked = HashMap::new();
        for _ in 0..count {
            let peer = members.pick(affinity, &[], Instant::now()).unwrap();
            *picked.entry(peer.address()).or_default() += 1;
        }
        picked
    }

    fn fall(peer: &Peer) {
        let thresholds = Thresholds {
            failures: 1,
            successes: 1,
        };
        peer.note_check(Err(CallError::ConnectTimeout), thresholds, Instant::now());
    }

    /// A call at a peer that cannot be connected to.
    fn miss(peer: &Arc<Peer>, now: Instant) {
        peer.resort(now).failed(CallError::ConnectTimeout, now);
    }

    #[test]
    fn round_robin_gives_each_peer_its_shares() {
        let members = members(Balance::RoundRobin, &[address(1), address(2), address(2)]);
        let picked = picks(&members, b"", 300);
        assert_eq!(picked[&address(1)], 100);
        assert_eq!(picked[&address(2)], 200);
    }

    #[test]
    fn the_least_busy_peer_is_next_and_equals_take_turns() {
        let members = members(Balance::LeastBusy, &[address(1), address(2), address(3)]);
        assert_eq!(picks(&members, b"", 3).len(), 3);
        let _busy = [0, 2].map(|peer: usize| members.peers[peer].lease(Instant::now()));
        assert_eq!(picks(&members, b"", 10)[&address(2)], 10);
    }

    #[test]
    fn equal_prefixes_meet_the_same_peer_and_only_a_lost_peers_prefixes_move() {
        let all = [address(1), address(2), address(3), address(4)];
        let members = members(Balance::Consistent, &all);
        let mut homes = HashMap::new();
        for prompt in 0..200_u32 {
            let picked = picks(&members, &prompt.to_le_bytes(), 3);
            assert_eq!(picked.len(), 1);
            homes.insert(prompt, *picked.keys().next().unwrap());
        }
        assert!(
            homes
                .values()
                .collect::<std::collections::HashSet<_>>()
                .len()
                > 2
        );
        fall(members.find(address(3)).unwrap());
        for (prompt, home) in homes {
            let now = *picks(&members, &prompt.to_le_bytes(), 1)
                .keys()
                .next()
                .unwrap();
            assert_eq!(now == home, home != address(3), "{prompt}");
        }
    }

    #[test]
    fn a_peer_that_is_down_or_could_not_be_reached_is_passed_over() {
        for balance in [Balance::RoundRobin, Balance::LeastBusy, Balance::Consistent] {
            let members = members(balance, &[address(1), address(2), address(3)]);
            fall(&members.peers[0]);
            let now = Instant::now();
            miss(&members.peers[1], now);
            assert_eq!(picks(&members, b"", 30)[&address(3)], 30);
            members.peers[1].resort(now).note(Settled::Success);
            let picked: usize = (0..30_u8)
                .map(|n| picks(&members, &[n], 1))
                .filter_map(|picked| picked.get(&address(2)).copied())
                .sum();
            assert!((5..25).contains(&picked), "{balance:?}: {picked}");
        }
    }

    #[test]
    fn when_all_are_down_the_one_that_failed_longest_ago_is_tried() {
        let members = members(Balance::RoundRobin, &[address(1), address(2), address(3)]);
        let start = Instant::now();
        for (at, peer) in [(3, 0), (1, 1), (2, 2)] {
            let peer = &members.peers[peer];
            fall(peer);
            miss(peer, start + Duration::from_millis(at));
        }
        let now = start + Duration::from_millis(10);
        let mut tried = Vec::new();
        while let Some(peer) = members.pick(b"", &tried, now) {
            tried.push(peer.address());
        }
        assert_eq!(tried, [address(2), address(3), address(1)]);
    }

    #[test]
    fn a_peer_whose_rest_is_over_gets_one_call_at_a_time_until_it_answers() {
        for balance in [Balance::RoundRobin, Balance::LeastBusy, Balance::Consistent] {
            let members = members(balance, &[address(1), address(2), address(3)]);
            let start = Instant::now();
            miss(&members.peers[0], start);
            let calls = |now| -> Vec<PeerLease> {
                (0..60_u8)
                    .filter_map(|n| members.pick(&[n], &[], now))
                    .collect()
            };
            let at_it = |calls: &[PeerLease]| {
                let at_it = |call: &&PeerLease| call.address() == address(1);
                calls.iter().filter(at_it).count()
            };
            let second = Duration::from_secs(1);
            let resting = calls(start + Duration::new(4, 999_999_999));
            assert_eq!((resting.len(), at_it(&resting)), (60, 0), "{balance:?}");
            for _ in 0..2 {
                // Each probe is given up when its calls are dropped.
                let over = calls(start + 5 * second);
                assert_eq!((over.len(), at_it(&over)), (60, 1), "{balance:?}");
            }
            let probe = members.peers[0].lease(start + 5 * second);
            probe.unwrap().note(Settled::Success);
            assert!(at_it(&calls(start + 5 * second)) > 5, "{balance:?}");
        }
    }

    #[test]
    fn alone_in_its_pool_a_peer_is_asked_whatever_it_does() {
        for balance in [Balance::RoundRobin, Balance::LeastBusy, Balance::Consistent] {
            let members = members(balance, &[address(1)]);
            let now = Instant::now();
            for _ in 0..10 {
                let mut lease = members.pick(b"", &[], now).unwrap();
                lease.failed(CallError::ConnectTimeout, now);
            }
            assert!(members.pick(b"", &[address(1)], now).is_none());
        }
    }

    #[test]
    fn of_those_that_fail_the_one_that_is_probed_is_the_least_bad_and_one_that_is_down_the_worst() {
        let members = members(Balance::RoundRobin, &[address(1), address(2), address(3)]);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        fall(&members.peers[2]);
        // The second has failed its probe: it rests for ten seconds, and longer than the first.
        miss(&members.peers[1], start);
        miss(&members.peers[1], start + 5 * second);
        miss(&members.peers[0], start + 6 * second);
        let now = start + 11 * second;
        let probe = members.pick(b"", &[], now).unwrap();
        assert_eq!(probe.address(), address(1));
        let mut tried = Vec::new();
        while let Some(lease) = members.pick(b"", &tried, now) {
            tried.push(lease.address());
        }
        assert_eq!(tried, [address(1), address(2), address(3)]);
    }

    #[test]
    fn an_empty_pool_has_nobody() {
        for balance in [Balance::RoundRobin, Balance::LeastBusy, Balance::Consistent] {
            assert!(
                members(balance, &[])
                    .pick(b"", &[], Instant::now())
                    .is_none()
            );
        }
    }
}
