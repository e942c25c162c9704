//! Which addresses are public.
//!
//! Invariant: what IANA's special-purpose registries do not call globally reachable is not public;
//! nor is any IPv6 address that carries an IPv4 address within, whatever that one is.
//! Failure: none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 that are not public: network and length of its prefix.
#[rustfmt::skip]
const V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),          // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),         // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),      // carrier-grade NAT; Alibaba's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),        // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32),   // Azure's host: public by number only
    (Ipv4Addr::new(169, 254, 0, 0), 16),     // link-local; metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),      // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),       // protocol assignments; Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),       // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),     // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),     // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),      // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),    // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),     // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),        // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),        // reserved; broadcast
];

/// Ranges within 2000::/3 that are not public; everything outside 2000::/3 is not public either.
#[rustfmt::skip]
const V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),      // protocol assignments; Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),  // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),      // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),      // documentation
];

/// Whether an address is public.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let bits = u32::from(address);
            !V4.iter()
                .any(|(network, length)| same(bits, u32::from(*network), 32 - length))
        }
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            let global = bits >> 125 == 0b001;
            // ISATAP: an interface identifier that ends in an IPv4 address.
            let isatap = (bits >> 32) as u32 & 0xfdff_ffff == 0x0000_5efe;
            let special = V6.iter().any(|(network, length)| {
                let shift = 128 - length;
                bits >> shift == u128::from(*network) >> shift
            });
            global && !isatap && !special
        }
    }
}

fn same(left: u32, right: u32, shift: u32) -> bool {
    u64::from(left) >> shift == u64::from(right) >> shift
}
