//! Messages when something dies: the sender before it sends, between sending and noting, Postgres in
//! between.
//!
//! Invariant: where the receiver knows keys, each recipient has each message exactly once; where it
//! does not, never twice; and none is lost: what nobody knows the fate of is there, as unknown.
//! Failure: what the receiver got, and the deliveries as they stand.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::mail_server::Setup;
use pulse_tests::messages::{Channel, Posted};
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use std::collections::BTreeMap;
use std::time::Duration;

/// A channel whose receiver knows keys, and one whose receiver does not.
async fn both(tenant: &Tenant, keyed: &Receiver, plain: &Receiver) -> (Channel, Channel) {
    (
        Channel::with(tenant, "webhook", json!({"url": keyed.url})).await,
        Channel::with(tenant, "slack", json!({"url": plain.url})).await,
    )
}

/// How often each message came, by its subject.
fn count(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for hook in receiver.hooks() {
        let body = hook.json();
        let named = body["data"]["subject"].as_str().or(body["text"].as_str());
        let subject = named.expect("a subject").lines().next().expect("a line");
        let subject = subject.trim_matches('*').to_owned();
        *counts.entry(subject).or_default() += 1;
    }
    counts
}

/// As a receiver that knows keys counts: what comes under a key it has is dropped.
fn distinct(receiver: &Receiver) -> usize {
    let hooks = receiver.hooks();
    let ids: std::collections::BTreeSet<_> = hooks.iter().map(|hook| hook.id()).collect();
    ids.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_queue_message_twice_sends_every_message_once() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let (keyed, plain) = (
        Receiver::with([status(200).after_ms(100)]).await,
        Receiver::with([status(200).after_ms(100)]).await,
    );
    let (hook, chat) = both(&tenant, &keyed, &plain).await;
    let server = Setup::tls().start();
    let mut settings = server.settings();
    settings["security"] = json!("tls");
    let mail = Channel::with(&tenant, "smtp", settings).await;
    let mut all = Vec::new();
    for number in 0..12 {
        let recipients = json!([{"channel_id": hook.id}, {"channel_id": chat.id},
            {"channel_id": mail.id, "address": "ada@example.org"}]);
        let extra = json!({"subject": format!("No. {number}"), "recipients": recipients});
        let posted = Posted::quietly(&tenant, extra).await;
        tokio::join!(posted.announce(), posted.announce());
        all.push(posted);
    }
    for posted in &all {
        let sent = posted.settled("sent", 3).await;
        assert!(sent.iter().all(|message| message["attempt_count"] == 1));
    }
    for receiver in [&keyed, &plain] {
        let counts = count(receiver);
        assert_eq!(counts.len(), 12);
        assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    }
    assert_eq!(server.mails().len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_killed_before_it_claims_loses_nothing() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let (keyed, plain) = (Receiver::new().await, Receiver::new().await);
    let (hook, chat) = both(&tenant, &keyed, &plain).await;
    let recipients = json!([{"channel_id": hook.id}, {"channel_id": chat.id}]);
    let posted = Posted::quietly(&tenant, json!({"recipients": recipients})).await;
    let control = Control::here();
    control.kill_worker().await;
    // The job is lost with the runtime; the minute tick makes up for it.
    control.cron("* * * * *").await;
    posted.settled("sent", 2).await;
    assert_eq!((keyed.hooks().len(), plain.hooks().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_killed_between_claim_and_answer_sends_again_only_under_a_key() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let (keyed, plain) = (
        Receiver::with([status(200).after_ms(8_000), status(200)]).await,
        Receiver::with([status(200).after_ms(8_000), status(200)]).await,
    );
    let (hook, chat) = both(&tenant, &keyed, &plain).await;
    let recipients = json!([{"channel_id": hook.id}, {"channel_id": chat.id}]);
    let posted = Posted::with(&tenant, json!({"recipients": recipients})).await;
    tokio::join!(keyed.received(1), plain.received(1));
    let control = Control::here();
    control.kill_worker().await;
    control.cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        posted.deliveries("status=sending").await.len(),
        2,
        "the leases still hold"
    );
    assert_eq!((keyed.hooks().len(), plain.hooks().len()), (1, 1));
    assert_eq!(
        posted
            .age("lease_until = now() - interval '1 second'")
            .await,
        2
    );
    control.cron("* * * * *").await;
    let sent = posted.settled("sent", 1).await;
    assert_eq!(sent[0]["channel_kind"], "webhook");
    let unknown = posted.settled("unknown", 1).await;
    assert_eq!(
        (&unknown[0]["channel_kind"], &unknown[0]["last_error"]),
        (&json!("slack"), &json!("interrupted"))
    );
    control.cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (distinct(&keyed), keyed.hooks().len(), plain.hooks().len()),
        (1, 2, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_killed_between_answer_and_record_sends_again_only_under_a_key() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let (keyed, plain) = (Receiver::new().await, Receiver::new().await);
    let (hook, chat) = both(&tenant, &keyed, &plain).await;
    let control = Control::here();
    let recipients = json!([{"channel_id": hook.id}, {"channel_id": chat.id}]);
    let slow = json!({"recipients": recipients});
    let posted = Posted::quietly(&tenant, slow).await;
    // The claim goes through; what was answered is never noted: Postgres is frozen by then.
    posted.announce().await;
    tokio::join!(keyed.received(1), plain.received(1));
    control.pause_postgres().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    control.kill_worker().await;
    control.resume_postgres().await;
    let open = || async { posted.deliveries("status=sending").await.len() };
    if open().await > 0 {
        assert!(
            posted
                .age("lease_until = now() - interval '1 second'")
                .await
                > 0
        );
    }
    control.cron("* * * * *").await;
    eventually("nothing is under way", || async {
        let left = posted.deliveries("status=sending").await.len()
            + posted.deliveries("status=pending").await.len();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(distinct(&keyed), 1);
    assert_eq!(plain.hooks().len(), 1, "never twice");
    let all = posted.deliveries("").await;
    let status = |kind: &str| {
        let found = all.iter().find(|message| message["channel_kind"] == kind);
        found.expect("a delivery")["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    };
    assert_eq!(status("webhook"), "sent");
    assert!(["sent", "unknown"].contains(&status("slack").as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_while_postgres_is_away_is_noted_when_it_is_back() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(200).after_ms(2_000)]).await;
    let channel = Channel::with(&tenant, "slack", json!({"url": receiver.url})).await;
    let posted = channel.tell(json!({})).await;
    receiver.received(1).await;
    let control = Control::here();
    control.stop_postgres().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    control.start_postgres().await;
    let sent = posted.ends("sent").await;
    assert_eq!(
        (&sent["attempt_count"], receiver.hooks().len()),
        (&json!(1), 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_hears_a_sender_die_never_gets_a_mail_twice() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let server = Setup::tls().plans(["answer_late:8000", "take"]).start();
    let mut settings = server.settings();
    settings["security"] = json!("tls");
    let channel = Channel::with(&tenant, "smtp", settings).await;
    let posted = channel.post("ada@example.org").await;
    server.received(1).await;
    let control = Control::here();
    control.kill_worker().await;
    assert_eq!(
        posted
            .age("lease_until = now() - interval '1 second'")
            .await,
        1
    );
    control.cron("* * * * *").await;
    posted.ends("unknown").await;
    control.cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_killed_again_and_again_loses_no_message_and_doubles_none() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let (keyed, plain) = (
        Receiver::with([status(200).after_ms(150)]).await,
        Receiver::with([status(200).after_ms(150)]).await,
    );
    let (hook, chat) = both(&tenant, &keyed, &plain).await;
    let mut all = Vec::new();
    for number in 0..40 {
        let recipients = json!([{"channel_id": hook.id}, {"channel_id": chat.id}]);
        let extra = json!({"subject": format!("No. {number}"), "recipients": recipients});
        all.push(Posted::quietly(&tenant, extra).await);
    }
    let control = Control::here();
    for round in 0..5 {
        all[0].announce().await;
        tokio::time::sleep(Duration::from_millis(250 + 130 * round)).await;
        control.kill_worker().await;
        for posted in &all {
            posted
                .age("lease_until = now() - interval '1 second'")
                .await;
        }
    }
    let mut unknown = 0;
    for posted in &all {
        posted.announce().await;
        pulse_tests::stack::within(Duration::from_secs(60), "all are settled", || async {
            let left = posted.deliveries("status=sending").await.len()
                + posted.deliveries("status=pending").await.len();
            (left == 0).then_some(())
        })
        .await;
        for message in posted.deliveries("").await {
            match (message["channel_kind"].as_str(), message["status"].as_str()) {
                (_, Some("sent")) => {}
                (Some("slack"), Some("unknown")) => unknown += 1,
                other => panic!("{other:?}: {message}"),
            }
        }
    }
    assert_eq!(distinct(&keyed), 40, "each arrived");
    let counts = count(&plain);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    assert!(
        counts.len() + unknown >= 40,
        "{} and {unknown}",
        counts.len()
    );
}
