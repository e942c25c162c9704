//! `cargo xtask bench monitor`: a real primary and its standby, watched through many connections: how
//! many checks go through one, how late those of a thousand tables are, what that costs the replica,
//! and how soon somebody knows.
//!
//! Invariant: what the replica did is counted by the replica. Checks are run by the objects' own
//! alarms at a cadence of one minute; connections are made through the API, tables and checks are
//! copied past it.
//! Failure: a run or a notification that is missing, comes twice or without reason ends the bench.

mod detection;
mod detector;
mod many;
mod one;
mod replay;
mod site;

use super::Scale;
use super::figures::whole;
use super::report::Report;
use super::rig::{self, Ground, Product};
use crate::project::Project;
use crate::say::Step;
use anyhow::Result;
use pulse_tests::replica::Cluster;
use site::Site;
use std::time::Duration;

/// Connections, each as a role of its own.
const CONNECTIONS: usize = 20;
/// Tables of a connection.
const TABLES: usize = 50;
/// Rows of a table.
const ROWS: usize = 1_000;
/// How long checks are run by the minute.
const MINUTES: u32 = 3;
/// How long replay is watched without us, before and after.
const ALONE: Duration = Duration::from_secs(30);

/// The bench.
pub async fn run(project: &Project, scale: &Scale) -> Result<Report> {
    let product = Product::start(project, rig::any_pooler(), Ground::Disk).await?;
    let outcome = measure(&product, scale).await;
    product.stop().await;
    outcome
}

async fn measure(product: &Product, scale: &Scale) -> Result<Report> {
    let step = Step::begin("a primary and its standby");
    let cluster = Cluster::signed_by(product.authority()).await;
    site::say_less(&cluster).await;
    let connections = CONNECTIONS / scale.shorter;
    let site = Site::new(product, &cluster, connections * TABLES).await?;
    step.done(format!("{} tables", whole((connections * TABLES) as f64)));
    let mut report = Report::default();
    one::measure(&site, scale, &mut report).await?;
    detector::measure(&site, scale, &mut report).await?;

    let load = site
        .customer
        .write_load(1, Duration::from_millis(100))
        .await;
    let alone = ALONE / u32::try_from(scale.shorter)?;
    let before = replay::delays(&site, alone, "replay without us").await?;
    let minutes = MINUTES.div_ceil(u32::try_from(scale.shorter)?);
    let watched = many::measure(&site, connections, minutes, &mut report).await?;
    let after = replay::delays(&site, alone, "replay without us again").await?;
    drop(load);
    replay::tell(&mut report, [before, after], watched);
    report.note(format!(
        "The standby is a Postgres 17 of this machine, asked over TLS; a table has {} rows. A check is \
         asked for its plan first, in a transaction with its limits, and its result is stored with the \
         alerts in one transaction. The bare client is a script with one connection that sends the \
         question alone, unencrypted, and keeps nothing. CPU is user and system time of workerd from \
         /proc.",
        whole(ROWS as f64)
    ));
    Ok(report)
}
