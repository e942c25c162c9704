//! The command line: words and `--options`, in any order.
//!
//! Invariant: what no command asked for is refused, so a misspelt option is never ignored.
//! Failure: a [`Usage`] error, which ends the process with exit code 2.

use anyhow::Result;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// A command line that cannot be carried out as written.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (see `cargo xtask help`)", self.0)
    }
}

impl std::error::Error for Usage {}

/// What is left of the command line.
#[derive(Debug, Default)]
pub struct Args(VecDeque<String>);

impl Args {
    /// The arguments of this process.
    pub fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first word that is not an option.
    pub fn word(&mut self) -> Option<String> {
        let at = self.0.iter().position(|arg| !arg.starts_with("--"))?;
        self.0.remove(at)
    }

    /// Takes `--name`; was it there?
    pub fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|arg| arg == name);
        at.is_some_and(|at| self.0.remove(at).is_some())
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        if let Some(at) = self.0.iter().position(|arg| arg.starts_with(&prefix)) {
            return Ok(self.0.remove(at).map(|arg| arg.replacen(&prefix, "", 1)));
        }
        let Some(at) = self.0.iter().position(|arg| arg == name) else {
            return Ok(None);
        };
        self.0.remove(at);
        match self.0.remove(at) {
            Some(value) => Ok(Some(value)),
            None => Err(Usage(format!("{name} needs a value")).into()),
        }
    }

    /// Takes `--name VALUE` as a number or another type.
    pub fn parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.option(name)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(_) => Err(Usage(format!("{name} cannot be {value:?}")).into()),
        }
    }

    /// Takes everything after `--`.
    pub fn rest(&mut self) -> Vec<String> {
        match self.0.iter().position(|arg| arg == "--") {
            Some(at) => self.0.split_off(at).into_iter().skip(1).collect(),
            None => Vec::new(),
        }
    }

    /// Refuses what is left.
    pub fn done(self) -> Result<()> {
        match self.0.front() {
            None => Ok(()),
            Some(arg) => Err(Usage(format!("what is {arg:?}?")).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_come_in_any_order_and_both_forms() {
        let mut args = args("dev --port=9000 --release --only host word");
        assert_eq!(args.word().as_deref(), Some("dev"));
        assert_eq!(args.parsed::<u16>("--port").unwrap(), Some(9000));
        assert_eq!(args.option("--only").unwrap().as_deref(), Some("host"));
        assert!(args.flag("--release"));
        assert!(!args.flag("--release"));
        assert_eq!(args.word().as_deref(), Some("word"));
        args.done().unwrap();
    }

    #[test]
    fn what_nobody_asked_for_is_a_usage_error() {
        let error = args("--prot 1").done().unwrap_err();
        assert!(error.downcast_ref::<Usage>().is_some());
        assert!(args("--port x").parsed::<u16>("--port").is_err());
        assert!(args("--port").option("--port").is_err());
    }

    #[test]
    fn the_rest_starts_after_two_dashes() {
        let mut args = args("guard --grace 5 -- postgres -D data");
        assert_eq!(args.rest(), ["postgres", "-D", "data"]);
        assert_eq!(args.option("--grace").unwrap().as_deref(), Some("5"));
    }
}
