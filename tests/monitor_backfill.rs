//! History that is filled in from the rows that are there.
//!
//! Invariant: it takes the place of nothing that a run found, and nobody is told of it.
//! Failure: the state of the filling in, and the results that came instead.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer};
use pulse_tests::stack::within;
use std::time::Duration;

/// Eight statements, ten seconds apart, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Orders of ten weeks, thirty to sixty in each hour by the time of the day; none in the last two.
async fn weeks_of_orders(customer: &Customer<'_>) {
    let sql = "
        create table orders (id bigint generated always as identity primary key,
                             at timestamptz not null, email text);
        insert into orders (at, email)
        select h + n * interval '40 seconds', case when n % 10 = 0 then null else 'x' end
          from generate_series(date_trunc('hour', now()) - interval '70 days',
                               date_trunc('hour', now()) - interval '3 hours', '1 hour') as h,
               generate_series(1, (45 + 15 * sin(extract(hour from h) * pi() / 12))::int) as n;
        create index on orders (at);
        analyze orders";
    customer.make(sql).await;
    customer.make("vacuum orders").await;
}

async fn watched(customer: &Customer<'_>) -> (Connection, Table) {
    Connection::watching(&Tenant::new().await, customer, "orders").await
}

async fn state(table: &Table, check: &str) -> Value {
    let shown = table.tenant.client().get(check).await;
    shown.expect_status(200).at("/backfill")
}

async fn done(table: &Table, check: &str) -> Value {
    within(PATIENCE, "the history to be filled in", || async {
        let state = state(table, check).await;
        (!["waiting", "running"].contains(&state["state"].as_str().unwrap_or_default()))
            .then_some(state)
    })
    .await
}

/// Behaviour 35.
#[tokio::test]
async fn a_new_check_knows_eight_weeks_after_a_while_and_catches_a_drop() {
    let customer = Cluster::shared().await.customer().await;
    weeks_of_orders(&customer).await;
    let (connection, table) = watched(&customer).await;
    let began = std::time::Instant::now();
    let check = table
        .check(json!({"kind": "volume", "settings": {"column": "at", "bucket": 3_600}}))
        .await;
    let first = table.first(&check).await;
    assert_eq!(first["outcome"], "learning", "{first}");
    let filled = done(&table, &check).await;
    assert_eq!(filled["state"], "done", "{filled}");
    let points = filled["points"].as_u64().unwrap_or_default();
    assert!((1_340..=1_345).contains(&points), "{filled}");
    assert!(began.elapsed() >= Duration::from_secs(70), "too fast");
    // It is not learning any more, and says so at once: nothing came in the last hour that is over.
    let now = within(PATIENCE, "a run that knows", || async {
        let path = format!("{check}/results?origin=schedule");
        let found = table.tenant.client().get(&path).await.expect_status(200);
        let runs = found.list_at("/items");
        runs.into_iter().find(|run| run["outcome"] != "learning")
    })
    .await;
    assert_eq!(
        (&now["outcome"], &now["reason"], &now["value"]),
        (&json!("fail"), &json!("zero"), &json!(0.0)),
        "{now}"
    );
    // One alert, of that run: the hour before was as empty, and nobody is told of what was filled in.
    let alerts = connection.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["breaches"], 1, "{alerts:?}");
    // What was filled in is what the rows say, and is known as such.
    let path = format!("{check}/results?origin=backfill&limit=200");
    let found = table.tenant.client().get(&path).await.expect_status(200);
    for result in found.list_at("/items").iter().skip(2) {
        let at = result["at"].as_str().expect("a time");
        let sql = format!(
            "select to_jsonb(count(*)) from orders
              where at >= '{at}' and at < timestamptz '{at}' + interval '1 hour'"
        );
        let counted = customer.primary().await.json(&sql, &[]).await;
        assert_eq!(counted.as_f64(), result["value"].as_f64(), "{result}");
        assert_eq!(result["origin"], "backfill", "{result}");
    }
    // What it cost is part of what the connection costs.
    let impact = table
        .tenant
        .client()
        .get(&format!("{}/impact", connection.path()))
        .await;
    let hours = impact.expect_status(200).list_at("/hours");
    let statements = |hour: &Value| hour["statements"].as_u64().unwrap_or_default();
    assert!(hours.iter().map(statements).sum::<u64>() > 40, "{hours:?}");
}

