//! `cargo xtask cases <kind> <file>`: a file of cases through the rules.
//!
//! Invariant: one line per case on stdout, `pass` or `FAIL` with the reason; the exit code is 0
//! only when every case passes.
//! Failure: an unknown kind shows the kinds and is exit code 2, as is a file of another form.

use crate::args::{Args, Usage};
use crate::say;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// The command.
pub fn run(mut args: Args) -> Result<ExitCode> {
    let kinds = rules::cases::KINDS.join(", ");
    let (Some(kind), Some(path)) = (args.word(), args.word()) else {
        return Err(Usage(format!("cases needs <kind> and <file>; kinds: {kinds}")).into());
    };
    args.done()?;
    if !rules::cases::KINDS.contains(&kind.as_str()) {
        return Err(Usage(format!("there is no kind {kind:?}; kinds: {kinds}")).into());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let results = rules::cases::run(&kind, &text).map_err(|invalid| {
        let why: Vec<_> = invalid
            .errors
            .into_iter()
            .map(|error| error.message)
            .collect();
        Usage(format!("{path}: {}", why.join("; ")))
    })?;
    let mut failed = 0;
    for result in &results {
        if result.passed {
            println!("pass {}", result.id);
        } else {
            failed += 1;
            println!("FAIL {}: {}", result.id, result.detail);
        }
    }
    say::note(format!(
        "{} passed, {failed} failed",
        results.len() - failed
    ));
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
