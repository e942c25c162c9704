//! What providers report: delivered, bounced, complained, and who gets nothing more because of it.
//!
//! Invariant: only a report that the channel's own provider signed counts, and for the channel's
//! tenant alone.
//! Failure: the report, and the delivery as it stands.

use pulse_tests::client::Reply;
use pulse_tests::feedback::{self, Sendgrid, Sns};
use pulse_tests::messages::{Channel, Posted};
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, dropped, status};
use uuid::Uuid;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOPIC: &str = "arn:aws:sns:eu-central-1:1:ses";

/// A channel of Resend whose double takes everything, and what was sent by it.
async fn resend(tenant: &Tenant) -> (Channel, Posted, Value) {
    let double = Receiver::with([status(200).json(&json!({"id": "e1"}))]).await;
    let settings = json!({"api_key": "re_x", "events_secret": SECRET, "base_url": double.base(),
                          "from": {"email": "reports@example.org"}});
    let channel = Channel::with(tenant, "resend", settings).await;
    let posted = channel.post("Ada@example.org").await;
    let message = posted.ends("sent").await;
    (channel, posted, message)
}

fn events(channel: &Channel) -> String {
    format!("{}/events", channel.path())
}

fn report(kind: &str, extra: Value) -> Value {
    let mut data = json!({"email_id": "e1", "to": ["ada@example.org"]});
    pulse_tests::event::merge(&mut data, extra);
    json!({"type": kind, "created_at": rfc3339(seconds_from_now(0)), "data": data})
}

fn bounce(kind: &str) -> Value {
    report(
        "email.bounced",
        json!({"bounce": {"type": kind, "message": "550 no such user"}}),
    )
}

async fn suppressed(tenant: &Tenant) -> Vec<Value> {
    let listed = tenant
        .client()
        .get("/api/suppressions")
        .await
        .expect_status(200);
    listed.list_at("/items")
}

async fn message(tenant: &Tenant, message: &Value) -> Reply {
    let path = format!("/api/messages/{}", message["id"].as_str().expect("an id"));
    tenant.client().get(&path).await.expect_status(200)
}

#[tokio::test]
async fn a_hard_bounce_is_noted_and_keeps_everything_from_the_address() {
    let tenant = Tenant::new().await;
    let (channel, _, sent) = resend(&tenant).await;
    assert_eq!(
        channel.made["events_url"]
            .as_str()
            .map(|url| url.ends_with(&events(&channel))),
        Some(true)
    );
    feedback::resend(
        &events(&channel),
        SECRET,
        &report("email.delivered", json!({})),
        0,
    )
    .await
    .expect_status(204);
    for _ in 0..2 {
        feedback::resend(&events(&channel), SECRET, &bounce("Permanent"), 0)
            .await
            .expect_status(204);
    }
    let shown = message(&tenant, &sent).await;
    assert!(
        shown.at("/delivered_at").is_string() && shown.at("/bounced_at").is_string(),
        "{shown}"
    );
    assert_eq!(
        (shown.at("/status"), shown.at("/bounce")),
        (json!("sent"), json!("hard"))
    );
    let all = suppressed(&tenant).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["address"], &all[0]["reason"]),
        (&json!("ada@example.org"), &json!("bounce"))
    );
    assert_eq!(
        (&all[0]["note"], &all[0]["topic_id"]),
        (&json!("550 no such user"), &Value::Null)
    );
    let next = channel.post("ADA@example.org").await;
    assert_eq!(
        (&next.answer["made"], &next.answer["suppressed"]),
        (&json!(1), &json!(1))
    );
    let kept = next.ends("suppressed").await;
    assert_eq!(kept["attempt_count"], 0);
    let again = format!(
        "/api/messages/{}/retry",
        kept["id"].as_str().expect("an id")
    );
    tenant
        .client()
        .call("POST", &again)
        .await
        .problem(409, "suppressed");
    let lift = format!(
        "/api/suppressions/{}",
        all[0]["id"].as_str().expect("an id")
    );
    tenant.client().delete(&lift).await.expect_status(204);
    tenant
        .client()
        .call("POST", &again)
        .await
        .expect_status(200);
    next.ends("sent").await;
}

