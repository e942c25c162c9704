//! Every kind of check against a real standby: on data that is fine, on data that is not, and on a
//! table that is too big to be read.
//!
//! Invariant: what is asserted is the outcome with the value that was measured, and what the server
//! says of the statements.
//! Failure: the kind whose result is another one.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Plan};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What a value may be.
type Values = RangeInclusive<f64>;

/// A kind, how it is set, its values on data that is fine, and what comes of data that is not.
type Case = (&'static str, Value, Values, &'static str, Values);

/// Two thousand orders of a hundred customers.
const FINE: &str = "
    create table customers as select n as id from generate_series(1, 100) n;
    create table orders (id int primary key, customer int, amount numeric, weight float8, status text,
                         currency text, code text, at timestamptz, day timestamptz);
    insert into orders
    select n, 1 + n % 100, n % 500, n, 'paid', 'eur', 'c' || n, now() - n * interval '1 second',
           -- Half of them yesterday, half today: the day that is over has a thousand at midnight too.
           (date_trunc('day', now() at time zone 'utc') - (n % 2) * interval '1 day'
              + interval '12 hours') at time zone 'utc'
      from generate_series(1, 2000) n;
    analyze customers; analyze orders";

/// A hundred more, of which everything is wrong; and what was there has moved.
const BROKEN: &str = "
    update orders set at = at - interval '2 hours';
    update orders set day = day - interval '30 days' where id <= 500;
    update orders set weight = 1e6 where id <= 1000;
    insert into orders
    select 2000 + n, 1000, 1000, n, null, '???', 'c' || n, now() - interval '2 hours', null
      from generate_series(1, 100) n;
    alter table orders add column more int";

fn only(value: f64) -> Values {
    value..=value
}

fn cases() -> Vec<Case> {
    let most = |max: f64| json!({"kind": "absolute", "max": max});
    let column = |name: &str| json!({ "column": name });
    let customers = json!({"schema": "public", "name": "customers"});
    let rows = |settings: Value| json!({"settings": settings, "measure": "rows"});
    let none = || only(0.0);
    let hundred = || only(100.0);
    vec![
        (
            "freshness",
            json!({"settings": column("at"), "fail": most(3_600.0)}),
            0.0..=3_600.0,
            "fail",
            7_200.0..=10_800.0,
        ),
        (
            "volume",
            json!({"settings": {"column": "day", "bucket": 86_400},
                "fail": {"kind": "absolute", "min": 900}}),
            only(1_000.0),
            "fail",
            only(750.0),
        ),
        (
            "row_count",
            json!({"fail": most(2_000.0)}),
            only(2_000.0),
            "fail",
            only(2_100.0),
        ),
        (
            "null_rate",
            json!({"settings": column("status"), "warn": most(0.01)}),
            none(),
            "warn",
            only(100.0 / 2_100.0),
        ),
        (
            "uniqueness",
            json!({"settings": {"columns": ["code"]}}),
            none(),
            "fail",
            only(100.0 / 2_100.0),
        ),
        (
            "accepted_values",
            rows(json!({"column": "currency", "values": ["eur", "usd"]})),
            none(),
            "fail",
            hundred(),
        ),
        (
            "range",
            rows(json!({"column": "amount", "min": 0, "max": 499})),
            none(),
            "fail",
            hundred(),
        ),
        (
            "pattern",
            rows(json!({"column": "currency", "pattern": "^[a-z]{3}$"})),
            none(),
            "fail",
            hundred(),
        ),
        (
            "reference",
            rows(json!({"columns": ["customer"], "to": customers, "to_columns": ["id"]})),
            none(),
            "fail",
            hundred(),
        ),
        (
            "duplicate_keys",
            json!({"settings": {"columns": ["code"]}}),
            none(),
            "fail",
            hundred(),
        ),
        (
            "shift",
            json!({"settings": column("weight")}),
            none(),
            "fail",
            0.25..=100.0,
        ),
        ("schema", json!({}), none(), "warn", only(1.0)),
        (
            "metric",
            json!({"settings": {"sql": "select sum(amount) from orders"}, "fail": most(499_000.0)}),
            only(499_000.0),
            "fail",
            only(599_000.0),
        ),
        (
            "assertion",
            rows(json!({"condition": "amount < 500"})),
            none(),
            "fail",
            hundred(),
        ),
        (
            "comparison",
            json!({"settings": {"of": "distinct", "column": "customer", "with": customers,
                "with_column": "id"}, "fail": most(0.0)}),
            none(),
            "fail",
            only(1.0),
        ),
    ]
}

/// Runs the checks of a table, and answers the results by the kind of their checks.
async fn run(table: &Table, kinds: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let ran = table.run().await.into_iter();
    let ran: BTreeMap<_, _> = ran
        .map(|result| {
            let id = result["check_id"].as_str().expect("a check");
            (kinds[id].clone(), result)
        })
        .collect();
    assert_eq!(ran.len(), kinds.len(), "{ran:?}");
    ran
}

/// Adds a check and waits for its first result; answers its id with that.
async fn added(table: &Table, kind: &str, mut body: Value) -> (String, Value) {
    body["name"] = json!(kind);
    body["kind"] = json!(kind);
    let path = table.check(body).await;
    let first = table.first(&path).await;
    let id = path.rsplit('/').next().unwrap_or_default();
    (id.to_owned(), first)
}

#[track_caller]
fn came(kind: &str, result: &Value, outcome: &str, values: &Values) {
    let value = result["value"].as_f64();
    assert!(
        result["outcome"] == outcome && value.is_some_and(|value| values.contains(&value)),
        "{kind}: {outcome} with {values:?}, not {result}"
    );
}

