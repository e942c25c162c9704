//! Staff on sockets while Postgres does not answer.
//!
//! Invariant: an outage shuts nobody out who was confirmed lately; whoever is known to have changed
//! does not stay on an old word.
//! Failure: the socket that went or stayed against that.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_goes_on_scanning_over_a_socket_while_postgres_is_away() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut socket = Socket::connect(&event.live_path(), agent.client.token()).await;
    let mut manager = event.socket().await;
    manager.subscribe("scans").await;
    let scan = |guest: &str| {
        let nonce = Uuid::new_v4().to_string();
        json!({"scan": {"barcode": event.code(guest), "nonce": nonce}})
    };
    let control = Control::here();
    control.stop_postgres().await;
    // Past the time at which both are asked about again, in vain.
    tokio::time::sleep(Duration::from_secs(75)).await;
    let answer = socket.request(scan("Ada")).await;
    assert_eq!(answer["verdict"]["verdict"], "accepted", "{answer}");
    manager.event_of("scans").await;
    control.start_postgres().await;
    event.recorded().await.counts(|c| c.checked_in == 1);
    // Nothing is forgotten over it.
    let path = format!("/api/tenants/{}/members/{}", event.tenant.id, agent.id());
    event.client().delete(&path).await.expect_status(204);
    assert_eq!(socket.closed().await, 3500);
    manager.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changed_and_cannot_be_asked_about_has_to_come_back() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    let (agent, other) = (
        event.tenant.member("agent").await,
        event.tenant.member("agent").await,
    );
    let mut socket = Socket::connect(&event.live_path(), agent.client.token()).await;
    let mut others = Socket::connect(&event.live_path(), other.client.token()).await;
    Control::here().lose_answers("app.standing", 1).await;
    let path = format!("/api/tenants/{}/members/{}", event.tenant.id, agent.id());
    event.client().delete(&path).await.expect_status(204);
    let code = socket.closed().await;
    assert!((3000..3500).contains(&code), "{code}");
    let again = Socket::try_connect(&event.live_path(), agent.client.token()).await;
    assert!(again.is_err_and(|why| why.contains("3500")));
    others.quiet().await;
}
