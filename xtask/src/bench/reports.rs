//! `cargo xtask bench reports`: how late reports are claimed, how fast they are claimed and written,
//! and what a minute costs in which none is due.
//!
//! Invariant: a tick is the one of the deployed Worker: its scheduled event. What is due is written
//! past the API, because nobody asks for ten thousand reports one by one.
//! Failure: an occurrence without a job, or with two, ends the bench.

use super::Scale;
use super::api::Api;
use super::figures::{Latencies, ms, whole};
use super::report::{Report, Table};
use super::rig::{self, Ground, Product};
use crate::project::Project;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use pulse_tests::database::Database;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Reports that are due at once.
const DUE: usize = 10_000;
/// Reports of which none is due.
const IDLE: usize = 100_000;
/// Reports of a tenant.
const PER_TENANT: usize = 1_000;
/// Ticks that are averaged.
const TICKS: u32 = 30;
/// How long jobs are counted.
const WRITING: Duration = Duration::from_secs(60);
/// When statistics of the server are complete.
const SETTLED: Duration = Duration::from_secs(12);
const MINUTE: &str = "* * * * *";
const PROMPT: &str = "```sql name=lists\nselect name, guests from guest_tables\n```";

/// The bench.
pub async fn run(project: &Project, scale: &Scale) -> Result<Report> {
    let product = Product::start(project, rig::bouncer(false)?, Ground::Disk).await?;
    let outcome = measure(&product, scale).await;
    product.stop().await;
    outcome
}

async fn measure(product: &Product, scale: &Scale) -> Result<Report> {
    let mut bench = Bench::new(product, scale.shorter).await?;
    let mut report = Report::default();
    bench.idle(&mut report).await?;
    bench.burst(&mut report).await?;
    report.note(format!(
        "A tick is the scheduled event of the Worker, Postgres behind PgBouncer. Lateness is from the \
         instant that the schedule names to the transaction that makes the job; the tick is fired at \
         that instant, where Cloudflare fires it some seconds into the minute. CPU is user and system \
         time of workerd from /proc. Jobs are written by the builtin writer, one query each, and their \
         mail goes to the outbox; the local queue hands out one batch of four after the other, where \
         Cloudflare's runs many consumers at once. Reports of a tenant: {}.",
        whole(PER_TENANT as f64)
    ));
    Ok(report)
}

struct Bench<'a> {
    product: &'a Product,
    database: Database,
    /// The report that the others are copies of.
    model: String,
    /// How much less than everything.
    shorter: usize,
}

/// What a tick took.
struct Ticked {
    took: Duration,
    cpu: Duration,
}

/// What the server counted of reading reports.
#[derive(Clone, Copy, Debug)]
struct Reads {
    index_scans: i64,
    whole_scans: i64,
    blocks: i64,
}

impl<'a> Bench<'a> {
    async fn new(product: &'a Product, shorter: usize) -> Result<Self> {
        let step = Step::begin("a tenant with a guest list");
        let mut api = Api::at(&product.side.url)?;
        api.register("Bench").await?;
        api.guest_list("Gala", "name\nAda\nBob\n").await?;
        let body = json!({
            "name": "Bench", "prompt": PROMPT, "cron": "0 9 * * *", "enabled": false,
            "recipients": ["bench@example.org"],
        });
        let made = api.post("/api/pulse", &body).await?;
        let model = made["id"].as_str().context("a report without an id")?;
        step.done(model);
        Ok(Self {
            product,
            database: Database::at(product.stack.admin.url()).await,
            model: model.to_owned(),
            shorter,
        })
    }

