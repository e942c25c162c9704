//! What organisers and devices send: settings, gates, hours, scans, clocks, nonces.
//!
//! Invariant: everything wrong is reported, each with its pointer; nothing wrong gets through.
//! Failure: a table names the input that behaved otherwise.

mod checkin_support;

use std::collections::BTreeSet;

use checkin_support::*;
use chrono::TimeDelta;
use rules::checkin::clock::Times;
use rules::checkin::hours::{self, Minute};
use rules::checkin::*;
use rules::civil::Weekday;
use rules::invalid::Invalid;
use serde_json::{Value, json};
use uuid::Uuid;

/// Pointers and codes of what was wrong, in order.
fn told<T: std::fmt::Debug>(result: Result<T, Invalid>) -> Vec<(String, String)> {
    let errors = result.unwrap_err().errors;
    errors
        .into_iter()
        .map(|error| (error.pointer, error.code))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(at, code)| ((*at).to_owned(), (*code).to_owned()))
        .collect()
}

#[test]
fn settings_have_the_published_defaults_and_every_field() {
    let written = serde_json::to_value(Settings::default()).unwrap();
    assert_eq!(
        written,
        json!({
            "allow_duplicate_scans": false, "allow_reentry": false, "entries_per_day": null,
            "max_entries": null, "capacity": null, "capacity_mode": "hard", "categories": [],
            "opens_at": null, "closes_at": null, "opening_hours": [], "walk_ins": true,
            "guest_scanning": false, "offline_mode": true, "show_popup": true, "admit_unpaid": false,
            "exit_all_at": null, "questions": []
        })
    );
    assert_eq!(
        Settings::parse(&json!({}), "/settings").unwrap(),
        Settings::default()
    );
    assert_eq!(
        serde_json::from_value::<Settings>(json!({})).unwrap(),
        Settings::default()
    );
}

#[test]
fn a_patch_changes_what_it_names_and_null_restores_the_default() {
    let all = json!({
        "allow_duplicate_scans": true, "allow_reentry": true, "entries_per_day": 2,
        "max_entries": 9, "capacity": 500, "capacity_mode": "warn", "categories": [" vip ", "press"],
        "opens_at": "2024-06-01T18:00:00.000Z", "closes_at": "2024-06-02T02:00:00.000Z",
        "opening_hours": [{"day": "sat", "from": "18:00", "to": "24:00"}], "walk_ins": false,
        "guest_scanning": true, "offline_mode": false, "show_popup": false, "admit_unpaid": true,
        "exit_all_at": "04:00", "questions": [{"id": "q", "text": "Why?"}]
    });
    let set = Settings::parse(&all, "/settings").unwrap();
    assert_eq!(set.categories, ["vip", "press"]);
    let written = serde_json::to_value(&set).unwrap();
    assert_eq!(
        serde_json::from_value::<Settings>(written.clone()).unwrap(),
        set
    );
    assert_eq!(Settings::parse(&written, "").unwrap(), set);
    let changed = set.patch(&json!({"capacity": 600}), "/settings").unwrap();
    assert_eq!(
        changed,
        Settings {
            capacity: Some(600),
            ..set.clone()
        }
    );
    let nulls: Value = all
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (key.clone(), Value::Null))
        .collect();
    assert_eq!(set.patch(&nulls, "/settings").unwrap(), Settings::default());
}

#[test]
fn every_wrong_setting_is_reported() {
    let wrong = json!({
        "allow_reentry": "yes", "entries_per_day": 0, "max_entries": 1.5, "capacity": "many",
        "capacity_mode": "soft", "categories": ["vip", "", "vip", 7], "opens_at": "tomorrow",
        "opening_hours": [{"day": "someday", "from": "24:00", "to": "9"}, 5, {"day": "mon", "from": "09:00", "to": "09:00", "x": 1}],
        "walk_in": true, "a/b~c": 1
    });
    assert_eq!(
        told(Settings::parse(&wrong, "/settings")),
        pairs(&[
            ("/settings/allow_reentry", "invalid_type"),
            ("/settings/entries_per_day", "out_of_range"),
            ("/settings/max_entries", "out_of_range"),
            ("/settings/capacity", "invalid_type"),
            ("/settings/capacity_mode", "invalid_choice"),
            ("/settings/categories/1", "required"),
            ("/settings/categories/2", "repeated"),
            ("/settings/categories/3", "invalid_type"),
            ("/settings/opens_at", "invalid_time"),
            ("/settings/opening_hours/0/day", "invalid_day"),
            ("/settings/opening_hours/0/from", "invalid_clock"),
            ("/settings/opening_hours/0/to", "invalid_clock"),
            ("/settings/opening_hours/1", "invalid_type"),
            ("/settings/opening_hours/1/day", "invalid_day"),
            ("/settings/opening_hours/1/from", "invalid_clock"),
            ("/settings/opening_hours/1/to", "invalid_clock"),
            ("/settings/opening_hours/2/to", "empty_span"),
            ("/settings/opening_hours/2/x", "unknown_field"),
            ("/settings/a~1b~0c", "unknown_field"),
            ("/settings/walk_in", "unknown_field"),
        ])
    );
    assert_eq!(
        told(Settings::parse(&json!([]), "/settings")),
        pairs(&[("/settings", "invalid_type")])
    );
}

