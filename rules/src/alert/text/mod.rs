//! The words of a message: subject, plain text, HTML, and what incident services are told.
//!
//! Invariant: the same notification makes the same bytes. Text and HTML say the same; whatever names
//! hold, it is only text in them, on one line and of a bounded length. Nothing is loaded.
//! Failure: what is too long is cut, and says so.

mod html;
mod plain;
mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notify::{Line, News, Notification, Reason};
use super::target::{Kind, Severity, Subject, Target};
use crate::civil::Zone;
use words::Words;

/// Alerts that are told with all there is to say.
pub const IN_FULL: usize = 15;
/// Alerts that are named besides.
pub const NAMED: usize = 60;
/// Longest subject, in characters.
pub const SUBJECT: usize = 150;

/// What a message is made of.
pub struct MessageIn<'a> {
    /// What is told.
    pub notification: &'a Notification,
    /// What people call things.
    pub subject: &'a dyn Fn(&Target) -> Option<&'a Subject>,
    /// In whose zone times are told.
    pub zone: &'a Zone,
    /// Where the incident can be looked at.
    pub link: Option<&'a str>,
}

/// A message, but for what differs from recipient to recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// What incident services are told.
    pub alert: Signal,
}

/// What incident services are told: all messages about an incident have the same `dedup_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// How bad what stands is.
    pub severity: Urgency,
    /// Names the incident, from its beginning to its end.
    pub dedup_key: String,
    /// Whether it goes on.
    pub status: Status,
}

/// How bad it is, in the words of incident services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// A check warns.
    Warning,
    /// A check fails.
    Error,
    /// Nothing can be watched.
    Critical,
}

/// Whether an incident goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Firing,
    /// It is over.
    Resolved,
}

/// Alerts of which the same is said.
struct Section {
    title: &'static str,
    news: News,
    entries: Vec<Entry>,
    /// Those that are only named.
    named: Vec<String>,
    /// Those that are only counted.
    more: usize,
}

/// One alert in full.
struct Entry {
    title: String,
    severity: Option<Severity>,
    facts: Vec<Fact>,
}

/// One thing to say.
struct Fact {
    label: &'static str,
    text: String,
    /// Where it leads.
    link: Option<String>,
}

/// Makes the message.
pub fn message(input: &MessageIn<'_>) -> Message {
    let words = Words::of(input);
    let sections = sections(input.notification, &words);
    let subject = subject(input.notification, &words);
    let lead = lead(input.notification, &words);
    let link = input.link.and_then(words::link);
    let foot = format!("Times are those of {}.", input.zone.name());
    let page = Page {
        subject: &subject,
        lead: &lead,
        sections: &sections,
        link: link.as_deref(),
        foot: &foot,
    };
    Message {
        text: plain::text(&page),
        html: html::html(&page),
        alert: signal(input.notification),
        subject,
    }
}

/// What both forms are made of.
struct Page<'a> {
    subject: &'a str,
    lead: &'a str,
    sections: &'a [Section],
    link: Option<&'a str>,
    foot: &'a str,
}

fn sections(notification: &Notification, words: &Words<'_>) -> Vec<Section> {
    let mut full = IN_FULL;
    let mut named = NAMED;
    let all = [
        ("Failing now", News::Fired),
        ("Got worse", News::Escalated),
        ("Resolved", News::Resolved),
        ("Still failing", News::Standing),
    ];
    let section = |(title, news): (&'static str, News)| {
        let mut lines = of(notification, news);
        // The worst first, then by name.
        lines.sort_by_cached_key(|line| {
            let severity = line.alert.as_ref().map(|alert| alert.severity);
            (std::cmp::Reverse(severity), words.name(line))
        });
        let count = lines.len();
        let mut rest = lines.into_iter();
        let entries: Vec<Entry> = rest
            .by_ref()
            .take(full)
            .map(|line| words.entry(line))
            .collect();
        let names: Vec<String> = rest.take(named).map(|line| words.name(line)).collect();
        full -= entries.len();
        named -= names.len();
        (count > 0).then(|| Section {
            title,
            news,
            more: count - entries.len() - names.len(),
            entries,
            named: names,
        })
    };
    all.into_iter().filter_map(section).collect()
}

fn of(notification: &Notification, news: News) -> Vec<&Line> {
    notification
        .lines
        .iter()
        .filter(|line| line.news == news)
        .collect()
}

