//! When a report is worth sending: `orders.total > 100 and rows(orders) > 0`.
//!
//! Invariant: bounded in length and depth; evaluating reads the data and nothing else. A null is
//! equal to null alone, and no other comparison with one holds.
//! Failure: a [`Flaw`] with the column.

mod eval;
mod parse;

use std::collections::BTreeSet;

use super::{Dataset, Flaw};

/// Most bytes of a condition.
pub const MAX_BYTES: usize = 1_000;

/// A condition that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    root: Node,
}

/// A part of a condition and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    at: usize,
    kind: Expression,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Number(f64),
    Text(String),
    Bool(bool),
    Null,
    /// The one value of a column.
    Cell(String, String),
    /// How many rows a dataset has.
    Rows(String),
    /// A column made one value.
    Of(Aggregate, String, String),
    Not(Box<Node>),
    Minus(Box<Node>),
    Two(Operator, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Least,
    Most,
    Count,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Plus,
    Minus,
    Times,
    Over,
}

/// Reads a condition.
pub fn parse(text: &str) -> Result<Condition, Flaw> {
    Ok(Condition {
        root: parse::parse(text)?,
        text: text.to_owned(),
    })
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, data: &[Dataset]) -> Result<bool, Flaw> {
        eval::holds(&self.root, data)
            .map_err(|wrong| Flaw::at(&self.text, wrong.at, wrong.code, wrong.message))
    }

    /// The datasets it names.
    pub fn datasets(&self) -> BTreeSet<&str> {
        let (mut names, mut waiting) = (BTreeSet::new(), vec![&self.root]);
        while let Some(node) = waiting.pop() {
            match &node.kind {
                Expression::Cell(set, _) | Expression::Rows(set) | Expression::Of(_, set, _) => {
                    names.insert(set.as_str());
                }
                Expression::Not(one) | Expression::Minus(one) => waiting.push(one),
                Expression::Two(_, one, other) => waiting.extend([one.as_ref(), other.as_ref()]),
                _ => {}
            }
        }
        names
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What is wrong at a byte of the condition.
struct Wrong {
    at: usize,
    code: &'static str,
    message: String,
}

impl Wrong {
    fn new(at: usize, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            at,
            code,
            message: message.into(),
        }
    }
}
