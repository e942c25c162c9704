//! Which host names are public.
//!
//! Invariant: names reserved for local use, names of clouds' inner services, and public names whose
//! purpose is to resolve to a private address are not public. A name has at least two labels.
//! Failure: none.

/// Domains that are not public, with everything below them.
#[rustfmt::skip]
const NOT_PUBLIC: &[&str] = &[
    // Reserved (RFC 6761, 6762, 7686, 8375, 9476; ICANN's .internal).
    "localhost", "local", "internal", "test", "invalid", "example", "onion", "alt", "arpa",
    // Used within networks all the same.
    "localdomain", "lan", "home", "corp", "intranet", "private", "intra", "mail", "svc", "consul",
    "workgroup", "domain", "router", "priv", "k8s",
    // Inner services of clouds.
    "metadata.goog", "metadata.packet.net", "metadata.platformequinix.com",
    "metadata.tencentyun.com",
    // Made to resolve to any address their name contains, or to loopback.
    "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com",
    "local.gd", "rbndr.us", "1u.ms", "127-0-0-1.org.uk", "traefik.me", "backname.io", "localho.st",
    "fuf.me",
];

/// Whether this is a host name: labels of letters, digits, hyphens and underscores, no dot at the
/// end.
pub fn well_formed(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether a well-formed name (lower case) is public.
pub fn is_public(name: &str) -> bool {
    let listed = NOT_PUBLIC.iter().any(|domain| {
        name.strip_suffix(domain)
            .is_some_and(|above| above.is_empty() || above.ends_with('.'))
    });
    name.contains('.') && !listed
}
