//! What the answer to a check means, and what of it is kept.
//!
//! Invariant: nothing is judged while the replica is too far behind; what was learned is learned from
//! results that are stored.
//! Failure: what cannot be judged has an outcome of its own.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use rules::detector::Point;
use rules::monitor::check::{Check, Kind};
use rules::monitor::learned::Learning;
use rules::monitor::outcome::{Outcome, Skipped};
use rules::monitor::schema::{self, Snapshot};
use rules::monitor::shift::{self, Taken};
use rules::monitor::verdict::{self, Context, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asking::{Asked, Unasked};
use super::memory::Past;
use super::plan::State;

/// How far from a week ago a value may be that stands for it.
const WEEK_AGO: TimeDelta = TimeDelta::minutes(90);

/// What a run of a check came to.
#[derive(Deserialize, Serialize)]
pub struct Ran {
    /// The check.
    pub check: Uuid,
    /// The period it ran for.
    pub period: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
    /// In words.
    pub text: String,
    /// As it is stored.
    pub result: Stored,
    /// For the next run.
    pub state: State,
    /// The columns of its table, when they were looked at.
    pub snapshot: Option<Snapshot>,
}

/// A result as Postgres takes it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Stored {
    /// The check.
    pub check_id: Uuid,
    /// The period that it is about.
    pub at: DateTime<Utc>,
    /// The revision of the check.
    pub revision: i32,
    /// `schedule` or `manual`.
    pub origin: Cow<'static, str>,
    /// `pass`, `warn`, …
    pub outcome: Cow<'static, str>,
    /// Why.
    pub reason: Option<String>,
    /// What was measured.
    pub value: Option<f64>,
    /// Not below this.
    pub low: Option<f64>,
    /// Not above this.
    pub high: Option<f64>,
    /// The state of the data that was looked at.
    pub as_of: Option<DateTime<Utc>>,
    /// Everything else there is to say.
    pub detail: Value,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// About how many buffers were read.
    pub buffers: Option<u64>,
    /// Whether it was judged anomalous.
    pub alerted: bool,
}

