//! What a run saw: a value, what was expected of it, and as of when.
//!
//! Invariant: numbers are finite; what is not is left out.
//! Failure: none; without a value or a limit there is nothing to compare.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a value counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertUnit))]
pub enum Unit {
    /// A number of its own.
    #[default]
    Plain,
    /// Rows.
    Rows,
    /// A part of the whole, 0 to 1; told in percent.
    Share,
    /// Seconds; told as a length of time.
    Seconds,
}

/// What a run saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertEvidence))]
pub struct Evidence {
    /// The value.
    #[serde(default)]
    pub value: Option<f64>,
    /// The least that was expected.
    #[serde(default)]
    pub low: Option<f64>,
    /// The most that was expected.
    #[serde(default)]
    pub high: Option<f64>,
    /// What they count.
    #[serde(default)]
    pub unit: Unit,
    /// The state of the data that was looked at: the run's time less the lag of the replica.
    #[serde(default)]
    pub as_of: Option<DateTime<Utc>>,
    /// What else there is to say, in one sentence.
    #[serde(default)]
    pub said: String,
}

impl Evidence {
    /// Without numbers that are none.
    #[must_use]
    pub fn finite(mut self) -> Self {
        for number in [&mut self.value, &mut self.low, &mut self.high] {
            *number = number.filter(|number| number.is_finite());
        }
        self
    }

    /// Whether the value is inside its limits by a margin: a part of the width between them or,
    /// where there is only one, of its size. Without a value it is.
    pub fn clears(&self, hysteresis: f64) -> bool {
        let Some(value) = self.value else {
            return true;
        };
        let width = match (self.low, self.high) {
            (Some(low), Some(high)) => (high - low).abs(),
            (Some(limit), None) | (None, Some(limit)) => limit.abs(),
            (None, None) => 0.0,
        };
        // More than half a width would leave nothing to be inside of.
        let margin = width * hysteresis.clamp(0.0, 0.5);
        self.low.is_none_or(|low| value >= low + margin)
            && self.high.is_none_or(|high| value <= high - margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(value: f64, low: Option<f64>, high: Option<f64>) -> Evidence {
        Evidence {
            value: Some(value),
            low,
            high,
            ..Evidence::default()
        }
    }

    #[test]
    fn a_value_clears_when_it_is_inside_by_the_margin() {
        for (value, low, high, clears) in [
            (110.0, Some(100.0), Some(200.0), true),
            (109.9, Some(100.0), Some(200.0), false),
            (190.0, Some(100.0), Some(200.0), true),
            (190.1, Some(100.0), Some(200.0), false),
            (90.0, None, Some(100.0), true),
            (90.1, None, Some(100.0), false),
            (110.0, Some(100.0), None, true),
            (0.0, None, Some(0.0), true),
            (5.0, Some(5.0), Some(5.0), true),
            (1e9, None, None, true),
        ] {
            assert_eq!(seen(value, low, high).clears(0.1), clears, "{value}");
        }
        assert!(seen(150.0, Some(100.0), Some(200.0)).clears(9.0));
        assert!(Evidence::default().clears(0.1));
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let kept = seen(f64::NAN, Some(f64::NEG_INFINITY), Some(3.0)).finite();
        assert_eq!((kept.value, kept.low, kept.high), (None, None, Some(3.0)));
    }
}
