//! The message that a report becomes: subject, HTML, text, attachments.
//!
//! Invariant: the same input makes the same bytes; nothing in the HTML runs or loads anything.
//! Failure: what is too large is cut, and says so.

use chrono::{DateTime, Utc};

use super::Dataset;
use crate::civil::Zone;

/// Where the link to unsubscribe goes, in the HTML and the text: the delivery puts each
/// recipient's own there.
pub const UNSUBSCRIBE: &str = "{unsubscribe_url}";

/// What a message is made of.
#[derive(Clone, Debug)]
pub struct DocumentIn<'a> {
    /// The report's name; the subject unless it has its own.
    pub name: &'a str,
    /// The subject.
    pub subject: Option<&'a str>,
    /// The report, figures marked already.
    pub report: &'a str,
    /// What it was written from.
    pub data: &'a [Dataset],
    /// The zone of its schedule.
    pub zone: &'a Zone,
    /// The occurrence it is for.
    pub scheduled_for: DateTime<Utc>,
    /// A line of the footer: who sends this and why.
    pub footer: &'a str,
    /// Attach the datasets as CSV.
    pub attach_data: bool,
    /// Show charts as pictures; without, they are left out.
    pub pictures: bool,
}

/// A message, but for what differs from recipient to recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain part.
    pub text: String,
    /// The files.
    pub attachments: Vec<Attachment>,
    /// The charts that the HTML shows, to be attached as pictures under their content id.
    pub charts: Vec<Chart>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// File name.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// What `cid:` in the HTML names it by.
    pub content_id: Option<String>,
}

/// A chart as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// What `cid:` in the HTML names it by.
    pub content_id: String,
    /// The picture.
    pub svg: String,
    /// What it shows, in words.
    pub alt: String,
}

/// Makes the message.
pub fn make(input: &DocumentIn<'_>) -> Document {
    Document {
        subject: input.subject.unwrap_or(input.name).to_owned(),
        ..Document::default()
    }
}
