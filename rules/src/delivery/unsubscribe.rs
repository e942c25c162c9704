//! Unsubscribing with one click (RFC 8058): what a link names, and where it stands in a message.
//!
//! Invariant: a link names tenant, topic and address; the same three give the same link, so that a
//! message that is sent again has the same bytes.
//! Failure: bytes that name nothing are none.

use uuid::Uuid;

/// Where a message's HTML and text want the link.
pub const PLACEHOLDER: &str = "{unsubscribe_url}";
/// Longest kind of a topic, in bytes.
pub const MAX_KIND: usize = 40;

/// Who does not want what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The tenant that sends it.
    pub tenant: Uuid,
    /// What kind of topic: `report`.
    pub topic_kind: String,
    /// The topic.
    pub topic: Uuid,
    /// Who it is sent to.
    pub address: String,
}

impl Subject {
    /// As bytes, to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        let kind = self.topic_kind.as_bytes();
        let mut bytes = Vec::with_capacity(33 + kind.len() + self.address.len());
        bytes.extend_from_slice(self.tenant.as_bytes());
        bytes.extend_from_slice(self.topic.as_bytes());
        bytes.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(self.address.as_bytes());
        bytes
    }

    /// Reads what [`Subject::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (tenant, rest) = bytes.split_at_checked(16)?;
        let (topic, rest) = rest.split_at_checked(16)?;
        let (length, rest) = rest.split_first()?;
        let (kind, address) = rest.split_at_checked(usize::from(*length))?;
        Some(Self {
            tenant: Uuid::from_slice(tenant).ok()?,
            topic_kind: String::from_utf8(kind.to_vec()).ok()?,
            topic: Uuid::from_slice(topic).ok()?,
            address: String::from_utf8(address.to_vec()).ok()?,
        })
    }
}

/// Puts the link where the text wants it. Without one nothing stands there.
pub fn fill(text: &str, url: Option<&str>) -> String {
    text.replace(PLACEHOLDER, url.unwrap_or_default())
}

/// An address as it is shown to whoever has the link: enough to know it by.
pub fn masked(address: &str) -> String {
    let first: String = address.chars().take(1).collect();
    match address.split_once('@') {
        Some((_, domain)) => format!("{first}…@{domain}"),
        None => format!("{first}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            tenant: Uuid::from_u128(1),
            topic_kind: "report".to_owned(),
            topic: Uuid::from_u128(2),
            address: "jürgen@bücher.example".to_owned(),
        }
    }

    #[test]
    fn a_subject_comes_back_as_it_went() {
        assert_eq!(Subject::decode(&subject().encode()), Some(subject()));
        let none = Subject {
            topic_kind: String::new(),
            address: String::new(),
            ..subject()
        };
        assert_eq!(Subject::decode(&none.encode()), Some(none));
    }

    #[test]
    fn what_is_cut_short_names_nobody() {
        let bytes = subject().encode();
        for length in 0..39 {
            assert_eq!(Subject::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Subject::decode(&[bytes, vec![0xff]].concat()), None);
    }

    #[test]
    fn the_link_stands_wherever_the_text_wants_it() {
        let text = "Stop: {unsubscribe_url} or <a href=\"{unsubscribe_url}\">here</a>";
        let filled = fill(text, Some("https://p.example/u/x"));
        assert_eq!(filled.matches("https://p.example/u/x").count(), 2);
        assert!(!fill(text, None).contains('{'));
    }

    #[test]
    fn an_address_is_shown_in_part() {
        assert_eq!(masked("ada@example.org"), "a…@example.org");
        assert_eq!(masked("+14155550123"), "+…");
        assert_eq!(masked(""), "…");
    }
}
