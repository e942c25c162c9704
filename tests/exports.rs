//! Exports of check-ins: the list as a file, whole, in memory that does not grow with it.
//!
//! Invariant: what is exported is what the list shows under the same filter.
//! Failure: each test names the answer that came instead.

use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::types::Type;
use uuid::Uuid;

async fn export(event: &Event, query: &str) -> Reply {
    let path = format!("/pulse/check-ins/export?table_id={}&{query}", event.table);
    event.client().get(&path).await
}

/// The lines of an NDJSON export.
async fn lines(event: &Event, query: &str) -> Vec<Value> {
    let reply = export(event, &format!("format=ndjson&{query}")).await;
    let text = reply.expect_status(200).text();
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    text.lines().map(read).collect()
}

/// The records of a CSV export by the names of its columns.
fn table(reply: &Reply) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(reply.body.as_slice());
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.unwrap_or_else(|error| panic!("{error} in {reply}"))
}

/// An event where one of everything happened, at two gates.
async fn busy() -> Event {
    let preparation = Event::with_guests(["Bob", "Cleo"])
        .guest(
            json!({"name": "=HYPERLINK(\"http://x\")", "email": "ada@x.test", "category": "vip",
                      "barcode": "+49-1"}),
        )
        .gate("North", ["vip", "standard"])
        .gate("South", []);
    let event = preparation.open().await;
    let (north, south) = (event.scanner("North"), event.scanner("South"));
    south
        .scan_with(json!({"barcode": "+49-1", "notes": "two\nlines, \"quoted\""}))
        .await
        .accepted();
    south
        .scan_with(json!({"barcode": "+49-1"}))
        .await
        .duplicate();
    north.scan("nobody").await.refused("unknown_code");
    north.scan("Bob").await.refused("wrong_gate");
    south.exit("=HYPERLINK(\"http://x\")").await;
    let bob = south.scan("Bob").await.accepted().check_in();
    south.annul(&bob).await.expect_status(200);
    event
}

#[tokio::test]
async fn an_export_holds_what_the_list_shows() {
    let event = busy().await;
    let exported = lines(&event, "").await;
    let mut listed = event.check_ins("").await;
    listed.reverse();
    assert_eq!(exported.len(), 5);
    assert_eq!(exported, listed);
    let verdicts: Vec<_> = exported.iter().map(|r| r["verdict"].as_str()).collect();
    assert_eq!(
        verdicts.iter().filter(|v| **v == Some("refused")).count(),
        2
    );
    assert_eq!(exported[0]["scan_count"], 2);
    assert!(exported[4]["annulled_at"].is_string());
}

#[tokio::test]
async fn a_filter_is_that_of_the_list() {
    let event = busy().await;
    let all = event.check_ins("").await;
    let middle = all[2]["check_in_time"].as_str().expect("a time").to_owned();
    let south = event.scanner("South").id().await;
    for filter in [
        "verdict=refused".to_owned(),
        "verdict=accepted&gate=South".to_owned(),
        "gate=North".to_owned(),
        format!("session_id={south}"),
        format!("from={middle}"),
        format!("to={middle}"),
        "from=2100-01-01T00:00:00Z".to_owned(),
    ] {
        let mut listed = event.check_ins(&filter).await;
        listed.reverse();
        assert_eq!(lines(&event, &filter).await, listed, "{filter}");
    }
    assert_eq!(lines(&event, "verdict=refused").await.len(), 2);
    let tenant_wide = event
        .client()
        .get("/pulse/check-ins/export?format=ndjson")
        .await;
    assert_eq!(tenant_wide.expect_status(200).text().lines().count(), 5);
    for wrong in ["format=xml", "verdict=maybe", "limit=5", "nonsense=1"] {
        export(&event, wrong).await.problem_of(400);
    }
    let reply = export(&event, "from=yesterday").await;
    reply.problem_of(422).points_at("/from");
}

