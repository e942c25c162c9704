//! What measured numbers mean: the outcome of a run, with the reason.
//!
//! Invariant: over the limit of the lag nothing is judged. A limit that is reached is kept: one second
//! more breaches it. A table without rows is *empty*, not stale; a stretch without rows is *zero*;
//! rows that are too old are *stale*: three reasons, never taken for one another. What cannot be
//! told is an error, not a pass.
//! Failure: none; what is missing has an outcome of its own.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::check::{
    Check, Difference, Empty, Kind, Measure, Reference, Sensitivity, Threshold, ThresholdKind,
    Weight,
};
use super::lag;
use super::outcome::Outcome;
use super::schema::{self, Change};
use super::shift::Taken;
use super::sql::Measured;
use crate::civil::Zone;
use crate::cron::Cron;

/// What a detector says of a value, for one sensitivity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "learned", rename_all = "snake_case")]
pub enum Learned {
    /// There is not enough history.
    Learning {
        /// How much there is.
        have: u32,
        /// How much is needed.
        need: u32,
    },
    /// It is what it usually is.
    Normal,
    /// It is strange, for the first time: the next one tells.
    Suspect,
    /// It is strange.
    Anomalous {
        /// It is too high; else too low.
        above: bool,
    },
}

/// What a judgement goes by besides the number.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// What the value was before, for relative thresholds.
    pub previous: Option<f64>,
    /// What it was a week ago at this hour.
    pub week_ago: Option<f64>,
    /// What a detector says, for each of [`Thresholds::sensitivities`].
    ///
    /// [`Thresholds::sensitivities`]: super::check::Thresholds::sensitivities
    pub learned: Vec<(Sensitivity, Learned)>,
    /// What a measurement of shift came to.
    pub shift: Option<Taken>,
}

/// Why an outcome is what it is. Stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = VerdictReason))]
pub enum Reason {
    /// All limits are kept.
    Within,
    /// The value is below a limit.
    Below,
    /// The value is above a limit.
    Above,
    /// The newest row is too old, or an expected one is late.
    Stale,
    /// There are no rows at all.
    Empty,
    /// There are no rows in a stretch where there should be.
    Zero,
    /// It is strange, going by its history.
    Anomalous,
    /// It is strange for the first time.
    Suspect,
    /// There is not enough history.
    Learning,
    /// There is nothing to compare it with yet.
    NoReference,
    /// The replica is too far behind.
    Lag,
    /// Columns changed.
    Changed,
    /// There is no number.
    NoValue,
}

/// The outcome of a run and what it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunVerdict))]
pub struct Verdict {
    /// It.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The number that was judged.
    pub value: Option<f64>,
    /// One or two sentences for a person.
    pub text: String,
}

impl Verdict {
    fn of(outcome: Outcome, reason: Reason, value: Option<f64>, text: impl Into<String>) -> Self {
        Self {
            outcome,
            reason,
            value,
            text: text.into(),
        }
    }

    /// Nothing is judged: the replica is too far behind, or nobody can tell how far.
    pub fn inconclusive(standing: lag::Standing) -> Option<Self> {
        let text = match standing {
            lag::Standing::Within => return None,
            lag::Standing::Over => "The replica is further behind than the limit.",
            lag::Standing::Blind => {
                "How far the replica is behind cannot be told: the role lacks pg_read_all_stats."
            }
        };
        Some(Self::of(Outcome::Inconclusive, Reason::Lag, None, text))
    }
}

/// The number that a measurement is judged by, and kept as history; none where there is none. A
/// freshness is in seconds, not below zero.
pub fn value(check: &Check, measured: &Measured, as_of: DateTime<Utc>) -> Option<f64> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    match (measured, &check.kind) {
        (Measured::Newest { at, .. }, Kind::Freshness(freshness)) => {
            let age = match &freshness.expected {
                None => as_of - (*at)?,
                Some(expected) => {
                    let days = [expected.holidays.as_slice(), &check.holidays].concat();
                    lateness(&expected.cron, &days, &freshness.timezone, *at, as_of)
                }
            };
            Some(seconds(age.max(TimeDelta::zero())))
        }
        (Measured::Rows { rows, .. }, _) => *rows,
        (
            Measured::Wrong {
                checked,
                wrong,
                sampled,
            },
            _,
        ) => {
            let wrong = (*wrong)?;
            match (check.measure, *checked) {
                (Measure::Rows, _) => finite(wrong / sampled.unwrap_or(1.0).max(f64::MIN_POSITIVE)),
                (Measure::Share, Some(checked)) if checked > 0.0 => finite(wrong / checked),
                // Nothing to be wrong.
                (Measure::Share, _) => Some(0.0),
            }
        }
        (Measured::Number { value }, _) => value.and_then(finite),
        (Measured::Pair { own, other }, Kind::Comparison(comparison)) => {
            let apart = ((*own)? - (*other)?).abs();
            match comparison.difference {
                Difference::Absolute => finite(apart),
                Difference::Relative if apart == 0.0 => Some(0.0),
                // Of nothing, everything is infinitely much more: the share is taken as whole.
                Difference::Relative => match (*other)?.abs() {
                    0.0 => Some(1.0),
                    other => finite(apart / other),
                },
            }
        }
        _ => None,
    }
}

