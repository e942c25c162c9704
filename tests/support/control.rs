//! The control of a test stack: faults, cron and what the proxy and the kernel saw.
//!
//! Invariant: a call answers when its effect is there, for example when a killed Worker is healthy
//! again.
//! Failure: a control that refuses panics with its answer.

use crate::client::{Client, Reply};
use crate::proxy::Stats;
use crate::stack;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Held while the daily tick runs: it ends what lies around, whoever's it is.
static DAY: Mutex<()> = Mutex::const_new(());

/// The control of the running stack.
#[derive(Clone, Debug)]
pub struct Control {
    client: Client,
}

/// What the runtime process used since it started.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Cpu {
    /// User CPU time in milliseconds.
    pub utime_ms: u64,
    /// System CPU time in milliseconds.
    pub stime_ms: u64,
    /// Resident memory in KiB.
    pub rss_kb: u64,
}

impl Control {
    /// The control that `PULSE_CONTROL` names.
    pub fn here() -> Self {
        Self {
            client: Client::at_url(stack::variable("PULSE_CONTROL").trim_end_matches('/')),
        }
    }

    async fn order(&self, path: &str, body: &Value) -> Reply {
        let reply = self.client.post(path, body).await;
        assert!(reply.status < 300, "{reply}");
        reply
    }

    /// Kills the runtime with SIGKILL and starts it again on the same port and state.
    pub async fn kill_worker(&self) {
        self.order("/worker/kill", &json!({})).await;
    }

    /// Starts a second runtime on the same Postgres, with objects and queues of its own.
    pub async fn start_second(&self) {
        self.order("/second/start", &json!({})).await;
    }

    /// Kills the second runtime with SIGKILL.
    pub async fn kill_second(&self) {
        self.order("/second/kill", &json!({})).await;
    }

    /// Runs a scheduled event on the second runtime.
    pub async fn cron_of_second(&self, expression: &str) {
        let cron = json!({ "cron": expression });
        self.order("/second/cron", &cron).await;
    }

    /// Starts the runtime again with variables over those it has.
    pub async fn set_vars(&self, vars: &Value) {
        self.order("/worker/vars", vars).await;
    }

    /// Whether a table has an object that was called lately; it is put out of memory if it has, unless
    /// something holds it.
    pub async fn was_called(&self, table: &str) -> bool {
        let tried = self.try_evict(table).await;
        tried.is_none_or(|evicted| evicted.at("/evicted") != 0)
    }

    /// Puts a table's object out of memory; its sockets stay. Waits until nothing holds it, such as
    /// a request or an alarm under way.
    pub async fn evict(&self, table: &str) {
        stack::eventually("the object is evicted", || async {
            self.try_evict(table).await
        })
        .await;
    }

    /// Nothing when something holds the object.
    async fn try_evict(&self, table: &str) -> Option<Reply> {
        let reply = self.client.post("/worker/evict", &json!({ "name": table }));
        let reply = reply.await;
        let busy = reply.text().contains("active references");
        assert!(busy || reply.status < 300, "{reply}");
        (!busy).then_some(reply)
    }

    /// Kills the runtime, deletes what the objects stored and starts it again.
    pub async fn wipe_objects(&self) {
        self.order("/worker/wipe-objects", &json!({})).await;
    }

    /// Stops Postgres at once and cuts the proxy.
    pub async fn stop_postgres(&self) {
        self.order("/pg/stop", &json!({})).await;
    }

    /// Starts Postgres and restores the proxy.
    pub async fn start_postgres(&self) {
        self.order("/pg/start", &json!({})).await;
    }

    /// Freezes Postgres: it keeps its connections and answers nothing.
    pub async fn pause_postgres(&self) {
        self.order("/pg/pause", &json!({})).await;
    }

    /// Thaws Postgres.
    pub async fn resume_postgres(&self) {
        self.order("/pg/resume", &json!({})).await;
    }

    /// Loses the answers to the next `count` units of work that contain a text: Postgres does the
    /// work, the Worker never hears of it.
    pub async fn lose_answers(&self, containing: &str, count: u32) {
        let body = json!({"containing": containing, "count": count});
        self.order("/pg/lose-answers", &body).await;
    }

    /// Runs the scheduled event of a cron expression of `wrangler.toml`.
    pub async fn cron(&self, expression: &str) {
        self.order("/cron", &json!({ "cron": expression })).await;
    }

    /// Runs the daily tick.
    pub async fn daily(&self) {
        let _day = DAY.lock().await;
        self.cron("17 3 * * *").await;
    }

    /// While this is held, no other test here runs the daily tick.
    pub async fn no_daily() -> MutexGuard<'static, ()> {
        DAY.lock().await
    }

    /// Sends messages through a producer binding of `wrangler.toml`, as the Worker does.
    pub async fn queue(&self, binding: &str, messages: &[Value]) {
        let body = json!({"queue": binding, "messages": messages});
        self.order("/queue", &body).await;
    }

    /// What the strict proxy saw.
    pub async fn proxy(&self) -> Stats {
        let reply = self.client.get("/proxy").await.expect_status(200);
        serde_json::from_value(reply.json()).expect("the proxy's stats")
    }

    /// The lines of the Worker's log that hold any of these texts.
    pub async fn log(&self, containing: &[&str]) -> Vec<String> {
        let body = json!({ "containing": containing });
        let reply = self.order("/worker/log", &body).await;
        serde_json::from_value(reply.at("/lines")).expect("lines")
    }

    /// What the runtime process used.
    pub async fn cpu(&self) -> Cpu {
        let reply = self.client.get("/worker/cpu").await.expect_status(200);
        serde_json::from_value(reply.json()).expect("the runtime's CPU time")
    }
}
