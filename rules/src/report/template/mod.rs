//! Templates: the text of a report with places for what the run found, in the language of Jinja.
//!
//! `{{ orders.total|number }}`, `{% for day in orders %}…{% endfor %}`, `{% if rows(orders) > 0 %}`.
//!
//! Invariant: bounded in size, in steps and in output; a variable that does not exist is an error,
//! never an empty place. What data fills in is text, whatever it holds: it makes no Markdown.
//! Failure: a [`Flaw`] with the line and the column.

mod filters;
mod rows;

use std::collections::BTreeSet;
use std::io;

use chrono::{DateTime, Utc};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use super::moment::Moment;
use super::{Dataset, Flaw, markdown};
use crate::civil::Zone;

/// Most bytes of a template.
pub const MAX_BYTES: usize = 64 * 1024;
/// Steps that a template may take, about one for each expression and 64 bytes it makes.
const FUEL: u64 = 400_000;
/// Names that every template may use, beside those of the datasets.
pub const NAMES: [&str; 5] = ["title", "date", "time", "zone", "scheduled_for"];

/// A template that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    names: BTreeSet<String>,
}

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// The report's name: `{{ title }}`.
    pub title: &'a str,
    /// The zone in which its times are shown: `{{ zone }}`.
    pub zone: &'a Zone,
    /// The occurrence it is for: `{{ date }}`, `{{ time }}`, `{{ scheduled_for }}`.
    pub scheduled_for: DateTime<Utc>,
    /// The datasets, by their name.
    pub data: &'a [Dataset],
    /// Text that is Markdown already, by the name of its place.
    pub parts: &'a [(String, String)],
}

/// Reads a template.
pub fn parse(text: &str) -> Result<Template, Flaw> {
    if text.len() > MAX_BYTES {
        let message = format!("A template has at most {MAX_BYTES} bytes.");
        return Err(Flaw::at(text, MAX_BYTES, "template_too_long", message));
    }
    let environment = environment(&Zone::utc());
    let template = environment
        .template_from_str(text)
        .map_err(|error| flaw(text, &error))?;
    let names = template.undeclared_variables(false);
    let known = |name: &String| !filters::FUNCTIONS.contains(&name.as_str());
    Ok(Template {
        names: names.into_iter().filter(known).collect(),
        text: text.to_owned(),
    })
}

/// Fills a template.
pub fn render(template: &Template, variables: &Variables<'_>) -> Result<String, Flaw> {
    let text = &template.text;
    let environment = environment(variables.zone);
    let template = environment
        .template_from_str(text)
        .map_err(|error| flaw(text, &error))?;
    let mut out = Bounded(Vec::new());
    match template.render_captured_to(context(variables), &mut out) {
        Ok(_) => Ok(String::from_utf8(out.0).unwrap_or_default()),
        Err(error) => Err(flaw(text, &error)),
    }
}

impl Template {
    /// The names it takes values from, but for those in [`NAMES`]: datasets.
    pub fn datasets(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !NAMES.contains(name))
    }

    /// Refuses a template that names what is not there.
    pub fn expect(&self, known: &[&str]) -> Result<(), Flaw> {
        let Some(name) = self.datasets().find(|name| !known.contains(name)) else {
            return Ok(());
        };
        let there = [known, &NAMES].concat().join(", ");
        let message = format!("There is no {name}; there is {there}.");
        Err(Flaw::at(
            &self.text,
            place(&self.text, name),
            "unknown_variable",
            message,
        ))
    }
}

fn environment(zone: &Zone) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(filters::write);
    filters::add(&mut environment, zone);
    environment
}

fn context(variables: &Variables<'_>) -> Value {
    let at = Moment::at(variables.scheduled_for, variables.zone);
    let day = Moment { clock: None, ..at };
    let clock = Moment { day: None, ..at };
    let instant = crate::time::render(variables.scheduled_for);
    let mut all = vec![
        ("title".to_owned(), Value::from(variables.title)),
        ("date".to_owned(), Value::from(day.long())),
        ("time".to_owned(), Value::from(clock.long())),
        ("zone".to_owned(), Value::from(variables.zone.name())),
        ("scheduled_for".to_owned(), Value::from(instant)),
    ];
    for set in variables.data {
        all.push((set.name.clone(), rows::value(set)));
    }
    for (name, part) in variables.parts {
        all.push((name.clone(), Value::from_safe_string(part.clone())));
    }
    Value::from_pairs(all)
}

/// What the engine found wrong, in our words.
fn flaw(text: &str, error: &minijinja::Error) -> Flaw {
    let code = match error.kind() {
        ErrorKind::UndefinedError => "unknown_variable",
        ErrorKind::UnknownFilter => "unknown_filter",
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => "unknown_function",
        ErrorKind::UnknownTest => "unknown_test",
        ErrorKind::MissingArgument | ErrorKind::TooManyArguments => "template_arguments",
        ErrorKind::OutOfFuel => "template_too_slow",
        ErrorKind::WriteFailure => "template_output_too_long",
        ErrorKind::SyntaxError | ErrorKind::BadEscape => "template_syntax",
        _ => "template_value",
    };
    let detail = match error.kind() {
        ErrorKind::OutOfFuel => "The template takes too many steps.".to_owned(),
        ErrorKind::WriteFailure => {
            format!(
                "The report would be longer than {} bytes.",
                markdown::MAX_BYTES
            )
        }
        ErrorKind::UndefinedError => {
            let named = error
                .range()
                .and_then(|range| text.get(range))
                .map(|name| name.trim_matches(|c| matches!(c, '{' | '}' | ' ')))
                .filter(|name| !name.is_empty());
            match named {
                Some(name) => format!("There is no {name}."),
                None => "There is nothing of this name.".to_owned(),
            }
        }
        kind => sentence(error.detail().unwrap_or(&kind.to_string())),
    };
    match (error.range(), error.line()) {
        (Some(range), _) => Flaw::at(text, range.start, code, detail),
        (None, line) => Flaw {
            line: line.unwrap_or(1),
            column: 1,
            code: code.to_owned(),
            message: detail,
        },
    }
}

/// Where a name first stands as a word of its own.
fn place(text: &str, name: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: &usize| {
        let before = text
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        let behind = text
            .get(at + name.len()..)
            .and_then(|behind| behind.chars().next());
        !before.is_some_and(word) && !behind.is_some_and(word)
    };
    let tag = text
        .find("{{")
        .into_iter()
        .chain(text.find("{%"))
        .min()
        .unwrap_or(0);
    let found = text.match_indices(name).map(|(at, _)| at);
    found.filter(|at| *at >= tag).find(alone).unwrap_or(0)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{stop}", first.unwrap_or_default(), letters.as_str())
}

/// Where a template writes to.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > markdown::MAX_BYTES {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