/// How far back an expected row is looked for, in days.
const YEAR: i64 = 366;

/// By how much the rows that were expected last are late; nothing when they came. On holidays none
/// are expected.
fn lateness(
    cron: &str,
    holidays: &[NaiveDate],
    zone: &Zone,
    newest: Option<DateTime<Utc>>,
    as_of: DateTime<Utc>,
) -> TimeDelta {
    let Ok(cron) = Cron::parse(cron) else {
        return TimeDelta::zero();
    };
    let holiday = |at: DateTime<Utc>| {
        let day = zone.local_day(at).to_string();
        holidays.iter().any(|date| date.to_string() == day)
    };
    // A year without an expected row expects nothing.
    let earliest = as_of - TimeDelta::days(YEAR);
    let mut until = as_of;
    for _ in 0..=YEAR {
        let Some((run, _)) = cron.latest(zone, earliest, until) else {
            return TimeDelta::zero();
        };
        if !holiday(run.at) {
            return match newest.is_some_and(|newest| newest >= run.at) {
                true => TimeDelta::zero(),
                false => as_of - run.at,
            };
        }
        // The whole day is none: on to its eve.
        until = zone.start_of(zone.local_day(run.at)) - TimeDelta::milliseconds(1);
    }
    TimeDelta::zero()
}

/// Judges a measurement.
pub fn judge(
    check: &Check,
    measured: &Measured,
    as_of: DateTime<Utc>,
    context: &Context,
) -> Verdict {
    if let Some(verdict) = shifted(context) {
        return verdict;
    }
    let value = match (&context.shift, value(check, measured, as_of)) {
        (Some(Taken::Moved { psi }), _) => Some(*psi),
        (_, value) => value,
    };
    if let (Kind::Freshness(freshness), Measured::Newest { at, empty, .. }) =
        (&check.kind, measured)
    {
        if *empty {
            let outcome = match freshness.empty {
                Empty::Fail => Outcome::Fail,
                Empty::Warn => Outcome::Warn,
                Empty::Pass => Outcome::Pass,
            };
            let text = "The table has no rows at all.";
            return Verdict::of(outcome, Reason::Empty, None, text);
        }
        if at.is_none() && freshness.expected.is_none() {
            let text = format!(
                "No row that the check is about has a time in {} that is not in the future.",
                freshness.column
            );
            return Verdict::of(Outcome::Fail, Reason::Stale, None, text);
        }
    }
    let Some(value) = value else {
        let text = "There is no number to judge: the answer is null or not finite.";
        return Verdict::of(Outcome::Errored, Reason::NoValue, None, text);
    };
    let mut open = None;
    for (threshold, outcome) in [
        (check.thresholds.fail, Outcome::Fail),
        (check.thresholds.warn, Outcome::Warn),
    ] {
        let Some(threshold) = threshold else {
            continue;
        };
        match breach(&threshold, value, context) {
            Breach::No => {}
            Breach::Yes(reason, text) => {
                let reason = named(check, measured, reason);
                return Verdict::of(outcome, reason, Some(value), text);
            }
            Breach::Open(outcome, reason, text) => {
                open.get_or_insert((outcome, reason, text));
            }
        }
    }
    match open {
        Some((outcome, reason, text)) => Verdict::of(outcome, reason, Some(value), text),
        None => Verdict::of(
            Outcome::Pass,
            Reason::Within,
            Some(value),
            format!("{} is within its limits.", number(value)),
        ),
    }
}

/// Judges changes of columns.
pub fn judge_schema(check: &Check, changes: &[Change]) -> Verdict {
    let weight = match &check.kind {
        Kind::Schema(drift) => schema::weigh(changes, drift),
        _ => Weight::Pass,
    };
    let value = Some(changes.len() as f64);
    let texts: Vec<_> = changes.iter().map(ToString::to_string).collect();
    let (outcome, reason, text) = match (weight, changes.is_empty()) {
        (_, true) => (
            Outcome::Pass,
            Reason::Within,
            "The columns are what they were.".to_owned(),
        ),
        (Weight::Pass, false) => (Outcome::Pass, Reason::Changed, texts.join(" ")),
        (Weight::Warn, false) => (Outcome::Warn, Reason::Changed, texts.join(" ")),
        (Weight::Fail, false) => (Outcome::Fail, Reason::Changed, texts.join(" ")),
    };
    Verdict::of(outcome, reason, value, text)
}

