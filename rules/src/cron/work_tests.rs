//! What expressions cost, in steps: months and changes of the clock that are looked at.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;

/// Steps that no expression may exceed: 40 years of months, and two changes of the clock a year
/// with as much again for the zones that have four.
const MOST: u32 = 1_000;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Expressions made to cost as much as they can, all of them at most 256 bytes.
fn corpus() -> Vec<String> {
    let repeat = |item: &str, count: usize| vec![item; count].join(",");
    let mut corpus: Vec<String> = [
        "0 0 29 2 +MON",
        "0 0 29 2 +MON#5",
        "59 23 29 2 +SUN#L",
        "0 0 29W 2 +MON",
        "30 2 29 2 +SUN",
        "* * 29 2 +SUN",
        "0 0 31 12 +7#L",
        "0 0 1 1 *",
        "* * * * *",
        "0 0 30 2 *",
        "0 0 31 2,4,6,9,11 *",
        "0 0 1 * +5#2",
        "*/60 */24 */31 */12 */7",
        "",
        "+",
        ",",
        "/",
        "- - - - -",
        "# # # # #",
        "@",
        "@@@@@",
        "* * * * +",
        "* * * * ++1",
        "* * * * 1#",
        "* * * * #1",
        "* * W * *",
        "* * LL * *",
        "* * LWW * *",
        "4294967296 * * * *",
        "0-4294967296 * * * *",
        "*/4294967296 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "99999999999999999999999999999999999999 * * * *",
    ]
    .map(str::to_owned)
    .into();
    corpus.extend([
        format!("{} * * * *", repeat("0", 120)),
        format!("{} * * * *", repeat("0-59/1", 34)),
        format!("0 0 {} * *", repeat("31W", 60)),
        format!("0 0 {} 2 +MON", repeat("29", 80)),
        format!("0 0 * * {}", repeat("7#5", 60)),
        format!("0 0 29 2 +{}", repeat("MON#5", 40)),
        format!("0 0 * * {}", repeat("SUN-SAT", 30)),
        format!("{} * * *", "1".repeat(248)),
        format!("{}* * * * *", " ".repeat(247)),
        "*".repeat(256),
        ",".repeat(256),
        "* ".repeat(128),
        "@".repeat(256),
        "é".repeat(128),
        "\u{0}".repeat(256),
    ]);
    corpus
}

#[test]
fn finding_a_run_takes_a_bounded_number_of_steps() {
    let zones = [
        "UTC",
        "Africa/Casablanca",
        "Africa/El_Aaiun",
        "America/New_York",
        "Europe/Dublin",
        "Pacific/Apia",
    ]
    .map(|name| Zone::parse(name).unwrap());
    let mut greatest = 0;
    for text in corpus() {
        let Ok(cron) = Cron::parse(&text) else {
            continue;
        };
        for zone in &zones {
            for year in (1..=9_990).step_by(37) {
                let at = at(&format!("{year:04}-03-01T00:00:00Z"));
                let timeline = cron.timeline(zone);
                for found in [
                    |timeline: &Timeline<'_>, at, work: &mut u32| timeline.next(at, work),
                    |timeline: &Timeline<'_>, at, work: &mut u32| timeline.previous(at, None, work),
                ] {
                    let mut work = 0;
                    found(&timeline, at, &mut work);
                    assert!(work <= MOST, "{text} in {} {at}: {work}", zone.name());
                    greatest = greatest.max(work);
                }
            }
        }
    }
    // The bound is not out of reach of what it bounds.
    assert!(greatest > MOST / 2, "{greatest}");
}

#[test]
fn runs_of_a_year_are_counted_without_walking_through_them() {
    let cron = Cron::parse("* * * * *").unwrap();
    let zone = Zone::parse("America/New_York").unwrap();
    let (after, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let mut work = 0;
    let count = cron.timeline(&zone).count(after, until, &mut work);
    assert_eq!(count, 365 * 24 * 60);
    assert!(work < 40, "{work}");
    let (run, count) = cron.latest(&zone, after, until).unwrap();
    assert_eq!((run.at, count), (until, 365 * 24 * 60));
}

#[test]
fn strange_input_is_read_at_once() {
    let corpus = corpus();
    let began = std::time::Instant::now();
    for _ in 0..20 {
        for text in &corpus {
            let _ = Cron::parse(text);
        }
    }
    // Even without optimisation, beside other work, this leaves much room.
    let each = began.elapsed() / u32::try_from(20 * corpus.len()).unwrap();
    assert!(each < std::time::Duration::from_millis(2), "{each:?}");
}

#[test]
fn what_is_longer_is_not_read() {
    for text in [
        format!("{}* * * * *", " ".repeat(248)),
        "1,".repeat(1_000_000),
    ] {
        let refused = Cron::parse(&text).unwrap_err();
        assert_eq!(refused.errors[0].code, "cron_too_long");
    }
}

#[test]
fn far_instants_do_no_harm() {
    let ends = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC];
    for (text, zone) in [
        ("* * * * *", "UTC"),
        ("30 2 * * *", "Pacific/Apia"),
        ("0 0 29 2 +MON", "America/New_York"),
    ] {
        let (cron, zone) = (Cron::parse(text).unwrap(), Zone::parse(zone).unwrap());
        let [first, last] = ends;
        assert!(cron.next(&zone, first).unwrap().at < at("0041-01-01T00:00:00Z"));
        assert_eq!(cron.next(&zone, last), None);
        assert_eq!(cron.next(&zone, at("9999-12-31T23:59:00Z")), None);
        assert_eq!(cron.latest(&zone, last, first), None);
        assert!(cron.latest(&zone, first, last).unwrap().1 > 200);
        assert_eq!(cron.period(&zone, last), TimeDelta::days(1));
        cron.describe(&zone, first);
        cron.describe(&zone, last);
    }
}
