//! A set of serial numbers that only grows: the tickets that were revoked.
//!
//! Invariant: ranges are in order, apart from each other by at least one number, and so as few as
//! can be: revoking all of 100,000 tickets is one range.
//! Failure: none; a range that ends before it begins is empty.

use serde::{Deserialize, Serialize};

/// The set. Serialised as ranges, `[[first, last], …]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub struct Serials(Vec<(u32, u32)>);

impl Serials {
    /// Is the number in the set?
    pub fn contains(&self, serial: u32) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= serial);
        after
            .checked_sub(1)
            .and_then(|place| self.0.get(place))
            .is_some_and(|(_, last)| serial <= *last)
    }

    /// Adds a number.
    pub fn insert(&mut self, serial: u32) {
        self.insert_range(serial, serial);
    }

    /// Adds the numbers from `first` to `last`.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        // Everything that overlaps or touches becomes one range with it.
        let begin = self
            .0
            .partition_point(|(_, other)| other.saturating_add(1) < first);
        let end = self
            .0
            .partition_point(|(other, _)| *other <= last.saturating_add(1));
        let touched = self.0.get(begin..end).unwrap_or_default();
        let first = touched
            .first()
            .map_or(first, |(other, _)| first.min(*other));
        let last = touched.last().map_or(last, |(_, other)| last.max(*other));
        self.0.splice(begin..end, [(first, last)]);
    }

    /// How many ranges it takes.
    pub fn ranges(&self) -> usize {
        self.0.len()
    }
}

impl From<Vec<(u32, u32)>> for Serials {
    fn from(ranges: Vec<(u32, u32)>) -> Self {
        let mut serials = Self::default();
        for (first, last) in ranges {
            serials.insert_range(first, last);
        }
        serials
    }
}

impl From<Serials> for Vec<(u32, u32)> {
    fn from(serials: Serials) -> Self {
        serials.0
    }
}
