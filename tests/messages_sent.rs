//! Messages from the transaction that posts them to the recipient: once each, whoever asks how often.
//!
//! Invariant: a recipient has one delivery of a message for each channel, under one key.
//! Failure: the deliveries as they stand, and what the receiver got.

use pulse_tests::control::Control;
use pulse_tests::messages::{Channel, Posted, post, system};
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, dropped, status};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// A Slack channel, whose receiver knows no keys.
async fn slack(tenant: &Tenant, receiver: &Receiver) -> Channel {
    Channel::with(tenant, "slack", json!({"url": receiver.url})).await
}

/// A webhook, whose receiver does.
async fn webhook(tenant: &Tenant, receiver: &Receiver) -> Channel {
    Channel::with(tenant, "webhook", json!({"url": receiver.url})).await
}

#[tokio::test]
async fn without_any_setting_up_mail_is_in_the_outbox_to_be_read() {
    let tenant = Tenant::new().await;
    let files = json!([
        {"name": "numbers.csv", "content_type": "text/csv", "content": "YSxiCjEsMgo=", "content_id": null},
        {"name": "chart.png", "content_type": "image/png", "content": "iVBORw==", "content_id": "chart"},
    ]);
    let recipients = json!([{"address": "Ada@Example.org"}, {"address": "bob@example.org"}]);
    let extra = json!({"attachments": files, "recipients": recipients});
    let posted = Posted::with(&tenant, extra).await;
    assert_eq!(posted.answer["made"], 2);
    let sent = posted.settled("sent", 2).await;
    assert!(
        sent.iter()
            .all(|m| m["channel_kind"] == "outbox" && m["attempt_count"] == 1)
    );
    let kept = tenant.client().get("/api/outbox").await.list_at("/items");
    let ids: BTreeSet<_> = kept.iter().map(|m| m["id"].as_str()).collect();
    assert_eq!(ids, sent.iter().map(|m| m["id"].as_str()).collect());
    let to_ada = tenant
        .client()
        .get("/api/outbox?recipient=ada@example.org")
        .await;
    let to_ada = to_ada.list_at("/items").remove(0);
    assert_eq!(to_ada["recipient"], "Ada@Example.org");
    let path = format!("/api/outbox/{}", to_ada["id"].as_str().expect("an id"));
    let shown = tenant.client().get(&path).await.expect_status(200);
    let link = shown.text_at("/unsubscribe_url");
    assert!(link.contains("/api/unsubscribe/"), "{shown}");
    let html = format!("<p>42 guests. <a href=\"{link}\">Unsubscribe</a></p>");
    assert_eq!(shown.at("/html"), html.as_str());
    assert_eq!(
        shown.at("/text"),
        format!("42 guests.\n\nUnsubscribe: {link}\n").as_str()
    );
    assert_eq!(shown.at("/attachments"), files);
    let other = Tenant::new().await;
    other.client().get(&path).await.problem_of(404);
}

#[tokio::test]
async fn the_same_source_posted_again_reaches_only_who_is_new() {
    let tenant = Tenant::new().await;
    let posted = Posted::to(
        &tenant,
        &["ada@example.org", "ADA@example.org", "bob@example.org"],
    )
    .await;
    assert_eq!(
        posted.answer["made"], 2,
        "an address counts once however it is written"
    );
    posted.settled("sent", 2).await;
    let more = json!([{"address": "ada@example.org"}, {"address": "eve@example.org"}]);
    let again =
        posted.again(json!({"id": Uuid::new_v4(), "subject": "Another", "recipients": more}));
    let again = again.await;
    assert_eq!(
        (&again["made"], &again["message_id"]),
        (&json!(1), &posted.answer["message_id"])
    );
    let sent = posted.settled("sent", 3).await;
    assert!(
        sent.iter().all(|m| m["subject"] == "Weekly numbers"),
        "the first content stands"
    );
}

