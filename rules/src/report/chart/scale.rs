//! Axes: where the ticks are and what stands beside them.
//!
//! Invariant: ticks are multiples of 1, 2 or 5 times a power of ten, two to twelve of them, and the
//! first and the last enclose every value.
//! Failure: without values, the axis goes from 0 to 1.

use crate::report::format;

/// An axis of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Its ticks, ascending.
    pub ticks: Vec<f64>,
    step: f64,
}

impl Scale {
    /// An axis for these values; `zero` makes it begin at nothing.
    pub fn of(values: impl Iterator<Item = f64>, zero: bool, about: f64) -> Self {
        let mut range: Option<(f64, f64)> = None;
        for value in values.filter(|value| value.is_finite()) {
            let (least, most) = range.unwrap_or((value, value));
            range = Some((least.min(value), most.max(value)));
        }
        let (mut least, mut most) = range.unwrap_or((0.0, 1.0));
        // A line that stays far from nothing is not pressed flat.
        if zero || (least > 0.0 && least < most * 0.5) {
            least = least.min(0.0);
        }
        if zero || (most < 0.0 && most > least * 0.5) {
            most = most.max(0.0);
        }
        let large = most.abs().max(least.abs());
        if most - least <= (large * 1e-9).max(1e-12) {
            let room = if large < 1e-9 { 1.0 } else { large * 0.1 };
            if !zero && least != 0.0 {
                least -= room;
            }
            most += room;
        }
        let step = nice((most - least) / about);
        let (first, last) = ((least / step).floor(), (most / step).ceil());
        let count = (last - first).clamp(1.0, 11.0);
        let mut ticks = Vec::new();
        let mut place = 0.0;
        while place <= count {
            ticks.push(clean((first + place) * step, step));
            place += 1.0;
        }
        Self { ticks, step }
    }

    /// Where a value is between the first tick (0) and the last (1).
    pub fn place(&self, value: f64) -> f64 {
        let (first, last) = self.ends();
        ((value - first) / (last - first)).clamp(0.0, 1.0)
    }

    /// The first and the last tick.
    pub fn ends(&self) -> (f64, f64) {
        let first = self.ticks.first().copied().unwrap_or(0.0);
        let last = self.ticks.last().copied().unwrap_or(1.0);
        (first, if last > first { last } else { first + 1.0 })
    }

    /// What stands beside a tick.
    pub fn label(&self, tick: f64) -> String {
        let (first, last) = self.ends();
        let large = first.abs().max(last.abs());
        if large >= 10_000.0 && tick != 0.0 {
            return format::brief_of(tick, large);
        }
        let decimals = (-self.step.log10().floor()).clamp(0.0, 8.0);
        // A power of ten between 0 and 8.
        let decimals = (0..=8).find(|n| f64::from(*n) >= decimals).unwrap_or(0);
        format::fixed(tick, usize::try_from(decimals).unwrap_or(0))
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn nice(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    let found = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|times| times * power >= step * 0.999_999);
    found.unwrap_or(10.0) * power
}

/// A multiple of a step without the dust of floating point.
fn clean(value: f64, step: f64) -> f64 {
    let per = (1.0 / step).round();
    let cleaned = if step < 1.0 && per > 0.0 {
        (value * per).round() / per
    } else {
        value
    };
    cleaned + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], zero: bool) -> Vec<String> {
        let scale = Scale::of(values.iter().copied(), zero, 5.0);
        scale.ticks.iter().map(|tick| scale.label(*tick)).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        for (values, expect) in [
            (&[0.0, 97.0][..], "0 20 40 60 80 100"),
            (&[3.0, 12_345.0], "0 5k 10k 15k"),
            (&[0.1, 0.42], "0.0 0.1 0.2 0.3 0.4 0.5"),
            (&[-30.0, 55.0], "-40 -20 0 20 40 60"),
            (&[0.0], "0.0 0.2 0.4 0.6 0.8 1.0"),
            (&[7.0], "0 2 4 6 8"),
            (&[-5.0, -1.0], "-5 -4 -3 -2 -1 0"),
            (&[f64::NAN, 2.0], "0.0 0.5 1.0 1.5 2.0"),
            (&[], "0.0 0.2 0.4 0.6 0.8 1.0"),
        ] {
            assert_eq!(labels(values, true).join(" "), expect, "{values:?}");
        }
        assert_eq!(
            labels(&[1_000.0, 1_010.0], false).join(" "),
            "1,000 1,002 1,004 1,006 1,008 1,010"
        );
        assert_eq!(
            labels(&[5.0, 5.0], false).join(" "),
            "4.4 4.6 4.8 5.0 5.2 5.4 5.6"
        );
    }

    #[test]
    fn no_values_break_an_axis() {
        for values in [
            vec![1e15, -1e15],
            vec![1e-12, 2e-12],
            vec![f64::MIN_POSITIVE],
            vec![1e15, 1e15 + 1.0],
        ] {
            for zero in [true, false] {
                let scale = Scale::of(values.iter().copied(), zero, 5.0);
                assert!((2..=12).contains(&scale.ticks.len()), "{values:?}");
                for value in &values {
                    assert!((0.0..=1.0).contains(&scale.place(*value)));
                }
            }
        }
    }
}