/// What is judged.
pub struct Case<'a> {
    /// Its id.
    pub id: Uuid,
    /// The check.
    pub check: &'a Check,
    /// The period.
    pub period: DateTime<Utc>,
    /// How it came to be run.
    pub origin: &'static str,
    /// The state of the data that was looked at.
    pub as_of: DateTime<Utc>,
    /// What the run before left.
    pub state: &'a State,
    /// What was measured before.
    pub previous: Option<f64>,
    /// Which revision of the check it is.
    pub revision: i32,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Case<'_> {
    /// The check was asked and answered.
    pub fn answered(&self, asked: &Asked, past: Past<'_>, took: TimeDelta) -> Ran {
        let Some(measured) = &asked.measured else {
            return self.unasked(&Outcome::Errored, "unreadable", "There is no answer.");
        };
        let mut state = self.state.clone();
        let shift = match &self.check.kind {
            Kind::Shift(_) => shift::take(self.state.histogram.as_ref(), measured),
            _ => None,
        };
        if let Some(Taken::Learned(histogram)) = &shift {
            state.histogram = Some(histogram.clone());
        }
        let at = self.at(asked);
        let value = verdict::value(self.check, measured, self.as_of);
        let learning = Learning::of(self.check);
        let learned = past.kept.zip(value);
        let learned = learned.map(|(kept, value)| kept.judge(at, value, &self.state.streak));
        if let Some(said) = &learned {
            state.streak = said.streak.clone();
        }
        let context = Context {
            previous: self.previous,
            week_ago: week_ago(past.points, at),
            learned: learned
                .as_ref()
                .zip(learning)
                .map_or_else(Vec::new, |(said, learning)| learning.says(said)),
            shift,
        };
        let judged = verdict::judge(self.check, measured, self.as_of, &context);
        let detail = json!({
            "text": judged.text, "measured": measured, "sql": asked.plan.statement.sql,
            "cost": asked.cost, "path": asked.plan.path, "bucket": asked.plan.bucket,
            "samples": asked.samples, "detector": learned.as_ref().map(|said| &said.explanation),
        });
        let mut ran = self.ran(&judged, detail, state);
        ran.result.at = at;
        ran.result.duration_ms = Some(took.num_milliseconds());
        ran.result.buffers = Some(asked.buffers);
        if let Some(said) = learned {
            ran.result.alerted = said.anomalous();
            ran.result.low = Some(said.expected.low);
            ran.result.high = Some(said.expected.high);
        }
        ran
    }

    /// When a value is of. A stretch of time is one point, however often it is counted.
    pub fn at(&self, asked: &Asked) -> DateTime<Utc> {
        asked.plan.bucket.map_or(self.period, |bucket| bucket.from)
    }

    /// The columns were looked at.
    pub fn columns(&self, before: Option<&Snapshot>, after: Snapshot) -> Ran {
        let changes = before.map_or_else(Vec::new, |before| schema::diff(before, &after));
        let judged = verdict::judge_schema(self.check, &changes);
        let detail = json!({"text": judged.text, "changes": changes});
        let mut ran = self.ran(&judged, detail, self.state.clone());
        ran.snapshot = Some(after);
        ran
    }

    /// It could not be asked, or the answer is none.
    pub fn failed(&self, unasked: &Unasked) -> Ran {
        self.unasked(&unasked.outcome, &unasked.code, &unasked.text)
    }

    /// It was not asked for this reason.
    pub fn skipped(&self, why: Skipped, text: &str) -> Ran {
        let code = serde_json::to_value(why).unwrap_or_default();
        let code = code.as_str().unwrap_or_default();
        self.unasked(&Outcome::skipped(why), code, text)
    }

    /// The replica is too far behind to tell.
    pub fn inconclusive(&self, judged: &Verdict) -> Ran {
        let detail = json!({"text": judged.text});
        self.ran(judged, detail, self.state.clone())
    }

    fn unasked(&self, outcome: &Outcome, code: &str, text: &str) -> Ran {
        let why = match outcome {
            Outcome::Skipped { why } => serde_json::to_value(why).unwrap_or_default(),
            _ => code.into(),
        };
        let result = Stored {
            check_id: self.id,
            at: self.period,
            revision: self.revision,
            origin: self.origin.into(),
            outcome: name(outcome).into(),
            reason: why.as_str().map(str::to_owned),
            as_of: Some(self.as_of),
            detail: json!({"text": text, "code": code}),
            ..Stored::default()
        };
        Ran {
            check: self.id,
            period: self.period,
            outcome: *outcome,
            text: text.to_owned(),
            result,
            state: self.seen(self.state.clone()),
            snapshot: None,
        }
    }

    fn ran(&self, judged: &Verdict, detail: Value, state: State) -> Ran {
        let reason = serde_json::to_value(judged.reason).unwrap_or_default();
        let result = Stored {
            check_id: self.id,
            at: self.period,
            revision: self.revision,
            origin: self.origin.into(),
            outcome: name(&judged.outcome).into(),
            reason: reason.as_str().map(str::to_owned),
            value: judged.value,
            as_of: Some(self.as_of),
            detail,
            ..Stored::default()
        };
        Ran {
            check: self.id,
            period: self.period,
            outcome: judged.outcome,
            text: judged.text.clone(),
            result,
            state: self.seen(state),
            snapshot: None,
        }
    }

    fn seen(&self, state: State) -> State {
        State {
            seen_at: Some(self.now),
            ..state
        }
    }
}

/// What was measured a week ago at this hour.
fn week_ago(points: &[Point], at: DateTime<Utc>) -> Option<f64> {
    let then = at - TimeDelta::weeks(1);
    let near = points.iter().map(|point| ((point.at - then).abs(), point));
    let nearest = near.min_by_key(|(apart, _)| *apart)?;
    (nearest.0 <= WEEK_AGO).then_some(nearest.1.value)
}

/// How an outcome is stored.
pub fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Warn => "warn",
        Outcome::Fail => "fail",
        Outcome::Learning { .. } => "learning",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Errored => "errored",
        Outcome::Misconfigured => "misconfigured",
    }
}
