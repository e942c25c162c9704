//! Email addresses, as far as a form can judge them.
//!
//! Invariant: one `@`, something on both sides, no blanks or control characters, within the lengths
//! of RFC 5321 (64 for the local part, 254 in all). Whether mail arrives, only mail can tell, so
//! nothing stricter is asked; addresses with letters outside ASCII pass.
//! Failure: refused at its pointer with `invalid_email`.

use crate::invalid::Invalid;

/// Trims and checks an address that came in at `pointer`. The case is kept as typed.
pub fn parse(pointer: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if well_formed(text) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::one(
            pointer,
            "invalid_email",
            "Must be an email address such as ada@example.org.",
        ))
    }
}

/// The form in which two addresses are the same: lower case.
pub fn key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// A domain with letters outside ASCII as mail servers write it (RFC 5890).
#[cfg(feature = "server")]
pub fn ascii_domain(domain: &str) -> Option<String> {
    match url::Host::parse(domain).ok()? {
        url::Host::Domain(ascii) => Some(ascii),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}

fn well_formed(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let dots = |part: &str| part.split('.').all(|piece| !piece.is_empty());
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"@\"\\()<>[],;:".contains(c);
    text.len() <= 254
        && local.len() <= 64
        && dots(local)
        && local.chars().all(plain)
        && dots(domain)
        && domain.chars().all(|c| {
            c.is_ascii_alphanumeric() || c == '-' || c == '.' || (!c.is_ascii() && plain(c))
        })
        && domain
            .split('.')
            .all(|label| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_addresses_pass() {
        for good in [
            "ada@example.org",
            " ada@example.org ",
            "a+b.c@sub.example.co.uk",
            "o'brien@example.ie",
            "jürgen@bücher.example",
            "x@localhost",
            "\u{4e2d}\u{6587}@example.com",
            "1@2.io",
        ] {
            assert_eq!(parse("/email", good).unwrap(), good.trim());
        }
        assert_eq!(key(" Ada@Example.ORG"), "ada@example.org");
    }

    #[test]
    fn broken_addresses_are_refused() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b".repeat(260));
        let long_label = format!("a@{}.org", "b".repeat(64));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "a b@example.org",
            "ada@exam ple.org",
            ".ada@example.org",
            "a..b@example.org",
            "ada.@example.org",
            "ada@.org",
            "ada@example.",
            "ada@-example.org",
            "ada@example-.org",
            "a,b@example.org",
            "Ada <ada@example.org>",
            "a\u{0}b@example.org",
            "a@b\r\nBcc:x@y.z",
            "ada@exa_mple.org",
            "ada@[127.0.0.1]",
            long_local.as_str(),
            long.as_str(),
            long_label.as_str(),
        ] {
            assert_eq!(
                parse("/email", bad).unwrap_err().errors[0].code,
                "invalid_email",
                "{bad}"
            );
        }
    }
}