    /// Copies the report, a thousand for each of as many tenants as it takes.
    async fn copies(&self, count: usize, at: DateTime<Utc>) -> Result<()> {
        let step = Step::begin(format!("{} reports", whole(count as f64)));
        let cron = format!("{} {} * * *", at.minute(), at.hour());
        let tenants = count.div_ceil(PER_TENANT);
        self.database
            .run(&format!(
                "with homes as (
                   insert into tenants (name) select 'Bench ' || n from generate_series(1, {tenants}) n
                   returning id),
                 lists as (
                   insert into pulse_tables (id, tenant_id, name, timezone)
                   select app.new_id(), h.id, 'Gala', 'UTC' from homes h returning 1)
                 insert into report_configs (id, tenant_id, name, prompt, cron, recipients, tzdata,
                                             next_run_at, next_nominal, due_at)
                 select app.new_id(), h.id, c.name, c.prompt, '{cron}', c.recipients, c.tzdata,
                        '{at}', '{nominal}', '{at}'
                   from homes h cross join generate_series(1, {PER_TENANT}) n
                   join report_configs c on c.id = '{model}'
                  limit {count};
                 analyze report_configs;",
                at = at.to_rfc3339(),
                nominal = at.format("%Y-%m-%dT%H:%M:%S"),
                model = self.model,
            ))
            .await;
        step.done("");
        Ok(())
    }

    async fn tick(&self) -> Result<Ticked> {
        let orders = self.product.stack.runtime.lock().await.orders();
        let (began, before) = (Instant::now(), self.product.side.cpu()?);
        orders.give("/cron", &json!({"cron": MINUTE})).await?;
        Ok(Ticked {
            took: began.elapsed(),
            cpu: self.product.side.cpu()? - before,
        })
    }

    async fn number(&self, sql: &str) -> Result<i64> {
        let found = self.database.json(sql, &[]).await;
        found
            .as_i64()
            .with_context(|| format!("no number: {sql}: {found}"))
    }

    async fn reads(&self) -> Result<Reads> {
        tokio::time::sleep(SETTLED).await;
        let of = |what: &'static str| async move {
            let sql = format!(
                "select to_jsonb(sum({what})::bigint) from pg_stat_user_tables s
                   join pg_statio_user_tables io using (relid) where s.relname = 'report_configs'"
            );
            self.number(&sql).await
        };
        Ok(Reads {
            index_scans: of("s.idx_scan").await?,
            whole_scans: of("s.seq_scan").await?,
            blocks: of("io.heap_blks_hit + io.heap_blks_read + io.idx_blks_hit + io.idx_blks_read")
                .await?,
        })
    }

    /// Ticks that find nothing to do, with few reports and with many.
    async fn idle(&mut self, report: &mut Report) -> Result<()> {
        let columns = [
            "reports",
            "ms a tick",
            "CPU-ms",
            "index scans",
            "whole scans",
            "blocks read",
        ];
        let mut table = Table::new("A minute in which nothing is due", &columns);
        let next_year = Utc::now() + TimeDelta::days(365);
        let mut scans = 0.0;
        for count in [0, IDLE / self.shorter] {
            if count > 0 {
                self.copies(count, next_year).await?;
            }
            // The first tick of an isolate also looks for schedules of other time zone data.
            self.tick().await?;
            let before = self.reads().await?;
            let (mut took, mut cpu) = (Duration::ZERO, Duration::ZERO);
            for _ in 0..TICKS {
                let ticked = self.tick().await?;
                took += ticked.took;
                cpu += ticked.cpu;
            }
            let after = self.reads().await?;
            let each = |total: i64| total as f64 / f64::from(TICKS);
            scans = each(after.index_scans - before.index_scans);
            table.row([
                whole(count as f64),
                ms(took.as_secs_f64() * 1e3 / f64::from(TICKS)),
                ms(cpu.as_secs_f64() * 1e3 / f64::from(TICKS)),
                format!("{scans:.1}"),
                format!("{:.1}", each(after.whole_scans - before.whole_scans)),
                format!("{:.1}", each(after.blocks - before.blocks)),
            ]);
        }
        report.table(table);
        report.aim(
            "a tick with 100,000 reports of which none is due reads them by one index scan",
            format!("{scans:.1}"),
            (scans - 1.0).abs() < 0.05,
        );
        Ok(())
    }

    /// Everything due at one instant: claimed, then written.
    async fn burst(&mut self, report: &mut Report) -> Result<()> {
        let count = DUE / self.shorter;
        // Time to make them, then the turn of a minute.
        let at = (Utc::now() + TimeDelta::seconds(45)).with_second(0);
        let at = at
            .and_then(|at| at.with_nanosecond(0))
            .context("a minute")?
            + TimeDelta::minutes(1);
        self.copies(count, at).await?;
        let left = (at - Utc::now())
            .to_std()
            .context("the reports took too long to make")?;
        tokio::time::sleep(left).await;
        let step = Step::begin("all due at once");
        let ticked = self.tick().await?;
        let made = self
            .number("select to_jsonb(count(*)) from report_jobs")
            .await?;
        let each = "select to_jsonb(count(distinct config_id)) from report_jobs";
        if made != i64::try_from(count)? || self.number(each).await? != made {
            bail!("{made} jobs for {count} occurrences");
        }
        let mut late = self.lateness(at).await?;
        let (p50, p99) = (late.percentile(0.5), late.percentile(0.99));
        step.done(format!("{} / {} ms", ms(p50), ms(p99)));
        let rate = made as f64 / ticked.took.as_secs_f64();
        let jobs = self.written().await?;
        let mut table = Table::new(
            &format!("{} reports due at once", whole(count as f64)),
            &["what", "found"],
        );
        table.row([
            "lateness to the claim, p50 / p99".to_owned(),
            format!("{} / {} ms", ms(p50), ms(p99)),
        ]);
        table.row(["claims a second".to_owned(), whole(rate)]);
        let cpu = ticked.cpu.as_secs_f64() * 1e6 / made as f64;
        table.row(["CPU-µs a claim".to_owned(), whole(cpu)]);
        table.row([
            "jobs a second, written and sent".to_owned(),
            format!("{jobs:.1}"),
        ]);
        report.table(table);
        report.aim(
            "p99 of the lateness of 10,000 reports that are due at once ≤ 60 s",
            format!("{:.1} s", p99 / 1e3),
            p99 <= 60_000.0,
        );
        Ok(())
    }

    async fn lateness(&self, at: DateTime<Utc>) -> Result<Latencies> {
        let sql = format!(
            "select jsonb_agg(extract(epoch from created_at - '{}'::timestamptz)) from report_jobs",
            at.to_rfc3339()
        );
        let mut late = Latencies::default();
        let Value::Array(seconds) = self.database.json(&sql, &[]).await else {
            bail!("no job was made");
        };
        for one in seconds {
            let seconds = one.as_f64().context("no lateness")?.max(0.0);
            late.add(Duration::from_secs_f64(seconds));
        }
        Ok(late)
    }

    /// How many jobs a second come to their end.
    async fn written(&self) -> Result<f64> {
        let step = Step::begin("jobs written");
        let finished = "select to_jsonb(count(*)) from report_jobs where result = 'success'";
        let (before, began) = (self.number(finished).await?, Instant::now());
        let mut done = before;
        while began.elapsed() < WRITING / u32::try_from(self.shorter)? {
            tokio::time::sleep(Duration::from_millis(500)).await;
            done = self.number(finished).await?;
            if done >= i64::try_from(DUE / self.shorter)? {
                break;
            }
        }
        let rate = (done - before) as f64 / began.elapsed().as_secs_f64();
        let failed = "select to_jsonb(count(*)) from report_jobs where result = 'error'";
        if self.number(failed).await? > 0 {
            bail!("jobs failed");
        }
        step.done(format!("{rate:.1} a second"));
        Ok(rate)
    }
}
