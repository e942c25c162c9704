//! What belongs together: alerts of a table, of several tables, of a connection that is down.
//!
//! Invariant: what follows from something else is not told.
//! Failure: the incidents as they are, or what was told.

use chrono::TimeDelta;
use pulse_tests::database::Database;
use pulse_tests::monitored::Connection;
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Door};
use pulse_tests::watched::{Watched, hook, hurry, route, told};
use std::time::Duration;
use tokio_postgres::types::Type;

/// The incidents of a connection, newest first.
async fn incidents(connection: &Connection, filter: &str) -> Vec<Value> {
    let path = format!("/api/incidents?connection_id={}{filter}", connection.id);
    let found = connection.tenant.client().get(&path).await;
    found.expect_status(200).list_at("/items")
}

/// Makes an alert as old as this, past the API.
async fn age(connection: &Connection, kind: &str, by: TimeDelta) {
    let sql = "with aged as (
                 update monitor_alerts set since = since - $2::text::interval, data = data ||
                   jsonb_build_object('since', app.utc(since - $2::text::interval))
                  where connection_id = $1::text::uuid and kind = $3 returning 1)
               select to_jsonb(count(*)) from aged";
    let (id, by) = (&connection.id, format!("{} seconds", by.num_seconds()));
    let database = Database::admin().await;
    let aged = database
        .json(
            sql,
            &[(id, Type::TEXT), (&by, Type::TEXT), (&kind, Type::TEXT)],
        )
        .await;
    assert_eq!(aged, 1, "{kind}");
}

#[tokio::test]
async fn alerts_of_a_table_are_one_incident_from_its_beginning_to_its_end() {
    let tenant = Tenant::new().await;
    let watched = Watched::of(&tenant, json!({})).await;
    let other = json!({"name": "Other", "kind": "metric", "fail": {"kind": "absolute", "max": 100},
        "settings": {"sql": "select count(*) from orders"}});
    watched.table.check(other).await;
    watched.set("orders", 110).await;
    for result in watched.table.run().await {
        assert_eq!(result["outcome"], "fail", "{result}");
    }
    let open = incidents(&watched.connection, "&open=true").await;
    assert_eq!(open.len(), 1, "{open:?}");
    let incident = &open[0];
    assert_eq!(
        incident["scope"],
        json!({"of": "table", "table": watched.table.id})
    );
    let counts = (&incident["alert_count"], &incident["firing"]);
    assert_eq!(counts, (&json!(2), &json!(2)), "{incident}");
    let id = incident["id"].as_str().expect("an id");
    let path = format!("/api/incidents/{id}");
    let of = format!("/api/alerts?incident_id={id}");
    let alerts = tenant.client().get(&of).await.list_at("/items");
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    watched.set("orders", 90).await;
    watched.table.run().await;
    let closed = tenant.client().get(&path).await.expect_status(200);
    assert!(closed.at("/closed_at").is_string(), "{closed}");
    assert_eq!(closed.at("/firing"), 0, "{closed}");
    assert_eq!(incidents(&watched.connection, "&open=true").await.len(), 0);
    // What breaks after that is another one.
    watched.set("orders", 110).await;
    watched.table.run().await;
    let all = incidents(&watched.connection, "").await;
    assert_eq!((all.len(), all[1]["id"].as_str()), (2, Some(id)), "{all:?}");
    let first = incidents(&watched.connection, "&open=false").await;
    assert_eq!(first.len(), 1, "{first:?}");
    let reader = tenant.member("read_only").await.client;
    reader.get(&path).await.expect_status(200);
    let stranger = Tenant::new().await;
    stranger.client().get(&path).await.problem_of(404);
    let theirs = stranger.client().get("/api/incidents").await;
    assert_eq!(theirs.list_at("/items"), [json!(null); 0]);
}

