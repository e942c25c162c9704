//! From text to tree.
//!
//! Invariant: the tree is of one query, and nothing follows it but a semicolon. Length and number
//! of words are bounded before anything is read, and so is the depth while it is.
//! Failure: `sql_empty`, `sql_too_long`, `sql_too_complex`, `sql_not_a_query`, `sql_syntax`.

use sqlparser::ast::{Expr, Query};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{MAX_TEXT, MAX_TOKENS, Refusal};

/// How deep parentheses and `CASE` may be nested, and how deep the parser may call itself, which is
/// twice as deep for subqueries. A level costs it up to 45 KB of a stack of a megabyte.
const NESTING: usize = 20;

/// The query that a text is.
pub fn query(text: &str) -> Result<Query, Refusal> {
    let tokens = tokens(text)?;
    let first = words(&tokens).next();
    if let Some(first) = first.filter(|first| !begins(&first.token)) {
        return Err(not_a_query().at_location(first.span.start));
    }
    let dialect = PostgreSqlDialect {};
    let mut parser = parser(&dialect, tokens);
    let query = parser.parse_query().map_err(of_parser)?;
    let mut ended = false;
    while parser.consume_token(&Token::SemiColon) {
        ended = true;
    }
    match ended && parser.peek_token_ref().token != Token::EOF {
        true => Err(not_a_query().at_location(parser.peek_token_ref().span.start)),
        false => end(&parser).map(|()| *query),
    }
}

/// The expression that a text is.
pub fn expression(text: &str) -> Result<Expr, Refusal> {
    let dialect = PostgreSqlDialect {};
    let mut parser = parser(&dialect, tokens(text)?);
    let expr = parser.parse_expr().map_err(of_parser)?;
    end(&parser).map(|()| expr)
}

/// The words and signs of a text, of which there is at least one.
fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, Refusal> {
    if text.len() > MAX_TEXT {
        let message = format!("A query has at most {MAX_TEXT} bytes.");
        return Err(Refusal::of("sql_too_long", message));
    }
    if text.contains('\0') {
        return Err(Refusal::of("sql_syntax", "U+0000 is no part of SQL."));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| syntax(&error.message).at_location(error.location))?;
    let count = words(&tokens).count();
    if count > MAX_TOKENS {
        let message = format!("A query has at most {MAX_TOKENS} words and signs.");
        return Err(Refusal::of("sql_too_complex", message));
    }
    shallow(words(&tokens))?;
    match count {
        0 => Err(Refusal::of("sql_empty", "The query is empty.")),
        _ => Ok(tokens),
    }
}

fn words(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &TokenWithSpan> {
    tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
}

fn parser<'d>(dialect: &'d PostgreSqlDialect, tokens: Vec<TokenWithSpan>) -> Parser<'d> {
    Parser::new(dialect)
        .with_recursion_limit(NESTING)
        .with_tokens_with_locations(tokens)
}

/// Nothing is left to be read.
fn end(parser: &Parser<'_>) -> Result<(), Refusal> {
    let next: &TokenWithSpan = parser.peek_token_ref();
    if next.token == Token::EOF {
        return Ok(());
    }
    let found: String = next.token.to_string().chars().take(60).collect();
    Err(syntax(&format!("{found} is not expected here")).at_location(next.span.start))
}

/// Refuses what is nested too deep to be read: the parser does not count all of it.
fn shallow<'t>(words: impl Iterator<Item = &'t TokenWithSpan>) -> Result<(), Refusal> {
    let (mut depth, mut nots) = (0_usize, 0_usize);
    for TokenWithSpan { token, span } in words {
        let keyword = match token {
            Token::Word(word) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        nots = if keyword == Keyword::NOT { nots + 1 } else { 0 };
        match (token, keyword) {
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Keyword::CASE) => depth += 1,
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Keyword::END) => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if depth > NESTING || nots > 2 {
            return Err(too_deep().at_location(span.start));
        }
    }
    Ok(())
}

fn too_deep() -> Refusal {
    let message =
        format!("Parentheses and CASE may be nested {NESTING} deep, subqueries half as deep.");
    Refusal::of("sql_too_complex", message)
}

/// Whether a query may begin so.
fn begins(token: &Token) -> bool {
    match token {
        Token::LParen => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES
        ),
        _ => false,
    }
}

fn not_a_query() -> Refusal {
    Refusal::of(
        "sql_not_a_query",
        "Exactly one SELECT statement is allowed, and nothing after it.",
    )
}

fn syntax(message: &str) -> Refusal {
    Refusal::of(
        "sql_syntax",
        format!("This cannot be read as SQL: {message}."),
    )
}

fn of_parser(error: ParserError) -> Refusal {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
            let (message, place) = placed(&message);
            syntax(message).at_location(place)
        }
    }
}

/// Takes apart `… at Line: 1, Column: 8`.
fn placed(message: &str) -> (&str, Location) {
    let place = message.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((
            text,
            Location::new(line.parse().ok()?, column.trim().parse().ok()?),
        ))
    });
    place.unwrap_or((message, Location::new(0, 0)))
}
