//! Whom a failing check reaches, how often, and what keeps it quiet.
//!
//! Invariant: what was told is what a receiver got; one message for each change.
//! Failure: the messages and alerts that came instead.

use pulse_tests::monitored::{Connection, Table, tells};
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::replica::{Cluster, Customer};
use pulse_tests::stack::within;
use std::time::Duration;

/// A table whose check fails while there are more than a hundred rows.
struct Watched<'a> {
    customer: Customer<'a>,
    connection: Connection,
    table: Table,
    receiver: Receiver,
}

impl Watched<'_> {
    async fn new(extra: Value) -> Self {
        let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
        let receiver = Receiver::new().await;
        tells(&tenant, &receiver, 0).await;
        let customer = cluster.customer().await;
        customer.orders("orders", 100).await;
        let reader = customer.reader(["orders"]).await;
        let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
        let table = connection.table("orders").await;
        let mut check = json!({"name": "Rows", "kind": "row_count",
            "fail": {"kind": "absolute", "max": 100}});
        for (name, value) in extra.as_object().expect("a check") {
            check[name] = value.clone();
        }
        let check = table.check(check).await;
        assert_eq!(table.first(&check).await["outcome"], "pass");
        Self {
            customer,
            connection,
            table,
            receiver,
        }
    }

    async fn fails(&self) {
        self.customer
            .make("insert into orders values (100000, now(), 'new', '') on conflict do nothing")
            .await;
        assert_eq!(self.table.run_one().await["outcome"], "fail");
    }

    async fn passes(&self) {
        self.customer
            .make("delete from orders where id = 100000")
            .await;
        assert_eq!(self.table.run_one().await["outcome"], "pass");
    }

    /// The state of its only alert.
    async fn state(&self) -> Value {
        let alerts = self.connection.alerts().await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        alerts[0]["state"].clone()
    }

    /// Passes and fails in turns, and demands that nothing follows from it.
    async fn goes_on_firing(&self) {
        for _ in 0..3 {
            self.passes().await;
            assert_eq!(self.state().await, "firing");
            self.fails().await;
        }
    }

    /// Demands that so many messages came, and no more come.
    async fn told(&self, count: usize) {
        self.receiver.received(count).await;
        seconds(2).await;
        let hooks = self.receiver.hooks();
        assert_eq!(hooks.len(), count, "{hooks:?}");
    }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

/// Behaviours 17, 18 and 20.
#[tokio::test]
async fn what_goes_on_failing_is_told_once_and_that_it_is_over_once() {
    let watched = Watched::new(json!({"for": 15})).await;
    watched.fails().await;
    assert_eq!(watched.state().await, "pending");
    assert_eq!(watched.receiver.hooks().len(), 0);
    seconds(16).await;
    watched.fails().await;
    assert_eq!(watched.state().await, "firing");
    watched.told(1).await;
    for _ in 0..100 {
        watched.fails().await;
    }
    watched.told(1).await;
    for _ in 0..3 {
        watched.passes().await;
    }
    assert_eq!(watched.state().await, "resolved");
    watched.told(2).await;
}

/// Behaviour 19.
#[tokio::test]
async fn a_recovery_that_does_not_last_is_not_told() {
    let watched = Watched::new(json!({"keep_firing": 60})).await;
    watched.fails().await;
    watched.goes_on_firing().await;
    assert_eq!(watched.state().await, "firing");
    watched.told(1).await;
}

#[tokio::test]
async fn a_value_at_its_limit_is_not_well_again_where_it_must_be_inside_by_a_margin() {
    let watched = Watched::new(json!({"hysteresis": 0.05})).await;
    watched.fails().await;
    watched.goes_on_firing().await;
    watched
        .customer
        .make("delete from orders where id <= 10")
        .await;
    watched.passes().await;
    assert_eq!(watched.state().await, "resolved");
    watched.told(2).await;
}

/// Behaviour 21.
#[tokio::test]
async fn fifty_tables_that_fail_together_are_one_message() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let receiver = Receiver::new().await;
    tells(&tenant, &receiver, 20).await;
    let customer = cluster.customer().await;
    let mut tables = String::new();
    for number in 0..50 {
        tables += &format!("create table t{number} (id int); insert into t{number} values (1);");
    }
    customer.make(&tables).await;
    let reader = customer.reader([]).await;
    let grant = format!(
        "grant select on all tables in schema public to {}",
        reader.role
    );
    customer.make(&grant).await;
    let off = json!({"enabled": false});
    let connection = Connection::to(&tenant, &customer, &reader, off).await;
    for number in 0..50 {
        let table = connection.table(&format!("t{number}")).await;
        table
            .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 0}}))
            .await;
    }
    let on = json!({"enabled": true});
    let switched = tenant.client().patch(&connection.path(), &on).await;
    switched.expect_status(200);
    let path = format!(
        "/api/alerts?connection_id={}&state=firing&limit=200",
        connection.id
    );
    within(Duration::from_secs(60), "fifty alerts", || async {
        let found = tenant.client().get(&path).await.expect_status(200);
        (found.list_at("/items").len() == 50).then_some(())
    })
    .await;
    let hooks = within(Duration::from_secs(60), "a message", || async {
        let hooks = receiver.hooks();
        (!hooks.is_empty()).then_some(hooks)
    })
    .await;
    assert!(hooks[0].body.contains("50"), "{hooks:?}");
    seconds(5).await;
    assert_eq!(receiver.hooks().len(), 1, "{:?}", receiver.hooks());
}

/// Behaviour 23.
#[tokio::test]
async fn a_silence_mutes_for_its_time_while_results_are_kept() {
    let watched = Watched::new(json!({})).await;
    let client = watched.connection.tenant.client();
    let silence = json!({"matchers": {"tables": [watched.table.id]}, "comment": "Migration",
        "ends_at": rfc3339(seconds_from_now(3600))});
    let made = client.post("/api/silences", &silence).await;
    let path = format!("/api/silences/{}", made.expect_status(201).text_at("/id"));
    watched.fails().await;
    assert_eq!(watched.state().await, "firing");
    let muted = &watched.connection.alerts().await[0];
    assert!(muted["muted_by"].is_object(), "{muted}");
    seconds(2).await;
    assert_eq!(watched.receiver.hooks().len(), 0);
    let sooner = json!({"ends_at": rfc3339(seconds_from_now(4))});
    client.patch(&path, &sooner).await.expect_status(200);
    seconds(5).await;
    watched.fails().await;
    watched.told(1).await;
}

/// Behaviour 34.
#[tokio::test]
async fn a_dry_run_that_fails_moves_nothing_and_tells_nobody() {
    let watched = Watched::new(json!({})).await;
    watched
        .customer
        .make("insert into orders values (100000, now(), 'new', '')")
        .await;
    let path = format!("{}/dry-run", watched.table.path());
    let client = watched.connection.tenant.client();
    let dry = client.call("POST", &path).await.expect_status(200);
    assert_eq!(dry.at("/items/0/outcome"), "fail", "{dry}");
    assert!(dry.at("/items/0/detail/cost").is_number(), "{dry}");
    assert!(dry.at("/items/0/detail/sql").is_string(), "{dry}");
    assert_eq!(watched.connection.alerts().await, [json!(null); 0]);
    watched.told(0).await;
}