#[tokio::test]
async fn tables_that_break_together_are_one_incident_and_connections_never_share_one() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    route(&tenant, &channel, json!({"group_wait_seconds": 8})).await;
    let (watched, far) = (
        Watched::of(&tenant, json!({})).await,
        Watched::of(&tenant, json!({})).await,
    );
    let (second, _) = watched.another("second").await;
    let (third, _) = watched.another("third").await;
    for name in ["second", "third"] {
        watched.set(name, 110).await;
    }
    watched.fails().await;
    for table in [&second, &third] {
        assert_eq!(table.run_one().await["outcome"], "fail");
    }
    far.fails().await;
    let open = incidents(&watched.connection, "&open=true").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["scope"], json!({"of": "tables"}), "{open:?}");
    assert_eq!(open[0]["firing"], 3, "{open:?}");
    assert_eq!(incidents(&far.connection, "&open=true").await.len(), 1);
    let hooks = told(&receiver, 2).await;
    let named = |name: &str| hooks.iter().filter(|hook| hook.body.contains(name)).count();
    assert_eq!((named("second"), named("third")), (1, 1), "{hooks:#?}");
}

/// Behaviour 22. A connection must be away for a minute before that counts: the minute is taken from
/// the alert, not waited for.
#[tokio::test]
async fn while_a_connection_is_down_nothing_is_told_of_its_tables() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    let down = json!({"name": "Down", "matchers": {"kinds": ["connection_down"]}});
    route(&tenant, &channel, down).await;
    let (tables, slow) = hook(&tenant).await;
    route(&tenant, &slow, json!({"group_wait_seconds": 60})).await;
    let door = Door::to(Cluster::shared().await.standby.port()).await;
    let through = json!({"port": door.port()});
    let watched = Watched::with(&tenant, through, json!({}), json!({})).await;
    let (second, _) = watched.another("second").await;
    watched.set("second", 110).await;
    watched.fails().await;
    assert_eq!(second.run_one().await["outcome"], "fail");
    door.cut().await;
    let away = watched.table.run_one().await;
    assert_eq!(
        (&away["outcome"], &away["reason"]),
        (&json!("skipped"), &json!("unreachable")),
        "{away}"
    );
    let pending = watched.connection.alerts_of("connection_down").await;
    assert_eq!(pending[0]["state"], "pending", "{pending:?}");
    age(
        &watched.connection,
        "connection_down",
        TimeDelta::minutes(1),
    )
    .await;
    for table in [&watched.table, &second] {
        assert_eq!(table.run_one().await["outcome"], "skipped");
    }
    told(&receiver, 1).await;
    let by = &watched.connection.alerts_of("connection_down").await[0];
    assert_eq!(by["state"], "firing", "{by}");
    let muted = json!({"by": "alert", "id": by["id"]});
    let checks = watched.connection.alerts_of("check").await;
    assert_eq!(checks.len(), 2, "{checks:?}");
    for alert in checks {
        assert_eq!(alert["muted_by"], muted, "{alert}");
    }
    hurry(&tenant, &json!({"group_wait_seconds": 0})).await;
    assert_eq!(watched.table.run_one().await["outcome"], "skipped");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(tables.hooks().len(), 0, "{:#?}", tables.hooks());
    door.heal().await;
    watched.passes().await;
    let over = &watched.connection.alerts_of("connection_down").await[0];
    assert_eq!(over["state"], "resolved", "{over}");
    told(&receiver, 2).await;
    // What broke before and still is broken is told when a run has confirmed it: what was skipped runs
    // as soon as the replica is back. The other is well.
    let late = told(&tables, 1).await;
    assert!(late[0].body.contains("second"), "{late:#?}");
}

#[tokio::test]
async fn incidents_are_listed_page_by_page_newest_first() {
    let tenant = Tenant::new().await;
    let watched = Watched::of(&tenant, json!({})).await;
    for _ in 0..5 {
        watched.fails().await;
        watched.passes().await;
    }
    for list in ["/api/incidents", "/api/alerts"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{list}?limit=2{cursor}");
            let page = tenant.client().get(&path).await.expect_status(200);
            seen.extend(page.list_at("/items"));
            match page.at("/next_cursor").as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let ids: Vec<_> = seen.iter().map(|one| one["id"].as_str()).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!((ids.len(), &ids), (5, &sorted), "{list}");
    }
    let wrong = tenant.client().get("/api/alerts?state=odd").await;
    wrong.problem_of(400);
}
