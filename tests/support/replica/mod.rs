//! A customer's databases for tests of the monitor: a real Postgres 17 primary and a streaming standby
//! from the npm binaries, with doors between them that tests cut and blackhole.
//!
//! The standby reaches its primary through the door `link`; clients reach the standby through the
//! doors `door` and `plain`. [`Cluster::shared`] is one for all tests of a program, each with a
//! database of its own; a test that stops, cuts, pauses or sets anything takes [`Cluster::start`].
//!
//! Invariant: what is measured is measured by the servers: their logs, their statistics, their view
//! of sessions and locks. No server or folder outlives the tests.
//! Failure: a server that does not do what it is told within its time panics with what it said.

mod counters;
mod customer;
mod door;
mod home;
mod lines;
mod load;
mod log;
mod port;
mod server;
mod trouble;
mod watch;

pub use counters::{Conflicts, Position, Usage, Writes};
pub use customer::{Customer, Reader};
pub use door::{Door, Traffic};
pub use home::node;
pub use load::Load;
pub use log::{Excerpt, Mark, Plan, Session, Statement, Step, most_at_once};
pub use server::Server;
pub use trouble::Lock;
pub use watch::{Held, Observed, Watch};

use crate::authority::Authority;
use crate::stack::within;
use home::{Home, SUPERUSER};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

/// How long a standby may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// A primary and its standby. Dropping it ends both.
#[derive(Debug)]
pub struct Cluster {
    /// The primary.
    pub primary: Server,
    /// The standby.
    pub standby: Server,
    /// The standby's way to the primary.
    pub link: Door,
    /// The clients' way to the standby.
    pub door: Door,
    /// The clients' way to the standby where it seems to know no encryption.
    pub plain: Door,
    /// Who signed what the servers show.
    pub authority: Authority,
    // Deleted last.
    folder: Folder,
}

impl Cluster {
    /// The cluster that all tests of this program share, started at the first call.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A cluster for one test, in about a second.
    pub async fn start() -> Self {
        // The Worker of a running stack trusts the stack's authority.
        let here = std::env::var_os("PULSE_AUTHORITY").is_some();
        let authority = if here {
            Authority::here()
        } else {
            Authority::new()
        };
        Self::signed_by(authority).await
    }

    /// As [`Cluster::start`], with certificates of this authority.
    pub async fn signed_by(authority: Authority) -> Self {
        let made = tokio::task::spawn_blocking(|| (Home::get(), Home::get().cluster()));
        let (home, folder) = made.await.expect("a folder");
        let pair = authority.host("localhost");
        let primary = Server::make(folder.join("primary"), &pair, "");
        let link = Door::to(primary.port()).await;
        let source = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user={SUPERUSER} password={} \
             application_name=standby'\n",
            link.port(),
            home.password
        );
        let standby = Server::make(folder.join("standby"), &pair, &source);
        home.write(&standby.at("standby.signal"), "");
        let cluster = Self {
            door: Door::to(standby.port()).await,
            plain: Door::plain(standby.port()).await,
            primary,
            standby,
            link,
            authority,
            folder: Folder(folder),
        };
        cluster.primary.start().await;
        cluster.standby.start().await;
        cluster.streaming().await;
        let primary = cluster.primary.session("postgres").await;
        primary.run("create extension pg_stat_statements").await;
        cluster.replayed().await;
        cluster
    }

    /// Where its servers live.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Waits until the standby has replayed everything that the primary has written.
    pub async fn replayed(&self) {
        let sent = self.flushed().await;
        let sql = format!("select to_jsonb(pg_last_wal_replay_lsn() >= '{sent}')");
        let session = self.standby.session("postgres").await;
        within(PATIENCE, "a standby that has replayed", || async {
            (session.json(&sql, &[]).await == true).then_some(())
        })
        .await;
    }

    /// Sends everything that the primary has written, also what nobody committed, and says up to
    /// where.
    async fn flushed(&self) -> String {
        let primary = self.primary.session("postgres").await;
        primary
            .run("select pg_logical_emit_message(false, 'tests', '', true)")
            .await;
        let sql = "select to_jsonb(pg_current_wal_flush_lsn())";
        let position = primary.json(sql, &[]).await;
        position.as_str().expect("a position").to_owned()
    }

    /// Waits until the standby's receiver is streaming.
    pub async fn streaming(&self) {
        within(PATIENCE, "a standby that streams", || async {
            (self.position().await.status.as_deref() == Some("streaming")).then_some(())
        })
        .await;
    }

    /// Waits until the standby has no receiver that streams.
    pub async fn not_streaming(&self) {
        within(PATIENCE, "a standby that streams no more", || async {
            (self.position().await.status.as_deref() != Some("streaming")).then_some(())
        })
        .await;
    }

    /// Pauses replay, and waits until it is paused: the standby receives and shows nothing new.
    pub async fn pause(&self) {
        self.ask_standby("select to_jsonb(pg_wal_replay_pause()::text)")
            .await;
        // Replay sees the request with the next record.
        self.flushed().await;
        within(PATIENCE, "a replay that is paused", || async {
            let sql = "select to_jsonb(pg_get_wal_replay_pause_state())";
            (self.ask_standby(sql).await == "paused").then_some(())
        })
        .await;
    }

    /// Replays again.
    pub async fn resume(&self) {
        self.ask_standby("select to_jsonb(pg_wal_replay_resume()::text)")
            .await;
    }

    /// Makes the standby a primary: `pg_is_in_recovery()` turns false.
    pub async fn promote(&self) {
        let sql = "select to_jsonb(pg_promote(true, 30))";
        assert_eq!(self.ask_standby(sql).await, true, "no promotion");
    }

    /// Whether the standby tells the primary what its readers still see.
    pub async fn feedback(&self, on: bool) {
        let value = if on { "on" } else { "off" };
        self.standby.set([("hot_standby_feedback", value)]).await;
        within(PATIENCE, "feedback as told", || async {
            (self.pinned().await.is_some() == on).then_some(())
        })
        .await;
    }

    /// How long replay waits for readers that are in its way: "250ms", or "-1" for ever.
    pub async fn patience_with_readers(&self, delay: &str) {
        let settings = [
            ("max_standby_streaming_delay", delay),
            ("max_standby_archive_delay", delay),
        ];
        self.standby.set(settings).await;
    }

    async fn ask_standby(&self, sql: &str) -> Value {
        self.standby.ask(sql).await
    }
}

/// A folder that is deleted when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A server's logger may write its last line meanwhile.
        for _ in 0..10 {
            if std::fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What works for all tests of a program, each of which has a runtime of its own that ends with it.
fn background() -> &'static Runtime {
    static BACKGROUND: OnceLock<Runtime> = OnceLock::new();
    BACKGROUND.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all();
        builder.build().expect("a runtime")
    })
}
