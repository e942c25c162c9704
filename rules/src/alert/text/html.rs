//! A message as HTML for mail programs.
//!
//! Invariant: tables carry the layout and styles stand on the elements; everything that was given is
//! escaped; links lead to http and https only; nothing is loaded, nothing runs.
//! Failure: none.

use super::super::notify::News;
use super::super::target::Severity;
use super::words::cut;
use super::{Entry, Page, SUBJECT, Section};
use crate::report::document::UNSUBSCRIBE;
use crate::xml::escaped;

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const LINK: &str = "color:#0b57d0;text-decoration:underline";

const STYLE: &str = ":root{color-scheme:light dark;supported-color-schemes:light dark}
@media (max-width:640px){.card{padding:20px 16px!important}}
@media (prefers-color-scheme:dark){
.page{background-color:#111827!important}.card{background-color:#1f2937!important}
.ink{color:#f3f4f6!important}.faint{color:#9ca3af!important}.link{color:#8ab4f8!important}}";

/// The HTML part.
pub fn html(page: &Page<'_>) -> String {
    let (title, lead) = (escaped(page.subject), escaped(page.lead));
    let mut body = paragraph(&lead, 16);
    for section in page.sections {
        write(&mut body, section);
    }
    if let Some(link) = page.link {
        body.push_str(&paragraph(&anchor(link, "Look at it"), 16));
    }
    let (foot, faint) = (
        escaped(page.foot),
        format!("{FONT};font-size:13px;line-height:20px;color:#4b5563;margin:0 0 4px 0"),
    );
    format!(
        r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;width:100%;background-color:#f3f4f6">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f3f4f6"><tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:640px"><tr><td class="card" align="left" style="padding:32px;background-color:#ffffff;border-radius:8px">
{body}</td></tr>
<tr><td align="left" style="padding:16px 32px">
<p class="faint" style="{faint}">{foot}</p>
<p class="faint" style="{faint}"><a class="faint" href="{UNSUBSCRIBE}" style="color:#4b5563;text-decoration:underline">Unsubscribe</a></p>
</td></tr></table>
</td></tr></table>
</body>
</html>
"##
    )
}

/// `text` is HTML.
fn paragraph(text: &str, size: u8) -> String {
    format!(
        "<p class=\"ink\" style=\"{FONT};font-size:{size}px;line-height:24px;color:#1f2937;margin:0 0 16px 0\">{text}</p>\n"
    )
}

fn anchor(link: &str, text: &str) -> String {
    let (link, text) = (escaped(link), escaped(text));
    format!("<a class=\"link\" href=\"{link}\" style=\"{LINK}\">{text}</a>")
}

fn write(out: &mut String, section: &Section) {
    let count = section.entries.len() + section.named.len() + section.more;
    out.push_str(&format!(
        "<h2 class=\"ink\" style=\"{FONT};font-size:18px;line-height:26px;font-weight:bold;color:#111827;margin:24px 0 12px 0\">{} ({count})</h2>\n",
        section.title
    ));
    for entry in &section.entries {
        write_entry(out, entry, section.news);
    }
    if !section.named.is_empty() {
        let names = section
            .named
            .iter()
            .map(|name| escaped(&cut(name, SUBJECT)));
        let names = names.collect::<Vec<_>>().join("<br>\n");
        out.push_str(&paragraph(&format!("Also:<br>\n{names}"), 14));
    }
    if section.more > 0 {
        out.push_str(&paragraph(&format!("… and {} more.", section.more), 14));
    }
}

fn write_entry(out: &mut String, entry: &Entry, news: News) {
    let (colour, word) = match (news, entry.severity) {
        (News::Resolved, _) => ("#15803d", ""),
        (_, Some(Severity::Fail)) => ("#b91c1c", " [fail]"),
        (_, Some(Severity::Warn)) => ("#b45309", " [warn]"),
        (_, None) => ("#4b5563", ""),
    };
    out.push_str(&format!(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 12px 0\"><tr><td class=\"ink\" style=\"border-left:4px solid {colour};padding:2px 0 2px 12px;{FONT};font-size:14px;line-height:21px;color:#1f2937\"><strong>{}</strong>{word}",
        escaped(&entry.title)
    ));
    for fact in &entry.facts {
        let text = match &fact.link {
            Some(link) => anchor(link, &fact.text),
            None => escaped(&fact.text),
        };
        match fact.label {
            "" => out.push_str(&format!("<br>{text}")),
            label => out.push_str(&format!("<br>{label}: {text}")),
        }
    }
    out.push_str("</td></tr></table>\n");
}
