//! What a detector is told of a check, and what it says to its thresholds.
//!
//! Invariant: runs and the filling in of the past tell it the same of the same check.
//! Failure: a check that learns nothing has nothing to be told.

use chrono::TimeDelta;

use super::check::{Check, Sensitivity, SeriesKind};
use super::verdict::Learned;
use crate::civil::Zone;
use crate::detector::{self, Direction, Outcome, Point, Series};

/// What a detector is told of a check.
#[derive(Clone, Debug)]
pub struct Learning<'a> {
    check: &'a Check,
    kind: detector::Kind,
    sensitivity: detector::Sensitivity,
    zone: Zone,
}

impl<'a> Learning<'a> {
    /// That of a check; none when it learns nothing.
    pub fn of(check: &'a Check) -> Option<Self> {
        let wanted = check.thresholds.sensitivities();
        Some(Self {
            check,
            kind: match check.series()? {
                SeriesKind::Count => detector::Kind::Count,
                SeriesKind::Rate => detector::Kind::Rate,
                SeriesKind::Value => detector::Kind::Value,
            },
            sensitivity: detected(*wanted.first()?),
            zone: check.zone(),
        })
    }

    /// With what was measured before, oldest first.
    pub fn series<'b>(&'b self, history: &'b [Point]) -> Series<'b> {
        Series {
            kind: self.kind,
            every: TimeDelta::seconds(self.check.bucket().into()),
            zone: &self.zone,
            history,
            holidays: &self.check.holidays,
            sensitivity: self.sensitivity,
        }
    }

    /// What a detector said, for each of the check's sensitivities.
    pub fn says(&self, said: &detector::Verdict) -> Vec<(Sensitivity, Learned)> {
        let of = |sensitivity: Sensitivity| {
            let said = said.explanation.sensitivities.of(detected(sensitivity));
            let learned = match said.outcome {
                Outcome::Learning { have, need } => Learned::Learning { have, need },
                Outcome::Normal => Learned::Normal,
                Outcome::Suspect => Learned::Suspect,
                Outcome::Anomalous { direction } => Learned::Anomalous {
                    above: direction == Direction::Up,
                },
            };
            (sensitivity, learned)
        };
        let wanted = self.check.thresholds.sensitivities();
        wanted.into_iter().map(of).collect()
    }
}

fn detected(sensitivity: Sensitivity) -> detector::Sensitivity {
    match sensitivity {
        Sensitivity::Low => detector::Sensitivity::Low,
        Sensitivity::Medium => detector::Sensitivity::Medium,
        Sensitivity::High => detector::Sensitivity::High,
    }
}
