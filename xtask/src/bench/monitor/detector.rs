//! What it takes to judge a value by its history.
//!
//! Invariant: the same question with the same answer is judged by a limit and by eight weeks of
//! history, in turns; what differs is reading the history and the detector.
//! Failure: a check that does not pass ends the bench.

use super::site::Site;
use crate::bench::Scale;
use crate::bench::figures::{Slices, ms, whole};
use crate::bench::report::{Report, Table};
use crate::say::Step;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Checks of a table, but for the one with a history of minutes.
const CHECKS: usize = 8;
/// How far the history goes back, in days.
const DAYS: u32 = 56;

/// Checks that are judged the same way.
struct Judged {
    what: &'static str,
    table: String,
    points: u32,
}

/// Measures it.
pub async fn measure(site: &Site<'_>, scale: &Scale, report: &mut Report) -> Result<()> {
    let step = Step::begin("the detector");
    let connection = site.connect("Learning").await?;
    let rows = |extra: Value| {
        let mut check = json!({"name": "Rows", "kind": "row_count"});
        check["every"] = extra["every"].clone();
        check["fail"] = extra["fail"].clone();
        check
    };
    let (limit, learned) = (
        json!({"kind": "absolute", "min": 1}),
        json!({"kind": "learned"}),
    );
    let mut all = Vec::new();
    for (table, what, every, fail, checks) in [
        ("t_0", "none: a limit", 3_600, &limit, CHECKS),
        ("t_1", "8 weeks of hours", 3_600, &learned, CHECKS),
        ("t_2", "8 weeks of minutes", 60, &learned, 1),
    ] {
        let id = site.table(&connection, table).await?;
        let mut points = 0;
        for number in 0..checks {
            let name = json!({"name": format!("Rows {number}")});
            let check = rows(json!({"every": every, "fail": fail}));
            let check = site.check(&id, check, name).await?;
            if fail["kind"] == "learned" {
                points = DAYS * 86_400 / every;
                past(site, &check, every, points).await;
            }
        }
        all.push(Judged {
            what,
            table: id,
            points,
        });
    }
    site.pulse.run("analyze monitor_results").await;
    site.switch(&connection, true).await?;
    for judged in &all {
        site.run(&judged.table).await?;
    }
    let mut found: Vec<[Slices; 2]> = all.iter().map(|_| Default::default()).collect();
    let time = scale.slice.max(Duration::from_secs(1));
    for _ in 0..scale.slices {
        for (judged, [cpu, took]) in all.iter().zip(&mut found) {
            let (began, before, mut ran) = (Instant::now(), site.product.side.cpu()?, 0);
            while began.elapsed() < time {
                ran += site.run(&judged.table).await?;
            }
            let used = site.product.side.cpu()? - before;
            cpu.add(used.as_secs_f64() * 1e3 / ran as f64);
            took.add(began.elapsed().as_secs_f64() * 1e3 / ran as f64);
        }
    }
    site.switch(&connection, false).await?;
    let mut table = Table::new(
        "Judging a value by its history",
        &[
            "history",
            "points",
            "CPU-ms a check",
            "more than a limit",
            "ms a check",
        ],
    );
    let mut hours = 0.0;
    for (judged, [cpu, took]) in all.iter().zip(&found) {
        let more = cpu.less(&found[0][0]).median();
        if judged.points == DAYS * 24 {
            hours = more;
        }
        table.row([
            judged.what.to_owned(),
            whole(judged.points.into()),
            ms(cpu.median()),
            ms(more),
            ms(took.median()),
        ]);
    }
    report.table(table);
    report.aim(
        "judging a point by 8 weeks of hours ≤ 20 ms of CPU, its history read",
        format!("{} ms", ms(hours)),
        hours <= 20.0,
    );
    step.done(format!("{} ms", ms(hours)));
    Ok(())
}

/// Gives a check a past: about as many rows as there are, a little more by day.
async fn past(site: &Site<'_>, check: &str, every: u32, points: u32) {
    site.pulse
        .run(&format!(
            "insert into monitor_results (tenant_id, check_id, at, revision, origin, outcome, value,
                                          ran_at)
             select k.tenant_id, k.id, x.at, k.revision, 'backfill', 'pass',
                    1000 + n * 7919 % 41 - 20 + 10 * sin(extract(hour from x.at) / 12 * pi()), x.at
               from monitor_checks k, generate_series(1, {points}) as n,
                    lateral (select date_trunc('minute', now()) - n * interval '{every} seconds')
                      as x (at)
              where k.id = '{check}'"
        ))
        .await;
}
