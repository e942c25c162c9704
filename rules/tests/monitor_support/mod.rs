//! A table to check, checks of it, and seeded chance.
//!
//! Invariant: nothing here depends on a clock.
//! Failure: what cannot be made stops the test.
#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../seeded_support/mod.rs"]
mod seeded;

use chrono::{DateTime, Utc};
use rules::monitor::TableName;
use rules::monitor::catalog::{Catalog, ColumnFacts, IndexFacts, Kind, TableFacts};
use rules::monitor::check::{Check, CheckIn};
use rules::monitor::sql::{Ask, Plan, Size, Unable, statement};
use serde_json::{Value, json};

#[allow(unused_imports, reason = "each test uses a part of it")]
pub use seeded::Chance;

/// Pages of a table that is small, and of one that is big.
pub const SMALL: i64 = 100;
pub const BIG: i64 = 34_483;

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

pub fn table(name: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    }
}

pub fn column(number: i16, name: &str, base: &str) -> ColumnFacts {
    ColumnFacts {
        number,
        name: name.to_owned(),
        type_name: base.to_owned(),
        base: base.to_owned(),
        operators: None,
        nullable: true,
        select: true,
    }
}

pub fn index(name: &str, method: &str, unique: bool, columns: &[&str]) -> IndexFacts {
    let columns = columns.iter().map(|name| Some((*name).to_owned()));
    IndexFacts {
        name: name.to_owned(),
        method: method.to_owned(),
        unique,
        usable: true,
        partial: false,
        columns: columns.collect(),
    }
}

/// `orders`, of so many pages, with an index on `id` and on `at`.
pub fn orders(pages: i64) -> TableFacts {
    TableFacts {
        kind: Kind::Table,
        rows: Some(pages as f64 * 60.0),
        pages,
        usage: true,
        select: true,
        writes: false,
        columns: vec![
            column(1, "id", "int8"),
            column(2, "customer", "int8"),
            column(3, "amount", "numeric"),
            column(4, "status", "text"),
            column(5, "email", "text"),
            column(6, "at", "timestamptz"),
            column(7, "day", "date"),
            column(8, "wall", "timestamp"),
            column(9, "data", "jsonb"),
        ],
        indexes: vec![
            index("orders_pkey", "btree", true, &["id"]),
            index("orders_at", "btree", false, &["at"]),
        ],
    }
}

/// `customers`, of so many pages, with an index on `id`.
pub fn customers(pages: i64) -> TableFacts {
    TableFacts {
        columns: vec![column(1, "id", "int8"), column(2, "name", "text")],
        indexes: vec![index("customers_pkey", "btree", true, &["id"])],
        ..orders(pages)
    }
}

pub fn catalog(pages: i64) -> Catalog {
    Catalog::from([
        (table("orders"), orders(pages)),
        (table("customers"), customers(pages)),
    ])
}

/// A check of `orders`; `more` is what its body has besides name, kind and settings.
pub fn check_with(kind: &str, settings: Value, more: Value) -> Check {
    let mut body = json!({"name": kind, "kind": kind, "settings": settings});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    if body.get("fail").is_none() && matches!(kind, "freshness" | "metric") {
        body["fail"] = json!({"kind": "absolute", "max": 600});
    }
    let input: CheckIn = serde_json::from_value(body).expect("a body");
    input.validate(&table("orders")).expect("a check")
}

pub fn check(kind: &str, settings: Value) -> Check {
    check_with(kind, settings, json!({}))
}

pub fn plan_of(check: &Check, catalog: &Catalog) -> Result<Plan, Unable> {
    let table = table("orders");
    statement(&Ask {
        check,
        table: &table,
        catalog,
        as_of: at("2026-06-01T10:30:00Z"),
        size: Size::default(),
        histogram: None,
    })
}

#[track_caller]
pub fn plan(check: &Check, pages: i64) -> Plan {
    plan_of(check, &catalog(pages)).expect("a plan")
}
