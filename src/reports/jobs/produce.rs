//! From what was asked for to the message: the one path that runs and previews share.
//!
//! Invariant: a preview goes through here like a run, so what it shows is what is sent, but for what
//! differs from recipient to recipient.
//! Failure: what went wrong, with whether waiting may mend it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rules::civil::Zone;
use rules::report::Dataset;
use rules::report::document::{self, Attachment, DocumentIn};
use rules::report::figures::{self, Checked, Context};
use rules::report::job::{self, Skipped};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::wire::Message;
use crate::platform::ctx::Ctx;
use crate::reports::configs::Report;
use crate::reports::picture;
use crate::reports::writer::{self, Brief, Failure};

/// What is asked for.
pub struct Asked<'a> {
    /// Whose it is.
    pub tenant: Uuid,
    /// The report.
    pub config: &'a Report,
    /// The template that it is written by.
    pub template: Option<&'a str>,
    /// The time that it is about.
    pub as_of: DateTime<Utc>,
}

/// What was written, as it is kept.
#[derive(Serialize)]
pub struct Written {
    /// The conversation and the report.
    pub payload: Payload,
    /// What it was written from.
    pub data: Vec<Dataset>,
    /// Its figures.
    pub figures: Checked,
    /// How many of them nothing explains.
    pub untraced: usize,
    /// Why it is not sent.
    pub skipped: Option<Skipped>,
    /// What went wrong without keeping it back.
    pub warning: Option<String>,
    /// Who wrote it.
    pub writer: String,
    /// What that took.
    pub usage: Value,
}

/// The conversation and the report.
#[derive(Serialize)]
pub struct Payload {
    /// The conversation.
    pub messages: Vec<Message>,
    /// The report, Markdown.
    pub report: String,
}

/// The message that a report becomes, as delivery takes it.
#[derive(Serialize)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain part.
    pub text: String,
    /// The files.
    pub attachments: Vec<File>,
}

/// A file of a message.
#[derive(Deserialize, Serialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// The file, base64.
    pub content: String,
    /// What `cid:` in the HTML names it by.
    pub content_id: Option<String>,
}

impl File {
    fn of(attachment: Attachment) -> Self {
        Self {
            name: attachment.name,
            content_type: attachment.content_type,
            content: STANDARD.encode(attachment.bytes),
            content_id: attachment.content_id,
        }
    }

    /// The file as it was attached.
    pub fn open(self) -> Attachment {
        Attachment {
            name: self.name,
            content_type: self.content_type,
            bytes: STANDARD.decode(self.content).unwrap_or_default(),
            content_id: self.content_id,
        }
    }
}

/// Writes the report and checks its figures.
pub async fn write(ctx: &Ctx, asked: &Asked<'_>) -> core::result::Result<Written, Failure> {
    let zone = zone(asked.config);
    let brief = Brief {
        tenant: asked.tenant,
        prompt: &asked.config.prompt,
        title: &asked.config.name,
        zone: &zone,
        scheduled_for: asked.as_of,
        template: asked.template,
    };
    let draft = writer::write(ctx, &brief).await?;
    let context = Context {
        zone: &zone,
        scheduled_for: asked.as_of,
        prompt: &asked.config.prompt,
    };
    let figures = figures::check(&draft.report, &draft.data, &context);
    let send_if = asked.config.send_if.as_deref();
    let skipped = job::skipped(&draft.data, asked.config.skip_if_empty, send_if);
    let warning = skipped.as_ref().err().map(|flaw| {
        format!("The condition could not be judged, so it did not hold anything back. {flaw}")
    });
    Ok(Written {
        untraced: figures.untraced,
        payload: Payload {
            messages: draft.messages.into_iter().map(Message::from).collect(),
            report: draft.report,
        },
        data: draft.data,
        figures,
        skipped: skipped.ok().flatten(),
        warning,
        writer: draft.writer,
        usage: serde_json::to_value(draft.usage).unwrap_or_default(),
    })
}

/// Makes the message of a report.
pub fn render(asked: &Asked<'_>, report: &str, data: &[Dataset], figures: &Checked) -> Rendered {
    let zone = zone(asked.config);
    let name = &asked.config.name;
    let mut input = DocumentIn {
        name,
        subject: None,
        report: &figures::mark(report, figures),
        data,
        zone: &zone,
        scheduled_for: asked.as_of,
        footer: &format!("You get this because “{name}” is sent to you."),
        attach_data: asked.config.attach_csv,
        pictures: true,
    };
    let mut made = document::make(&input);
    let mut pictures = picture::attachments(&made.charts);
    if pictures.len() < made.charts.len() {
        // A picture that cannot be made would be a hole in the message.
        input.pictures = false;
        made = document::make(&input);
        pictures.clear();
    }
    let files = made.attachments.into_iter().chain(pictures);
    Rendered {
        subject: made.subject,
        html: made.html,
        text: made.text,
        attachments: files.map(File::of).collect(),
    }
}

/// The zone of a schedule; a zone that the bundled data no longer knows is read as UTC, because a
/// report in the wrong zone says so and a missing one says nothing.
fn zone(config: &Report) -> Zone {
    config
        .cron_timezone
        .as_deref()
        .and_then(|name| Zone::parse(name).ok())
        .unwrap_or_default()
}
