//! What is watched: a customer's database with many tables, roles that may read them, and their
//! connections in Pulse.
//!
//! Invariant: each connection has a role of its own, which may connect once at a time. Nothing is
//! asked of a connection before it is switched on.
//! Failure: an answer that is not a success ends the bench.

use super::{ROWS, TABLES};
use crate::bench::api::{Api, text};
use crate::bench::rig::Product;
use anyhow::{Context, Result, bail};
use pulse_tests::database::Database;
use pulse_tests::replica::{Cluster, Customer};
use serde_json::{Value, json};

/// Tables that are made in one transaction, which must find locks for all of them.
const AT_ONCE: usize = 50;

/// The customer's database, and the tenant that watches it.
pub struct Site<'a> {
    /// The product.
    pub product: &'a Product,
    /// Its tenant's API.
    pub api: Api,
    /// Its database.
    pub pulse: Database,
    /// The database that is watched, with tables `t_0`, `t_1`, …
    pub customer: Customer<'a>,
}

/// A connection of the tenant.
pub struct Connection {
    /// It.
    pub id: String,
    /// The role that it signs in as.
    pub role: String,
}

/// The servers of the tests log all they do; here that would be measured.
pub async fn say_less(cluster: &Cluster) {
    for server in [&cluster.primary, &cluster.standby] {
        let quiet = [
            ("log_min_duration_statement", "-1"),
            ("auto_explain.log_min_duration", "-1"),
            ("log_connections", "off"),
            ("log_disconnections", "off"),
        ];
        server.set(quiet).await;
    }
}

/// The four checks that tables have in turn, all of which pass.
pub fn checks() -> [Value; 4] {
    let fail = |max: f64| json!({"kind": "absolute", "max": max});
    [
        json!({"name": "Freshness", "kind": "freshness", "settings": {"column": "at"},
            "fail": fail(864_000.0)}),
        json!({"name": "Rows", "kind": "row_count", "fail": {"kind": "absolute", "min": 1}}),
        json!({"name": "Nulls", "kind": "null_rate", "settings": {"column": "status"},
            "fail": fail(0.5)}),
        json!({"name": "Range", "kind": "range", "settings": {"column": "amount", "min": 0,
            "max": 1_000}, "fail": fail(0.5)}),
    ]
}

impl<'a> Site<'a> {
    /// Makes the database with `t_0` and so many tables more.
    pub async fn new(product: &'a Product, cluster: &'a Cluster, tables: usize) -> Result<Self> {
        let customer = cluster.customer().await;
        let primary = customer.primary().await;
        for first in (0..=tables).step_by(AT_ONCE) {
            let last = (first + AT_ONCE - 1).min(tables);
            primary
                .run(&format!(
                    "do $$ begin for n in {first}..{last} loop execute format('
                       create table t_%1$s (id int primary key, at timestamptz not null, status text,
                                            amount float8 not null);
                       insert into t_%1$s select i, now() - i * interval ''1 minute'',
                         case when i %% 20 > 0 then ''paid'' end, i %% 500
                         from generate_series(1, {ROWS}) as i;
                       create index on t_%1$s (at)', n); end loop; end $$"
                ))
                .await;
        }
        primary.run("vacuum analyze").await;
        cluster.replayed().await;
        let mut api = Api::at(&product.side.url)?;
        api.register("Bench").await?;
        Ok(Self {
            product,
            api,
            pulse: Database::at(product.stack.admin.url()).await,
            customer,
        })
    }

    /// Adds a connection, switched off.
    pub async fn connect(&self, name: &str) -> Result<Connection> {
        let reader = self.customer.reader([]).await;
        let grant = "grant select on all tables in schema public to";
        self.customer
            .make(&format!("{grant} {}", reader.role))
            .await;
        let body = json!({
            "name": name, "host": "localhost", "port": self.customer.cluster.standby.port(),
            "database": reader.database, "username": reader.role, "password": reader.password,
            "enabled": false,
            "budget": {"statements": 100_000, "milliseconds": 3_600_000, "buffers": 1_000_000_000},
        });
        let made = self.api.post("/api/connections", &body).await?;
        Ok(Connection {
            id: text(&made, "id")?,
            role: reader.role,
        })
    }

    /// Switches a connection on or off.
    pub async fn switch(&self, connection: &Connection, on: bool) -> Result<()> {
        let path = format!("/api/connections/{}", connection.id);
        let body = json!({"enabled": on}).to_string();
        let body = Some(("application/json", body.as_str()));
        match self.api.call("PATCH", &path, body).await? {
            (200, _) => Ok(()),
            (status, answer) => bail!("PATCH {path} answered {status}: {answer}"),
        }
    }

    /// Watches a table.
    pub async fn table(&self, connection: &Connection, name: &str) -> Result<String> {
        let body = json!({"connection_id": connection.id, "name": name});
        text(&self.api.post("/api/tables", &body).await?, "id")
    }

    /// Adds a check to a table, with fields over its own; answers its id.
    pub async fn check(&self, table: &str, mut check: Value, extra: Value) -> Result<String> {
        for (name, value) in extra.as_object().context("fields")? {
            check[name] = value.clone();
        }
        let path = format!("/api/tables/{table}/checks");
        text(&self.api.post(&path, &check).await?, "id")
    }

    /// Runs the checks of a table; all must pass. Answers how many there are.
    pub async fn run(&self, table: &str) -> Result<usize> {
        let path = format!("/api/tables/{table}/run");
        let ran = self.api.post(&path, &json!({})).await?;
        let ran = ran["items"].as_array().context("no results")?;
        match ran.iter().find(|result| result["outcome"] != "pass") {
            None => Ok(ran.len()),
            Some(result) => bail!("a check that should pass: {result}"),
        }
    }

    /// Watches the tables from `t_1` on, so many through each connection, with one check a minute.
    pub async fn copies(&self, connections: &[Connection]) -> Result<()> {
        let model = self.connect("Model").await?;
        let table = self.table(&model, "t_0").await?;
        for check in checks() {
            self.check(&table, check, json!({"every": 60})).await?;
        }
        let ids: Vec<_> = connections.iter().map(|one| one.id.as_str()).collect();
        let ids = format!("'{{{}}}'::uuid[]", ids.join(","));
        self.pulse
            .run(&format!(
                "insert into monitor_tables (id, tenant_id, connection_id, schema_name, table_name)
                 select app.new_id(), m.tenant_id, c.id, m.schema_name,
                        't_' || ((c.place - 1) * {TABLES} + n)
                   from monitor_tables m, unnest({ids}) with ordinality as c (id, place),
                        generate_series(1, {TABLES}) as n
                  where m.id = '{table}';
                 insert into monitor_checks (id, tenant_id, connection_id, table_id, name, kind,
                                             definition, every, backfill)
                 select app.new_id(), k.tenant_id, t.connection_id, t.id, k.name, k.kind,
                        k.definition, k.every, k.backfill
                   from monitor_tables t
                   join (select k.*, row_number() over (order by k.id) - 1 as turn
                           from monitor_checks k where k.table_id = '{table}') k
                     on substr(t.table_name, 3)::int % 4 = k.turn
                  where t.connection_id = any ({ids});
                 analyze monitor_tables; analyze monitor_checks;"
            ))
            .await;
        Ok(())
    }

    /// A number that Pulse's own database knows.
    pub async fn number(&self, sql: &str) -> Result<i64> {
        let found = self.pulse.json(sql, &[]).await;
        found
            .as_i64()
            .with_context(|| format!("no number: {sql}: {found}"))
    }
}
