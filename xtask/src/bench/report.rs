//! What a bench says: tables, aims, and its region of docs/benchmarks.md.
//!
//! Invariant: the page and the terminal show the same numbers; what stands outside the marks of the
//! region is left alone.
//! Failure: a page without the marks is an error that names them.

use crate::project::Project;
use crate::say;
use anyhow::{Context, Result};
use std::fmt::Write;

/// A table under a heading.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self {
            title: title.to_owned(),
            rows: vec![columns],
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// As Markdown, its columns aligned.
    fn markdown(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = format!("**{}**\n\n", self.title);
        for (at, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "| {cell:<width$} ");
            }
            text += "|\n";
            if at == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { "-" } else { ":" };
                    let _ = write!(text, "|{}{end}", "-".repeat(width + 1));
                }
                text += "|\n";
            }
        }
        text
    }
}

/// What was aimed at, and whether it was met.
#[derive(Clone, Debug)]
pub struct Aim {
    what: String,
    found: String,
    met: bool,
}

/// Everything a bench found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    tables: Vec<Table>,
    aims: Vec<Aim>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a table.
    pub fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Adds an aim.
    pub fn aim(&mut self, what: &str, found: impl Into<String>, met: bool) {
        self.aims.push(Aim {
            what: what.to_owned(),
            found: found.into(),
            met,
        });
    }

    /// Adds a sentence about how something was measured.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds all that another one found.
    pub fn join(&mut self, other: Self) {
        self.tables.extend(other.tables);
        self.aims.extend(other.aims);
        self.notes.extend(other.notes);
    }

    /// Are all aims met?
    pub fn met(&self) -> bool {
        self.aims.iter().all(|aim| aim.met)
    }

    /// The whole report as Markdown; `made` says when and where.
    pub fn markdown(&self, made: &str) -> String {
        let mut text = format!("{made}\n");
        for table in &self.tables {
            let _ = write!(text, "\n{}", table.markdown());
        }
        if !self.aims.is_empty() {
            let mut aims = Table::new("Aims", &["aim", "found", ""]);
            for aim in &self.aims {
                let met = if aim.met { "met" } else { "not met" };
                aims.row([aim.what.clone(), aim.found.clone(), met.to_owned()]);
            }
            let _ = write!(text, "\n{}", aims.markdown());
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// Replaces the region of one bench in docs/benchmarks.md.
pub fn write(project: &Project, bench: &str, text: &str) -> Result<()> {
    let path = project.at("docs/benchmarks.md");
    let page = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let page = replace(&page, bench, text)
        .with_context(|| format!("{} has no marks of bench {bench}", path.display()))?;
    std::fs::write(&path, page)?;
    say::note(format!("written to {}", path.display()));
    Ok(())
}

fn replace(page: &str, bench: &str, text: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- bench {bench} -->\n"),
        format!("<!-- /bench {bench} -->"),
    );
    let start = page.find(&begin)? + begin.len();
    let stop = start + page.get(start..)?.find(&end)?;
    Some(format!(
        "{}\n{}\n\n{}",
        &page[..start],
        text.trim(),
        &page[stop..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_region_changes_and_again_the_same_way() {
        let page = "# Top\n<!-- bench a -->\nold\n<!-- /bench a -->\nrest\n";
        let once = replace(page, "a", "new\n").unwrap();
        assert_eq!(
            once,
            "# Top\n<!-- bench a -->\n\nnew\n\n<!-- /bench a -->\nrest\n"
        );
        assert_eq!(replace(&once, "a", "new").unwrap(), once);
        assert!(replace(page, "b", "new").is_none());
    }

    #[test]
    fn tables_are_aligned_markdown() {
        let mut table = Table::new("T", &["what", "n"]);
        table.row(["a".to_owned(), "1,000".to_owned()]);
        assert_eq!(
            table.markdown(),
            "**T**\n\n| what | n     |\n|------|------:|\n| a    | 1,000 |\n"
        );
    }

    #[test]
    fn one_missed_aim_is_enough() {
        let mut report = Report::default();
        report.aim("fast", "1", true);
        assert!(report.met());
        report.aim("small", "2", false);
        assert!(!report.met());
        assert!(report.markdown("now").contains("not met"));
    }
}
