//! The monitor when Postgres is away or the runtime dies while it asks a replica.
//!
//! Invariant: what a replica has answered is not lost and counts once; nobody is told twice.
//! Failure: the results, alerts and messages that are missing or too many.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::monitored::{Connection, Table, tells};
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::replica::{Cluster, Customer, Reader};
use pulse_tests::stack::within;
use std::time::Duration;

/// How long a run may take to come home.
const PATIENCE: Duration = Duration::from_secs(90);

/// A table with one check that always fails, and takes a second and a half.
struct Watched<'a> {
    customer: Customer<'a>,
    reader: Reader,
    connection: Connection,
    table: Table,
    check: String,
    receiver: Receiver,
}

impl Watched<'_> {
    async fn new() -> Self {
        let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
        let receiver = Receiver::new().await;
        tells(&tenant, &receiver, 0).await;
        let customer = cluster.customer().await;
        customer.orders("orders", 10).await;
        customer.slow("sleepy", "orders", 1.5).await;
        let reader = customer.reader(["orders", "sleepy"]).await;
        let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
        let table = connection.table("orders").await;
        let sql = "select count(*) from sleepy where slept <> 'x'";
        let check = json!({"kind": "metric", "settings": {"sql": sql},
            "fail": {"kind": "absolute", "max": 0}});
        let check = table.check(check).await;
        assert_eq!(table.first(&check).await["outcome"], "fail");
        receiver.received(1).await;
        Self {
            customer,
            reader,
            connection,
            table,
            check,
            receiver,
        }
    }

    /// Runs the check by hand, whatever comes of the request.
    async fn run(&self) {
        let path = format!("{}/run", self.table.path());
        let client = self.connection.tenant.client();
        let _ = client.call("POST", &path).attempt().await;
    }

    async fn asks(&self) {
        within(PATIENCE, "it asks", || async {
            let seen = self.customer.seen(&self.reader.role).await;
            seen.waits.contains("Timeout:PgSleep").then_some(())
        })
        .await;
    }

    /// Demands that so many runs are home, each once.
    async fn has(&self, runs: usize) {
        within(PATIENCE, "the runs are home", || async {
            (self.table.results(&self.check).await.len() == runs).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(self.table.results(&self.check).await.len(), runs);
        let path = format!("{}/impact", self.connection.path());
        let impact = self.connection.tenant.client().get(&path).await;
        let hours = impact.expect_status(200).list_at("/hours");
        let counted: u64 = hours.iter().filter_map(|hour| hour["runs"].as_u64()).sum();
        assert_eq!(counted, runs as u64, "{hours:?}");
        let alerts = self.connection.alerts_of("check").await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0]["breaches"], runs, "{alerts:?}");
        assert_eq!(self.receiver.hooks().len(), 1);
    }
}

/// Behaviour 26, with Postgres away when a run ends.
#[tokio::test]
async fn a_run_that_ends_while_postgres_is_away_comes_home_later() {
    let _alone = alone().await;
    let (control, watched) = (Control::here(), Watched::new().await);
    let away = async {
        watched.asks().await;
        control.stop_postgres().await;
    };
    tokio::join!(away, watched.run());
    tokio::time::sleep(Duration::from_secs(3)).await;
    control.start_postgres().await;
    watched.has(2).await;
}

/// Behaviour 26, with the answer to the write lost.
#[tokio::test]
async fn a_run_whose_taking_was_not_heard_of_counts_once() {
    let _alone = alone().await;
    let (control, watched) = (Control::here(), Watched::new().await);
    control.lose_answers("take_monitor_run", 1).await;
    watched.run().await;
    watched.has(2).await;
}

/// Behaviour 24; that nobody is told again is in `monitor_told`.
#[tokio::test]
async fn an_alert_that_is_looked_after_stays_so_when_the_runtime_dies() {
    let _alone = alone().await;
    let (control, watched) = (Control::here(), Watched::new().await);
    let client = watched.connection.tenant.client();
    let alerts = watched.connection.alerts_of("check").await;
    let path = format!("/api/alerts/{}", alerts[0]["id"].as_str().expect("an id"));
    let acked = client.call("POST", &format!("{path}/ack")).await;
    assert!(acked.expect_status(200).at("/acknowledged").is_object());
    control.kill_worker().await;
    let shown = within(PATIENCE, "the runtime is back", || async {
        let shown = client.get(&path).attempt().await.ok();
        shown.filter(|reply| reply.status == 200)
    })
    .await;
    assert!(shown.at("/acknowledged").is_object(), "{shown}");
    watched.run().await;
    watched.has(2).await;
    let shown = client.get(&path).await.expect_status(200);
    assert!(shown.at("/acknowledged").is_object(), "{shown}");
}

