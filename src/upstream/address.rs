//! Which addresses a public provider may have, and how a base URL names itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::spec::{BaseUrl, Scheme};

impl BaseUrl {
    /// The value of the `Host` header: brackets around IPv6, the port unless it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.clone(),
        };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Whether an address can belong to a provider on the internet. Everything that the IANA
/// special-purpose registries keep from it cannot: loopback, private, shared, link-local (with it
/// the metadata service), unique-local, multicast, documentation, benchmarking, reserved,
/// unspecified, and addresses that carry another one inside (v4-mapped, 6to4, Teredo).
/// NAT64 (RFC 6052) is judged by the address within.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        // This network, private, loopback, multicast, reserved and broadcast. Then private, shared
        // by carriers (RFC 6598), link-local, protocol assignments and documentation, the 6to4
        // relay, benchmarking.
        (0 | 10 | 127 | 224.., _, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (192, 0, 0 | 2)
            | (198, 51, 100)
            | (203, 0, 113)
            | (192, 88, 99)
            | (198, 18 | 19, _)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation (two ranges), 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002, ..] => false,
        // Only 2000::/3 is given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_on_the_internet_is_not_public() {
        let cases = [
            ("1.1.1.1", true),
            ("100.63.255.255", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("198.20.0.1", true),
            ("192.0.1.1", true),
            ("223.255.255.255", true),
            ("2606:4700:4700::1111", true),
            ("2a00:1450::1", true),
            ("64:ff9b::8.8.8.8", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.100.100.200", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.0.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.7", false),
            ("203.0.113.7", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::ffff:8.8.8.8", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:0a00:0001::1", false),
            ("3fff::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ];
        for (text, expected) in cases {
            let address: IpAddr = text.parse().expect(text);
            assert_eq!(is_public(address), expected, "{text}");
        }
    }

    #[test]
    fn an_authority_names_a_port_only_when_it_is_not_the_schemes_own() {
        let cases = [
            (Scheme::Https, "api.example.com", 443, "api.example.com"),
            (Scheme::Https, "api.example.com", 80, "api.example.com:80"),
            (Scheme::Http, "llm", 80, "llm"),
            (Scheme::Http, "127.0.0.1", 8000, "127.0.0.1:8000"),
            (Scheme::Http, "fd00::1", 8000, "[fd00::1]:8000"),
        ];
        for (scheme, host, port, expected) in cases {
            let base = BaseUrl {
                scheme,
                host: host.to_owned(),
                port,
                prefix: String::new(),
            };
            assert_eq!(base.authority(), expected);
        }
    }
}
