//! What is told of alerts when the runtime dies, again and again, and when receivers do not answer.
//!
//! Invariant: of each change one message, under one key, whatever dies in between.
//! Failure: the messages that are missing, or too many.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use pulse_tests::stack::within;
use pulse_tests::watched::{Watched, act, hook, hurry, route};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_postgres::types::Type;

const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until the runtime answers again.
async fn answers(client: &Client) {
    within(PATIENCE, "the runtime is back", || async {
        let shown = client.get("/api/alerts").attempt().await.ok()?;
        (shown.status == 200).then_some(())
    })
    .await;
}

/// Sets the data, and runs until a run came home that says so.
async fn comes_to(watched: &Watched, rows: u32, outcome: &str) {
    watched.set("orders", rows).await;
    let path = format!("{}/run", watched.table.path());
    within(PATIENCE, outcome, || async {
        let ran = watched.client().call("POST", &path).attempt().await.ok()?;
        (ran.status == 200 && ran.at("/items/0/outcome") == outcome).then_some(())
    })
    .await;
}

/// How often the alerts of a tenant fired and were over.
async fn changes(tenant: &Tenant) -> usize {
    let sql = "select to_jsonb(count(*)) from monitor_alert_changes
                where tenant_id = $1::text::uuid and what in ('fired', 'resolved')";
    let database = Database::admin().await;
    let count = database.json(sql, &[(&tenant.id, Type::TEXT)]).await;
    usize::try_from(count.as_u64().expect("a number")).expect("a count")
}

/// The bodies that came under each key.
fn by_key(receiver: &Receiver) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for hook in receiver.hooks() {
        let bodies = keys.entry(hook.id().to_owned()).or_default();
        bodies.insert(hook.body.clone());
    }
    keys
}

