//! Load: sessions that keep a server busy until they are dropped.
//!
//! Invariant: load works in tables of its own, in the database it was given.
//! Failure: a session that fails ends its own part only; [`Load::done`] tells how much was done.

use super::{Customer, Server, background};
use crate::database::Database;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Work under way; it ends when this is dropped.
#[derive(Debug)]
pub struct Load {
    done: Arc<AtomicU64>,
    tasks: Vec<AbortHandle>,
}

impl Load {
    /// Statements that were carried out so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Repeats a statement in so many sessions, with a pause after each.
    fn start(server: &Server, database: &str, sessions: usize, sql: &str, pause: Duration) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let tasks = (0..sessions).map(|_| {
            let (url, sql) = (server.url(database), sql.to_owned());
            let done = done.clone();
            let working = background().spawn(async move {
                let session = Database::at(&url).await;
                loop {
                    session.run(&sql).await;
                    done.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(pause).await;
                }
            });
            working.abort_handle()
        });
        Self {
            tasks: tasks.collect(),
            done,
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Customer<'_> {
    /// Sessions that write on the primary: each a hundred rows, a transaction, a pause.
    pub async fn write_load(&self, sessions: usize, pause: Duration) -> Load {
        self.make("create table if not exists load (at timestamptz, filler text)")
            .await;
        let sql = "insert into load select clock_timestamp(), repeat('y', 200)
                   from generate_series(1, 100)";
        Load::start(&self.cluster.primary, &self.name, sessions, sql, pause)
    }

    /// Sessions that read on the standby: each as much as one processor gives, then a pause.
    pub fn read_load(&self, sessions: usize, pause: Duration) -> Load {
        let sql = "select sum(sqrt(n)) from generate_series(1, 100000) as n";
        Load::start(&self.cluster.standby, &self.name, sessions, sql, pause)
    }
}