#[tokio::test]
async fn a_soft_bounce_is_noted_and_suppresses_nobody() {
    let tenant = Tenant::new().await;
    let (channel, _, sent) = resend(&tenant).await;
    feedback::resend(&events(&channel), SECRET, &bounce("Transient"), 0)
        .await
        .expect_status(204);
    let shown = message(&tenant, &sent).await;
    assert_eq!(shown.at("/bounce"), "soft");
    assert_eq!(suppressed(&tenant).await.len(), 0);
}

#[tokio::test]
async fn a_complaint_is_noted_and_keeps_everything_from_the_address() {
    let tenant = Tenant::new().await;
    let (channel, _, sent) = resend(&tenant).await;
    let complaint = report("email.complained", json!({}));
    feedback::resend(&events(&channel), SECRET, &complaint, 0)
        .await
        .expect_status(204);
    assert!(
        message(&tenant, &sent)
            .await
            .at("/complained_at")
            .is_string()
    );
    assert_eq!(suppressed(&tenant).await[0]["reason"], "complaint");
    // What was posted before and is yet to be sent is kept back too.
    let posted = Posted::quietly(
        &tenant,
        json!({"recipients": [{"address": "bob@example.org"}]}),
    )
    .await;
    let by_hand = json!({"address": "Bob@example.org", "note": "asked on the phone"});
    let made = tenant
        .client()
        .post("/api/suppressions", &by_hand)
        .await
        .expect_status(201);
    assert_eq!(
        (made.at("/address"), made.at("/reason")),
        (json!("bob@example.org"), json!("manual"))
    );
    posted.announce().await;
    posted.ends("suppressed").await;
}

#[tokio::test]
async fn a_report_tells_what_became_of_a_message_whose_fate_was_unknown() {
    let tenant = Tenant::new().await;
    let double = Receiver::with([dropped()]).await;
    let sendgrid = Sendgrid::new();
    let settings = json!({"api_key": "k", "events_key": sendgrid.key(), "base_url": double.base(),
                          "from": {"email": "reports@example.org"}});
    let channel = Channel::with(&tenant, "sendgrid", settings).await;
    let unknown = channel.post("ada@example.org").await.ends("unknown").await;
    let body = json!([{"event": "delivered", "email": "ada@example.org", "delivery": unknown["id"],
                       "timestamp": seconds_from_now(0).timestamp(), "sg_message_id": "x.y.z"}]);
    sendgrid
        .report(&events(&channel), &body, 0)
        .await
        .expect_status(204);
    let shown = message(&tenant, &unknown).await;
    assert_eq!(shown.at("/status"), "sent");
    assert!(shown.at("/delivered_at").is_string() && shown.at("/sent_at").is_string());
}

#[tokio::test]
async fn a_report_that_the_provider_did_not_sign_changes_nothing() {
    let tenant = Tenant::new().await;
    let (channel, _, sent) = resend(&tenant).await;
    let path = events(&channel);
    let other = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    for call in [
        feedback::resend(&path, other, &bounce("Permanent"), 0),
        feedback::resend(&path, SECRET, &bounce("Permanent"), -301),
        // So far ahead that it is, however long the request takes.
        feedback::resend(&path, SECRET, &bounce("Permanent"), 400),
        feedback::resend(&path, SECRET, &bounce("Permanent"), 0).header("svix-id", "another"),
        Client::anonymous().post(&path, &bounce("Permanent")),
        tenant.client().post(&path, &bounce("Permanent")),
    ] {
        call.await.problem(401, "signature_invalid");
    }
    assert_eq!(message(&tenant, &sent).await.at("/bounce"), Value::Null);
    assert_eq!(suppressed(&tenant).await.len(), 0);
    let nowhere = format!("/api/channels/{}/events", Uuid::new_v4());
    feedback::resend(&nowhere, SECRET, &bounce("Permanent"), 0)
        .await
        .problem_of(404);
    let silent = Channel::with(&tenant, "outbox", json!({})).await;
    feedback::resend(&events(&silent), SECRET, &bounce("Permanent"), 0)
        .await
        .problem_of(404);
}

#[tokio::test]
async fn a_report_holds_for_the_tenant_of_the_channel_alone() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (channel, ..) = resend(&tenant).await;
    let (_, _, theirs) = resend(&other).await;
    let id = theirs["id"].as_str().expect("an id");
    let mine = report("email.complained", json!({"tags": {"delivery": id}}));
    feedback::resend(&events(&channel), SECRET, &mine, 0)
        .await
        .expect_status(204);
    assert_eq!(
        message(&other, &theirs).await.at("/complained_at"),
        Value::Null
    );
    assert_eq!(suppressed(&other).await.len(), 0);
}

