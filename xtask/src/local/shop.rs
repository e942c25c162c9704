//! The demo shop: a database of four weeks of invented orders, and what watches it.
//!
//! Invariant: it has a database and a role of its own. Orders come in the same rhythm in its past and
//! as long as it is open, so nothing about it is strange until somebody makes it so, but that some
//! customers have no e-mail address. It is no replica, and its connection says why it is asked.
//! Failure: a server that does not let databases be made, or a refused request, is an error that
//! names it.

use super::database::Address;
use super::seed::Api;
use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

/// Its database.
const DATABASE: &str = "demo_shop";
/// The role that reads it.
const ROLE: &str = "demo_shop_reader";
/// What its connection is called.
const NAME: &str = "Demo shop";
/// How often what was ordered is written down.
const EVERY: Duration = Duration::from_secs(15);

const TABLES: &str = "
    create table if not exists customers (
      id int primary key, name text not null, email text, created_at timestamptz not null);
    insert into customers
    select n, 'Customer ' || n, case when n % 25 > 0 then 'customer' || n || '@example.com' end,
           now() - interval '28 days'
      from generate_series(1, 400) as n
    on conflict (id) do nothing;
    create table if not exists orders (
      id bigint generated always as identity primary key, customer_id int not null,
      amount numeric(8, 2) not null, status text not null, created_at timestamptz not null);
    create index if not exists orders_created_at on orders (created_at);";

/// The orders of every minute that is over since the last one: more by day than by night.
const ORDERS: &str = "
    insert into orders (customer_id, amount, status, created_at)
    select 1 + dice % 400, 5 + dice % 9500 / 100.0, (array['paid', 'sent', 'new'])[1 + dice % 3],
           minute + n * interval '7 seconds'
      from generate_series(
             date_trunc('minute', greatest((select max(created_at) from orders),
                                           now() - interval '28 days')) + interval '1 minute',
             date_trunc('minute', now()) - interval '1 minute', interval '1 minute') as m (minute),
           generate_series(1, 1 + floor(
             1.5 - 1.5 * cos(extract(hour from minute at time zone 'UTC') / 12 * pi())
             + abs(hashtext(minute::text)) % 100 / 100.0)::int) as n,
           lateral (select abs(hashtext(minute::text || '/' || n))) as d (dice)";

/// The shop as a tenant watches it.
pub struct Watched {
    connection: String,
}

/// The shop, open.
pub struct Shop {
    server: Address,
    session: Client,
}

impl Shop {
    /// Makes it on a server, as the superuser, unless it is there; its orders go up to now.
    pub async fn open(server: &Address) -> Result<Self> {
        let session = server.connect().await?;
        let known = format!("select 1 from pg_database where datname = '{DATABASE}'");
        if session.query_typed(&known, &[]).await?.is_empty() {
            let make = format!("create database {DATABASE}");
            session.batch_execute(&make).await?;
        }
        let server = server.with_database(DATABASE);
        let session = server.connect().await?;
        session.batch_execute(TABLES).await?;
        session.batch_execute(ORDERS).await?;
        session.batch_execute("analyze customers, orders").await?;
        Ok(Self { server, session })
    }

    /// Has a tenant watch it, unless it does already.
    pub async fn watch(&self, url: &str, token: &str) -> Result<Watched> {
        let api = Api::at(url)?;
        let path = "/api/connections?limit=200";
        let (_, known) = api.send(Method::GET, path, Some(token), None).await?;
        let known = known["items"].as_array().cloned().unwrap_or_default();
        let known = known.iter().find(|connection| connection["name"] == NAME);
        if let Some(connection) = known.and_then(|connection| connection["id"].as_str()) {
            return Ok(Watched {
                connection: connection.to_owned(),
            });
        }
        let post = async |path: &str, body: Value| -> Result<String> {
            let made = api.post(path, Some(token), &body).await?;
            let id = made["id"].as_str().context("an answer without an id")?;
            Ok(id.to_owned())
        };
        let route = json!({"name": "Everyone", "receivers": [{"address": super::seed::EMAIL}],
            "group_wait_seconds": 0});
        post("/api/routes", route).await?;
        let connection = json!({
            "name": NAME, "host": self.server.host(), "port": self.server.port(),
            "database": DATABASE, "username": ROLE, "password": self.reader().await?,
            "sslmode": "disable", "allow_primary": true,
            "primary_reason": "A demo on this machine, which has no replica.",
        });
        let connection = post("/api/connections", connection).await?;
        for (name, checks) in checks() {
            let table = json!({"connection_id": connection, "name": name});
            let table = post("/api/tables", table).await?;
            for check in checks {
                post(&format!("/api/tables/{table}/checks"), check).await?;
            }
        }
        Ok(Watched { connection })
    }

    /// The role as the documentation says, with a new password.
    async fn reader(&self) -> Result<String> {
        let password = Uuid::new_v4().simple().to_string();
        let known = format!("select 1 from pg_roles where rolname = '{ROLE}'");
        let verb = match self.session.query_typed(&known, &[]).await?.is_empty() {
            true => "create",
            false => "alter",
        };
        let sql = format!(
            "{verb} role {ROLE} login password '{password}' connection limit 1;
             grant pg_read_all_stats to {ROLE};
             grant connect on database {DATABASE} to {ROLE};
             grant usage on schema public to {ROLE};
             grant select on orders, customers to {ROLE}"
        );
        self.session.batch_execute(&sql).await?;
        Ok(password)
    }

    /// Takes orders until it is dropped.
    pub async fn trade(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            // Closed meanwhile, it takes none.
            let _ = self.session.batch_execute(ORDERS).await;
        }
    }
}

impl Watched {
    /// Ends it: the connection goes, with its tables and checks.
    pub async fn forget(self, url: &str, token: &str) -> Result<()> {
        let path = format!("/api/connections/{}", self.connection);
        let (status, answer) = Api::at(url)?
            .send(Method::DELETE, &path, Some(token), None)
            .await?;
        if !status.is_success() {
            bail!("DELETE {path} answered {status}: {answer}");
        }
        Ok(())
    }
}

/// The checks of each table.
fn checks() -> [(&'static str, Vec<Value>); 2] {
    let at_most = |max: f64| json!({"kind": "absolute", "max": max});
    [
        (
            "orders",
            vec![
                json!({"name": "Orders come in", "kind": "freshness", "every": 60,
                    "settings": {"column": "created_at"}, "fail": at_most(900.0)}),
                json!({"name": "Orders an hour", "kind": "volume", "every": 300,
                    "settings": {"column": "created_at"}, "fail": {"kind": "learned"}}),
                json!({"name": "Amounts", "kind": "range", "every": 300,
                    "settings": {"column": "amount", "min": 0, "max": 1_000}, "fail": at_most(0.0)}),
                json!({"name": "Known customers", "kind": "reference", "every": 300,
                    "settings": {"columns": ["customer_id"], "to_columns": ["id"],
                        "to": {"schema": "public", "name": "customers"}},
                    "fail": at_most(0.0)}),
                json!({"name": "Columns", "kind": "schema", "every": 300}),
            ],
        ),
        (
            "customers",
            vec![
                json!({"name": "E-mail addresses", "kind": "null_rate", "every": 300,
                "settings": {"column": "email"}, "warn": at_most(0.02), "fail": at_most(0.2)}),
            ],
        ),
    ]
}
