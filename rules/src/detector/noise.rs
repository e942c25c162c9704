//! How far values usually are from where they were expected.
//!
//! Invariant: measured on the history itself, each point expected from what is usual and the day
//! before it, as a judged value is; by the hour of the day where hours differ.
//! Failure: without a day before, a point shows nothing; when none shows anything, the floor holds.

use super::Kind;
use super::expect::{
    Expected, back, chance_spread, deviance, floor, forward, sigma_of_nine_in_ten,
};
use super::layout::Layout;
use super::level::{Beside, FEWEST, Level, counts};
use super::profile::{Sample, Usual};
use super::robust::{median, quantile, spread};

const HOURS: usize = 24;
/// Levels of the history are taken as often, in seconds.
const BLOCK: i64 = 6 * 3_600;
/// Counts below are read by their mean, above `FEW + MIXED` by their middle.
const FEW: f64 = 5.0;
const MIXED: f64 = 15.0;
/// Counts below show chance, and those above the noise beyond it.
const SMALL: f64 = 20.0;
/// Points that pull an hour's noise to that of all.
const PULL: f64 = 30.0;
/// The fewest points that show an hour's bias.
const BIAS: usize = 8;
/// How many times more, or less, than all an hour may be off.
const CAP: f64 = 2.5;

/// One hour of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Hour {
    /// How far values are above what was expected, usually.
    bias: f64,
    /// How far off, as a standard deviation.
    measured: f64,
}

/// The noise of a series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Errors {
    kind: Kind,
    hours: [Hour; HOURS],
    /// Of all hours.
    pub overall: f64,
    /// How much of chance is in a count.
    pub chance: f64,
    /// How large values usually are.
    typical: f64,
}

impl Errors {
    /// The noise of samples around what other weeks show of their time, and what each was expected
    /// to be.
    pub fn learn(
        kind: Kind,
        layout: Layout,
        samples: &[Sample],
        others: &[Usual],
    ) -> (Self, Vec<Option<Expected>>) {
        let beside: Vec<Beside> = samples
            .iter()
            .zip(others)
            .map(|(sample, usual)| Beside {
                compared: sample.compared,
                value: sample.value,
                usual: *usual,
            })
            .collect();
        let levels = levels(layout, samples, &beside);
        let mut sizes: Vec<f64> = samples.iter().map(|sample| sample.value.abs()).collect();
        let mut errors = Self {
            kind,
            hours: [Hour::default(); HOURS],
            overall: 0.0,
            chance: 1.0,
            typical: median(&mut sizes).unwrap_or_default(),
        };
        errors.biases(samples, &beside, &levels);
        let means: Vec<Option<f64>> = samples
            .iter()
            .zip(beside.iter().zip(&levels))
            .map(|(sample, (beside, level))| {
                let level = level.as_ref()?;
                Some(errors.mean(beside.usual, level, sample.place.hour))
            })
            .collect();
        errors.chance = chance(kind, samples, &means);
        errors.spreads(samples, &beside, &means);
        let expected = samples
            .iter()
            .zip(means)
            .map(|(sample, mean)| mean.map(|mean| errors.expected(mean, sample.place.hour)));
        let expected = expected.collect();
        (errors, expected)
    }

    /// What is expected where this is usual and the level is that.
    pub fn mean(&self, usual: Usual, level: &Level, hour: usize) -> f64 {
        let bias = self.hour(hour).bias;
        let middle = back(self.kind, usual.center + level.shift + bias);
        if self.kind != Kind::Count {
            return middle;
        }
        let weight = ((middle - FEW) / MIXED).clamp(0.0, 1.0);
        weight * middle + (1.0 - weight) * usual.mean * level.ratio
    }

    /// A mean with its noise.
    pub fn expected(&self, mean: f64, hour: usize) -> Expected {
        Expected {
            kind: self.kind,
            mean,
            sigma: self.hour(hour).measured.max(self.floor(mean)),
            chance: self.chance,
        }
    }

    /// The noise that was measured for an hour.
    pub fn measured(&self, hour: usize) -> f64 {
        self.hour(hour).measured
    }

    /// The least noise that is believed.
    pub fn floor(&self, mean: f64) -> f64 {
        floor(self.kind, mean, self.typical)
    }

    fn hour(&self, hour: usize) -> Hour {
        self.hours.get(hour).copied().unwrap_or_default()
    }

    fn biases(&mut self, samples: &[Sample], beside: &[Beside], levels: &[Option<Level>]) {
        let mut off = vec![Vec::new(); HOURS];
        for (sample, (beside, level)) in samples.iter().zip(beside.iter().zip(levels)) {
            let Some(level) = level else { continue };
            let center = beside.usual.center + level.shift;
            // The middle of small counts is no number to be off from.
            let few = self.kind == Kind::Count && back(self.kind, center) < FEW;
            if let (false, Some(off)) = (few, off.get_mut(sample.place.hour)) {
                off.push(beside.compared - center);
            }
        }
        for hour in 0..HOURS {
            let mut near = around(&off, hour);
            if near.len() >= BIAS
                && let (Some(found), Some(hour)) = (median(&mut near), self.hours.get_mut(hour))
            {
                hour.bias = found;
            }
        }
    }