fn shifted(context: &Context) -> Option<Verdict> {
    let need = super::shift::LEAST as u32;
    Some(match context.shift.as_ref()? {
        Taken::Moved { .. } => return None,
        Taken::Learned(_) => Verdict::of(
            Outcome::Learning { have: 0, need: 1 },
            Reason::Learning,
            None,
            "What the values are like is noted; later runs are compared with it.",
        ),
        Taken::TooFew { have } => Verdict::of(
            Outcome::Learning {
                have: *have as u32,
                need,
            },
            Reason::Learning,
            None,
            format!("{have:.0} values are too few to tell; it takes {need}."),
        ),
    })
}

/// What one threshold says.
enum Breach {
    No,
    Yes(Reason, String),
    /// It cannot be told yet.
    Open(Outcome, Reason, String),
}

fn breach(threshold: &Threshold, value: f64, context: &Context) -> Breach {
    let Threshold { min, max, .. } = threshold;
    let shown = number(value);
    match threshold.kind {
        ThresholdKind::Absolute => outside(value, *min, *max, |side, limit| {
            format!("{shown} is {side} the limit of {}.", number(limit))
        }),
        ThresholdKind::Relative => {
            let to = threshold.to.unwrap_or_default();
            let (then, when) = match to {
                Reference::Previous => (context.previous, "before"),
                Reference::SameHourLastWeek => (context.week_ago, "a week ago at this hour"),
            };
            let Some(then) = then else {
                let text = format!("There is no value of {when} to compare {shown} with.");
                let learning = Outcome::Learning { have: 0, need: 1 };
                return Breach::Open(learning, Reason::NoReference, text);
            };
            let change = match (value - then, then.abs()) {
                (0.0, _) => 0.0,
                // From nothing, anything is a change without measure.
                (up, 0.0) => f64::INFINITY.copysign(up),
                (up, then) => up / then,
            };
            outside(change, *min, *max, |side, limit| {
                format!(
                    "{shown} is {} against {} {when}, {side} the limit of {}.",
                    percent(change),
                    number(then),
                    percent(limit)
                )
            })
        }
        ThresholdKind::Learned => {
            let wanted = threshold.sensitivity.unwrap_or_default();
            let found = context.learned.iter().find(|(known, _)| *known == wanted);
            match found.map(|(_, learned)| *learned) {
                Some(Learned::Normal) => Breach::No,
                Some(Learned::Suspect) => Breach::Open(
                    Outcome::Pass,
                    Reason::Suspect,
                    format!("{shown} is unusual; if the next value is too, it counts."),
                ),
                Some(Learned::Anomalous { above }) => {
                    let side = if above { "more" } else { "less" };
                    let text = format!("{shown} is {side} than it has usually been at this time.");
                    Breach::Yes(Reason::Anomalous, text)
                }
                Some(Learned::Learning { have, need }) => Breach::Open(
                    Outcome::Learning { have, need },
                    Reason::Learning,
                    format!("There are {have} values of the {need} that it takes to tell."),
                ),
                None => Breach::Open(
                    Outcome::Learning { have: 0, need: 1 },
                    Reason::Learning,
                    "There is no history to tell by.".to_owned(),
                ),
            }
        }
    }
}

/// A limit that is reached is kept.
fn outside(
    value: f64,
    min: Option<f64>,
    max: Option<f64>,
    text: impl Fn(&str, f64) -> String,
) -> Breach {
    match (min, max) {
        (Some(min), _) if value < min => Breach::Yes(Reason::Below, text("below", min)),
        (_, Some(max)) if value > max => Breach::Yes(Reason::Above, text("above", max)),
        _ => Breach::No,
    }
}

/// The reason by what it is about.
fn named(check: &Check, measured: &Measured, reason: Reason) -> Reason {
    match (&check.kind, measured, reason) {
        (Kind::Freshness(_), _, Reason::Above) => Reason::Stale,
        (Kind::Volume(_) | Kind::RowCount(_), Measured::Rows { rows, .. }, reason)
            if *rows == Some(0.0) && reason != Reason::Above =>
        {
            match check.kind {
                Kind::RowCount(_) => Reason::Empty,
                _ => Reason::Zero,
            }
        }
        (_, _, reason) => reason,
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1_000.0
}

/// A number for people: no more digits than tell something.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1_000.0.. => format!("{value:.0}"),
        0.001.. => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:e}"),
    }
}

fn percent(share: f64) -> String {
    format!(
        "{}{}%",
        if share > 0.0 { "+" } else { "" },
        number(share * 100.0)
    )
}
