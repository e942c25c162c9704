//! Checks as they run against a real standby: by the object's alarm, by hand, and dry.
//!
//! Invariant: one result for each period; nothing is asked of production.
//! Failure: the results that came instead.

use chrono::{DateTime, TimeDelta, Utc};
use pulse_tests::monitored::Connection;
use pulse_tests::prelude::*;
use pulse_tests::replica::Cluster;
use pulse_tests::stack::within;
use std::time::Duration;

#[tokio::test]
async fn a_new_check_runs_at_once_by_the_alarm_of_its_connection() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 100).await;
    let (connection, table) = Connection::watching(&tenant, &customer, "orders").await;
    let rows = json!({"kind": "row_count", "fail": {"kind": "absolute", "min": 50}});
    let check = table.check(rows).await;
    let result = within(Duration::from_secs(30), "a result", || async {
        table.results(&check).await.into_iter().next()
    })
    .await;
    assert_eq!(
        (&result["outcome"], &result["value"], &result["origin"]),
        (&json!("pass"), &json!(100.0), &json!("schedule")),
        "{result}"
    );
    let shown = tenant.client().get(&connection.path()).await;
    assert!(shown.at("/last_ok_at").is_string(), "{shown}");
    assert_eq!(shown.at("/last_error"), Value::Null, "{shown}");
    // A day is one period.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(table.results(&check).await.len(), 1);
}

#[tokio::test]
async fn a_dry_run_shows_the_statement_and_its_cost_and_stores_nothing() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 100).await;
    let (_, table) = Connection::watching(&tenant, &customer, "orders").await;
    let check = table
        .check(json!({"kind": "freshness", "settings": {"column": "at"},
            "fail": {"kind": "absolute", "max": 3600}}))
        .await;
    table.first(&check).await;
    let path = format!("{}/dry-run", table.path());
    let dry = tenant.client().call("POST", &path).await.expect_status(200);
    let result = &dry.list_at("/items")[0];
    assert_eq!(result["outcome"], "pass", "{result}");
    let sql = result["detail"]["sql"].as_str().expect("a statement");
    assert!(sql.contains("max(\"at\")"), "{sql}");
    assert!(
        result["detail"]["cost"]
            .as_f64()
            .is_some_and(|cost| cost > 0.0)
    );
    assert_eq!(table.results(&check).await.len(), 1);
}

/// More checks than one run makes, of a second each: while the last ones wait, the connection is as
/// late as they are, though it was just asked.
#[tokio::test]
async fn a_connection_that_does_not_keep_up_is_late() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    customer.slow("sleepy", "orders", 1.0).await;
    let reader = customer.reader(["orders", "sleepy"]).await;
    let off = json!({"enabled": false});
    let connection = Connection::to(&tenant, &customer, &reader, off).await;
    let table = connection.table("orders").await;
    let sql = "select count(*) from sleepy where slept <> 'x'";
    for number in 0..35 {
        let name = format!("Slow {number}");
        let check = json!({"name": name, "kind": "metric", "settings": {"sql": sql},
            "fail": {"kind": "absolute", "min": 0}});
        table.check(check).await;
    }
    let (client, path) = (tenant.client(), connection.path());
    client
        .patch(&path, &json!({"enabled": true}))
        .await
        .expect_status(200);
    let shown = within(Duration::from_secs(120), "the first run", || async {
        let shown = client.get(&path).await.expect_status(200);
        shown.at("/last_run_at").is_string().then_some(shown)
    })
    .await;
    let time = |pointer: &str| -> DateTime<Utc> {
        let text = shown.text_at(pointer);
        text.parse()
            .unwrap_or_else(|_| panic!("{pointer}: {shown}"))
    };
    let late = time("/last_run_at") - time("/due_at");
    assert!(late >= TimeDelta::seconds(20), "{late}: {shown}");
}

#[tokio::test]
async fn what_the_replica_holds_can_be_looked_at() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 50).await;
    let reader = customer.reader(["orders"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let get = |path: &str| {
        tenant
            .client()
            .get(&format!("{}/{path}", connection.path()))
    };
    let schemas = get("schemas").await.expect_status(200);
    assert_eq!(schemas.at("/items/0/name"), "public", "{schemas}");
    let tables = get("tables?schema=public").await.expect_status(200);
    assert_eq!(tables.at("/items/0/name"), "orders", "{tables}");
    assert_eq!(tables.at("/items/0/rows"), json!(50.0), "{tables}");
    let columns = get("columns?schema=public&table=orders")
        .await
        .expect_status(200);
    let names: Vec<Value> = columns
        .list_at("/columns")
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["id", "at", "status", "filler"]);
    get("columns?schema=public&table=nothing")
        .await
        .problem_of(404);
}

#[tokio::test]
async fn a_failing_check_fires_once_and_resolves_once() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 100).await;
    let (_, table) = Connection::watching(&tenant, &customer, "orders").await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 100}}))
        .await;
    table.first(&check).await;
    customer
        .make("insert into orders select n, now(), 'new', '' from generate_series(1000, 1009) n")
        .await;
    for _ in 0..3 {
        assert_eq!(table.run().await[0]["outcome"], "fail");
    }
    let alerts = || async {
        tenant
            .client()
            .get("/api/alerts")
            .await
            .expect_status(200)
            .list_at("/items")
    };
    let firing = alerts().await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!(
        (&firing[0]["state"], &firing[0]["kind"]),
        (&json!("firing"), &json!("check"))
    );
    customer.make("delete from orders where id >= 1000").await;
    assert_eq!(table.run().await[0]["outcome"], "pass");
    let resolved = alerts().await;
    assert_eq!(
        (resolved.len(), &resolved[0]["state"]),
        (1, &json!("resolved"))
    );
}
