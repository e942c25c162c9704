//! Two connections that fill in the history of the same table.
//!
//! Invariant: each loads the replica little, alarms nobody, and finds what the other finds.
//! Failure: the results, alerts or statements that came instead.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use pulse_tests::database::Database;
use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Reader};
use pulse_tests::stack::within;
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};

/// How long some statements ten seconds apart may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A table with four weeks of rows, twenty an hour but for an outage of three hours ten days ago.
async fn customer(cluster: &Cluster) -> Customer<'_> {
    let customer = cluster.customer().await;
    customer
        .make(
            "create table orders (at timestamptz not null);
             insert into orders
             select at from generate_series(now() - interval '4 weeks', now(), interval '3 minutes') at
              where at not between now() - interval '243 hours' and now() - interval '240 hours';
             create index on orders (at); analyze orders",
        )
        .await;
    customer.make("vacuum orders").await;
    customer
}

/// A check of its volume by the hour, which learns.
async fn volume(customer: &Customer<'_>) -> (Reader, Connection, Table, String) {
    let tenant = Tenant::new().await;
    let reader = customer.reader(["orders"]).await;
    let connection = Connection::to(&tenant, customer, &reader, json!({})).await;
    let table = connection.table("orders").await;
    let check = table
        .check(
            json!({"kind": "volume", "settings": {"column": "at"}, "every": 3600,
            "fail": {"kind": "learned"}}),
        )
        .await;
    (reader, connection, table, check)
}

/// Waits until a check is filled in from there on instead of from eight weeks ago, past the API: what
/// was under way when that was said is told again.
async fn filled(table: &Table, check: &str, until: DateTime<Utc>) -> Value {
    let sql = "with cut as (
                 update monitor_checks set backfill = jsonb_set(backfill, '{progress,until}',
                   to_jsonb($2::text))
                  where id = $1::text::uuid and backfill #>> '{progress,until}' <> $2 returning 1)
               select to_jsonb(count(*)) from cut";
    let id = check.rsplit('/').next().expect("an id").to_owned();
    let until = rfc3339(until);
    let database = Database::admin().await;
    within(PATIENCE, "history is filled in", || async {
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::TEXT), (&until, Type::TEXT)];
        database.json(sql, &values).await;
        let shown = table.tenant.client().get(check).await.expect_status(200);
        let backfill = shown.at("/backfill");
        (backfill["state"] == "done").then_some(backfill)
    })
    .await
}

/// What was filled in: each value with its judgement, oldest first.
async fn past(table: &Table, check: &str) -> Vec<Value> {
    let database = Database::admin().await;
    database.as_tenant(&table.tenant.id).await;
    let id = check.rsplit('/').next().expect("an id").to_owned();
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(at, value, outcome, low, high, alerted)
                 order by at), '[]')
               from monitor_results where check_id = $1::text::uuid and origin = 'backfill'";
    let found = database.json(sql, &[(&id, Type::TEXT)]).await;
    found.as_array().cloned().unwrap_or_default()
}

/// Behaviour 35.
#[tokio::test]
async fn history_is_filled_in_slowly_the_same_for_everybody_and_without_an_alarm() {
    let cluster = Cluster::shared().await;
    let customer = customer(cluster).await;
    let mark = cluster.standby.mark().await;
    let (one, other) = (volume(&customer).await, volume(&customer).await);
    let until = Utc::now() - TimeDelta::weeks(3);
    let until = until.duration_trunc(TimeDelta::hours(1)).expect("an hour");
    // At once, or the second would have gone further back by the time that it is stopped.
    let (first, second) = tokio::join!(
        filled(&one.2, &one.3, until),
        filled(&other.2, &other.3, until)
    );
    for done in [first, second] {
        assert!(done["points"].as_u64() >= Some(400), "{done}");
    }
    let (mine, theirs) = (past(&one.2, &one.3).await, past(&other.2, &other.3).await);
    assert!(mine.len() >= 400, "{}", mine.len());
    // They began at different moments: what both filled in is the same to the last digit.
    let mut both = 0;
    for (it, that) in mine.iter().filter_map(|it| {
        let that = theirs.iter().find(|that| that[0] == it[0])?;
        Some((it, that))
    }) {
        assert_eq!(it, that);
        both += 1;
    }
    assert!(both + 3 >= mine.len(), "{both} of {}", mine.len());
    assert!(mine.iter().any(|it| it[5] == true), "the outage is seen");
    for (reader, connection, table, check) in [&one, &other] {
        assert_eq!(connection.alerts().await, [json!(null); 0]);
        // What a run found is not replaced.
        let runs = table.results(check).await;
        let ran = runs.iter().filter(|it| it["origin"] == "schedule").count();
        assert_eq!(ran, 1, "{}", runs.len());
        let seen = cluster.standby.since(mark).await.of(&reader.role);
        let statements = seen.run();
        let counts = statements.iter().filter(|it| {
            let text = it.text.trim().to_lowercase();
            text.starts_with("select") && text.contains("width_bucket")
        });
        let mut at: Vec<_> = counts.map(|it| it.at).collect();
        at.sort_unstable();
        assert!(at.len() >= 3, "{at:?}");
        for pair in at.windows(2) {
            let apart = pair[1] - pair[0];
            assert!(apart.num_milliseconds() >= 9_500, "{apart}");
        }
    }
}
