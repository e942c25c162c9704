//! What alerts, values and times are called.
//!
//! Invariant: every text is one line of a bounded length, without marks that reorder it and without
//! the place of another recipient's link.
//! Failure: what has no name is called by its kind.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::evidence::{Evidence, Unit};
use super::super::notify::{Line, News};
use super::super::step::{Alert, Cause};
use super::super::target::{Kind, Severity, Subject};
use super::{Entry, Fact, MessageIn};
use crate::civil::Zone;
use crate::report::document::UNSUBSCRIBE;
use crate::report::format;
use crate::report::moment::Moment;

/// Longest name of a table, a check or a connection, in characters.
const NAME: usize = 100;
/// Longest sentence.
const SAID: usize = 300;
/// Longest address of a page.
const LINK: usize = 500;

/// What things are called in one message.
pub struct Words<'a> {
    subject: &'a dyn Fn(&super::Target) -> Option<&'a Subject>,
    zone: &'a Zone,
}

impl<'a> Words<'a> {
    /// The words of a message.
    pub fn of(input: &MessageIn<'a>) -> Self {
        Self {
            subject: input.subject,
            zone: input.zone,
        }
    }

    fn subject(&self, line: &Line) -> Option<&'a Subject> {
        (self.subject)(&line.alert.as_ref()?.target)
    }

    /// What an alert is called: `Freshness of public.orders`.
    pub fn name(&self, line: &Line) -> String {
        let (Some(alert), subject) = (&line.alert, self.subject(line)) else {
            return "An alert that is not known any more".to_owned();
        };
        let named = |name: Option<&String>, other: &str| match name {
            Some(name) => clean(name, NAME),
            None => other.to_owned(),
        };
        let table = named(
            subject.and_then(|subject| subject.table.as_ref()),
            "a table",
        );
        let check = named(
            subject.and_then(|subject| subject.check.as_ref()),
            "A check",
        );
        match alert.target.kind {
            Kind::Check => format!("{check} of {table}"),
            Kind::Lag => "Replica lag".to_owned(),
            Kind::ConnectionDown => "Connection down".to_owned(),
            Kind::Schema => format!("Columns of {table}"),
            Kind::Misconfigured => format!("{check} of {table}, misconfigured"),
            Kind::Errored => format!("{check} of {table}, which cannot run"),
        }
    }

    /// The connection, if it has a name.
    pub fn connection(&self, lines: &[&Line]) -> Option<String> {
        let subject = lines.iter().find_map(|line| self.subject(line))?;
        Some(clean(&subject.connection, NAME)).filter(|name| !name.is_empty())
    }

    /// The table that lines have in common.
    pub fn table(&self, lines: &[&Line]) -> String {
        let mut names = lines
            .iter()
            .filter_map(|line| self.subject(line)?.table.as_ref());
        names
            .next()
            .map_or_else(|| "a table".to_owned(), |name| clean(name, NAME))
    }

    /// All there is to say of an alert.
    pub fn entry(&self, line: &Line) -> Entry {
        let subject = self.subject(line);
        let mut facts = Vec::new();
        if let Some(alert) = &line.alert {
            self.seen(alert, line.news, &mut facts);
            self.times(alert, &mut facts);
        }
        if let Some(subject) = subject {
            about(subject, &mut facts);
        }
        facts.retain(|fact| !fact.text.is_empty());
        Entry {
            title: self.name(line),
            severity: line.alert.as_ref().map(|alert| alert.severity),
            facts,
        }
    }

    fn seen(&self, alert: &Alert, news: News, facts: &mut Vec<Fact>) {
        let recovered = alert.recovery.as_ref().map(|recovery| &recovery.evidence);
        let evidence = match news {
            News::Resolved => recovered.unwrap_or(&alert.evidence),
            _ => &alert.evidence,
        };
        let back = news == News::Resolved && recovered.is_some();
        facts.push(fact(
            if back { "Value now" } else { "Value" },
            value(evidence),
        ));
        facts.push(fact("Expected", expected(evidence)));
        facts.push(fact("", clean(&evidence.said, SAID)));
        if let Some(as_of) = evidence.as_of {
            facts.push(fact("Data as of", self.time(as_of)));
        }
    }

    fn times(&self, alert: &Alert, facts: &mut Vec<Fact>) {
        let state = match alert.severity {
            Severity::Fail => "Failing since",
            Severity::Warn => "Warning since",
        };
        facts.push(fact(state, self.time(alert.since)));
        if let Some(ended) = alert.resolved_at {
            let why = match alert.cause {
                Some(Cause::ByHand) => ", by hand",
                Some(Cause::Removed) => ", as it is not watched any more",
                Some(Cause::Recovered) | None => "",
            };
            let long = length(ended - alert.since);
            facts.push(fact(
                "Resolved",
                format!("{} after {long}{why}", self.time(ended)),
            ));
        } else if let Some(ack) = alert.ack {
            facts.push(fact("Acknowledged", self.time(ack.at)));
        }
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        Moment::at(at, self.zone).long()
    }
}

