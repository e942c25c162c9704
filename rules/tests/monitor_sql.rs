//! The statement of each kind of check, and the way it goes to the rows.
//!
//! Invariant: names are quoted, values are parameters, big tables are never read from end to end.
//! Failure: the statement that is otherwise.

mod monitor_support;

use monitor_support::*;
use rules::monitor::catalog::{Catalog, TableFacts};
use rules::monitor::check::Check;
use rules::monitor::shift::Histogram;
use rules::monitor::sql::{Ask, Measured, Param, Path, Plan, Size, read, samples, statement};
use serde_json::{Value, json};

/// A check of every kind that asks something.
fn every() -> Vec<Check> {
    let to = json!({"schema": "public", "name": "customers"});
    [
        ("freshness", json!({"column": "at"})),
        ("volume", json!({"column": "at"})),
        ("row_count", json!({})),
        ("null_rate", json!({"column": "email"})),
        ("uniqueness", json!({"columns": ["email"]})),
        (
            "accepted_values",
            json!({"column": "status", "values": ["paid"]}),
        ),
        ("range", json!({"column": "amount", "min": 0, "max": 10.5})),
        ("pattern", json!({"column": "email", "pattern": "^a"})),
        (
            "reference",
            json!({"columns": ["customer"], "to": to, "to_columns": ["id"]}),
        ),
        ("duplicate_keys", json!({"columns": ["id"]})),
        ("shift", json!({"column": "amount"})),
        ("shift", json!({"column": "status", "values": "categories"})),
        ("metric", json!({"sql": "select sum(amount) from orders"})),
        ("assertion", json!({"condition": "amount >= 0"})),
        ("comparison", json!({"with": to})),
    ]
    .into_iter()
    .map(|(kind, settings)| check(kind, settings))
    .collect()
}

#[test]
fn every_statement_answers_one_cell_and_uses_all_its_parameters() {
    for pages in [SMALL, BIG] {
        for check in every() {
            let Plan { statement, .. } = plan(&check, pages);
            assert!(
                statement.sql.starts_with("select json_build_object("),
                "{}",
                statement.sql
            );
            assert_eq!(statement.sql.matches(" as answer").count().min(1), 1);
            assert!(!statement.sql.contains(';') && !statement.sql.contains("--"));
            for place in 1..=statement.params.len() {
                assert!(
                    statement.sql.contains(&format!("${place}::")),
                    "{}",
                    statement.sql
                );
            }
            let more = format!("${}::", statement.params.len() + 1);
            assert!(!statement.sql.contains(&more), "{}", statement.sql);
            assert!(
                statement
                    .explain()
                    .starts_with("explain (format json, verbose) select")
            );
        }
    }
}

#[test]
fn no_statement_ever_draws_rows_one_by_one() {
    for pages in [0, SMALL, 10_000, 10_001, BIG, 1 << 40] {
        for check in every() {
            let sql = plan(&check, pages).statement.sql.to_lowercase();
            assert!(!sql.contains("bernoulli"), "{sql}");
        }
    }
}

#[test]
fn shares_of_a_big_table_are_estimated_from_some_of_its_pages() {
    for kind in [
        "null_rate",
        "accepted_values",
        "range",
        "pattern",
        "assertion",
        "shift",
    ] {
        for check in every().iter().filter(|check| check.kind.name() == kind) {
            let Plan {
                statement, path, ..
            } = plan(check, BIG);
            let Path::Sample { share } = path else {
                panic!("{kind}: {path:?}");
            };
            assert!((share * BIG as f64 - 400.0).abs() < 1.0);
            assert!(
                statement
                    .sql
                    .contains("\"orders\" tablesample system (1.159992) repeatable ("),
                "{}",
                statement.sql
            );
            assert_eq!(plan(check, SMALL).path, Path::Whole);
        }
    }
}

