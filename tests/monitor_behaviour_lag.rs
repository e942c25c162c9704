//! What is said of data and of the replica when the replica is behind.
//!
//! Invariant: each test has a cluster of its own; data is judged as of what the replica has replayed.
//! Failure: the results and alerts that came instead.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer};
use std::time::Duration;

/// Seconds that the replica may be behind.
const LIMIT: u32 = 6;

/// A cluster whose receiver hears of its primary every two seconds or so.
async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.standby.set([("wal_receiver_timeout", "4s")]).await;
    cluster.link.hang_up().await;
    cluster.streaming().await;
    cluster
}

/// A table of orders that is watched for its age, and the connection.
async fn watched(customer: &Customer<'_>, max_age: u32) -> (Connection, Table) {
    let tenant = Tenant::new().await;
    customer.orders("orders", 100).await;
    let (connection, table) = Connection::watching(&tenant, customer, "orders").await;
    connection.lag_limit(LIMIT).await;
    let check = table
        .check(json!({"kind": "freshness", "settings": {"column": "at"},
            "fail": {"kind": "absolute", "max": max_age}}))
        .await;
    table.first(&check).await;
    (connection, table)
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

/// Behaviour 10.
#[tokio::test]
async fn a_replica_that_is_too_far_behind_is_one_alert_and_says_nothing_about_data() {
    let cluster = cluster().await;
    let customer = cluster.customer().await;
    let (connection, table) = watched(&customer, 86_400).await;
    assert_eq!(table.run_one().await["outcome"], "pass");
    cluster.pause().await;
    for _ in 0..4 {
        customer
            .run("insert into orders select max(id) + 1, now(), 'new', '' from orders")
            .await;
        seconds(3).await;
    }
    for _ in 0..3 {
        let result = table.run_one().await;
        assert_eq!(result["outcome"], "inconclusive", "{result}");
    }
    let alerts = connection.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        (&alerts[0]["kind"], &alerts[0]["state"]),
        (&json!("lag"), &json!("firing"))
    );
    cluster.resume().await;
    cluster.replayed().await;
    eventually("the lag is over", || async {
        table.run().await;
        (connection.alerts().await[0]["state"] == "resolved").then_some(())
    })
    .await;
    assert_eq!(connection.alerts().await.len(), 1);
}

/// Behaviour 11, to scale: the limit is 6 seconds where it usually is 300, so that an idle primary of
/// more than twice the limit is one of more than ten minutes. What would alarm, the age of the last
/// transaction, has passed the limit by then; what is looked at instead never comes near it.
#[tokio::test]
async fn an_idle_primary_alarms_nobody() {
    let cluster = cluster().await;
    let customer = cluster.customer().await;
    let (connection, table) = watched(&customer, 86_400).await;
    for _ in 0..6 {
        seconds(3).await;
        let result = table.run_one().await;
        assert_eq!(result["outcome"], "pass", "{result}");
    }
    let idle = cluster.position().await.replay_age;
    assert!(idle > Some(f64::from(LIMIT) * 2.0), "{idle:?}");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
}

/// Behaviour 12.
#[tokio::test]
async fn a_replica_that_is_cut_off_is_behind_though_all_that_came_is_replayed() {
    let cluster = cluster().await;
    let customer = cluster.customer().await;
    let (connection, table) = watched(&customer, 86_400).await;
    cluster.link.cut().await;
    cluster.not_streaming().await;
    seconds(u64::from(LIMIT) + 2).await;
    assert_eq!(cluster.position().await.unreplayed_bytes, Some(0));
    for _ in 0..2 {
        let result = table.run_one().await;
        assert_eq!(result["outcome"], "inconclusive", "{result}");
    }
    let alerts = connection.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        (&alerts[0]["kind"], &alerts[0]["state"]),
        (&json!("lag"), &json!("firing"))
    );
    cluster.link.heal().await;
}

/// Behaviour 13.
#[tokio::test]
async fn a_replay_that_is_paused_makes_no_data_old() {
    let cluster = cluster().await;
    let customer = cluster.customer().await;
    let (connection, table) = watched(&customer, 5).await;
    connection.lag_limit(600).await;
    customer
        .make("insert into orders select max(id) + 1, now(), 'new', '' from orders")
        .await;
    cluster.pause().await;
    for _ in 0..3 {
        customer
            .run("insert into orders select max(id) + 1, now(), 'new', '' from orders")
            .await;
        seconds(3).await;
    }
    let result = table.run_one().await;
    assert_eq!(result["outcome"], "pass", "{result}");
    let fired = connection.alerts().await;
    let firing = fired.iter().filter(|alert| alert["state"] == "firing");
    assert_eq!(firing.count(), 0, "{fired:?}");
    cluster.resume().await;
}
