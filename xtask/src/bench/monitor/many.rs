//! A thousand tables through twenty connections: how long all of them take when all are due at once,
//! and how late each is when they are checked by the minute.
//!
//! Invariant: of every minute each check has one result, and the replica answered as many questions
//! as there are results.
//! Failure: a run that is missing or was asked twice ends the bench.

use super::site::{Connection, Site};
use super::{TABLES, detection, replay};
use crate::bench::figures::{Latencies, ms, whole};
use crate::bench::report::{Report, Table};
use crate::say::Step;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the first cycle may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long runs may take to come home.
const GRACE: Duration = Duration::from_secs(10);
/// Tables of a connection that are emptied.
const EVENTS: usize = 3;

/// What the roles of the connections cost the standby so far, as it counted.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Cost {
    /// Questions of checks that were answered.
    checks: i64,
    /// Statements, transactions apart.
    statements: i64,
    /// Pages found in memory or read.
    buffers: i64,
    /// Milliseconds of planning and running.
    millis: f64,
}

/// Measures it; answers how long replay took meanwhile.
pub async fn measure(
    site: &Site<'_>,
    count: usize,
    minutes: u32,
    report: &mut Report,
) -> Result<Latencies> {
    let step = Step::begin(format!("{count} connections"));
    let mut connections = Vec::new();
    for number in 0..count {
        connections.push(site.connect(&format!("Replica {number}")).await?);
    }
    site.copies(&connections).await?;
    step.done("");
    let many = Many {
        site,
        connections,
        checks: count * TABLES,
    };
    let cycle = many.cycle().await?;
    let watch = detection::Watch::new(site, count, EVENTS).await?;

    let from = Utc::now();
    let time = Duration::from_secs(60) * minutes;
    let (before, cpu) = (many.cost().await?, site.product.side.cpu()?);
    let (began, mut told) = (Instant::now(), Report::default());
    let (replayed, events) = tokio::join!(
        replay::delays(site, time, "replay with us"),
        // The checks have a minute left for the last event.
        watch.run(
            site,
            time.saturating_sub(Duration::from_secs(20)),
            &mut told
        ),
    );
    events?;
    tokio::time::sleep((time + GRACE).saturating_sub(began.elapsed())).await;
    let (after, used) = (many.cost().await?, site.product.side.cpu()? - cpu);
    let took = began.elapsed();
    let mut late = many.lateness(from, minutes).await?;
    many.end().await?;

    let mut table = Table::new(
        &format!(
            "{} tables through {count} connections, a check of each every minute",
            whole(many.checks as f64)
        ),
        &["what", "found"],
    );
    let per_minute = |total: f64| total * 60.0 / took.as_secs_f64();
    let each = |total: f64| total / (after.checks - before.checks).max(1) as f64;
    let buffers = (after.buffers - before.buffers) as f64;
    let statements = (after.statements - before.statements) as f64;
    let millis = after.millis - before.millis;
    let [p50, p99] = [0.5, 0.99].map(|share| ms(late.percentile(share)));
    for (what, found) in [
        (
            "all due at once, until the last result",
            format!("{:.1} s", cycle.as_secs_f64()),
        ),
        (
            "by the minute: due to result in Postgres, p50 / p99",
            format!("{p50} / {p99} ms"),
        ),
        (
            "checks a minute",
            whole(per_minute((after.checks - before.checks) as f64)),
        ),
        (
            "statements a check, all told",
            format!("{:.1}", each(statements)),
        ),
        ("buffers a cycle, all told", whole(per_minute(buffers))),
        ("buffers a check", format!("{:.1}", each(buffers))),
        (
            "the standby's time a check",
            format!("{:.2} ms", each(millis)),
        ),
        (
            "the Worker's CPU a check",
            format!("{} ms", ms(each(used.as_secs_f64() * 1e3))),
        ),
    ] {
        table.row([what.to_owned(), found]);
    }
    report.table(table);
    let p99 = late.percentile(0.99);
    report.aim(
        "1,000 tables that are due at once ≤ 60 s",
        format!("{:.1} s", cycle.as_secs_f64()),
        cycle <= Duration::from_secs(60),
    );
    report.aim(
        "p99 of the lateness at one minute ≤ 5 s",
        format!("{} ms", ms(p99)),
        p99 <= 5_000.0,
    );
    report.join(told);
    replayed
}

