//! Tables as text: columns under each other.
//!
//! Invariant: numbers stand right, everything else left; a long cell is cut.
//! Failure: a row of another length is filled up.

use super::text::columns;

/// A wider cell is cut.
const WIDEST: usize = 40;

/// A table that is being read.
pub struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
    row: Vec<String>,
}

impl Table {
    /// An empty table; `right` says of each column whether it stands right.
    pub fn new(right: Vec<bool>) -> Self {
        Self {
            right,
            rows: Vec::new(),
            row: Vec::new(),
        }
    }

    /// The next cell of the row.
    pub fn cell(&mut self, text: &str) {
        let one: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.row.push(cut(&one));
    }

    /// The row is complete.
    pub fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    /// The lines: the head, a line of dashes, the rows.
    pub fn lines(self) -> Vec<String> {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| columns(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        for (place, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (at, (width, right)) in widths.iter().zip(&self.right).enumerate() {
                let cell = row.get(at).map_or("", String::as_str);
                let pad = " ".repeat(width.saturating_sub(columns(cell)));
                let gap = if at > 0 { "  " } else { "" };
                let (before, after) = if *right {
                    (pad.as_str(), "")
                } else {
                    ("", pad.as_str())
                };
                line.push_str(&format!("{gap}{before}{cell}{after}"));
            }
            lines.push(line.trim_end().to_owned());
            if place == 0 {
                let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                lines.push(dashes.join("  "));
            }
        }
        lines
    }
}

fn cut(text: &str) -> String {
    if columns(text) <= WIDEST {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if columns(&kept) + 2 > WIDEST {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}
