//! What the providers of e-mail have in common: sender, headers, files.
//!
//! Invariant: a message that can be unsubscribed from carries both headers of RFC 8058.
//! Failure: none.

use serde::{Deserialize, Serialize};

use crate::delivery::messages::Letter;

/// A sender.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mailbox {
    /// The address.
    pub email: String,
    /// What people read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Mailbox {
    /// `"Reports" <reports@example.org>` (RFC 5322 §3.4).
    pub fn line(&self) -> String {
        match &self.name {
            None => self.email.clone(),
            Some(name) => {
                let name = name.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{name}\" <{}>", self.email)
            }
        }
    }

    /// The domain of the address.
    pub fn domain(&self) -> &str {
        self.email.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The headers that let a recipient unsubscribe with one click.
pub fn unsubscribe(letter: &Letter) -> Vec<(&'static str, String)> {
    match &letter.unsubscribe {
        None => Vec::new(),
        Some(url) => vec![
            ("List-Unsubscribe", format!("<{url}>")),
            (
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            ),
        ],
    }
}

/// The same as an object.
pub fn headers(letter: &Letter) -> serde_json::Map<String, serde_json::Value> {
    let headers = unsubscribe(letter).into_iter();
    headers
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_written_so_that_no_name_ends_it() {
        let line = |name: Option<&str>| {
            let mailbox = Mailbox {
                email: "a@b.example".to_owned(),
                name: name.map(str::to_owned),
            };
            mailbox.line()
        };
        assert_eq!(line(None), "a@b.example");
        assert_eq!(
            line(Some("Reports, Inc.")),
            "\"Reports, Inc.\" <a@b.example>"
        );
        assert_eq!(line(Some("A\" <x@y.z>")), "\"A\\\" <x@y.z>\" <a@b.example>");
    }
}
