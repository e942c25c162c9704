//! Scheduled reports of a tenant as a test handles them: made, ticked at a time of choice, awaited.
//!
//! Invariant: a report is of its tenant, and ticks by hand look at that tenant only, so tests never
//! meet.
//! Failure: an answer other than the expected one panics with it.

use crate::client::{Call, Client, Reply};
use crate::clock::time;
use crate::database::Database;
use crate::event::merge;
use crate::stack::within;
use crate::tenant::Tenant;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::types::Type;

/// How long a run may take to get through the queue on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A prompt that needs no model: the guest lists of the tenant.
pub const LISTS: &str =
    "Lists so far.\n\n```sql name=lists\nselect name, guests from guest_tables\n```\n";
/// One that finds nothing.
pub const FINDS_NOTHING: &str =
    "```sql name=lists\nselect name, guests from guest_tables where name = 'nowhere'\n```\n";
/// One that cannot be answered, however often it is tried.
pub const FAILS: &str = "```sql name=lists\nselect nothing from guest_tables\n```\n";

/// A report of a tenant.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its id.
    pub id: String,
    /// Somebody whose credential is good at any time.
    timeless: Client,
}

/// A report every morning at nine, New York time, to one recipient.
pub fn daily() -> Value {
    json!({
        "name": "Morning",
        "prompt": "How many guests came yesterday?",
        "cron": "0 9 * * *",
        "cronTimezone": "America/New_York",
        "recipients": ["ada@example.org"],
    })
}

impl Report {
    /// A report every morning.
    pub async fn new(tenant: &Tenant) -> Self {
        Self::with(tenant, json!({})).await
    }

    /// The same; `extra` adds to it or overrides it.
    pub async fn with(tenant: &Tenant, extra: Value) -> Self {
        let mut body = daily();
        merge(&mut body, extra);
        let made = tenant.client().post("/api/pulse", &body).await;
        Self {
            tenant: tenant.clone(),
            id: made.expect_status(201).text_at("/id"),
            timeless: tenant.key("manager").await.0,
        }
    }

    /// A report about the guest lists of a tenant of its own, which has one.
    pub async fn about_lists(extra: Value) -> Self {
        let tenant = Tenant::new().await;
        tenant.table("UTC").await;
        let mut body = json!({"prompt": LISTS});
        merge(&mut body, extra);
        Self::with(&tenant, body).await
    }

    /// The admin's client.
    pub fn client(&self) -> &Client {
        self.tenant.client()
    }

    /// A manager at a time of choice, however far.
    pub fn at(&self, now: DateTime<Utc>) -> Client {
        self.timeless.at(now)
    }

    /// The path of the report.
    pub fn path(&self) -> String {
        format!("/api/pulse/{}", self.id)
    }

    /// The report as it is.
    pub async fn show(&self) -> Reply {
        self.client().get(&self.path()).await.expect_status(200)
    }

    /// Changes the report.
    pub fn change(&self, body: Value) -> Call {
        self.client().call("PUT", &self.path()).json(&body)
    }

    /// Does something else with the report: `publish`, `pause`, `resume`.
    pub fn order(&self, what: &str) -> Call {
        let path = format!("{}/{what}", self.path());
        self.client().call("POST", &path)
    }

    /// When it runs next.
    pub async fn next(&self) -> DateTime<Utc> {
        time(&self.show().await.text_at("/nextRunAt"))
    }

    /// Ticks its tenant at a time; answers what the tick says.
    pub async fn tick_at(&self, now: DateTime<Utc>) -> Reply {
        let ticked = self.at(now).call("POST", "/api/pulse/tick").await;
        ticked.expect_status(200)
    }

    /// Ticks its tenant right behind the next run; answers the job that was made.
    pub async fn run_next(&self) -> Job {
        let next = self.next().await;
        let ticked = self.tick_at(next + TimeDelta::seconds(5)).await;
        assert_eq!(ticked.at("/triggeredConfigs"), json!([self.id]), "{ticked}");
        let newest = self.jobs("").await.remove(0);
        self.job(newest["id"].as_str().expect("an id"))
    }

    /// Runs it now; answers the job.
    pub async fn publish(&self) -> Job {
        let made = self.order("publish").await.expect_status(201);
        self.job(&made.text_at("/id"))
    }

    /// One of its jobs.
    pub fn job(&self, id: &str) -> Job {
        Job {
            report: self.clone(),
            id: id.to_owned(),
        }
    }

    /// Its jobs, newest first, with a filter such as `state=running`.
    pub async fn jobs(&self, filter: &str) -> Vec<Value> {
        let path = format!("{}/jobs?limit=200&{filter}", self.path());
        let listed = self.client().get(&path).await.expect_status(200);
        listed.list_at("/items")
    }

