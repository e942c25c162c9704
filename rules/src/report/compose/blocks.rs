//! SQL blocks of a text: what is run, and how its result is shown.
//!
//! ```text
//! ```sql name=orders chart=line x=day y=total title="Orders by day"
//! select day, total from …
//! ```
//! ```
//!
//! Invariant: names are unique; an option that means nothing is refused.
//! Failure: a [`Flaw`] with the line of the block and the column of the option.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::part_name;
use crate::report::chart::{Form, MAX_SERIES, Spec};
use crate::report::place::line_and_column;
use crate::report::{Flaw, dataset, markdown};

/// Longest title of a block, in characters.
const MAX_TITLE: usize = 120;
/// Most rows that a block may show.
const MAX_SHOWN: usize = 500;
/// What the info string of a block begins with.
const LANGUAGE: &str = "sql";

/// A fenced SQL block of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlBlock {
    /// What its result is called; `query_1` and so on unless named.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// The heading over its result; its name unless it has one.
    pub title: Option<String>,
    /// The chart over its result.
    pub chart: Option<Spec>,
    /// Rows of its table; more are counted.
    pub rows: usize,
    /// Its result is shown where the block stands; without, it is only there to be named.
    pub show: bool,
    /// Line of the text on which the statement begins, from 1.
    pub line: usize,
    /// Where it stands in the text.
    pub(super) range: (usize, usize),
}

/// The SQL blocks of a text, in order.
pub fn sql_blocks(text: &str) -> Result<Vec<SqlBlock>, Flaw> {
    let mut blocks: Vec<SqlBlock> = Vec::new();
    let mut open: Option<(SqlBlock, Range<usize>)> = None;
    for (event, range) in markdown::events(text) {
        match (event, &mut open) {
            (Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))), _) if is_sql(&info) => {
                open = Some((opened(text, &range, blocks.len())?, range));
            }
            (Event::Text(line), Some((block, _))) => block.sql.push_str(&line),
            (Event::End(TagEnd::CodeBlock), _) => {
                let Some((block, range)) = open.take() else {
                    continue;
                };
                blocks.push(closed(text, block, &range, &blocks)?);
            }
            _ => {}
        }
    }
    Ok(blocks)
}