#[tokio::test]
async fn a_recipient_that_is_none_fails_alone() {
    let tenant = Tenant::new().await;
    let recipients = json!([
        {"address": "ada@example.org"}, {"address": "no address"}, {"address": null},
        {"address": "a@b\r\nBcc: x@y.z"}, {"channel_id": Uuid::new_v4(), "address": "bob@example.org"},
    ]);
    let posted = Posted::with(&tenant, json!({"recipients": recipients})).await;
    assert_eq!(
        (&posted.answer["made"], &posted.answer["failed"]),
        (&json!(5), &json!(4))
    );
    posted.settled("sent", 1).await;
    let failed = posted.settled("failed", 4).await;
    let codes: Vec<_> = failed
        .iter()
        .filter_map(|m| m["last_error"].as_str())
        .collect();
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == "address_invalid")
            .count(),
        3
    );
    assert_eq!(
        codes.iter().filter(|code| **code == "channel_gone").count(),
        1
    );
}

#[tokio::test]
async fn what_is_too_much_is_refused_to_whoever_posts_it() {
    let tenant = Tenant::new().await;
    let base = json!({"source_kind": "report_job", "source_id": Uuid::new_v4(), "subject": "Big",
                      "text": "x", "recipients": [{"address": "ada@example.org"}]});
    let attempt = |key: &str, value: Value| {
        let mut body = base.clone();
        body[key] = value;
        let id = tenant.id.clone();
        async move { post(&id, &body).await.map_err(|error| error.to_string()) }
    };
    let many: Vec<_> = (0..1_001)
        .map(|n| json!({"address": format!("g{n}@example.org")}))
        .collect();
    assert!(attempt("recipients", json!(many)).await.is_err());
    let large = "x".repeat(5 * 1024 * 1024);
    assert!(
        attempt("text", json!(large)).await.is_err(),
        "with the rest it is over 5 MiB"
    );
    assert!(attempt("subject", json!("a\r\nBcc: x@y.z")).await.is_err());
    attempt("text", json!("y".repeat(5 * 1024 * 1024 - 10)))
        .await
        .expect("just fits");
}

