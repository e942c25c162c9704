//! Reports on their way out: by every channel they name, to nobody who does not want them, and what
//! is shown where nobody knows whether they arrived.
//!
//! Invariant: a run counts its deliveries as they stand, each recipient of each channel once.
//! Failure: the run, and what its receivers got.

use mail_parser::MimeHeaders as _;
use pulse_tests::mail_server::{Mail, MailServer, Setup};
use pulse_tests::messages::Channel;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, dropped, status};
use pulse_tests::report::{Job, Report, outbox};
use pulse_tests::stack::within;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long deliveries may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the deliveries of a run stand so; answers the run.
async fn counts(job: &Job, expected: Value) -> Reply {
    let what = format!("deliveries are {expected}");
    within(PATIENCE, &what, || async {
        let shown = job.show().await;
        (shown.at("/deliveries") == expected).then_some(shown)
    })
    .await
}

/// The deliveries of a run.
async fn messages(job: &Job) -> Vec<Value> {
    let path = format!("/api/messages?limit=200&source_id={}", job.id);
    let listed = job.report.client().get(&path).await.expect_status(200);
    listed.list_at("/items")
}

/// A channel of mail that leads to the server.
async fn smtp(tenant: &Tenant, server: &MailServer) -> Channel {
    let mut settings = server.settings();
    settings["security"] = json!("tls");
    Channel::with(tenant, "smtp", settings).await
}

async fn to(report: &Report, recipients: Value, channels: &[&Channel]) {
    let channels: Vec<_> = channels.iter().map(|channel| &channel.id).collect();
    let body = json!({"recipients": recipients, "channels": channels});
    report.change(body).await.expect_status(200);
}

/// The path behind the link of a mail that mail programs unsubscribe by.
fn unsubscribe(mail: &Mail) -> String {
    let header: String = mail.header("list-unsubscribe").split_whitespace().collect();
    let link = header.trim_matches(['<', '>']).to_owned();
    link[link.find("/api/unsubscribe/").expect("a link of ours")..].to_owned()
}

