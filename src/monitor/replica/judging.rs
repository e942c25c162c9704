//! What the answer to a check means, and what of it is kept.
//!
//! Invariant: nothing is judged while the replica is too far behind; what was learned is learned from
//! results that are stored.
//! Failure: what cannot be judged has an outcome of its own.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::detector::{self, Point, Series};
use rules::monitor::check::{Check, Kind, Sensitivity, SeriesKind};
use rules::monitor::outcome::{Outcome, Skipped};
use rules::monitor::schema::{self, Snapshot};
use rules::monitor::shift::{self, Taken};
use rules::monitor::verdict::{self, Context, Learned, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asking::{Asked, Unasked};
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
    /// Results of the weeks before, oldest first; empty where nothing is learned.
    pub history: &'a [Point],
    /// Now.
    pub now: DateTime<Utc>,
}

impl Case<'_> {
    /// The check was asked and answered.
    pub fn answered(&self, asked: &Asked, took: TimeDelta) -> Ran {
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
        // A stretch of time is one point, however often it is counted.
        let at = asked.plan.bucket.map_or(self.period, |bucket| bucket.from);
        let value = verdict::value(self.check, measured, self.as_of);
        let learned = value.and_then(|value| self.learned(at, value));
        if let Some(said) = &learned {
            state.streak = said.streak.clone();
        }
        let context = Context {
            previous: self.previous,
            week_ago: self.week_ago(at),
            learned: learned
                .as_ref()
                .map_or_else(Vec::new, |said| self.says(said)),
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

    /// What the detector says, where something is learned.
    fn learned(&self, at: DateTime<Utc>, value: f64) -> Option<detector::Verdict> {
        let wanted = self.check.thresholds.sensitivities();
        let sensitivity = detected(*wanted.first()?);
        let (zone, holidays) = match &self.check.kind {
            Kind::Volume(volume) => (volume.timezone.clone(), Vec::new()),
            _ => (Zone::utc(), Vec::new()),
        };
        let series = Series {
            kind: match self.check.series()? {
                SeriesKind::Count => detector::Kind::Count,
                SeriesKind::Rate => detector::Kind::Rate,
                SeriesKind::Value => detector::Kind::Value,
            },
            every: TimeDelta::seconds(self.check.bucket().into()),
            zone: &zone,
            history: self.history,
            holidays: &holidays,
            sensitivity,
        };
        Some(detector::judge(&series, at, value, &self.state.streak))
    }

    fn says(&self, said: &detector::Verdict) -> Vec<(Sensitivity, Learned)> {
        let of = |sensitivity: Sensitivity| {
            let said = said.explanation.sensitivities.of(detected(sensitivity));
            let learned = match said.outcome {
                detector::Outcome::Learning { have, need } => Learned::Learning { have, need },
                detector::Outcome::Normal => Learned::Normal,
                detector::Outcome::Suspect => Learned::Suspect,
                detector::Outcome::Anomalous { direction } => Learned::Anomalous {
                    above: direction == detector::Direction::Up,
                },
            };
            (sensitivity, learned)
        };
        let wanted = self.check.thresholds.sensitivities();
        wanted.into_iter().map(of).collect()
    }

    fn week_ago(&self, at: DateTime<Utc>) -> Option<f64> {
        let then = at - TimeDelta::weeks(1);
        let near = self
            .history
            .iter()
            .map(|point| ((point.at - then).abs(), point));
        let nearest = near.min_by_key(|(apart, _)| *apart)?;
        (nearest.0 <= WEEK_AGO).then_some(nearest.1.value)
    }
}

fn detected(sensitivity: Sensitivity) -> detector::Sensitivity {
    match sensitivity {
        Sensitivity::Low => detector::Sensitivity::Low,
        Sensitivity::Medium => detector::Sensitivity::Medium,
        Sensitivity::High => detector::Sensitivity::High,
    }
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
