//! What is said of a value, and why.
//!
//! Invariant: everything a reader needs to understand a verdict is stored with it, in the units of
//! the value.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Kind, Sensitivity, Streak};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AnomalyDirection))]
pub enum Direction {
    /// More than expected.
    Up,
    /// Less than expected.
    Down,
}

impl Direction {
    /// The way a score points.
    pub(super) fn of(score: f64) -> Self {
        if score < 0.0 { Self::Down } else { Self::Up }
    }

    pub(super) fn sign(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorOutcome))]
pub enum Outcome {
    /// There is too little history to say anything.
    Learning {
        /// Points there are to learn from.
        have: u32,
        /// Points it takes.
        need: u32,
    },
    /// As expected.
    Normal,
    /// Outside the band; the next one decides.
    Suspect,
    /// Broken.
    Anomalous {
        /// Which way.
        direction: Direction,
    },
}

/// Where a value was expected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ExpectedBand))]
pub struct Band {
    /// In the middle.
    pub center: f64,
    /// Not below.
    pub low: f64,
    /// Not above.
    pub high: f64,
}

/// What made a value anomalous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorRule))]
pub enum Rule {
    /// Nothing came where many were expected.
    Zero,
    /// So far away that one value is enough.
    Strong,
    /// The second in a row outside the band.
    Confirmed,
    /// Six in a row well off the centre, the same way.
    Sustained,
    /// Firing before, and not yet back near the centre.
    Held,
}

/// Why a band is wider than the noise alone makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BandWidened))]
pub enum Widened {
    /// A holiday: what a Saturday or a Sunday shows is as good.
    Holiday,
    /// The clock was changed lately: what the old clock would show is as good.
    ClockChange,
    /// The series does this now and then by itself.
    Habit,
    /// The same time showed as much on each of the last days, or in the last weeks.
    Repeated,
    /// This time of the week was never seen: what other days show then is as good.
    Unseen,
    /// People called as much a false alarm.
    FalseAlarm,
}

/// How far values usually are from where they are expected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorNoise))]
pub struct Noise {
    /// What was measured, 1.4826 times the median distance: a share of the centre for counts, units
    /// of the value for values, radians of arcsin √p for rates.
    pub measured: f64,
    /// The least that is believed, in the same unit.
    pub floor: f64,
    /// What chance alone does to a count, relative to its centre; none for rates and values.
    pub poisson: Option<f64>,
}

/// The scores from which a sensitivity fires.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorThresholds))]
pub struct Thresholds {
    /// Two in a row.
    pub confirm: f64,
    /// One alone.
    pub strong: f64,
    /// Six in a row, on average.
    pub sustain: f64,
    /// Rows expected, where none came.
    pub zero: f64,
}

/// What a sensitivity says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SensitivitySaid))]
pub struct Said {
    /// Its outcome.
    pub outcome: Outcome,
    /// The rule that fired.
    pub rule: Option<Rule>,
    /// Its band.
    pub band: Band,
    /// From where it fires.
    pub thresholds: Thresholds,
}

/// What each sensitivity says of the same value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SensitivitiesSaid))]
pub struct Sensitivities {
    /// Only what nobody would doubt.
    pub low: Said,
    /// What most people would call broken.
    pub medium: Said,
    /// Also what may be nothing.
    pub high: Said,
}

impl Sensitivities {
    /// What one of them says.
    pub fn of(&self, sensitivity: Sensitivity) -> &Said {
        match sensitivity {
            Sensitivity::Low => &self.low,
            Sensitivity::Medium => &self.medium,
            Sensitivity::High => &self.high,
        }
    }
}

/// Why a verdict is what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorExplanation))]
pub struct Explanation {
    /// What the values are.
    pub kind: Kind,
    /// The sensitivity that decided.
    pub sensitivity: Sensitivity,
    /// Until when was learnt.
    pub learnt_until: DateTime<Utc>,
    /// From how many points.
    pub points: u32,
    /// How many of them are of this time of the week.
    pub same_time: u32,
    /// What this time of the week usually shows.
    pub usual: f64,
    /// How much the last day moved that.
    pub recent: f64,
    /// From how many points.
    pub recent_points: u32,
    /// The last day was taken from a new level that has held, though it was alerted.
    pub new_level: bool,
    /// How far values usually are off.
    pub noise: Noise,
    /// The rule that fired.
    pub rule: Option<Rule>,
    /// Why the band is wider than that.
    pub widened: Vec<Widened>,
    /// What each sensitivity says.
    pub sensitivities: Sensitivities,
}

/// What is said of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorVerdict))]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// How many times the scale it is off; negative when too little. 0 while learning.
    pub score: f64,
    /// Where it was expected.
    pub expected: Band,
    /// What a score of one is worth, about, in units of the value.
    pub scale: f64,
    /// Why.
    pub explanation: Explanation,
    /// For the next value.
    pub streak: Streak,
}

impl Verdict {
    /// Is it anomalous?
    pub fn anomalous(&self) -> bool {
        matches!(self.outcome, Outcome::Anomalous { .. })
    }
}
