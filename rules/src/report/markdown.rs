//! Reports are Markdown: CommonMark with tables, strikethrough and footnotes.
//!
//! Invariant: the check of the figures and both parts of the message read the same events, so what
//! is shown is what was checked. HTML in a report is no markup: `<br>` breaks the line, every other
//! tag is left out.
//! Failure: none; every text is Markdown.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Most bytes of a report.
pub const MAX_BYTES: usize = 200_000;
/// Lists, quotes and emphasis within each other; what is deeper is flattened.
const MAX_DEPTH: usize = 12;

/// The events of a report with the bytes they come from.
pub fn events(report: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut depth: Vec<bool> = Vec::new();
    Parser::new_ext(report, options)
        .into_offset_iter()
        .filter_map(move |(event, range)| {
            let event = match event {
                Event::Html(_) | Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {
                    return None;
                }
                Event::InlineHtml(tag) => match is_break(&tag) {
                    true => Event::HardBreak,
                    false => return None,
                },
                event => event,
            };
            // What holds the table together is never left out.
            match &event {
                Event::Start(tag) => {
                    let kept = depth.len() < MAX_DEPTH || !nests(&tag.to_end());
                    depth.push(kept);
                    kept.then_some((event, range))
                }
                Event::End(_) => depth.pop().unwrap_or(true).then_some((event, range)),
                _ => Some((event, range)),
            }
        })
}

/// The report within its bound, and whether it was cut.
pub fn bounded(report: &str) -> (&str, bool) {
    if report.len() <= MAX_BYTES {
        return (report, false);
    }
    let mut end = MAX_BYTES;
    while !report.is_char_boundary(end) {
        end -= 1;
    }
    let head = report.get(..end).unwrap_or_default();
    let line = head.rfind('\n').unwrap_or(end);
    (head.get(..line).unwrap_or_default(), true)
}

/// Text as Markdown that shows exactly it, on one line.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' | '\n' | '\t' => out.push(' '),
            c if c.is_control() => {}
            c if c.is_ascii_punctuation() => {
                // Sentences stay readable for who reads the source.
                if !matches!(
                    c,
                    '.' | ',' | ':' | ';' | '?' | '%' | '"' | '\'' | '/' | '@'
                ) {
                    out.push('\\');
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // At the start of a line, these make lists and the like.
    let digits = out.len() - out.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 && out.get(digits..).is_some_and(|rest| rest.starts_with('.')) {
        out.insert(digits, '\\');
    }
    out
}

fn is_break(tag: &str) -> bool {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    let inner = inner.trim().trim_end_matches('/').trim_end();
    inner.eq_ignore_ascii_case("br")
}

fn nests(tag: &TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::BlockQuote(_)
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::FootnoteDefinition
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(report: &str) -> String {
        let text = events(report).filter_map(|(event, _)| match event {
            Event::Text(text) | Event::Code(text) => Some(text.into_string()),
            Event::SoftBreak | Event::HardBreak => Some("/".to_owned()),
            _ => None,
        });
        text.collect()
    }

    #[test]
    fn tags_are_no_markup() {
        for (report, expect) in [
            ("a<br>b<BR />c", "a/b/c"),
            ("a <b onclick=x>5</b> c", "a 5 c"),
            ("<div>\nhidden 7\n</div>\n\nshown", "shown"),
            ("<script>alert(1)</script>", ""),
            ("<!-- 12 --> x", ""),
        ] {
            assert_eq!(words(report), expect, "{report}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_flattened() {
        let deep = format!("{} deep", ">".repeat(5_000));
        let quotes = |report: &str| {
            let quote = |event: &Event<'_>| matches!(event, Event::Start(Tag::BlockQuote(_)));
            events(report).filter(|(event, _)| quote(event)).count()
        };
        assert_eq!(quotes(&deep), MAX_DEPTH);
        assert_eq!(words(&deep), "deep");
    }

    #[test]
    fn escaped_text_is_only_text() {
        for text in [
            "*a* _b_ `c` [d](e) <f> #g | h ~i~ \\j",
            "1. no list",
            "- no list",
            "# no heading",
            "> no quote",
            "![x](chart:y) & &amp; a\\b",
        ] {
            assert_eq!(words(&escaped(text)), text, "{}", escaped(text));
        }
    }

    #[test]
    fn a_report_is_cut_at_a_line() {
        let long = "ä line\n".repeat(MAX_BYTES / 7);
        let (kept, cut) = bounded(&long);
        assert!(cut && kept.len() <= MAX_BYTES && kept.ends_with("ä line"));
        assert_eq!(bounded("short"), ("short", false));
    }
}
