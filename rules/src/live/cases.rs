//! Case files of kind `recovery`: where a reader was, where its channel is, and what it gets.
//!
//! Invariant: the answer is a number, the offset after which everything is sent, or `lost`.
//! Failure: a file of another form is refused as a whole.
//!
//! ```json
//! {"cases": [{"id": "three-missed", "channel": "counted", "asked": {"epoch": "k", "offset": 41},
//!   "current": {"epoch": "k", "offset": 44}, "oldest_kept": 1, "expect": 41}]}
//! ```

use serde::Deserialize;

use super::log::{Kind, Position, Recovery, recover};
use crate::cases::{CaseResult, differs, each};
use crate::invalid::Invalid;

#[derive(Deserialize)]
struct Case {
    channel: Kind,
    asked: Position,
    current: Position,
    oldest_kept: u64,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expect {
    After(u64),
    Word(String),
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    each(json, |case: &Case| {
        let expected = match &case.expect {
            Expect::After(after) => after.to_string(),
            Expect::Word(word) => word.clone(),
        };
        let found = match recover(case.channel, &case.asked, &case.current, case.oldest_kept) {
            Recovery::All { after } => after.to_string(),
            Recovery::Lost => "lost".to_owned(),
        };
        differs(expected, found)
    })
}
