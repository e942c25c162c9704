//! What a check may be told, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::invalid::Invalid;

fn orders() -> TableName {
    TableName {
        schema: "public".to_owned(),
        name: "orders".to_owned(),
    }
}

fn read(value: Value) -> Result<Check, Invalid> {
    let input: CheckIn = serde_json::from_value(value).unwrap();
    input.validate(&orders())
}

/// A check of every kind, with as little as it takes.
fn least() -> Vec<(Value, Value)> {
    vec![
        (json!("freshness"), json!({"column": "at"})),
        (json!("volume"), json!({"column": "at"})),
        (json!("row_count"), json!({})),
        (json!("null_rate"), json!({"column": "email"})),
        (json!("uniqueness"), json!({"columns": ["email"]})),
        (
            json!("accepted_values"),
            json!({"column": "status", "values": ["paid", "open"]}),
        ),
        (json!("range"), json!({"column": "amount", "min": 0})),
        (json!("pattern"), json!({"column": "email", "pattern": "@"})),
        (
            json!("reference"),
            json!({"columns": ["customer"], "to": {"schema": "public", "name": "customers"},
                   "to_columns": ["id"]}),
        ),
        (json!("duplicate_keys"), json!({"columns": ["id", "at"]})),
        (json!("shift"), json!({"column": "amount"})),
        (json!("schema"), json!({})),
        (
            json!("metric"),
            json!({"sql": "select count(*) from orders"}),
        ),
        (json!("assertion"), json!({"condition": "amount >= 0"})),
        (
            json!("comparison"),
            json!({"with": {"schema": "public", "name": "orders_copy"}}),
        ),
    ]
}

fn body(kind: &Value, settings: &Value) -> Value {
    let mut body = json!({"name": "x", "kind": kind, "settings": settings});
    if matches!(kind.as_str(), Some("freshness" | "metric")) {
        body["fail"] = json!({"kind": "absolute", "max": 600});
    }
    body
}

#[track_caller]
fn refused(value: Value, pointer: &str, code: &str) {
    let errors = read(value).unwrap_err().errors;
    let found = errors
        .iter()
        .any(|error| error.pointer == pointer && error.code == code);
    assert!(found, "{pointer} {code} not in {errors:?}");
}

#[test]
fn every_kind_takes_the_least_it_needs_and_is_stored_as_it_was() {
    let kinds: Vec<_> = least()
        .into_iter()
        .map(|(kind, settings)| {
            let check = read(body(&kind, &settings)).unwrap_or_else(|no| panic!("{kind}: {no:?}"));
            let stored = serde_json::to_value(&check).unwrap();
            assert_eq!(serde_json::from_value::<Check>(stored).unwrap(), check);
            check.kind.name()
        })
        .collect();
    assert_eq!(kinds, KINDS);
}

#[test]
fn settings_of_another_kind_and_fields_that_are_none_are_refused_where_they_stand() {
    for (kind, settings) in least() {
        let mut more = settings.clone();
        more["colour"] = json!("red");
        refused(body(&kind, &more), "/settings/colour", "unknown_field");
    }
    refused(
        json!({"name": "x", "kind": "nothing", "settings": {}}),
        "/kind",
        "invalid_choice",
    );
    refused(
        body(&json!("range"), &json!({"column": 7, "min": 0})),
        "/settings/column",
        "wrong_type",
    );
    refused(
        body(&json!("range"), &json!({"min": 0})),
        "/settings/column",
        "missing_field",
    );
    refused(
        body(
            &json!("reference"),
            &json!({"columns": ["a"], "to": {"schema": "pg_catalog", "name": "pg_class"},
                    "to_columns": ["b"]}),
        ),
        "/settings/to/schema",
        "system_schema",
    );
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let wrong = json!({
        "name": " ", "kind": "range", "settings": {"column": "", "min": 2, "max": 1},
        "every": 59, "for": 700_000, "runbook_url": "javascript:alert(1)",
        "scope": {"column": "at"}, "labels": {"": "x"},
    });
    let errors = read(wrong).unwrap_err().errors;
    let named: Vec<_> = errors.iter().map(|error| &*error.pointer).collect();
    for pointer in [
        "/name",
        "/settings/column",
        "/settings/min",
        "/every",
        "/for",
        "/runbook_url",
        "/scope/last",
        "/labels/",
    ] {
        assert!(named.contains(&pointer), "{pointer} not in {named:?}");
    }
}