/// The lines that are the reason for the message.
fn about(notification: &Notification) -> Vec<&Line> {
    let news: Vec<&Line> = notification
        .lines
        .iter()
        .filter(|line| line.news != News::Standing)
        .collect();
    match news.is_empty() {
        true => notification.lines.iter().collect(),
        false => news,
    }
}

fn subject(notification: &Notification, words: &Words<'_>) -> String {
    let about = about(notification);
    // What begins matters more than what ends.
    let begins: Vec<&Line> = about
        .iter()
        .copied()
        .filter(|line| line.news != News::Resolved)
        .collect();
    let told = match begins.is_empty() {
        true => about,
        false => begins,
    };
    let state = state(notification, &told);
    words::cut(&format!("{state}: {}", summary(&told, words)), SUBJECT)
}

fn state(notification: &Notification, told: &[&Line]) -> &'static str {
    let fails = told
        .iter()
        .any(|line| severity(line) == Some(Severity::Fail));
    let ends = told.iter().all(|line| line.news == News::Resolved);
    match (notification.reason, fails) {
        _ if ends && notification.over => "Resolved",
        _ if ends => "Partly resolved",
        (Reason::Repeat, true) => "Still failing",
        (Reason::Repeat, false) => "Still warning",
        (Reason::Escalation, true) => "Failing, unacknowledged",
        (Reason::Escalation, false) => "Warning, unacknowledged",
        (Reason::News, true) => "Failing",
        (Reason::News, false) => "Warning",
    }
}

fn severity(line: &Line) -> Option<Severity> {
    line.alert.as_ref().map(|alert| alert.severity)
}

/// One alert by its name, several by their number.
fn summary(lines: &[&Line], words: &Words<'_>) -> String {
    let place = words.connection(lines);
    let named = match lines {
        [line] => words.name(line),
        _ => {
            let targets = lines.iter().filter_map(|line| line.alert.as_ref());
            let tables: BTreeSet<Uuid> = targets.filter_map(|alert| alert.target.table).collect();
            match tables.len() {
                0 => format!("{} alerts", lines.len()),
                1 => format!("{} alerts on {}", lines.len(), words.table(lines)),
                count => format!("{} alerts on {count} tables", lines.len()),
            }
        }
    };
    match place {
        Some(place) => format!("{named} ({place})"),
        None => named,
    }
}

/// The first sentence.
fn lead(notification: &Notification, words: &Words<'_>) -> String {
    let counted = |news: News| {
        let lines = of(notification, news);
        (!lines.is_empty()).then(|| summary(&lines, words))
    };
    let told = [
        ("New", counted(News::Fired)),
        ("Worse", counted(News::Escalated)),
        ("Resolved", counted(News::Resolved)),
        ("Still failing", counted(News::Standing)),
    ];
    let parts = told
        .into_iter()
        .filter_map(|(title, told)| Some(format!("{title}: {}.", told?)));
    let mut lead = parts.collect::<Vec<_>>().join(" ");
    match notification.reason {
        Reason::Escalation => lead.push_str(" Nobody has acknowledged it yet."),
        Reason::Repeat => lead.push_str(" This is a repeat, until somebody acknowledges it."),
        Reason::News if notification.over => lead.push_str(" Nothing of this incident is left."),
        Reason::News => {}
    }
    lead
}

fn signal(notification: &Notification) -> Signal {
    let alerts = || {
        notification
            .lines
            .iter()
            .filter_map(|line| Some((line.news, line.alert.as_ref()?)))
    };
    let urgency = |severity: Severity, kind: Kind| match (severity, kind) {
        (Severity::Fail, Kind::ConnectionDown) => Urgency::Critical,
        (Severity::Fail, _) => Urgency::Error,
        (Severity::Warn, _) => Urgency::Warning,
    };
    let of = |stands: bool| {
        let these = alerts().filter(move |(news, _)| (*news != News::Resolved) == stands);
        these
            .map(|(_, alert)| urgency(alert.severity, alert.target.kind))
            .max()
    };
    Signal {
        severity: of(true).or_else(|| of(false)).unwrap_or(Urgency::Warning),
        dedup_key: format!("pulse-incident-{}", notification.incident.simple()),
        status: match notification.over {
            true => Status::Resolved,
            false => Status::Firing,
        },
    }
}

#[cfg(test)]
mod tests;