    fn spreads(&mut self, samples: &[Sample], beside: &[Beside], means: &[Option<f64>]) {
        let mut off = vec![Vec::new(); HOURS];
        let mut chances = vec![Vec::new(); HOURS];
        for (sample, (beside, mean)) in samples.iter().zip(beside.iter().zip(means)) {
            let Some(mean) = *mean else { continue };
            if self.kind == Kind::Count && beside.usual.mean < SMALL {
                continue;
            }
            let hour = sample.place.hour;
            if let (Some(off), Some(chances)) = (off.get_mut(hour), chances.get_mut(hour)) {
                off.push(sample.compared - forward(self.kind, mean));
                chances.push(match self.kind {
                    Kind::Count => chance_spread(mean, self.chance.min(1.0)),
                    Kind::Rate | Kind::Value => 0.0,
                });
            }
        }
        // A share of few rows is mostly none of them.
        let (share, bell) = match self.kind {
            Kind::Rate => (0.95, 1.96),
            Kind::Count | Kind::Value => (0.9, 1.644_9),
        };
        let measured = |mut off: Vec<f64>, mut chances: Vec<f64>| {
            let middle = spread(&mut off, 0.0)?;
            // What is mostly still and now and then not has its noise there. `off` are distances now.
            let seldom = quantile(&mut off, share)? / bell;
            let whole = middle.max(0.8 * seldom);
            let chance = median(&mut chances)?;
            Some((whole * whole - chance * chance).max(0.0).sqrt())
        };
        self.overall = measured(off.concat(), chances.concat()).unwrap_or_default();
        let all = self.overall;
        for hour in 0..HOURS {
            let near = around(&off, hour);
            let weight = near.len() as f64;
            let own = measured(near, around(&chances, hour)).unwrap_or(all);
            let own = if all > 0.0 {
                own.clamp(all / CAP, all * CAP)
            } else {
                own
            };
            let drawn = (weight * own * own + PULL * all * all) / (weight + PULL);
            if let Some(hour) = self.hours.get_mut(hour) {
                hour.measured = drawn.sqrt();
            }
        }
    }
}

/// What belongs to an hour, and to the hours beside it.
fn around(hours: &[Vec<f64>], hour: usize) -> Vec<f64> {
    let near = [hour + HOURS - 1, hour, hour + 1].map(|hour| hours.get(hour % HOURS));
    near.into_iter().flatten().flatten().copied().collect()
}

/// The level of the day before each sample; none where that day shows too little.
fn levels(layout: Layout, samples: &[Sample], beside: &[Beside]) -> Vec<Option<Level>> {
    let recent = layout.recent();
    let counted: Vec<(i64, Beside)> = samples
        .iter()
        .zip(beside)
        .filter(|(sample, _)| counts(layout, sample.at))
        .map(|(sample, beside)| (sample.at, *beside))
        .collect();
    let mut levels = Vec::with_capacity(samples.len());
    let block = |sample: &Sample| sample.at.div_euclid(BLOCK);
    let mut day = Vec::new();
    for samples in samples.chunk_by(|one, other| block(one) == block(other)) {
        let start = samples.first().map_or(0, |sample| sample.at);
        let from = counted.partition_point(|(at, _)| *at < start - recent);
        let until = counted.partition_point(|(at, _)| *at < start);
        day.clear();
        let before = counted.get(from..until).unwrap_or_default();
        day.extend(before.iter().map(|(_, beside)| *beside));
        let level = if day.len() >= FEWEST {
            Level::of(&day)
        } else {
            None
        };
        levels.extend(samples.iter().map(|_| level));
    }
    levels
}

/// How much of chance is in counts.
fn chance(kind: Kind, samples: &[Sample], means: &[Option<f64>]) -> f64 {
    if kind != Kind::Count {
        return 1.0;
    }
    let known = samples.iter().zip(means);
    let known: Vec<(f64, f64)> = known
        .filter_map(|(sample, mean)| Some((sample.value, (*mean)?)))
        .collect();
    let distances = |small: bool| -> Vec<f64> {
        let wanted = known.iter().filter(|(_, mean)| !small || *mean < SMALL);
        wanted
            .map(|(value, mean)| deviance(*value, *mean))
            .collect()
    };
    let mut small = distances(true);
    // Of large counts, noise beyond chance is measured as such.
    let (mut all, most) = if small.len() * 3 >= known.len() {
        (std::mem::take(&mut small), 3.0)
    } else {
        (distances(false), 1.0)
    };
    let mut middles: Vec<f64> = known.iter().map(|(_, mean)| *mean).collect();
    // Next to nothing does not show how it comes.
    let least = if median(&mut middles).is_none_or(|mean| mean < 1.0) {
        1.0
    } else {
        0.1
    };
    quantile(&mut all, 0.9).map_or(1.0, |distance| {
        sigma_of_nine_in_ten(distance).clamp(least, most)
    })
}
