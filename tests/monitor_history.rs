//! What checks measured, for charts; what is told of holidays and zones; how quiet channels are.
//!
//! Invariant: no failure is left out of a chart.
//! Failure: the points that came instead.

use pulse_tests::database::Database;
use pulse_tests::learned::not_at_midnight;
use pulse_tests::monitored::{Connection, Table, tells};
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::replica::{Cluster, Customer};
use pulse_tests::stack::within;
use std::time::Duration;

async fn watched(customer: &Customer<'_>, tenant: &Tenant) -> (Connection, Table) {
    customer.orders("orders", 100).await;
    Connection::watching(tenant, customer, "orders").await
}

/// Stores results of a check as if runs had found them: one every `minutes`, up to now.
async fn runs(check: &str, count: u32, minutes: u32, value: &str, outcome: &str) {
    let id = check.rsplit('/').next().unwrap_or_default();
    let sql = format!(
        "insert into monitor_results (tenant_id, check_id, at, revision, origin, outcome, value)
         select k.tenant_id, k.id, at, k.revision, 'schedule', {outcome}, {value}
           from monitor_checks k,
                (select n, date_trunc('minute', now()) - n * interval '{minutes} minutes' as at
                   from generate_series(1, {count}) as n) x
          where k.id = '{id}'
         on conflict do nothing"
    );
    Database::admin().await.run(&sql).await;
}