struct Many<'a> {
    site: &'a Site<'a>,
    connections: Vec<Connection>,
    checks: usize,
}

impl Many<'_> {
    /// Switches all on while all checks are due, and waits for the results.
    async fn cycle(&self) -> Result<Duration> {
        let step = Step::begin("all due at once");
        let began = Instant::now();
        for connection in &self.connections {
            self.site.switch(connection, true).await?;
        }
        let sql = format!(
            "select to_jsonb(count(distinct r.check_id)) from monitor_results r
               join monitor_checks k on k.id = r.check_id where k.connection_id = any ({})",
            self.ids()
        );
        while self.site.number(&sql).await? < i64::try_from(self.checks)? {
            if began.elapsed() > PATIENCE {
                bail!("not every check has a result after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let took = began.elapsed();
        step.done(format!("{:.1} s", took.as_secs_f64()));
        Ok(took)
    }

    /// How late each run of these minutes came home; each check has one for each minute.
    async fn lateness(&self, from: DateTime<Utc>, minutes: u32) -> Result<Latencies> {
        let until = from + TimeDelta::minutes(minutes.into());
        let sql = format!(
            "select coalesce(jsonb_agg(x.late), '[]') from (
               select k.id, jsonb_agg(extract(epoch from r.ran_at - r.at)) filter (where r.at is not null) as late
                 from monitor_checks k
                 left join monitor_results r on r.check_id = k.id and r.origin = 'schedule'
                  and r.at >= '{}' and r.at < '{}'
                where k.connection_id = any ({}) group by 1) x",
            from.to_rfc3339(),
            until.to_rfc3339(),
            self.ids()
        );
        let found = self.site.pulse.json(&sql, &[]).await;
        let mut late = Latencies::default();
        for check in found.as_array().context("no checks")? {
            let runs = check.as_array().map_or(&[][..], Vec::as_slice);
            if runs.len() != minutes as usize {
                bail!("a check has {} results for {minutes} minutes", runs.len());
            }
            for seconds in runs.iter().filter_map(Value::as_f64) {
                late.add(Duration::from_secs_f64(seconds.max(0.0)));
            }
        }
        Ok(late)
    }

    /// Switches all off; then there must be an answer of the standby for each result, and a reason
    /// for each that has none.
    async fn end(&self) -> Result<()> {
        for connection in &self.connections {
            self.site.switch(connection, false).await?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let asked = self.cost().await?.checks;
        let of = |outcomes: &str| {
            format!(
                "select to_jsonb(count(*)) from monitor_results r
                   join monitor_checks k on k.id = r.check_id
                  where k.connection_id = any ({}) and r.outcome {outcomes}",
                self.ids()
            )
        };
        let verdict = "in ('pass', 'warn', 'fail')";
        let answered = self.site.number(&of(verdict)).await?;
        let others = self.site.number(&of(&format!("not {verdict}"))).await?;
        if asked != answered {
            bail!("the standby answered {asked} questions for {answered} results");
        }
        if others > 0 {
            bail!("{others} runs came to no verdict");
        }
        Ok(())
    }

    /// What the standby counted.
    async fn cost(&self) -> Result<Cost> {
        let roles: Vec<_> = self.connections.iter().map(|one| &*one.role).collect();
        let sql = format!(
            "select jsonb_build_object(
               'checks', coalesce(sum(calls) filter (
                           where query like '%\"public\".\"t_%' and query not ilike 'explain%'), 0),
               'statements', coalesce(sum(calls) filter (
                           where query !~* '^(begin|start|set|rollback|commit)'), 0),
               'buffers', coalesce(sum(shared_blks_hit + shared_blks_read), 0),
               'millis', coalesce(sum(total_plan_time + total_exec_time), 0))
               from pg_stat_statements join pg_roles on pg_roles.oid = userid
              where rolname = any ('{{{}}}')",
            roles.join(",")
        );
        let counted = self.site.customer.cluster.standby.ask(&sql).await;
        Ok(serde_json::from_value(counted)?)
    }

    fn ids(&self) -> String {
        let ids: Vec<_> = self.connections.iter().map(|one| &*one.id).collect();
        format!("'{{{}}}'::uuid[]", ids.join(","))
    }
}
