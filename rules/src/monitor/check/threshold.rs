//! From which value on a check warns or fails.
//!
//! Invariant: a limit that is reached is kept: only what lies outside breaches. A threshold has at
//! least one limit, and the lower is not above the upper.
//! Failure: refused at the pointer of the threshold.

use serde::{Deserialize, Serialize};

use super::kind::Measures;
use crate::invalid::Invalid;

/// How a threshold is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ThresholdKind {
    /// The value itself has limits.
    Absolute,
    /// Its change has: `0.5` is half as much again, `-0.5` half of it.
    Relative,
    /// It must not be strange, going by its history.
    Learned,
}

/// What a change is counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ThresholdReference))]
pub enum Reference {
    /// The value before.
    #[default]
    Previous,
    /// The value of the same hour a week ago.
    SameHourLastWeek,
}

/// How little must be strange for a learned threshold to say so.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ThresholdSensitivity))]
pub enum Sensitivity {
    /// Only what is far out.
    Low,
    /// What the published figures are about.
    #[default]
    Medium,
    /// Also what is just outside.
    High,
}

/// A threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Threshold {
    /// How it is meant.
    pub kind: ThresholdKind,
    /// The least that is kept; not for learned ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The most that is kept; not for learned ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// What a change is counted from; for relative ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Reference>,
    /// For learned ones; `medium` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
}

/// The two thresholds of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckThresholds))]
pub struct Thresholds {
    /// From where on it warns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<Threshold>,
    /// From where on it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<Threshold>,
}

impl Threshold {
    /// At most this much.
    pub const fn at_most(max: f64) -> Self {
        Self {
            kind: ThresholdKind::Absolute,
            min: None,
            max: Some(max),
            to: None,
            sensitivity: None,
        }
    }

    /// As learned from history.
    pub const fn learned(sensitivity: Sensitivity) -> Self {
        Self {
            kind: ThresholdKind::Learned,
            min: None,
            max: None,
            to: None,
            sensitivity: Some(sensitivity),
        }
    }

    /// What is expected of it, by its sensitivity; none unless it is learned.
    pub fn sensitivity(&self) -> Option<Sensitivity> {
        (self.kind == ThresholdKind::Learned).then(|| self.sensitivity.unwrap_or_default())
    }
}

impl Thresholds {
    /// The limits of the value itself that nothing is wrong within: the least and the most.
    pub fn limits(&self) -> (Option<f64>, Option<f64>) {
        let first = self.warn.or(self.fail);
        let absolute = first.filter(|first| first.kind == ThresholdKind::Absolute);
        absolute.map_or((None, None), |limits| (limits.min, limits.max))
    }

    /// The sensitivities that a judgement needs, each once.
    pub fn sensitivities(&self) -> Vec<Sensitivity> {
        let both = [self.warn, self.fail].into_iter().flatten();
        let mut found: Vec<_> = both.filter_map(|one| one.sensitivity()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What values of the past a judgement needs, each once.
    pub fn references(&self) -> Vec<Reference> {
        let both = [self.warn, self.fail].into_iter().flatten();
        let relative = both.filter(|one| one.kind == ThresholdKind::Relative);
        let mut found: Vec<_> = relative.map(|one| one.to.unwrap_or_default()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The thresholds of a check, or those that are usual for what it measures.
pub(super) fn parse(given: Thresholds, measures: &Measures) -> Result<Thresholds, Invalid> {
    let mut invalid = Invalid::default();
    for (pointer, threshold) in [("/warn", given.warn), ("/fail", given.fail)] {
        if let Some(threshold) = threshold {
            invalid.take(one(pointer, &threshold, measures));
        }
    }
    let given = invalid.or(given)?;
    if given.warn.is_some() || given.fail.is_some() || !measures.thresholds {
        return Ok(given);
    }
    match measures.usual {
        Some(usual) => Ok(usual),
        None => Err(Invalid::one(
            "/fail",
            "required",
            "A check of this kind needs a threshold: fail, warn, or both.",
        )),
    }
}

fn one(pointer: &str, threshold: &Threshold, measures: &Measures) -> Result<(), Invalid> {
    let refuse = |field: &str, code: &str, message: &str| {
        Err(Invalid::one(format!("{pointer}{field}"), code, message))
    };
    if !measures.thresholds {
        let message = "This kind has its severities in its settings, not here.";
        return refuse("", "not_applicable", message);
    }
    let Threshold {
        kind,
        min,
        max,
        to,
        sensitivity,
    } = threshold;
    let learned = *kind == ThresholdKind::Learned;
    for (field, there, fits) in [
        ("/min", min.is_some(), !learned),
        ("/max", max.is_some(), !learned),
        ("/to", to.is_some(), *kind == ThresholdKind::Relative),
        ("/sensitivity", sensitivity.is_some(), learned),
    ] {
        if there && !fits {
            return refuse(field, "not_applicable", "Not for a threshold of this kind.");
        }
    }
    for (field, limit) in [("/min", min), ("/max", max)] {
        if limit.is_some_and(|limit| !limit.is_finite()) {
            return refuse(field, "out_of_range", "Must be a number.");
        }
    }
    match (kind, min, max) {
        (ThresholdKind::Learned, ..) if measures.series.is_none() => refuse(
            "/kind",
            "not_applicable",
            "What this kind measures is not learned; give limits.",
        ),
        (ThresholdKind::Learned, ..) => Ok(()),
        (_, None, None) => refuse("", "required", "Give min, max, or both."),
        (_, Some(min), Some(max)) if min > max => {
            refuse("/min", "out_of_range", "Must not be above max.")
        }
        _ => Ok(()),
    }
}