    /// Waits until so many jobs have ended; answers them.
    pub async fn finished(&self, count: usize) -> Vec<Value> {
        let what = format!("{count} jobs are finished");
        within(PATIENCE, &what, || async {
            let found = self.jobs("state=finished").await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// Makes a run of it that nobody works on, past the API.
    pub async fn busy(&self) -> Job {
        let database = session(&self.tenant).await;
        let sql = "insert into report_jobs (id, tenant_id, config_id, origin, as_of, due_at)
                   select app.new_id(), tenant_id, id, 'manual', now(), now() + interval '1 hour'
                     from report_configs where id = $1::text::uuid
                   returning to_jsonb(id)";
        let id = database.json(sql, &[(&self.id, Type::TEXT)]).await;
        self.job(id.as_str().expect("an id"))
    }

    /// Makes its last occurrence due now, past the API; it is one of every day at nine.
    pub async fn make_due(&self) {
        self.set(
            "next_run_at = x.at, due_at = x.at from (
                 select max(t) as at from generate_series(
                   date_trunc('day', now() at time zone 'America/New_York') - interval '15 hours',
                   now() at time zone 'America/New_York', interval '1 day') d (d),
                 lateral (select d at time zone 'America/New_York' as t) t) x",
        )
        .await;
    }

    /// Changes the report past the API.
    pub async fn set(&self, what: &str) {
        let sql = format!(
            "with changed as (update report_configs set {what}
              where id = $1::text::uuid returning 1)
             select to_jsonb(count(*)) from changed"
        );
        assert_eq!(write(&self.tenant, &sql, &self.id).await, 1);
    }
}

/// A run of a report.
#[derive(Clone, Debug)]
pub struct Job {
    /// The report.
    pub report: Report,
    /// Its id.
    pub id: String,
}

impl Job {
    /// The path of the job.
    pub fn path(&self) -> String {
        format!("/api/pulse-job/{}", self.id)
    }

    /// The job as it is.
    pub async fn show(&self) -> Reply {
        let client = self.report.client();
        client.get(&self.path()).await.expect_status(200)
    }

    /// Does something with the job: `run`, `cancel`, `approve`, `reject`.
    pub fn order(&self, what: &str) -> Call {
        let path = format!("{}/{what}", self.path());
        self.report.client().call("POST", &path)
    }

    /// Waits until it is held for review; answers it.
    pub async fn held(&self) -> Reply {
        let held = within(PATIENCE, "the job waits for a review", || async {
            let shown = self.show().await;
            (shown.at("/review") == "pending").then_some(shown)
        })
        .await;
        assert_eq!(held.at("/state"), "running", "{held}");
        held
    }

    /// Waits until it ended; answers it.
    pub async fn finished(&self) -> Reply {
        within(PATIENCE, "the job is finished", || async {
            let shown = self.show().await;
            (shown.at("/state") == "finished").then_some(shown)
        })
        .await
    }

    /// Waits until its mail is sent; answers it.
    pub async fn sent(&self) -> Reply {
        within(PATIENCE, "the report is sent", || async {
            let shown = self.show().await;
            (shown.at("/emailSent") == true).then_some(shown)
        })
        .await
    }

    /// Waits until so many attempts are noted; answers the job.
    pub async fn tried(&self, attempts: usize) -> Reply {
        let what = format!("{attempts} attempts are noted");
        within(PATIENCE, &what, || async {
            let shown = self.show().await;
            let noted = shown.list_at("/attempts");
            let done = noted
                .iter()
                .filter(|one| !one["durationMs"].is_null() || !one["code"].is_null());
            (done.count() >= attempts).then_some(shown)
        })
        .await
    }

    /// Changes the job past the API; answers whether it stood where `only_if` says.
    pub async fn set(&self, what: &str, only_if: &str) -> bool {
        let sql = format!(
            "with changed as (update report_jobs set {what}
              where id = $1::text::uuid and {only_if} returning 1)
             select to_jsonb(count(*)) from changed"
        );
        write(&self.report.tenant, &sql, &self.id).await == 1
    }
}

/// What lies in the tenant's outbox under a subject, newest first.
pub async fn outbox(tenant: &Tenant, subject: &str) -> Vec<Value> {
    let listed = tenant.client().get("/api/outbox?limit=200").await;
    let mut items = listed.expect_status(200).list_at("/items");
    items.retain(|item| item["subject"] == subject);
    items
}

/// A message of the outbox with its bodies and files.
pub async fn kept(tenant: &Tenant, item: &Value) -> Value {
    let path = format!("/api/outbox/{}", item["id"].as_str().expect("an id"));
    tenant.client().get(&path).await.expect_status(200).json()
}

/// A session that sees and changes what the Worker may of a tenant.
pub async fn session(tenant: &Tenant) -> Database {
    let database = Database::admin().await;
    database.run("set role pulse_app").await;
    database.as_tenant(&tenant.id).await;
    database
}

async fn write(tenant: &Tenant, sql: &str, id: &str) -> u64 {
    let database = session(tenant).await;
    let count = database.json(sql, &[(&id, Type::TEXT)]).await;
    count.as_u64().expect("a count")
}
