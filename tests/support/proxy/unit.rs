//! One unit of work of a client, from its first message to its Sync, judged message by message.
//!
//! Invariant: a unit that passes uses only the unnamed statement and portal, executes one statement
//! and leaves nothing behind on the connection it borrowed.
//! Failure: the first rule broken is named with its statement; a message that cannot be decoded is
//! an `io::Error` and ends the client's connection.

use super::sql;
use super::wire::{Frame, int16, int32, text};
use std::io;

/// Object ids from here on belong to types that users defined.
const FIRST_USER_OID: i32 = 16_384;
/// The longest request id kept, in bytes.
const LONGEST_REQUEST: usize = 200;

/// A rule that was broken and the statement that broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule's stable name.
    pub rule: &'static str,
    /// The statement's text, empty when none is known.
    pub statement: String,
}

/// What a client connection has spoken so far, and its current unit of work.
#[derive(Debug, Default)]
pub struct Conversation {
    simple: bool,
    extended: bool,
    unit: Unit,
}

/// The current unit of work.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// The last statement text parsed or queried.
    pub statement: String,
    /// How many statements are executed.
    pub statements: u64,
    /// The request id that `app.call` was given.
    pub request: Option<String>,
    parsed: bool,
}

impl Conversation {
    /// Starts a new unit of work.
    pub fn begin(&mut self) {
        self.unit = Unit::default();
    }

    /// The current unit of work.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Judges the client's next message.
    pub fn judge(&mut self, frame: &Frame) -> io::Result<Option<Broken>> {
        let rule = match frame.tag {
            b'Q' => self.query(frame.body())?,
            b'F' => Some("function_call"),
            b'd' | b'c' | b'f' => Some("copy"),
            _ => {
                self.extended = true;
                if self.simple {
                    Some("mixed_protocols")
                } else {
                    self.extended(frame)?
                }
            }
        };
        Ok(rule.map(|rule| Broken {
            rule,
            statement: self.unit.statement.clone(),
        }))
    }

    fn query(&mut self, mut body: &[u8]) -> io::Result<Option<&'static str>> {
        self.unit.statement = text(&mut body)?;
        self.unit.statements += 1;
        let mixed = self.extended;
        self.simple = true;
        if mixed {
            return Ok(Some("mixed_protocols"));
        }
        if self.unit.statement.trim().is_empty() {
            return Ok(None);
        }
        Ok(sql::broken(&self.unit.statement).or(Some("simple_query")))
    }

    fn extended(&mut self, frame: &Frame) -> io::Result<Option<&'static str>> {
        let mut body = frame.body();
        match frame.tag {
            b'P' => self.parse(body),
            b'B' => self.bind(body),
            b'D' | b'C' => {
                let kind = body.first().copied().unwrap_or(b'S');
                body = body.get(1..).unwrap_or_default();
                Ok(named(&text(&mut body)?, kind == b'S'))
            }
            b'E' => {
                self.unit.statements += 1;
                let portal = named(&text(&mut body)?, false);
                Ok(portal.or((self.unit.statements > 1).then_some("several_statements")))
            }
            _ => Ok(None),
        }
    }

    fn parse(&mut self, mut body: &[u8]) -> io::Result<Option<&'static str>> {
        let name = text(&mut body)?;
        self.unit.statement = text(&mut body)?;
        self.unit.parsed = true;
        let mut foreign = false;
        for _ in 0..int16(&mut body)? {
            let oid = int32(&mut body)?;
            foreign |= !(0..FIRST_USER_OID).contains(&oid);
        }
        Ok(named(&name, true)
            .or(foreign.then_some("user_type"))
            .or_else(|| sql::broken(&self.unit.statement)))
    }

    fn bind(&mut self, mut body: &[u8]) -> io::Result<Option<&'static str>> {
        let portal = text(&mut body)?;
        let name = text(&mut body)?;
        for _ in 0..int16(&mut body)? {
            int16(&mut body)?;
        }
        let mut parameters = Vec::new();
        for _ in 0..int16(&mut body)? {
            parameters.push(parameter(&mut body)?);
        }
        let mut inner = None;
        if self.unit.statement.contains("app.call(") {
            let request = parameters
                .last()
                .copied()
                .flatten()
                .and_then(|text| str::from_utf8(text).ok());
            self.unit.request = request
                .filter(|id| id.len() <= LONGEST_REQUEST)
                .map(str::to_owned);
            if let Some(carried) = parameters.get(2).copied().flatten() {
                let carried = String::from_utf8_lossy(carried);
                inner = sql::broken(&carried);
                if inner.is_some() {
                    self.unit.statement = carried.into_owned();
                }
            }
        }
        let stale = (!self.unit.parsed).then_some("statement_outlives_unit");
        Ok(named(&portal, false)
            .or(named(&name, true))
            .or(stale)
            .or(inner))
    }
}

/// One bound value; `None` is null.
fn parameter<'a>(body: &mut &'a [u8]) -> io::Result<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(int32(body)?) else {
        return Ok(None);
    };
    let (value, rest) = body
        .split_at_checked(length)
        .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
    *body = rest;
    Ok(Some(value))
}

fn named(name: &str, statement: bool) -> Option<&'static str> {
    let rule = if statement {
        "named_statement"
    } else {
        "named_portal"
    };
    (!name.is_empty()).then_some(rule)
}

/// What Postgres answers to one unit of work, judged message by message.
#[derive(Debug, Default)]
pub struct Answer {
    rows: u64,
}

impl Answer {
    /// The rule that the next message of the answer breaks, if any.
    pub fn judge(&mut self, frame: &Frame) -> io::Result<Option<&'static str>> {
        match frame.tag {
            b'D' => {
                self.rows += 1;
                Ok((self.rows == 2).then_some("several_rows"))
            }
            b'G' | b'H' | b'W' => Ok(Some("copy")),
            b'T' => described(frame.body()),
            b'Z' => Ok((frame.body() != b"I").then_some("explicit_transaction")),
            _ => Ok(None),
        }
    }
}

/// Does a RowDescription name a type that a user defined?
fn described(mut body: &[u8]) -> io::Result<Option<&'static str>> {
    let mut foreign = false;
    for _ in 0..int16(&mut body)? {
        text(&mut body)?;
        int32(&mut body)?;
        int16(&mut body)?;
        foreign |= !(0..FIRST_USER_OID).contains(&int32(&mut body)?);
        int16(&mut body)?;
        int32(&mut body)?;
        int16(&mut body)?;
    }
    Ok(foreign.then_some("user_type"))
}
