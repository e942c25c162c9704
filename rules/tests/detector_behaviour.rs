//! What the detector promises, one behaviour at a time.

mod detector_support;

use chrono::{TimeDelta, Timelike, Utc};
use detector_support::plain::{Table, fired, orders, rule, usual_orders};
use detector_support::random::Random;
use detector_support::{at, point};
use rules::civil::Zone;
use rules::detector::{
    Direction, Kind, Live, Mark, Outcome, Point, Rule, Sensitivity, Series, Streak, Verdict,
    Widened, judge, replay,
};

const WEEK: usize = 168;
/// A Monday.
const START: &str = "2026-05-04T00:00:00Z";

fn eight_weeks() -> Table {
    Table::hourly("UTC").seen(START, 8 * WEEK, orders(1))
}

fn constant(kind: Kind, value: f64) -> Table {
    let table = Table {
        kind,
        ..Table::hourly("UTC")
    };
    table.seen(START, 3 * WEEK, move |_, _| value)
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
fn what_was_constant_and_changes_is_flagged() {
    for (kind, was, becomes) in [
        (Kind::Count, 250.0, 150.0),
        (Kind::Count, 1_000_000.0, 800_000.0),
        (Kind::Rate, 0.0, 0.1),
        (Kind::Rate, 1.0, 0.9),
        (Kind::Value, 42.0, 47.0),
        (Kind::Value, -3.0, -3.5),
        (Kind::Value, 0.0, 1.0),
    ] {
        let mut table = constant(kind, was);
        assert_eq!(table.push(was).outcome, Outcome::Normal, "{kind:?} {was}");
        let direction = if becomes > was {
            Direction::Up
        } else {
            Direction::Down
        };
        let verdict = table.push(becomes);
        assert_eq!(
            verdict.outcome,
            Outcome::Anomalous { direction },
            "{kind:?} {was} {becomes}"
        );
        assert_eq!(rule(&verdict), Some(Rule::Strong));
    }
}

#[test]
fn tiny_changes_of_stable_tables_do_not_fire() {
    for (kind, was, becomes) in [
        (Kind::Count, 1_000_000.0, 1_000_300.0),
        (Kind::Rate, 0.0, 0.001),
        (Kind::Rate, 0.002, 0.004),
        (Kind::Value, 42.0, 42.1),
    ] {
        let mut table = constant(kind, was);
        for _ in 0..24 {
            assert_eq!(
                table.push(becomes).outcome,
                Outcome::Normal,
                "{kind:?} {was} {becomes}"
            );
        }
    }
}

#[test]
fn a_weekend_is_no_alarm_and_a_drop_on_monday_is_one() {
    let mut table = eight_weeks();
    let verdicts = table.run(WEEK, orders(2));
    assert_eq!(fired(&verdicts), 0);
    // On Monday it goes on like on Sunday: half of what Mondays have.
    let mut caught = Vec::new();
    for _ in 0..12 {
        let expected = usual_orders(&table.zone, table.next());
        caught.push(table.push((expected / 2.0).round()).anomalous());
    }
    assert!(
        caught.iter().filter(|caught| **caught).count() >= 10,
        "{caught:?}"
    );
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
fn a_change_of_the_clock_is_no_alarm_whoever_keeps_the_clock() {
    // Both changes of 2026, in Berlin: forward on 29 March, back on 25 October.
    for start in ["2026-02-09T00:00:00Z", "2026-09-07T00:00:00Z"] {
        for follows_the_clock in [true, false] {
            let mut random = Random::new(4);
            let mut value = |zone: &Zone, at: chrono::DateTime<Utc>| {
                let whose = if follows_the_clock {
                    zone.clone()
                } else {
                    Zone::utc()
                };
                // A sharp edge: the shop opens at eight.
                let open = whose.weekday_and_minute(at).1 / 60 >= 8;
                random.poisson(if open { 2_000.0 } else { 60.0 })
            };
            let mut table = Table::hourly("Europe/Berlin").seen(start, 6 * WEEK, &mut value);
            let verdicts = table.run(4 * WEEK, &mut value);
            assert_eq!(fired(&verdicts), 0, "{start} {follows_the_clock}");
        }
    }
}

#[test]
fn a_holiday_is_like_a_weekend_and_a_broken_one_is_still_broken() {
    let holiday = "2026-07-01".parse().unwrap();
    let like_sunday = |share: f64| {
        move |zone: &Zone, at: chrono::DateTime<Utc>| {
            let usual = usual_orders(zone, at);
            if at.date_naive() == holiday {
                (usual * share).round()
            } else {
                usual.round()
            }
        }
    };
    let mut told = eight_weeks();
    told.holidays = vec![holiday];
    let verdicts = told.run(WEEK, like_sunday(0.5));
    assert_eq!(fired(&verdicts), 0);
    let widened = verdicts
        .iter()
        .filter(|one| one.explanation.widened.contains(&Widened::Holiday));
    assert_eq!(widened.count(), 24);
    let mut untold = eight_weeks();
    assert!(fired(&untold.run(WEEK, like_sunday(0.5))) >= 20);
    let mut broken = eight_weeks();
    broken.holidays = vec![holiday];
    assert!(fired(&broken.run(WEEK, like_sunday(0.0))) >= 23);
}

#[test]
fn one_value_outside_is_suspected_and_the_second_confirms_it() {
    let mut table = eight_weeks();
    let zone = Zone::utc();
    table.run(10, orders(5));
    let low = |table: &Table| {
        let seen = judge(&table.series(), table.next(), 1.0, &Streak::default());
        (seen.expected.low * 0.97).floor()
    };
    let first = table.push(low(&table));
    assert_eq!((first.outcome, rule(&first)), (Outcome::Suspect, None));
    let second = table.push(low(&table));
    let down = Outcome::Anomalous {
        direction: Direction::Down,
    };
    assert_eq!(
        (second.outcome, rule(&second)),
        (down, Some(Rule::Confirmed))
    );
    assert!(
        second.score < -4.5 && second.score > -9.0,
        "{}",
        second.score
    );
    // Nothing but one: the next one is normal again, and a later one is a first one again.
    let mut table = eight_weeks();
    table.run(10, orders(5));
    assert_eq!(table.push(low(&table)).outcome, Outcome::Suspect);
    assert_eq!(
        table.push(usual_orders(&zone, table.next())).outcome,
        Outcome::Normal
    );
    assert_eq!(table.push(low(&table)).outcome, Outcome::Suspect);
}

#[test]
fn a_gap_of_two_buckets_does_not_confirm() {
    let mut table = eight_weeks();
    table.run(10, orders(5));
    let low = judge(&table.series(), table.next(), 1.0, &Streak::default())
        .expected
        .low;
    assert_eq!(table.push((low * 0.97).floor()).outcome, Outcome::Suspect);
    let later = table.next() + TimeDelta::hours(2);
    let low = judge(&table.series(), later, 1.0, &Streak::default())
        .expected
        .low;
    assert_eq!(
        table.push_at(later, (low * 0.97).floor()).outcome,
        Outcome::Suspect
    );
}

#[test]
fn no_rows_where_many_are_expected_fire_at_once_and_where_few_are_after_some_buckets() {
    let mut table = eight_weeks();
    let verdict = table.push(0.0);
    assert_eq!(rule(&verdict), Some(Rule::Zero));
    let mut random = Random::new(6);
    let mut few = Table::hourly("UTC").seen(START, 8 * WEEK, |_, _| random.poisson(2.0));
    let empty: Vec<Verdict> = (0..12).map(|_| few.push(0.0)).collect();
    let first = empty.iter().position(Verdict::anomalous);
    assert!(matches!(first, Some(4..=8)), "{first:?}");
    assert_eq!(rule(&empty[first.unwrap()]), Some(Rule::Zero));
    assert!(empty[first.unwrap()].streak.missed >= 9.0);
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
fn minutes_have_their_own_rhythm() {
    // A job at every full hour, and a load at half past three each night.
    let mut random = Random::new(16);
    let mut value = |_: &Zone, at: chrono::DateTime<Utc>| {
        let job = if at.minute() < 5 { 3_000.0 } else { 0.0 };
        let night = if at.hour() == 3 && at.minute() == 30 {
            20_000.0
        } else {
            0.0
        };
        random.poisson(100.0 + job + night)
    };
    let table = Table {
        every: TimeDelta::minutes(5),
        ..Table::hourly("UTC")
    };
    let mut table = table.seen(START, 3 * 7 * 288, &mut value);
    let verdicts = table.run(2 * 288, &mut value);
    assert_eq!(fired(&verdicts), 0);
    // The job at the full hour did not come.
    let missed = table.push(100.0);
    assert!(missed.anomalous(), "{missed:?}");
    assert!(missed.expected.center > 2_500.0);
    assert_eq!(table.push(100.0).outcome, Outcome::Normal);
}

#[test]
fn days_are_compared_with_their_weekday() {
    let mut random = Random::new(17);
    let mut value = |zone: &Zone, at: chrono::DateTime<Utc>| {
        let weekend = zone.weekday_and_minute(at).0.index() >= 5;
        random.poisson(if weekend { 500.0 } else { 8_000.0 })
    };
    let table = Table {
        every: TimeDelta::days(1),
        ..Table::hourly("America/New_York")
    };
    // Begins on a Monday, at local midnight.
    let mut table = table.seen("2026-01-05T05:00:00Z", 56, &mut value);
    assert_eq!(fired(&table.run(14, &mut value)), 0);
    let monday = table.push(500.0);
    assert_eq!(rule(&monday), Some(Rule::Strong), "{monday:?}");
}

#[test]
fn a_more_sensitive_check_fires_earlier_and_each_says_what_the_others_would() {
    let mut fires = Vec::new();
    for sensitivity in Sensitivity::ALL {
        let mut table = eight_weeks();
        table.sensitivity = sensitivity;
        table.run(10, orders(18));
        let mut shares = (1..100).rev().map(|percent| f64::from(percent) / 100.0);
        let first = shares.find(|share| {
            let (mut streak, mut verdict) = (Streak::default(), None);
            for hours in 0..2 {
                let at = table.next() + TimeDelta::hours(hours);
                let value = (usual_orders(&table.zone, at) * share).round();
                let said = judge(&table.series(), at, value, &streak);
                let medium = said.explanation.sensitivities.of(sensitivity);
                assert_eq!((medium.outcome, medium.band), (said.outcome, said.expected));
                streak = said.streak.clone();
                verdict = Some(said);
            }
            verdict.unwrap().anomalous()
        });
        fires.push(first.unwrap());
    }
    assert!(fires[0] < fires[1] && fires[1] < fires[2], "{fires:?}");
}

#[test]
fn an_explanation_says_where_the_band_comes_from() {
    let mut table = eight_weeks();
    table.run(12, orders(19));
    let verdict = table.push(10.0);
    let why = &verdict.explanation;
    assert_eq!((why.points, why.same_time), (8 * 168 + 12, 24));
    assert_eq!(why.recent_points, 24);
    assert_eq!(why.rule, Some(Rule::Strong));
    assert!((why.usual / usual_orders(&table.zone, at("2026-06-29T12:00:00Z")) - 1.0).abs() < 0.1);
    assert!((why.usual + why.recent - verdict.expected.center).abs() < 1e-6);
    assert!(why.noise.poisson.is_some() && why.noise.floor > 0.0);
    let said = why.sensitivities;
    assert!(said.low.band.low < said.medium.band.low && said.medium.band.low < said.high.band.low);
    let stored = serde_json::to_string(&verdict).unwrap();
    let read: Verdict = serde_json::from_str(&stored).unwrap();
    assert_eq!(
        (read.outcome, read.streak),
        (verdict.outcome, verdict.streak.clone())
    );
    assert_eq!(read.explanation.widened, why.widened);
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

#[test]
fn what_is_no_number_says_nothing() {
    let mut table = eight_weeks();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let verdict = table.push(value);
        assert_eq!((verdict.outcome, verdict.score), (Outcome::Normal, 0.0));
    }
    assert_eq!(table.streak, Streak::default());
    let usual = usual_orders(&table.zone, table.next());
    assert_eq!(table.push(usual.round()).outcome, Outcome::Normal);
}
