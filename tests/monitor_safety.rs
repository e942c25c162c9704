//! What a replica sees of us, from its own log: who we are, what we say, how often.
//!
//! Invariant: a primary is asked one question; a replica is only read, in limited transactions.
//! Failure: the statement that should not have come.

use pulse_tests::monitored::Connection;
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, most_at_once};

/// Behaviour 1.
#[tokio::test]
async fn a_primary_is_asked_one_question_and_nothing_more() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    let reader = customer.reader(["orders"]).await;
    let mark = cluster.primary.mark().await;
    let primary = json!({"port": cluster.primary.port()});
    let connection = Connection::to(&tenant, &customer, &reader, primary).await;
    let table = connection.table("orders").await;
    let check = table.check(json!({"kind": "row_count"})).await;
    let result = table.first(&check).await;
    let told = (
        &result["outcome"],
        &result["reason"],
        &result["detail"]["code"],
    );
    let expected = (
        &json!("skipped"),
        &json!("unreachable"),
        &json!("not_a_replica"),
    );
    assert_eq!(told, expected, "{result}");
    let seen = cluster.primary.since(mark).await.of(&reader.role);
    assert!(!seen.run().is_empty());
    for statement in seen.run() {
        let text = &statement.text;
        assert!(
            text.contains("pg_is_in_recovery()") && text.len() < 250,
            "{text}"
        );
    }
    assert_eq!(most_at_once(&seen.sessions), 1);
}

/// Behaviours 4 and 5.
#[tokio::test]
async fn a_replica_is_only_read_in_limited_transactions_by_one_session_with_a_name() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 500).await;
    let reader = customer.reader(["orders"]).await;
    let mark = cluster.standby.mark().await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let table = connection.table("orders").await;
    let at = json!({"column": "at"});
    table
        .check(json!({"name": "Fresh", "kind": "freshness", "settings": at,
        "fail": {"kind": "absolute", "max": 86_400}}))
        .await;
    table
        .check(json!({"name": "Rows", "kind": "row_count"}))
        .await;
    table
        .check(json!({"name": "Nulls", "kind": "null_rate", "settings": {"column": "status"}}))
        .await;
    for _ in 0..3 {
        for result in table.run().await {
            let outcome = result["outcome"].as_str();
            assert!(matches!(outcome, Some("pass" | "learning")), "{result}");
        }
    }
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    assert_eq!(seen.errors(), [""; 0]);
    for statement in seen.run() {
        let text = statement.text.trim().to_lowercase();
        let known = [
            "select",
            "explain (format json",
            "begin transaction",
            "with own",
            "rollback",
        ];
        assert!(known.iter().any(|start| text.starts_with(start)), "{text}");
        assert_eq!(statement.application, "pulse-monitor", "{text}");
    }
    assert_eq!(most_at_once(&seen.sessions), 1);
}

/// Behaviour 38, for errors: Postgres quotes the value that it cannot read.
#[tokio::test]
async fn an_error_tells_nothing_that_a_row_holds() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    let people = "create table people (id int primary key, email text);
        insert into people values (1, 'ada@example.org');";
    customer.make(people).await;
    let (_, table) = Connection::watching(&tenant, &customer, "people").await;
    for check in [
        json!({"name": "Shift", "kind": "shift", "settings": {"column": "email"}}),
        json!({"name": "Custom", "kind": "metric", "fail": {"kind": "absolute", "max": 1},
            "settings": {"sql": "select max(cast(email as integer)) from people"}}),
    ] {
        let check = table.check(check).await;
        let result = table.first(&check).await;
        assert_eq!(result["outcome"], "errored", "{result}");
        assert!(!result.to_string().contains("ada@"), "{result}");
        let text = result["detail"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("cannot be read as the type"), "{result}");
    }
}
