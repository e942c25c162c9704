//! Reading a condition: or, and, not, comparisons, sums, products.
//!
//! Invariant: depth is bounded, so no text exhausts the stack.
//! Failure: what is wrong, and its column.

use super::{Aggregate, Expression, MAX_BYTES, Node, Operator, Wrong};
use crate::report::Flaw;

const MAX_DEPTH: usize = 24;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Sign(&'static str),
    End,
}

/// Longer signs first, so that `<=` is not `<`.
const SIGNS: [&str; 17] = [
    "<=", ">=", "!=", "<>", "==", "&&", "||", "<", ">", "=", "+", "-", "*", "/", "(", ")", ".",
];

/// Reads a condition.
pub fn parse(text: &str) -> Result<Node, Flaw> {
    read(text).map_err(|wrong| Flaw::at(text, wrong.at, wrong.code, wrong.message))
}

fn read(text: &str) -> Result<Node, Wrong> {
    if text.len() > MAX_BYTES {
        let message = format!("A condition has at most {MAX_BYTES} bytes.");
        return Err(Wrong::new(MAX_BYTES, "condition_too_long", message));
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let root = reader.or()?;
    match reader.peek() {
        (Token::End, _) => Ok(root),
        (_, at) => Err(Wrong::new(
            at,
            "condition_syntax",
            "Expected an operator or the end.",
        )),
    }
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Wrong> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let (token, long) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_digit() {
            number(rest, at)?
        } else if first == '\'' || first == '"' {
            quoted(rest, first, at)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let long = rest.find(|c| !word(c)).unwrap_or(rest.len());
            (
                Token::Word(rest.get(..long).unwrap_or_default().to_owned()),
                long,
            )
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            let message = format!("{first} means nothing here.");
            return Err(Wrong::new(at, "condition_syntax", message));
        };
        found.push((token, at));
        at += long;
    }
    found.push((Token::End, text.len()));
    Ok(found)
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Wrong> {
    let part = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
    let long = rest.find(|c| !part(c)).unwrap_or(rest.len());
    let digits = rest.get(..long).unwrap_or_default().replace('_', "");
    let behind = rest.get(long..).and_then(|rest| rest.chars().next());
    match (digits.parse::<f64>(), behind) {
        (_, Some(',')) => Err(Wrong::new(
            at + long,
            "condition_number",
            "Write numbers without commas: 1000 or 1_000.",
        )),
        (Ok(number), _) if !digits.ends_with('.') => Ok((Token::Number(number), long)),
        _ => Err(Wrong::new(at, "condition_number", "This is no number.")),
    }
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), Wrong> {
    let inner = rest.get(1..).unwrap_or_default();
    match inner.find(quote) {
        Some(end) => {
            let text = inner.get(..end).unwrap_or_default();
            Ok((Token::Text(text.to_owned()), end + 2))
        }
        None => Err(Wrong::new(
            at,
            "condition_syntax",
            "This text is not closed.",
        )),
    }
}

struct Reader {
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> (Token, usize) {
        let end = || (Token::End, self.tokens.last().map_or(0, |(_, at)| *at));
        self.tokens.get(self.next).cloned().unwrap_or_else(end)
    }

    fn take(&mut self) -> (Token, usize) {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn sign(&mut self, signs: &[&str]) -> Option<(String, usize)> {
        let (name, at) = match self.peek() {
            (Token::Sign(sign), at) => (sign.to_owned(), at),
            (Token::Word(word), at) => (word.to_lowercase(), at),
            _ => return None,
        };
        if !signs.contains(&name.as_str()) {
            return None;
        }
        self.next += 1;
        Some((name, at))
    }

    fn expect(&mut self, sign: &str, why: &str) -> Result<(), Wrong> {
        match self.sign(&[sign]) {
            Some(_) => Ok(()),
            None => Err(Wrong::new(self.peek().1, "condition_syntax", why)),
        }
    }

    fn or(&mut self) -> Result<Node, Wrong> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let (at, message) = (self.peek().1, "This is nested too deep.");
            return Err(Wrong::new(at, "condition_too_deep", message));
        }
        let found = self.chain(&["or", "||"], Self::and);
        self.depth -= 1;
        found
    }

    fn and(&mut self) -> Result<Node, Wrong> {
        self.chain(&["and", "&&"], Self::not)
    }

    fn not(&mut self) -> Result<Node, Wrong> {
        let mut nots = Vec::new();
        while let Some((_, at)) = self.sign(&["not"]) {
            nots.push(at);
        }
        let mut node = self.comparison()?;
        for at in nots.into_iter().rev() {
            node = Node {
                at,
                kind: Expression::Not(Box::new(node)),
            };
        }
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, Wrong> {
        const SIGNS: [&str; 9] = ["<=", ">=", "!=", "<>", "==", "<", ">", "=", "is"];
        let one = self.sum()?;
        let Some((sign, at)) = self.sign(&SIGNS) else {
            return Ok(one);
        };
        let negated = sign == "is" && self.sign(&["not"]).is_some();
        let other = self.sum()?;
        if let Some((_, at)) = self.sign(&SIGNS) {
            let message = "Join comparisons with and: 1 < x and x < 5.";
            return Err(Wrong::new(at, "condition_syntax", message));
        }
        let sign = if negated { "!=" } else { &sign };
        Ok(two(sign, at, one, other))
    }

    fn sum(&mut self) -> Result<Node, Wrong> {
        self.chain(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Result<Node, Wrong> {
        self.chain(&["*", "/"], Self::signed)
    }

    fn signed(&mut self) -> Result<Node, Wrong> {
        match self.sign(&["-"]) {
            Some((_, at)) => {
                let kind = Expression::Minus(Box::new(self.value()?));
                Ok(Node { at, kind })
            }
            None => self.value(),
        }
    }

    fn chain(
        &mut self,
        signs: &[&str],
        part: fn(&mut Self) -> Result<Node, Wrong>,
    ) -> Result<Node, Wrong> {
        let mut node = part(self)?;
        while let Some((sign, at)) = self.sign(signs) {
            let other = part(self)?;
            node = two(&sign, at, node, other);
        }
        Ok(node)
    }

    fn value(&mut self) -> Result<Node, Wrong> {
        let (token, at) = self.take();
        let kind = match token {
            Token::Number(number) => Expression::Number(number),
            Token::Text(text) => Expression::Text(text),
            Token::Sign("(") => {
                let inner = self.or()?;
                self.expect(")", "Expected ).")?;
                return Ok(inner);
            }
            Token::Word(word) => match word.as_str() {
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "null" => Expression::Null,
                _ if self.sign(&["("]).is_some() => self.function(&word, at)?,
                _ => {
                    let column = self.column(&word)?;
                    Expression::Cell(word, column)
                }
            },
            Token::End => {
                let message = "Something is missing at the end.";
                return Err(Wrong::new(at, "condition_syntax", message));
            }
            Token::Sign(sign) => {
                let message = format!("Expected a value instead of {sign}");
                return Err(Wrong::new(at, "condition_syntax", message));
            }
        };
        Ok(Node { at, kind })
    }

    /// `.column` behind the name of a dataset.
    fn column(&mut self, set: &str) -> Result<String, Wrong> {
        let why = format!("Write {set}.column, or rows({set}).");
        self.expect(".", &why)?;
        match self.take() {
            (Token::Word(column), _) => Ok(column),
            // A name that is none of the words above goes in quotes.
            (Token::Text(column), _) => Ok(column),
            (_, at) => Err(Wrong::new(at, "condition_syntax", why)),
        }
    }

    fn function(&mut self, name: &str, at: usize) -> Result<Expression, Wrong> {
        let aggregate = match name {
            "rows" => None,
            "sum" => Some(Aggregate::Sum),
            "avg" => Some(Aggregate::Average),
            "min" => Some(Aggregate::Least),
            "max" => Some(Aggregate::Most),
            "count" => Some(Aggregate::Count),
            "first" => Some(Aggregate::First),
            "last" => Some(Aggregate::Last),
            _ => {
                let message = "There are rows, sum, avg, min, max, count, first and last.";
                return Err(Wrong::new(at, "condition_function", message));
            }
        };
        let set = match self.take() {
            (Token::Word(set), _) => set,
            (_, at) => {
                let message = "Expected the name of a dataset.";
                return Err(Wrong::new(at, "condition_syntax", message));
            }
        };
        let kind = match aggregate {
            None => Expression::Rows(set),
            Some(aggregate) => {
                let column = self.column(&set)?;
                Expression::Of(aggregate, set, column)
            }
        };
        self.expect(")", "Expected ).")?;
        Ok(kind)
    }
}

fn two(sign: &str, at: usize, one: Node, other: Node) -> Node {
    let operator = match sign {
        "or" | "||" => Operator::Or,
        "and" | "&&" => Operator::And,
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        "!=" | "<>" => Operator::Unequal,
        "+" => Operator::Plus,
        "-" => Operator::Minus,
        "*" => Operator::Times,
        "/" => Operator::Over,
        _ => Operator::Equal,
    };
    Node {
        at,
        kind: Expression::Two(operator, Box::new(one), Box::new(other)),
    }
}
