//! Where a call comes from, and where it came to.
//!
//! Invariant: an IPv6 caller is counted by the /64 that one customer owns, not by the addresses in it.
//! Failure: an address that is none is `unknown`: all such callers count as one.

use std::net::IpAddr;

/// What attempts are counted by: an IPv4 address, or the network of one IPv6 customer.
pub fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => format!("{:x}/64", u128::from(address) >> 64),
        },
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

/// The origin of an address: scheme, host and port.
pub fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..host + end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_the_network_of_one_ipv6_customer() {
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2::a"), network("2001:db8:1:2:ffff::b"));
        assert_ne!(network("2001:db8:1:2::a"), network("2001:db8:1:3::a"));
        assert_eq!(network(""), "unknown");
    }

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        for url in [
            "https://p.example:8443/a?b#c",
            "https://p.example:8443?b",
            "https://p.example:8443",
        ] {
            assert_eq!(origin(url), "https://p.example:8443");
        }
        assert_eq!(origin(""), "");
    }
}
