//! What each time of the week usually shows.
//!
//! Invariant: a slot's usual value is the middle of the same slot, and those beside it, in all
//! weeks, each day taken at its own level; a bucket that is always unlike the slots around it (a
//! job at the full hour) is known by itself, by the day or by the week.
//! Failure: a slot that was never seen is taken as the same time on the other days.

use super::Kind;
use super::layout::{Layout, Place};
use super::robust::{MAD_TO_SIGMA, median, quantile};

/// A bucket is unlike its slot when its middle is off by as many standard errors.
const UNLIKE: f64 = 3.0;
/// The standard error of a middle, in standard errors of a mean.
const MEDIAN_ERROR: f64 = 1.253_3;
/// The fewest days, and weeks, that show it.
const DAYS: usize = 5;
const WEEKS: usize = 4;
/// How many of them may be otherwise.
const OTHERWISE: f64 = 0.3;

/// A point that is learnt from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Seconds from 1970.
    pub at: i64,
    pub value: f64,
    /// The value as it is compared.
    pub compared: f64,
    pub place: Place,
    /// People called its alert a false alarm.
    pub forgiven: bool,
}

/// What is usual at a time of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usual {
    /// The centre, as it is compared.
    pub center: f64,
    /// The mean of a count, without what is far out; for counts whose middle says little.
    pub mean: f64,
    /// How many points of this slot, and those beside it, show it; none when other days must do.
    pub points: u32,
}

/// What is usual, for every time of the week.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    layout: Layout,
    slots: Vec<Usual>,
    /// How buckets of the day are unlike their slots; empty when slots are buckets.
    daily: Vec<f64>,
    weekly: Vec<f64>,
}

/// A point among those of its slot.
#[derive(Clone, Copy)]
struct Member {
    week: i64,
    /// As it is compared, at the level of all days.
    compared: f64,
    value: f64,
}

impl Profile {
    /// What samples show, which are in order; and for each sample what the other weeks show, by
    /// which it can be judged as a new value would be.
    pub fn learn(kind: Kind, layout: Layout, samples: &[Sample]) -> (Self, Vec<Usual>) {
        let mut profile = Self {
            layout,
            slots: Vec::new(),
            daily: Vec::new(),
            weekly: Vec::new(),
        };
        let plain = vec![0.0; samples.len()];
        let members = Members::of(kind, layout, samples, &plain);
        profile.slots = members.slots();
        let levels = profile.levels(samples);
        let members = Members::of(kind, layout, samples, &levels);
        profile.slots = members.slots();
        let mut others = members.others(samples);
        if layout.has_neighbours() {
            let off = samples.iter().zip(levels.iter().zip(&others));
            let off = off.map(|(sample, (level, usual))| sample.compared - level - usual.center);
            profile.buckets(samples, off.collect());
        }
        for (sample, usual) in samples.iter().zip(&mut others) {
            usual.center += profile.unlike(sample.place);
        }
        (profile, others)
    }

    /// What is usual at a place.
    pub fn usual(&self, place: Place) -> Usual {
        let mut usual = self.slots.get(place.slot).copied().unwrap_or_default();
        usual.center += self.unlike(place);
        usual
    }

    /// How far a bucket is always off its slot.
    fn unlike(&self, place: Place) -> f64 {
        let weekly = place.weekday * self.layout.buckets_a_day() + place.bucket;
        let daily = self.daily.get(place.bucket).unwrap_or(&0.0);
        daily + self.weekly.get(weekly).unwrap_or(&0.0)
    }

    /// How far each sample's day, or days when buckets are long, is above what is usual.
    fn levels(&self, samples: &[Sample]) -> Vec<f64> {
        let days = (self.layout.recent() + 86_399) / 86_400;
        let block = |sample: &Sample| sample.place.day.div_euclid(days);
        let mut levels = Vec::with_capacity(samples.len());
        let mut level = 0.0;
        for day in samples.chunk_by(|one, other| block(one) == block(other)) {
            let off = day
                .iter()
                .map(|sample| sample.compared - self.usual(sample.place).center);
            let mut off: Vec<f64> = off.collect();
            if off.len() >= 3 {
                level = median(&mut off).unwrap_or(level);
            }
            levels.extend(day.iter().map(|_| level));
        }
        levels
    }

    /// The buckets that are always unlike their slots, from how far each sample is off its own.
    fn buckets(&mut self, samples: &[Sample], mut off: Vec<f64>) {
        let mut sizes: Vec<f64> = off.iter().map(|off| off.abs()).collect();
        // Where most are equal, the noise is what the others show.
        let middle = median(&mut sizes).unwrap_or_default() * MAD_TO_SIGMA;
        let noise = middle.max(quantile(&mut sizes, 0.8).unwrap_or_default() * 0.5);
        let buckets = self.layout.buckets_a_day();
        let of_day = |sample: &Sample| sample.place.bucket;
        self.daily = unlike(samples, &off, buckets, of_day, DAYS, noise);
        for (sample, off) in samples.iter().zip(&mut off) {
            *off -= self.daily.get(sample.place.bucket).unwrap_or(&0.0);
        }
        let of_week = |sample: &Sample| sample.place.weekday * buckets + sample.place.bucket;
        self.weekly = unlike(samples, &off, buckets * 7, of_week, WEEKS, noise);
    }
}

