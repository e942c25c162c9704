//! What of a report is read: its visible text, block by block.
//!
//! Invariant: every figure that a reader sees is in a block. Code blocks, addresses of links and
//! numbers of lists are in none; code within a line is in one only if it is nothing but a figure.
//! Failure: none.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::report::markdown;

/// Stands for what is shown but not read.
const OBJECT: char = '\u{fffc}';

/// Text that belongs together: a paragraph, a heading, an item, a cell.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The visible text.
    pub text: String,
    /// It is a heading.
    pub heading: bool,
    /// The heading of the column, of a cell.
    pub header: Option<String>,
    /// What else tells what the block is about: headings above, the paragraph before a list, the
    /// other cells of a row.
    pub about: String,
    /// Where pieces of the visible text come from.
    pieces: Vec<Piece>,
}

/// A piece of visible text and where it stands in the source.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    len: usize,
    source: usize,
    source_len: usize,
}

impl Block {
    /// A text that stands nowhere.
    pub fn of(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// The bytes of the source that a part of the text comes from.
    pub fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let piece = |at: usize| {
            let found = self.pieces.partition_point(|piece| piece.at <= at);
            self.pieces.get(found.saturating_sub(1)).copied()
        };
        let from = piece(start).map_or(0, |piece| piece.place(start));
        let last = end.saturating_sub(1).max(start);
        let to = piece(last).map_or(from, |piece| match piece.len == piece.source_len {
            true => piece.place(last) + (end - last),
            false => piece.source + piece.source_len,
        });
        (from, to.max(from))
    }

    fn push(&mut self, text: &str, source: usize, source_len: usize) {
        self.pieces.push(Piece {
            at: self.text.len(),
            len: text.len(),
            source,
            source_len,
        });
        self.text.push_str(text);
    }
}

impl Piece {
    fn place(&self, at: usize) -> usize {
        match self.len == self.source_len {
            true => self.source + (at - self.at).min(self.len),
            false => self.source,
        }
    }
}

/// The blocks of a report, in order.
pub fn of(report: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for (event, range) in markdown::events(report) {
        reader.event(event, range.start, range.len());
    }
    reader.close();
    reader.blocks
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    open: Block,
    code: bool,
    /// The latest heading of each level.
    headings: Vec<String>,
    level: usize,
    /// The paragraph before each open list.
    leads: Vec<String>,
    headers: Vec<String>,
    head: bool,
    /// The first block of the row that is being read.
    row: usize,
    column: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, at: usize, len: usize) {
        match event {
            Event::Text(text) if !self.code => self.open.push(&text, at, len),
            Event::Code(text) => match is_figure(&text) {
                // The text stands between the backticks.
                true => self
                    .open
                    .push(&text, at + len.saturating_sub(text.len()) / 2, text.len()),
                false => self.open.push(OBJECT.encode_utf8(&mut [0; 4]), at, len),
            },
            Event::FootnoteReference(_) => {
                self.open.push(OBJECT.encode_utf8(&mut [0; 4]), at, len);
            }
            Event::SoftBreak | Event::HardBreak => self.open.push(" ", at, len),
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::CodeBlock(_) => {
                self.close();
                self.code = true;
            }
            Tag::Heading { level, .. } => {
                self.close();
                self.open.heading = true;
                self.level = *level as usize;
            }
            Tag::List(_) => {
                self.close();
                let lead = self.blocks.last().map(|block| block.text.clone());
                self.leads.push(lead.unwrap_or_default());
            }
            Tag::Table(_) => {
                self.close();
                self.headers.clear();
            }
            Tag::TableHead => self.head = true,
            Tag::TableRow => {
                self.row = self.blocks.len();
                self.column = 0;
            }
            Tag::Paragraph | Tag::Item | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.close();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock => self.code = false,
            TagEnd::Heading(_) => {
                let text = self.open.text.clone();
                self.close();
                self.headings.truncate(self.level.saturating_sub(1));
                self.headings.push(text);
            }
            TagEnd::List(_) => {
                self.close();
                self.leads.pop();
            }
            TagEnd::TableCell if self.head => {
                self.headers.push(self.open.text.trim().to_owned());
                self.close();
            }
            TagEnd::TableCell => {
                self.open.header = self.headers.get(self.column).cloned();
                self.column += 1;
                self.close();
            }
            TagEnd::TableHead => self.head = false,
            TagEnd::TableRow => self.end_row(),
            TagEnd::Paragraph | TagEnd::Item | TagEnd::BlockQuote(_) => self.close(),
            _ => {}
        }
    }

    /// The cells of a row tell what each of them is about.
    fn end_row(&mut self) {
        let row = self.blocks.get_mut(self.row..).unwrap_or_default();
        let all: Vec<String> = row.iter().map(|block| block.text.clone()).collect();
        let all = all.join(" | ");
        for block in row {
            block.about = format!("{} | {all}", block.about);
        }
    }

    fn close(&mut self) {
        let mut block = std::mem::take(&mut self.open);
        if block.text.trim().is_empty() {
            return;
        }
        let above = self.headings.iter().chain(&self.leads);
        block.about = above.map(String::as_str).collect::<Vec<_>>().join(" | ");
        self.blocks.push(block);
    }
}

/// Code that is a number and perhaps its unit.
fn is_figure(code: &str) -> bool {
    let code = code.trim();
    let letters = code.chars().filter(|c| c.is_alphabetic()).count();
    code.chars().any(|c| c.is_ascii_digit())
        && letters <= 3
        && !code.contains(['=', '<', '>', '{', '_', '/', ';', '"'])
        && code.starts_with(|c: char| c.is_ascii_digit() || "+-−(€$£¥".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_what_they_are_about_and_where_they_stand() {
        let report = "# Gates\n\nNorth:\n\n- **12** &amp; `34` of `select 5`\n\n|gate|n|\n|-|-|\n|South|56|\n\n```\n78\n```\n[x](https://e.org/99)";
        let blocks = of(report);
        let texts: Vec<&str> = blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Gates",
                "North:",
                "12 & 34 of \u{fffc}",
                "gate",
                "n",
                "South",
                "56",
                "x"
            ]
        );
        assert_eq!(blocks[2].about, "Gates | North:");
        assert_eq!(blocks[6].header.as_deref(), Some("n"));
        assert!(blocks[6].about.ends_with("South | 56"));
        for (block, words) in [(2, "12"), (2, "34"), (6, "56")] {
            let at = blocks[block].text.find(words).unwrap();
            let (start, end) = blocks[block].source(at, at + words.len());
            assert_eq!(&report[start..end], words);
        }
        let amp = blocks[2].text.find('&').unwrap();
        let (start, end) = blocks[2].source(amp, amp + 1);
        assert_eq!(&report[start..end], "&amp;");
    }
}
