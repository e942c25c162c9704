//! A database that is monitored: a role that Pulse signs in as, and connections that lead there.
//!
//! Invariant: every test has a role of its own, so that what the server shows of it is the test's.
//! Failure: an answer other than the expected one panics with it.

use crate::client::Reply;
use crate::database::Database;
use crate::event::merge;
use crate::messages::Channel;
use crate::receiver::Receiver;
use crate::replica::{Customer, Reader};
use crate::stack::{self, within};
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// How long a first result may take on a busy machine: until the minute tick after next.
const PATIENCE: Duration = Duration::from_secs(120);

/// A role on the stack's own server, which is no replica.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
}

impl Role {
    /// Makes one that may sign in and read what everybody may.
    pub async fn new() -> Self {
        let role = Self {
            name: format!("watch_{}", Uuid::new_v4().simple()),
            password: format!("pass'word {}", Uuid::new_v4()),
        };
        let sql = format!(
            "create role {} login connection limit 1 password '{}'",
            role.name,
            role.password.replace('\'', "''")
        );
        Database::admin().await.run(&sql).await;
        role
    }

    /// A connection of this role to a port of this machine. Not encrypted, and allowed to be a
    /// primary; `extra` says otherwise.
    pub fn settings(&self, port: u16, extra: Value) -> Value {
        let mut body = json!({"name": "Replica", "host": "127.0.0.1", "port": port,
            "database": database(), "username": self.name, "password": self.password,
            "sslmode": "disable", "allow_primary": true, "primary_reason": "a test"});
        for (name, value) in extra.as_object().expect("settings") {
            body[name] = value.clone();
        }
        body
    }

    /// The backends of this role: `[{pid, application_name, state, query}]`.
    pub async fn backends(&self) -> Vec<Value> {
        let sql = "select coalesce(jsonb_agg(jsonb_build_object('pid', pid, 'state', state,
                     'application_name', application_name, 'query', query)), '[]')
                   from pg_stat_activity where usename = $1";
        let found = Database::admin()
            .await
            .json(sql, &[(&self.name, Type::TEXT)])
            .await;
        found.as_array().cloned().unwrap_or_default()
    }
}

/// A connection of a tenant.
#[derive(Debug)]
pub struct Connection {
    /// The tenant.
    pub tenant: Tenant,
    /// The connection.
    pub id: String,
}

impl Connection {
    /// Adds one with these settings.
    pub async fn with(tenant: &Tenant, settings: &Value) -> Self {
        let made = tenant.client().post("/api/connections", settings).await;
        Self {
            tenant: tenant.clone(),
            id: made.expect_status(201).text_at("/id"),
        }
    }

    /// Adds one to a customer's standby, as this role, encrypted; `extra` says otherwise.
    pub async fn to(tenant: &Tenant, customer: &Customer<'_>, as_: &Reader, extra: Value) -> Self {
        let mut settings = json!({"name": "Replica", "host": "localhost",
            "port": customer.cluster.door.port(), "database": as_.database,
            "username": as_.role, "password": as_.password});
        for (name, value) in extra.as_object().expect("settings") {
            settings[name] = value.clone();
        }
        Self::with(tenant, &settings).await
    }

    /// Adds one to a customer's standby, and watches a table there as a role that may read that alone.
    pub async fn watching(tenant: &Tenant, customer: &Customer<'_>, name: &str) -> (Self, Table) {
        let reader = customer.reader([name]).await;
        let connection = Self::to(tenant, customer, &reader, json!({})).await;
        let table = connection.table(name).await;
        (connection, table)
    }

    /// Watches a table of it.
    pub async fn table(&self, name: &str) -> Table {
        self.table_with(name, json!({})).await
    }

