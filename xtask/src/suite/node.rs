//! Tests of the Worker's JavaScript side that need no runtime: `tests/node`, by Node's own runner.
//!
//! Invariant: what runs is the shipped file itself.
//! Failure: a run without a count is one failure.

use super::{Tally, cargo};
use crate::project::Project;
use anyhow::Result;
use std::process::Command;

/// Runs the tests.
pub fn run(project: &Project) -> Result<Tally> {
    let mut node = Command::new(project.node());
    node.current_dir(&project.root).args([
        "--test",
        "--test-reporter=tap",
        "tests/node/*.test.mjs",
    ]);
    let tally = cargo::counted(&mut node, count)?;
    Ok(match tally.passed + tally.failed {
        0 => Tally::one(false),
        _ => tally,
    })
}

/// `# pass 4`, `# fail 0`
fn count(line: &str) -> Option<(usize, usize)> {
    let number = |word| line.strip_prefix(word)?.parse().ok();
    match (number("# pass "), number("# fail ")) {
        (Some(passed), _) => Some((passed, 0)),
        (_, Some(failed)) => Some((0, failed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_summary_is_counted() {
        assert_eq!(count("# pass 4"), Some((4, 0)));
        assert_eq!(count("# fail 1"), Some((0, 1)));
        assert_eq!(count("ok 1 - a test"), None);
    }
}
