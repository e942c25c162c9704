//! Expressions in plain words, and what changes of the clock do, in words.
//!
//! Invariant: one row for each shape that an expression can have.
//! Failure: the expression is printed with both texts.

mod cron_support;

use cron_support::at;
use rules::civil::Zone;
use rules::cron::{Cron, NoteKind};

fn words(text: &str, zone: &str, from: &str) -> String {
    let cron = Cron::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid:?}"));
    cron.describe(&Zone::parse(zone).expect(zone), at(from))
}

#[test]
fn every_shape_has_its_words() {
    for (text, expected) in [
        // Times of every day.
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/2 * * * *", "every 2 minutes"),
        ("0,30 * * * *", "every 30 minutes"),
        (
            "5-59/15 * * * *",
            "every 15 minutes from minute 5 of each hour",
        ),
        ("0 * * * *", "every hour"),
        ("@hourly", "every hour"),
        ("30 * * * *", "every hour at minute 30"),
        ("*/25 * * * *", "at minutes 0, 25 and 50 of every hour"),
        ("0-10,40 * * * *", "at minutes 0 to 10 and 40 of every hour"),
        ("0 9 * * *", "every day at 09:00"),
        ("@daily", "every day at 00:00"),
        ("0 0,12 * * *", "every day at 00:00 and 12:00"),
        ("30 8,10,14 * * *", "every day at 08:30, 10:30 and 14:30"),
        ("0,30 9 * * *", "every day at 09:00 and 09:30"),
        (
            "0,20 9,17 * * *",
            "every day at 09:00, 09:20, 17:00 and 17:20",
        ),
        ("0 */2 * * *", "every 2 hours"),
        ("30 */6 * * *", "every 6 hours from 00:30"),
        ("0 1-23/2 * * *", "every 2 hours from 01:00"),
        ("0 */8 * * *", "every day at 00:00, 08:00 and 16:00"),
        (
            "0 */5 * * *",
            "every day at 00:00, 05:00, 10:00, 15:00 and 20:00",
        ),
        ("0 9-17 * * *", "every day, every hour from 09:00 to 17:00"),
        (
            "15 2-20/3 * * *",
            "every day, every 3 hours from 02:15 to 20:15",
        ),
        ("* 9 * * *", "every day, every minute from 09:00 to 09:59"),
        (
            "0-29 9 * * *",
            "every day, every minute from 09:00 to 09:29",
        ),
        (
            "*/15 2 * * *",
            "every day, every 15 minutes from 02:00 to 02:45",
        ),
        (
            "*/15 9-17 * * *",
            "every day, every 15 minutes from 09:00 to 17:45",
        ),
        (
            "*/20 8-9,14,16 * * *",
            "every day, every 20 minutes from 08:00 to 09:40, from 14:00 to 14:40 and from 16:00 to 16:40",
        ),
        (
            "3,17 1,3,5,7,9,11,13 * * *",
            "every day at minutes 3 and 17 of the hours 01, 03, 05, 07, 09, 11 and 13",
        ),
        // Days of the week.
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * MON-FRI", "every weekday at 09:00"),
        ("0 9 * * 0,6", "every Saturday and Sunday at 09:00"),
        ("0 9 * * 6-7", "every Saturday and Sunday at 09:00"),
        ("0 0 * * 7", "every Sunday at 00:00"),
        ("@weekly", "every Sunday at 00:00"),
        ("0 9 * * 1,3", "every Monday and Wednesday at 09:00"),
        ("0 9 * * 1-4", "every day from Monday to Thursday at 09:00"),
        (
            "0 9 * * FRI-SUN",
            "every day from Friday to Sunday at 09:00",
        ),
        ("0 9 * * 0-6", "every day at 09:00"),
        ("0 9 * * 1-7", "every day at 09:00"),
        (
            "0 0 * * 5#2",
            "on the second Friday of every month at 00:00",
        ),
        ("0 0 * * 5L", "on the last Friday of every month at 00:00"),
        (
            "0 0 * * MON#1,MON#3,FRI#L",
            "on the first Monday, the third Monday and the last Friday of every month at 00:00",
        ),
        (
            "0 9 * * 2,5L",
            "every Tuesday and on the last Friday of every month at 09:00",
        ),
        (
            "*/15 9-17 * * 1-5",
            "every weekday, every 15 minutes from 09:00 to 17:45",
        ),
        ("*/10 * * * 0", "every Sunday, every 10 minutes"),
        // Days of the month.
        ("0 0 1 * *", "on the 1st of every month at 00:00"),
        ("@monthly", "on the 1st of every month at 00:00"),
        (
            "0 0 1,15 * *",
            "on the 1st and 15th of every month at 00:00",
        ),
        (
            "0 0 1-7,22,23 * *",
            "on the 1st to 7th, 22nd and 23rd of every month at 00:00",
        ),
        ("0 0 1-31 * *", "every day at 00:00"),
        (
            "0 0 */2 * *",
            "on every 2nd day from the 1st to the 31st of every month at 00:00",
        ),
        ("0 0 L * *", "on the last day of every month at 00:00"),
        ("0 9 LW * *", "on the last weekday of every month at 09:00"),
        (
            "0 0 15W * *",
            "on the weekday nearest to the 15th of every month at 00:00",
        ),
        (
            "0 0 11W,L * *",
            "on the weekday nearest to the 11th and the last day of every month at 00:00",
        ),
        // Months.
        ("0 0 29 2 *", "on the 29th of February at 00:00"),
        ("@yearly", "on the 1st of January at 00:00"),
        ("0 0 1 1,7 *", "on the 1st of January and July at 00:00"),
        (
            "0 0 1 1-3 *",
            "on the 1st of every month from January to March at 00:00",
        ),
        ("0 0 * 3 *", "every day in March at 00:00"),
        ("0 0 * 3,5 *", "every day in March and May at 00:00"),
        (
            "0 0 * 6-8 1-5",
            "every weekday from June to August at 00:00",
        ),
        ("0 0 * 3 5#1", "on the first Friday of March at 00:00"),
        ("0 * * 12 *", "every day in December, every hour"),
        // Both kinds of day.
        (
            "30 4 1,15 * 5",
            "on the 1st and 15th of every month and every Friday at 04:30",
        ),
        (
            "0 0 13 10 5",
            "on the 13th of October and every Friday in October at 00:00",
        ),
        (
            "0 12 1 * +MON",
            "on the 1st of every month when that is a Monday, at 12:00",
        ),
        (
            "0 9 1-7 * +1-5",
            "on the 1st to 7th of every month when that is a weekday, at 09:00",
        ),
        (
            "0 9 13 6 +TUE,FRI",
            "on the 13th of June when that is a Tuesday or a Friday, at 09:00",
        ),
        (
            "0 9 L * +5L",
            "on the last day of every month when that is the last Friday of the month, at 09:00",
        ),
        ("0 9 1-31 * 1", "every day at 09:00"),
        ("0 9 * * +MON", "every Monday at 09:00"),
    ] {
        let found = words(text, "UTC", "2026-11-26T12:00:00Z");
        assert_eq!(found, format!("{expected}, UTC"), "{text}");
    }
}

