//! What each provider gets, as its public documentation asks for it, and what its answers mean.
//!
//! Invariant: a double checks path, credentials and body as the provider would, and answers as it
//! does.
//! Failure: the request as it came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulse_tests::aws;
use pulse_tests::messages::{CSV, Channel, PNG, sent};
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};

fn from() -> Value {
    json!({"email": "reports@example.org", "name": "Reports, Inc."})
}

/// The link to unsubscribe that a text ends with.
fn link_in(text: &str) -> String {
    text.rsplit(' ')
        .next()
        .expect("a word")
        .trim_end()
        .to_owned()
}

#[tokio::test]
async fn resend_gets_an_email_under_an_idempotency_key() {
    let settings = json!({"api_key": "re_key", "from": from(), "reply_to": "desk@example.org"});
    let answer = status(200).json(&json!({"id": "49a3999c"}));
    let (hook, message) = sent("resend", settings, answer).await;
    assert_eq!(hook.line, "POST /emails");
    assert_eq!(hook.header("authorization"), "Bearer re_key");
    let key = hook.header("idempotency-key");
    assert!((1..=256).contains(&key.len()), "{key}");
    let body = hook.json();
    assert_eq!(body["from"], "\"Reports, Inc.\" <reports@example.org>");
    assert_eq!(body["to"], json!(["ada@example.org"]));
    assert_eq!(
        (&body["subject"], &body["reply_to"]),
        (&json!("Weekly numbers"), &json!("desk@example.org"))
    );
    let link = link_in(body["text"].as_str().expect("a text"));
    assert!(
        body["html"]
            .as_str()
            .is_some_and(|html| html.contains(&link))
    );
    assert_eq!(
        body["headers"],
        json!({"List-Unsubscribe": format!("<{link}>"),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"})
    );
    assert_eq!(
        body["attachments"],
        json!([
            {"filename": "numbers.csv", "content": CSV, "content_type": "text/csv; charset=utf-8"},
            {"filename": "chart.png", "content": PNG, "content_type": "image/png", "content_id": "chart-1"},
        ])
    );
    assert_eq!(
        body["tags"],
        json!([{"name": "delivery", "value": message["id"]}])
    );
    assert_eq!(message["provider_id"], "49a3999c");
}

#[tokio::test]
async fn a_repeat_that_overtakes_its_first_at_resend_comes_again_later() {
    let tenant = Tenant::new().await;
    let conflict =
        json!({"statusCode": 409, "name": "concurrent_idempotent_requests", "message": "…"});
    let plans = [
        status(409).json(&conflict),
        status(200).json(&json!({"id": "1"})),
    ];
    let double = Receiver::with(plans).await;
    let settings = json!({"api_key": "re_key", "from": from(), "base_url": double.base()});
    let channel = Channel::with(&tenant, "resend", settings).await;
    let posted = channel.post("ada@example.org").await;
    assert_eq!(posted.tried(1).await["status"], "pending");
    posted.make_due().await;
    posted.ends("sent").await;
    let hooks = double.hooks();
    assert_eq!(
        hooks[0].header("idempotency-key"),
        hooks[1].header("idempotency-key")
    );
    assert_eq!(
        hooks[0].body, hooks[1].body,
        "the same key demands the same body"
    );
}

#[tokio::test]
async fn sendgrid_gets_a_mail_of_two_parts_with_text_first() {
    let settings = json!({"api_key": "SG.key", "from": from(), "reply_to": "desk@example.org"});
    let answer = status(202).header("x-message-id", "14c5d75ce93");
    let (hook, message) = sent("sendgrid", settings, answer).await;
    assert_eq!(hook.line, "POST /v3/mail/send");
    assert_eq!(hook.header("authorization"), "Bearer SG.key");
    let body = hook.json();
    assert_eq!(
        body["personalizations"],
        json!([{"to": [{"email": "ada@example.org"}],
        "custom_args": {"delivery": message["id"]}}])
    );
    assert_eq!(
        (&body["from"], &body["reply_to"]),
        (&from(), &json!({"email": "desk@example.org"}))
    );
    let kinds: Vec<_> = body["content"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|p| &p["type"])
        .collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let link = link_in(body["content"][0]["value"].as_str().expect("a text"));
    assert_eq!(body["headers"]["List-Unsubscribe"], format!("<{link}>"));
    assert_eq!(
        body["attachments"],
        json!([
            {"content": CSV, "type": "text/csv", "filename": "numbers.csv", "disposition": "attachment"},
            {"content": PNG, "type": "image/png", "filename": "chart.png", "disposition": "inline", "content_id": "chart-1"},
        ])
    );
    assert_eq!(message["provider_id"], "14c5d75ce93");
    assert!(!hook.has("idempotency-key"), "it knows none");
}

#[tokio::test]
async fn ses_gets_a_request_signed_with_version_4() {
    let settings = json!({"region": "eu-central-1", "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "wJalr/K7MDENG+bPx", "configuration_set": "reports", "from": from()});
    let answer = status(200).json(&json!({"MessageId": "0102018e"}));
    let (hook, message) = sent("ses", settings, answer).await;
    assert_eq!(hook.line, "POST /v2/email/outbound-emails");
    assert!(
        aws::is_signed(&hook, "wJalr/K7MDENG+bPx", "ses"),
        "{hook:?}"
    );
    assert!(!aws::is_signed(&hook, "another", "ses"));
    assert!(
        hook.header("authorization")
            .contains("Credential=AKIDEXAMPLE/")
    );
    assert!(
        hook.header("authorization")
            .contains("/eu-central-1/ses/aws4_request")
    );
    let body = hook.json();
    assert_eq!(
        body["FromEmailAddress"],
        "\"Reports, Inc.\" <reports@example.org>"
    );
    assert_eq!(
        body["Destination"],
        json!({"ToAddresses": ["ada@example.org"]})
    );
    assert_eq!(body["ConfigurationSetName"], "reports");
    assert_eq!(
        body["EmailTags"],
        json!([{"Name": "delivery", "Value": message["id"]}])
    );
    let simple = &body["Content"]["Simple"];
    assert_eq!(
        simple["Subject"],
        json!({"Data": "Weekly numbers", "Charset": "UTF-8"})
    );
    let link = link_in(simple["Body"]["Text"]["Data"].as_str().expect("a text"));
    assert_eq!(
        simple["Headers"],
        json!([
        {"Name": "List-Unsubscribe", "Value": format!("<{link}>")},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"}])
    );
    assert_eq!(
        simple["Attachments"][1],
        json!({"FileName": "chart.png", "ContentType": "image/png",
        "ContentDisposition": "INLINE", "ContentId": "chart-1", "ContentTransferEncoding": "BASE64", "RawContent": PNG})
    );
    assert_eq!(simple["Attachments"][0]["ContentDisposition"], "ATTACHMENT");
    assert_eq!(message["provider_id"], "0102018e");
}

#[tokio::test]
async fn a_quota_of_ses_that_is_used_up_is_a_matter_of_time() {
    let tenant = Tenant::new().await;
    let limit = json!({"message": "LimitExceededException: daily quota"});
    let plans = [
        status(400).json(&limit),
        status(400).json(&json!({"message": "MessageRejected"})),
    ];
    let double = Receiver::with(plans).await;
    let settings = json!({"region": "us-east-1", "access_key_id": "A", "secret_access_key": "b",
        "from": from(), "base_url": double.base()});
    let posted = Channel::with(&tenant, "ses", settings)
        .await
        .post("ada@example.org")
        .await;
    assert_eq!(posted.tried(1).await["status"], "pending");
    posted.make_due().await;
    assert_eq!(posted.ends("failed").await["last_status"], 400);
}

#[tokio::test]
async fn cloudflare_gets_an_email_and_says_who_bounced() {
    let settings = || json!({"account_id": "0a1b2c", "api_token": "cf", "from": from()});
    let result = |bounced: Value| {
        json!({"success": true, "errors": [], "messages": [],
               "result": {"delivered": [], "queued": ["ada@example.org"], "permanent_bounces": bounced}})
    };
    let (hook, _) = sent(
        "cloudflare_email",
        settings(),
        status(200).json(&result(json!([]))),
    )
    .await;
    assert_eq!(hook.line, "POST /accounts/0a1b2c/email/sending/send");
    assert_eq!(hook.header("authorization"), "Bearer cf");
    let body = hook.json();
    assert_eq!(
        body["from"],
        json!({"address": "reports@example.org", "name": "Reports, Inc."})
    );
    assert_eq!(body["to"], json!(["ada@example.org"]));
    assert!(body["headers"]["List-Unsubscribe"].is_string());
    assert_eq!(
        body["attachments"][1],
        json!({"content": PNG, "filename": "chart.png", "type": "image/png",
        "disposition": "inline", "content_id": "chart-1"})
    );
    let tenant = Tenant::new().await;
    let double = Receiver::with([status(200).json(&result(json!(["ada@example.org"])))]).await;
    let mut settings = settings();
    settings["base_url"] = json!(double.base());
    let channel = Channel::with(&tenant, "cloudflare_email", settings).await;
    let failed = channel.post("ada@example.org").await.ends("failed").await;
    assert_eq!(
        (&failed["last_status"], &failed["bounce"]),
        (&json!(200), &json!("hard"))
    );
}

#[tokio::test]
async fn twilio_gets_a_form_and_an_address_to_report_to() {
    let settings = json!({"account_sid": "AC0123", "auth_token": "tok", "from": "+14155550123"});
    let (hook, message) = sent("twilio", settings, status(201).json(&json!({"sid": "SM1"}))).await;
    assert_eq!(hook.line, "POST /2010-04-01/Accounts/AC0123/Messages.json");
    let basic = STANDARD.encode("AC0123:tok");
    assert_eq!(hook.header("authorization"), format!("Basic {basic}"));
    assert_eq!(
        hook.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    let form = hook.form();
    assert_eq!(
        (form["To"].as_str(), form["From"].as_str()),
        ("+14155550100", "+14155550123")
    );
    assert!(
        form["Body"].starts_with("Weekly numbers\n42 guests."),
        "{form:?}"
    );
    let id = message["id"].as_str().expect("an id");
    assert!(
        form["StatusCallback"].ends_with(&format!("/events?delivery={id}")),
        "{form:?}"
    );
    assert_eq!(message["provider_id"], "SM1");
    let service =
        json!({"account_sid": "AC0123", "auth_token": "tok", "messaging_service_sid": "MG1"});
    let (hook, _) = sent("twilio", service, status(201).json(&json!({"sid": "SM2"}))).await;
    let form = hook.form();
    assert_eq!(form["MessagingServiceSid"], "MG1");
    assert!(!form.contains_key("From"));
}

#[tokio::test]
async fn wrong_credentials_fail_at_once_and_show_in_no_answer() {
    let tenant = Tenant::new().await;
    let all = [
        ("resend", json!({"api_key": "k-e-y", "from": from()})),
        ("sendgrid", json!({"api_key": "k-e-y", "from": from()})),
        (
            "cloudflare_email",
            json!({"account_id": "a", "api_token": "k-e-y", "from": from()}),
        ),
        (
            "ses",
            json!({"region": "us-east-1", "access_key_id": "A", "secret_access_key": "k-e-y", "from": from()}),
        ),
    ];
    for (kind, mut settings) in all {
        let double = Receiver::with([status(401).body("who?"), status(403)]).await;
        settings["base_url"] = json!(double.base());
        let channel = Channel::with(&tenant, kind, settings).await;
        for code in [401, 403] {
            let failed = channel.post("ada@example.org").await.ends("failed").await;
            assert_eq!(
                (&failed["last_status"], &failed["attempt_count"]),
                (&json!(code), &json!(1)),
                "{kind}"
            );
            assert!(!failed.to_string().contains("k-e-y"), "{failed}");
        }
        assert!(
            channel.show().await.at("/failing_since").is_string(),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_credential_goes_to_its_provider_and_not_where_that_points_to() {
    let tenant = Tenant::new().await;
    let elsewhere = Receiver::new().await;
    let double = Receiver::with([status(307).header("location", &elsewhere.url)]).await;
    let settings = json!({"api_key": "k", "from": from(), "base_url": double.base()});
    let channel = Channel::with(&tenant, "sendgrid", settings).await;
    channel.post("ada@example.org").await.ends("failed").await;
    assert_eq!(elsewhere.hooks().len(), 0);
}