#[tokio::test]
async fn sendgrid_signs_with_its_own_key_and_reports_many_at_once() {
    let tenant = Tenant::new().await;
    let double = Receiver::with([status(202).header("x-message-id", "m1")]).await;
    let sendgrid = Sendgrid::new();
    let settings = json!({"api_key": "k", "events_key": sendgrid.key(), "base_url": double.base(),
                          "from": {"email": "reports@example.org"}});
    let channel = Channel::with(&tenant, "sendgrid", settings).await;
    let sent = channel.post("ada@example.org").await.ends("sent").await;
    let at = seconds_from_now(0).timestamp();
    let body = json!([
        {"event": "processed", "email": "ada@example.org", "timestamp": at, "sg_message_id": "m1.a"},
        {"event": "bounce", "type": "bounce", "email": "ada@example.org", "timestamp": at,
         "sg_message_id": "m1.filter.1", "reason": "550 5.1.1"},
        {"event": "bounce", "type": "blocked", "email": "eve@example.org", "timestamp": at, "sg_message_id": "m2.x"},
        {"event": "unsubscribe", "email": "bob@example.org", "timestamp": at, "sg_message_id": "m3.x"},
    ]);
    let path = events(&channel);
    Sendgrid::new()
        .report(&path, &body, 0)
        .await
        .problem(401, "signature_invalid");
    sendgrid
        .report(&path, &body, -301)
        .await
        .problem(401, "signature_invalid");
    sendgrid.report(&path, &body, 0).await.expect_status(204);
    assert_eq!(message(&tenant, &sent).await.at("/bounce"), "hard");
    let all = suppressed(&tenant).await;
    let mut found: Vec<_> = all
        .iter()
        .map(|s| (s["address"].as_str(), s["reason"].as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            (Some("ada@example.org"), Some("bounce")),
            (Some("bob@example.org"), Some("unsubscribe"))
        ]
    );
}

#[tokio::test]
async fn amazon_is_believed_for_the_channels_own_topic_only() {
    let tenant = Tenant::new().await;
    let sns = Sns::new();
    let double = Receiver::with([status(200).json(&json!({"MessageId": "ses-1"}))]).await;
    let amazon = Receiver::with([status(200).body(&sns.certificate)]).await;
    let settings = json!({"region": "eu-central-1", "access_key_id": "A", "secret_access_key": "b",
        "topic_arn": TOPIC, "base_url": double.base(), "from": {"email": "reports@example.org"}});
    let channel = Channel::with(&tenant, "ses", settings).await;
    let sent = channel.post("ada@example.org").await.ends("sent").await;
    let bounced = json!({"eventType": "Bounce", "mail": {"messageId": "ses-1", "destination": ["ada@example.org"]},
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "ada@example.org"}]}});
    let bounced = json!({"Message": bounced.to_string()});
    let path = events(&channel);
    // Certificates come from where the channel's provider is: here the double, else Amazon.
    double.answer([status(200).body(&sns.certificate)]);
    let here = format!("{}/cert.pem", double.base());
    let elsewhere = sns.notification(&format!("{}/cert.pem", amazon.base()), 2, &bounced);
    let mut tampered = sns.notification(&here, 2, &bounced);
    tampered["Message"] = json!(
        tampered["Message"]
            .as_str()
            .expect("text")
            .replace("ses-1", "ses-2")
    );
    let foreign =
        json!({"Message": bounced["Message"], "TopicArn": "arn:aws:sns:eu-central-1:2:evil"});
    let old = json!({"Message": bounced["Message"], "Timestamp": "2024-06-01T18:30:00.000Z"});
    for refused in [
        elsewhere,
        tampered,
        sns.notification(&here, 2, &foreign),
        sns.notification(&here, 2, &old),
        json!({}),
    ] {
        feedback::bring(&path, &refused)
            .await
            .problem(401, "signature_invalid");
    }
    assert_eq!(amazon.hooks().len(), 0, "not even asked");
    assert_eq!(suppressed(&tenant).await.len(), 0);
    for version in [1, 2] {
        let notification = sns.notification(&here, version, &bounced);
        feedback::bring(&path, &notification)
            .await
            .expect_status(204);
    }
    assert_eq!(message(&tenant, &sent).await.at("/bounce"), "hard");
    assert_eq!(suppressed(&tenant).await.len(), 1);
}

