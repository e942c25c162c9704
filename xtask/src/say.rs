//! What the commands print: what is being done, and how long it took.
//!
//! Invariant: progress goes to stderr, results to stdout, so results can be piped.
//! Failure: a step that is dropped without `done` prints that it failed.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Seconds with one decimal, or minutes where that is easier to read.
pub fn time(duration: Duration) -> String {
    match duration.as_secs() {
        0..90 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A line about something worth knowing.
pub fn note(text: impl Display) {
    eprintln!("  {text}");
}

/// A line about something that is missing or odd, said loudly.
pub fn warn(text: impl Display) {
    eprintln!("{} {text}", paint("33;1", "  !"));
}

/// The error that ends a command, with its causes.
pub fn failure(error: &anyhow::Error) {
    eprintln!("{} {error:#}", paint("31;1", "error:"));
}

/// Colours text on a terminal.
pub fn paint(code: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Something under way.
#[derive(Debug)]
pub struct Step {
    what: String,
    started: Instant,
    open: bool,
}

impl Step {
    /// Says that `what` begins.
    pub fn begin(what: impl Display) -> Self {
        eprintln!("{} {what} …", paint("36", "  ·"));
        Self {
            what: what.to_string(),
            started: Instant::now(),
            open: true,
        }
    }

    /// Says that it is still under way, with what it is at.
    pub fn beat(&self, at: &str) {
        let at: String = at.trim().chars().take(80).collect();
        eprintln!("    {}: {at}", time(self.started.elapsed()));
    }

    /// Says that it is done, and how long it took.
    pub fn done(mut self, result: impl Display) -> Duration {
        self.open = false;
        let took = self.started.elapsed();
        let result = result.to_string();
        let sep = if result.is_empty() { "" } else { ": " };
        let what = &self.what;
        eprintln!(
            "{} {what}{sep}{result} ({})",
            paint("32", "  ✓"),
            time(took)
        );
        took
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.open {
            let took = time(self.started.elapsed());
            eprintln!("{} {} ({took})", paint("31;1", "  ✗"), self.what);
            let _ = std::io::stderr().flush();
        }
    }
}
