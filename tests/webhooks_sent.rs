//! Webhooks on the wire: what arrives, how often, and what follows from the answer.
//!
//! Invariant: an event arrives under one id, signed as Standard Webhooks says, until it is taken.
//! Failure: the requests that came and the deliveries as they stand.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use pulse_tests::stack::within;
use pulse_tests::webhook::Webhook;
use std::collections::BTreeSet;
use std::time::Duration;

/// The data of all that came, by `seq`.
fn by_seq(hooks: &[pulse_tests::receiver::Hook]) -> Vec<Value> {
    let mut bodies: Vec<_> = hooks.iter().map(|hook| hook.json()).collect();
    bodies.sort_by_key(|body| body["data"]["seq"].as_u64());
    bodies
}

#[tokio::test]
async fn all_that_happens_at_a_door_arrives_once_as_on_the_live_channel() {
    let preparation = Event::with_guests(["Bob"]).guest(
        json!({"name": "Ada", "email": "ada@secret.test", "category": "vip", "barcode": "CODE-77"}),
    );
    let event = preparation.open().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    let mut socket = event.socket().await;
    socket.subscribe("scans").await;
    let door = event.door();
    door.scan_with(json!({"barcode": "CODE-77", "notes": "a private remark"}))
        .await
        .accepted();
    door.scan("Ada").await.duplicate();
    door.scan("no such code").await.refused("unknown_code");
    door.exit("Ada").await.accepted();
    let bob = door.scan("Bob").await.accepted().check_in();
    door.annul(&bob).await.expect_status(200);
    let seen = socket.events_of("scans", 6).await;
    let hooks = receiver.received(6).await;
    hook.settled("delivered", 6).await;
    assert_eq!(receiver.hooks().len(), 6, "each once");
    for (body, seen) in by_seq(&hooks).iter().zip(&seen) {
        let mut expected = seen["data"].clone();
        expected["table_id"] = json!(event.table);
        assert_eq!(body["data"], expected);
        assert_eq!(body["type"], seen["type"]);
        assert_eq!(body["timestamp"], expected["at"]);
        assert_eq!(body.as_object().map(|body| body.len()), Some(3), "{body}");
    }
    let kinds: Vec<_> = by_seq(&hooks)
        .iter()
        .map(|body| body["type"].clone())
        .collect();
    let expected = [
        "accepted",
        "duplicate",
        "refused",
        "exited",
        "accepted",
        "annulled",
    ];
    assert_eq!(kinds, expected.map(|kind| json!(format!("checkin.{kind}"))));
    let ids: BTreeSet<_> = hooks.iter().map(|hook| hook.id().to_owned()).collect();
    assert_eq!(ids.len(), 6);
    for hook_seen in &hooks {
        assert!(hook_seen.signed_with(&hook.secret), "{hook_seen:?}");
        assert!(!hook_seen.id().contains('.'));
        assert_eq!(hook_seen.line, "POST /hook");
        assert_eq!(hook_seen.header("content-type"), "application/json");
        for private in ["CODE-77", "secret.test", "no such code", "private remark"] {
            assert!(!hook_seen.body.contains(private), "{hook_seen:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_gets_the_events_and_the_table_it_asked_for() {
    let event = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve"]).of(&event.tenant).open().await;
    let (some, one, all) = (
        Receiver::new().await,
        Receiver::new().await,
        Receiver::new().await,
    );
    let only = json!({"events": ["checkin.refused", "checkin.duplicate"]});
    Webhook::with(&event.tenant, &some, only).await;
    Webhook::with(&event.tenant, &one, json!({"table_id": other.table})).await;
    Webhook::with(&event.tenant, &all, json!({})).await;
    event.door().scan("Ada").await.accepted();
    event.door().scan("Ada").await.duplicate();
    event.door().scan("nobody").await.refused("unknown_code");
    other.door().scan("Eve").await.accepted();
    all.received(4).await;
    let kinds: BTreeSet<_> = some.received(2).await.iter().map(|h| h.kind()).collect();
    assert_eq!(
        kinds,
        ["checkin.duplicate", "checkin.refused"]
            .map(str::to_owned)
            .into()
    );
    let came = one.received(1).await;
    assert_eq!(came[0].json()["data"]["table_id"], other.table);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(
        (some.hooks().len(), one.hooks().len(), all.hooks().len()),
        (2, 1, 4)
    );
}

#[tokio::test]
async fn what_is_not_taken_comes_again_under_the_same_id_until_it_is() {
    let event = Event::with_guests(["Ada"]).open().await;
    let long = "€".repeat(2_000);
    let receiver = Receiver::with([
        status(500).body(&long),
        status(302).header("location", "http://127.0.0.1:9/elsewhere"),
        status(404).body("not yet"),
        status(204),
    ])
    .await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    // The first retry comes by itself within five seconds, the later ones are brought forward.
    receiver.received(2).await;
    let shown = hook.tried(2).await;
    assert_eq!(shown["status"], "pending");
    assert!(shown["next_attempt_at"].is_string());
    assert!(hook.show().await.at("/failing_since").is_string());
    hook.make_due().await;
    hook.tried(3).await;
    hook.make_due().await;
    let shown = hook.tried(4).await;
    assert_eq!(
        (&shown["status"], &shown["attempt_count"]),
        (&json!("delivered"), &json!(4))
    );
    let statuses: Vec<_> = shown["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| attempt["status"].clone())
        .collect();
    assert_eq!(statuses, [500, 302, 404, 204]);
    let kept = shown["attempts"][0]["answer"].as_str().expect("an answer");
    assert!(
        kept.starts_with("€€€") && kept.len() <= 1_026,
        "{}",
        kept.len()
    );
    assert_eq!(shown["attempts"][2]["answer"], "not yet");
    assert_eq!(shown["attempts"][3]["answer"], Value::Null);
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), 4);
    assert!(hooks.iter().all(|again| again.id() == hooks[0].id()));
    assert!(hooks.iter().all(|again| again.body == hooks[0].body));
    assert!(hooks.iter().all(|again| again.signed_with(&hook.secret)));
    assert_eq!(hook.show().await.at("/failing_since"), Value::Null);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_left_alone() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let receiver = Receiver::with([status(429).header("retry-after", "600"), status(200)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    let shown = hook.tried(1).await;
    let next = time(shown["next_attempt_at"].as_str().expect("a time"));
    let wait = (next - time(shown["attempts"][0]["at"].as_str().expect("a time"))).num_seconds();
    assert!((599..=605).contains(&wait), "{wait} s");
    event.door().scan("Bob").await.accepted();
    event.recorded().await;
    Control::here().cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.hooks().len(), 1, "nothing else comes meanwhile");
    hook.age_endpoint("paused_until = now()").await;
    hook.make_due().await;
    hook.settled("delivered", 2).await;
    assert_eq!(receiver.hooks().len(), 3);
}

#[tokio::test]
async fn messages_that_come_many_times_at_once_send_each_event_once() {
    let event = Event::with_guests((0..12).map(|n| format!("G{n}")))
        .open()
        .await;
    let receiver = Receiver::with([status(200).after_ms(300)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    let control = Control::here();
    let job = json!({"kind": "deliveries", "tenant": event.tenant.id});
    let scans = async {
        for n in 0..12 {
            event.door().scan(&format!("G{n}")).await.accepted();
        }
    };
    let jobs = async {
        for _ in 0..12 {
            let again = [job.clone(), job.clone()];
            tokio::join!(control.queue("JOBS", &again), control.queue("JOBS", &again));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::join!(scans, jobs);
    hook.settled("delivered", 12).await;
    let ids: BTreeSet<_> = receiver.hooks().iter().map(|h| h.id().to_owned()).collect();
    assert_eq!((ids.len(), receiver.hooks().len()), (12, 12));
    assert!(
        hook.deliveries("")
            .await
            .iter()
            .all(|d| d["attempt_count"] == 1)
    );
}

#[tokio::test]
async fn a_silent_endpoint_holds_up_nobody_and_is_given_up_after_ten_seconds() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let (silent, quick) = (
        Receiver::with([status(200).after_ms(14_000)]).await,
        Receiver::new().await,
    );
    let dead = Webhook::of(&event, &silent).await;
    Webhook::of(&event, &quick).await;
    event.door().scan("Ada").await.accepted();
    silent.received(1).await;
    for (guest, count) in [("Bob", 2), ("Cleo", 3)] {
        event.door().scan(guest).await.accepted();
        quick.received(count).await;
    }
    let first = eventually_tried(&dead).await;
    assert_eq!(first["error"], "peer_timeout");
    assert_eq!(
        (&first["status"], &first["answer"]),
        (&Value::Null, &Value::Null)
    );
    let took = first["duration_ms"].as_i64().expect("a time");
    assert!((9_900..13_000).contains(&took), "{took} ms");
    // All came while the silent one was still waited for.
    let waited = quick.hooks()[2].at - silent.hooks()[0].at;
    assert!(
        waited + Duration::from_millis(500) < Duration::from_millis(took.unsigned_abs()),
        "{waited:?} behind a silent one"
    );
    assert_eq!(quick.hooks().len(), 3);
}

/// The first attempt of the oldest delivery, once it is noted.
async fn eventually_tried(hook: &Webhook) -> Value {
    within(Duration::from_secs(30), "an attempt is noted", || async {
        let oldest = hook.deliveries("").await.pop()?;
        let path = format!("/api/deliveries/{}", oldest["id"].as_str()?);
        let shown = hook.client().get(&path).await.expect_status(200);
        shown.list_at("/attempts").into_iter().next()
    })
    .await
}

#[tokio::test]
async fn a_sender_that_lost_its_lease_settles_nothing() {
    let event = Event::with_guests(["Ada"]).open().await;
    let receiver = Receiver::with([status(500).after_ms(6_000), status(200)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    receiver.received(1).await;
    assert_eq!(
        hook.age("fence = fence + 1, lease_until = now() + interval '1 hour'")
            .await,
        1
    );
    tokio::time::sleep(Duration::from_secs(8)).await;
    let held = &hook.deliveries("").await[0];
    assert_eq!(
        (&held["status"], &held["attempt_count"]),
        (&json!("pending"), &json!(0))
    );
    assert_eq!(
        hook.age("lease_until = now() - interval '1 second'").await,
        1
    );
    Control::here().cron("* * * * *").await;
    let shown = hook.tried(1).await;
    assert_eq!(
        (&shown["status"], &shown["attempt_count"]),
        (&json!("delivered"), &json!(1))
    );
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), 2);
    assert_eq!(hooks[0].id(), hooks[1].id());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_says_so() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let receiver = Receiver::with([status(410), status(200)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    let failed = hook.settled("failed", 1).await;
    assert_eq!(
        (&failed[0]["last_status"], &failed[0]["attempt_count"]),
        (&json!(410), &json!(1))
    );
    let shown = hook.show().await;
    assert_eq!(
        (shown.at("/enabled"), shown.at("/disabled_reason")),
        (json!(false), json!("gone"))
    );
    assert!(shown.at("/disabled_at").is_string());
    event.door().scan("Bob").await.accepted();
    event.recorded().await;
    assert_eq!(hook.deliveries("").await.len(), 1, "nothing is made for it");
    let id = failed[0]["id"].as_str().expect("an id");
    let again = hook
        .client()
        .call("POST", &format!("/api/deliveries/{id}/retry"));
    again.await.problem(409, "webhook_disabled");
    hook.order("test").await.problem(409, "webhook_disabled");
    let enabled = hook
        .change(json!({"enabled": true}))
        .await
        .expect_status(200);
    assert_eq!(enabled.at("/disabled_reason"), Value::Null);
    hook.order("test").await.expect_status(201);
    hook.settled("delivered", 1).await;
}

#[tokio::test]
async fn an_endpoint_that_failed_for_five_days_is_disabled_and_says_so() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let receiver = Receiver::with([status(503)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    hook.tried(1).await;
    hook.age_endpoint("failing_since = now() - interval '119 hours'")
        .await;
    hook.make_due().await;
    hook.tried(2).await;
    assert_eq!(hook.show().await.at("/enabled"), true);
    hook.age_endpoint("failing_since = now() - interval '121 hours'")
        .await;
    event.door().scan("Bob").await.accepted();
    event.recorded().await;
    hook.make_due().await;
    let failed = hook.settled("failed", 2).await;
    assert!(
        failed
            .iter()
            .all(|delivery| delivery["last_error"] == "endpoint_disabled"
                || delivery["last_status"] == 503)
    );
    let shown = hook.show().await;
    assert_eq!(
        (shown.at("/enabled"), shown.at("/disabled_reason")),
        (json!(false), json!("failing"))
    );
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::with(&tenant, &receiver, json!({})).await;
    let rotated = hook.order("rotate-secret").await.expect_status(200);
    let new = rotated.text_at("/secret");
    assert_ne!(new, hook.secret);
    let until = time(&rotated.text_at("/previous_secret_until"));
    let hours = (until - seconds_from_now(0)).num_minutes() / 60;
    assert!((23..=24).contains(&hours), "{until}");
    hook.order("test").await.expect_status(201);
    let ping = receiver.received(1).await.remove(0);
    assert_eq!(ping.header("webhook-signature").split(' ').count(), 2);
    assert!(ping.signed_with(&hook.secret) && ping.signed_with(&new));
    hook.age_endpoint("previous_until = now()").await;
    assert_eq!(hook.show().await.at("/previous_secret_until"), Value::Null);
    hook.order("test").await.expect_status(201);
    let ping = receiver.received(2).await.remove(1);
    assert_eq!(ping.header("webhook-signature").split(' ').count(), 1);
    assert!(ping.signed_with(&new) && !ping.signed_with(&hook.secret));
}

#[tokio::test]
async fn a_disabled_endpoint_gets_nothing_and_what_waited_for_it_ends() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let receiver = Receiver::with([status(500)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    hook.tried(1).await;
    let off = hook
        .change(json!({"enabled": false}))
        .await
        .expect_status(200);
    assert!(off.at("/disabled_at").is_string());
    assert_eq!(off.at("/disabled_reason"), Value::Null);
    let ended = hook.settled("failed", 1).await;
    assert_eq!(ended[0]["last_error"], "endpoint_disabled");
    let came = receiver.hooks().len();
    event.door().scan("Bob").await.accepted();
    event.recorded().await;
    Control::here().cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.hooks().len(), came);
    assert_eq!(hook.deliveries("").await.len(), 1);
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_by_hand() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::with([status(500)]).await;
    let hook = Webhook::with(&tenant, &receiver, json!({})).await;
    let made = hook.order("test").await.expect_status(201);
    assert_eq!(
        (made.at("/status"), made.at("/event")),
        (json!("pending"), json!("ping"))
    );
    hook.tried(1).await;
    // The first retry comes by itself, before or after this.
    let failed = within(Duration::from_secs(30), "it is given up", || async {
        hook.age("step = 8, due_at = now()").await;
        Control::here().cron("* * * * *").await;
        hook.deliveries("status=failed").await.pop()
    })
    .await;
    let tries = receiver.hooks().len();
    assert!(tries >= 2, "{failed}");
    assert_eq!(
        (&failed["attempt_count"], &failed["next_attempt_at"]),
        (&json!(tries), &Value::Null)
    );
    receiver.answer([status(200)]);
    let path = format!("/api/deliveries/{}/retry", made.text_at("/id"));
    let again = hook.client().call("POST", &path).await.expect_status(200);
    assert_eq!(again.at("/status"), "pending");
    let shown = hook.tried(tries + 1).await;
    assert_eq!(shown["status"], "delivered");
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), tries + 1);
    assert!(hooks.iter().all(|ping| ping.id() == hooks[0].id()));
    let data = hooks[0].json()["data"].clone();
    assert_eq!(data, json!({"webhook_id": hook.id}));
}