#[tokio::test]
async fn a_subscription_of_amazon_is_confirmed_where_amazon_says() {
    let tenant = Tenant::new().await;
    let sns = Sns::new();
    let double = Receiver::with([status(200).body(&sns.certificate)]).await;
    let settings = json!({"region": "eu-central-1", "access_key_id": "A", "secret_access_key": "b",
        "topic_arn": TOPIC, "base_url": double.base(), "from": {"email": "reports@example.org"}});
    let channel = Channel::with(&tenant, "ses", settings).await;
    let here = format!("{}/cert.pem", double.base());
    let confirm = |url: &str| {
        let extra = json!({"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": url});
        sns.notification(&here, 2, &extra)
    };
    let evil = Receiver::new().await;
    feedback::bring(&events(&channel), &confirm(&evil.url))
        .await
        .problem(401, "signature_invalid");
    let url = format!("{}/?Action=ConfirmSubscription&Token=t", double.base());
    feedback::bring(&events(&channel), &confirm(&url))
        .await
        .expect_status(204);
    let asked: Vec<_> = double.hooks().into_iter().map(|hook| hook.line).collect();
    assert_eq!(
        asked,
        ["GET /cert.pem", "GET /?Action=ConfirmSubscription&Token=t"]
    );
    assert_eq!(evil.hooks().len(), 0);
}

#[tokio::test]
async fn twilio_reports_to_the_address_it_was_given() {
    let tenant = Tenant::new().await;
    let double = Receiver::with([status(201).json(&json!({"sid": "SM1"}))]).await;
    let settings = json!({"account_sid": "AC1", "auth_token": "tok", "from": "+14155550123", "base_url": double.base()});
    let channel = Channel::with(&tenant, "twilio", settings).await;
    let sent = channel.post("+14155550100").await.ends("sent").await;
    let url = double.hooks()[0].form()["StatusCallback"].clone();
    let path = &url[url.find("/api/").expect("a path")..];
    let form = [
        ("MessageSid", "SM1"),
        ("MessageStatus", "undelivered"),
        ("ErrorCode", "30005"),
        ("To", "+14155550100"),
    ];
    feedback::twilio(&url, path, "another", &form)
        .await
        .problem(401, "signature_invalid");
    let moved = path.replace("delivery=", "delivery=0");
    feedback::twilio(&url, &moved, "tok", &form)
        .await
        .problem(401, "signature_invalid");
    feedback::twilio(&url, path, "tok", &form)
        .await
        .expect_status(204);
    assert_eq!(message(&tenant, &sent).await.at("/bounce"), "hard");
    assert_eq!(suppressed(&tenant).await[0]["address"], "+14155550100");
    let next = channel.post("+14155550100").await;
    next.ends("suppressed").await;
}

#[tokio::test]
async fn suppressions_are_handled_by_managers_and_found_by_address_and_reason() {
    let tenant = Tenant::new().await;
    for bad in [
        json!({"address": "nobody"}),
        json!({"address": ""}),
        json!({"address": "a@b@c"}),
    ] {
        let refused = tenant.client().post("/api/suppressions", &bad).await;
        refused.problem_of(422).points_at("/address");
    }
    let post = |address: &str| {
        let body = json!({"address": address});
        tenant.client().post("/api/suppressions", &body)
    };
    let first = post("Ada@example.org").await.expect_status(201);
    let second = post("ada@EXAMPLE.org").await.expect_status(201);
    assert_eq!(first.at("/id"), second.at("/id"), "once");
    post("+1 (415) 555-0100").await.expect_status(201);
    let count = async |filter: &str| {
        let path = format!("/api/suppressions?{filter}");
        let found = tenant.client().get(&path).await.expect_status(200);
        found.list_at("/items").len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("address=ADA@example.org").await, 1);
    assert_eq!(count("reason=bounce").await, 0);
    let agent = tenant.member("agent").await.client;
    agent.get("/api/suppressions").await.expect_status(200);
    let path = format!("/api/suppressions/{}", first.text_at("/id"));
    agent.delete(&path).await.problem(403, "role_not_allowed");
    Tenant::new()
        .await
        .client()
        .delete(&path)
        .await
        .problem_of(404);
    tenant.client().delete(&path).await.expect_status(204);
    tenant.client().delete(&path).await.problem_of(404);
}