#[tokio::test]
async fn messages_are_found_by_source_channel_status_and_recipient() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(400).body("no")]).await;
    let slack = slack(&tenant, &receiver).await;
    let recipients = json!([{"address": "ada@example.org"}, {"address": "bob@example.org"},
                            {"channel_id": slack.id}]);
    let posted = Posted::with(&tenant, json!({"recipients": recipients})).await;
    posted.settled("sent", 2).await;
    posted.settled("failed", 1).await;
    let count = async |filter: &str| {
        let path = format!("/api/messages?{filter}");
        let found = tenant.client().get(&path).await.expect_status(200);
        found.list_at("/items").len()
    };
    let source = &posted.source_id;
    for (filter, expected) in [
        (format!("source_kind=report_job&source_id={source}"), 3),
        (format!("source_kind=other&source_id={source}"), 0),
        ("status=failed".to_owned(), 1),
        (format!("channel_id={}", slack.id), 1),
        ("recipient=ADA@example.org".to_owned(), 1),
        ("recipient=eve@example.org".to_owned(), 0),
    ] {
        assert_eq!(count(&filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn messages_are_listed_page_by_page() {
    let tenant = Tenant::new().await;
    let addresses: Vec<_> = (0..7).map(|n| format!("g{n}@example.org")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    Posted::to(&tenant, &addresses)
        .await
        .settled("sent", 7)
        .await;
    for list in ["/api/messages", "/api/outbox"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = tenant
                .client()
                .get(&format!("{list}?limit=3{cursor}"))
                .await;
            let page = page.expect_status(200);
            seen.extend(page.list_at("/items"));
            match page.at("/next_cursor").as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let ids: BTreeSet<_> = seen.iter().filter_map(|m| m["id"].as_str()).collect();
        assert_eq!((seen.len(), ids.len()), (7, 7), "{list}");
    }
    let bad = tenant.client().get("/api/messages?status=lost").await;
    bad.problem_of(400);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again_and_one_for_now_is() {
    let tenant = Tenant::new().await;
    for code in [400, 404, 410, 422] {
        let receiver = Receiver::with([status(code).body("no")]).await;
        let channel = webhook(&tenant, &receiver).await;
        let failed = channel.tell(json!({})).await.ends("failed").await;
        assert_eq!(
            (&failed["last_status"], &failed["attempt_count"]),
            (&json!(code), &json!(1))
        );
        assert_eq!(failed["attempts"][0]["answer"], "no");
        let shown = channel.show().await;
        assert_eq!(shown.at("/enabled"), code != 410);
    }
    for code in [408, 425, 429, 500, 503] {
        let receiver = Receiver::with([status(code), status(200)]).await;
        let posted = webhook(&tenant, &receiver).await.tell(json!({})).await;
        let tried = posted.tried(1).await;
        assert_eq!(
            (&tried["status"], &tried["last_status"]),
            (&json!("pending"), &json!(code))
        );
        let at = time(tried["attempts"][0]["at"].as_str().expect("a time"));
        let next = time(tried["next_attempt_at"].as_str().expect("a time"));
        assert!((0..=61).contains(&(next - at).num_seconds()), "{tried}");
        posted.make_due().await;
        posted.ends("sent").await;
        let hooks = receiver.hooks();
        assert_eq!((hooks.len(), hooks[0].id()), (2, hooks[1].id()));
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_left_alone() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(429).header("retry-after", "600"), status(200)]).await;
    let channel = slack(&tenant, &receiver).await;
    let first = channel.tell(json!({})).await;
    let tried = first.tried(1).await;
    let at = time(tried["attempts"][0]["at"].as_str().expect("a time"));
    let next = time(tried["next_attempt_at"].as_str().expect("a time"));
    assert!((599..=605).contains(&(next - at).num_seconds()), "{tried}");
    assert!(channel.show().await.at("/paused_until").is_string());
    let second = channel.tell(json!({})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (
            receiver.hooks().len(),
            second.deliveries("status=pending").await.len()
        ),
        (1, 1)
    );
    channel
        .change(json!({"settings": {"url": receiver.url}}))
        .await;
    second.announce().await;
    second.ends("sent").await;
}

#[tokio::test]
async fn what_may_have_arrived_is_unknown_where_no_key_tells_and_is_sent_again_by_hand_only() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([dropped(), status(200)]).await;
    let channel = slack(&tenant, &receiver).await;
    let posted = channel.tell(json!({})).await;
    let unknown = posted.ends("unknown").await;
    assert_eq!(unknown["last_error"], "peer_unavailable");
    assert!(unknown["settled_at"].is_string() && unknown["next_attempt_at"].is_null());
    for _ in 0..2 {
        posted.announce().await;
        Control::here().cron("* * * * *").await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.hooks().len(), 1, "nobody sends it again by itself");
    let path = format!(
        "/api/messages/{}/retry",
        unknown["id"].as_str().expect("an id")
    );
    let agent = tenant.member("agent").await.client;
    agent
        .call("POST", &path)
        .await
        .problem(403, "role_not_allowed");
    tenant.client().call("POST", &path).await.expect_status(200);
    let sent = posted.ends("sent").await;
    assert_eq!(
        (&sent["attempt_count"], receiver.hooks().len()),
        (&json!(2), 2)
    );
    tenant
        .client()
        .call("POST", &path)
        .await
        .problem(409, "already_sent");
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_under_the_same_key_where_one_tells() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([dropped(), status(200)]).await;
    let posted = webhook(&tenant, &receiver).await.tell(json!({})).await;
    let tried = posted.tried(1).await;
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("pending"), &json!("peer_unavailable"))
    );
    posted.make_due().await;
    posted.ends("sent").await;
    let hooks = receiver.hooks();
    assert_eq!((hooks.len(), hooks[0].id()), (2, hooks[1].id()));
    assert_eq!(hooks[0].body, hooks[1].body);
}

#[tokio::test]
async fn a_silent_receiver_is_given_up_in_time_and_its_message_is_unknown() {
    let tenant = Tenant::new().await;
    let (silent, quick) = (
        Receiver::with([status(200).after_ms(20_000)]).await,
        Receiver::new().await,
    );
    let posted = slack(&tenant, &silent).await.tell(json!({})).await;
    silent.received(1).await;
    slack(&tenant, &quick)
        .await
        .tell(json!({}))
        .await
        .ends("sent")
        .await;
    let unknown = posted.ends("unknown").await;
    assert_eq!(unknown["last_error"], "peer_timeout");
    let took = unknown["attempts"][0]["duration_ms"]
        .as_i64()
        .expect("a time");
    assert!((14_000..18_000).contains(&took), "{took} ms");
    assert_eq!(silent.hooks().len(), 1);
}

#[tokio::test]
async fn jobs_that_come_many_times_at_once_send_each_message_once() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(200).after_ms(300)]).await;
    let channel = slack(&tenant, &receiver).await;
    let mut all = Vec::new();
    for _ in 0..10 {
        let body = json!({"recipients": [{"channel_id": channel.id}]});
        all.push(Posted::quietly(&tenant, body).await);
    }
    let job = json!({"kind": "deliveries", "tenant": tenant.id});
    let control = Control::here();
    for _ in 0..10 {
        let again = [job.clone(), job.clone()];
        tokio::join!(control.queue("JOBS", &again), control.queue("JOBS", &again));
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    for posted in &all {
        assert_eq!(posted.ends("sent").await["attempt_count"], 1);
    }
    assert_eq!(receiver.hooks().len(), 10);
}

