//! Labelled series from CSV: how they are read, how events are counted, what is refused.

use rules::cases::run;
use rules::detector::Kind;
use rules::detector::cases::scores;

const FILE: &str = include_str!("cases/detector_cases.csv");

/// What is wrong with a file.
fn refused(csv: &str) -> Vec<String> {
    let invalid = run("detector", csv).expect_err("a refusal");
    let mut messages = Vec::new();
    for error in invalid.errors {
        messages.push(error.message);
    }
    messages
}

#[test]
fn every_series_is_scored_by_its_events() {
    let scores = scores(FILE).expect("scores");
    let found: Vec<_> = scores
        .iter()
        .map(|one| {
            (
                one.series.as_str(),
                one.kind,
                one.score.events,
                one.score.caught,
            )
        })
        .collect();
    let expected = [
        ("basket", Kind::Value, 1, 1),
        ("countries", Kind::Value, 1, 1),
        ("nulls", Kind::Rate, 1, 1),
        ("orders", Kind::Count, 2, 2),
    ];
    assert_eq!(found, expected);
    assert!(
        scores
            .iter()
            .all(|one| one.score.weeks > 1.0 && one.score.episodes == one.score.right)
    );
}

#[test]
fn a_missed_event_and_a_false_episode_are_told() {
    let moved: Vec<String> = FILE
        .lines()
        .map(|line| match line.strip_prefix("countries") {
            // The label is elsewhere than the change.
            Some(_) if line.contains(",39,") => line.replace(",39,1", ",39,0"),
            Some(_) if line.contains("2026-05-18T0") => line.replace(",42,0", ",42,1"),
            _ => line.to_owned(),
        })
        .collect();
    let results = run("detector", &moved.join("\n")).expect("results");
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].id, "countries");
    assert_eq!(failed[0].detail, "1 of 1 events missed, 1 false episodes");
}

#[test]
fn columns_may_stand_in_any_order_and_rows_too() {
    let mut lines: Vec<String> = FILE
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [series, kind, at, value, label] = cells.as_slice() else {
                panic!("{line}");
            };
            let at = at.replace('T', " ").replace('Z', "");
            let label = if *label == "1" { "true" } else { "False" };
            format!("{label},{value},note,{series},{at},{kind}")
        })
        .collect();
    lines.reverse();
    lines.insert(0, "label,value,why,series,timestamp,kind".to_owned());
    assert_eq!(scores(&lines.join("\r\n")), scores(FILE));
}

#[test]
fn rates_above_one_are_percentages_and_an_empty_value_is_a_missing_bucket() {
    let percent = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        match cells.as_slice() {
            [series, kind @ "rate", at, value, label] => {
                let value = value.parse::<f64>().unwrap() * 100.0;
                format!("{series},{kind},{at},{value},{label}")
            }
            _ => line.to_owned(),
        }
    };
    let lines: Vec<String> = FILE.lines().map(percent).collect();
    let nulls = |csv: &str| scores(csv).unwrap()[2].score;
    assert_eq!(nulls(&lines.join("\n")), nulls(FILE));
    let gaps = FILE.replace("2026-05-05T03:00:00Z,42,0", "2026-05-05T03:00:00Z,,0");
    assert_ne!(gaps, FILE);
    assert_eq!(scores(&gaps).unwrap()[1].score.caught, 1);
}

#[test]
fn a_row_that_cannot_be_read_is_named_by_its_line() {
    let rows = "series,kind,timestamp,value,label\n\
        a,count,2026-01-01T00:00:00Z,1,0\n\
        a,count,2026-01-01T01:00:00Z,x,0\n\
        a,tea,2026-01-01T02:00:00Z,1,0\n\
        a,count,2026-01-01T03:00:00Z,1\n\
        a,count,yesterday,1,0\n\
        a,count,2026-01-01T05:00:00Z,1,maybe\n\
        a,count,2026-01-01T06:00:00Z,-1,0\n\
        a,value,2026-01-01T07:00:00Z,1,0\n\
        ,count,2026-01-01T08:00:00Z,1,0\n\
        a,count,2026-01-01T00:00:00Z,2,0\n\
        a,count,2026-01-01T09:00:00Z,inf,0\n";
    let told = refused(rows);
    for line in [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] {
        let prefix = format!("line {line}: ");
        assert!(
            told.iter().any(|message| message.starts_with(&prefix)),
            "{line}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 10, "{told:#?}");
    let columns = "The first line must name the columns series, kind, timestamp, value, label.";
    for other in [
        "",
        "[]",
        "series,kind,timestamp,value\na,count,2026-01-01,1\n",
    ] {
        assert_eq!(refused(other), [columns]);
    }
}