#[tokio::test]
async fn a_share_of_the_latest_rows_has_a_history_too_and_begins_anew_with_another_column() {
    let customer = Cluster::shared().await.customer().await;
    weeks_of_orders(&customer).await;
    let (connection, table) = watched(&customer).await;
    let check = table
        .check(
            json!({"kind": "null_rate", "settings": {"column": "email"}, "every": 86_400,
            "scope": {"column": "at", "last": 86_400}, "fail": {"kind": "learned"}}),
        )
        .await;
    assert_eq!(table.first(&check).await["outcome"], "learning");
    let filled = done(&table, &check).await;
    assert_eq!(filled["state"], "done", "{filled}");
    let points = filled["points"].as_u64().unwrap_or_default();
    assert!((54..=57).contains(&points), "{filled}");
    let now = table.run_one().await;
    assert_eq!(now["outcome"], "pass", "{now}");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
    let change = json!({"settings": {"column": "id"}});
    let changed = table.tenant.client().patch(&check, &change).await;
    let anew = changed.expect_status(200).at("/backfill");
    assert_eq!(
        (&anew["state"], &anew["points"]),
        (&json!("waiting"), &json!(0)),
        "{anew}"
    );
    // What was learned of another column says nothing about this one.
    let now = table.run_one().await;
    assert_eq!(now["outcome"], "learning", "{now}");
}

#[tokio::test]
async fn what_has_no_history_says_why() {
    let customer = Cluster::shared().await.customer().await;
    customer.orders("orders", 10).await;
    let (_connection, table) = watched(&customer).await;
    for (name, body) in [
        ("learned", json!({"name": "learned", "kind": "row_count"})),
        (
            "limit",
            json!({"name": "limit", "kind": "volume", "settings": {"column": "at"},
                "fail": {"kind": "absolute", "min": 1}}),
        ),
        (
            "no time",
            json!({"name": "no time", "kind": "null_rate", "settings": {"column": "status"},
                "fail": {"kind": "learned"}}),
        ),
    ] {
        let check = table.check(body).await;
        let state = state(&table, &check).await;
        assert_eq!(state["state"], "unavailable", "{name}: {state}");
        let why = state["message"].as_str().unwrap_or_default();
        assert!(why.len() > 20, "{name}: {state}");
        let path = format!("{check}/backfill");
        let asked = table.tenant.client().call("POST", &path).await;
        let asked = asked.expect_status(202);
        assert_eq!(asked.at("/state"), "unavailable", "{asked}");
    }
}

#[tokio::test]
async fn a_history_is_filled_in_again_when_somebody_asks() {
    let customer = Cluster::shared().await.customer().await;
    weeks_of_orders(&customer).await;
    let (_connection, table) = watched(&customer).await;
    let check = table
        .check(json!({"kind": "volume", "settings": {"column": "at", "bucket": 86_400}}))
        .await;
    let filled = done(&table, &check).await;
    assert_eq!(filled["state"], "done", "{filled}");
    let path = format!("{check}/backfill");
    let asked = table
        .tenant
        .client()
        .call("POST", &path)
        .await
        .expect_status(202);
    assert_eq!(asked.at("/state"), "waiting", "{asked}");
    let again = table
        .tenant
        .client()
        .call("POST", &path)
        .await
        .expect_status(202);
    assert_eq!(
        again.at("/asked_at"),
        asked.at("/asked_at"),
        "it is under way"
    );
    let other = Tenant::new().await;
    other.client().call("POST", &path).await.expect_status(404);
}