#[tokio::test]
async fn a_chart_has_few_points_and_every_failure() {
    let customer = Cluster::shared().await.customer().await;
    let tenant = Tenant::new().await;
    let (_connection, table) = watched(&customer, &tenant).await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 1_000}}))
        .await;
    table.first(&check).await;
    let outcome = "case when n % 331 = 0 then 'fail' else 'pass' end";
    runs(&check, 9_000, 1, "n", outcome).await;
    let client = tenant.client();
    let chart = client
        .get(&format!("{check}/history"))
        .await
        .expect_status(200);
    let points = chart.list_at("/data");
    assert!((250..=330).contains(&points.len()), "{}", points.len());
    let failed = points.iter().filter(|point| point["outcome"] == "fail");
    assert_eq!(failed.count(), 9_000 / 331);
    let times: Vec<_> = points.iter().map(|point| point["at"].as_str()).collect();
    assert!(times.is_sorted());
    let few = client
        .get(&format!("{check}/history?points=10"))
        .await
        .expect_status(200);
    assert!(few.list_at("/data").len() <= 10 + 9_000 / 331, "{few}");
    let from = (chrono::Utc::now() - chrono::TimeDelta::minutes(30)).format("%FT%TZ");
    let late = client
        .get(&format!("{check}/history?from={from}"))
        .await
        .expect_status(200);
    let late = late.list_at("/data").len();
    assert!((29..=32).contains(&late), "{late}");
    for wrong in [
        "points=0",
        "points=1001",
        "points=x",
        "from=yesterday",
        "more=1",
    ] {
        let refused = client.get(&format!("{check}/history?{wrong}")).await;
        assert!([400, 422].contains(&refused.status), "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn results_come_by_time_outcome_and_page() {
    let customer = Cluster::shared().await.customer().await;
    let tenant = Tenant::new().await;
    let (_connection, table) = watched(&customer, &tenant).await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 1_000}}))
        .await;
    table.first(&check).await;
    let outcome = "case when n % 10 = 0 then 'fail' else 'pass' end";
    runs(&check, 100, 1, "n", outcome).await;
    let client = tenant.client();
    let mut seen = Vec::new();
    let mut path = format!("{check}/results?limit=40");
    loop {
        let page = client.get(&path).await.expect_status(200);
        seen.extend(page.list_at("/items"));
        match page.at("/next_cursor").as_str() {
            Some(cursor) => path = format!("{check}/results?limit=40&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 101);
    let times: Vec<_> = seen.iter().map(|result| result["at"].as_str()).collect();
    assert!(times.is_sorted_by(|one, next| one > next));
    let failed = client.get(&format!("{check}/results?outcome=fail")).await;
    assert_eq!(failed.expect_status(200).list_at("/items").len(), 10);
}

/// Counts of a shop that is open on weekdays from 9 to 18 by the clock of Berlin, and the day before
/// yesterday was a holiday.
#[tokio::test]
async fn a_holiday_raises_no_alarm_where_the_check_knows_of_it() {
    not_at_midnight().await;
    let customer = Cluster::shared().await.customer().await;
    let tenant = Tenant::new().await;
    let (_connection, table) = watched(&customer, &tenant).await;
    let today = chrono::Utc::now().date_naive().to_string();
    let body = |name: &str, holidays: Value| {
        json!({"name": name, "kind": "row_count", "timezone": "UTC", "holidays": holidays,
            "fail": {"kind": "learned"}, "every": 3_600})
    };
    let plain = table.check(body("plain", json!([]))).await;
    let knows = table.check(body("knows", json!([today]))).await;
    table.first(&plain).await;
    table.first(&knows).await;
    // Nine weeks of working days with ten thousand rows; on Saturdays and Sundays a hundred, as today.
    let value = "case when extract(isodow from at) > 5
                      then 100 + n % 7 else 10000 + n % 97 end";
    for check in [&plain, &knows] {
        runs(check, 9 * 7 * 24, 60, value, "'pass'").await;
        let id = check.rsplit('/').next().unwrap_or_default();
        let learnt = format!("update monitor_checks set learnt = learnt + 1 where id = '{id}'");
        Database::admin().await.run(&learnt).await;
    }
    let ran = table.run().await;
    let outcome = |check: &str| {
        let id = check.rsplit('/').next().unwrap_or_default();
        let found = ran.iter().find(|result| result["check_id"] == id);
        found.map(|result| result["outcome"].clone())
    };
    assert_eq!(outcome(&knows), Some(json!("pass")), "{ran:?}");
    let weekend = chrono::Datelike::weekday(&chrono::Utc::now()).number_from_monday() > 5;
    let expected = if weekend { "pass" } else { "fail" };
    assert_eq!(outcome(&plain), Some(json!(expected)), "{ran:?}");
    let refused = tenant
        .client()
        .post(
            &format!("{}/checks", table.path()),
            &body("bad", json!(["2026-02-30"])),
        )
        .await;
    assert_eq!(refused.status, 422, "{refused}");
}

#[tokio::test]
async fn a_channel_is_as_quiet_as_what_was_told_there() {
    let customer = Cluster::shared().await.customer().await;
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    tells(&tenant, &receiver, 0).await;
    let (connection, table) = watched(&customer, &tenant).await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 50}}))
        .await;
    table.first(&check).await;
    receiver.received(1).await;
    let client = tenant.client();
    let alert = connection.alerts().await[0]["id"].clone();
    let path = format!("/api/alerts/{}/mark", alert.as_str().unwrap_or_default());
    let marked = client.post(&path, &json!({"mark": "false_alarm"})).await;
    marked.expect_status(200);
    let quiet = client
        .get("/api/alerts/quietness?weeks=2")
        .await
        .expect_status(200);
    let weeks = quiet.list_at("/data/0/weeks");
    assert_eq!(weeks.len(), 2, "{quiet}");
    assert!(quiet.at("/data/0/name").is_string(), "{quiet}");
    let week = &weeks[0];
    assert_eq!(
        (
            &week["alerts"],
            &week["messages"],
            &week["false_alarms"],
            &week["level"]
        ),
        (&json!(1), &json!(1), &json!(1), &json!("quiet")),
        "{quiet}"
    );
    assert_eq!(weeks[1]["messages"], 0, "{quiet}");
    // Forty a week are more than people look at.
    let loud = "update monitor_notifications set alerts = 40 where tenant_id = $1::text::uuid returning '{}'::jsonb";
    Database::admin()
        .await
        .json(loud, &[(&tenant.id, tokio_postgres::types::Type::TEXT)])
        .await;
    let noisy = client.get("/api/alerts/quietness").await.expect_status(200);
    assert_eq!(noisy.at("/data/0/weeks/0/level"), "noisy", "{noisy}");
    client
        .get("/api/alerts/quietness?weeks=0")
        .await
        .expect_status(422);
    let nobody = Tenant::new()
        .await
        .client()
        .get("/api/alerts/quietness")
        .await;
    assert_eq!(nobody.at("/data"), json!([]), "{nobody}");
}

/// What somebody asked by hand is part of what the connection costs.
#[tokio::test]
async fn a_dry_run_and_a_look_are_part_of_the_impact() {
    let customer = Cluster::shared().await.customer().await;
    let tenant = Tenant::new().await;
    let (connection, table) = watched(&customer, &tenant).await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 1_000}}))
        .await;
    table.first(&check).await;
    let statements = || async {
        let path = format!("{}/impact", connection.path());
        let impact = tenant.client().get(&path).await.expect_status(200);
        let hours = impact.list_at("/hours");
        let each = hours.iter().map(|hour| hour["statements"].as_u64());
        each.flatten().sum::<u64>()
    };
    let before = within(Duration::from_secs(10), "a cost", || async {
        Some(statements().await).filter(|count| *count > 0)
    })
    .await;
    let dry = format!("{}/dry-run", table.path());
    tenant.client().call("POST", &dry).await.expect_status(200);
    let after = statements().await;
    assert!(after >= before + 3, "{before} to {after}");
    connection.test().await;
    let tested = statements().await;
    assert!(tested > after, "{after} to {tested}");
}
