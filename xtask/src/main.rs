//! `cargo xtask`: every command of the project, from the first run to the deploy check.
//!
//! Invariant: a command needs no step before it; what is missing it fetches, and says so.
//! Failure: one message that names the cause and the way out, exit code 1; a wrong command line is
//! exit code 2.

mod args;
mod bench;
mod command;
mod demo;
mod deploy;
mod local;
mod project;
mod run;
mod say;
mod soak;
mod suite;
mod tools;

use args::{Args, Usage};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = Args::from_env();
    let name = args.word().unwrap_or_else(|| "help".to_owned());
    // The guard outlives everything else, so it starts none of it.
    if name == local::guard::COMMAND {
        return local::guard::main(args);
    }
    match command::run(&name, args) {
        Ok(code) => code,
        Err(error) => {
            say::failure(&error);
            match error.downcast_ref::<Usage>() {
                Some(_) => ExitCode::from(2),
                None => ExitCode::FAILURE,
            }
        }
    }
}
