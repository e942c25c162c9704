//! Case files of kind `cron`: expressions with their runs, and what must be refused.
//!
//! Invariant: a case is `next` (the runs after an instant, in order), `invalid` (an expression, or
//! its zone) or `timezone_invalid` (a zone). Zones that `meta.timezone_invalid` lists are cases too.
//! Failure: a file of another form is refused as a whole.
//!
//! ```json
//! {"meta": {"timezone_invalid": ["Nowhere/Bad"]}, "cases": [
//!   {"id": "daily", "kind": "next", "expr": "0 9 * * *", "tz": "UTC", "from": "2024-06-03T09:00:00Z",
//!    "n": 1, "expect": ["2024-06-04T09:00:00Z"]},
//!   {"id": "minute", "kind": "invalid", "expr": "60 * * * *", "tz": "UTC"},
//!   {"id": "zone", "kind": "timezone_invalid", "tz": "+02:00"}]}
//! ```
//! `n` is how many runs to compare; as many as are expected when it is missing. Other fields
//! (`category`, `source`, `note`, `why`) are for people.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Cron;
use crate::cases::{CaseResult, differs};
use crate::civil::Zone;
use crate::invalid::Invalid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    meta: Meta,
    cases: Vec<Case>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    timezone_invalid: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    #[serde(flatten)]
    claim: Claim,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Claim {
    Next {
        expr: String,
        tz: String,
        from: DateTime<Utc>,
        n: Option<usize>,
        expect: Vec<DateTime<Utc>>,
    },
    Invalid {
        expr: String,
        tz: Option<String>,
    },
    TimezoneInvalid {
        tz: String,
    },
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    let file: File = serde_json::from_str(json)
        .map_err(|error| Invalid::one("", "malformed_cases", error.to_string()))?;
    let zones = (1..)
        .zip(file.meta.timezone_invalid)
        .map(|(place, tz)| Case {
            id: format!("timezone-invalid-{place}"),
            claim: Claim::TimezoneInvalid { tz },
        });
    Ok(file.cases.into_iter().chain(zones).map(result).collect())
}

fn result(case: Case) -> CaseResult {
    let detail = wrong(case.claim).unwrap_or_default();
    CaseResult {
        id: case.id,
        passed: detail.is_empty(),
        detail,
    }
}

/// What was not as expected.
fn wrong(claim: Claim) -> Option<String> {
    match claim {
        Claim::Next {
            expr,
            tz,
            from,
            n,
            expect,
        } => {
            let parsed = Cron::parse(&expr).and_then(|cron| Ok((cron, Zone::parse(&tz)?)));
            let (cron, zone) = match parsed {
                Ok(parsed) => parsed,
                Err(invalid) => return Some(message(&invalid)),
            };
            let mut runs = Vec::new();
            let mut after = from;
            while runs.len() < n.unwrap_or(expect.len()) {
                let Some(run) = cron.next(&zone, after) else {
                    break;
                };
                after = run.at;
                runs.push(run.at);
            }
            differs(expect, runs)
        }
        Claim::Invalid { expr, tz } => {
            let zone = tz.as_deref().map(Zone::parse).transpose();
            let taken = Cron::parse(&expr).is_ok() && zone.is_ok();
            taken.then(|| format!("{expr:?} was taken"))
        }
        Claim::TimezoneInvalid { tz } => Zone::parse(&tz)
            .is_ok()
            .then(|| format!("{tz:?} was taken")),
    }
}

fn message(invalid: &Invalid) -> String {
    let messages: Vec<_> = invalid
        .errors
        .iter()
        .map(|error| error.message.as_str())
        .collect();
    messages.join(" ")
}