#[tokio::test]
async fn a_channel_that_failed_for_five_days_is_disabled_and_says_so() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(503)]).await;
    let channel = slack(&tenant, &receiver).await;
    let posted = channel.tell(json!({})).await;
    posted.tried(1).await;
    assert!(channel.show().await.at("/failing_since").is_string());
    let which = json!({"id": channel.id});
    let aged = "update channels set failing_since = now() - interval '121 hours'
                 where id = ($1->>'id')::uuid returning '{}'::jsonb";
    system(&tenant.id, aged, &which)
        .await
        .expect("an aged channel");
    posted.make_due().await;
    posted.ends("failed").await;
    let shown = channel.show().await;
    assert_eq!(
        (shown.at("/enabled"), shown.at("/disabled_reason")),
        (json!(false), json!("failing"))
    );
}

#[tokio::test]
async fn a_sender_that_lost_its_lease_settles_nothing() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(500).after_ms(6_000), status(200)]).await;
    let posted = webhook(&tenant, &receiver).await.tell(json!({})).await;
    receiver.received(1).await;
    assert_eq!(
        posted.deliveries("status=sending").await.len(),
        1,
        "before the answer"
    );
    let taken = "fence = fence + 1, lease_until = now() + interval '1 hour'";
    assert_eq!(posted.age(taken).await, 1);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(posted.deliveries("status=sending").await.len(), 1);
    assert_eq!(
        posted
            .age("lease_until = now() - interval '1 second'")
            .await,
        1
    );
    posted.announce().await;
    let sent = posted.ends("sent").await;
    let errors: Vec<_> = sent["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|a| &a["error"])
        .collect();
    assert_eq!(errors, [&json!("interrupted"), &Value::Null]);
    let hooks = receiver.hooks();
    assert_eq!((hooks.len(), hooks[0].id()), (2, hooks[1].id()));
}

#[tokio::test]
async fn a_key_that_the_provider_has_forgotten_is_not_relied_on() {
    let tenant = Tenant::new().await;
    let double = Receiver::with([dropped(), status(200)]).await;
    let settings =
        json!({"api_key": "re_x", "from": {"email": "a@example.org"}, "base_url": double.base()});
    let channel = Channel::with(&tenant, "resend", settings).await;
    let posted = channel.post("ada@example.org").await;
    posted.tried(1).await;
    assert_eq!(
        posted
            .age("unclear_since = now() - interval '23 hours 1 minute', due_at = now()")
            .await,
        1
    );
    posted.announce().await;
    posted.ends("unknown").await;
    assert_eq!(double.hooks().len(), 1);
}
