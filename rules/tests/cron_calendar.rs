//! Random day fields against a walk day by day, and against croner where its policy is ours.
//!
//! Invariant: an expression is refused as never matching exactly when no day of 28 years matches.
//! Failure: the seed and the expression are printed.

mod cron_support;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Timelike, Utc};
use cron_support::{Dice, Item, Spec, ZONES, at, expression};
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::civil::Zone;
use rules::cron::Cron;

/// Zones whose changes are longer than croner looks.
const TOO_FAR: [&str; 4] = [
    "Pacific/Apia",
    "Pacific/Fakaofo",
    "Pacific/Kiritimati",
    "Antarctica/Casey",
];

fn date(dice: &mut Dice) -> NaiveDate {
    NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date") + Days::new(dice.below(200 * 365))
}

#[test]
fn dates_are_those_of_a_walk_day_by_day() {
    let zone = Zone::utc();
    let (mut taken, mut never) = (0, 0);
    for seed in 0..3_000 {
        let mut dice = Dice(seed);
        let from = date(&mut dice);
        let mut spec = expression(&mut dice, from, 12);
        // Rare days, too.
        if dice.chance(20) {
            let day = dice.between(28, 31);
            let month = *dice.pick(&[2, 2, 4, 12]);
            let weekday = spec.text.rsplit(' ').next().expect("five fields");
            spec.text = format!("0 0 {day} {month} {weekday}");
            spec.fields[0] = vec![Item::One(0)];
            spec.fields[1] = vec![Item::One(0)];
            spec.fields[2] = vec![Item::One(day)];
            spec.fields[3] = vec![Item::One(month)];
        }
        let Ok(cron) = Cron::parse(&spec.text) else {
            assert!(!spec.ever(), "{seed}: {}", spec.text);
            never += 1;
            continue;
        };
        taken += 1;
        let start = from.and_time(chrono::NaiveTime::MIN).and_utc();
        let mut after = start - TimeDelta::seconds(1);
        let dates = from.iter_days().take(12 * 366);
        for expected in dates.filter(|date| spec.on(*date)).take(12) {
            let run = cron.next(&zone, after).expect(&spec.text);
            assert_eq!(run.at.date_naive(), expected, "{seed}: {}", spec.text);
            after = expected.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::days(1)
                - TimeDelta::seconds(1);
        }
        // Back again, over the same days.
        let end = from + Days::new(400);
        let until = end.and_time(chrono::NaiveTime::MIN).and_utc();
        let days: Vec<_> = from
            .iter_days()
            .take_while(|day| *day < end)
            .filter(|day| spec.on(*day))
            .collect();
        let times = (0..1_440).filter(|minute| spec.at(*minute)).count() as u64;
        let before = start - TimeDelta::seconds(1);
        let found = cron.latest(&zone, before, until - TimeDelta::seconds(1));
        assert_eq!(
            found.map(|(run, count)| (run.at.date_naive(), count)),
            days.last().map(|day| (*day, days.len() as u64 * times)),
            "{seed}: {}",
            spec.text
        );
    }
    assert!(taken > 2_500 && never > 50, "{taken} {never}");
}

/// One expression for each of the times of day that an expression names.
fn single_times(spec: &Spec) -> Vec<String> {
    let days = spec.text.splitn(3, ' ').nth(2).expect("five fields");
    let times = (0..1_440).filter(|minute| spec.at(*minute));
    times
        .map(|minute| format!("{} {} {days}", minute % 60, minute / 60))
        .collect()
}

/// What croner finds: for fixed times, the earliest of the times taken one by one.
fn croner_next(spec: &Spec, zone: &TimeZone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let after = Timestamp::from_millisecond(after.timestamp_millis()).expect("an instant");
    let after = after.to_zoned(zone.clone());
    let texts = match spec.fixed {
        true => single_times(spec),
        false => vec![spec.text.clone()],
    };
    let found = texts.iter().filter_map(|text| {
        let cron = parser
            .parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let next = cron.find_next_occurrence(&after, false).ok()?;
        DateTime::from_timestamp(next.timestamp().as_second(), 0)
    });
    found.min()
}

#[test]
fn croner_finds_the_same_runs() {
    let (mut compared, mut seed) = (0, 0);
    while compared < 2_000 {
        seed += 1;
        let mut dice = Dice(seed);
        let name = *dice.pick(&ZONES);
        if TOO_FAR.contains(&name) {
            continue;
        }
        let zone = TimeZone::get(name).expect(name);
        let changes = zone.following(Timestamp::from_second(1_000_000_000).expect("2001"));
        let change = changes
            .take(30)
            .last()
            .map_or(1_700_000_000, |change| change.timestamp().as_second());
        let near = change - 20 * 3_600 + dice.below(40 * 3_600) as i64;
        let after = DateTime::from_timestamp(near, 0).expect("an instant");
        let spec = expression(&mut dice, after.date_naive(), after.hour());
        // It would be asked for every time of the day on its own.
        let times = (0..1_440).filter(|minute| spec.at(*minute)).count();
        let Some(cron) = Cron::parse(&spec.text)
            .ok()
            .filter(|_| !spec.fixed || times <= 24)
        else {
            continue;
        };
        // croner takes L in a list with W for LW.
        let items = &spec.fields[2];
        if items.len() > 1
            && items
                .iter()
                .any(|item| matches!(item, Item::LastDay | Item::LastWeekday))
        {
            continue;
        }
        let ours = cron.next(&Zone::parse(name).expect(name), after);
        assert_eq!(
            ours.map(|run| run.at),
            croner_next(&spec, &zone, after),
            "seed {seed}: {} in {name} after {after}",
            spec.text
        );
        compared += 1;
    }
}

#[test]
fn what_never_matches_is_refused() {
    for text in [
        "0 0 30 2 *",
        "0 0 31 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 30,31 2 ?",
        "0 0 30W 2 *",
        "0 0 31 2,4 +MON",
        "0 0 1 * +5#2",
        "0 0 8-14 * +MON#1",
        "0 0 29-31 2 +TUE#4",
        "0 0 L * +MON#3",
        "0 0 LW * +SAT",
        "0 0 15W * +SUN",
        "* * 30-31/1 FEB *",
    ] {
        let refused = Cron::parse(text).unwrap_err();
        assert_eq!(refused.errors[0].code, "cron_never", "{text}");
    }
    for text in [
        "0 0 29 2 *",
        "0 0 29 2 +MON",
        "0 0 29 2 +MON#5",
        "0 0 * 2 MON#5",
        "0 0 30 2 MON",
        "0 0 31 * +SUN#L",
        "0 0 28 2 +SUN#4",
    ] {
        assert!(Cron::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a_leap_day_on_a_monday_is_found_over_the_turn_of_a_century() {
    let cron = Cron::parse("0 0 29 2 +MON").expect("a valid expression");
    let mut after = at("2060-01-01T00:00:00Z");
    let mut years = Vec::new();
    for _ in 0..4 {
        after = cron.next(&Zone::utc(), after).expect("a next").at;
        years.push(after.format("%Y").to_string());
    }
    assert_eq!(years, ["2072", "2112", "2140", "2168"]);
    let found = cron.latest(
        &Zone::utc(),
        at("1900-01-01T00:00:00Z"),
        at("2111-12-31T00:00:00Z"),
    );
    assert_eq!(
        found.map(|(run, count)| (run.at, count)),
        Some((at("2072-02-29T00:00:00Z"), 7))
    );
}
