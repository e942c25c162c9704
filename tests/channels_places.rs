//! What the channels that are one place get: chat rooms, services for incidents, webhooks.
//!
//! Invariant: a double checks path, credentials and body as the service would, and answers as it
//! does.
//! Failure: the request as it came.

use pulse_tests::messages::{Channel, sent};
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};

#[tokio::test]
async fn pagerduty_and_opsgenie_get_an_incident_that_a_repeat_joins() {
    let answer = status(202).json(&json!({"status": "success", "dedup_key": "db/lag"}));
    let (hook, _) = sent("pagerduty", json!({"routing_key": "R0"}), answer).await;
    assert_eq!(hook.line, "POST /v2/enqueue");
    let body = hook.json();
    assert_eq!(
        (&body["routing_key"], &body["event_action"]),
        (&json!("R0"), &json!("trigger"))
    );
    assert_eq!(body["dedup_key"], "db/lag");
    assert_eq!(body["payload"]["severity"], "critical");
    for field in ["summary", "source", "timestamp"] {
        assert!(body["payload"][field].is_string(), "{body}");
    }
    let answer =
        status(202).json(&json!({"result": "Request will be processed", "requestId": "r1"}));
    let (hook, message) = sent("opsgenie", json!({"api_key": "k"}), answer).await;
    assert_eq!(hook.line, "POST /v2/alerts");
    assert_eq!(hook.header("authorization"), "GenieKey k");
    let body = hook.json();
    assert_eq!(
        (&body["alias"], &body["priority"]),
        (&json!("db/lag"), &json!("P1"))
    );
    assert_eq!(message["provider_id"], "r1");
}

#[tokio::test]
async fn an_incident_that_is_over_is_closed() {
    let tenant = Tenant::new().await;
    let over = json!({"alert": {"severity": "error", "dedup_key": "db/lag", "status": "resolved"}});
    let double = Receiver::with([status(202)]).await;
    let settings = json!({"routing_key": "R0", "base_url": double.base()});
    Channel::with(&tenant, "pagerduty", settings)
        .await
        .tell(over.clone())
        .await
        .ends("sent")
        .await;
    let settings = json!({"api_key": "k", "base_url": double.base()});
    Channel::with(&tenant, "opsgenie", settings)
        .await
        .tell(over)
        .await
        .ends("sent")
        .await;
    let hooks = double.hooks();
    assert_eq!(hooks[0].json()["event_action"], "resolve");
    assert_eq!(
        hooks[1].line,
        "POST /v2/alerts/db%2Flag/close?identifierType=alias"
    );
}

#[tokio::test]
async fn slack_and_teams_show_a_message_as_it_was_written() {
    let tenant = Tenant::new().await;
    let double = Receiver::with([status(200).body("ok")]).await;
    let extra = json!({"subject": "Q1 & Q2 <now>", "text": "a < b & c > d\n"});
    let slack = Channel::with(&tenant, "slack", json!({"url": double.url})).await;
    slack.tell(extra.clone()).await.ends("sent").await;
    let teams = Channel::with(&tenant, "teams", json!({"url": double.url})).await;
    teams.tell(extra).await.ends("sent").await;
    let hooks = double.received(2).await;
    let text = "*Q1 &amp; Q2 &lt;now&gt;*\na &lt; b &amp; c &gt; d";
    assert_eq!(hooks[0].json(), json!({"text": text, "mrkdwn": true}));
    let card = &hooks[1].json()["attachments"][0];
    assert_eq!(
        card["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    assert_eq!(
        (&card["content"]["type"], &card["content"]["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    let texts: Vec<_> = card["content"]["body"]
        .as_array()
        .expect("blocks")
        .iter()
        .map(|b| &b["text"])
        .collect();
    assert_eq!(texts, ["Q1 & Q2 <now>", "a < b & c > d"]);
    assert!(
        hooks
            .iter()
            .all(|hook| !hook.body.contains("unsubscribe_url"))
    );
}

#[tokio::test]
async fn a_place_that_is_gone_disables_its_channel() {
    let tenant = Tenant::new().await;
    for (kind, code) in [
        ("slack", 404),
        ("slack", 410),
        ("teams", 404),
        ("webhook", 410),
    ] {
        let double = Receiver::with([status(code).body("no_service")]).await;
        let channel = Channel::with(&tenant, kind, json!({"url": double.url})).await;
        channel.tell(json!({})).await.ends("failed").await;
        let shown = channel.show().await;
        assert_eq!(
            (shown.at("/enabled"), shown.at("/disabled_reason")),
            (json!(false), json!("gone")),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_webhook_is_signed_under_every_secret_that_is_good() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    let channel = Channel::with(&tenant, "webhook", json!({"url": receiver.url})).await;
    let secret = channel.made["secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    channel
        .tell(json!({"alert": {"severity": "warning"}}))
        .await
        .ends("sent")
        .await;
    let hook = receiver.received(1).await.remove(0);
    assert!(hook.signed_with(&secret), "{hook:?}");
    assert_eq!(hook.json()["type"], "message");
    let data = &hook.json()["data"];
    assert_eq!(
        (&data["subject"], &data["alert"]["severity"]),
        (&json!("Weekly numbers"), &json!("warning"))
    );
    assert!(hook.id().starts_with("msg_"));
    let rotated = channel
        .client()
        .call("POST", &format!("{}/rotate-secret", channel.path()))
        .await;
    let new = rotated.expect_status(200).text_at("/secret");
    channel.tell(json!({})).await.ends("sent").await;
    let hook = receiver.received(2).await.remove(1);
    assert!(
        hook.signed_with(&secret) && hook.signed_with(&new),
        "{hook:?}"
    );
}
