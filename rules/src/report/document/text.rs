//! The report as plain text, for programs and people that read no HTML.
//!
//! Invariant: says all that the HTML says; lines are broken at [`WIDTH`], but for what cannot be
//! broken: tables, code, addresses.
//! Failure: none.

use pulldown_cmark::{Alignment, Event, HeadingLevel, Tag, TagEnd};

use super::charts::Charts;
use super::html::{may_link, number_of};
use super::table::Table;
use crate::report::markdown;

/// Where lines are broken.
pub const WIDTH: usize = 78;

/// The report as text.
pub fn body(report: &str, charts: &Charts<'_>) -> String {
    let mut writer = Writer {
        out: String::new(),
        charts,
        words: String::new(),
        prefixes: Vec::new(),
        counters: Vec::new(),
        marker: None,
        table: None,
        links: Vec::new(),
        picture: None,
        notes: Vec::new(),
        code: false,
    };
    for (event, _) in markdown::events(report) {
        writer.event(event);
    }
    writer.flush();
    let text = writer.out.trim_end();
    format!("{text}\n")
}

/// A paragraph broken into lines of at most so many columns.
pub fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for hard in words.split('\n') {
        let mut line = String::new();
        for word in hard.split_ascii_whitespace() {
            let long = columns(&line) + 1 + columns(word);
            if !line.is_empty() && long > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// How many columns a text takes where every letter takes one and a wide one two.
pub fn columns(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}'
            | '\u{1f300}'..='\u{1faff}')
    };
    let one = |c: char| match c {
        c if crate::measure::joins(c) => 0,
        c if wide(c) => 2,
        _ => 1,
    };
    text.chars().map(one).sum()
}

struct Writer<'a, 'd> {
    out: String,
    charts: &'a Charts<'d>,
    /// The paragraph that is being read.
    words: String,
    /// What stands before each line: quotes and the indents of lists.
    prefixes: Vec<String>,
    /// The next number of each open list; none for one without numbers.
    counters: Vec<Option<u64>>,
    /// The bullet that the next line begins with.
    marker: Option<String>,
    table: Option<Table>,
    /// Where each open link leads, and where its text begins.
    links: Vec<(String, usize)>,
    picture: Option<(String, String)>,
    notes: Vec<String>,
    code: bool,
}

impl Writer<'_, '_> {
    fn event(&mut self, event: Event<'_>) {
        if let Some((destination, words)) = &mut self.picture {
            match event {
                Event::End(TagEnd::Image) => {
                    let told = self.charts.told(destination, words);
                    let chart = destination.starts_with(crate::report::chart::SCHEME);
                    let told = if chart {
                        format!("[Chart: {told}]")
                    } else {
                        told
                    };
                    self.words.push_str(&told);
                    self.picture = None;
                }
                Event::Text(text) | Event::Code(text) => words.push_str(&text),
                Event::SoftBreak | Event::HardBreak => words.push(' '),
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(&tag),
            Event::Text(text) | Event::Code(text) => self.words.push_str(&text),
            Event::SoftBreak => self.words.push(' '),
            Event::HardBreak => self.words.push('\n'),
            Event::Rule => {
                self.flush();
                self.line(&"-".repeat(WIDTH / 2));
                self.blank();
            }
            Event::FootnoteReference(name) => {
                let number = number_of(&mut self.notes, &name);
                self.words.push_str(&format!("[{number}]"));
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } | Tag::Paragraph => self.flush(),
            Tag::BlockQuote(_) => {
                self.flush();
                self.prefixes.push("> ".to_owned());
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.code = true;
            }
            Tag::List(first) => {
                self.flush();
                self.counters.push(first);
            }
            Tag::Item => {
                let marker = match self.counters.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.prefixes.push(" ".repeat(marker.len()));
                self.marker = Some(marker);
            }
            Tag::FootnoteDefinition(name) => {
                self.flush();
                let number = number_of(&mut self.notes, &name);
                self.prefixes.push("    ".to_owned());
                self.marker = Some(format!("[{number}] "));
            }
            Tag::Table(alignments) => {
                self.flush();
                let right = |alignment: &Alignment| *alignment == Alignment::Right;
                self.table = Some(Table::new(alignments.iter().map(right).collect()));
            }
            Tag::Link { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.words.len()));
            }
            Tag::Image { dest_url, .. } => {
                self.picture = Some((dest_url.into_string(), String::new()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: &TagEnd) {
        match tag {
            TagEnd::Paragraph => {
                self.flush();
                self.blank();
            }
            TagEnd::Heading(level) => self.heading(*level),
            TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition => {
                self.flush();
                let blank = format!("\n{}\n", self.prefixes.concat().trim_end());
                if self.out.ends_with(&blank) {
                    self.out.truncate(self.out.len() - blank.len() + 1);
                }
                self.prefixes.pop();
                self.marker = None;
                self.blank();
            }
            TagEnd::CodeBlock => {
                let code = std::mem::take(&mut self.words);
                for line in code.trim_end().split('\n') {
                    self.line(&format!("    {line}"));
                }
                self.code = false;
                self.blank();
            }
            TagEnd::List(_) => {
                self.counters.pop();
                self.blank();
            }
            TagEnd::Item => {
                self.flush();
                if let Some(marker) = self.marker.take() {
                    self.marker = Some(marker);
                    self.line("");
                }
                self.prefixes.pop();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.words);
                if let Some(table) = &mut self.table {
                    table.cell(cell.trim());
                }
            }
            TagEnd::TableRow | TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.end_row();
                }
            }
            TagEnd::Table => {
                let lines = self.table.take().map(|table| table.lines());
                for line in lines.unwrap_or_default() {
                    self.line(&line);
                }
                self.blank();
            }
            TagEnd::Link => {
                let (address, from) = self.links.pop().unwrap_or_default();
                let said = self.words.get(from..).unwrap_or_default();
                let shown = address.strip_prefix("mailto:").unwrap_or(&address);
                if may_link(&address) && said != address && said != shown {
                    self.words.push_str(&format!(" ({shown})"));
                }
            }
            _ => {}
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let words = std::mem::take(&mut self.words);
        let long = columns(&words).min(WIDTH);
        self.paragraph(&words);
        match level {
            HeadingLevel::H1 => self.line(&"=".repeat(long)),
            HeadingLevel::H2 => self.line(&"-".repeat(long)),
            _ => {}
        }
        self.blank();
    }

    /// Writes the paragraph that was read.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        if !words.trim().is_empty() {
            self.paragraph(&words);
        }
    }

    fn paragraph(&mut self, words: &str) {
        let indent: usize = self.prefixes.iter().map(|prefix| columns(prefix)).sum();
        for line in wrap(words.trim(), WIDTH.saturating_sub(indent).max(20)) {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let mut start = self.prefixes.concat();
        if let Some(marker) = self.marker.take() {
            start.truncate(start.len().saturating_sub(marker.len()));
            start.push_str(&marker);
        }
        start.push_str(line);
        self.out.push_str(start.trim_end());
        self.out.push('\n');
    }

    /// One empty line, quoted where the text is.
    fn blank(&mut self) {
        let prefix = self.prefixes.concat();
        let blank = format!("\n{}\n", prefix.trim_end());
        if !self.out.is_empty() && !self.out.ends_with(&blank) && !self.out.ends_with("\n\n") {
            self.out.push_str(prefix.trim_end());
            self.out.push('\n');
        }
    }
}
