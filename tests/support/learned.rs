//! A check with weeks of history behind it, whose next value a test sets.
//!
//! Invariant: the history is what runs would have stored, one value an hour up to an hour ago; it is
//! there before the check runs for the first time.
//! Failure: a history that Postgres refuses panics with the statement.

use crate::database::Database;
use crate::event::merge;
use crate::monitored::{Connection, Table};
use crate::replica::{Cluster, Customer};
use crate::stack::within;
use crate::tenant::Tenant;
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::types::Type;

/// How long a first run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seven weeks: what is learned from ends eight weeks ago.
pub const HOURS: i64 = 7 * 7 * 24;

/// A value of the past.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// When.
    pub at: DateTime<Utc>,
    /// What was counted.
    pub value: f64,
    /// Whether it was an alarm.
    pub alerted: bool,
}

/// A number of rows that is learned, once an hour.
#[derive(Debug)]
pub struct Learned {
    /// The customer's database.
    pub customer: Customer<'static>,
    /// The connection.
    pub connection: Connection,
    /// The table.
    pub table: Table,
    /// The check's path.
    pub check: String,
}

impl Learned {
    /// One with this history; its first value is the number of rows that there are `now`.
    pub async fn new(history: &[Past], now: u32) -> Self {
        let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
        let customer = cluster.customer().await;
        customer.orders("orders", now).await;
        let reader = customer.reader(["orders"]).await;
        let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
        let table = connection.table("orders").await;
        let check = learning_with(&table, "Rows", json!({}), history).await;
        Self {
            customer,
            connection,
            table,
            check,
        }
    }

    /// Sets the number of rows, and runs.
    pub async fn sees(&self, rows: u32) -> Value {
        self.sets(rows).await;
        self.table.run_one().await
    }

    /// Sets the number of rows.
    pub async fn sets(&self, rows: u32) {
        let sql = format!(
            "delete from orders where id > {rows};
             insert into orders select n, now(), 'new', '' from generate_series(1, {rows}) n
             on conflict do nothing"
        );
        self.customer.make(&sql).await;
    }

    /// Lets a day pass: what the check saw by itself is as much older, and it is learned from.
    pub async fn a_day_later(&self) {
        let sql = "with aged as (
                     update monitor_results set at = at - interval '1 day',
                            ran_at = ran_at - interval '1 day'
                      where check_id = $1::text::uuid and origin <> 'backfill' returning 1),
                   anew as (
                     update monitor_checks set learnt = learnt + 1 where id = $1::text::uuid
                     returning 1)
                   select to_jsonb((select count(*) from aged) * (select count(*) from anew))";
        let id = id_of(&self.check);
        let database = Database::admin().await;
        let aged = database.json(sql, &[(&id, Type::TEXT)]).await;
        assert!(aged.as_u64() > Some(0), "{aged}");
    }
}

/// Adds a check to a table that learns how many rows there are, with a history; waits for its first
/// run.
pub async fn learning_with(table: &Table, name: &str, extra: Value, history: &[Past]) -> String {
    let mut body = json!({"name": name, "kind": "row_count", "every": 3600, "enabled": false,
        "fail": {"kind": "learned"}});
    merge(&mut body, extra);
    let check = table.check(body).await;
    remember(&table.tenant, &check, history).await;
    switch(table, &check, true).await;
    within(PATIENCE, "a first run", || async {
        let newest = table.results(&check).await.into_iter().next()?;
        (newest["origin"] == "schedule").then_some(())
    })
    .await;
    check
}

async fn switch(table: &Table, check: &str, on: bool) {
    let client = table.tenant.client();
    let enabled = json!({ "enabled": on });
    client.patch(check, &enabled).await.expect_status(200);
}

/// Writes history as the owner of the tables.
async fn remember(tenant: &Tenant, check: &str, history: &[Past]) {
    let rows: Vec<Value> = history
        .iter()
        .map(|past| json!({"at": past.at, "value": past.value, "alerted": past.alerted}))
        .collect();
    let sql = "with written as (
                 insert into monitor_results (tenant_id, check_id, revision, at, origin, outcome, value,
                                              as_of, alerted)
                 select $1::text::uuid, k.id, k.revision, x.at, 'backfill',
                        case when x.alerted then 'fail' else 'pass' end, x.value, x.at, x.alerted
                 from monitor_checks k, jsonb_to_recordset($3::text::jsonb)
                   as x (at timestamptz, value float8, alerted boolean)
                 where k.id = $2::text::uuid
                 returning 1)
               select to_jsonb(count(*)) from written";
    let (id, rows) = (id_of(check), Value::Array(rows).to_string());
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] = [
        (&tenant.id, Type::TEXT),
        (&id, Type::TEXT),
        (&rows, Type::TEXT),
    ];
    let written = database.json(sql, &values).await;
    assert_eq!(written, history.len());
}

/// Forgets what a check found by itself: its history is all that is left.
pub async fn forget_runs(check: &str) {
    let id = id_of(check);
    let sql = format!(
        "delete from monitor_results where check_id = '{id}' and origin <> 'backfill';
         update monitor_checks set state = '{{}}', learnt = learnt + 1 where id = '{id}'"
    );
    Database::admin().await.run(&sql).await;
}

fn id_of(check: &str) -> String {
    check.rsplit('/').next().expect("an id").to_owned()
}

/// A history of so many hours up to an hour ago.
pub fn past(hours: i64, value: impl Fn(DateTime<Utc>) -> f64) -> Vec<Past> {
    let now = Utc::now();
    let at = (1..=hours).rev().map(|ago| now - TimeDelta::hours(ago));
    at.map(|at| Past {
        at,
        value: value(at),
        alerted: false,
    })
    .collect()
}

/// A little noise, always the same for the same hour.
pub fn noise(at: DateTime<Utc>) -> f64 {
    let hours = at.timestamp().div_euclid(3_600);
    let mixed = (hours as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (mixed % 1_000) as f64 / 1_000.0 - 0.5
}

/// The day of the week, so many days ago: 0 is Monday.
pub fn weekday(days_ago: i64) -> u32 {
    let day = Utc::now() - TimeDelta::days(days_ago);
    day.weekday().num_days_from_monday()
}

/// Waits out midnight (UTC), when one day's values would be judged as the next one's.
pub async fn not_at_midnight() {
    let left = 86_400 - i64::from(Utc::now().num_seconds_from_midnight());
    if left < 90 {
        let wait = u64::try_from(left + 1).expect("a time to come");
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}
