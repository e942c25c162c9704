//! The ready-made templates, and that what the builtin writer writes is true.
//!
//! Invariant: whatever the data are, a composed report has no figure that nothing explains.
//! Failure: the report and its untraced figures.

mod report_support;

use report_support::{Random, dataset};
use rules::civil::Zone;
use rules::report::compose::{self, Text};
use rules::report::document::{self, DocumentIn};
use rules::report::figures::{self, Context};
use rules::report::ready::{TEMPLATES, find};
use rules::report::template::Variables;
use rules::report::{Column, Dataset, Kind};
use serde_json::{Value, json};

fn written(text: &str, data: &[Dataset], zone: &Zone) -> String {
    let scheduled_for = "2026-11-26T08:00:00Z".parse().unwrap();
    let variables = Variables {
        title: "Daily",
        zone,
        scheduled_for,
        data,
        parts: &[],
    };
    compose::report(&Text { text, variables }).expect("a report")
}

#[track_caller]
fn is_true(report: &str, prompt: &str, data: &[Dataset], zone: &Zone) {
    let scheduled_for = "2026-11-26T08:00:00Z".parse().unwrap();
    let checked = figures::check(
        report,
        data,
        &Context {
            zone,
            scheduled_for,
            prompt,
        },
    );
    let untraced: Vec<_> = checked
        .figures
        .iter()
        .filter(|figure| figure.traced.is_none())
        .map(|figure| &figure.text)
        .collect();
    assert!(untraced.is_empty(), "{untraced:?} in\n{report}");
}

#[test]
fn each_ready_made_template_is_a_text_like_any_other() {
    for ready in TEMPLATES {
        let blocks = compose::check(ready.text).expect(ready.key);
        assert!(
            blocks.len() >= 3 && ready.description.ends_with('.'),
            "{}",
            ready.key
        );
        assert_eq!(
            find(ready.key),
            Some(&ready).map(|ready| TEMPLATES
                .iter()
                .find(|other| other.key == ready.key)
                .unwrap())
        );
    }
    assert_eq!(find("nothing"), None);
}

/// What the blocks of the templates may find.
fn event_day() -> Vec<Dataset> {
    let number = Kind::Number;
    vec![
        dataset(
            "doors",
            &[
                ("admissions", number),
                ("guests", number),
                ("walk_ins", number),
                ("exits", number),
                ("refused", number),
            ],
            json!([[1204, 1180, 12, 310, 48]]),
        ),
        dataset(
            "arrivals",
            &[("hour", Kind::Time), ("admissions", number)],
            json!([
                ["2026-11-25T18:00:00+01:00", 702],
                ["2026-11-25T19:00:00+01:00", 502]
            ]),
        ),
        dataset(
            "gates",
            &[
                ("gate", Kind::Text),
                ("admissions", number),
                ("forced", number),
            ],
            json!([["North", 800, 3], ["no gate", 404, 0]]),
        ),
        dataset(
            "refusals",
            &[("reason", Kind::Text), ("refused", number)],
            json!([["unknown_code", 40], ["wrong_gate", 8]]),
        ),
        dataset(
            "lists",
            &[
                ("list", Kind::Text),
                ("guests", number),
                ("checked_in", number),
                ("inside", number),
                ("pct_checked_in", number),
            ],
            json!([["Gala 2026", 1500, 1180, 870, 78.7]]),
        ),
    ]
}

#[test]
fn the_event_day_is_told_truly_and_completely() {
    let (zone, data, ready) = (
        Zone::parse("Europe/Berlin").unwrap(),
        event_day(),
        find("event_day").unwrap(),
    );
    let report = written(ready.text, &data, &zone);
    is_true(&report, ready.text, &data, &zone);
    for part in [
        "# Daily",
        "26 November 2026, 09:00",
        "**Admissions:** 1,204",
        "chart:arrivals?form=bar",
        "chart:gates?form=horizontal",
        "| unknown\\_code | 40 |",
        "78.7 %",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
    let message = document::make(&DocumentIn {
        name: "Daily",
        subject: None,
        report: &report,
        data: &data,
        zone: &zone,
        scheduled_for: "2026-11-26T08:00:00Z".parse().unwrap(),
        footer: "",
        attach_data: false,
        pictures: true,
    });
    assert_eq!(message.charts.len(), 2);
}

#[test]
fn a_quiet_day_is_told_in_one_sentence() {
    let (zone, mut data, ready) = (Zone::utc(), event_day(), find("event_day").unwrap());
    data[0].rows = vec![vec![json!(0); 5]];
    for set in &mut data[1..] {
        set.rows.clear();
    }
    let report = written(ready.text, &data, &zone);
    assert!(
        report.contains("Nobody was admitted.") && !report.contains("chart:"),
        "{report}"
    );
    is_true(&report, ready.text, &data, &zone);
}

#[test]
fn nothing_that_the_builtin_writer_writes_is_untrue() {
    let columns = [
        "total",
        "orders",
        "revenue_eur",
        "pct_paid",
        "show_rate",
        "year",
        "id",
        "wait_ms",
        "note",
        "open",
        "day",
        "at",
        "gate 4",
        "Ø je Tag",
    ];
    let texts = [
        "North",
        "Gate 7",
        "12,5 %",
        "2026-11-26 at 9",
        "a|b",
        "Q3",
        "€5 off",
        "",
        "<b>17</b>",
        "3 of 4",
        "№ 12",
        "1.000.000",
        "x\ny 9",
    ];
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut data = Vec::new();
        let mut text = "A report.\n\n".to_owned();
        for at in 0..=random.below(3) {
            let name = format!("set_{at}");
            let wide = 1 + random.below(5);
            let columns: Vec<Column> = (0..wide)
                .map(|_| Column {
                    name: (*random.pick(&columns)).to_owned(),
                    kind: *random.pick(&[
                        Kind::Text,
                        Kind::Number,
                        Kind::Number,
                        Kind::Time,
                        Kind::Bool,
                    ]),
                })
                .collect();
            let rows = (0..*random.pick(&[0, 1, 1, 2, 9, 60]))
                .map(|_| {
                    columns
                        .iter()
                        .map(|column| cell(&mut random, column.kind, &texts))
                        .collect()
                })
                .collect();
            let chart = *random.pick(&["", " chart=bar", " chart=line rows=3"]);
            text.push_str(&format!("```sql name={name}{chart}\nselect 1\n```\n\n"));
            data.push(Dataset {
                name,
                sql: Some("select 1".into()),
                columns,
                rows,
                truncated: random.below(4) == 0,
            });
        }
        let zone = Zone::parse("America/New_York").unwrap();
        let report = written(&text, &data, &zone);
        is_true(&report, &text, &data, &zone);
    }
}

fn cell(random: &mut Random, kind: Kind, texts: &[&str]) -> Value {
    if random.below(10) == 0 {
        return Value::Null;
    }
    match kind {
        Kind::Text => json!(random.pick(texts)),
        Kind::Bool => json!(random.below(2) == 0),
        Kind::Time => json!(random.pick(&[
            "2026-11-24",
            "2026-11-24T23:30:00Z",
            "2026-03-29T01:30:00+00:00",
            "09:30:00",
            "2019-01-01T12:00:00"
        ])),
        Kind::Number => match random.below(6) {
            0 => json!(random.below(20)),
            1 => json!(random.below(10_000_000)),
            2 => json!((random.unit() * 1e6).round() / 100.0),
            3 => json!(format!("{:.3}", random.unit() * 1e4)),
            4 => json!(-(random.unit() * 1e3)),
            _ => json!(random.unit()),
        },
    }
}
