//! The message that a report becomes: subject, HTML, text, attachments.
//!
//! Invariant: the same input makes the same bytes; nothing in the HTML runs or loads anything. What
//! differs from recipient to recipient is [`UNSUBSCRIBE`] alone.
//! Failure: what is too large is cut, and says so.

mod charts;
mod files;
pub mod html;
mod shell;
mod style;
mod table;
mod text;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::chart::Scene;
use super::{Dataset, markdown, moment::Moment};
use crate::civil::Zone;

pub use charts::MAX_CHARTS;
pub use files::MAX_BYTES as MAX_FILE_BYTES;

/// Where the link to unsubscribe goes, in the HTML and the text: the delivery puts each
/// recipient's own there.
pub const UNSUBSCRIBE: &str = "{unsubscribe_url}";
/// Longest subject, in characters.
pub const MAX_SUBJECT: usize = 150;

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
    /// Show charts as pictures; without, they are told in words.
    pub pictures: bool,
}

/// A message, but for what differs from recipient to recipient.
#[derive(Clone, Debug, Default, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What `cid:` in the HTML names it by.
    pub content_id: String,
    /// The picture as shapes, to be painted.
    pub scene: Scene,
    /// The picture as SVG.
    pub svg: String,
    /// What it shows, in words.
    pub alt: String,
}

/// Makes the message.
pub fn make(input: &DocumentIn<'_>) -> Document {
    // Only the footer says where to unsubscribe.
    let report = input.report.replace(UNSUBSCRIBE, "");
    let (report, cut) = markdown::bounded(&report);
    let mut charts = charts::Charts::new(input.data, input.zone, input.pictures);
    let body = html::body(report, &mut charts);
    let text = text::body(report, &charts);
    let (attachments, mut notes) = match input.attach_data {
        true => files::of(input.data),
        false => Default::default(),
    };
    if cut {
        notes.insert(
            0,
            "The report was cut: it is too long for a message.".to_owned(),
        );
    }
    let at = Moment::at(input.scheduled_for, input.zone).long();
    notes.push(format!("Scheduled for {at} ({}).", input.zone.name()));
    notes.extend(Some(one_line(input.footer)).filter(|footer| !footer.is_empty()));
    let subject = subject(input);
    Document {
        html: shell::html(&subject, &preheader(&text), &body, &notes),
        text: shell::text(&text, &notes),
        subject,
        attachments,
        charts: charts.into_drawn(),
    }
}

/// The HTML as a browser shows it: attached pictures stand in it.
pub fn for_browser(html: &str, attachments: &[Attachment]) -> String {
    let mut out = html.to_owned();
    for file in attachments {
        if let Some(id) = &file.content_id {
            let bytes = STANDARD.encode(&file.bytes);
            let data = format!("src=\"data:{};base64,{bytes}\"", file.content_type);
            out = out.replace(&format!("src=\"cid:{id}\""), &data);
        }
    }
    out
}

/// The subject: one line, never empty, of a bounded length.
fn subject(input: &DocumentIn<'_>) -> String {
    let given = input.subject.map(one_line).filter(|text| !text.is_empty());
    let text = given.unwrap_or_else(|| one_line(input.name));
    match text.chars().count() {
        0 => "Report".to_owned(),
        count if count > MAX_SUBJECT => {
            let kept: String = text.chars().take(MAX_SUBJECT - 1).collect();
            format!("{}…", kept.trim_end())
        }
        _ => text,
    }
}

/// What mail programs show beside the subject: the first sentences under the heading.
fn preheader(text: &str) -> String {
    let ruler = |line: &str| line.chars().all(|c| matches!(c, '=' | '-' | ' '));
    let lines: Vec<&str> = text.lines().collect();
    let heading = |at: usize| {
        lines
            .get(at + 1)
            .is_some_and(|next| !next.is_empty() && ruler(next))
    };
    let told = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| !line.trim().is_empty() && !ruler(line) && !heading(*at));
    let words: Vec<&str> = told.take(3).map(|(_, line)| line.trim()).collect();
    words.join(" ").chars().take(140).collect()
}

/// Without line breaks, control characters and marks that reorder text.
fn one_line(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    let plain: String = text
        .chars()
        .map(|c| if hidden(c) { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
