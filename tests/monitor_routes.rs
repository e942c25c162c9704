//! Who is told of what, when, again, and by which channel.
//!
//! Invariant: a receiver is told once of each change, however many routes lead to it.
//! Failure: what the receivers got.

use chrono::{DateTime, TimeDelta, Utc};
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::messages::Channel;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use pulse_tests::stack::within;
use pulse_tests::watched::{Watched, act, hook, hurry, route, told};
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};

async fn mode(tenant: &Tenant, mode: &str) {
    let body = json!({ "mode": mode });
    let set = tenant.client().call("PUT", "/api/routes").json(&body).await;
    set.expect_status(200);
}

/// When it was decided that a channel is told something, in order: how long a queue takes is not part
/// of it.
async fn decided(tenant: &Tenant, channel: &Channel) -> Vec<DateTime<Utc>> {
    let sql = "select coalesce(jsonb_agg(at order by at), '[]') from monitor_notifications
                where tenant_id = $1::text::uuid and channel_id = $2::text::uuid";
    let which: [(&(dyn ToSql + Sync), Type); 2] =
        [(&tenant.id, Type::TEXT), (&channel.id, Type::TEXT)];
    let found = Database::admin().await.json(sql, &which).await;
    let found = found.as_array().expect("times").iter();
    found.map(|at| time(at.as_str().expect("a time"))).collect()
}

#[tokio::test]
async fn the_first_route_that_matches_decides_unless_all_do() {
    let tenant = Tenant::new().await;
    let (none, first, second) = (
        hook(&tenant).await,
        hook(&tenant).await,
        hook(&tenant).await,
    );
    let lag = json!({"name": "Lag", "matchers": {"kinds": ["lag", "connection_down"]}});
    route(&tenant, &none.1, lag).await;
    let payments = json!({"name": "Payments", "matchers": {"labels": {"team": ["payments"]},
        "severities": ["fail"]}});
    route(&tenant, &first.1, payments).await;
    route(&tenant, &second.1, json!({"name": "Rest"})).await;
    let labels = json!({"labels": {"team": "payments"}});
    let watched = Watched::with(&tenant, json!({}), labels, json!({})).await;
    // A warning is no failure: it goes on to the rest.
    watched.warns().await;
    told(&second.0, 1).await;
    watched.passes().await;
    told(&second.0, 2).await;
    watched.fails().await;
    told(&first.0, 1).await;
    assert_eq!(second.0.hooks().len(), 2, "{:#?}", second.0.hooks());
    watched.passes().await;
    told(&first.0, 2).await;
    mode(&tenant, "all").await;
    watched.fails().await;
    told(&first.0, 3).await;
    told(&second.0, 3).await;
    assert_eq!(none.0.hooks().len(), 0);
}

#[tokio::test]
async fn routes_are_tried_in_their_order_and_those_that_are_off_are_not() {
    let tenant = Tenant::new().await;
    let (late, early) = (hook(&tenant).await, hook(&tenant).await);
    route(&tenant, &late.1, json!({"name": "Late", "position": 20})).await;
    let first = route(&tenant, &early.1, json!({"name": "Early", "position": 10})).await;
    let listed = tenant.client().get("/api/routes").await.expect_status(200);
    let names: Vec<_> = listed
        .list_at("/items")
        .iter()
        .map(|route| route["name"].clone())
        .collect();
    assert_eq!(names, ["Early", "Late"], "{listed}");
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    told(&early.0, 1).await;
    watched.passes().await;
    told(&early.0, 2).await;
    let path = format!("/api/routes/{first}");
    let off = json!({"enabled": false});
    tenant.client().patch(&path, &off).await.expect_status(200);
    watched.fails().await;
    told(&late.0, 1).await;
    assert_eq!(early.0.hooks().len(), 2);
}

#[tokio::test]
async fn two_routes_to_one_receiver_tell_it_once() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    mode(&tenant, "all").await;
    for name in ["One", "Other"] {
        route(&tenant, &channel, json!({ "name": name })).await;
    }
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    told(&receiver, 1).await;
    watched.passes().await;
    told(&receiver, 2).await;
}

#[tokio::test]
async fn what_is_over_before_the_group_was_told_is_never_told() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    route(&tenant, &channel, json!({"group_wait_seconds": 10})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    watched.passes().await;
    assert_eq!(watched.alert().await["state"], "resolved");
    tokio::time::sleep(Duration::from_secs(12)).await;
    told(&receiver, 0).await;
}