fn about(subject: &Subject, facts: &mut Vec<Fact>) {
    let text = |text: &Option<String>, most| clean(text.as_deref().unwrap_or_default(), most);
    facts.push(fact("What it is for", text(&subject.description, SAID)));
    facts.push(fact("Owner", text(&subject.owner, NAME)));
    let runbook = subject.runbook.as_deref().unwrap_or_default();
    let link = link(runbook);
    facts.push(Fact {
        label: "Runbook",
        text: link.clone().unwrap_or_else(|| clean(runbook, LINK)),
        link,
    });
}

fn fact(label: &'static str, text: String) -> Fact {
    Fact {
        label,
        text,
        link: None,
    }
}

/// An address that a message may lead to: http or https, without blanks, not too long.
pub fn link(text: &str) -> Option<String> {
    let text = text.trim();
    let known = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    (known && text.len() <= LINK && clean(text, LINK) == text && !text.contains(' '))
        .then(|| text.to_owned())
}

/// One line without control characters and marks that reorder text, cut.
pub fn clean(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    // Only the delivery says where to unsubscribe.
    let text = text.replace(UNSUBSCRIBE, "");
    // What is cut is not read to its end.
    let plain = text
        .chars()
        .take(most * 4)
        .map(|c| if hidden(c) { ' ' } else { c });
    let plain: String = plain.collect();
    cut(
        &plain.split_whitespace().collect::<Vec<_>>().join(" "),
        most,
    )
}

/// At most so many characters.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn value(evidence: &Evidence) -> String {
    evidence
        .value
        .map(|value| number(value, evidence.unit))
        .unwrap_or_default()
}

fn expected(evidence: &Evidence) -> String {
    let number = |value| number(value, evidence.unit);
    match (evidence.low, evidence.high) {
        (Some(low), Some(high)) if low == high => number(low),
        (Some(low), Some(high)) => format!("{} to {}", number(low), number(high)),
        (Some(low), None) => format!("at least {}", number(low)),
        (None, Some(high)) => format!("at most {}", number(high)),
        (None, None) => String::new(),
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Plain => format::short(value, 6),
        Unit::Rows if value == 1.0 => "1 row".to_owned(),
        Unit::Rows => format!("{} rows", format::short(value, 1)),
        Unit::Share => format!("{} %", format::short(value * 100.0, 3)),
        Unit::Seconds => {
            let ms = (value.abs() * 1_000.0).min(9e15) as i64;
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", length(TimeDelta::milliseconds(ms)))
        }
    }
}

/// A length of time in its two largest units: `2 h 5 min`.
pub fn length(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 || !parts.is_empty() {
            parts.push((count, unit));
        }
        if parts.len() == 2 {
            break;
        }
    }
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    match told.is_empty() {
        true => "0 s".to_owned(),
        false => told.join(" "),
    }
}
