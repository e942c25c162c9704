//! What keeps a replica from being loaded, seen from its own side.
//!
//! Invariant: whatever a check would do there, it ends in time, costs little and opens no alert about
//! data.
//! Failure: the result that came instead, or the statement that should not have come.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Door, Reader};
use std::time::{Duration, Instant};

/// A customer with a table of orders, and who may read it.
async fn customer(cluster: &Cluster) -> (Customer<'_>, Reader) {
    let customer = cluster.customer().await;
    customer.orders("orders", 1_000).await;
    let reader = customer.reader(["orders"]).await;
    (customer, reader)
}

/// A table with a check of one number, which is fine up to a thousand.
async fn measured(connection: &Connection, sql: &str) -> (Table, String) {
    let table = connection.table("orders").await;
    let check = json!({"kind": "metric", "settings": {"sql": sql},
        "fail": {"kind": "absolute", "max": 1000}});
    let check = table.check(check).await;
    (table, check)
}

/// What came of it, and why.
fn told(result: &Value) -> (&str, &str) {
    let text = |name: &str| result[name].as_str().unwrap_or_default();
    (text("outcome"), text("reason"))
}

/// Behaviour 2.
#[tokio::test]
async fn a_statement_that_is_not_one_select_is_refused_when_it_is_saved() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, reader) = customer(cluster).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let table = connection.table("orders").await;
    let mark = cluster.standby.mark().await;
    let path = format!("{}/checks", table.path());
    for sql in [
        "insert into orders values (1, now(), 'x', 'x')",
        "create table more (id int)",
        "set statement_timeout = 0",
        "copy orders to stdout",
        "select set_config('statement_timeout', '0', false)",
        "select 1; select 2",
        "select pg_advisory_lock(1)",
        "select count(*) from orders for update",
        "with gone as (delete from orders returning id) select count(*) from gone",
        "explain analyze select count(*) from orders",
    ] {
        let check = json!({"name": "Wrong", "kind": "metric", "every": 3600,
            "settings": {"sql": sql}});
        let refused = tenant.client().post(&path, &check).await;
        refused.problem_of(422).points_at("/settings/sql");
    }
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    assert_eq!(seen.run().len(), 0, "{:?}", seen.run());
}

/// Behaviour 3.
#[tokio::test]
async fn a_query_that_sleeps_is_cancelled_and_says_nothing_about_data() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, _) = customer(cluster).await;
    customer.slow("sleepy", "orders", 30.0).await;
    let reader = customer.reader(["orders", "sleepy"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let watch = customer.watch(&reader.role).await;
    let sql = "select count(*) from sleepy where slept <> 'x'";
    let (table, check) = measured(&connection, sql).await;
    let first = table.first(&check).await;
    assert_eq!(first["outcome"], "errored", "{first}");
    let began = Instant::now();
    let again = table.run_one().await;
    assert_eq!(again["outcome"], "errored", "{again}");
    assert!(began.elapsed() < Duration::from_secs(15));
    let seen = watch.end().await;
    assert!(seen.longest_statement < Duration::from_secs(4), "{seen:?}");
    assert_eq!(seen.most_sessions, 1, "{seen:?}");
    assert_eq!(connection.alerts_of("check").await, [json!(null); 0]);
    assert_eq!(connection.alerts_of("errored").await.len(), 1);
}

/// Behaviour 6.
#[tokio::test]
async fn an_expensive_plan_is_not_run() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 4_000).await;
    let reader = customer.reader(["orders"]).await;
    let mark = cluster.standby.mark().await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let sql = "select count(*) from orders a cross join orders b";
    let (table, check) = measured(&connection, sql).await;
    let result = table.first(&check).await;
    assert_eq!(told(&result), ("skipped", "cost"), "{result}");
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    let crossed = seen.run();
    let mut crossed = crossed
        .iter()
        .map(|statement| statement.text.trim().to_lowercase())
        .filter(|text| text.contains("cross join") && !text.contains("pg_partition_tree"))
        .peekable();
    assert!(crossed.peek().is_some(), "it was planned");
    assert!(crossed.all(|text| text.starts_with("explain (format json")));
    assert_eq!(connection.alerts().await, [json!(null); 0]);
    let path = format!("{}/impact", connection.path());
    let impact = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(impact.at("/hours/0/skipped/cost"), 1, "{impact}");
}

