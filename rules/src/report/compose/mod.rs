//! The builtin writer: a report made of query results without a model.
//!
//! A text, a prompt or a template, holds fenced SQL blocks and prose. The blocks are run elsewhere;
//! here each is replaced by what it found, and the prose stays.
//!
//! Invariant: every number it writes is a cell or a count of the data, so a composed report has no
//! figure that cannot be traced. What cells hold is text and makes no Markdown.
//! Failure: a block that cannot be read, or a place that cannot be filled, is a [`Flaw`] with its
//! line.

mod blocks;
mod show;

use super::chart::{SCHEME, Spec};
use super::template::{self, Variables};
use super::{Flaw, markdown};

pub use blocks::{SqlBlock, sql_blocks};
pub use show::{SHOWN_ROWS, table};

/// What a report is composed of.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Prose and SQL blocks: the chosen template, or else the prompt.
    pub text: &'a str,
    /// What it is filled with. `parts` is left empty.
    pub variables: Variables<'a>,
}

/// Checks a text before it is kept: its blocks, and that its places name only their results.
pub fn check(text: &str) -> Result<Vec<SqlBlock>, Flaw> {
    let blocks = sql_blocks(text)?;
    let mut known: Vec<&str> = blocks.iter().map(|block| block.name.as_str()).collect();
    let parts: Vec<String> = (0..blocks.len()).map(part_name).collect();
    known.extend(parts.iter().map(String::as_str));
    template::parse(&blocks::places(text, &blocks))?.expect(&known)?;
    Ok(blocks)
}

/// The report, as Markdown.
pub fn report(input: &Text<'_>) -> Result<String, Flaw> {
    let blocks = sql_blocks(input.text)?;
    let variables = &input.variables;
    let parts: Vec<(String, String)> = blocks
        .iter()
        .enumerate()
        .map(|(at, block)| {
            let set = variables.data.iter().find(|set| set.name == block.name);
            (part_name(at), show::section(block, set, variables.zone))
        })
        .collect();
    let template = template::parse(&blocks::places(input.text, &blocks))?;
    let filled = Variables {
        parts: &parts,
        ..*variables
    };
    let body = template::render(&template, &filled)?;
    let titled = body.trim_start().starts_with("# ");
    let mut out = match titled {
        true => String::new(),
        false => format!("# {}\n\n", markdown::escaped(variables.title)),
    };
    out.push_str(tidy(&body).trim_start());
    Ok(out)
}

/// A name as a heading: `orders_by_day` becomes `Orders by day`.
pub fn heading(name: &str) -> String {
    let words = super::chart::words(name);
    let mut letters = words.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// A chart as Markdown.
pub fn picture(title: &str, spec: &Spec) -> String {
    debug_assert!(spec.destination().starts_with(SCHEME));
    format!("![{}]({})", markdown::escaped(title), spec.destination())
}

/// What the place of a block is called; nobody can write it, because a dataset's name begins with a
/// letter.
fn part_name(at: usize) -> String {
    format!("_block_{at}")
}

/// At most one empty line in a row, none at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut empty, mut fence) = (false, false);
    for line in text.lines() {
        let bare = line.trim();
        fence ^= bare.starts_with("```") || bare.starts_with("~~~");
        if bare.is_empty() && empty && !fence {
            continue;
        }
        empty = bare.is_empty();
        out.push_str(line.trim_end_matches('\r'));
        out.push('\n');
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    out.push('\n');
    out
}