/// A route is heard of by the minute tick; a run that began before knows nothing of it, and must not
/// put the look off that was asked for meanwhile.
#[tokio::test]
async fn a_route_that_is_made_while_a_run_is_under_way_is_heard_of_by_the_next_tick() {
    let tenant = Tenant::new().await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    let (customer, role) = (&watched.customer, &watched.reader.role);
    customer.slow("sleepy", "orders", 1.5).await;
    customer
        .make(&format!("grant select on sleepy to {role}"))
        .await;
    let slow = json!({"name": "Slow", "kind": "metric", "fail": {"kind": "absolute", "min": 0},
        "settings": {"sql": "select count(*) from sleepy where slept <> 'x'"}});
    let slow = watched.table.check(slow).await;
    watched.table.first(&slow).await;
    let (receiver, channel) = hook(&tenant).await;
    let meanwhile = async {
        within(Duration::from_secs(30), "a run under way", || async {
            let seen = customer.seen(role).await;
            (seen.longest_statement > Duration::from_millis(100)).then_some(())
        })
        .await;
        route(&tenant, &channel, json!({})).await;
    };
    tokio::join!(watched.table.run(), meanwhile);
    // A minute goes by.
    let sql = format!(
        "update monitor_connections set due_at = due_at - interval '1 minute' where id = '{}'",
        watched.connection.id
    );
    Database::admin().await.run(&sql).await;
    Control::here().cron("* * * * *").await;
    told(&receiver, 1).await;
}

/// Behaviour 18: what goes on failing is repeated, and goes further while nobody looks after it.
#[tokio::test]
async fn what_nobody_looks_after_is_repeated_and_goes_further() {
    let tenant = Tenant::new().await;
    let (first, second) = (hook(&tenant).await, hook(&tenant).await);
    let step = json!({"after_seconds": 60, "receivers": [{"channel_id": second.1.id}]});
    route(&tenant, &first.1, json!({"escalation": [step]})).await;
    let sooner = json!({"repeat_interval_seconds": 4, "escalation":
        [{"after_seconds": 6, "receivers": [{"channel_id": second.1.id}]}]});
    hurry(&tenant, &sooner).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    // Nobody runs anything from here on.
    within(Duration::from_secs(30), "a repeat and a step", || async {
        let told = (first.0.hooks().len(), second.0.hooks().len());
        (told.0 >= 3 && told.1 >= 1).then_some(())
    })
    .await;
    let (first_told, second_told) = (
        decided(&tenant, &first.1).await,
        decided(&tenant, &second.1).await,
    );
    let apart = first_told[1] - first_told[0];
    assert!(apart > TimeDelta::seconds(3), "{apart}");
    let after = second_told[0] - first_told[0];
    assert!(after > TimeDelta::seconds(5), "{after}");
    let alert = watched.alert_path().await;
    act(watched.client(), &alert, "ack")
        .await
        .expect_status(200);
    // What was on its way when it was acknowledged still arrives.
    let path = "/api/messages?source_kind=monitor&limit=200";
    within(Duration::from_secs(30), "all of it is sent", || async {
        let found = tenant.client().get(path).await.expect_status(200);
        let sent = |message: &Value| message["status"] == "sent";
        found.list_at("/items").iter().all(sent).then_some(())
    })
    .await;
    let before = (first.0.hooks().len(), second.0.hooks().len());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((first.0.hooks().len(), second.0.hooks().len()), before);
    watched.passes().await;
    told(&first.0, before.0 + 1).await;
    told(&second.0, before.1 + 1).await;
}

#[tokio::test]
async fn whoever_was_told_of_the_beginning_is_told_of_the_end_though_the_route_is_gone() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    let route = route(&tenant, &channel, json!({})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    told(&receiver, 1).await;
    let path = format!("/api/routes/{route}");
    tenant.client().delete(&path).await.expect_status(204);
    watched.passes().await;
    told(&receiver, 2).await;
    watched.fails().await;
    told(&receiver, 2).await;
}