/// Behaviour 26. The runtime is killed at another moment of each run, from before it asks to after it
/// sends; what may have been sent when it died is sent again under its key, which is one message to
/// whoever looks at keys.
#[tokio::test]
async fn a_runtime_that_dies_between_deciding_and_sending_loses_and_doubles_nothing() {
    let _alone = alone().await;
    let (control, tenant) = (Control::here(), Tenant::new().await);
    let (one, other) = (hook(&tenant).await, hook(&tenant).await);
    let both = json!({"receivers": [{"channel_id": one.1.id}, {"channel_id": other.1.id}]});
    route(&tenant, &one.1, both).await;
    let watched = Watched::of(&tenant, json!({})).await;
    let path = format!("{}/run", watched.table.path());
    let states = [(110, "fail"), (90, "pass")];
    for (round, after) in [30_u64, 80, 130, 180, 230, 300, 400, 550]
        .into_iter()
        .enumerate()
    {
        let (rows, outcome) = states[round % 2];
        watched.set("orders", rows).await;
        let run = async {
            let _ = watched.client().call("POST", &path).attempt().await;
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            control.kill_worker().await;
        };
        tokio::join!(run, kill);
        answers(watched.client()).await;
        comes_to(&watched, rows, outcome).await;
    }
    let changed = changes(&tenant).await;
    assert_eq!(changed, 8, "four alerts, each of which came and went");
    within(PATIENCE, "everything is told", || async {
        // What was being sent when the runtime died waits for its lease.
        let _ = release(&tenant).await;
        let told = [&one.0, &other.0].map(|receiver| by_key(receiver).len());
        (told[0] >= changed && told[1] >= changed).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for receiver in [&one.0, &other.0] {
        let keys = by_key(receiver);
        assert_eq!(keys.len(), changed, "{keys:#?}");
        assert!(keys.values().all(|bodies| bodies.len() == 1), "{keys:#?}");
    }
    let posted = "select to_jsonb(count(*)) from monitor_notifications
                   where tenant_id = $1::text::uuid";
    let database = Database::admin().await;
    let posted = database.json(posted, &[(&tenant.id, Type::TEXT)]).await;
    assert_eq!(posted, changed * 2);
}

/// Lets what a dead sender held be sent at once, and tells the queue.
async fn release(tenant: &Tenant) -> Value {
    let sql = "with released as (
                 update message_deliveries set due_at = least(due_at, now()),
                        lease_until = least(lease_until, now())
                  where tenant_id = $1::text::uuid and status in ('pending', 'sending') returning 1)
               select to_jsonb(count(*)) from released";
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let released = database.json(sql, &[(&tenant.id, Type::TEXT)]).await;
    let job = json!({"kind": "deliveries", "tenant": tenant.id});
    Control::here().queue("JOBS", &[job]).await;
    released
}

/// Behaviour 24.
#[tokio::test]
async fn whoever_looks_after_an_alert_is_left_alone_though_the_runtime_dies() {
    let _alone = alone().await;
    let (control, tenant) = (Control::here(), Tenant::new().await);
    let (first, second) = (hook(&tenant).await, hook(&tenant).await);
    let step = json!({"after_seconds": 60, "receivers": [{"channel_id": second.1.id}]});
    route(&tenant, &first.1, json!({"escalation": [step]})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    first.0.received(1).await;
    let alert = watched.alert_path().await;
    act(watched.client(), &alert, "ack")
        .await
        .expect_status(200);
    // From here on it would be repeated and go further every few seconds.
    let sooner = json!({"repeat_interval_seconds": 2, "escalation":
        [{"after_seconds": 1, "receivers": [{"channel_id": second.1.id}]}]});
    hurry(&tenant, &sooner).await;
    control.kill_worker().await;
    answers(watched.client()).await;
    comes_to(&watched, 111, "fail").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let acked = watched.client().get(&alert).await.expect_status(200);
    assert!(acked.at("/acknowledged").is_object(), "{acked}");
    assert_eq!(first.0.hooks().len(), 1, "{:#?}", first.0.hooks());
    assert_eq!(second.0.hooks().len(), 0, "{:#?}", second.0.hooks());
    comes_to(&watched, 90, "pass").await;
    first.0.received(2).await;
}

/// Metadata and private addresses are no replicas where the deployment does not let them be.
#[tokio::test]
async fn private_addresses_are_refused_where_the_deployment_does_not_allow_them() {
    let _alone = alone().await;
    let (control, tenant) = (Control::here(), Tenant::new().await);
    let watched = Watched::of(&tenant, json!({})).await;
    control
        .set_vars(&json!({"OUTBOUND_ALLOW_PRIVATE": ""}))
        .await;
    let mut refused = Vec::new();
    for host in [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "192.168.0.1",
        "[::1]",
        "169.254.169.254",
    ] {
        let settings = json!({"name": "Inside", "host": host, "database": "d",
            "username": "u", "password": "p"});
        let made = tenant.client().post("/api/connections", &settings).await;
        refused.push((host, made.status, made.at("/errors/0/pointer")));
    }
    // One that was made before is not called either.
    let tested = watched.connection.test().await;
    let ran = watched.table.run_one().await;
    control
        .set_vars(&json!({"OUTBOUND_ALLOW_PRIVATE": "1"}))
        .await;
    for (host, status, pointer) in refused {
        assert_eq!((status, pointer), (422, json!("/host")), "{host}");
    }
    assert_eq!(
        (tested.at("/ok"), tested.at("/code")),
        (json!(false), json!("address_refused")),
        "{tested}"
    );
    assert_eq!(
        (&ran["outcome"], &ran["reason"]),
        (&json!("skipped"), &json!("unreachable")),
        "{ran}"
    );
    assert_eq!(watched.table.run_one().await["outcome"], "pass");
}

/// Behaviour 27, with the runtime killed while it waits for the answer.
#[tokio::test]
async fn a_webhook_that_fails_and_a_runtime_that_dies_keep_the_key() {
    let _alone = alone().await;
    let (control, tenant) = (Control::here(), Tenant::new().await);
    let (receiver, channel) = hook(&tenant).await;
    receiver.answer([status(200).after_ms(10_000), status(500), status(200)]);
    route(&tenant, &channel, json!({})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    receiver.received(1).await;
    control.kill_worker().await;
    answers(watched.client()).await;
    for count in [2, 3] {
        within(PATIENCE, "another try", || async {
            release(&tenant).await;
            (receiver.hooks().len() >= count).then_some(())
        })
        .await;
    }
    let path = "/api/messages?source_kind=monitor&limit=10";
    within(PATIENCE, "it is sent", || async {
        let found = tenant.client().get(path).await.list_at("/items");
        (found.len() == 1 && found[0]["status"] == "sent").then_some(())
    })
    .await;
    let keys = by_key(&receiver);
    assert_eq!(keys.len(), 1, "{keys:#?}");
    assert!(keys.values().all(|bodies| bodies.len() == 1), "{keys:#?}");
}
