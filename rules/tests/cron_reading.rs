//! What is a cron expression, what is none, and what is said of it.
//!
//! Invariant: a refusal names the field and what it takes; all wrong fields are told at once.
//! Failure: the expression is printed.

use rules::cron::{Cron, MAX_TEXT};

fn refused(text: &str) -> Vec<(String, String)> {
    let invalid = Cron::parse(text).expect_err(text);
    assert!(invalid.errors.iter().all(|error| error.pointer == "/cron"));
    let errors = invalid.errors.into_iter();
    errors.map(|error| (error.code, error.message)).collect()
}

#[test]
fn every_wrong_item_is_refused_with_its_field_and_what_that_takes() {
    for (text, code, field, takes) in [
        ("60 * * * *", "cron_range", "Minute: 60 is not", "0 to 59"),
        ("* 24 * * *", "cron_range", "Hour: 24 is not", "0 to 23"),
        (
            "* * 0 * *",
            "cron_range",
            "Day of month: 0 is not",
            "1 to 31",
        ),
        (
            "* * 32 * *",
            "cron_range",
            "Day of month: 32",
            "LW (last weekday)",
        ),
        ("* * * 13 *", "cron_range", "Month: 13 is not", "JAN to DEC"),
        (
            "* * * * 8",
            "cron_range",
            "Day of week: 8 is not",
            "0 and 7 are Sunday",
        ),
        (
            "*/0 * * * *",
            "cron_step",
            "Minute: the step of \"*/0\"",
            "1 to 60",
        ),
        ("*/90 * * * *", "cron_step", "Minute: the step", "1 to 60"),
        ("* */25 * * *", "cron_step", "Hour: the step", "1 to 24"),
        (
            "* * */32 * *",
            "cron_step",
            "Day of month: the step",
            "1 to 31",
        ),
        ("* * * */13 *", "cron_step", "Month: the step", "1 to 12"),
        (
            "* * * * */8",
            "cron_step",
            "Day of week: the step",
            "1 to 7",
        ),
        (
            "*/ * * * *",
            "cron_step",
            "Minute: the step of \"*/\"",
            "1 to 60",
        ),
        (
            "5/15 * * * *",
            "cron_step",
            "Minute: \"5/15\" steps from",
            "5-59/n or */n",
        ),
        (
            "1,,2 * * * *",
            "cron_empty_item",
            "Minute: \"1,,2\"",
            "lists (0,30)",
        ),
        ("1, * * * *", "cron_empty_item", "Minute: \"1,\"", "lists"),
        (
            "* * * * ,1",
            "cron_empty_item",
            "Day of week: \",1\"",
            "lists",
        ),
        ("* * * * +", "cron_empty_item", "Day of week: \"\"", "lists"),
        (
            "30-10 * * * *",
            "cron_range",
            "Minute: \"30-10\" runs backwards",
            "ranges",
        ),
        (
            "* * * * SAT-MON",
            "cron_range",
            "Day of week: \"SAT-MON\" runs",
            "ranges",
        ),
        (
            "* * * DEC-FEB *",
            "cron_range",
            "Month: \"DEC-FEB\" runs",
            "ranges",
        ),
        (
            "-5 * * * *",
            "cron_value",
            "Minute: a value is missing",
            "0 to 59",
        ),
        (
            "5- * * * *",
            "cron_value",
            "Minute: a value is missing",
            "0 to 59",
        ),
        (
            "1-2-3 * * * *",
            "cron_value",
            "Minute: \"2-3\" is not known",
            "0 to 59",
        ),
        (
            "x * * * *",
            "cron_value",
            "Minute: \"x\" is not known",
            "0 to 59",
        ),
        (
            "? * * * *",
            "cron_value",
            "Minute: \"?\" is not known",
            "0 to 59",
        ),
        (
            "H * * * *",
            "cron_value",
            "Minute: \"H\" is not known",
            "jitter",
        ),
        (
            "+5 * * * *",
            "cron_value",
            "Minute: \"+5\" is not known",
            "0 to 59",
        ),
        (
            "* MON * * *",
            "cron_value",
            "Hour: \"MON\" is a name of the day of week",
            "0 to 23",
        ),
        (
            "0 0 MON * *",
            "cron_value",
            "Day of month: \"MON\" is a name",
            "1 to 31",
        ),
        (
            "0 0 * MON *",
            "cron_value",
            "Month: \"MON\" is a name",
            "JAN to DEC",
        ),
        (
            "0 0 * * JAN",
            "cron_value",
            "Day of week: \"JAN\" is a name of the month",
            "SUN to SAT",
        ),
        (
            "0 0 * * MONDAY",
            "cron_value",
            "Day of week: \"MONDAY\"",
            "three letters",
        ),
        (
            "0 0 * JANUARY *",
            "cron_value",
            "Month: \"JANUARY\"",
            "three letters",
        ),
        (
            "0 0 L-2 * *",
            "cron_value",
            "Day of month: \"L\" stands alone",
            "L (last day)",
        ),
        ("0 0 W * *", "cron_value", "Day of month: \"W\"", "15W"),
        ("0 0 32W * *", "cron_range", "Day of month: 32", "15W"),
        ("0 0 1-5W * *", "cron_value", "Day of month: \"5W\"", "15W"),
        (
            "0 L * * *",
            "cron_value",
            "Hour: \"L\" is not known",
            "0 to 23",
        ),
        (
            "0 0 * * L",
            "cron_value",
            "Day of week: L needs a day",
            "5L",
        ),
        (
            "0 0 * * 1#0",
            "cron_range",
            "Day of week: what follows the #",
            "1 to 5",
        ),
        (
            "0 0 * * 1#6",
            "cron_range",
            "Day of week: what follows the #",
            "1 to 5",
        ),
        (
            "0 0 * * #1",
            "cron_value",
            "Day of week: a value is missing",
            "5#2",
        ),
        (
            "0 0 * * 1-5#1",
            "cron_value",
            "Day of week: \"1-5\" is not known",
            "5#2",
        ),
        (
            "0 0 1#1 * *",
            "cron_value",
            "Day of month: \"1#1\" is not known",
            "1 to 31",
        ),
        (
            "0 0 * * 1,+2",
            "cron_value",
            "Day of week: \"+2\" is not known",
            "+ in front",
        ),
    ] {
        let errors = refused(text);
        assert_eq!(errors.len(), 1, "{text}");
        let (found, message) = &errors[0];
        assert_eq!(found, code, "{text}: {message}");
        assert!(message.starts_with(field), "{text}: {message}");
        assert!(message.contains(takes), "{text}: {message}");
    }
}

