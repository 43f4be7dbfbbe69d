//! Failures of authentication, counted by the address they come from.
//!
//! Pure: the time comes in as an argument. Only failures are slowed: a key that holds passes
//! whatever its neighbours behind the same address do, so nobody can lock others out.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures in a minute of one address that get the ordinary answer.
const MOST: u32 = 20;
const MINUTE: Duration = Duration::from_mins(1);
/// Addresses that are remembered; beyond them the oldest is forgotten.
const ADDRESSES: usize = 4_096;

/// What has failed in the last minute, by address.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    counts: HashMap<IpAddr, Count>,
    /// The same addresses, in the order in which their minutes began.
    order: VecDeque<IpAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    begun: Instant,
    failures: u32,
}

impl Strikes {
    /// Counts a failure. If there have been too many, the time until the next will be an ordinary
    /// one again.
    pub(super) fn note(&mut self, from: IpAddr, now: Instant) -> Option<Duration> {
        self.forget(now);
        let from = party(from);
        if let Some(count) = self.counts.get_mut(&from) {
            count.failures = count.failures.saturating_add(1);
            let rest = MINUTE.saturating_sub(now.saturating_duration_since(count.begun));
            return (count.failures > MOST).then_some(rest);
        }
        if self.order.len() >= ADDRESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        self.order.push_back(from);
        let first = Count {
            begun: now,
            failures: 1,
        };
        self.counts.insert(from, first);
        None
    }

    /// Forgets the addresses whose minute is over. Each is forgotten once, so a failure costs the
    /// same on average, however many there are.
    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front() {
            let count = self.counts.get(oldest);
            if count.is_some_and(|it| now.saturating_duration_since(it.begun) < MINUTE) {
                return;
            }
            self.counts.remove(oldest);
            self.order.pop_front();
        }
    }
}

/// Who an address stands for: a network of 64 bits is one customer's.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The address that stands at this place of all.
    fn nth(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn the_failures_after_the_twentieth_of_a_minute_are_slowed() {
        let (mut strikes, start) = (Strikes::default(), Instant::now());
        let from = address("192.0.2.1");
        for second in 0..20 {
            let now = start + Duration::from_secs(second);
            assert_eq!(strikes.note(from, now), None, "{second}");
        }
        let now = start + Duration::from_secs(30);
        assert_eq!(strikes.note(from, now), Some(Duration::from_secs(30)));
        assert_eq!(strikes.note(address("192.0.2.2"), now), None);
        assert_eq!(strikes.note(from, start + MINUTE), None, "a new minute");
        assert_eq!(strikes.note(from, start + MINUTE), None);
    }

    #[test]
    fn a_network_of_64_bits_is_one_party_and_so_are_both_forms_of_an_address() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        for host in 0..20 {
            let from = address(&format!("2001:db8::{host}"));
            assert_eq!(strikes.note(from, now), None);
            assert_eq!(strikes.note(address("192.0.2.1"), now), None);
        }
        assert!(strikes.note(address("2001:db8::ffff"), now).is_some());
        assert!(strikes.note(address("2001:db8:0:1::"), now).is_none());
        assert!(strikes.note(address("::ffff:192.0.2.1"), now).is_some());
    }

    #[test]
    fn beyond_its_bound_the_oldest_address_is_forgotten() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        for _ in 0..=MOST {
            strikes.note(nth(0), now);
        }
        let others = u32::try_from(ADDRESSES).unwrap();
        for other in 1..others {
            strikes.note(nth(other), now);
        }
        assert!(strikes.note(nth(0), now).is_some());
        strikes.note(nth(others), now);
        assert_eq!(strikes.counts.len(), ADDRESSES);
        assert_eq!(strikes.note(nth(0), now), None);
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_a_plain_count_of_each_minute_says(
            failures in prop::collection::vec((0..3_u32, 0..10_u64), 0..300),
        ) {
            let (mut strikes, mut now) = (Strikes::default(), Instant::now());
            let mut plain: HashMap<u32, (Instant, u32)> = HashMap::new();
            for (from, wait) in failures {
                now += Duration::from_secs(wait);
                let count = plain.entry(from).or_insert((now, 0));
                if now - count.0 >= MINUTE {
                    *count = (now, 0);
                }
                count.1 += 1;
                let expected = (count.1 > MOST).then(|| MINUTE.saturating_sub(now - count.0));
                prop_assert_eq!(strikes.note(nth(from), now), expected);
                prop_assert_eq!(strikes.counts.len(), strikes.order.len());
            }
        }
    }
}
