//! Networks: blocks of addresses as `10.0.0.0/8` and `2001:db8::/32` write them (RFC 4632, RFC 4291
//! section 2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    first: IpAddr,
    /// How many bits at the beginning all of its addresses share.
    shared: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANetwork {
    /// It is written otherwise.
    #[error("a network is an address, a slash and a number of bits, such as 10.0.0.0/8")]
    Form,
    /// An address that is not the first of its network: one of the two is a slip.
    #[error("it is not the first address of its network, which is {0}")]
    Inside(Network),
    /// An IPv4 address in the clothes of IPv6: no client comes from there.
    #[error("write an IPv4 network as one")]
    Mapped,
}

impl Network {
    /// Reads a network; an address without bits is a network of its own.
    pub fn parse(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork::Form)?;
        let longest = longest(address);
        let shared = match bits {
            None => longest,
            Some(bits) => number(bits).ok_or(NotANetwork::Form)?,
        };
        if shared > longest {
            return Err(NotANetwork::Form);
        }
        if address.to_canonical() != address {
            return Err(NotANetwork::Mapped);
        }
        let network = Self::of(address, shared);
        if network.first == address {
            Ok(network)
        } else {
            Err(NotANetwork::Inside(network))
        }
    }

    /// The network around an address whose addresses share so many bits with it.
    pub fn of(address: IpAddr, shared: u8) -> Self {
        let shared = shared.min(longest(address));
        let first = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(shared)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(shared)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { first, shared }
    }

    /// Whether an address is in it. An IPv4 address that came over an IPv6 socket is what it was.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && Self::of(address, self.shared).first == self.first
    }

    /// Its first address.
    pub fn first(&self) -> IpAddr {
        self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.shared)
    }
}

fn longest(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// One to three digits, without a sign or idle zeros.
fn number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let idle = text.len() > 1 && text.starts_with('0');
    (plain && !idle).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("fd00::1", "fd00::1", "fd00::2"),
            ("::/0", "ffff::", "1.2.3.4"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::/0", "fe80::1", "::ffff:10.1.2.3"),
        ] {
            assert!(network(text).has(address(inside)), "{text} {inside}");
            assert!(!network(text).has(address(outside)), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_no_network() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10.0.0/8",
            "010.0.0.0/8",
            "10.0.0.0 /8",
            "[::]/0",
            "host/8",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
        ] {
            assert_eq!(Network::parse(text), Err(NotANetwork::Form), "{text}");
        }
        let within = Network::parse("10.1.2.3/8").unwrap_err().to_string();
        assert!(within.ends_with("which is 10.0.0.0/8"), "{within}");
        assert!(matches!(
            Network::parse("2001:db8::1/64"),
            Err(NotANetwork::Inside(_))
        ));
        assert_eq!(
            Network::parse("::ffff:10.0.0.0/104"),
            Err(NotANetwork::Mapped)
        );
    }

    proptest! {
        #[test]
        fn an_address_is_in_the_network_around_it(bits in any::<u128>(), shared in 0..=128_u8) {
            for address in [
                IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical(),
                IpAddr::V4(Ipv4Addr::from_bits((bits >> 96) as u32)),
            ] {
                let around = Network::of(address, shared);
                prop_assert!(around.has(address));
                prop_assert_eq!(Network::parse(&around.to_string()), Ok(around));
            }
        }
    }
}
