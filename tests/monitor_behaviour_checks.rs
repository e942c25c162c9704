//! What checks say of tables that are empty, old, new or changed, and what of their rows is shown.
//!
//! Invariant: what is not known is not guessed; no row leaves a database unasked.
//! Failure: the result that came instead.

use chrono::{DateTime, TimeDelta, Utc};
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer};
use std::time::Duration;

async fn watched(customer: &Customer<'_>, name: &str) -> (Connection, Table) {
    let tenant = Tenant::new().await;
    let reader = customer.reader_of_all().await;
    let connection = Connection::to(&tenant, customer, &reader, json!({})).await;
    let table = connection.table(name).await;
    (connection, table)
}

fn fresh() -> Value {
    json!({"kind": "freshness", "settings": {"column": "at"},
        "fail": {"kind": "absolute", "max": 3600}})
}

/// Behaviours 15 and 16; the second before and after is told apart in `rules::monitor::verdict`.
#[tokio::test]
async fn a_table_that_is_empty_is_neither_old_nor_a_count_of_zero_that_nobody_minds() {
    let customer = Cluster::shared().await.customer().await;
    customer
        .make(
            "create table nothing (at timestamptz);
             create table old (at timestamptz); insert into old values (now() - interval '2 hours');
             create table new (at timestamptz); insert into new values (now() - interval '50 minutes')",
        )
        .await;
    let mut reasons = Vec::new();
    for (name, outcome) in [("nothing", "fail"), ("old", "fail"), ("new", "pass")] {
        let (_connection, table) = watched(&customer, name).await;
        let check = table.check(fresh()).await;
        let result = table.first(&check).await;
        assert_eq!(result["outcome"], outcome, "{name}: {result}");
        reasons.push(result["reason"].clone());
        if name == "nothing" {
            assert_eq!(result["value"], Value::Null, "{result}");
            let rows = json!({"name": "Rows", "kind": "row_count", "fail": {"kind": "absolute", "max": 5}});
            let rows = table.check(rows).await;
            let result = table.first(&rows).await;
            assert_eq!(
                (&result["outcome"], &result["value"]),
                (&json!("pass"), &json!(0.0))
            );
        }
    }
    assert_ne!(reasons[0], reasons[1]);
}

/// Makes a check due for its period as if nothing had come of it, since a minute.
async fn forgotten(connection: &Connection, check: &str) {
    let check = check.rsplit('/').next().unwrap_or_default();
    let sql = format!(
        "update monitor_checks set last_at = null where id = '{check}';
         update monitor_connections set due_at = now() - interval '1 minute' where id = '{}'",
        connection.id
    );
    Database::admin().await.run(&sql).await;
}

/// Three ticks at once, and all that follows from them.
async fn ticks(connection: &Connection) {
    let control = Control::here();
    tokio::join!(
        control.cron("* * * * *"),
        control.cron("* * * * *"),
        control.cron("* * * * *")
    );
    eventually("nothing more is due", || async {
        let shown = connection.tenant.client().get(&connection.path()).await;
        let due: DateTime<Utc> = shown.text_at("/due_at").parse().ok()?;
        (due > Utc::now()).then_some(())
    })
    .await;
    // An alarm that came besides.
    tokio::time::sleep(Duration::from_secs(2)).await;
    connection.test().await;
}

/// Behaviour 25. Of a period there is one result however often it is run, so its statements are
/// counted.
#[tokio::test]
async fn ticks_that_come_twice_or_late_run_nothing_twice() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    let mark = cluster.standby.mark().await;
    let (connection, table) = watched(&customer, "orders").await;
    let check = table.check(json!({"kind": "row_count"})).await;
    table.first(&check).await;
    let asked = async |times: usize| {
        let seen = cluster.standby.since(mark).await;
        let mut run = seen.run();
        run.retain(|one| one.database == customer.name);
        let counts = run.iter().filter(|one| {
            one.text
                .starts_with("select json_build_object('rows', count(*))")
        });
        let (counts, results) = (counts.count(), table.results(&check).await);
        assert_eq!(counts, times, "{run:#?}\n{results:#?}");
    };
    asked(1).await;
    // What was begun and came to nothing is begun once more, by one of three.
    forgotten(&connection, &check).await;
    ticks(&connection).await;
    asked(2).await;
    // And never again, as its period was claimed twice.
    forgotten(&connection, &check).await;
    ticks(&connection).await;
    asked(2).await;
    assert_eq!(table.results(&check).await.len(), 1);
}

/// Behaviour 28.
#[tokio::test]
async fn a_check_that_learns_says_so_and_alarms_nobody() {
    let customer = Cluster::shared().await.customer().await;
    customer.orders("orders", 10).await;
    let (connection, table) = watched(&customer, "orders").await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "learned"}}))
        .await;
    assert_eq!(table.first(&check).await["outcome"], "learning");
    customer.make("delete from orders").await;
    assert_eq!(table.run_one().await["outcome"], "learning");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
}

