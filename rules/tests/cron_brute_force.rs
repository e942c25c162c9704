//! Random expressions in many zones, around changes of the clock, against a scan minute by minute.
//!
//! Invariant: the scan asks what the clock shows at every minute and knows nothing of how runs are
//! found; at least ten thousand expressions, each with its next runs, its last one and their count.
//! Failure: the seed, the expression, the zone and the instant are printed.

mod cron_support;

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cron_support::{Dice, Spec, ZONES, expression};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::civil::Zone;
use rules::cron::Cron;

const CASES: usize = 12_000;
const DAY: i64 = 24 * 60;
/// Minutes of a window before and behind its change.
const BEFORE: i64 = 2 * DAY;
const BEHIND: i64 = 3 * DAY;
/// Runs that are compared one by one.
const RUNS: usize = 8;

/// Some days around a change: what the clock shows, minute by minute.
struct Window {
    zone: Zone,
    /// The first minute, and that of the change, since 1970.
    first: i64,
    change: i64,
    /// Minutes of the wall clock since 1970.
    walls: Vec<i64>,
    /// Which of them the clock showed before.
    again: Vec<bool>,
    /// Minutes that the clock never shows, and the minute at which it is first past them. Changes
    /// of more than three hours are left out.
    skipped: Vec<(i64, i64)>,
}

impl Window {
    fn new(name: &str, change: i64) -> Self {
        let rules = TimeZone::get(name).expect(name);
        let first = change - BEFORE;
        let walls = (first..change + BEHIND).map(|minute| {
            let at = Timestamp::from_second(minute * 60).expect("an instant");
            minute + i64::from(rules.to_offset(at).seconds()) / 60
        });
        let walls: Vec<i64> = walls.collect();
        let shown: HashSet<i64> = walls.iter().copied().collect();
        let mut seen = HashSet::new();
        let again = walls.iter().map(|wall| !seen.insert(*wall)).collect();
        let mut skipped = Vec::new();
        for (minute, pair) in (first + 1..).zip(walls.windows(2)) {
            let gap = pair[0] + 1..pair[1];
            if gap.clone().count() <= 180 {
                let missing = gap.filter(|wall| !shown.contains(wall));
                skipped.extend(missing.map(|wall| (wall, minute)));
            }
        }
        Self {
            zone: Zone::parse(name).expect(name),
            first,
            change,
            walls,
            again,
            skipped,
        }
    }

    /// Around the changes of a zone: whole minutes since 1995, and an instant without a change.
    fn all(name: &str, dice: &mut Dice) -> Vec<Self> {
        let rules = TimeZone::get(name).expect(name);
        let since = Timestamp::from_second(788_918_400).expect("1995");
        let changes = rules.following(since).take(150);
        let mut changes: Vec<_> = changes
            .map(|change| change.timestamp().as_second())
            .collect();
        let mut chosen = vec![dice.between(15_000_000, 35_000_000).into()];
        for _ in 0..7.min(changes.len()) {
            let place = dice.below(changes.len() as u64) as usize;
            chosen.push(changes.swap_remove(place) / 60);
        }
        // Samoa's missing day is worth more than chance.
        if name == "Pacific/Apia" || name == "Pacific/Fakaofo" {
            chosen.push(22_087_320 + if name == "Pacific/Apia" { 0 } else { 60 });
        }
        chosen
            .into_iter()
            .map(|change| Self::new(name, change))
            .collect()
    }

    fn end(&self) -> i64 {
        self.first + self.walls.len() as i64 - 1
    }

    /// Every run, by the definition.
    fn runs(&self, spec: &Spec) -> BTreeSet<i64> {
        let times: Vec<bool> = (0..DAY as u32).map(|minute| spec.at(minute)).collect();
        let mut day = (i64::MIN, false);
        let mut matches = |wall: i64| {
            if day.0 != wall.div_euclid(DAY) {
                day = (wall.div_euclid(DAY), spec.on(date(wall)));
            }
            day.1 && times[wall.rem_euclid(DAY) as usize]
        };
        let mut runs = BTreeSet::new();
        for ((minute, wall), again) in (self.first..).zip(&self.walls).zip(&self.again) {
            if matches(*wall) && !(spec.fixed && *again) {
                runs.insert(minute);
            }
        }
        if spec.fixed {
            let skipped = self.skipped.iter().filter(|(wall, _)| matches(*wall));
            runs.extend(skipped.map(|(_, minute)| *minute));
        }
        runs
    }
}

