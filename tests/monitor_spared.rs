//! When a replica is asked less, or not at all: what is spent is kept to, what suffers is left alone,
//! and what was away is looked for.
//!
//! Invariant: a check that was not asked says so, opens no alert about data, and is run again.
//! Failure: the result that came instead.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Door, Reader};
use pulse_tests::stack::within;
use std::time::Duration;

/// A replica that went away is looked for every minute, and away for a minute before it is told.
const LOOKED_FOR: Duration = Duration::from_secs(240);

async fn customer(cluster: &Cluster) -> (Customer<'_>, Reader) {
    let customer = cluster.customer().await;
    customer.orders("orders", 1_000).await;
    let reader = customer.reader(["orders"]).await;
    (customer, reader)
}

/// A table with a check that passes, run once a day.
async fn counted(connection: &Connection) -> (Table, String) {
    let table = connection.table("orders").await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "min": 1}}))
        .await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    (table, check)
}

async fn breaker(connection: &Connection) -> Value {
    let shown = connection.tenant.client().get(&connection.path()).await;
    shown.expect_status(200).at("/breaker")
}

async fn schemas(connection: &Connection) -> Reply {
    let path = format!("{}/schemas", connection.path());
    connection.tenant.client().get(&path).await
}

/// What was asked so far.
async fn statements(connection: &Connection) -> i64 {
    let path = format!("{}/impact", connection.path());
    let impact = connection.tenant.client().get(&path).await;
    let hours = impact.expect_status(200).list_at("/hours");
    let asked = hours.iter().filter_map(|hour| hour["statements"].as_i64());
    asked.sum()
}

#[tokio::test]
async fn a_budget_that_is_spent_is_kept_to_by_schedule_and_by_hand() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, reader) = customer(cluster).await;
    let budget = json!({"budget": {"statements": 10}});
    let connection = Connection::to(&tenant, &customer, &reader, budget).await;
    let mark = cluster.standby.mark().await;
    let (table, _) = counted(&connection).await;
    for _ in 0..5 {
        let result = table.run_one().await;
        assert_eq!(result["reason"], "budget", "{result}");
    }
    schemas(&connection).await.problem(409, "budget");
    let asked = statements(&connection).await;
    assert!((5..=10).contains(&asked), "{asked}");
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    let run = seen.run();
    let asks = run.iter().filter(|run| {
        let text = run.text.trim().to_lowercase();
        ["select", "explain", "with"]
            .iter()
            .any(|verb| text.starts_with(verb))
    });
    assert_eq!(asks.count() as i64, asked, "all that is asked is counted");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
}

#[tokio::test]
async fn with_feedback_half_the_budget_is_used_and_the_connection_says_so() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::start().await);
    let (customer, reader) = customer(&cluster).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let (table, _) = counted(&connection).await;
    assert_eq!(breaker(&connection).await, "closed");
    cluster.feedback(true).await;
    assert_eq!(table.run_one().await["outcome"], "pass");
    assert_eq!(breaker(&connection).await, "tight");
    // Enough for another run as long as nothing suffers, not for one within half of it.
    let asked = statements(&connection).await;
    let budget = json!({"budget": {"statements": asked + 12}});
    let patched = tenant.client().patch(&connection.path(), &budget).await;
    patched.expect_status(200);
    assert_eq!(table.run_one().await["reason"], "budget");
    cluster.feedback(false).await;
    assert_eq!(table.run_one().await["outcome"], "pass");
    assert_eq!(breaker(&connection).await, "closed");
}

#[tokio::test]
async fn three_conflicts_stop_all_reads_for_a_while() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::start().await);
    cluster.patience_with_readers("0").await;
    let (customer, _) = customer(&cluster).await;
    customer.slow("sleepy", "orders", 1.5).await;
    let reader = customer.reader(["orders", "sleepy"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let (table, _) = counted(&connection).await;
    let sql = "select count(*) from sleepy where slept <> 'x'";
    let slow = table.check(
        json!({"name": "Slow", "kind": "metric", "settings": {"sql": sql},
        "fail": {"kind": "absolute", "max": 1000}}),
    );
    let slow = slow.await;
    table.first(&slow).await;
    let open = within(Duration::from_secs(60), "it is left alone", || async {
        table.run().await;
        (breaker(&connection).await == "open").then_some(())
    });
    customer.while_cleaning("orders", open).await;
    let mark = cluster.standby.mark().await;
    for result in table.run().await {
        assert_eq!(result["reason"], "breaker", "{result}");
    }
    schemas(&connection).await.problem(409, "breaker");
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    assert!(!seen.run().is_empty(), "it is watched all the same");
    for run in seen.run() {
        assert!(
            !run.text.contains("orders") && !run.text.contains("sleepy"),
            "{}",
            run.text
        );
    }
    assert_eq!(connection.alerts_of("check").await, [json!(null); 0]);
}

#[tokio::test]
async fn a_replica_that_went_away_is_told_and_asked_again_though_no_check_is_due() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, reader) = customer(cluster).await;
    let door = Door::to(cluster.standby.port()).await;
    let through = json!({"port": door.port()});
    let connection = Connection::to(&tenant, &customer, &reader, through).await;
    let (table, check) = counted(&connection).await;
    door.cut().await;
    assert_eq!(table.run_one().await["reason"], "unreachable");
    within(LOOKED_FOR, "it is told", || async {
        let down = connection.alerts_of("connection_down").await;
        (down[0]["state"] == "firing").then_some(())
    })
    .await;
    door.heal().await;
    within(LOOKED_FOR, "it is over, and the check was run", || async {
        let down = connection.alerts_of("connection_down").await;
        let latest = table.results(&check).await.into_iter().next();
        (down[0]["state"] == "resolved" && latest?["outcome"] == "pass").then_some(())
    })
    .await;
}
