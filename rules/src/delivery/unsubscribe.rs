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

/// Puts the link where a text wants it. Without one, the lines that want it are left out: what they
/// say of it would be untrue.
pub fn fill_text(text: &str, url: Option<&str>) -> String {
    match url {
        Some(url) => text.replace(PLACEHOLDER, url),
        None => text
            .split_inclusive('\n')
            .filter(|line| !line.contains(PLACEHOLDER))
            .collect(),
    }
}

/// The same for HTML: without a link, the elements `a` that lead there are left out, and a paragraph
/// that held nothing else.
pub fn fill_html(html: &str, url: Option<&str>) -> String {
    if let Some(url) = url {
        return html.replace(PLACEHOLDER, url);
    }
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(PLACEHOLDER) {
        let opened = before.rfind("<a ").filter(|at| {
            // It stands in the tag itself.
            before.get(*at..).is_some_and(|tag| !tag.contains('>'))
        });
        match (
            opened.and_then(|at| before.get(..at)),
            after.split_once("</a>"),
        ) {
            (Some(before), Some((_, after))) => {
                kept.push_str(before);
                rest = without_paragraph(&mut kept, after);
            }
            _ => {
                kept.push_str(before);
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// Takes a paragraph back that ends as it began.
fn without_paragraph<'a>(kept: &mut String, after: &'a str) -> &'a str {
    let began = kept.rfind("<p").filter(|at| {
        let tag = kept.get(*at..).unwrap_or_default();
        tag.find('>').map(|end| end + 1) == Some(tag.len())
    });
    match (began, after.strip_prefix("</p>")) {
        (Some(at), Some(after)) => {
            kept.truncate(at);
            after
        }
        _ => after,
    }
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
        for fill in [fill_text, fill_html] {
            let filled = fill(text, Some("https://p.example/u/x"));
            assert_eq!(filled.matches("https://p.example/u/x").count(), 2);
            assert!(!fill(text, None).contains('{'));
        }
    }

    #[test]
    fn without_a_link_nothing_speaks_of_one() {
        let text = "42 guests.\n-- \nYou get this.\nUnsubscribe: {unsubscribe_url}\n";
        assert_eq!(fill_text(text, None), "42 guests.\n-- \nYou get this.\n");
        let cases = [
            (
                "<p>42.</p>\n<p class=\"x\"><a href=\"{unsubscribe_url}\" style=\"y\">Unsubscribe</a></p></td>",
                "<p>42.</p>\n</td>",
            ),
            (
                "<p>42 guests. <a href=\"{unsubscribe_url}\">Unsubscribe</a></p>",
                "<p>42 guests. </p>",
            ),
            (
                "<a href=\"x\">a</a> {unsubscribe_url} <a class=\"b\" href='{unsubscribe_url}'>u</a><a href=\"y\">c</a>",
                "<a href=\"x\">a</a>  <a href=\"y\">c</a>",
            ),
            (
                "<pre><a href=\"{unsubscribe_url}\">u</a></pre>",
                "<pre></pre>",
            ),
            ("<a href=\"{unsubscribe_url}\">cut", "<a href=\"\">cut"),
        ];
        for (html, expected) in cases {
            assert_eq!(fill_html(html, None), expected);
        }
    }

    #[test]
    fn an_address_is_shown_in_part() {
        assert_eq!(masked("ada@example.org"), "a…@example.org");
        assert_eq!(masked("+14155550123"), "+…");
        assert_eq!(masked(""), "…");
    }
}