#[test]
fn a_check_runs_every_minute_at_the_most_and_every_day_at_the_least() {
    let every = |seconds: u32| {
        let mut body = body(&json!("row_count"), &json!({}));
        body["every"] = json!(seconds);
        read(body)
    };
    for fine in [60, 61, 86_400] {
        assert_eq!(every(fine).unwrap().every, fine);
    }
    for wrong in [0, 59, 86_401] {
        assert_eq!(every(wrong).unwrap_err().errors[0].pointer, "/every");
    }
}

#[test]
fn thresholds_are_absolute_relative_or_learned_and_say_only_what_belongs_to_them() {
    let with = |fail: Value| {
        let mut body = body(&json!("row_count"), &json!({}));
        body["fail"] = fail;
        body
    };
    for fine in [
        json!({"kind": "absolute", "min": 1}),
        json!({"kind": "relative", "min": -0.5, "to": "same_hour_last_week"}),
        json!({"kind": "learned", "sensitivity": "low"}),
        json!({"kind": "learned"}),
    ] {
        assert!(read(with(fine.clone())).is_ok(), "{fine}");
    }
    for (wrong, pointer, code) in [
        (json!({"kind": "absolute"}), "/fail", "required"),
        (
            json!({"kind": "absolute", "min": 2, "max": 1}),
            "/fail/min",
            "out_of_range",
        ),
        (
            json!({"kind": "absolute", "max": 1, "to": "previous"}),
            "/fail/to",
            "not_applicable",
        ),
        (
            json!({"kind": "learned", "max": 1}),
            "/fail/max",
            "not_applicable",
        ),
        (
            json!({"kind": "relative", "max": 1, "sensitivity": "low"}),
            "/fail/sensitivity",
            "not_applicable",
        ),
    ] {
        refused(with(wrong), pointer, code);
    }
}

#[test]
fn what_a_kind_cannot_do_is_refused() {
    let with = |kind: &str, settings: Value, field: &str, value: Value| {
        let mut body = body(&json!(kind), &settings);
        body[field] = value;
        body
    };
    let metric = json!({"sql": "select 1"});
    let samples = json!({"rows": 5, "columns": ["id"]});
    let learned = json!({"kind": "learned"});
    let condition = json!({"condition": "amount > 0"});
    refused(
        with("metric", metric.clone(), "samples", samples),
        "/samples",
        "not_applicable",
    );
    refused(
        with("metric", metric, "scope", condition.clone()),
        "/scope/condition",
        "not_applicable",
    );
    refused(
        with(
            "shift",
            json!({"column": "amount"}),
            "fail",
            learned.clone(),
        ),
        "/fail/kind",
        "not_applicable",
    );
    refused(
        with("schema", json!({}), "fail", learned),
        "/fail",
        "not_applicable",
    );
    refused(
        with("row_count", json!({}), "measure", json!("rows")),
        "/measure",
        "not_applicable",
    );
    let mut bare = body(&json!("freshness"), &json!({"column": "at"}));
    bare.as_object_mut().unwrap().remove("fail");
    refused(bare, "/fail", "required");
}

#[test]
fn sql_that_does_more_than_ask_is_refused_when_it_is_saved() {
    for (kind, settings, pointer) in [
        (
            "metric",
            json!({"sql": "delete from orders"}),
            "/settings/sql",
        ),
        (
            "metric",
            json!({"sql": "select pg_sleep(9)"}),
            "/settings/sql",
        ),
        ("metric", json!({"sql": "select 1, 2"}), "/settings/sql"),
        (
            "assertion",
            json!({"condition": "true) or pg_sleep(9"}),
            "/settings/condition",
        ),
        (
            "assertion",
            json!({"condition": "exists (select 1)"}),
            "/settings/condition",
        ),
        (
            "assertion",
            json!({"condition": "others.amount > 0"}),
            "/settings/condition",
        ),
    ] {
        let errors = read(body(&json!(kind), &settings)).unwrap_err().errors;
        assert_eq!(errors[0].pointer, pointer, "{settings}");
        assert!(errors[0].code.starts_with("sql_"), "{}", errors[0].code);
    }
    let named = json!({"condition": "orders.amount > 0"});
    assert!(read(body(&json!("assertion"), &named)).is_ok());
}