#[tokio::test]
async fn every_kind_of_channel_is_told_that_it_begins_and_that_it_is_over() {
    let tenant = Tenant::new().await;
    let double =
        Receiver::with([status(202).json(&json!({"requestId": "r1", "status": "success"}))]).await;
    let base = double.base();
    let mut receivers = vec![json!({"address": "oncall@example.org"})];
    let mut kinds = Vec::new();
    for (kind, settings) in [
        ("webhook", json!({"url": format!("{base}/webhook")})),
        ("slack", json!({"url": format!("{base}/slack")})),
        ("teams", json!({"url": format!("{base}/teams")})),
        ("pagerduty", json!({"routing_key": "R0", "base_url": base})),
        ("opsgenie", json!({"api_key": "k", "base_url": base})),
    ] {
        let channel = Channel::with(&tenant, kind, settings).await;
        receivers.push(json!({"channel_id": channel.id}));
        kinds.push(kind);
    }
    let body = json!({"name": "All", "receivers": receivers, "group_wait_seconds": 0,
        "group_interval_seconds": 0});
    let made = tenant.client().post("/api/routes", &body).await;
    made.expect_status(201);
    let watched = Watched::of(
        &tenant,
        json!({"runbook_url": "https://example.org/orders"}),
    )
    .await;
    watched.fails().await;
    let began = told(&double, 5).await;
    watched.passes().await;
    let all = told(&double, 10).await;
    let of = |line: &str| -> Vec<Value> {
        let hooks = all.iter().filter(|hook| hook.line.contains(line));
        hooks.map(|hook| hook.json()).collect()
    };
    assert_eq!(began.len(), kinds.len());
    for line in ["/webhook", "/slack", "/teams"] {
        let told = of(line);
        assert_eq!(told.len(), 2, "{line}: {told:?}");
        for text in told {
            assert!(text.to_string().contains("orders"), "{line}: {text}");
        }
        assert!(
            of(line)[0]
                .to_string()
                .contains("https://example.org/orders")
        );
    }
    let pages = of("/v2/enqueue");
    let actions: Vec<_> = pages.iter().map(|page| &page["event_action"]).collect();
    assert_eq!(actions, ["trigger", "resolve"], "{pages:?}");
    assert_eq!(pages[0]["dedup_key"], pages[1]["dedup_key"]);
    let alias = of("/v2/alerts")[0]["alias"].clone();
    let closes = all.iter().filter(|hook| hook.line.contains("/close"));
    let closes: Vec<_> = closes.map(|hook| hook.line.clone()).collect();
    assert_eq!(closes.len(), 1, "{all:#?}");
    assert!(
        closes[0].contains(alias.as_str().expect("an alias")),
        "{closes:?}"
    );
    let mails = within(Duration::from_secs(30), "two mails", || async {
        let kept = tenant
            .client()
            .get("/api/outbox?recipient=oncall@example.org")
            .await;
        let kept = kept.expect_status(200).list_at("/items");
        (kept.len() >= 2).then_some(kept)
    })
    .await;
    assert_eq!(mails.len(), 2, "{mails:?}");
}

#[tokio::test]
async fn a_route_that_cannot_be_meant_is_refused_and_one_is_changed_by_those_who_may() {
    let tenant = Tenant::new().await;
    let (_receiver, channel) = hook(&tenant).await;
    let other = Tenant::new().await;
    let (_theirs, stranger) = hook(&other).await;
    let to = |id: &str| json!([{ "channel_id": id }]);
    for (body, pointer) in [
        (json!({"name": "x", "receivers": []}), "/receivers"),
        (
            json!({"name": "x", "receivers": to(&stranger.id)}),
            "/receivers/0/channel_id",
        ),
        (
            json!({"name": "x", "receivers": to(&channel.id), "group_wait_seconds": 4_000}),
            "/group_wait_seconds",
        ),
        (
            json!({"name": "x", "receivers": to(&channel.id), "repeat_interval_seconds": 1}),
            "/repeat_interval_seconds",
        ),
        (
            json!({"name": "x", "receivers": to(&channel.id),
                "escalation": [{"after_seconds": 10, "receivers": to(&channel.id)}]}),
            "/escalation/0/after_seconds",
        ),
        (
            json!({"name": "x", "receivers": to(&channel.id), "position": 100_001}),
            "/position",
        ),
    ] {
        let refused = tenant.client().post("/api/routes", &body).await;
        refused.problem_of(422).points_at(pointer);
    }
    let path = format!("/api/routes/{}", route(&tenant, &channel, json!({})).await);
    let shown = tenant.client().get(&path).await.expect_status(200);
    let etag = shown.header("etag").expect("an ETag").to_owned();
    let far = json!({"position": u32::MAX});
    let refused = tenant.client().patch(&path, &far).await;
    refused.problem_of(422).points_at("/position");
    let renamed = json!({"name": "Night watch"});
    let agent = tenant.member("agent").await.client;
    agent.patch(&path, &renamed).await.problem_of(403);
    other.client().patch(&path, &renamed).await.problem_of(404);
    let changed = tenant.client().patch(&path, &renamed);
    let changed = changed.header("if-match", &etag).await.expect_status(200);
    assert_eq!(changed.at("/name"), "Night watch");
    let stale = tenant.client().patch(&path, &json!({"name": "Stale"}));
    stale.header("if-match", &etag).await.problem_of(412);
}