/// The points of every slot.
struct Members {
    kind: Kind,
    layout: Layout,
    slots: Vec<Vec<Member>>,
}

impl Members {
    fn of(kind: Kind, layout: Layout, samples: &[Sample], levels: &[f64]) -> Self {
        let mut slots = vec![Vec::new(); layout.slots_a_day() * 7];
        for (sample, level) in samples.iter().zip(levels) {
            if let Some(slot) = slots.get_mut(sample.place.slot) {
                slot.push(Member {
                    week: sample.place.week(),
                    compared: sample.compared - level,
                    value: sample.value,
                });
            }
        }
        Self {
            kind,
            layout,
            slots,
        }
    }

    /// What is usual in each slot.
    fn slots(&self) -> Vec<Usual> {
        let mut scratch = Vec::new();
        let places = 0..self.slots.len();
        let usual = |place| self.usual(place, None, &mut scratch);
        places.map(usual).collect()
    }

    /// What the other weeks show of each sample's slot.
    fn others(&self, samples: &[Sample]) -> Vec<Usual> {
        let mut scratch = Vec::new();
        let mut known: Vec<Option<(i64, Usual)>> = vec![None; self.slots.len()];
        let mut others = |sample: &Sample| {
            let (place, week) = (sample.place.slot, sample.place.week());
            let slot = known.get_mut(place);
            // Samples are in order, so those of a slot come week by week.
            if let Some(Some((_, usual))) = slot
                .as_ref()
                .filter(|known| matches!(known, Some((known, _)) if *known == week))
            {
                return *usual;
            }
            let usual = self.usual(place, Some(week), &mut scratch);
            if let Some(slot) = slot {
                *slot = Some((week, usual));
            }
            usual
        };
        samples.iter().map(&mut others).collect()
    }

    /// What a slot shows, without a week.
    fn usual(&self, place: usize, without: Option<i64>, scratch: &mut Vec<f64>) -> Usual {
        let wanted = |member: &&Member| without.is_none_or(|week| member.week != week);
        if let Some(found) = self.middle(self.near(place).filter(wanted), scratch) {
            return found;
        }
        let a_day = self.layout.slots_a_day();
        let days = (place % a_day..self.slots.len()).step_by(a_day);
        let same_time = days
            .filter(|day| without.is_none() || *day != place)
            .flat_map(|day| self.near(day));
        let anything = || self.slots.iter().flatten();
        let found = self.middle(same_time, scratch);
        let found = found.or_else(|| self.middle(anything(), scratch));
        Usual {
            points: 0,
            ..found.unwrap_or_default()
        }
    }

    /// The members of a slot, and of those beside it.
    fn near(&self, place: usize) -> impl Iterator<Item = &Member> + Clone {
        let count = self.slots.len().max(1);
        let reach = usize::from(self.layout.has_neighbours());
        let near = (0..=2 * reach).map(move |step| (place + count + step - reach) % count);
        near.flat_map(|place| self.slots.get(place).into_iter().flatten())
    }

    fn middle<'a>(
        &self,
        members: impl Iterator<Item = &'a Member> + Clone,
        scratch: &mut Vec<f64>,
    ) -> Option<Usual> {
        scratch.clear();
        scratch.extend(members.clone().map(|member| member.compared));
        let points = u32::try_from(scratch.len()).unwrap_or(u32::MAX);
        let center = median(scratch)?;
        let mut usual = Usual {
            center,
            mean: 0.0,
            points,
        };
        if self.kind == Kind::Count {
            let middle = center.exp_m1().max(0.0);
            let most = middle + 4.0 * (middle + 1.0).sqrt() + 4.0;
            let sum: f64 = members.map(|member| member.value.clamp(0.0, most)).sum();
            usual.mean = sum / f64::from(points);
        }
        Some(usual)
    }
}

/// How far the middles of groups are off, where that is no chance.
fn unlike(
    samples: &[Sample],
    off: &[f64],
    groups: usize,
    group: impl Fn(&Sample) -> usize,
    fewest: usize,
    noise: f64,
) -> Vec<f64> {
    let mut members = vec![Vec::new(); groups];
    for (sample, off) in samples.iter().zip(off) {
        if let Some(members) = members.get_mut(group(sample)) {
            members.push(*off);
        }
    }
    let middle = |mut off: Vec<f64>| {
        let count = off.len();
        let limit = UNLIKE * MEDIAN_ERROR * noise / (count.max(1) as f64).sqrt();
        let least = quantile(&mut off, OTHERWISE).unwrap_or_default();
        let most = quantile(&mut off, 1.0 - OTHERWISE).unwrap_or_default();
        let middle = median(&mut off).unwrap_or_default();
        let clear = (least > 0.0 && middle > limit) || (most < 0.0 && middle < -limit);
        if count >= fewest && clear {
            middle
        } else {
            0.0
        }
    };
    members.into_iter().map(middle).collect()
}