#[tokio::test]
async fn a_report_goes_out_once_by_every_channel_it_names() {
    let report = Report::about_lists(json!({"name": "Doors", "attachCsv": true})).await;
    let tenant = &report.tenant;
    let server = Setup::tls().start();
    let (hooks, chat) = (Receiver::new().await, Receiver::new().await);
    let sid = status(201).json(&json!({"sid": "SM1"}));
    let sms = Receiver::with([sid]).await;
    let mail = smtp(tenant, &server).await;
    let webhook = Channel::with(tenant, "webhook", json!({"url": hooks.url})).await;
    let slack = Channel::with(tenant, "slack", json!({"url": chat.url})).await;
    let twilio = json!({"account_sid": "AC0123", "auth_token": "tok", "from": "+14155550123", "base_url": sms.base()});
    let twilio = Channel::with(tenant, "twilio", twilio).await;
    let people = json!(["ada@example.org", "bob@example.org", "+14155550100"]);
    to(&report, people, &[&mail, &webhook, &slack, &twilio]).await;

    let job = report.publish().await;
    let done = counts(&job, json!({"sent": 5})).await;
    assert_eq!(
        (done.at("/result"), done.at("/emailSent")),
        (json!("success"), json!(true))
    );
    let carried: BTreeSet<_> = messages(&job)
        .await
        .iter()
        .map(|m| (m["channel_kind"].to_string(), m["recipient"].to_string()))
        .collect();
    let expected = [
        ("smtp", json!("ada@example.org")),
        ("smtp", json!("bob@example.org")),
        ("twilio", json!("+14155550100")),
        ("webhook", Value::Null),
        ("slack", Value::Null),
    ];
    let expected = expected.map(|(kind, whom)| (json!(kind).to_string(), whom.to_string()));
    assert_eq!(carried, expected.into());

    let mails = server.mails();
    let whom: BTreeSet<_> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!(
        (mails.len(), whom),
        (
            2,
            ["ada@example.org", "bob@example.org"]
                .map(String::from)
                .into()
        )
    );
    for mail in &mails {
        let read = mail.parsed();
        assert_eq!(read.subject(), Some("Doors"));
        let html = read.body_html(0).expect("an HTML part");
        assert!(html.contains("Lists so far"), "{html}");
        let files: Vec<_> = read
            .attachments()
            .filter_map(|file| file.attachment_name())
            .collect();
        assert!(files.iter().any(|name| name.ends_with(".csv")), "{files:?}");
    }
    let hook = hooks.received(1).await.remove(0);
    assert!(hook.signed_with(webhook.made["secret"].as_str().expect("a secret")));
    let data = &hook.json()["data"];
    assert_eq!(
        (&data["source_kind"], &data["source_id"]),
        (&json!("report_job"), &json!(job.id))
    );
    let said = chat.received(1).await.remove(0).json();
    assert!(said.to_string().contains("Doors"), "{said}");
    let form = sms.received(1).await.remove(0).form();
    assert_eq!(form["To"], "+14155550100");
    assert!(form["Body"].starts_with("Doors"), "{form:?}");
    // Nothing went by the way that nobody named, and nothing twice.
    assert!(outbox(tenant, "Doors").await.is_empty());
    assert_eq!(
        (hooks.hooks().len(), chat.hooks().len(), sms.hooks().len()),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn addresses_go_the_usual_way_where_no_channel_of_mail_is_named() {
    let report = Report::about_lists(json!({"name": "Doors"})).await;
    let chat = Receiver::new().await;
    let slack = Channel::with(&report.tenant, "slack", json!({"url": chat.url})).await;
    to(&report, json!(["ada@example.org"]), &[&slack]).await;
    counts(&report.publish().await, json!({"sent": 2})).await;
    assert_eq!(outbox(&report.tenant, "Doors").await.len(), 1);
    chat.received(1).await;
    // Two channels of mail: each gets everybody.
    let (first, second) = (Setup::tls().start(), Setup::tls().start());
    let mail = smtp(&report.tenant, &first).await;
    let other = smtp(&report.tenant, &second).await;
    to(&report, json!(["ada@example.org"]), &[&mail, &other]).await;
    counts(&report.publish().await, json!({"sent": 2})).await;
    assert_eq!((first.mails().len(), second.mails().len()), (1, 1));
    assert_eq!(outbox(&report.tenant, "Doors").await.len(), 1, "as before");
}

#[tokio::test]
async fn who_unsubscribes_by_the_link_in_the_mail_gets_no_further_report() {
    let report = Report::about_lists(json!({"name": "Doors"})).await;
    let server = Setup::tls().start();
    let mail = smtp(&report.tenant, &server).await;
    to(&report, json!(["ada@example.org"]), &[&mail]).await;
    counts(&report.publish().await, json!({"sent": 1})).await;
    let first = server.received(1).await.remove(0);
    let path = unsubscribe(&first);
    let html = first.parsed().body_html(0).expect("HTML").into_owned();
    assert!(html.contains(&path), "the link in the text is the same one");
    let clicked = Client::anonymous().call("POST", &path).body(
        "application/x-www-form-urlencoded",
        "List-Unsubscribe=One-Click",
    );
    clicked.await.expect_status(200);

    let job = report.publish().await;
    let done = counts(&job, json!({"suppressed": 1})).await;
    let ended = job.finished().await;
    assert_eq!(
        (ended.at("/result"), done.at("/emailSent")),
        (json!("success"), json!(false))
    );
    // One other person is no reason to send it to this one.
    to(
        &report,
        json!(["ada@example.org", "bob@example.org"]),
        &[&mail],
    )
    .await;
    let done = counts(&report.publish().await, json!({"sent": 1, "suppressed": 1})).await;
    assert_eq!(done.at("/emailSent"), true);
    let whom: Vec<_> = server
        .mails()
        .iter()
        .flat_map(|mail| mail.to.clone())
        .collect();
    assert_eq!(whom, ["ada@example.org", "bob@example.org"]);
    // Another report of the same tenant is another topic.
    let other = Report::with(
        &report.tenant,
        json!({"name": "Desk", "prompt": pulse_tests::report::LISTS}),
    )
    .await;
    counts(&other.publish().await, json!({"sent": 1})).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_shows_as_unknown_until_somebody_sends_it_again() {
    let report = Report::about_lists(json!({"name": "Doors"})).await;
    let chat = Receiver::with([dropped(), status(200)]).await;
    let slack = Channel::with(&report.tenant, "slack", json!({"url": chat.url})).await;
    to(&report, json!([]), &[&slack]).await;
    let job = report.publish().await;
    counts(&job, json!({"unknown": 1})).await;
    let lost = messages(&job).await.remove(0);
    assert_eq!(
        (&lost["status"], &lost["last_error"]),
        (&json!("unknown"), &json!("peer_unavailable"))
    );
    assert_eq!(chat.hooks().len(), 1, "nobody sends it again by itself");
    let path = format!(
        "/api/messages/{}/retry",
        lost["id"].as_str().expect("an id")
    );
    let again = report.client().call("POST", &path).await;
    again.expect_status(200);
    counts(&job, json!({"sent": 1})).await;
    assert_eq!(chat.hooks().len(), 2);
}

#[tokio::test]
async fn a_report_in_a_chat_room_speaks_of_no_link_that_is_not_there() {
    let double = Receiver::with([status(200).body("ok")]).await;
    let report = Report::about_lists(json!({"name": "Doors"})).await;
    let mut channels = Vec::new();
    for kind in ["slack", "teams", "webhook"] {
        channels.push(Channel::with(&report.tenant, kind, json!({"url": double.url})).await);
    }
    let channels: Vec<&Channel> = channels.iter().collect();
    to(&report, json!([]), &channels).await;
    let job = report.publish().await;
    for hook in double.received(3).await {
        assert!(hook.body.contains("Doors"), "{}", hook.body);
        assert!(!hook.body.contains("nsubscribe"), "{}", hook.body);
    }
    let shown = counts(&job, json!({"sent": 3})).await;
    assert_eq!(shown.at("/result"), "success");
}