/// Behaviour 7.
#[tokio::test]
async fn a_locked_table_is_left_alone_in_time() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, reader) = customer(cluster).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let (table, check) = measured(&connection, "select count(*) from orders").await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    let lock = customer.lock_standby("orders").await;
    let watch = customer.watch(&reader.role).await;
    let locked = table.run_one().await;
    assert_eq!(told(&locked), ("skipped", "locked"), "{locked}");
    let seen = watch.end().await;
    assert!(seen.longest_statement < Duration::from_secs(1), "{seen:?}");
    lock.release().await;
    cluster.replayed().await;
    assert_eq!(table.run_one().await["outcome"], "pass");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
}

/// Behaviour 8.
#[tokio::test]
async fn a_query_in_the_way_of_replay_is_tried_a_few_times_and_then_skipped() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::start().await);
    cluster.patience_with_readers("0").await;
    let (customer, _) = customer(&cluster).await;
    customer.slow("sleepy", "orders", 1.5).await;
    let reader = customer.reader(["orders", "sleepy"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let sql = "select count(*) from sleepy where slept <> 'x'";
    let (table, check) = measured(&connection, sql).await;
    table.first(&check).await;
    let mark = cluster.standby.mark().await;
    let result = customer.while_cleaning("orders", table.run_one()).await;
    assert_eq!(told(&result), ("skipped", "conflict"), "{result}");
    let seen = cluster.standby.since(mark).await.of(&reader.role);
    let conflicts = seen
        .errors()
        .iter()
        .filter(|code| **code == "40001")
        .count();
    // Each time replay is in its way: it was tried, and twice more.
    assert_eq!(conflicts, 3, "{:?}", seen.errors());
    assert_eq!(connection.alerts().await, [json!(null); 0]);
}

/// Behaviour 9.
#[tokio::test]
async fn a_session_that_is_ended_in_the_middle_is_opened_anew_by_the_next_run() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, _) = customer(cluster).await;
    customer.slow("sleepy", "orders", 1.5).await;
    let reader = customer.reader(["orders", "sleepy"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let sql = "select count(*) from sleepy where slept <> 'x'";
    let (table, check) = measured(&connection, sql).await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    let operator = customer.standby().await;
    let end = format!(
        "select to_jsonb(count(pg_terminate_backend(pid))) from pg_stat_activity
          where usename = '{}' and wait_event = 'PgSleep'",
        reader.role
    );
    let ending = eventually("it is ended in its sleep", || async {
        (operator.json(&end, &[]).await == 1).then_some(())
    });
    let ((), ran) = tokio::join!(ending, table.run_one());
    assert_eq!(ran["outcome"], "skipped", "{ran}");
    assert_eq!(table.run_one().await["outcome"], "pass");
    assert_eq!(connection.alerts_of("check").await, [json!(null); 0]);
    assert_eq!(customer.seen(&reader.role).await.most_sessions, 1);
}

/// Behaviour 14.
#[tokio::test]
async fn a_black_hole_ends_in_time_and_disturbs_no_other_connection() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let (customer, reader) = customer(cluster).await;
    let other = customer.reader(["orders"]).await;
    let door = Door::to(cluster.standby.port()).await;
    let lost = json!({"name": "Lost", "port": door.port()});
    let lost = Connection::to(&tenant, &customer, &reader, lost).await;
    let fine = Connection::to(&tenant, &customer, &other, json!({})).await;
    let (lost, lost_check) = measured(&lost, "select count(*) from orders").await;
    let (fine, fine_check) = measured(&fine, "select count(*) from orders").await;
    assert_eq!(lost.first(&lost_check).await["outcome"], "pass");
    assert_eq!(fine.first(&fine_check).await["outcome"], "pass");
    door.blackhole();
    let began = Instant::now();
    let others = async {
        for _ in 0..3 {
            let asked = Instant::now();
            assert_eq!(fine.run_one().await["outcome"], "pass");
            assert!(asked.elapsed() < Duration::from_secs(5));
        }
    };
    let (ran, ()) = tokio::join!(lost.run_one(), others);
    assert_eq!(ran["outcome"], "skipped", "{ran}");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    door.heal().await;
}