#[test]
fn limits_of_counts_and_times() {
    for (field, most) in [
        ("entries_per_day", 1_000),
        ("max_entries", 10_000),
        ("capacity", 10_000_000),
    ] {
        for (value, good) in [
            (json!(1), true),
            (json!(most), true),
            (json!(most + 1), false),
            (json!(0), false),
            (json!(-1), false),
        ] {
            let read = Settings::parse(&json!({ field: value.clone() }), "");
            assert_eq!(read.is_ok(), good, "{field} {value}");
        }
    }
    let open = Settings::parse(&json!({"opens_at": "2024-06-01T18:00:00Z"}), "").unwrap();
    for (closes, good) in [
        ("2024-06-01T18:00:00Z", false),
        ("2024-06-01T20:00:00.001+02:00", true),
    ] {
        let patched = open.patch(&json!({"closes_at": closes}), "/settings");
        assert_eq!(patched.is_ok(), good, "{closes}");
    }
}

#[test]
fn gates_are_named_once_whatever_the_letter_case() {
    let gates = json!([{"name": " North ", "categories": ["vip"]}, {"name": "South"}]);
    let gates = gate::parse(&gates, "/gates").unwrap();
    assert_eq!(
        gates[0],
        Gate {
            name: "North".to_owned(),
            categories: vec!["vip".to_owned()]
        }
    );
    assert!(
        gates[0].admits(Some("vip")) && !gates[0].admits(Some("VIP")) && !gates[0].admits(None)
    );
    assert!(gates[1].admits(None));
    assert_eq!(gate::find(&gates, "NORTH").unwrap().name, "North");
    assert!(gate::find(&gates, "Nort").is_none());
    assert_eq!(gate::parse(&Value::Null, "/gates").unwrap(), []);
    let wrong = json!([{"name": "Ä"}, {"name": "ä"}, {"name": "x".repeat(81)}, {"categories": "vip"}, 3, {"name": "A", "colour": "red"}]);
    assert_eq!(
        told(gate::parse(&wrong, "/gates")),
        pairs(&[
            ("/gates/1/name", "gate_exists"),
            ("/gates/2/name", "too_long"),
            ("/gates/3/name", "required"),
            ("/gates/3/categories", "invalid_type"),
            ("/gates/4", "invalid_type"),
            ("/gates/4/name", "required"),
            ("/gates/5/colour", "unknown_field"),
        ])
    );
}

