//! A watched table that fails and recovers as a test wants it, and what is told of it.
//!
//! Invariant: the check fails while there are more than a hundred rows, warns from ninety-five on; its
//! first run, which its alarm makes, has passed.
//! Failure: a run that comes to something else panics with it.

use crate::client::{Client, Reply};
use crate::database::Database;
use crate::event::merge;
use crate::messages::Channel;
use crate::monitored::{Connection, Table};
use crate::receiver::{Hook, Receiver};
use crate::replica::{Cluster, Customer, Reader};
use crate::stack::within;
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::time::Duration;

/// How long something that follows from a run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing must come until it counts as nothing.
const QUIET: Duration = Duration::from_secs(3);

/// A table with one check.
#[derive(Debug)]
pub struct Watched {
    /// The customer's database.
    pub customer: Customer<'static>,
    /// Who reads it.
    pub reader: Reader,
    /// The connection.
    pub connection: Connection,
    /// The table.
    pub table: Table,
    /// The check's path.
    pub check: String,
}

impl Watched {
    /// One of a tenant; `extra` adds to the check.
    pub async fn of(tenant: &Tenant, extra: Value) -> Self {
        Self::with(tenant, json!({}), json!({}), extra).await
    }

    /// One whose connection, table and check have more settings.
    pub async fn with(tenant: &Tenant, connection: Value, table: Value, check: Value) -> Self {
        let customer = Cluster::shared().await.customer().await;
        customer.orders("orders", 90).await;
        let reader = customer.reader(["orders"]).await;
        let connection = Connection::to(tenant, &customer, &reader, connection).await;
        let table = connection.table_with("orders", table).await;
        let mut body = rows("Rows");
        merge(&mut body, check);
        let check = table.check(body).await;
        assert_eq!(table.first(&check).await["outcome"], "pass");
        Self {
            customer,
            reader,
            connection,
            table,
            check,
        }
    }

    /// One more watched table of the same connection, with a hundred rows.
    pub async fn another(&self, name: &str) -> (Table, String) {
        self.customer.orders(name, 90).await;
        let role = &self.reader.role;
        self.customer
            .make(&format!("grant select on {name} to {role}"))
            .await;
        let table = self.connection.table(name).await;
        let check = table.check(rows("Rows")).await;
        assert_eq!(table.first(&check).await["outcome"], "pass");
        (table, check)
    }

    /// Makes a table of the connection have so many rows.
    pub async fn set(&self, table: &str, rows: u32) {
        let sql = format!(
            "delete from {table} where id > {rows};
             insert into {table} select n, now(), 'new', '' from generate_series(1, {rows}) n
             on conflict do nothing"
        );
        self.customer.make(&sql).await;
    }

    /// Breaks the data, and runs the check.
    pub async fn fails(&self) -> Value {
        self.runs_with(110, "fail").await
    }

    /// Makes the data doubtful, and runs the check.
    pub async fn warns(&self) -> Value {
        self.runs_with(98, "warn").await
    }

    /// Mends the data, and runs the check.
    pub async fn passes(&self) -> Value {
        self.runs_with(90, "pass").await
    }

    async fn runs_with(&self, rows: u32, outcome: &str) -> Value {
        self.set("orders", rows).await;
        let result = self.table.run_one().await;
        assert_eq!(result["outcome"], outcome, "{result}");
        result
    }

    /// The client of the tenant's admin.
    pub fn client(&self) -> &Client {
        self.connection.tenant.client()
    }

    /// Its only alert.
    pub async fn alert(&self) -> Value {
        let alerts = self.connection.alerts().await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        alerts[0].clone()
    }

    /// The path of its only alert.
    pub async fn alert_path(&self) -> String {
        path_of(&self.alert().await)
    }

    /// Waits until its only alert stands so.
    pub async fn stands(&self, state: &str) -> Value {
        within(PATIENCE, state, || async {
            let alert = self.alert().await;
            (alert["state"] == state).then_some(alert)
        })
        .await
    }
}

/// A check of how many rows there are.
pub fn rows(name: &str) -> Value {
    json!({"name": name, "kind": "row_count", "warn": {"kind": "absolute", "max": 95},
        "fail": {"kind": "absolute", "max": 100}})
}

/// The path of an alert.
pub fn path_of(alert: &Value) -> String {
    format!("/api/alerts/{}", alert["id"].as_str().expect("an id"))
}

/// Does something to an alert: `ack`, `resolve`.
pub async fn act(client: &Client, alert: &str, what: &str) -> Reply {
    client.call("POST", &format!("{alert}/{what}")).await
}

/// Says what an alarm was.
pub async fn mark(client: &Client, alert: &str, mark: Value) -> Reply {
    let body = json!({ "mark": mark });
    client.post(&format!("{alert}/mark"), &body).await
}

/// A route of a tenant that tells at once; `extra` says otherwise.
pub async fn route(tenant: &Tenant, channel: &Channel, extra: Value) -> String {
    let mut body = json!({"name": "Route", "receivers": [{"channel_id": channel.id}],
        "group_wait_seconds": 0, "group_interval_seconds": 0});
    merge(&mut body, extra);
    let made = tenant.client().post("/api/routes", &body).await;
    made.expect_status(201).text_at("/id")
}

/// A webhook with its receiver.
pub async fn hook(tenant: &Tenant) -> (Receiver, Channel) {
    let receiver = Receiver::new().await;
    let channel = Channel::with(tenant, "webhook", json!({"url": receiver.url})).await;
    (receiver, channel)
}

/// Makes the times of a tenant's routes shorter than people may: `{"repeat_interval_seconds": 2}`.
pub async fn hurry(tenant: &Tenant, times: &Value) {
    let sql = format!(
        "update monitor_routes set settings = settings || '{times}' where tenant_id = '{}'",
        tenant.id
    );
    Database::admin().await.run(&sql).await;
}

/// Demands that so many messages came, and no more come.
pub async fn told(receiver: &Receiver, count: usize) -> Vec<Hook> {
    receiver.received(count).await;
    tokio::time::sleep(QUIET).await;
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), count, "{hooks:#?}");
    hooks
}