#[test]
fn the_same_moment_looks_at_the_same_pages_and_another_at_others() {
    let check = check("null_rate", json!({"column": "email"}));
    let catalog = catalog(BIG);
    let of = |time: &str| {
        let ask = Ask {
            check: &check,
            table: &table("orders"),
            catalog: &catalog,
            as_of: at(time),
            size: Size::default(),
            histogram: None,
        };
        statement(&ask).expect("a plan").statement.sql
    };
    assert_eq!(of("2026-06-01T10:30:00Z"), of("2026-06-01T10:30:00Z"));
    assert_ne!(of("2026-06-01T10:30:00Z"), of("2026-06-01T10:31:00Z"));
}

#[test]
fn the_latest_rows_of_a_big_table_are_found_by_an_index() {
    let scope = json!({"scope": {"column": "at", "last": 3_600}});
    let latest = check_with("null_rate", json!({"column": "email"}), scope);
    let Plan {
        statement, path, ..
    } = plan(&latest, BIG);
    assert_eq!(path, Path::Index);
    assert!(
        statement
            .sql
            .ends_with(r#"from "public"."orders" where "at" >= $1::timestamptz"#)
    );
    assert_eq!(statement.params, [Param::Time(at("2026-06-01T09:30:00Z"))]);
    let freshness = check("freshness", json!({"column": "at"}));
    assert_eq!(plan(&freshness, BIG).path, Path::Index);
    let unindexed = check("freshness", json!({"column": "wall"}));
    assert_eq!(
        plan(&unindexed, BIG).path,
        Path::Whole,
        "for the guard to refuse"
    );
}

#[test]
fn a_volume_is_counted_in_the_latest_stretch_that_is_over() {
    let volume = check(
        "volume",
        json!({"column": "at", "bucket": 3600, "late_arrivals": 1800}),
    );
    let Plan {
        statement, bucket, ..
    } = plan(&volume, BIG);
    let bucket = bucket.expect("a stretch");
    assert_eq!(
        (bucket.from, bucket.to),
        (at("2026-06-01T09:00:00Z"), at("2026-06-01T10:00:00Z"))
    );
    assert_eq!(
        statement.params,
        [Param::Time(bucket.from), Param::Time(bucket.to)]
    );
    assert!(statement.sql.ends_with(
        r#"from "public"."orders" where "at" >= $1::timestamptz and "at" < $2::timestamptz"#
    ));
    let later = check(
        "volume",
        json!({"column": "at", "bucket": 3600, "late_arrivals": 1801}),
    );
    let bucket = plan(&later, BIG).bucket.expect("a stretch");
    assert_eq!(
        bucket.to,
        at("2026-06-01T09:00:00Z"),
        "late rows have not had their time"
    );
}

#[test]
fn wall_times_are_compared_as_they_are_so_that_an_index_serves() {
    let volume = json!({"column": "wall", "bucket": 86_400, "timezone": "Europe/Berlin"});
    let Plan {
        statement, bucket, ..
    } = plan(&check("volume", volume), SMALL);
    assert!(
        statement
            .sql
            .contains(r#""wall" >= ($1::timestamptz at time zone 'Europe/Berlin') and "wall" <"#)
    );
    assert_eq!(bucket.expect("a day").from, at("2026-05-30T22:00:00Z"));
    let hourly = check("volume", json!({"column": "day"}));
    let told = plan_of(&hourly, &catalog(SMALL)).unwrap_err().message;
    assert!(told.contains("set bucket to 86400"), "{told}");
    let number = check("volume", json!({"column": "amount"}));
    let told = plan_of(&number, &catalog(SMALL)).unwrap_err().message;
    assert!(told.contains("not a time"), "{told}");
}

#[test]
fn rows_dated_ahead_do_not_keep_a_table_fresh() {
    let Plan { statement, .. } = plan(&check("freshness", json!({"column": "at"})), SMALL);
    assert_eq!(statement.params, [Param::Time(at("2026-06-01T10:35:00Z"))]);
    assert!(
        statement.sql.contains(r#"where "at" <= $1::timestamptz"#),
        "{}",
        statement.sql
    );
}

#[test]
fn a_big_table_is_counted_by_what_the_catalogue_says() {
    let count = check("row_count", json!({}));
    let Plan {
        statement, path, ..
    } = plan(&count, BIG);
    assert_eq!(path, Path::Catalog);
    assert!(statement.sql.contains("reltuples") && !statement.sql.contains("count(*)"));
    assert!(plan(&count, SMALL).statement.sql.contains("count(*)"));
}

#[test]
fn keys_that_an_index_keeps_are_not_looked_at_again() {
    let keys = check("duplicate_keys", json!({"columns": ["id"]}));
    let Plan {
        statement, path, ..
    } = plan(&keys, BIG);
    assert_eq!(path, Path::Catalog);
    assert_eq!(
        statement.params,
        [
            Param::Text("public".to_owned()),
            Param::Text("orders_pkey".to_owned())
        ]
    );
    let small = plan(&keys, SMALL).statement.sql;
    assert!(small.contains(r#"group by "id") as keys"#), "{small}");
    let unkept = check("duplicate_keys", json!({"columns": ["email"]}));
    let Plan {
        statement, path, ..
    } = plan(&unkept, BIG);
    assert_eq!(
        path,
        Path::Whole,
        "a sample would find none; the guard refuses"
    );
    assert!(!statement.sql.contains("tablesample"));
}

#[test]
fn references_into_a_big_table_are_looked_up_one_by_one() {
    let settings = json!({"columns": ["customer"], "to_columns": ["id"],
                          "to": {"schema": "public", "name": "customers"}});
    let check = check("reference", settings);
    let big = plan(&check, BIG).statement.sql;
    assert!(
        big.contains(r#"where parent."id" = child."customer" limit 1) is null"#),
        "{big}"
    );
    let small = plan(&check, SMALL).statement.sql;
    assert!(
        small.contains(
            r#"left join (select distinct "id" as key_0, true as found from "public"."customers") as parent on parent.key_0 = child."customer""#
        ),
        "{small}"
    );
}

#[test]
fn types_that_came_later_are_compared_by_their_own_operator() {
    let mut catalog = catalog(SMALL);
    let facts = catalog.get_mut(&table("orders")).expect("orders");
    facts.columns[1].operators = Some("Ext\"s".to_owned());
    let settings = json!({"columns": ["customer"], "to_columns": ["id"],
                          "to": {"schema": "public", "name": "customers"}});
    let sql = plan_of(&check("reference", settings), &catalog)
        .expect("a plan")
        .statement
        .sql;
    assert!(sql.contains(r#"operator("Ext""s".=) child."#), "{sql}");
}

#[test]
fn names_and_values_stay_what_they_are_whatever_is_in_them() {
    let evil = r#"x" is null) from orders; drop table orders; --"#;
    let mut facts = orders(SMALL);
    facts.columns.push(column(10, evil, "text"));
    let catalog = Catalog::from([(table("orders"), facts)]);
    let settings = json!({"column": evil, "values": ["'; drop table orders; --"]});
    let Plan { statement, .. } = plan_of(&check("accepted_values", settings), &catalog).unwrap();
    let quoted = format!("\"{}\"", evil.replace('"', "\"\""));
    assert!(
        statement
            .sql
            .contains(&format!("cast({quoted} as text) <> all ($1::text[])"))
    );
    assert_eq!(statement.sql.replace(&quoted, "").matches(';').count(), 0);
    assert_eq!(
        statement.params,
        [Param::Texts(vec!["'; drop table orders; --".to_owned()])]
    );
}

#[test]
fn only_wanted_columns_are_shown_and_masked_ones_only_say_that_there_is_a_value() {
    let samples = json!({"samples": {"rows": 7, "columns": ["id", "email"], "masked": ["email"]}});
    let check = check_with("assertion", json!({"condition": "amount >= 0"}), samples);
    let sql = plan(&check, SMALL).samples.expect("a statement").sql;
    assert!(
        sql.contains(r#"left(cast("id" as text), 200) as "id""#),
        "{sql}"
    );
    assert!(sql.contains(r#"case when "email" is not null then '•••' end as "email""#));
    assert!(sql.contains("(amount >= 0) is false limit 7)") && !sql.contains("status"));
    for check in every() {
        assert_eq!(plan(&check, SMALL).samples, None, "off unless asked for");
    }
}

#[test]
fn what_is_gone_is_told_instead_of_asked_about() {
    let bare = Catalog::from([(
        table("orders"),
        TableFacts {
            columns: Vec::new(),
            ..orders(SMALL)
        },
    )]);
    for check in every() {
        let told = match plan_of(&check, &bare) {
            Err(unable) => unable.message,
            Ok(plan) => {
                assert_eq!(check.kind.name(), "row_count", "{}", plan.statement.sql);
                continue;
            }
        };
        assert!(
            told.contains("There is no") || told.contains("has no column"),
            "{told}"
        );
    }
    for check in every() {
        let told = plan_of(&check, &Catalog::new()).unwrap_err().message;
        assert_eq!(told, "There is no table public.orders any more.");
    }
}

#[test]
fn a_shift_is_counted_in_the_tenths_that_were_learned() {
    let shift = check("shift", json!({"column": "amount"}));
    assert!(
        plan(&shift, SMALL)
            .statement
            .sql
            .contains("percentile_disc(")
    );
    let histogram = Histogram {
        edges: vec![1.0, 2.0],
        counts: None,
    };
    let catalog = catalog(SMALL);
    let ask = Ask {
        check: &shift,
        table: &table("orders"),
        catalog: &catalog,
        as_of: at("2026-06-01T10:30:00Z"),
        size: Size::default(),
        histogram: Some(&histogram),
    };
    let Plan { statement, .. } = statement(&ask).expect("a plan");
    assert_eq!(statement.params, [Param::Numbers(vec![1.0, 2.0])]);
    assert!(
        statement
            .sql
            .contains(r#"width_bucket(cast("amount" as float8), $1::float8[])"#)
    );
    let names = check("shift", json!({"column": "email", "values": "categories"}));
    let sql = plan(&names, SMALL).statement.sql;
    assert!(
        sql.contains("hashtextextended("),
        "no value leaves the database: {sql}"
    );
}

#[test]
fn answers_are_read_as_what_was_asked() {
    let of = |kind: &str, settings: Value, answer: &str| {
        let check = check(kind, settings);
        read(&check, &plan(&check, SMALL), answer)
    };
    let fresh = |answer: &str| of("freshness", json!({"column": "at"}), answer);
    assert_eq!(
        fresh(r#"{"newest":1780309800.25,"empty":false,"ahead":true}"#),
        Ok(Measured::Newest {
            at: Some(at("2026-06-01T10:30:00.250Z")),
            empty: false,
            ahead: true
        })
    );
    let none = Ok(Measured::Newest {
        at: None,
        empty: true,
        ahead: false,
    });
    assert_eq!(fresh(r#"{"newest":null,"empty":true,"ahead":null}"#), none);
    assert_eq!(
        fresh(r#"{"newest":"-Infinity","empty":true,"ahead":false}"#),
        none
    );
    assert!(fresh(r#"{"newest":null}"#).is_err() && fresh("[]").is_err() && fresh("").is_err());
    let metric = |answer: &str| of("metric", json!({"sql": "select 1"}), answer);
    assert_eq!(
        metric(r#"{"values":[1.5]}"#),
        Ok(Measured::Number { value: Some(1.5) })
    );
    assert_eq!(
        metric(r#"{"values":[null]}"#),
        Ok(Measured::Number { value: None })
    );
    for (wrong, told) in [
        (r#"{"values":[]}"#, "no row"),
        (r#"{"values":[1,2]}"#, "more than one row"),
        (r#"{"values":["NaN"]}"#, "no number"),
    ] {
        let message = metric(wrong).unwrap_err().message;
        assert!(message.contains(told), "{message}");
    }
    let null = check("null_rate", json!({"column": "email"}));
    assert_eq!(
        read(&null, &plan(&null, 40_000), r#"{"checked":10,"wrong":1}"#),
        Ok(Measured::Wrong {
            checked: Some(10.0),
            wrong: Some(1.0),
            sampled: Some(0.01)
        })
    );
    let rows = samples(r#"{"rows":[{"id":"7","email":null}]}"#).expect("rows");
    assert_eq!(rows[0]["id"].as_deref(), Some("7"));
    assert_eq!(rows[0]["email"], None);
}
