//! What the owner of a report is told by mail about its schedule.
//!
//! Invariant: sent in the transaction that made it true, to whoever made the report.
//! Failure: none; an owner that cannot be reached still sees it on the report.

use serde_json::{Value, json};

/// It failed too often in a row. `{name}`, `{failures}` and `{error}` are filled in by the database.
pub fn paused() -> Value {
    json!({
        "subject": "Paused: {name}",
        "text": "The report “{name}” failed {failures} times in a row, so Pulse has paused it.\n\n\
                 The last error: {error}\n\n\
                 Mend the cause and resume the report; it then goes on with its next occurrence. \
                 Runs that failed can be run again one by one.\n",
    })
}

/// The clocks of its zone changed by law, so runs moved. Times are local.
pub fn moved(moves: &str, zone: &str) -> Value {
    json!({
        "subject": "Other times: {name}",
        "text": format!("The rules for the clocks of {zone} have changed, and with them when the \
                         report “{{name}}” runs.\n\n{moves}\n\nNothing needs to be done.\n"),
    })
}

/// Its zone is none any more.
pub fn stopped(zone: &str) -> Value {
    json!({
        "subject": "No longer runs: {name}",
        "text": format!("The time zone {zone} of the report “{{name}}” is no longer known, so it \
                         does not run any more. Give it another zone.\n"),
    })
}
