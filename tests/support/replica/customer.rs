//! A customer's database: one per test, with the role that the monitor comes as.
//!
//! Invariant: databases and roles have names of their own, so tests of one cluster do not meet.
//! Failure: a statement that fails panics with the statement.

use super::{Cluster, PATIENCE, Server};
use crate::database::Database;
use crate::stack::within;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// A customer's database, on the primary and its standby.
#[derive(Debug)]
pub struct Customer<'a> {
    /// Its servers.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: String,
}

/// The role that the monitor comes as.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Its name.
    pub role: String,
    /// Its password.
    pub password: String,
    /// Its database.
    pub database: String,
}

impl Cluster {
    /// A new database.
    pub async fn customer(&self) -> Customer<'_> {
        let name = format!("customer_{}", Uuid::new_v4().simple());
        let session = self.primary.session("postgres").await;
        session.run(&format!("create database {name}")).await;
        // Else every role may connect.
        let revoke = format!("revoke all on database {name} from public");
        session.run(&revoke).await;
        self.replayed().await;
        Customer {
            cluster: self,
            name,
        }
    }
}

impl Customer<'_> {
    /// A superuser's session on the primary.
    pub async fn primary(&self) -> Database {
        self.cluster.primary.session(&self.name).await
    }

    /// A superuser's session on the standby.
    pub async fn standby(&self) -> Database {
        self.cluster.standby.session(&self.name).await
    }

    /// Runs statements on the primary, and waits for nothing.
    pub async fn run(&self, sql: &str) {
        self.primary().await.run(sql).await;
    }

    /// Runs statements on the primary, and waits until the standby has replayed them.
    pub async fn make(&self, sql: &str) {
        self.run(sql).await;
        self.cluster.replayed().await;
    }

    /// A table of orders, one a second up to now, each of about a hundred bytes: `id`, `at` (indexed),
    /// `status`, `filler`.
    pub async fn orders(&self, table: &str, rows: u32) {
        let sql = format!(
            "create table {table} (id bigint primary key, at timestamptz not null,
                                   status text, filler text);
             insert into {table}
             select n, now() - ({rows} - n) * interval '1 second',
                    (array['paid', 'sent', 'new'])[1 + n % 3], repeat('x', 64)
               from generate_series(1, {rows}) as n;
             create index on {table} (at);
             analyze {table}"
        );
        self.make(&sql).await;
        // With its visibility map, and nothing left for later vacuums to clean up.
        self.make(&format!("vacuum {table}")).await;
    }

    /// A view of a table whose reading takes this many seconds, and is no work.
    pub async fn slow(&self, view: &str, table: &str, seconds: f64) {
        let sql = format!(
            "create view {view} as
             select id, pg_sleep({seconds})::text as slept from (select id from {table} limit 1) t"
        );
        self.make(&sql).await;
    }

    /// The role as the documentation says, which may read these tables.
    pub async fn reader<const N: usize>(&self, tables: [&str; N]) -> Reader {
        let reader = self.bare_reader().await;
        let role = &reader.role;
        let mut sql = format!(
            "grant pg_read_all_stats to {role};
             grant usage on schema public to {role};
             alter role {role} set default_transaction_read_only = on;
             alter role {role} set statement_timeout = '2s';
             alter role {role} set lock_timeout = '250ms';
             alter role {role} set idle_in_transaction_session_timeout = '5s';"
        );
        for table in tables {
            sql += &format!("grant select on {table} to {role};");
        }
        self.make(&sql).await;
        reader
    }

    /// A role of Pulse that may read every table there is now.
    pub async fn reader_of_all(&self) -> Reader {
        let reader = self.bare_reader().await;
        let role = &reader.role;
        self.make(&format!(
            "grant pg_read_all_stats to {role}; grant usage on schema public to {role};
             grant select on all tables in schema public to {role}"
        ))
        .await;
        reader
    }

    /// A role that may connect, once at a time, and nothing else.
    pub async fn bare_reader(&self) -> Reader {
        let reader = Reader {
            role: format!("reader_{}", Uuid::new_v4().simple()),
            password: Uuid::new_v4().simple().to_string(),
            database: self.name.clone(),
        };
        let sql = format!(
            "create role {role} login connection limit 1 password '{password}';
             grant connect on database {database} to {role}",
            role = reader.role,
            password = reader.password,
            database = reader.database
        );
        self.make(&sql).await;
        reader
    }
}

impl Reader {
    /// How to connect through a port: host, port, database, user, password.
    pub fn settings(&self, port: u16) -> Value {
        json!({"host": "localhost", "port": port, "database": self.database,
               "user": self.role, "password": self.password})
    }

    /// The address of its database through a port.
    pub fn url(&self, port: u16, application: &str) -> String {
        format!(
            "postgres://{}:{}@127.0.0.1:{port}/{}?application_name={application}",
            self.role, self.password, self.database
        )
    }

    /// A session through a port, once the role's earlier session is over: a server forgets one a
    /// moment after it no longer shows it.
    pub async fn next_session(&self, port: u16, application: &str) -> Database {
        let url = self.url(port, application);
        let busy =
            |error: &tokio_postgres::Error| error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS);
        within(PATIENCE, "a role that may connect", || async {
            match Database::try_at(&url).await {
                Err(error) if busy(&error) => None,
                tried => Some(tried.expect("a session")),
            }
        })
        .await
    }

    /// A session with a server, past the doors.
    pub async fn session(&self, server: &Server, application: &str) -> Database {
        Database::at(&self.url(server.port(), application)).await
    }
}
