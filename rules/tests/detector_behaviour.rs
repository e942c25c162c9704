//! What the detector promises, one behaviour at a time.

mod detector_support;

use chrono::{TimeDelta, Timelike, Utc};
use detector_support::at;
use detector_support::plain::{Table, fired, orders, rule, usual_orders};
use detector_support::random::Random;
use rules::civil::Zone;
use rules::detector::{
    Direction, Kind, Outcome, Rule, Sensitivity, Streak, Verdict, Widened, judge,
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
