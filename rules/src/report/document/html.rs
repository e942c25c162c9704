//! The report as HTML for mail: from Markdown events, then through the sanitiser.
//!
//! Invariant: only the elements, attributes, styles and address schemes below come out, whatever the
//! report holds; pictures are attached charts, nothing is loaded from anywhere.
//! Failure: what is not allowed is left out, its text stays.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};

use super::charts::Charts;
use super::style;
use crate::report::markdown;
use crate::xml::{escape, escaped};

/// The report as HTML.
pub fn body(report: &str, charts: &mut Charts<'_>) -> String {
    let mut writer = Writer {
        out: String::with_capacity(report.len() * 4),
        charts,
        alignments: Vec::new(),
        column: 0,
        head: false,
        picture: None,
        notes: Vec::new(),
        links: Vec::new(),
    };
    for (event, _) in markdown::events(report) {
        writer.event(event);
    }
    sanitise(&writer.out)
}

/// The sanitised form of HTML: only what a message may hold.
pub fn sanitise(html: &str) -> String {
    let set = |names: &[&'static str]| names.iter().copied().collect::<HashSet<_>>();
    let of = |element: &'static str, names: &[&'static str]| (element, set(names));
    let styled = ["style", "class"];
    let mut attributes: HashMap<&str, HashSet<&str>> = HashMap::from([
        of("a", &["href"]),
        of("img", &["src", "alt", "width"]),
        of("ol", &["start"]),
        of("table", &["width", "cellpadding", "cellspacing", "border"]),
        of("th", &["align", "scope"]),
        of("td", &["align"]),
    ]);
    let tags = set(&[
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "hr",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]);
    for tag in &tags {
        attributes.entry(*tag).or_default().extend(styled);
    }
    Builder::empty()
        .tags(tags)
        .clean_content_tags(set(&[
            "script", "style", "svg", "math", "template", "noscript",
        ]))
        .tag_attributes(attributes)
        .url_schemes(set(&["http", "https", "mailto", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .strip_comments(true)
        .attribute_filter(allowed)
        .clean(html)
        .to_string()
}

fn allowed<'v>(element: &str, attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let fits = match (element, attribute) {
        (_, "style") => style::ALL.contains(&value),
        (_, "class") => value
            .split(' ')
            .all(|class| style::CLASSES.contains(&class)),
        ("img", "src") => value.starts_with("cid:"),
        ("a", "href") => !value.starts_with("cid:"),
        (_, "align") => matches!(value, "left" | "center" | "right"),
        (_, "scope") => value == "col",
        ("img", "alt") => true,
        (_, "width") => number(value.trim_end_matches('%')),
        _ => number(value),
    };
    fits.then_some(Cow::Borrowed(value))
}

/// Whether a link may lead there.
pub fn may_link(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["http", "https", "mailto"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

struct Writer<'a, 'd> {
    out: String,
    charts: &'a mut Charts<'d>,
    alignments: Vec<Alignment>,
    column: usize,
    head: bool,
    /// The destination of the picture whose description is being read, and that description.
    picture: Option<(String, String)>,
    /// Names of footnotes in the order they appear.
    notes: Vec<String>,
    /// Whether each open link is one.
    links: Vec<bool>,
}

impl Writer<'_, '_> {
    // Writing to a String cannot fail.
    fn event(&mut self, event: Event<'_>) {
        if let Some((_, words)) = &mut self.picture {
            match event {
                Event::End(TagEnd::Image) => self.chart(),
                Event::Text(text) | Event::Code(text) => words.push_str(&text),
                Event::SoftBreak | Event::HardBreak => words.push(' '),
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => escape(&mut self.out, &text),
            Event::Code(text) => {
                let _ = write!(
                    self.out,
                    r#"<code class="ink soft" style="{}">"#,
                    style::CODE
                );
                escape(&mut self.out, &text);
                self.out.push_str("</code>");
            }
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>"),
            Event::Rule => {
                let _ = write!(self.out, r#"<hr class="line" style="{}">"#, style::RULE);
            }
            Event::FootnoteReference(name) => {
                let number = self.note(&name);
                let _ = write!(self.out, r#"<sup style="{}">[{number}]</sup>"#, style::SUP);
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let ink = |name: &str, style: &str| format!(r#"<{name} class="ink" style="{style}">"#);
        let html = match tag {
            Tag::Paragraph => ink("p", style::P),
            Tag::Heading { level, .. } => match heading(level) {
                "h1" => ink("h1", style::H1),
                "h2" => ink("h2", style::H2),
                name => ink(name, style::H3),
            },
            Tag::BlockQuote(_) => {
                format!(r#"<blockquote class="line" style="{}">"#, style::QUOTE)
            }
            Tag::CodeBlock(kind) => self.code(&kind),
            Tag::List(None) => ink("ul", style::LIST),
            Tag::List(Some(first)) => {
                format!(
                    r#"<ol class="ink" start="{first}" style="{}">"#,
                    style::LIST
                )
            }
            Tag::Item => format!(r#"<li style="{}">"#, style::ITEM),
            Tag::FootnoteDefinition(name) => {
                let number = self.note(&name);
                format!(r#"<p class="faint" style="{}">[{number}]</p>"#, style::NOTE)
            }
            Tag::Table(alignments) => {
                self.alignments = alignments;
                format!(
                    r#"<table class="ink" width="100%" cellpadding="0" cellspacing="0" border="0" style="{}">"#,
                    style::TABLE
                )
            }
            Tag::TableHead => {
                (self.head, self.column) = (true, 0);
                "<thead><tr>".to_owned()
            }
            Tag::TableRow => {
                self.column = 0;
                "<tr>".to_owned()
            }
            Tag::TableCell => self.cell(),
            Tag::Emphasis => "<em>".to_owned(),
            Tag::Strong => "<strong>".to_owned(),
            Tag::Strikethrough => "<del>".to_owned(),
            Tag::Link { dest_url, .. } => {
                let may = may_link(&dest_url);
                self.links.push(may);
                match may {
                    true => {
                        let address = escaped(&dest_url);
                        format!(
                            r#"<a class="link" href="{address}" style="{}">"#,
                            style::LINK
                        )
                    }
                    false => String::new(),
                }
            }
            Tag::Image { dest_url, .. } => {
                self.picture = Some((dest_url.into_string(), String::new()));
                String::new()
            }
            _ => String::new(),
        };
        self.out.push_str(&html);
    }

    fn end(&mut self, tag: TagEnd) {
        let html = match tag {
            TagEnd::Paragraph => "</p>\n",
            TagEnd::Heading(level) => {
                let _ = writeln!(self.out, "</{}>", heading(level));
                ""
            }
            TagEnd::BlockQuote(_) => "</blockquote>\n",
            TagEnd::CodeBlock => "</pre>\n",
            TagEnd::List(false) => "</ul>\n",
            TagEnd::List(true) => "</ol>\n",
            TagEnd::Item => "</li>\n",
            TagEnd::Table => "</tbody></table>\n",
            TagEnd::TableHead => {
                self.head = false;
                "</tr></thead><tbody>\n"
            }
            TagEnd::TableRow => "</tr>\n",
            TagEnd::TableCell if self.head => "</th>",
            TagEnd::TableCell => "</td>",
            TagEnd::Emphasis => "</em>",
            TagEnd::Strong => "</strong>",
            TagEnd::Strikethrough => "</del>",
            TagEnd::Link if self.links.pop() == Some(true) => "</a>",
            _ => "",
        };
        self.out.push_str(html);
    }

    fn code(&self, _kind: &CodeBlockKind<'_>) -> String {
        format!(r#"<pre class="ink soft" style="{}">"#, style::PRE)
    }

    fn cell(&mut self) -> String {
        let align = match self.alignments.get(self.column) {
            Some(Alignment::Right) => "right",
            Some(Alignment::Center) => "center",
            _ => "left",
        };
        self.column += 1;
        match self.head {
            true => format!(
                r#"<th class="soft line" scope="col" align="{align}" style="{}">"#,
                style::TH
            ),
            false => format!(r#"<td class="line" align="{align}" style="{}">"#, style::TD),
        }
    }

    /// The picture whose description was read: a chart, or its description alone.
    fn chart(&mut self) {
        let Some((destination, words)) = self.picture.take() else {
            return;
        };
        match self.charts.place(&destination, &words) {
            Some(chart) => {
                let (id, alt) = (escaped(&chart.content_id), escaped(&chart.alt));
                let _ = write!(
                    self.out,
                    r#"<img src="cid:{id}" width="576" alt="{alt}" style="{}">"#,
                    style::IMG
                );
            }
            None => {
                let told = self.charts.told(&destination, &words);
                let _ = write!(self.out, "<em>{}</em>", escaped(&told));
            }
        }
    }

    fn note(&mut self, name: &str) -> usize {
        number_of(&mut self.notes, name)
    }
}

/// The number of a footnote: they count from 1 in the order they appear.
pub fn number_of(notes: &mut Vec<String>, name: &str) -> usize {
    let found = notes.iter().position(|note| note == name);
    found.unwrap_or_else(|| {
        notes.push(name.to_owned());
        notes.len() - 1
    }) + 1
}

fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h1",
        HeadingLevel::H2 => "h2",
        _ => "h3",
    }
}