fn date(wall: i64) -> NaiveDate {
    let days = u64::try_from(wall.div_euclid(DAY)).expect("after 1970");
    NaiveDate::default() + chrono::Days::new(days)
}

fn instant(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).expect("an instant")
}

#[test]
fn runs_are_those_of_a_scan_of_every_minute() {
    let mut dice = Dice(0xC0FFEE);
    let windows: Vec<_> = ZONES
        .iter()
        .flat_map(|name| Window::all(name, &mut dice))
        .collect();
    assert!(windows.len() > 250, "{}", windows.len());
    let (mut taken, mut compared, mut moved, mut repeated) = (0, 0, 0, 0);
    let mut seed = 0;
    while taken < CASES {
        seed += 1;
        let mut dice = Dice(seed);
        let window = dice.pick(&windows);
        // The first minute that is not shown, or that is shown again.
        let wall = window.walls[(window.change - 1 - window.first) as usize] + 1;
        let hour = wall.rem_euclid(DAY) as u32 / 60;
        let spec = expression(&mut dice, date(wall), hour);
        let cron = match Cron::parse(&spec.text) {
            Ok(cron) => cron,
            Err(invalid) => {
                assert!(
                    invalid.errors[0].code == "cron_never" && !spec.ever(),
                    "{seed}: {} {invalid:?}",
                    spec.text
                );
                continue;
            }
        };
        taken += 1;
        let runs = window.runs(&spec);
        // Often the hours around the change, and never the first day, whose past is not known.
        let after = match dice.chance(75) {
            true => window.change - 6 * 60 + dice.below(12 * 60) as i64,
            false => window.first + DAY + dice.below(3 * DAY as u64) as i64,
        };
        let within = TimeDelta::milliseconds(*dice.pick(&[0, 0, 1, 999, 30_000, 59_999]));
        let told = |what: &str| {
            format!(
                "seed {seed}: {what} of {:?} in {} after {}",
                spec.text,
                window.zone.name(),
                instant(after) + within
            )
        };
        let mut expected = runs.range(after + 1..);
        let mut from = instant(after) + within;
        for _ in 0..RUNS {
            let found = cron.next(&window.zone, from);
            let Some(minute) = expected.next() else {
                let behind = found.is_none_or(|run| run.at > instant(window.end()));
                assert!(behind, "{}", told("the end"));
                break;
            };
            let run = found.unwrap_or_else(|| panic!("{}", told("no next")));
            assert_eq!(run.at, instant(*minute), "{}", told("next"));
            let wall = window.walls[(minute - window.first) as usize];
            let shown = instant(wall).format("%Y-%m-%dT%H:%M:%S").to_string();
            assert_eq!(run.local[..19], shown, "{}", told("the clock"));
            moved += usize::from(run.nominal != shown);
            repeated += usize::from(run.note.is_some() && run.nominal == shown);
            from = run.at;
            compared += 1;
        }
        let until = after + 1 + dice.below((window.end() - after - 1) as u64) as i64;
        let between: Vec<_> = runs.range(after + 1..=until).collect();
        let latest = cron.latest(
            &window.zone,
            instant(after) + within,
            instant(until) + within,
        );
        assert_eq!(
            latest.map(|(run, count)| (run.at, count)),
            between
                .last()
                .map(|minute| (instant(**minute), between.len() as u64)),
            "{} until {}",
            told("latest"),
            instant(until) + within
        );
        if let (Some(before), Some(behind)) = (
            runs.range(window.first + DAY..=after).last(),
            runs.range(after + 1..).next(),
        ) {
            let period = cron.period(&window.zone, instant(after) + within);
            assert_eq!(
                period,
                TimeDelta::minutes(behind - before),
                "{}",
                told("period")
            );
        }
    }
    println!("{taken} expressions, {compared} runs, {moved} moved, {repeated} at repeated times");
    assert!(compared > 5 * CASES / 2 && moved > 150 && repeated > 500);
}
