//! How old data may be, to the second: as of what the replica has replayed.
//!
//! Invariant: a limit that is reached is kept; what is above it is stale.
//! Failure: the result that came instead.

use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike, Utc};
use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer};

/// A cluster whose replay stands still behind what came: the replica shows one moment from here on.
async fn still(cluster: &Cluster, customer: &Customer<'_>) {
    cluster.pause().await;
    customer.run("create table later (id int)").await;
    eventually("something is not replayed", || async {
        let position = cluster.position().await;
        (position.unreplayed_bytes > Some(0)).then_some(())
    })
    .await;
}

/// A check of the age of the newest row of a table, which is fine up to two days.
async fn watched(customer: &Customer<'_>, table: &str) -> (Connection, Table, String) {
    let tenant = Tenant::new().await;
    let reader = customer.reader_of_all().await;
    let connection = Connection::to(&tenant, customer, &reader, json!({})).await;
    let table = connection.table(table).await;
    let check = json!({"kind": "freshness", "settings": {"column": "at"},
        "fail": {"kind": "absolute", "max": 2 * 86_400}});
    let check = table.check(check).await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    (connection, table, check)
}

fn instant(at: &Value) -> DateTime<Utc> {
    time(at.as_str().expect("a time"))
}

/// Behaviour 15. The replica stands still, so that every run sees the same age, to the millisecond.
#[tokio::test]
async fn a_row_is_stale_a_second_after_the_limit_and_not_a_second_before_it_or_at_it() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    let made = Utc::now() - TimeDelta::minutes(20);
    let made = made.with_nanosecond(0).expect("a whole second");
    let newest = made.to_rfc3339_opts(SecondsFormat::Millis, true);
    customer
        .make(&format!(
            "create table orders (at timestamptz);
             insert into orders values ('{newest}'), ('{newest}'::timestamptz - interval '1 hour')"
        ))
        .await;
    let (connection, table, check) = watched(&customer, "orders").await;
    connection.lag_limit(3_600).await;
    still(&cluster, &customer).await;
    let seen = table.run_one().await;
    let as_of = instant(&seen["as_of"]);
    let age = seen["value"].as_f64().expect("an age");
    let exact = (as_of - made).num_milliseconds();
    assert_eq!((age * 1_000.0).round() as i64, exact, "{seen}");
    for (limit, outcome, reason) in [
        (age + 1.0, "pass", "within"),
        (age, "pass", "within"),
        (age - 1.0, "fail", "stale"),
        (age - 0.001, "fail", "stale"),
    ] {
        let change = json!({"fail": {"kind": "absolute", "max": limit}});
        let changed = connection.tenant.client().patch(&check, &change).await;
        changed.expect_status(200);
        let result = table.run_one().await;
        // The same moment, and so the same age.
        assert_eq!(
            (&result["as_of"], &result["value"]),
            (&seen["as_of"], &seen["value"])
        );
        let told = (&result["outcome"], &result["reason"]);
        assert_eq!(told, (&json!(outcome), &json!(reason)), "{limit}: {result}");
    }
    cluster.resume().await;
}

/// Behaviour 15, where rows are expected at certain times: counted from when they should have come.
#[tokio::test]
async fn a_row_that_is_expected_is_late_from_its_time_on() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    // Yesterday's row came two minutes after yesterday's time; today's is missing.
    let expected = Utc::now() - TimeDelta::minutes(30);
    let expected = expected
        .with_second(0)
        .and_then(|at| at.with_nanosecond(0))
        .expect("a whole minute");
    let came = expected - TimeDelta::hours(24) + TimeDelta::minutes(2);
    customer
        .make(&format!(
            "create table orders (at timestamptz); insert into orders values ('{}')",
            came.to_rfc3339_opts(SecondsFormat::Secs, true)
        ))
        .await;
    let (connection, table, check) = watched(&customer, "orders").await;
    let cron = format!("{} {} * * *", expected.minute(), expected.hour());
    let daily = |max: u32, holidays: Value| {
        json!({"settings": {"column": "at", "expected": {"cron": cron, "holidays": holidays}},
            "fail": {"kind": "absolute", "max": max}})
    };
    let set = async |check_with: Value| {
        let client = connection.tenant.client();
        client.patch(&check, &check_with).await.expect_status(200);
        table.run_one().await
    };
    let late = set(daily(25 * 60, json!([]))).await;
    assert_eq!(
        (&late["outcome"], &late["reason"]),
        (&json!("fail"), &json!("stale")),
        "{late}"
    );
    let by = late["value"].as_f64().expect("seconds");
    let exact = (instant(&late["as_of"]) - expected).num_milliseconds();
    assert_eq!((by * 1_000.0).round() as i64, exact, "{late}");
    let patient = set(daily(3_600, json!([]))).await;
    assert_eq!(patient["outcome"], "pass", "{patient}");
    // Nothing is expected on a holiday: the row of the day before came in time.
    let holiday = expected.format("%Y-%m-%d").to_string();
    let free = set(daily(0, json!([holiday]))).await;
    assert_eq!(
        (&free["outcome"], &free["value"]),
        (&json!("pass"), &json!(0.0)),
        "{free}"
    );
    customer.make("insert into orders values (now())").await;
    let came = set(daily(0, json!([]))).await;
    assert_eq!(
        (&came["outcome"], &came["value"]),
        (&json!("pass"), &json!(0.0)),
        "{came}"
    );
}

#[tokio::test]
async fn checks_of_one_run_look_at_one_moment() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer
        .make("create table orders (at timestamptz); insert into orders values (now())")
        .await;
    customer.make("create table ids as select 1 as id").await;
    customer.slow("sleepy", "ids", 0.3).await;
    let (_connection, table, _) = watched(&customer, "orders").await;
    for number in 0..4 {
        let check = json!({"name": format!("Slow {number}"), "kind": "metric",
            "settings": {"sql": "select count(*) from sleepy where slept <> 'x'"},
            "fail": {"kind": "absolute", "max": 1000}});
        let check = table.check(check).await;
        table.first(&check).await;
    }
    let results = table.run().await;
    assert_eq!(results.len(), 5, "{results:?}");
    for result in &results {
        assert_eq!(result["outcome"], "pass", "{result}");
        assert_eq!(result["as_of"], results[0]["as_of"], "{results:?}");
    }
}