#[test]
fn zones_are_named_by_their_city() {
    for (zone, named) in [
        ("America/New_York", "New York time"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("Asia/Kathmandu", "Kathmandu time"),
        ("Etc/UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5 time"),
        ("Japan", "Japan time"),
    ] {
        let found = words("0 12 * * *", zone, "2026-11-26T12:00:00Z");
        assert_eq!(found, format!("every day at 12:00, {named}"));
    }
}

#[test]
fn the_next_exceptional_run_is_told_with_its_reason() {
    let from = "2026-11-26T12:00:00Z";
    for (text, zone, from, expected) in [
        (
            "30 2 * * *",
            "America/New_York",
            from,
            "on 14 March 2027 at 03:00 because 02:30 does not exist",
        ),
        (
            "30 2 * * *",
            "America/New_York",
            "2027-03-14T07:00:00Z",
            "on 12 March 2028 at 03:00 because 02:30 does not exist",
        ),
        (
            "0,30 2 * * *",
            "America/New_York",
            from,
            "on 14 March 2027 at 03:00 because 02:00 and 02:30 do not exist",
        ),
        (
            "0 2,3 * * *",
            "America/New_York",
            from,
            "on 14 March 2027 only once at 03:00 because 02:00 does not exist",
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2027-04-01T00:00:00Z",
            "on 7 November 2027 only the first time at 01:30 because it comes twice",
        ),
        (
            "*/15 2 * * *",
            "America/New_York",
            from,
            "on 14 March 2027 not at 02:00 to 02:45 because they do not exist",
        ),
        (
            "30 */2 * * *",
            "America/New_York",
            from,
            "on 14 March 2027 not at 02:30 because it does not exist",
        ),
        (
            "*/30 1 * * *",
            "America/New_York",
            from,
            "on 7 November 2027 both times at 01:00 and 01:30 because they come twice",
        ),
        (
            "0 0 * * 5",
            "Africa/Cairo",
            from,
            "on 30 April 2027 at 01:00 because 00:00 does not exist",
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2027-05-01T00:00:00Z",
            "on 3 October 2027 at 02:30 because 02:15 does not exist",
        ),
        (
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-20T00:00:00Z",
            "on 30 December 2011 not at 09:00 because it does not exist",
        ),
    ] {
        let found = words(text, zone, from);
        let (_, told) = found
            .split_once("; ")
            .unwrap_or_else(|| panic!("{text}: {found}"));
        assert_eq!(told, expected, "{text} in {zone}");
    }
}

#[test]
fn a_rhythm_that_goes_on_is_no_exception() {
    for (text, zone) in [
        ("*/15 * * * *", "America/New_York"),
        ("0 * * * *", "America/New_York"),
        ("0 9 * * 1-5", "America/New_York"),
        ("30 2 * * 1", "America/New_York"),
        ("30 2 * * *", "Asia/Kathmandu"),
        ("30 2 * * *", "UTC"),
    ] {
        let found = words(text, zone, "2026-11-26T12:00:00Z");
        assert!(!found.contains(';'), "{found}");
    }
}

#[test]
fn runs_say_what_the_clock_shows_and_what_happened_to_them() {
    let new_york = Zone::parse("America/New_York").expect("a zone");
    for (text, after, local, nominal, note) in [
        (
            "30 2 * * *",
            "2027-03-13T12:00:00Z",
            "2027-03-14T03:00:00-04:00",
            "2027-03-14T02:30:00",
            Some((
                NoteKind::Moved,
                "02:30 does not exist on 14 March 2027; it runs at 03:00.",
            )),
        ),
        (
            "30 2 * * *",
            "2027-03-14T12:00:00Z",
            "2027-03-15T02:30:00-04:00",
            "2027-03-15T02:30:00",
            None,
        ),
        (
            "30 1 * * *",
            "2027-11-06T12:00:00Z",
            "2027-11-07T01:30:00-04:00",
            "2027-11-07T01:30:00",
            Some((
                NoteKind::FirstOnly,
                "01:30 comes twice on 7 November 2027; it runs the first time only.",
            )),
        ),
        (
            "30 * * * *",
            "2027-11-07T05:00:00Z",
            "2027-11-07T01:30:00-04:00",
            "2027-11-07T01:30:00",
            Some((
                NoteKind::FirstPass,
                "01:30 comes twice on 7 November 2027 and runs both times; this is the first.",
            )),
        ),
        (
            "30 * * * *",
            "2027-11-07T05:30:00Z",
            "2027-11-07T01:30:00-05:00",
            "2027-11-07T01:30:00",
            Some((
                NoteKind::SecondPass,
                "01:30 comes twice on 7 November 2027 and runs both times; this is the second.",
            )),
        ),
    ] {
        let run = Cron::parse(text).expect(text).next(&new_york, at(after));
        let run = run.expect("a next run");
        assert_eq!((run.local.as_str(), run.nominal.as_str()), (local, nominal));
        let found = run
            .note
            .as_ref()
            .map(|note| (note.kind, note.text.as_str()));
        assert_eq!(found, note, "{text}");
    }
}