#[test]
fn samples_are_off_unless_asked_for_bounded_and_masked_columns_are_named() {
    let settings = json!({"column": "email"});
    assert_eq!(
        read(body(&json!("null_rate"), &settings)).unwrap().samples,
        None
    );
    let with = |samples: Value| {
        let mut body = body(&json!("null_rate"), &settings);
        body["samples"] = samples;
        body
    };
    refused(
        with(json!({"rows": 21, "columns": ["id"]})),
        "/samples/rows",
        "out_of_range",
    );
    refused(
        with(json!({"rows": 0, "columns": ["id"]})),
        "/samples/rows",
        "out_of_range",
    );
    refused(
        with(json!({"rows": 1, "columns": []})),
        "/samples/columns",
        "out_of_range",
    );
    refused(
        with(json!({"rows": 1, "columns": ["id"], "masked": ["email"]})),
        "/samples/masked/0",
        "unknown_column",
    );
}

#[test]
fn what_is_usual_fits_what_is_measured() {
    let usual = |kind: &str, settings: Value| read(body(&json!(kind), &settings)).unwrap();
    let volume = usual("volume", json!({"column": "at", "bucket": 900}));
    assert_eq!(volume.thresholds.sensitivities(), [Sensitivity::Medium]);
    assert_eq!(
        (volume.series(), volume.bucket()),
        (Some(SeriesKind::Count), 900)
    );
    let unique = usual("uniqueness", json!({"columns": ["id"]}));
    assert_eq!(unique.thresholds.fail, Some(Threshold::at_most(0.0)));
    assert_eq!(unique.series(), Some(SeriesKind::Rate));
    let keys = usual("duplicate_keys", json!({"columns": ["id"]}));
    assert_eq!(
        (keys.measure, keys.series()),
        (Measure::Rows, Some(SeriesKind::Count))
    );
    let expected = json!({"column": "at", "expected": {"cron": "0 6 * * 1-5"}});
    let mut late = body(&json!("freshness"), &expected);
    late.as_object_mut().unwrap().remove("fail");
    assert_eq!(
        read(late).unwrap().thresholds.fail,
        Some(Threshold::at_most(0.0))
    );
    assert_eq!(usual("shift", json!({"column": "a"})).series(), None);
}

#[test]
fn a_change_is_judged_as_the_check_it_leads_to() {
    let mut full = body(&json!("volume"), &json!({"column": "at"}));
    full["owner"] = json!("Data team");
    let check = read(full).unwrap();
    let change = |value: Value| {
        let patch: CheckPatch = serde_json::from_value(value).unwrap();
        check.patch(patch, &orders())
    };
    assert_eq!(change(json!({})).unwrap(), check);
    assert_eq!(change(json!({"owner": null})).unwrap().owner, None);
    assert_eq!(
        change(json!({"every": null, "enabled": false}))
            .unwrap()
            .every,
        300
    );
    for (wrong, pointer) in [
        (json!({"name": null}), "/name"),
        (json!({"every": 1}), "/every"),
        (json!({"kind": "range"}), "/settings"),
        (
            json!({"settings": {"column": "at", "bucket": 7}}),
            "/settings/bucket",
        ),
        (
            json!({"samples": {"rows": 1, "columns": ["id"]}}),
            "/samples",
        ),
    ] {
        let errors = change(wrong.clone()).unwrap_err().errors;
        assert_eq!(errors[0].pointer, pointer, "{wrong}");
    }
    let turned = json!({"kind": "range", "settings": {"column": "amount", "max": 9}});
    let turned = change(turned).unwrap();
    assert_eq!(turned.thresholds.fail, Some(Threshold::at_most(0.0)));
    assert!(serde_json::from_value::<CheckPatch>(json!({"nme": "x"})).is_err());
}

#[test]
fn the_tables_of_a_check_are_all_that_its_statement_reads() {
    let tables = |kind: &str, settings: Value| {
        let check = read(body(&json!(kind), &settings)).unwrap();
        let tables = check.tables(&orders()).into_iter();
        tables
            .map(|table| format!("{}.{}", table.schema, table.name))
            .collect::<Vec<_>>()
    };
    assert_eq!(tables("row_count", json!({})), ["public.orders"]);
    let sql =
        "with o as (select id from sales.lines) select count(*) from o join orders using (id)";
    assert_eq!(
        tables("metric", json!({"sql": sql})),
        ["public.orders", "sales.lines"]
    );
}
