//! The case files of the platform's rules pass; a wrong expectation and a wrong file are told.

const FILES: [(&str, &str, usize); 7] = [
    (
        "checkin",
        include_str!("cases/checkin_ticket_cases.json"),
        15,
    ),
    ("cron", include_str!("cases/cron_cases.json"), 85),
    ("detector", include_str!("cases/detector_cases.csv"), 4),
    ("ticket", include_str!("cases/ticket_cases.json"), 45),
    ("recovery", include_str!("cases/recovery_cases.json"), 16),
    ("outbound", include_str!("cases/outbound_cases.json"), 30),
    ("roles", include_str!("cases/roles_cases.json"), 50),
];

#[test]
fn every_case_passes() {
    for (kind, json, least) in FILES {
        let results = rules::cases::run(kind, json).expect(kind);
        let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
        assert!(failed.is_empty(), "{kind}: {failed:#?}");
        assert!(results.len() >= least, "{kind}: {}", results.len());
    }
}

#[test]
fn a_wrong_expectation_is_told() {
    for (kind, json, detail) in [
        (
            "roles",
            r#"{"cases":[{"id":"x","role":"agent","verb":"scan","resource":"check_in","expect":false}]}"#,
            "expected false, got true",
        ),
        (
            "cron",
            r#"{"cases":[{"id":"x","kind":"next","expr":"0 9 * * *","tz":"UTC","from":"2024-06-03T09:00:00Z","n":1,"expect":["2024-06-03T09:00:00Z"]}]}"#,
            "expected [2024-06-03T09:00:00Z], got [2024-06-04T09:00:00Z]",
        ),
        (
            "outbound",
            r#"{"cases":[{"id":"x","url":"https://localhost/","expect":"ok"}]}"#,
            "expected ok, got url_host_not_public",
        ),
        (
            "recovery",
            r#"{"cases":[{"id":"x","channel":"counted","asked":{"epoch":"a","offset":1},"current":{"epoch":"a","offset":2},"oldest_kept":1,"expect":"lost"}]}"#,
            "expected \"lost\", got \"1\"",
        ),
    ] {
        let results = rules::cases::run(kind, json).expect(kind);
        assert_eq!(
            (results[0].passed, results[0].detail.as_str()),
            (false, detail)
        );
    }
}

#[test]
fn a_file_of_another_form_is_refused() {
    for kind in rules::cases::KINDS {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"cases":[{}]}"#,
            r#"{"cases":[{"id":"x","role":"king","grants":"admin","expect":true}]}"#,
        ] {
            assert!(rules::cases::run(kind, json).is_err(), "{kind} {json}");
        }
    }
    assert_eq!(
        rules::cases::run("nope", "{}").unwrap_err().errors[0].code,
        "unknown_kind"
    );
}