#[tokio::test]
async fn a_csv_is_read_back_by_a_parser_and_runs_no_formula() {
    let event = busy().await;
    let reply = export(&event, "").await.expect_status(200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=\"check-ins.csv\"")
    );
    assert!(
        reply
            .text()
            .starts_with("\u{feff}id,seq,check_in_time,verdict,")
    );
    let (rows, records) = (table(&reply), lines(&event, "").await);
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(&records) {
        for column in [
            "id",
            "verdict",
            "reason",
            "gate",
            "check_in_time",
            "annulled_at",
            "notes",
        ] {
            assert_eq!(
                row[column],
                record[column].as_str().unwrap_or_default(),
                "{column}"
            );
        }
        for column in ["seq", "scan_count", "walk_in", "forced"] {
            assert_eq!(row[column], record[column].to_string(), "{column}");
        }
    }
    assert_eq!(rows[0]["guest_name"], "'=HYPERLINK(\"http://x\")");
    assert_eq!(rows[0]["barcode"], "'+49-1");
    assert_eq!(rows[0]["guest_email"], "ada@x.test");
    assert_eq!(rows[0]["notes"], "two\nlines, \"quoted\"");
    let cells = rows.iter().flat_map(HashMap::values);
    let running = cells.filter(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
    assert_eq!(running.count(), 0, "{reply}");
}

#[tokio::test]
async fn a_table_without_check_ins_is_a_header() {
    let event = Event::with_guests(["Ada"]).open().await;
    assert_eq!(lines(&event, "").await.len(), 0);
    let reply = export(&event, "").await.expect_status(200);
    assert_eq!((reply.text().lines().count(), table(&reply).len()), (1, 0));
}

/// An event with 50,000 records, all but one of them refusals.
async fn large() -> Event {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "with made as (
                 insert into pulse_check_ins (id, tenant_id, table_id, verdict, reason, barcode, gate)
                 select app.new_id(), $1::text::uuid, $2::text::uuid, 'refused', 'unknown_code',
                        'CODE-' || n, 'Gate ' || n % 7
                 from generate_series(1, 49999) n returning 1)
               select to_jsonb(count(*)) from made";
    let of = [
        (&event.tenant.id as _, Type::TEXT),
        (&event.table as _, Type::TEXT),
    ];
    assert_eq!(database.json(sql, &of).await, 49_999);
    event
}

/// How often Postgres was asked for a request.
async fn asked(request: &str) -> u64 {
    let counted = Control::here().proxy().await.by_request;
    counted.get(request).copied().unwrap_or_default()
}

/// A reader that stops stops the export too: nothing is read that nobody takes.
#[tokio::test]
async fn fifty_thousand_records_are_read_as_they_are_taken() {
    let event = large().await;
    let request = format!("export-{}", Uuid::new_v4());
    let path = format!(
        "/pulse/check-ins/export?table_id={}&format=ndjson",
        event.table
    );
    let call = event.client().get(&path).header("x-request-id", &request);
    let mut export = call.stream().await;
    assert_eq!(export.status, 200);
    let first = export.part().await.expect("a part").expect("bytes");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pages = asked(&request).await;
    assert!(pages < 30, "{pages} pages were read for one that was taken");
    let mut bytes = first.len();
    let mut lines = first.iter().filter(|byte| **byte == b'\n').count();
    while let Some(part) = export.part().await.expect("the rest") {
        bytes += part.len();
        lines += part.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(lines, 50_000, "{bytes} bytes");
    let pages = asked(&request).await;
    assert!((50..=52).contains(&pages), "{pages} pages of a thousand");
}

#[tokio::test]
async fn fifty_thousand_records_are_all_there() {
    let event = large().await;
    let records = lines(&event, "").await;
    let codes: std::collections::HashSet<_> = records.iter().map(|r| r["id"].to_string()).collect();
    assert_eq!((records.len(), codes.len()), (50_000, 50_000));
    let rows = table(&export(&event, "").await.expect_status(200));
    assert_eq!(rows.len(), 50_000);
    assert_eq!(rows[49_999]["barcode"], "CODE-49999");
    assert_eq!(lines(&event, "gate=Gate%203").await.len(), 7_143);
}

#[tokio::test]
async fn an_export_is_for_managers_of_the_tenant() {
    let event = busy().await;
    let path = format!("/pulse/check-ins/export?table_id={}", event.table);
    for role in ["agent", "read_only"] {
        let member = event.tenant.member(role).await;
        member
            .client
            .get(&path)
            .await
            .problem(403, "role_not_allowed");
    }
    let device = event.door().client().await;
    device.get(&path).await.problem(403, "role_not_allowed");
    Client::anonymous().get(&path).await.problem_of(401);
    let manager = event.tenant.member("manager").await;
    manager.client.get(&path).await.expect_status(200);
    let stranger = Tenant::new().await;
    let reply = stranger.client().get(&path).await.expect_status(200);
    assert_eq!(table(&reply).len(), 0, "{reply}");
}
