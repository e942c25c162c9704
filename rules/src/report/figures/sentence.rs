//! What the sentence of a figure says of it.
//!
//! Invariant: a cell of a table is read with the heading of its column.
//! Failure: none.

use super::blocks::Block;
use super::facts::Facts;
use super::scan::Found;
use super::words;
use crate::report::unit::Measure;

/// The sentence a figure stands in; of a cell also the heading of its column.
pub fn sentence(block: &Block, found: &Found) -> String {
    let ends = |at: usize, c: char| {
        let behind = block
            .text
            .get(at + c.len_utf8()..)
            .and_then(|rest| rest.chars().next());
        matches!(c, ';' | '!' | '?' | '\n') || (c == '.' && behind.is_none_or(char::is_whitespace))
    };
    let before = block.text.get(..found.start).unwrap_or_default();
    let start = before
        .char_indices()
        .rfind(|(at, c)| ends(*at, *c))
        .map_or(0, |(at, c)| at + c.len_utf8());
    let behind = block.text.get(found.end..).unwrap_or_default();
    let end = behind
        .char_indices()
        .find(|(at, c)| ends(found.end + at, *c))
        .map_or(block.text.len(), |(at, _)| found.end + at);
    let sentence = block.text.get(start..end).unwrap_or_default();
    match &block.header {
        Some(header) => format!("{header}: {sentence}"),
        None => sentence.to_owned(),
    }
}

/// Whether a sentence names a column of numbers.
pub fn names_column(sentence: &str, facts: &Facts<'_>) -> bool {
    let words: Vec<String> = sentence
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2)
        .map(words::stem)
        .collect();
    facts.sets.series.iter().flatten().any(|series| {
        let name = series.name.split(|c: char| !c.is_alphanumeric());
        name.filter(|word| word.len() > 2)
            .any(|word| words.contains(&words::stem(word)))
    })
}

/// The first column of a table may count its rows.
pub fn is_numbering(block: &Block) -> bool {
    block.header.as_deref().is_some_and(|header| {
        matches!(
            header.to_lowercase().trim_end_matches('.'),
            "#" | "no" | "nr" | "rank" | "pos" | "№"
        )
    })
}

pub fn is_percent(header: &str) -> bool {
    header.contains('%') || matches!(Measure::of(header), Measure::Percent | Measure::Ratio)
}

/// Whether words stand in a text as words.
pub fn has_word(text: &str, words: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, words)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text
            .get(at + words.len()..)
            .and_then(|behind| behind.chars().next());
        !letter(before) && !letter(behind)
    })
}
