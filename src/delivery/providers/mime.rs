//! A message as it travels between mail servers (RFC 5322, MIME).
//!
//! Invariant: identifier and date are the same with every attempt, so that a mailbox that sees it
//! twice knows it; every line ends with CR LF, is short and, but for addresses that need more, ASCII.
//! Failure: a file that is no base64 is a fault of whoever posted it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use super::mail::{Mailbox, unsubscribe};
use crate::delivery::messages::{Attachment, Letter};

/// The message of a letter. None when a file of it cannot be read.
pub fn message(letter: &Letter, from: &Mailbox, reply_to: Option<&str>) -> Option<Vec<u8>> {
    let name = from.name.as_deref();
    let mut message = MessageBuilder::new()
        .message_id(format!("{}@{}", letter.key, from.domain()))
        .date(letter.at.timestamp())
        .from(Address::new_address(name, from.email.as_str()))
        .to(letter.recipient.as_str())
        .subject(letter.content.subject.as_str());
    if let Some(address) = reply_to {
        message = message.reply_to(address);
    }
    for (name, value) in unsubscribe(letter) {
        message = message.header(name, Raw::new(value));
    }
    // Answers of machines are wanted by nobody (RFC 3834).
    message = message.header("Auto-Submitted", Raw::new("auto-generated"));
    message.body(body(letter)?).write_to_vec().ok()
}

/// Text, HTML with what it shows, and files: as much of that as there is.
fn body(letter: &Letter) -> Option<MimePart<'_>> {
    let (shown, beside): (Vec<_>, Vec<_>) = letter
        .content
        .attachments
        .iter()
        .partition(|file| file.content_id.is_some() && letter.html.is_some());
    let mut body = MimePart::new("text/plain", letter.text.as_str());
    if let Some(html) = &letter.html {
        let html = MimePart::new("text/html", html.as_str());
        let html = around("multipart/related", html, &shown)?;
        body = MimePart::new("multipart/alternative", vec![body, html]);
    }
    around("multipart/mixed", body, &beside)
}

/// A part with files, or alone where there are none.
fn around<'a>(
    kind: &'static str,
    first: MimePart<'a>,
    files: &[&'a Attachment],
) -> Option<MimePart<'a>> {
    if files.is_empty() {
        return Some(first);
    }
    let mut parts = vec![first];
    for file in files {
        parts.push(part(file)?);
    }
    Some(MimePart::new(kind, parts))
}

fn part(file: &Attachment) -> Option<MimePart<'_>> {
    let bytes = STANDARD.decode(&file.content).ok()?;
    // Parameters such as a charset stay with the type.
    let part = MimePart::new(file.content_type.as_str(), bytes);
    Some(match &file.content_id {
        Some(id) => part.inline().cid(id.as_str()),
        None => part.attachment(file.name.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::messages::Content;
    use std::rc::Rc;
    use uuid::Uuid;

    fn file(name: &str, kind: &str, id: Option<&str>, content: &[u8]) -> Attachment {
        Attachment {
            name: name.to_owned(),
            content_type: kind.to_owned(),
            content_id: id.map(str::to_owned),
            content: STANDARD.encode(content),
        }
    }

    fn letter(html: Option<&str>, text: &str, attachments: Vec<Attachment>) -> Letter {
        let content = Content {
            id: Uuid::nil(),
            tenant_id: Uuid::nil(),
            topic_kind: None,
            topic_id: None,
            topic_name: None,
            source_kind: "test".to_owned(),
            source_id: Uuid::nil(),
            subject: "Umsätze & more — Bcc: x@y.z".to_owned(),
            html: None,
            text: String::new(),
            alert: None,
            attachments,
        };
        Letter {
            content: Rc::new(content),
            delivery: Uuid::nil(),
            key: "msg_1".to_owned(),
            recipient: "ada@example.org".to_owned(),
            html: html.map(str::to_owned),
            text: text.to_owned(),
            unsubscribe: Some(format!(
                "https://p.example/api/unsubscribe/{}",
                "x".repeat(200)
            )),
            reports: None,
            at: "2026-06-01T18:30:00Z".parse().unwrap(),
        }
    }

    fn written(letter: &Letter) -> String {
        let from = Mailbox {
            email: "reports@example.org".to_owned(),
            name: Some("Büro, Reports".to_owned()),
        };
        let bytes = message(letter, &from, Some("desk@example.org")).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn identifier_date_and_headers_follow_from_the_letter() {
        let text = written(&letter(Some("<p>Hi</p>"), "Hi\n", Vec::new()));
        for line in [
            "Message-ID: <msg_1@example.org>\r\n",
            "Date: Mon, 01 Jun 2026 18:30:00 +0000\r\n",
            "To: <ada@example.org>\r\n",
            "Reply-To: <desk@example.org>\r\n",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            "MIME-Version: 1.0\r\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let link = format!("<https://p.example/api/unsubscribe/{}>", "x".repeat(200));
        assert!(text.contains(&link), "{text}");
        assert!(!text.contains("\nBcc:"), "{text}");
    }

    #[test]
    fn every_line_is_ascii_short_and_ends_as_it_must() {
        let long = format!("{}\n.dot\nµ {}\r\nend", "a".repeat(2_000), "ß".repeat(600));
        let files = vec![file(
            "données.csv",
            "text/csv; charset=utf-8",
            None,
            "a\nb".as_bytes(),
        )];
        for html in [None, Some(long.as_str())] {
            let text = written(&letter(html, &long, files_of(&files)));
            assert!(text.is_ascii());
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
            let longest = text.split("\r\n").map(str::len).max().unwrap();
            assert!(longest <= 998, "{longest}");
        }
    }

    fn files_of(files: &[Attachment]) -> Vec<Attachment> {
        let copy = |one: &Attachment| {
            let bytes = STANDARD.decode(&one.content).unwrap();
            file(
                &one.name,
                &one.content_type,
                one.content_id.as_deref(),
                &bytes,
            )
        };
        files.iter().map(copy).collect()
    }

    #[test]
    fn what_the_html_shows_is_related_to_it_and_files_are_beside_both() {
        let files = vec![
            file("chart.png", "image/png", Some("chart-1"), b"\x89PNG"),
            file("data.csv", "text/csv", None, b"a,b\n1,2\n"),
        ];
        let text = written(&letter(
            Some("<img src=\"cid:chart-1\">"),
            "Hi",
            files_of(&files),
        ));
        let place = |what: &str| {
            text.find(what)
                .unwrap_or_else(|| panic!("no {what} in {text}"))
        };
        assert!(place("multipart/mixed") < place("multipart/alternative"));
        assert!(place("text/plain") < place("multipart/related"));
        assert!(place("multipart/related") < place("Content-ID: <chart-1>"));
        assert!(place("Content-ID: <chart-1>") < place("filename=\"data.csv\""));
        let plain = written(&letter(None, "Hi", files));
        assert!(!plain.contains("multipart/alternative") && plain.contains("multipart/mixed"));
    }

    #[test]
    fn a_file_that_is_no_base64_is_no_message() {
        let mut files = vec![file("a", "text/csv", None, b"x")];
        files[0].content = "?".to_owned();
        let from = Mailbox {
            email: "a@b.c".to_owned(),
            name: None,
        };
        assert!(message(&letter(None, "Hi", files), &from, None).is_none());
    }
}