/// The text with a place instead of each block; lines keep their numbers.
pub fn places(text: &str, blocks: &[SqlBlock]) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, block) in blocks.iter().enumerate() {
        let (start, end) = block.range;
        out.push_str(text.get(from..start).unwrap_or_default());
        let lines = text
            .get(start..end)
            .unwrap_or_default()
            .matches('\n')
            .count();
        let name = part_name(at);
        out.push_str(&format!("{{{{ {name} }}}}{{#{}#}}", "\n".repeat(lines)));
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

fn is_sql(info: &str) -> bool {
    info.split_whitespace()
        .next()
        .is_some_and(|language| language.eq_ignore_ascii_case(LANGUAGE))
}

/// Reads the first line of a block.
fn opened(text: &str, range: &Range<usize>, before: usize) -> Result<SqlBlock, Flaw> {
    if before >= dataset::MAX_DATASETS {
        let message = format!("There are at most {} SQL blocks.", dataset::MAX_DATASETS);
        return Err(Flaw::at(text, range.start, "too_many_blocks", message));
    }
    let rest = text.get(range.start..).unwrap_or_default();
    let fence = rest.lines().next().unwrap_or_default();
    let mut block = SqlBlock {
        name: format!("query_{}", before + 1),
        sql: String::new(),
        title: None,
        chart: None,
        rows: super::SHOWN_ROWS,
        show: true,
        line: line_and_column(text, range.start).0 + 1,
        range: (range.start, range.end),
    };
    let (mut x, mut y, mut form) = (None, Vec::new(), None);
    for Setting { at, key, value } in settings(text, range.start, fence)? {
        let flaw = |code: &str, message: String| Flaw::at(text, at, code, message);
        match key.as_str() {
            "name" => {
                block.name = dataset::name("", &value).map_err(|invalid| {
                    let told = invalid.errors.into_iter().next();
                    flaw(
                        "dataset_name",
                        told.map(|told| told.message).unwrap_or_default(),
                    )
                })?;
            }
            "title" if value.chars().count() <= MAX_TITLE => block.title = Some(value),
            "title" => {
                return Err(flaw(
                    "too_long",
                    format!("A title has at most {MAX_TITLE} characters."),
                ));
            }
            "chart" => {
                let known = Form::parse(&value);
                form = Some(known.ok_or_else(|| {
                    flaw("unknown_chart", format!("A chart is {}.", Form::NAMES))
                })?);
            }
            "x" => x = Some(value),
            "y" if y.len() < MAX_SERIES => y.push(value),
            "y" => {
                return Err(flaw(
                    "too_many",
                    format!("A chart has at most {MAX_SERIES} series."),
                ));
            }
            "rows" => {
                let rows = value.parse().ok().filter(|rows| *rows <= MAX_SHOWN);
                block.rows = rows.ok_or_else(|| {
                    flaw(
                        "invalid_option",
                        format!("rows is a number from 0 to {MAX_SHOWN}."),
                    )
                })?;
            }
            "show" => {
                block.show = match value.as_str() {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(flaw("invalid_option", "show is yes or no.".to_owned())),
                };
            }
            _ => {
                let message = format!(
                    "There is no option {key}; there is name, title, chart, x, y, rows and show."
                );
                return Err(flaw("unknown_option", message));
            }
        }
    }
    match form {
        Some(form) => {
            let dataset = block.name.clone();
            block.chart = Some(Spec {
                dataset,
                form,
                x,
                y,
            });
            Ok(block)
        }
        None if x.is_some() || !y.is_empty() => {
            let message = "x and y belong to a chart: name its form, such as chart=bar.";
            Err(Flaw::at(text, range.start, "invalid_option", message))
        }
        None => Ok(block),
    }
}

fn closed(
    text: &str,
    mut block: SqlBlock,
    range: &Range<usize>,
    before: &[SqlBlock],
) -> Result<SqlBlock, Flaw> {
    block.sql = block.sql.trim().to_owned();
    if block.sql.is_empty() {
        let message = "This block holds no statement.";
        return Err(Flaw::at(text, range.start, "empty_block", message));
    }
    if before.iter().any(|other| other.name == block.name) {
        let message = format!("There is another block named {}.", block.name);
        return Err(Flaw::at(text, range.start, "duplicate_name", message));
    }
    Ok(block)
}

/// An option of a fence.
struct Setting {
    /// The byte of the text at which it begins.
    at: usize,
    key: String,
    value: String,
}

/// The options of a fence.
fn settings(text: &str, start: usize, fence: &str) -> Result<Vec<Setting>, Flaw> {
    let info = fence.trim_start_matches(['`', '~', ' ']);
    // Behind the language.
    let behind = info.find(char::is_whitespace).unwrap_or(info.len());
    let mut at = fence.len() - info.len() + behind;
    let mut found = Vec::new();
    while let Some(rest) = fence.get(at..) {
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let Some((key, value)) = rest.split_once('=').filter(|(key, _)| key.len() < word) else {
            let word = rest.get(..word).unwrap_or_default();
            let message = format!("Write {word}=…, or leave it out.");
            return Err(Flaw::at(text, start + at, "invalid_option", message));
        };
        let (value, long) = match value.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((value, _)) => (value, value.len() + 2),
                None => {
                    let message = "This text is not closed.";
                    return Err(Flaw::at(text, start + at, "invalid_option", message));
                }
            },
            None => {
                let long = value.find(char::is_whitespace).unwrap_or(value.len());
                (value.get(..long).unwrap_or_default(), long)
            }
        };
        found.push(Setting {
            at: start + at,
            key: key.to_lowercase(),
            value: value.to_owned(),
        });
        at += key.len() + 1 + long;
    }
    Ok(found)
}
