//! Judges where a request may go when a tenant chose the address: webhooks, connections, chatbots.
//!
//! Invariant: a [`Target`] names a public host on an allowed port, or the deployment's [`Policy`]
//! says otherwise. The text is read the way `fetch` reads it (WHATWG), so what is judged is what is
//! called; every hop of a redirect is judged like the first.
//! Failure: a [`Refusal`] with a stable code. A name is judged as a name: what it resolves to is
//! known only to the caller, who asks [`judge_ip`] where it can.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

mod address;
pub mod cases;
mod names;

/// Longest URL read, in bytes.
pub const MAX_URL: usize = 2_048;
/// Most redirects followed.
pub const MAX_HOPS: u32 = 5;

/// What this deployment lets out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `http` as well as `https`.
    pub allow_http: bool,
    /// Hosts that are not public: for development and for installations within one network.
    pub allow_private: bool,
    /// Ports that may be called; empty for any.
    pub ports: Vec<u16>,
}

impl Default for Policy {
    /// [`Policy::strict`].
    fn default() -> Self {
        Self::strict()
    }
}

impl Policy {
    /// The internet only: `https` on 443 and 8443.
    pub fn strict() -> Self {
        Self {
            allow_http: false,
            allow_private: false,
            ports: vec![443, 8_443],
        }
    }

    /// Anywhere, in the clear too: for a development machine.
    pub fn open() -> Self {
        Self {
            allow_http: true,
            allow_private: true,
            ports: Vec::new(),
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The whole URL in its normal form, without fragment.
    pub url: String,
    /// Whether it is encrypted.
    pub https: bool,
    /// Lower case; punycode for names outside ASCII; IPv6 in brackets.
    pub host: String,
    /// The port, named or not.
    pub port: u16,
}

/// Why a request does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No absolute URL, or one that tools read differently.
    Malformed,
    /// Longer than [`MAX_URL`].
    TooLong,
    /// Neither `https` nor, where allowed, `http`.
    Scheme,
    /// A user name or password in the URL.
    Credentials,
    /// A port that is not on the list.
    Port,
    /// An address that is not public.
    Address,
    /// A name that is reserved, internal, or made to resolve to such an address.
    Name,
    /// A redirect from `https` to `http`.
    Downgrade,
    /// More than [`MAX_HOPS`] redirects.
    TooManyRedirects,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "url_malformed",
            Self::TooLong => "url_too_long",
            Self::Scheme => "url_scheme_not_allowed",
            Self::Credentials => "url_has_credentials",
            Self::Port => "url_port_not_allowed",
            Self::Address => "url_address_not_public",
            Self::Name => "url_host_not_public",
            Self::Downgrade => "redirect_to_http",
            Self::TooManyRedirects => "too_many_redirects",
        }
    }

    /// One sentence for a person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "Must be an absolute URL such as https://hooks.example.org/in.",
            Self::TooLong => "Must have at most 2048 bytes.",
            Self::Scheme => "Must begin with https://.",
            Self::Credentials => "Must not contain a user name or password.",
            Self::Port => "Names a port that may not be called.",
            Self::Address => "Names an address that is not public.",
            Self::Name => "Names a host that is not public.",
            Self::Downgrade => "Redirects from https to http.",
            Self::TooManyRedirects => "Redirects too often.",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

/// Judges a URL that a tenant gave.
pub fn judge(text: &str, policy: &Policy) -> Result<Target, Refusal> {
    if text.len() > MAX_URL {
        return Err(Refusal::TooLong);
    }
    // Blanks, backslashes and missing slashes are read differently by different tools.
    if text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return Err(Refusal::Malformed);
    }
    let (scheme, rest) = text.split_once(':').ok_or(Refusal::Malformed)?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(Refusal::Scheme);
    }
    let authority = rest.strip_prefix("//").ok_or(Refusal::Malformed)?;
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(Refusal::Malformed);
    }
    if authority.contains('@') {
        return Err(Refusal::Credentials);
    }
    judge_url(Url::parse(text).map_err(|_| Refusal::Malformed)?, policy)
}

/// Judges the `location` of a redirect answered by `from`; `hops` counts the redirects before it.
pub fn redirect(
    from: &Target,
    location: &str,
    hops: u32,
    policy: &Policy,
) -> Result<Target, Refusal> {
    if hops >= MAX_HOPS {
        return Err(Refusal::TooManyRedirects);
    }
    if location.len() > MAX_URL {
        return Err(Refusal::TooLong);
    }
    if location.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Refusal::Malformed);
    }
    let base = Url::parse(&from.url).map_err(|_| Refusal::Malformed)?;
    let url = base.join(location.trim()).map_err(|_| Refusal::Malformed)?;
    let to = judge_url(url, policy)?;
    if from.https && !to.https {
        Err(Refusal::Downgrade)
    } else {
        Ok(to)
    }
}

/// Judges a host and port that a tenant gave for a protocol other than HTTP. Returns the host in its
/// normal form.
pub fn judge_host(host: &str, port: u16, policy: &Policy) -> Result<String, Refusal> {
    if host
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || "\\/@?#%".contains(c))
    {
        return Err(Refusal::Malformed);
    }
    judge_port(port, policy)?;
    let parsed = match host.parse::<Ipv6Addr>() {
        Ok(address) => Host::Ipv6(address),
        Err(_) => Host::parse(host).map_err(|_| Refusal::Malformed)?,
    };
    judge_parsed(&parsed, policy)?;
    Ok(parsed.to_string())
}

/// Judges an address, for example one that a name resolved to.
pub fn judge_ip(address: IpAddr, policy: &Policy) -> Result<(), Refusal> {
    if policy.allow_private || address::is_public(address) {
        Ok(())
    } else {
        Err(Refusal::Address)
    }
}

fn judge_url(mut url: Url, policy: &Policy) -> Result<Target, Refusal> {
    let https = match url.scheme() {
        "https" => true,
        "http" if policy.allow_http => false,
        _ => return Err(Refusal::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials);
    }
    let port = url.port_or_known_default().ok_or(Refusal::Port)?;
    judge_port(port, policy)?;
    let host = url.host().ok_or(Refusal::Malformed)?.to_owned();
    judge_parsed(&host, policy)?;
    url.set_fragment(None);
    if url.as_str().len() > MAX_URL {
        return Err(Refusal::TooLong);
    }
    Ok(Target {
        url: url.into(),
        https,
        host: host.to_string(),
        port,
    })
}

fn judge_port(port: u16, policy: &Policy) -> Result<(), Refusal> {
    let listed = policy.ports.is_empty() || policy.ports.contains(&port);
    if port != 0 && listed {
        Ok(())
    } else {
        Err(Refusal::Port)
    }
}

fn judge_parsed<S: AsRef<str>>(host: &Host<S>, policy: &Policy) -> Result<(), Refusal> {
    match host {
        Host::Ipv4(address) => judge_ip(IpAddr::V4(*address), policy),
        Host::Ipv6(address) => judge_ip(IpAddr::V6(*address), policy),
        Host::Domain(name) if !names::well_formed(name.as_ref()) => Err(Refusal::Malformed),
        Host::Domain(name) if policy.allow_private || names::is_public(name.as_ref()) => Ok(()),
        Host::Domain(_) => Err(Refusal::Name),
    }
}

#[cfg(test)]
mod tests;
