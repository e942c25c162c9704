//! A direct look into Postgres, for what no API shows.
//!
//! Invariant: a test that looks also names its tenant or table; tests share one database.
//! Failure: a statement that fails panics with the statement.

use crate::stack;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

/// A session with Postgres.
#[derive(Debug)]
pub struct Database {
    client: Client,
}

impl Database {
    /// As the owner of the tables, past the proxy. Row-level security is forced on it too: see
    /// [`Database::as_tenant`] and [`Database::definer`].
    pub async fn admin() -> Self {
        Self::at(&stack::variable("PULSE_PG_ADMIN")).await
    }

    /// As the role of the definer functions, which sees every tenant's rows of the tables it is
    /// granted.
    pub async fn definer() -> Self {
        let database = Self::admin().await;
        database.run("set role pulse_definer").await;
        database
    }

    /// As the Worker's role, through the strict proxy.
    pub async fn app() -> Self {
        Self::at(&stack::variable("PULSE_PG_APP")).await
    }

    /// At an address of choice.
    pub async fn at(url: &str) -> Self {
        Self::try_at(url).await.expect("Postgres")
    }

    /// As [`Database::at`]; a refusal is an error.
    pub async fn try_at(url: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { client })
    }

    /// One statement that answers one row with one `jsonb`; null stays null.
    pub async fn json(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Value {
        self.attempt(sql, parameters)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// As [`Database::json`]; a refusal is an error.
    pub async fn attempt(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Value, tokio_postgres::Error> {
        let rows = self.client.query_typed(sql, parameters).await?;
        let value = rows
            .first()
            .map(|row| row.try_get::<_, Option<Value>>(0))
            .transpose()?;
        Ok(value.flatten().unwrap_or(Value::Null))
    }

    /// Several statements in one message, past the proxy only: `app.*` settings last for the session.
    pub async fn run(&self, sql: &str) {
        self.client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Makes the session see one tenant's rows.
    pub async fn as_tenant(&self, tenant: &str) {
        let sql = "select to_jsonb(set_config('app.tenant_id', $1, false))";
        self.json(sql, &[(&tenant, Type::TEXT)]).await;
    }

    /// Entries of a table's scan log after `after`, in order of `seq`, at most `limit`.
    pub async fn log_page(&self, tenant: &str, table: &str, after: u64, limit: u32) -> Vec<Value> {
        self.as_tenant(tenant).await;
        let sql = "select coalesce(jsonb_agg(entry order by seq), '[]') from (
                     select seq, entry from pulse_scan_log
                      where table_id = $1::text::uuid and seq > $2::text::bigint
                      order by seq limit $3::text::bigint) as page";
        let (after, limit) = (after.to_string(), limit.to_string());
        let page: [(&(dyn ToSql + Sync), Type); 3] = [
            (&table, Type::TEXT),
            (&after, Type::TEXT),
            (&limit, Type::TEXT),
        ];
        match self.json(sql, &page).await {
            Value::Array(entries) => entries,
            other => panic!("no scan log: {other}"),
        }
    }

    /// The whole scan log of a table as it reached Postgres, in order of `seq`.
    pub async fn scan_log(&self, tenant: &str, table: &str) -> Vec<Value> {
        self.as_tenant(tenant).await;
        let sql = "select coalesce(jsonb_agg(entry order by seq), '[]')
                   from pulse_scan_log where table_id = $1::text::uuid";
        match self.json(sql, &[(&table, Type::TEXT)]).await {
            Value::Array(entries) => entries,
            other => panic!("no scan log: {other}"),
        }
    }
}
