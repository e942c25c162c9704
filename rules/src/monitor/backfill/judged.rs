//! What the values of the past would have been called, had they been measured then.
//!
//! Invariant: a value is judged by those before it alone, as a run would have done, so that an outage
//! of last week is not learnt from; the same values give the same judgements. Limits that are not
//! learned are not asked: they were not there then.
//! Failure: a check that learns nothing judges nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::detector::{self, Point};
use crate::monitor::check::{Check, Sensitivity, Threshold};
use crate::monitor::learned::Learning;
use crate::monitor::verdict::Learned;
use crate::time;

/// What a value of the past would have been called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Which.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// `pass`, `warn`, `fail` or `learning`.
    pub outcome: &'static str,
    /// Not below this was expected.
    pub low: f64,
    /// Not above this.
    pub high: f64,
    /// Whether it was anomalous.
    pub alerted: bool,
}

/// Judges all values of a check, oldest first, each by those before it.
pub fn judge(check: &Check, history: &[Point]) -> Vec<Judged> {
    let Some(learning) = Learning::of(check) else {
        return Vec::new();
    };
    let mut judged = Vec::with_capacity(history.len());
    detector::replay(&learning.series(history), |point, verdict| {
        let says = learning.says(verdict);
        judged.push(Judged {
            at: point.at,
            outcome: outcome(check, &says),
            low: verdict.expected.low,
            high: verdict.expected.high,
            alerted: verdict.anomalous(),
        });
    });
    judged
}

fn outcome(check: &Check, says: &[(Sensitivity, Learned)]) -> &'static str {
    let said = |threshold: Option<Threshold>| {
        let wanted = threshold?.sensitivity()?;
        let found = says.iter().find(|(known, _)| *known == wanted);
        found.map(|(_, learned)| *learned)
    };
    let strange = |said: Option<Learned>| matches!(said, Some(Learned::Anomalous { .. }));
    let (warn, fail) = (said(check.thresholds.warn), said(check.thresholds.fail));
    let learns = |said: Option<Learned>| matches!(said, Some(Learned::Learning { .. }));
    match (strange(warn), strange(fail)) {
        (_, true) => "fail",
        (true, _) => "warn",
        _ if learns(warn) || learns(fail) => "learning",
        _ => "pass",
    }
}
