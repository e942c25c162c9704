//! What the detector learns from, and that it says the same each time.

mod detector_support;

use chrono::{TimeDelta, Utc};
use detector_support::plain::{Table, fired, orders, usual_orders};
use detector_support::random::Random;
use detector_support::{at, point};
use rules::civil::Zone;
use rules::detector::{Live, Mark, Outcome, Point, Series, Streak, Widened, judge, replay};

const WEEK: usize = 168;
/// A Monday.
const START: &str = "2026-05-04T00:00:00Z";

fn eight_weeks() -> Table {
    Table::hourly("UTC").seen(START, 8 * WEEK, orders(1))
}

#[test]
fn too_short_a_history_is_learning_and_never_fires() {
    let mut table = Table::hourly("UTC").seen(START, 1, orders(1));
    for have in 1..192 {
        let wild = if have % 7 == 0 { 1e9 } else { 0.0 };
        let verdict = judge(&table.series(), table.next(), wild, &table.streak);
        let learning = Outcome::Learning { have, need: 192 };
        assert_eq!((verdict.outcome, verdict.score), (learning, 0.0));
        let said = verdict.explanation.sensitivities;
        assert!(
            [said.low, said.medium, said.high]
                .iter()
                .all(|said| said.outcome == learning)
        );
        table.run(1, orders(u64::from(have)));
    }
    assert!(matches!(
        table.push(usual_orders(&Zone::utc(), table.next())).outcome,
        Outcome::Normal
    ));
    let nothing = Table::hourly("UTC");
    let verdict = judge(&nothing.series(), at(START), 5.0, &Streak::default());
    assert_eq!(verdict.outcome, Outcome::Learning { have: 0, need: 192 });
}

#[test]
fn how_much_history_it_takes_goes_by_the_width_of_buckets() {
    for (minutes, need) in [(1, 11_520), (5, 2_304), (60, 192), (720, 16), (1_440, 14)] {
        let table = Table {
            every: TimeDelta::minutes(minutes),
            ..Table::hourly("UTC")
        };
        let verdict = judge(&table.series(), at(START), 5.0, &Streak::default());
        assert_eq!(verdict.outcome, Outcome::Learning { have: 0, need });
    }
}

#[test]
fn a_confirmed_anomaly_does_not_widen_the_band() {
    let band = |table: &Table| {
        let calm = judge(
            &table.series(),
            at("2026-07-08T12:00:00Z"),
            900.0,
            &Streak::default(),
        );
        (calm.expected.low, calm.expected.high)
    };
    let mut quiet = eight_weeks();
    quiet.run(9 * 24, orders(3));
    let mut troubled = eight_weeks();
    let mut usual = orders(3);
    let verdicts = troubled.run(9 * 24, |zone, at| {
        let value = usual(zone, at);
        // Two days of a third.
        if at >= detector_support::at("2026-07-02T00:00:00Z")
            && at < detector_support::at("2026-07-04T00:00:00Z")
        {
            (value / 3.0).round()
        } else {
            value
        }
    });
    assert!(fired(&verdicts) >= 46, "{}", fired(&verdicts));
    let (calm, after) = (band(&quiet), band(&troubled));
    assert!((after.0 / calm.0 - 1.0).abs() < 0.05, "{calm:?} {after:?}");
    assert!((after.1 / calm.1 - 1.0).abs() < 0.05, "{calm:?} {after:?}");
}

#[test]
fn what_was_alerted_is_not_learnt_and_what_people_say_decides() {
    // Half of all hours of a whole week, marked in three ways.
    let judged = |mark: Option<Mark>, alerted: bool| {
        let mut table = eight_weeks();
        let mut half = orders(7);
        table = table.seen("2026-06-29T00:00:00Z", 2 * 24, |zone, at| {
            (half(zone, at) / 2.0).round()
        });
        for point in table.points.iter_mut().rev().take(48) {
            (point.alerted, point.mark) = (alerted, mark);
        }
        let next = table.next();
        judge(&table.series(), next, 1.0, &Streak::default())
            .expected
            .center
    };
    let usual = usual_orders(&Zone::utc(), at("2026-07-01T00:00:00Z"));
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.1;
    for (mark, alerted, share) in [
        (None, false, 0.5),
        (None, true, 1.0),
        (Some(Mark::TrueAlarm), true, 1.0),
        (Some(Mark::TrueAlarm), false, 1.0),
        (Some(Mark::FalseAlarm), true, 0.5),
    ] {
        let found = judged(mark, alerted);
        assert!(
            near(found, usual * share),
            "{mark:?} {alerted}: {found} of {usual}"
        );
    }
}

#[test]
fn a_false_alarm_is_not_raised_again_at_the_same_hour_and_is_at_another() {
    let mut table = eight_weeks();
    table.run(12, orders(8));
    let usual = |table: &Table| usual_orders(&table.zone, table.next());
    let flood = table.push(usual(&table) * 3.0);
    assert!(flood.anomalous());
    table.mark(1, Mark::FalseAlarm);
    table.run(3 * 24 - 1, orders(9));
    let again = table.push(usual(&table) * 3.0);
    assert!(!again.anomalous(), "{again:?}");
    assert!(again.explanation.widened.contains(&Widened::FalseAlarm));
    table.run(7, orders(10));
    assert!(table.push(usual(&table) * 3.0).anomalous());
}

