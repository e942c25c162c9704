//! What people do to an alert: look after it, end it, say what it was.
//!
//! Invariant: an act twice is an act; whoever may not act changes nothing.
//! Failure: the alert that came instead, or what was told.

use pulse_tests::database::Database;
use pulse_tests::monitored::tells;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::watched::{Watched, act, hook, hurry, mark, path_of, route, told};
use std::time::Duration;
use uuid::Uuid;

async fn watched(extra: Value) -> (Watched, Receiver) {
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    tells(&tenant, &receiver, 0).await;
    (Watched::of(&tenant, extra).await, receiver)
}

/// Behaviour 24, without the restart: that is done in the tests of faults.
#[tokio::test]
async fn an_alert_that_is_looked_after_is_told_to_nobody_again_until_it_is_over() {
    let tenant = Tenant::new().await;
    let (first, second) = (hook(&tenant).await, hook(&tenant).await);
    let step = json!({"after_seconds": 60, "receivers": [{"channel_id": second.1.id}]});
    route(&tenant, &first.1, json!({"escalation": [step]})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    let acked = act(watched.client(), &alert, "ack")
        .await
        .expect_status(200);
    assert_eq!(acked.at("/acknowledged/by"), json!(tenant.admin.id()));
    let before = first.0.received(1).await.len();
    // From here on it would be repeated and go further every few seconds.
    let sooner = json!({"repeat_interval_seconds": 2, "escalation":
        [{"after_seconds": 1, "receivers": [{"channel_id": second.1.id}]}]});
    hurry(&tenant, &sooner).await;
    watched.fails().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(first.0.hooks().len(), before, "{:#?}", first.0.hooks());
    assert_eq!(second.0.hooks().len(), 0, "{:#?}", second.0.hooks());
    watched.passes().await;
    told(&first.0, before + 1).await;
}

#[tokio::test]
async fn looking_after_an_alert_again_or_at_once_by_two_changes_nothing() {
    let (watched, receiver) = watched(json!({})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    let manager = watched.connection.tenant.member("manager").await.client;
    let (one, other) = tokio::join!(
        act(watched.client(), &alert, "ack"),
        act(&manager, &alert, "ack")
    );
    let (one, other) = (one.expect_status(200), other.expect_status(200));
    assert!(one.at("/acknowledged/at").is_string(), "{one}");
    assert_eq!(one.at("/acknowledged"), other.at("/acknowledged"));
    for client in [watched.client(), &manager] {
        let again = act(client, &alert, "ack").await.expect_status(200);
        assert_eq!(again.at("/acknowledged"), one.at("/acknowledged"));
    }
    told(&receiver, 1).await;
}

#[tokio::test]
async fn what_got_worse_is_told_and_looked_after_anew() {
    let (watched, receiver) = watched(json!({})).await;
    watched.warns().await;
    let alert = watched.alert().await;
    assert_eq!(alert["severity"], "warn", "{alert}");
    act(watched.client(), &path_of(&alert), "ack")
        .await
        .expect_status(200);
    watched.fails().await;
    let alert = watched.alert().await;
    assert_eq!(
        (&alert["severity"], &alert["acknowledged"]),
        (&json!("fail"), &Value::Null),
        "{alert}"
    );
    // It stays what it was at its worst.
    watched.warns().await;
    assert_eq!(watched.alert().await["severity"], "fail");
    told(&receiver, 2).await;
}

#[tokio::test]
async fn an_alert_that_is_ended_by_hand_is_over_once_and_the_next_breach_is_another() {
    let (watched, receiver) = watched(json!({})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    receiver.received(1).await;
    let ended = act(watched.client(), &alert, "resolve")
        .await
        .expect_status(200);
    let how = (ended.at("/state"), ended.at("/cause"));
    assert_eq!(how, (json!("resolved"), json!("by_hand")));
    let again = act(watched.client(), &alert, "resolve")
        .await
        .expect_status(200);
    assert_eq!(again.at("/resolved_at"), ended.at("/resolved_at"));
    let late = act(watched.client(), &alert, "ack").await;
    late.problem(409, "alert_not_firing");
    told(&receiver, 2).await;
    watched.fails().await;
    let alerts = watched.connection.alerts().await;
    let states: Vec<_> = alerts.iter().map(|alert| &alert["state"]).collect();
    assert_eq!(states, ["firing", "resolved"], "{alerts:?}");
    told(&receiver, 3).await;
}

#[tokio::test]
async fn an_alert_that_has_not_fired_can_only_be_looked_at() {
    let (watched, receiver) = watched(json!({"for": 3600})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    let client = watched.client();
    for what in ["ack", "resolve"] {
        act(client, &alert, what)
            .await
            .problem(409, "alert_not_firing");
    }
    let marked = mark(client, &alert, json!("false_alarm")).await;
    marked.problem(409, "alert_never_fired");
    assert_eq!(watched.alert().await["state"], "pending");
    told(&receiver, 0).await;
}

#[tokio::test]
async fn acts_are_for_those_who_may_and_for_nobody_of_another_tenant() {
    let (watched, _receiver) = watched(json!({})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    let tenant = &watched.connection.tenant;
    let stranger = Tenant::new().await;
    for what in ["ack", "resolve"] {
        let other = act(stranger.client(), &alert, what).await;
        other.problem_of(404);
    }
    mark(stranger.client(), &alert, json!("true_alarm"))
        .await
        .problem_of(404);
    stranger.client().get(&alert).await.problem_of(404);
    let listed = stranger.client().get("/api/alerts").await;
    assert_eq!(listed.list_at("/items"), [json!(null); 0]);
    for (role, client) in tenant.everyone().await {
        let reads = client.get(&alert).await.status;
        let acted = act(&client, &alert, "ack").await.status;
        let marked = mark(&client, &alert, json!("true_alarm")).await.status;
        let expected = match role {
            "admin" | "manager" | "agent" => (200, 200, 200),
            "read_only" => (200, 403, 403),
            _ => (403, 403, 403),
        };
        assert_eq!((reads, acted, marked), expected, "{role}");
    }
    Client::anonymous()
        .call("POST", &format!("{alert}/ack"))
        .await
        .problem_of(401);
    let nothing = format!("/api/alerts/{}", Uuid::now_v7());
    act(tenant.client(), &nothing, "ack").await.problem_of(404);
    let wrong = json!({"mark": "perhaps"});
    let wrong = tenant.client().post(&format!("{alert}/mark"), &wrong).await;
    wrong.problem_of(422).points_at("/mark");
    let unknown = json!({"mark": null, "why": "x"});
    let unknown = tenant.client().post(&format!("{alert}/mark"), &unknown);
    unknown.await.problem_of(422).points_at("/why");
}

#[tokio::test]
async fn what_people_say_of_an_alarm_is_on_its_results_and_can_be_taken_back() {
    let (watched, _receiver) = watched(json!({})).await;
    watched.passes().await;
    for _ in 0..2 {
        watched.fails().await;
    }
    watched.passes().await;
    let alert = watched.alert_path().await;
    for said in [json!("false_alarm"), json!("true_alarm"), Value::Null] {
        for _ in 0..2 {
            let marked = mark(watched.client(), &alert, said.clone()).await;
            let marked = marked.expect_status(200);
            assert_eq!(marked.at("/mark/mark"), said, "{marked}");
        }
        let results = watched.table.results(&watched.check).await;
        for result in results {
            let expected = match result["outcome"] == "fail" {
                true => &said,
                false => &Value::Null,
            };
            assert_eq!(&result["mark"], expected, "{result}");
        }
    }
}

#[tokio::test]
async fn people_and_runs_that_move_an_alert_at_once_all_get_through() {
    let (watched, receiver) = watched(json!({})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    let client = watched.client();
    receiver.received(1).await;
    let (acked, marked, ended, again, ran) = tokio::join!(
        act(client, &alert, "ack"),
        mark(client, &alert, json!("true_alarm")),
        act(client, &alert, "resolve"),
        act(client, &alert, "resolve"),
        watched.table.run_one(),
    );
    // Ended before it was looked after, there is nothing to look after.
    assert!([200, 409].contains(&acked.status), "{acked}");
    for reply in [marked, ended, again] {
        reply.expect_status(200);
    }
    assert_eq!(ran["outcome"], "fail", "{ran}");
    let shown = client.get(&alert).await.expect_status(200);
    assert_eq!(
        (shown.at("/state"), shown.at("/mark/mark")),
        (json!("resolved"), json!("true_alarm")),
        "{shown}"
    );
    let id = shown.text_at("/id");
    let sql = format!(
        "select to_jsonb(count(*)) from monitor_alert_changes
          where alert_id = '{id}' and what = 'resolved'"
    );
    assert_eq!(Database::admin().await.json(&sql, &[]).await, 1);
}
