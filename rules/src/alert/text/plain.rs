//! A message as plain text: for chats, phones and incident services, and beside the HTML.
//!
//! Invariant: says all that the HTML says.
//! Failure: none.

use super::super::notify::News;
use super::words::cut;
use super::{Entry, Page, Section};
use crate::report::document::UNSUBSCRIBE;

/// The text.
pub fn text(page: &Page<'_>) -> String {
    let mut out = format!("{}\n", page.lead);
    for section in page.sections {
        write(&mut out, section);
    }
    if let Some(link) = page.link {
        out.push_str(&format!("\nLook at it: {link}\n"));
    }
    out.push_str(&format!(
        "\n-- \n{}\nUnsubscribe: {UNSUBSCRIBE}\n",
        page.foot
    ));
    out
}

fn write(out: &mut String, section: &Section) {
    let count = section.entries.len() + section.named.len() + section.more;
    out.push_str(&format!("\n{} ({count})\n", section.title.to_uppercase()));
    for entry in &section.entries {
        out.push('\n');
        write_entry(out, entry, section.news);
    }
    if !section.named.is_empty() {
        out.push_str("\nAlso:\n");
        for name in &section.named {
            out.push_str(&format!("- {}\n", cut(name, super::SUBJECT)));
        }
    }
    if section.more > 0 {
        out.push_str(&format!("\n… and {} more.\n", section.more));
    }
}

fn write_entry(out: &mut String, entry: &Entry, news: News) {
    let severity = entry.severity.filter(|_| news != News::Resolved);
    let severity = severity.map_or(String::new(), |severity| {
        format!(" [{}]", severity.as_str())
    });
    out.push_str(&format!("{}{severity}\n", entry.title));
    for fact in &entry.facts {
        match fact.label {
            "" => out.push_str(&format!("  {}\n", fact.text)),
            label => out.push_str(&format!("  {label}: {}\n", fact.text)),
        }
    }
}