#[test]
fn a_new_level_fires_for_three_days_and_is_then_the_way_things_are() {
    let mut table = eight_weeks();
    table.run(24, orders(11));
    let mut usual = orders(12);
    let verdicts = table.run(10 * WEEK, |zone, at| (usual(zone, at) * 2.0).round());
    let days: Vec<usize> = verdicts.chunks(24).map(fired).collect();
    assert!(days[..2].iter().all(|fired| *fired >= 22), "{days:?}");
    assert_eq!(days[4..].iter().sum::<usize>(), 0, "{days:?}");
    assert!(verdicts.iter().any(|verdict| verdict.explanation.new_level));
    // The band around it is as narrow as before.
    let last = verdicts.last().unwrap();
    assert!(
        last.expected.high < last.expected.center * 1.5,
        "{:?}",
        last.expected
    );
    // And a true alarm is never the way things are.
    let mut table = eight_weeks();
    table.run(24, orders(11));
    for _ in 0..6 {
        let mut usual = orders(12);
        let verdicts = table.run(24, |zone, at| (usual(zone, at) * 2.0).round());
        assert!(fired(&verdicts) >= 22);
        table.mark(24, Mark::TrueAlarm);
    }
}

#[test]
fn no_rows_at_all_are_never_the_way_things_are() {
    let mut table = eight_weeks();
    let verdicts = table.run(14 * 24, |_, _| 0.0);
    assert_eq!(fired(&verdicts), verdicts.len());
}

#[test]
fn trends_and_slow_drift_are_followed() {
    for a_week in [-0.06, 0.06] {
        let mut usual = orders(13);
        let start = at(START);
        let mut value = |zone: &Zone, at: chrono::DateTime<Utc>| {
            let weeks = (at - start).num_hours() as f64 / WEEK as f64;
            (usual(zone, at) * (a_week * weeks).exp()).round()
        };
        let mut table = Table::hourly("UTC").seen(START, 4 * WEEK, &mut value);
        assert_eq!(fired(&table.run(12 * WEEK, &mut value)), 0, "{a_week}");
    }
}

#[test]
fn missing_buckets_are_no_alarm() {
    let mut table = eight_weeks();
    let mut usual = orders(14);
    let mut random = Random::new(15);
    let mut at = table.next();
    for _ in 0..2 * WEEK {
        let value = usual(&table.zone, at);
        if !random.chance(0.3) {
            let verdict = table.push_at(at, value);
            assert_eq!(verdict.outcome, Outcome::Normal, "{verdict:?}");
        }
        at += TimeDelta::hours(1);
    }
    // Four days of nothing, and on.
    at += TimeDelta::days(4);
    let value = usual(&table.zone, at);
    assert_eq!(table.push_at(at, value).outcome, Outcome::Normal);
}

#[test]
fn the_same_inputs_give_the_same_verdict_to_the_byte() {
    for seed in 20..24 {
        let mut table = Table::hourly("Europe/Berlin").seen(START, 8 * WEEK, orders(seed));
        table.run(30, orders(seed));
        let text = |value: f64| {
            let verdict = judge(&table.series(), table.next(), value, &table.streak);
            serde_json::to_string(&verdict).unwrap()
        };
        for value in [0.0, 50.0, 500.0, 5_000.0] {
            assert_eq!(text(value), text(value));
        }
        // What came later, or long before, changes nothing.
        let mut longer = table.points.clone();
        longer.insert(0, point(at("2020-01-01T00:00:00Z"), 7.0));
        longer.push(point(table.next() + TimeDelta::hours(1), 7.0));
        let series = Series {
            history: &longer,
            ..table.series()
        };
        let verdict = judge(&series, table.next(), 500.0, &table.streak);
        assert_eq!(serde_json::to_string(&verdict).unwrap(), text(500.0));
    }
}

#[test]
fn a_history_is_replayed_as_it_would_have_been_judged_live() {
    let mut table = eight_weeks();
    let mut usual = orders(25);
    table.run(3 * 24, |zone, at| {
        if at.day_of_june() {
            0.0
        } else {
            usual(zone, at)
        }
    });
    let backfill = |points: &[Point]| {
        let series = Series {
            history: points,
            ..table.series()
        };
        let mut said = Vec::new();
        let streak = replay(&series, |point, verdict| {
            said.push((*point, serde_json::to_string(verdict).unwrap()));
        });
        (said, streak)
    };
    let once = backfill(&table.points);
    assert_eq!(once, backfill(&table.points));
    // Judged one by one, with the streak stored between any two.
    let mut streak = Streak::default();
    let judged: Vec<Point> = once.0.iter().map(|(point, _)| *point).collect();
    for (place, (point, said)) in once.0.iter().enumerate().skip(7 * WEEK) {
        if place == 7 * WEEK {
            let mut live = Live::new(
                &Series {
                    history: &[],
                    ..table.series()
                },
                streak,
            );
            for point in &judged[..place] {
                live.push(point.at, point.value, None);
            }
            streak = live.streak().clone();
        }
        let series = Series {
            history: &judged[..place],
            ..table.series()
        };
        let verdict = judge(&series, point.at, point.value, &streak);
        assert_eq!(
            serde_json::to_string(&verdict).unwrap(),
            *said,
            "{}",
            point.at
        );
        let stored = serde_json::to_string(&verdict.streak).unwrap();
        streak = serde_json::from_str(&stored).unwrap();
    }
    assert!(judged.iter().any(|point| point.alerted));
}

/// The last two days of June are when the table is empty.
trait Empty {
    fn day_of_june(&self) -> bool;
}

impl Empty for chrono::DateTime<Utc> {
    fn day_of_june(&self) -> bool {
        *self >= at("2026-06-30T00:00:00Z") && *self < at("2026-07-01T00:00:00Z")
    }
}