#[test]
fn opening_hours_hold_to_the_minute_over_midnight_and_over_the_week() {
    let minute = |text: &str| Minute::parse(text).unwrap();
    let span = |day, from, to| Hours {
        day,
        from: minute(from),
        to: minute(to),
    };
    let week = [
        span(Weekday::Mon, "09:00", "18:00"),
        span(Weekday::Sat, "22:00", "24:00"),
        span(Weekday::Sun, "23:00", "01:30"),
    ];
    for (day, clock, open) in [
        (Weekday::Mon, "08:59", false),
        (Weekday::Mon, "09:00", true),
        (Weekday::Mon, "17:59", true),
        (Weekday::Mon, "18:00", false),
        (Weekday::Sat, "23:59", true),
        (Weekday::Sun, "00:00", false),
        (Weekday::Sun, "23:00", true),
        (Weekday::Mon, "01:29", true),
        (Weekday::Mon, "01:30", false),
        (Weekday::Tue, "09:00", false),
    ] {
        assert_eq!(
            hours::open(&week, day, minute(clock).0),
            open,
            "{day} {clock}"
        );
    }
    let next = |day, clock| hours::next_opening(&week, day, minute(clock).0).unwrap();
    assert_eq!(next(Weekday::Mon, "08:00"), (Weekday::Mon, minute("09:00")));
    assert_eq!(next(Weekday::Mon, "18:00"), (Weekday::Sat, minute("22:00")));
    assert_eq!(next(Weekday::Sun, "12:00"), (Weekday::Sun, minute("23:00")));
    let one = [span(Weekday::Mon, "09:00", "10:00")];
    assert_eq!(
        hours::next_opening(&one, Weekday::Mon, 600),
        Some((Weekday::Mon, minute("09:00")))
    );
    assert!(hours::open(&[], Weekday::Mon, 0));
    for bad in [
        "9:00",
        "24:01",
        "12:60",
        "12:5",
        "+1:00",
        "12",
        "12:000",
        "１２:00",
        "",
    ] {
        assert_eq!(Minute::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_scan_is_about_exactly_one_guest() {
    let (now, row, walk_in) = (
        on_day("18:00:00"),
        Some(guest(1)),
        WalkIn {
            name: "Eve".into(),
            ..WalkIn::default()
        },
    );
    let scan = ScanIn {
        nonce: "n".into(),
        ..ScanIn::default()
    };
    for (barcode, row_id, walk_in) in [
        (None, None, None),
        (Some("A".to_owned()), row, None),
        (Some("A".to_owned()), None, Some(walk_in.clone())),
        (None, row, Some(walk_in.clone())),
        (Some("A".to_owned()), row, Some(walk_in)),
    ] {
        let body = ScanIn {
            barcode,
            row_id,
            walk_in,
            ..scan.clone()
        };
        assert_eq!(told(body.parse(now)), pairs(&[("", "one_target")]));
    }
}

#[test]
fn texts_of_a_scan_are_bounded() {
    let long = |most: usize| "ü".repeat(most);
    type Change = fn(&mut ScanIn, String);
    let fields: [(&str, usize, Change); 6] = [
        ("/nonce", 200, |scan, text| scan.nonce = text),
        ("/barcode", 512, |scan, text| scan.barcode = Some(text)),
        ("/gate", 80, |scan, text| scan.gate = Some(text)),
        ("/notes", 2_000, |scan, text| scan.notes = Some(text)),
        ("/scanner/name", 200, |scan, text| {
            scan.scanner = Some(Scanner {
                name: Some(text),
                email: None,
            })
        }),
        ("/scanner/email", 254, |scan, text| {
            scan.scanner = Some(Scanner {
                name: None,
                email: Some(text),
            })
        }),
    ];
    for (pointer, most, change) in fields {
        let parse = |text: String| {
            let mut scan = scan_of("A", "n");
            change(&mut scan, text);
            scan.parse(on_day("18:00:00"))
        };
        assert_eq!(told(parse("a\0b".to_owned()))[0].0, pointer);
        assert_eq!(told(parse(long(most + 1)))[0].0, pointer);
        if pointer != "/scanner/email" {
            parse(long(most)).unwrap();
        }
    }
    let walk_in = WalkIn {
        name: " ".into(),
        email: Some("x".into()),
        category: Some(long(81)),
        barcode: Some(long(513)),
    };
    let body = ScanIn {
        walk_in: Some(walk_in),
        nonce: String::new(),
        ..ScanIn::default()
    };
    assert_eq!(
        told(body.parse(on_day("18:00:00"))),
        pairs(&[
            ("/nonce", "required"),
            ("/walk_in/name", "required"),
            ("/walk_in/email", "invalid_email"),
            ("/walk_in/category", "too_long"),
            ("/walk_in/barcode", "too_long"),
        ])
    );
}

#[test]
fn a_body_is_read_strictly() {
    let table = Uuid::from_u128(1);
    let good = json!({"table_id": table, "barcode": "A", "nonce": "n", "scanned_at": "2024-06-01T18:00:00+02:00", "gate": null});
    let read: ScanIn = serde_json::from_value(good).unwrap();
    assert_eq!(
        (read.direction, read.force, read.scanned_at),
        (Direction::Entry, false, Some(on_day("16:00:00")))
    );
    for bad in [
        json!({"table_id": table, "barcode": "A"}),
        json!({"table_id": "1", "barcode": "A", "nonce": "n"}),
        json!({"table_id": table, "barcode": "A", "nonce": "n", "direction": "up"}),
        json!({"table_id": table, "barcode": "A", "nonce": "n", "forced": true}),
        json!({"table_id": table, "barcode": "A", "nonce": "n", "scanned_at": "2024-06-01 18:00:00"}),
        json!({"table_id": table, "walk_in": {"name": "Eve", "age": 7}, "nonce": "n"}),
        json!({"table_id": table, "barcode": 7, "nonce": "n"}),
    ] {
        assert!(
            serde_json::from_value::<ScanIn>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn device_clocks_are_corrected() {
    let received = on_day("18:10:00");
    // scanned, sent → corrected, skew in seconds, flagged
    for (scanned, sent, corrected, skew, large) in [
        (None, None, "18:10:00", 0, false),
        (Some("18:02:00"), None, "18:02:00", 0, false),
        (Some("18:10:00"), None, "18:10:00", 0, false),
        (Some("18:10:30"), None, "18:10:00", -30, false),
        (Some("18:10:31"), None, "18:10:00", -31, true),
        (None, Some("17:10:00"), "18:10:00", 3_600, true),
        (Some("18:02:00"), Some("18:09:59"), "18:02:01", 1, false),
        (Some("17:02:00"), Some("17:10:00"), "18:02:00", 3_600, true),
        (Some("19:02:00"), Some("19:10:00"), "18:02:00", -3_600, true),
        (Some("18:05:00"), Some("18:04:00"), "18:10:00", 360, true),
        (Some("18:02:00"), Some("18:09:30"), "18:02:30", 30, false),
        (Some("18:02:00"), Some("18:09:29"), "18:02:31", 31, true),
    ] {
        let times = Times::correct(scanned.map(on_day), sent.map(on_day), received).unwrap();
        let got = (times.check_in_time, times.clock_skew_ms, times.large_skew);
        assert_eq!(
            got,
            (on_day(corrected), skew * 1_000, large),
            "{scanned:?} {sent:?}"
        );
        assert_eq!(
            (times.scanned_at, times.sent_at),
            (scanned.map(on_day), sent.map(on_day))
        );
    }
    let year = |year: &str| Some(at(&format!("{year}-01-01T00:00:00Z")));
    let far = Times::correct(None, year("2000"), received).unwrap();
    assert_eq!((far.clock_skew_ms, far.check_in_time), (i32::MAX, received));
    for (scanned, sent, wrong) in [
        (year("1999"), None, vec!["/scanned_at"]),
        (year("2100"), year("1970"), vec!["/scanned_at", "/sent_at"]),
    ] {
        let told = told(Times::correct(scanned, sent, received));
        assert_eq!(
            told.iter()
                .map(|error| error.0.as_str())
                .collect::<Vec<_>>(),
            wrong
        );
    }
    let fine = received + TimeDelta::nanoseconds(1_999_999);
    let times = Times::correct(Some(fine), None, fine).unwrap();
    assert_eq!(
        times.check_in_time,
        received + TimeDelta::milliseconds(1),
        "cut to milliseconds"
    );
}

#[test]
fn no_two_different_scans_share_a_nonce_key() {
    let texts = [
        "a", "a|", "|a", "a|b", "b|a", "1:a", "b1:a", "a|n", "n", "|", "::", "0:",
    ];
    let mut keys = BTreeSet::new();
    let mut made = 0;
    let mut add = |scan: ScanIn, origin: u128| {
        keys.insert(
            scan.parse(on_day("18:00:00"))
                .unwrap()
                .nonce_key(device(origin)),
        );
        made += 1;
    };
    for origin in 0..2 {
        for direction in [Direction::Entry, Direction::Exit] {
            for code in texts {
                for nonce in texts {
                    add(
                        ScanIn {
                            direction,
                            ..scan_of(code, nonce)
                        },
                        origin,
                    );
                }
            }
            for row in 0..3 {
                let scan = ScanIn {
                    barcode: None,
                    row_id: Some(guest(row)),
                    ..scan_of("", "n")
                };
                add(
                    ScanIn {
                        direction,
                        ..scan.clone()
                    },
                    origin,
                );
                add(
                    ScanIn {
                        direction,
                        ..scan_of(&guest(row).to_string(), "n")
                    },
                    origin,
                );
            }
        }
        for name in texts {
            for code in texts {
                let walk_in = WalkIn {
                    name: name.into(),
                    barcode: Some(code.into()),
                    ..WalkIn::default()
                };
                add(
                    ScanIn {
                        barcode: None,
                        walk_in: Some(walk_in),
                        ..scan_of("", "n")
                    },
                    origin,
                );
            }
        }
    }
    assert_eq!(keys.len(), made);
    let key = scan_of("A", "n1")
        .parse(on_day("18:00:00"))
        .unwrap()
        .nonce_key(guest(1));
    assert_eq!(key, "00000000-0000-0000-0000-000000000001|entry|b1:A|n1");
}