#[tokio::test]
async fn every_kind_passes_what_is_fine_and_finds_what_is_not() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.make(FINE).await;
    let reader = customer.reader(["orders", "customers"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let table = connection.table("orders").await;
    let cases = cases();
    assert_eq!(cases.len(), 15);
    let mut kinds = BTreeMap::new();
    for (kind, body, ..) in &cases {
        let (id, first) = added(&table, kind, body.clone()).await;
        let learns = if *kind == "shift" { "learning" } else { "pass" };
        assert_eq!(first["outcome"], learns, "{kind}: {first}");
        kinds.insert(id, (*kind).to_owned());
    }
    // A shift learns where the tenths end, then how many there are in each.
    run(&table, &kinds).await;
    let fine = run(&table, &kinds).await;
    customer.make(BROKEN).await;
    let broken = run(&table, &kinds).await;
    for (kind, _, before, outcome, after) in &cases {
        came(kind, &fine[*kind], "pass", before);
        came(kind, &broken[*kind], outcome, after);
    }
}

/// A table of more than ten thousand pages, two rows in each, and one that refers to it.
async fn big(customer: &Customer<'_>) -> u64 {
    let sql = "
        create table big (id int primary key, at timestamptz, status text, filler text)
               with (fillfactor = 10, autovacuum_enabled = off);
        insert into big
        select n, now() - n * interval '1 second', 'paid', repeat('x', 300)
          from generate_series(1, 24000) n;
        create index on big (at);
        create table orders as select n as id, n * 7 as big_id from generate_series(1, 100) n;
        analyze orders";
    customer.make(sql).await;
    customer.make("vacuum analyze big").await;
    let sql = "select to_jsonb(pg_relation_size('big') / 8192)";
    let pages = customer.standby().await.json(sql, &[]).await;
    pages.as_u64().expect("pages")
}

#[tokio::test]
async fn a_big_table_is_asked_by_samples_indexes_and_the_catalogue() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    let pages = big(&customer).await;
    assert!(pages > 10_000, "{pages}");
    let reader = customer.reader(["big", "orders"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let day = json!({"kind": "absolute", "max": 86_400});
    let cases = [
        (
            "row_count",
            json!({"fail": {"kind": "absolute", "max": 1e6}}),
            "catalog",
            "reltuples",
        ),
        (
            "uniqueness",
            json!({"settings": {"columns": ["id"]}}),
            "catalog",
            "pg_index",
        ),
        (
            "null_rate",
            json!({"settings": {"column": "status"}, "fail": {"kind": "absolute", "max": 0.5}}),
            "sample",
            "tablesample system",
        ),
        (
            "freshness",
            json!({"settings": {"column": "at"}, "fail": day}),
            "index",
            "max(\"at\")",
        ),
        (
            "volume",
            json!({"settings": {"column": "at", "bucket": 60},
                "fail": {"kind": "absolute", "min": 50, "max": 60}}),
            "index",
            "\"at\" >=",
        ),
        (
            "accepted_values",
            json!({"settings": {"column": "status", "values": ["paid"]},
                "scope": {"column": "at", "last": 600}}),
            "index",
            "\"at\" >=",
        ),
    ];
    let (table, orders) = (
        connection.table("big").await,
        connection.table("orders").await,
    );
    let mut kinds = BTreeMap::new();
    for (kind, body, ..) in &cases {
        kinds.insert(
            added(&table, kind, body.clone()).await.0,
            (*kind).to_owned(),
        );
    }
    let refers = json!({"settings": {"columns": ["big_id"], "to_columns": ["id"],
        "to": {"schema": "public", "name": "big"}}});
    added(&orders, "reference", refers).await;
    // What would read all of it is not run.
    let whole = json!({"settings": {"columns": ["status", "at"]}});
    let (_, skipped) = added(&table, "duplicate_keys", whole).await;
    assert_eq!(
        (&skipped["outcome"], &skipped["reason"]),
        (&json!("skipped"), &json!("cost")),
        "{skipped}"
    );
    let mark = cluster.standby.mark().await;
    let ran = table.run().await;
    let refers = orders.run_one().await;
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    for (kind, _, path, sql) in &cases {
        let of = |result: &&Value| {
            let id = result["check_id"].as_str().unwrap_or_default();
            kinds.get(id).is_some_and(|of| of == kind)
        };
        let result = ran.iter().find(of).expect("a result");
        let detail = &result["detail"];
        assert_eq!(result["outcome"], "pass", "{kind}: {result}");
        assert_eq!(detail["path"]["kind"], *path, "{kind}: {detail}");
        let text = detail["sql"].as_str().unwrap_or_default();
        assert!(text.contains(sql), "{kind}: {text}");
        if *kind == "row_count" {
            assert_eq!(result["value"], 24_000.0, "{result}");
        }
    }
    assert_eq!(refers["outcome"], "pass", "{refers}");
    let text = refers["detail"]["sql"].as_str().unwrap_or_default();
    assert!(text.contains("limit 1) is null"), "{text}");
    let plans = seen.statements.iter().filter_map(|one| one.plan.as_ref());
    let plans: Vec<&Plan> = plans.collect();
    let nodes: Vec<_> = plans.iter().flat_map(|plan| plan.nodes()).collect();
    for node in ["Sample Scan big", "Index Only Scan big"] {
        assert!(nodes.iter().any(|one| one == node), "{nodes:?}");
    }
    for plan in &plans {
        assert!(plan.buffers() < pages / 10, "of {pages}: {:?}", plan.0);
    }
}