#[test]
fn all_wrong_fields_are_told_at_once() {
    let errors = refused("60 24 0 13 8");
    let fields: Vec<_> = errors
        .iter()
        .filter_map(|(_, message)| message.split(':').next())
        .collect();
    assert_eq!(
        fields,
        ["Minute", "Hour", "Day of month", "Month", "Day of week"]
    );
}

#[test]
fn what_is_no_five_fields_is_told_so() {
    for (text, code, says) in [
        (
            "",
            "cron_field_count",
            "minute, hour, day of month, month, day of week",
        ),
        (" \t ", "cron_field_count", "five fields"),
        ("* * * *", "cron_field_count", "Has 4 of the five fields"),
        ("0 * * * * *", "cron_field_count", "Has 6 fields"),
        (
            "* * * * * UTC",
            "cron_field_count",
            "time zones do not belong",
        ),
        ("0 0 0 1 1 ? 2027", "cron_field_count", "Has 7 fields"),
        ("@reboot", "cron_macro", "@reboot names no time"),
        ("@every 5m", "cron_macro", "*/5"),
        ("@fortnightly", "cron_macro", "@weekly"),
        ("@daily @daily", "cron_macro", "is not known"),
        ("@daily * * * *", "cron_macro", "is not known"),
        ("\u{663} * * * *", "cron_character", "ASCII"),
        ("0\u{a0}0 * * *", "cron_character", "ASCII"),
        ("0 0 * *\n*", "cron_character", "ASCII"),
        ("0 0 * * *\0", "cron_character", "ASCII"),
    ] {
        let errors = refused(text);
        assert_eq!((errors.len(), errors[0].0.as_str()), (1, code), "{text:?}");
        assert!(errors[0].1.contains(says), "{text:?}: {}", errors[0].1);
    }
    let long = format!("{} * * * *", vec!["0"; 125].join(","));
    assert_eq!(long.len(), MAX_TEXT + 1);
    assert_eq!(refused(&long)[0].0, "cron_too_long");
    assert!(Cron::parse(&long[2..]).is_ok());
}

#[test]
fn what_is_valid_is_taken_and_kept_as_it_was_written() {
    for text in [
        "* * * * *",
        "59 23 31 12 7",
        "00 00 01 01 00",
        "*/60 */24 */31 */12 */7",
        "0,5-7,59 0 * * *",
        "10-40/15 8 * * *",
        "0-59/60 * * * *",
        "0 0 * jan-Mar mon-FRI",
        "0 0 * * FRI-SUN",
        "0 0 * * SUN-SAT",
        "0 0 * * 0-7",
        "0 0 l * *",
        "0 0 LW,1w,15W * *",
        "0 0 * * friL,5#L,MON#1",
        "0 0 ? * ?",
        "0 0 13 * ?",
        "0 12 1 * +MON",
        "*,5 * * * *",
        "@daily",
        "@Midnight",
        "@ANNUALLY",
    ] {
        let cron = Cron::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid:?}"));
        assert_eq!(cron.to_string(), text);
        assert_eq!(Cron::parse(&cron.to_string()), Ok(cron));
    }
    let spaced = Cron::parse("  0\t9  *   * 1-5 ").unwrap();
    assert_eq!(spaced.to_string(), "0 9 * * 1-5");
}

#[test]
fn surprises_are_hinted_at() {
    for (text, codes) in [
        ("0 9 * * 1-5", &[][..]),
        ("*/15 * * * *", &[]),
        ("10-40/15 * * * *", &[]),
        ("0 9 L * *", &[]),
        ("0 0 1 * +MON", &[]),
        ("0 0 13 * 5", &["cron_day_or"]),
        ("0 0 */2 * 1", &["cron_day_step_or"]),
        ("0 0 1 * */2", &["cron_day_step_or"]),
        ("0 0 31 * *", &["cron_short_month"]),
        ("0 0 29-31 * *", &["cron_short_month"]),
        ("0 0 31 1,3,5 *", &[]),
        ("0 0 28-31 * *", &[]),
        ("0 0 29 2 *", &["cron_leap_day"]),
        ("* 9 * * *", &["cron_every_minute"]),
        ("*/7 * * * *", &["cron_uneven_minutes"]),
        ("0 */5 * * *", &["cron_uneven_hours"]),
        ("0 0-23 * * *", &["cron_range_for_star"]),
    ] {
        let lints = Cron::parse(text).expect(text).lint();
        let found: Vec<_> = lints.iter().map(|lint| lint.code.as_str()).collect();
        assert_eq!(found, codes, "{text}");
        assert!(lints.iter().all(|lint| lint.message.ends_with('.')));
    }
}
