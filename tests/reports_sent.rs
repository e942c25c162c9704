//! Reports on their way: by every channel they name, to who wants them, and what is told of it.
//!
//! Invariant: what a run counts of its messages is what became of them.
//! Failure: the run as it is, and what the receivers got.

use pulse_tests::mail_server::Setup;
use pulse_tests::messages::Channel;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, dropped, status};
use pulse_tests::report::{Job, Report, kept, outbox};

/// Waits until a run counts its messages like this; answers it.
async fn counted(job: &Job, deliveries: Value) -> Reply {
    eventually(&format!("the run counts {deliveries}"), || async {
        let shown = job.show().await;
        (shown.at("/deliveries") == deliveries).then_some(shown)
    })
    .await
}

async fn through(report: &Report, channels: &[&Channel]) {
    let channels: Vec<_> = channels.iter().map(|channel| &channel.id).collect();
    let change = report.change(json!({"channels": channels})).await;
    change.expect_status(200);
}

#[tokio::test]
async fn a_report_goes_by_every_channel_that_it_names_to_whom_each_reaches() {
    let to = json!(["ada@example.org"]);
    let report = Report::about_lists(json!({"recipients": to})).await;
    let tenant = &report.tenant;
    let (places, phones) = (
        Receiver::with([status(200).body("ok")]).await,
        Receiver::with([status(201).json(&json!({"sid": "SM1"}))]).await,
    );
    let server = Setup::tls().start();
    let mut settings = server.settings();
    settings["security"] = json!("tls");
    let mail = Channel::with(tenant, "smtp", settings).await;
    let hook = Channel::with(tenant, "webhook", json!({"url": places.url})).await;
    let chat = Channel::with(tenant, "slack", json!({"url": places.url})).await;
    let settings = json!({"account_sid": "AC0", "auth_token": "t", "from": "+14155550123",
                          "base_url": phones.base()});
    let sms = Channel::with(tenant, "twilio", settings).await;
    through(&report, &[&mail, &hook, &chat, &sms]).await;
    let both = json!(["ada@example.org", "+14155550100"]);
    report
        .change(json!({"recipients": both}))
        .await
        .expect_status(200);

    let job = report.publish().await;
    let shown = counted(&job, json!({"sent": 4})).await;
    assert_eq!(shown.at("/emailSent"), true);
    let mails = server.received(1).await;
    assert_eq!(
        (mails.len(), &mails[0].to),
        (1, &vec!["ada@example.org".to_owned()])
    );
    let called = phones.received(1).await;
    assert_eq!(
        (called.len(), called[0].form()["To"].as_str()),
        (1, "+14155550100")
    );
    assert_eq!(places.received(2).await.len(), 2);
    assert!(
        outbox(tenant, "Morning").await.is_empty(),
        "the channel of the deployment was not asked for"
    );
}

#[tokio::test]
async fn a_report_in_a_chat_room_speaks_of_no_link_that_is_not_there() {
    let double = Receiver::with([status(200).body("ok")]).await;
    let report = Report::about_lists(json!({"recipients": []})).await;
    let mut channels = Vec::new();
    for kind in ["slack", "teams", "webhook"] {
        let channel = Channel::with(&report.tenant, kind, json!({"url": double.url})).await;
        channels.push(channel.id);
    }
    let change = report.change(json!({"channels": channels})).await;
    change.expect_status(200);
    let job = report.publish().await;
    let hooks = double.received(3).await;
    for hook in hooks {
        assert!(hook.body.contains("Morning"), "{}", hook.body);
        assert!(!hook.body.contains("nsubscribe"), "{}", hook.body);
    }
    let shown = eventually("all are sent", || async {
        let shown = job.show().await;
        (shown.at("/deliveries") == json!({"sent": 3})).then_some(shown)
    });
    assert_eq!(shown.await.at("/result"), "success");
}

#[tokio::test]
async fn who_unsubscribes_from_a_report_gets_no_more_of_it() {
    let report = Report::about_lists(json!({})).await;
    report.publish().await.sent().await;
    let mail = outbox(&report.tenant, "Morning").await.remove(0);
    let mail = kept(&report.tenant, &mail).await;
    let url = mail["unsubscribe_url"].as_str().expect("a link");
    let path = &url[url.find("/api/").expect("a path")..];
    let click = Client::anonymous().call("POST", path);
    click
        .body(
            "application/x-www-form-urlencoded",
            "List-Unsubscribe=One-Click",
        )
        .await
        .expect_status(200);
    let next = report.publish().await;
    let shown = counted(&next, json!({"suppressed": 1})).await;
    assert_eq!(
        (shown.at("/result"), shown.at("/emailSent")),
        (json!("success"), json!(false))
    );
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test]
async fn a_report_that_nobody_knows_to_have_arrived_is_told_and_sent_again_by_hand_only() {
    let double = Receiver::with([dropped(), status(200).body("ok")]).await;
    let report = Report::about_lists(json!({"recipients": []})).await;
    let chat = Channel::with(&report.tenant, "slack", json!({"url": double.url})).await;
    through(&report, &[&chat]).await;
    let job = report.publish().await;
    counted(&job, json!({"unknown": 1})).await;
    assert_eq!(double.hooks().len(), 1);
    let path = format!("/api/messages?source_id={}", job.id);
    let listed = report.client().get(&path).await.expect_status(200);
    let again = format!("/api/messages/{}/retry", listed.text_at("/items/0/id"));
    let retried = report.client().call("POST", &again).await;
    retried.expect_status(200);
    counted(&job, json!({"sent": 1})).await;
    assert_eq!(double.hooks().len(), 2);
}
