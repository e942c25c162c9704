//! Queries over the sources of reports: what is answered, and how exactly.
//!
//! Invariant: what was checked is what runs; an answer is of its own tenant, in the zone asked for.
//! Failure: the query and the answer that came instead.

use pulse_tests::client::Call;
use pulse_tests::prelude::*;
use pulse_tests::watched::{Watched, act};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The corpus that the guard's own tests judge.
#[derive(Deserialize)]
struct Corpus {
    sources: BTreeMap<String, Vec<String>>,
    accepted: Vec<String>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    sql: String,
    code: String,
}

fn corpus() -> Corpus {
    serde_json::from_str(include_str!("../rules/tests/fixtures/sql_guard.json")).expect("a corpus")
}

fn query(client: &Client, sql: &str) -> Call {
    client.post("/api/sources/query", &json!({"sql": sql}))
}

/// The one value that a query finds.
async fn value(client: &Client, sql: &str) -> Value {
    let reply = query(client, sql).await.expect_status(200);
    let rows = reply.list_at("/rows");
    assert_eq!(rows.len(), 1, "{reply}");
    rows[0][0].clone()
}

#[tokio::test]
async fn sources_are_described_with_every_column() {
    let tenant = Tenant::new().await;
    let all = tenant.client().get("/api/sources").await.expect_status(200);
    let all = all.list_at("/items");
    let corpus = corpus();
    for source in &all {
        assert!(
            source["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{source}"
        );
        for column in source["columns"].as_array().expect("columns") {
            let about = column["description"].as_str().unwrap_or_default();
            assert!(
                !about.is_empty() && column["name"] != "tenant_id",
                "{source}"
            );
            let kind = column["kind"].as_str().unwrap_or_default();
            assert!(
                ["text", "number", "time", "bool"].contains(&kind),
                "{column}"
            );
        }
    }
    for (name, columns) in corpus.sources {
        let source = all.iter().find(|source| source["name"] == name);
        let source = source.unwrap_or_else(|| panic!("no source {name}"));
        let found = source["columns"].as_array().expect("columns").iter();
        let found: Vec<_> = found
            .map(|column| column["name"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(found, columns, "{name}");
        let one = tenant.client().get(&format!("/api/sources/{name}")).await;
        assert_eq!(one.expect_status(200).json(), *source);
    }
    for later in [
        "report_configs",
        "report_jobs",
        "message_deliveries",
        "monitor_alerts",
        "monitor_results",
        "monitor_impact",
    ] {
        assert!(
            all.iter().any(|source| source["name"] == later),
            "no source {later}"
        );
    }
    tenant
        .client()
        .get("/api/sources/users")
        .await
        .problem_of(404);
}

#[tokio::test]
async fn every_honest_question_is_answered_by_postgres() {
    let event = Event::with_guests(["Ada:vip", "Bob", "Cy"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    for sql in corpus().accepted {
        let reply = query(event.client(), &sql).await;
        assert_eq!(reply.status, 200, "{sql}\n{reply}");
        let width = reply.list_at("/columns").len();
        for row in reply.list_at("/rows") {
            assert_eq!(row.as_array().map(Vec::len), Some(width), "{sql}\n{reply}");
        }
    }
}

#[tokio::test]
async fn every_attack_is_refused_with_its_reason() {
    let tenant = Tenant::new().await;
    let corpus = corpus();
    assert!(corpus.refused.len() >= 150);
    for Refused { sql, code } in corpus.refused {
        let reply = query(tenant.client(), &sql).await;
        let reply = reply.problem(422, "invalid").points_at("/sql");
        assert_eq!(reply.at("/errors/0/code"), code, "{sql}\n{reply}");
    }
}

#[tokio::test]
async fn an_answer_knows_what_the_monitor_found() {
    let tenant = Tenant::new().await;
    let watched = Watched::of(&tenant, json!({"keep_firing": 0})).await;
    watched.fails().await;
    let alert = watched.alert_path().await;
    act(tenant.client(), &alert, "ack").await.expect_status(200);
    watched.passes().await;
    watched.stands("resolved").await;
    let sql =
        "select connection, table_name, check_name, kind, state, severity, acknowledged, mark,
                 seconds >= 0 from monitor_alerts";
    let found = query(tenant.client(), sql).await.expect_status(200);
    let alert = json!([
        "Replica",
        "public.orders",
        "Rows",
        "check",
        "resolved",
        "fail",
        true,
        null,
        true
    ]);
    assert_eq!(found.list_at("/rows"), [alert], "{found}");
    let sql = "select outcome, value from monitor_results where origin = 'manual' order by at";
    let found = query(tenant.client(), sql).await.expect_status(200);
    let runs = [json!(["fail", 110]), json!(["pass", 90])];
    assert_eq!(found.list_at("/rows"), runs, "{found}");
    let spent = value(
        tenant.client(),
        "select sum(statements) > 0 from monitor_impact",
    );
    assert_eq!(spent.await, true);
    let other = Tenant::new().await;
    let none = value(other.client(), "select count(*) from monitor_alerts");
    assert_eq!(none.await, 0);
}

#[tokio::test]
async fn an_answer_counts_what_happened_at_the_door() {
    let event = Event::with_guests(["Ada:vip", "Bob:vip", "Cy", "Di"])
        .open()
        .await;
    for name in ["Ada", "Bob", "Cy"] {
        event.door().scan(name).await.accepted();
    }
    event.door().scan("nobody").await;
    event.recorded().await;
    let client = event.client();
    let sql =
        "select category, count(*) as n from check_ins group by category order by 1 nulls last";
    let reply = query(client, sql).await.expect_status(200);
    assert_eq!(reply.at("/rows"), json!([["vip", 2], [null, 1]]), "{reply}");
    assert_eq!(
        reply.at("/columns"),
        json!([{"name": "category", "kind": "text"}, {"name": "n", "kind": "number"}])
    );
    assert_eq!(
        (reply.at("/name"), reply.at("/truncated")),
        (json!("query"), json!(false))
    );
    assert_eq!(value(client, "select count(*) from guests").await, 4);
    let refused = "select count(*) from scans where verdict = 'refused'";
    assert_eq!(value(client, refused).await, 1);
    let absent = "select g.name from guests g left join check_ins c on c.guest_id = g.id \
                  where c.id is null";
    assert_eq!(value(client, absent).await, "Di");
    let table = "select checked_in from guest_tables where guests = 4";
    assert_eq!(value(client, table).await, 3);
}

#[tokio::test]
async fn a_query_sees_its_own_tenant_only() {
    let mine = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve", "Eva"]).open().await;
    other.door().scan("Eve").await.accepted();
    other.recorded().await;
    for (source, count) in [
        ("guests", 1),
        ("guest_tables", 1),
        ("scans", 0),
        ("check_ins", 0),
    ] {
        let sql = format!("select count(*) from {source}");
        assert_eq!(value(mine.client(), &sql).await, count, "{source}");
    }
    let theirs = format!(
        "select count(*) from guests where table_id = '{}'",
        other.table
    );
    assert_eq!(value(mine.client(), &theirs).await, 0);
    assert_eq!(
        value(other.client(), "select count(*) from guests").await,
        2
    );
}

#[tokio::test]
async fn values_arrive_exactly() {
    let tenant = Tenant::new().await;
    let sql = "select 9007199254740993 as big, 0.1 + 0.2 as sum, 1.50 as scaled, 1 / 3.0 as third,
                 12345678901234567890.123456789 as long, -5 as minus, cast(0.1 as double precision) as float,
                 true as yes, null as nothing, date '2026-02-29' - 1 as day";
    let wrong = query(tenant.client(), sql).await;
    assert_eq!(wrong.problem_of(422).at("/errors/0/code"), "query_failed");
    let sql = sql.replace("date '2026-02-29' - 1", "date '2026-03-01' - 1");
    let reply = query(tenant.client(), &sql).await.expect_status(200);
    assert_eq!(
        reply.at("/rows/0"),
        json!([
            "9007199254740993",
            0.3,
            1.5,
            "0.33333333333333333333",
            "12345678901234567890.123456789",
            -5,
            0.1,
            true,
            null,
            "2026-02-28"
        ]),
        "{reply}"
    );
    let kinds: Vec<_> = reply
        .list_at("/columns")
        .iter()
        .map(|c| c["kind"].clone())
        .collect();
    let expected = [
        "number", "number", "number", "number", "number", "number", "number", "bool", "text",
        "time",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn days_begin_in_the_zone_asked_for_and_now_is_when_it_was_asked() {
    let tenant = Tenant::new().await;
    let sql = "select date_trunc('day', timestamptz '2026-06-01T23:30:00Z') as day, now() as now, \
               current_date as today";
    let at = tenant.key("manager").await.0;
    let at = at.at(time("2026-06-01T22:15:00Z"));
    for (zone, day, now, today) in [
        (
            None,
            "2026-06-01T00:00:00+00:00",
            "2026-06-01T22:15:00+00:00",
            "2026-06-01",
        ),
        (
            Some("Europe/Berlin"),
            "2026-06-02T00:00:00+02:00",
            "2026-06-02T00:15:00+02:00",
            "2026-06-02",
        ),
        (
            Some("America/New_York"),
            "2026-06-01T00:00:00-04:00",
            "2026-06-01T18:15:00-04:00",
            "2026-06-01",
        ),
    ] {
        let body = json!({"sql": sql, "timezone": zone, "name": "days"});
        let reply = at
            .post("/api/sources/query", &body)
            .await
            .expect_status(200);
        assert_eq!(reply.at("/rows/0"), json!([day, now, today]), "{reply}");
        assert_eq!(reply.at("/name"), "days");
    }
    let body = json!({"sql": sql, "timezone": "Mars/Phobos"});
    let reply = at.post("/api/sources/query", &body).await;
    reply.problem_of(422).points_at("/timezone");
}

#[tokio::test]
async fn an_answer_says_what_was_run_and_that_it_was_cut() {
    let tenant = Tenant::new().await;
    let body =
        json!({"sql": "SELECT n /* all */ FROM generate_series(1, 50) AS n -- end", "limit": 20});
    let reply = tenant.client().post("/api/sources/query", &body).await;
    let reply = reply.expect_status(200);
    assert_eq!(reply.list_at("/rows").len(), 20);
    assert_eq!(reply.at("/truncated"), true);
    assert_eq!(
        reply.at("/sql"),
        "select n from (select generate_series(1, 50) as n limit 10000) as n"
    );
    let wide = "select n, n as b, n as c, n as d, n as e from generate_series(1, 10000) as n \
                order by n";
    let body = json!({"sql": wide, "limit": 10000});
    let reply = tenant.client().post("/api/sources/query", &body).await;
    assert_eq!(reply.list_at("/rows").len(), 10_000, "50,000 values");
    let wider = wide.replace("select n,", "select n, n as a,");
    let body = json!({"sql": wider, "limit": 10000});
    let reply = tenant.client().post("/api/sources/query", &body).await;
    assert_eq!(
        (reply.list_at("/rows").len(), reply.at("/truncated")),
        (8_333, json!(true))
    );
    let long =
        "select string_agg(lpad('x', 200, 'x'), '') over () as t from generate_series(1, 500)";
    let reply = query(tenant.client(), long).await.expect_status(200);
    assert!(reply.list_at("/rows").len() < 30, "two megabytes are cut");
    assert_eq!(reply.at("/truncated"), true);
}

#[tokio::test]
async fn what_fails_is_told_in_the_words_of_postgres() {
    let tenant = Tenant::new().await;
    for (sql, code, told) in [
        ("select 1 / 0 as a", "query_failed", "division by zero"),
        (
            "select cast('x' as integer) as a",
            "query_failed",
            "invalid input syntax",
        ),
        (
            "select category, name from guests group by category",
            "query_failed",
            "GROUP BY",
        ),
        ("select 1 as a, 2 as a", "duplicate_column", "same name"),
        (
            "select upper(people) from guests",
            "query_failed",
            "does not exist",
        ),
        (
            "select name from guests where name > 5",
            "query_failed",
            "operator does not exist",
        ),
    ] {
        let reply = query(tenant.client(), sql).await;
        let reply = reply.problem(422, code).points_at("/sql");
        assert_eq!(reply.at("/errors/0/code"), code, "{reply}");
        assert!(reply.text_at("/errors/0/message").contains(told), "{reply}");
    }
    let columns: Vec<_> = (0..51).map(|n| format!("{n} as c{n}")).collect();
    let reply = query(tenant.client(), &format!("select {}", columns.join(", "))).await;
    assert_eq!(
        reply.problem_of(422).at("/errors/0/code"),
        "too_many_columns"
    );
}

#[tokio::test]
async fn a_costly_query_is_refused_before_it_runs() {
    let tenant = Tenant::new().await;
    let sql = "select count(*) as n from generate_series(1, 10000) a cross join generate_series(1, 10000) b \
               where a.a * 1.5 > b.b";
    let began = Instant::now();
    let reply = query(tenant.client(), sql).await;
    assert_eq!(
        reply.problem_of(422).at("/errors/0/code"),
        "query_too_costly"
    );
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

/// The planner takes a subquery's bound for a thousand rows; the clock does not.
#[tokio::test]
async fn a_slow_query_is_stopped_in_the_middle() {
    let tenant = Tenant::new().await;
    let sql = "select count(*) as n from generate_series(1, (select 10000)) a \
               cross join generate_series(1, (select 10000)) b where a.a * 1.5 > b.b * 1.1 + a.a";
    let began = Instant::now();
    let reply = query(tenant.client(), sql)
        .timeout(Duration::from_secs(60))
        .await;
    let took = began.elapsed();
    let reply = reply.problem_of(422).points_at("/sql");
    assert_eq!(reply.at("/errors/0/code"), "query_too_slow", "{reply}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(value(tenant.client(), "select 1 as one").await, 1);
}

#[tokio::test]
async fn sources_are_for_staff_and_queries_for_managers() {
    let event = Event::with_guests(["Ada"]).open().await;
    let sql = json!({"sql": "select count(*) from guests"});
    for role in ["agent", "read_only"] {
        let client = event.tenant.member(role).await.client;
        client.get("/api/sources").await.expect_status(200);
        client.get("/api/sources/guests").await.expect_status(200);
        let reply = client.post("/api/sources/query", &sql).await;
        reply.problem(403, "role_not_allowed");
    }
    let manager = event.tenant.member("manager").await.client;
    assert_eq!(value(&manager, "select count(*) from guests").await, 1);
    let device = event.door().client().await;
    device.get("/api/sources").await.problem_of(403);
    device
        .post("/api/sources/query", &sql)
        .await
        .problem_of(403);
}

#[tokio::test]
async fn every_wrong_field_of_a_query_is_named() {
    let tenant = Tenant::new().await;
    let body = json!({"sql": "select 1", "limit": 0, "timezone": "Nowhere", "name": "No!"});
    let reply = tenant.client().post("/api/sources/query", &body).await;
    let reply = reply.problem(422, "invalid");
    reply
        .points_at("/limit")
        .points_at("/timezone")
        .points_at("/name");
    let body = json!({"sql": "select 1", "tenant": "x"});
    let reply = tenant.client().post("/api/sources/query", &body).await;
    reply.problem_of(422).points_at("/tenant");
    let reply = tenant
        .client()
        .post("/api/sources/query", &json!({"sql": "x".repeat(20_000)}))
        .await;
    assert_eq!(reply.problem_of(422).at("/errors/0/code"), "sql_too_long");
}
