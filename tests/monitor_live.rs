//! Alerts, live: who watches sees each change at once.
//!
//! Invariant: changes come in order, each once; who was away gets what was missed.
//! Failure: the events that came instead.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer};
use std::time::{Duration, Instant};

/// A table whose check fails while there are more than a hundred rows.
async fn watched(customer: &Customer<'_>, tenant: &Tenant) -> (Connection, Table) {
    customer.orders("orders", 100).await;
    let (connection, table) = Connection::watching(tenant, customer, "orders").await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 100}}))
        .await;
    assert_eq!(table.first(&check).await["outcome"], "pass");
    (connection, table)
}

async fn breaks(customer: &Customer<'_>) {
    customer
        .make("insert into orders values (100000, now(), 'new', '') on conflict do nothing")
        .await;
}

/// The events until one says this, each with what it says.
async fn until(socket: &mut Socket, what: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let event = socket.event_of("alerts").await;
        let said = event["data"]["what"] == what;
        seen.push(event);
        if said {
            return seen;
        }
    }
}

#[tokio::test]
async fn a_change_of_an_alert_is_shown_within_a_second_of_the_run() {
    let (tenant, customer) = (
        Tenant::new().await,
        Cluster::shared().await.customer().await,
    );
    let (connection, table) = watched(&customer, &tenant).await;
    let mut socket = Socket::connect("/live/tenant", &tenant.admin.access()).await;
    let listed = tenant.client().get("/api/alerts").await.expect_status(200);
    let from = serde_json::from_value(json!({
        "epoch": listed.at("/live/epoch"), "offset": listed.at("/live/offset")}))
    .expect("a position");
    let subscribed = socket.recover("alerts", &from).await;
    assert!(subscribed.recovered, "{subscribed:?}");
    breaks(&customer).await;
    assert_eq!(table.run_one().await["outcome"], "fail");
    let ran = Instant::now();
    let fired = until(&mut socket, "fired").await;
    assert!(
        ran.elapsed() < Duration::from_secs(1),
        "{:?}",
        ran.elapsed()
    );
    let fired = fired.last().expect("an event").clone();
    assert_eq!(fired["type"], "alert", "{fired}");
    assert_eq!(
        fired["data"]["connection_id"],
        json!(connection.id),
        "{fired}"
    );
    assert_eq!(fired["data"]["state"], "firing", "{fired}");
    let alert = fired["data"]["alert"]
        .as_str()
        .expect("an alert")
        .to_owned();
    let path = format!("/api/alerts/{alert}");
    let client = tenant.client();
    for (act, body, shown) in [
        ("ack", json!({}), "acknowledged"),
        ("mark", json!({"mark": "true_alarm"}), "marked"),
        ("resolve", json!({}), "resolved"),
    ] {
        let done = client.post(&format!("{path}/{act}"), &body).await;
        done.expect_status(200);
        let acted = Instant::now();
        let seen = until(&mut socket, shown).await;
        assert!(acted.elapsed() < Duration::from_secs(1), "{act}");
        assert_eq!(
            seen.last().expect("one")["data"]["alert"],
            json!(alert),
            "{act}"
        );
    }
    // Who was away gets all of it, in order.
    let mut later = Socket::connect("/live/tenant", &tenant.admin.access()).await;
    let missed = later.recover("alerts", &from).await;
    assert!(missed.recovered, "{missed:?}");
    let said: Vec<_> = missed
        .events
        .iter()
        .map(|event| event["data"]["what"].clone())
        .collect();
    let place = |what: &str| said.iter().position(|said| *said == what);
    assert!(place("fired") < place("acknowledged"), "{said:?}");
    assert!(place("acknowledged") < place("resolved"), "{said:?}");
}

#[tokio::test]
async fn alerts_are_shown_to_the_tenants_own_staff_only() {
    let tenant = Tenant::new().await;
    let (reader, other) = (tenant.member("read_only").await, Tenant::new().await);
    let mut socket = Socket::connect("/live/tenant", &reader.access()).await;
    socket.subscribe("alerts").await;
    let unknown = socket
        .request(json!({"subscribe": {"channel": "scans"}}))
        .await;
    assert!(unknown["error"]["code"].is_string(), "{unknown}");
    // A token of another tenant leads to the object of that one; in a first frame it opens nothing here.
    let path = format!("/live/tenant?tenant={}", tenant.id);
    let mut bare = Socket::bare(&path).await;
    let hello = json!({"id": 1, "connect": {"token": other.admin.access(), "client": "tests/1"}});
    bare.send(&hello.to_string()).await;
    assert_eq!(bare.closed().await, 3500);
    let mut own = Socket::bare(&path).await;
    own.hello(&reader.access()).await;
    own.subscribe("alerts").await;
    let refused = tenant.client().get("/live/tenant").await;
    assert_eq!(refused.status, 426, "{refused}");
}
