//! The case file of the check-in rules passes, and a wrong expectation does not.
//!
//! Invariant: at least forty cases; every one is run.
//! Failure: each case that fails is printed with what differed.

const CASES: &str = include_str!("cases/checkin_cases.json");

#[test]
fn every_case_passes() {
    let results = rules::cases::run("checkin", CASES).unwrap();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    for result in &failed {
        println!("{}: {}", result.id, result.detail);
    }
    assert!(
        failed.is_empty(),
        "{} of {} failed",
        failed.len(),
        results.len()
    );
    assert!(results.len() >= 40);
}

#[test]
fn a_wrong_expectation_is_told() {
    let one = r#"{"cases": [{"id": "wrong", "state": {"roster": [{"name": "Ada", "barcode": "A"}]},
        "scans": [{"at": "2024-06-01T18:00:00Z", "scan": {"barcode": "A"}}],
        "expect": [{"verdict": "refused", "check_in": {"seq": 2}}]}]}"#;
    let results = rules::cases::run("checkin", one).unwrap();
    assert!(!results[0].passed);
    assert_eq!(
        results[0].detail,
        r#"step 1/check_in/seq: expected 2, got 1; step 1/verdict: expected "refused", got "accepted""#
    );
}

#[test]
fn files_of_another_form_are_refused() {
    for (kind, text, code) in [
        ("checkin", "{", "malformed_cases"),
        ("checkin", r#"{"cases": [], "more": 1}"#, "malformed_cases"),
        ("tea", "{}", "unknown_kind"),
    ] {
        assert_eq!(
            rules::cases::run(kind, text).unwrap_err().errors[0].code,
            code
        );
    }
}