/// Behaviour 33.
#[tokio::test]
async fn each_change_of_the_columns_is_told_once() {
    let customer = Cluster::shared().await.customer().await;
    customer
        .make("create table things (id int, name text, size int, gone int)")
        .await;
    let (_connection, table) = watched(&customer, "things").await;
    let check = json!({"kind": "schema", "settings": {"added": "warn", "renamed": "warn"}});
    let check = table.check(check).await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    for (sql, change) in [
        ("alter table things add column more int", "added"),
        ("alter table things drop column gone", "dropped"),
        (
            "alter table things alter column size type bigint",
            "retyped",
        ),
        ("alter table things rename column name to title", "renamed"),
    ] {
        customer.make(sql).await;
        let told = table.run_one().await;
        assert!(
            ["warn", "fail"].contains(&told["outcome"].as_str().unwrap_or_default()),
            "{sql}: {told}"
        );
        let changes = told["detail"]["changes"].as_array().cloned();
        assert_eq!(changes.as_ref().map(Vec::len), Some(1), "{told}");
        assert_eq!(told["detail"]["changes"][0]["change"], change, "{told}");
        let again = table.run_one().await;
        assert_eq!(again["outcome"], "pass", "{sql}: {again}");
    }
}

/// Behaviour 33, of what depends on a column.
#[tokio::test]
async fn a_check_of_a_column_that_is_gone_is_misconfigured() {
    let customer = Cluster::shared().await.customer().await;
    customer.orders("orders", 10).await;
    let (connection, table) = watched(&customer, "orders").await;
    let check = table
        .check(
            json!({"kind": "null_rate", "settings": {"column": "status"},
            "fail": {"kind": "absolute", "max": 0.5}}),
        )
        .await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    customer.make("alter table orders drop column status").await;
    let result = table.run_one().await;
    assert_eq!(result["outcome"], "misconfigured", "{result}");
    let text = result["detail"]["text"].as_str().unwrap_or_default();
    assert!(text.contains("status"), "{result}");
    assert_eq!(connection.alerts_of("check").await, [json!(null); 0]);
    assert_eq!(connection.alerts_of("misconfigured").await.len(), 1);
}

/// Behaviour 37; what makes it fail is told apart in the tests of faults.
#[tokio::test]
async fn health_fails_when_the_schedule_stands_still_and_says_which_connection_is_late() {
    let customer = Cluster::shared().await.customer().await;
    customer.orders("orders", 10).await;
    let (connection, table) = watched(&customer, "orders").await;
    let check = table.check(json!({"kind": "row_count"})).await;
    table.first(&check).await;
    let client = connection.tenant.client();
    let now = client.get("/api/health").await;
    assert_eq!(now.at("/late"), json!([]), "{now}");
    // Two days later nothing has run.
    let (key, _) = connection.tenant.key("admin").await;
    let later = key.at(chrono::Utc::now() + TimeDelta::days(2));
    let stalled = later.get("/api/health").await.expect_status(503);
    assert_eq!(stalled.at("/status"), "stalled", "{stalled}");
    assert_eq!(stalled.at("/late/0/id"), json!(connection.id), "{stalled}");
    let late = stalled.at("/late/0/late_seconds").as_i64();
    assert!(late > Some(80_000), "{stalled}");
}

/// Behaviour 38.
#[tokio::test]
async fn rows_are_shown_only_when_asked_for_and_masked_as_told() {
    let customer = Cluster::shared().await.customer().await;
    customer
        .make(
            "create table people (id int, email text, status text);
             insert into people values (1, 'ada@example.org', 'odd'), (2, 'bob@example.org', 'fine')",
        )
        .await;
    let (_connection, table) = watched(&customer, "people").await;
    let check = json!({"kind": "accepted_values", "fail": {"kind": "absolute", "max": 0},
        "settings": {"column": "status", "values": ["fine"]}});
    let path = table.check(check.clone()).await;
    let result = table.first(&path).await;
    assert_eq!(result["outcome"], "fail", "{result}");
    assert!(!result.to_string().contains("example.org"), "{result}");
    assert!(!result["detail"]["samples"].to_string().contains("odd"));
    let mut shown = check;
    shown["name"] = json!("Shown");
    shown["samples"] = json!({"rows": 5, "columns": ["id", "email"], "masked": ["email"]});
    let path = table.check(shown).await;
    let result = table.first(&path).await;
    assert!(!result.to_string().contains("example.org"), "{result}");
    let samples = result["detail"]["samples"].as_array().cloned();
    assert_eq!(samples.map(|rows| rows.len()), Some(1), "{result}");
}
