//! How many checks go through one connection, next to a client that only asks.
//!
//! Invariant: both ask the same of the same table, one after the other, in turns.
//! Failure: a check that does not pass ends the bench.

use super::site::{self, Site};
use crate::bench::Scale;
use crate::bench::figures::{Slices, ms, ratio, whole};
use crate::bench::report::{Report, Table};
use crate::say::Step;
use anyhow::Result;
use serde_json::json;
use std::time::{Duration, Instant};

/// How often each of the four checks stands at the table: a run of an object takes 25.
const TIMES: usize = 6;

/// What a script asks for the same four answers.
const QUESTIONS: [&str; 4] = [
    "select to_jsonb(extract(epoch from max(at))) from t_0",
    "select to_jsonb(count(*)) from t_0",
    "select to_jsonb(count(*) - count(status)) from t_0",
    "select to_jsonb(count(*) filter (where amount < 0 or amount > 1000)) from t_0",
];

/// Measures it.
pub async fn measure(site: &Site<'_>, scale: &Scale, report: &mut Report) -> Result<()> {
    let step = Step::begin("one connection");
    let connection = site.connect("One").await?;
    let table = site.table(&connection, "t_0").await?;
    for number in 0..TIMES {
        for check in site::checks() {
            let name = format!("{} {number}", check["name"].as_str().unwrap_or_default());
            let extra = json!({"name": name, "every": 86_400});
            site.check(&table, check, extra).await?;
        }
    }
    site.switch(&connection, true).await?;
    // The first run of an object opens its session.
    site.run(&table).await?;
    let bare = site.customer.standby().await;
    let time = scale.slice * 4;
    let (mut ours, mut theirs, mut cpu, mut each) = Default::default();
    let rate = |checks: usize, took: Duration| checks as f64 * 60.0 / took.as_secs_f64();
    for _ in 0..scale.slices {
        let (began, mut asked) = (Instant::now(), 0);
        while began.elapsed() < time / 4 {
            for question in QUESTIONS {
                bare.json(question, &[]).await;
                asked += 1;
            }
        }
        Slices::add(&mut theirs, rate(asked, began.elapsed()));
        let (began, before, mut ran) = (Instant::now(), site.product.side.cpu()?, 0);
        while began.elapsed() < time {
            ran += site.run(&table).await?;
        }
        let (took, used) = (began.elapsed(), site.product.side.cpu()? - before);
        Slices::add(&mut ours, rate(ran, took));
        Slices::add(&mut cpu, used.as_secs_f64() * 1e3 / ran as f64);
        Slices::add(&mut each, took.as_secs_f64() * 1e3 / ran as f64);
    }
    site.switch(&connection, false).await?;
    let mut found = Table::new(
        "Checks through one connection, one after the other",
        &[
            "checks a minute",
            "ms a check",
            "CPU-ms a check",
            "bare client, questions a minute",
            "ratio",
        ],
    );
    found.row([
        whole(ours.median()),
        ms(each.median()),
        ms(cpu.median()),
        whole(theirs.median()),
        ratio(&ours.over(&theirs)),
    ]);
    report.table(found);
    report.aim(
        "≥ 600 checks a minute through one connection",
        whole(ours.median()),
        ours.median() >= 600.0,
    );
    step.done(format!("{} checks a minute", whole(ours.median())));
    Ok(())
}