    /// Watches a table of it, with more settings.
    pub async fn table_with(&self, name: &str, extra: Value) -> Table {
        let mut body = json!({"connection_id": self.id, "name": name});
        merge(&mut body, extra);
        let made = self.tenant.client().post("/api/tables", &body).await;
        Table {
            tenant: self.tenant.clone(),
            id: made.expect_status(201).text_at("/id"),
        }
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("/api/connections/{}", self.id)
    }

    /// Tests it.
    pub async fn test(&self) -> Reply {
        let path = format!("{}/test", self.path());
        let tested = self.tenant.client().call("POST", &path).await;
        tested.expect_status(200)
    }
}

impl Connection {
    /// Its alerts, newest first.
    pub async fn alerts(&self) -> Vec<Value> {
        let path = format!("/api/alerts?connection_id={}", self.id);
        let found = self.tenant.client().get(&path).await;
        found.expect_status(200).list_at("/items")
    }

    /// Its alerts of a kind, newest first.
    pub async fn alerts_of(&self, kind: &str) -> Vec<Value> {
        let mut alerts = self.alerts().await;
        alerts.retain(|alert| alert["kind"] == kind);
        alerts
    }

    /// Lets data checks say nothing while the replica is further behind, also less than people may
    /// say.
    pub async fn lag_limit(&self, seconds: u32) {
        let sql = format!(
            "update monitor_connections set lag_limit_seconds = {seconds} where id = '{}'",
            self.id
        );
        Database::admin().await.run(&sql).await;
    }
}

/// Sends everything that the monitor tells to a receiver, after this many seconds.
pub async fn tells(tenant: &Tenant, receiver: &Receiver, group_wait: u32) {
    let channel = Channel::with(tenant, "webhook", json!({"url": receiver.url})).await;
    let route = json!({"name": "All", "receivers": [{"channel_id": channel.id}],
        "group_wait_seconds": group_wait, "group_interval_seconds": 0});
    let made = tenant.client().post("/api/routes", &route).await;
    made.expect_status(201);
}

/// A table that is watched.
#[derive(Debug)]
pub struct Table {
    /// The tenant.
    pub tenant: Tenant,
    /// The table.
    pub id: String,
}

impl Table {
    /// Its path.
    pub fn path(&self) -> String {
        format!("/api/tables/{}", self.id)
    }

    /// Adds a check; answers its path.
    pub async fn check(&self, body: Value) -> String {
        let mut check = json!({"name": "Check", "every": 86_400});
        for (name, value) in body.as_object().expect("a check") {
            check[name] = value.clone();
        }
        let path = format!("{}/checks", self.path());
        let made = self.tenant.client().post(&path, &check).await;
        format!("{path}/{}", made.expect_status(201).text_at("/id"))
    }

    /// Runs its checks now; answers what came of them.
    pub async fn run(&self) -> Vec<Value> {
        let path = format!("{}/run", self.path());
        let ran = self.tenant.client().call("POST", &path).await;
        ran.expect_status(200).list_at("/items")
    }

    /// Waits for the first result of a check.
    pub async fn first(&self, check: &str) -> Value {
        within(PATIENCE, "a first result", || async {
            self.results(check).await.pop()
        })
        .await
    }

    /// Runs its only check now.
    pub async fn run_one(&self) -> Value {
        let ran = self.run().await;
        assert_eq!(ran.len(), 1, "{ran:?}");
        ran[0].clone()
    }

    /// Results of a check, newest first.
    pub async fn results(&self, check: &str) -> Vec<Value> {
        let found = self.tenant.client().get(&format!("{check}/results")).await;
        found.expect_status(200).list_at("/items")
    }
}

/// The port of the stack's own server.
pub fn port() -> u16 {
    address().0
}

/// The database of the stack.
pub fn database() -> String {
    address().1
}

fn address() -> (u16, String) {
    let url: tokio_postgres::Config = stack::variable("PULSE_PG_ADMIN").parse().expect("a URL");
    let port = url.get_ports().first().copied().expect("a port");
    (port, url.get_dbname().expect("a database").to_owned())
}