/// A day is one period here: what was begun and came to nothing for no fault of the replica is not put
/// off to the next day.
#[tokio::test]
async fn a_run_that_cannot_read_what_was_learned_is_made_as_soon_as_it_can() {
    let _alone = alone().await;
    let (control, watched) = (Control::here(), Watched::new().await);
    control.lose_answers("r.revision = w.revision", 4).await;
    let check = json!({"name": "Learns", "kind": "row_count", "fail": {"kind": "learned"}});
    let check = watched.table.check(check).await;
    let first = watched.table.first(&check).await;
    control.lose_answers("", 0).await;
    assert_eq!(first["outcome"], "learning", "{first}");
}

/// As above, when whoever ran it died.
#[tokio::test]
async fn a_run_that_died_with_its_runtime_is_made_once_more() {
    let _alone = alone().await;
    let (control, watched) = (Control::here(), Watched::new().await);
    let sql = "select count(*) from sleepy where slept <> 'y'";
    let check = json!({"name": "Daily", "kind": "metric", "settings": {"sql": sql},
        "fail": {"kind": "absolute", "min": 0}});
    let standby = &watched.customer.cluster.standby;
    let mark = standby.mark().await;
    let check = watched.table.check(check).await;
    watched.asks().await;
    control.kill_worker().await;
    let results = within(PATIENCE, "it is run again", || async {
        // An alarm that was lost with the runtime is made up for by the tick.
        control.cron("* * * * *").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let found = watched.connection.tenant.client();
        let found = found.get(&format!("{check}/results")).attempt().await.ok();
        let found = found.filter(|reply| reply.status == 200)?.list_at("/items");
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(results[0]["outcome"], "pass", "{results:?}");
    assert_eq!(results.len(), 1, "{results:?}");
    // Of a period there is one result however often it is run: what was asked is counted too.
    control.cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let seen = standby.since(mark).await.of(&watched.reader.role);
    let asked = seen.run().into_iter();
    let asked = asked.filter(|one| one.text.starts_with("select") && one.text.contains("<> 'y'"));
    assert!(
        asked.clone().count() <= 2,
        "{:?}",
        asked.collect::<Vec<_>>()
    );
}

/// Waits until the monitor's health answers so.
async fn healthy(client: &Client, status: u16) -> Reply {
    within(PATIENCE, "the monitor's health", || async {
        let health = client.get("/api/health").await;
        (health.status == status).then_some(health)
    })
    .await
}

/// Behaviour 37: each of the two alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_fails_for_a_late_connection_alone_and_for_an_old_tick_alone() {
    let _alone = alone().await;
    let watched = Watched::new().await;
    let (control, client) = (Control::here(), watched.connection.tenant.client());
    let seconds = |health: &Reply, what: &str| health.at(what).as_i64().expect("seconds");
    control.cron("* * * * *").await;
    let well = healthy(client, 200).await;
    assert_eq!(well.at("/status"), "ok", "{well}");
    assert_eq!(well.at("/late"), json!([]), "{well}");
    let late = format!(
        "update monitor_connections set due_at = now() - interval '1 hour' where id = '{}'",
        watched.connection.id
    );
    Database::admin().await.run(&late).await;
    let late = client.get("/api/health").await.expect_status(503);
    assert_eq!(late.at("/status"), "stalled", "{late}");
    assert!(seconds(&late, "/tick_age_seconds") < 180, "{late}");
    assert!(seconds(&late, "/late_seconds") >= 3_600, "{late}");
    assert_eq!(late.at("/late/0/id"), json!(watched.connection.id));
    assert!(seconds(&late, "/late/0/late_seconds") >= 3_600, "{late}");
    // The tick wakes it.
    control.cron("* * * * *").await;
    healthy(client, 200).await;
    let old = "update heartbeats set at = now() - interval '10 minutes' where name = 'cron'";
    Database::definer().await.run(old).await;
    let old = client.get("/api/health").await.expect_status(503);
    assert_eq!(old.at("/status"), "stalled", "{old}");
    assert!(seconds(&old, "/tick_age_seconds") >= 600, "{old}");
    assert!(seconds(&old, "/late_seconds") < 150, "{old}");
    assert_eq!(old.at("/late"), json!([]), "{old}");
    control.cron("* * * * *").await;
    healthy(client, 200).await;
}
