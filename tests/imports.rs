//! Import and export: CSV and JSON as they come, all or nothing, large.
//!
//! Invariant: an import that names an error imports nothing unless partial was asked for.
//! Failure: each test names what it found instead.

use pulse_tests::prelude::*;
use std::fmt::Write as _;

pub const CSV: &str = "text/csv";

pub async fn import(
    tenant: &Tenant,
    table: &str,
    query: &str,
    kind: &str,
    body: impl Into<String>,
) -> Reply {
    let path = format!("/pulse/tables/{table}/import{query}");
    tenant
        .client()
        .call("POST", &path)
        .body(kind, body.into())
        .await
}

/// All rows of a list, by name.
pub async fn rows(tenant: &Tenant, table: &str) -> std::collections::BTreeMap<String, Value> {
    let path = format!("/pulse/tables/{table}/rows?limit=200");
    let items = tenant
        .client()
        .get(&path)
        .await
        .expect_status(200)
        .list_at("/items");
    items
        .into_iter()
        .map(|row| (row["name"].as_str().expect("a name").to_owned(), row))
        .collect()
}

async fn row_count(tenant: &Tenant, table: &str) -> Value {
    tenant
        .client()
        .get(&format!("/pulse/tables/{table}"))
        .await
        .expect_status(200)
        .at("/row_count")
}

#[tokio::test]
async fn plain_columns_are_found_by_their_names() {
    let tenant = Tenant::new().await;
    let table = tenant.table("Europe/Berlin").await;
    let csv = "Name,E-Mail,Barcode,Category,Status,Valid from,Valid until,Attention note\r\n\
               Ada,ada@x.test,A1,vip,confirmed,2026-05-01T10:00:00Z,2026-05-02T10:00:00Z,vegan\r\n\
               Bob,,B1,,canceled,,,\r\n";
    let reply = import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    assert_eq!(
        (
            reply.at("/imported"),
            reply.at("/rejected"),
            reply.at("/error_count")
        ),
        (json!(2), json!(0), json!(0))
    );
    let rows = rows(&tenant, &table).await;
    let ada = &rows["Ada"];
    assert_eq!(
        (&ada["email"], &ada["barcode"], &ada["category"]),
        (&json!("ada@x.test"), &json!("A1"), &json!("vip"))
    );
    assert_eq!(
        (&ada["valid_from"], &ada["attention_note"]),
        (&json!("2026-05-01T10:00:00.000Z"), &json!("vegan"))
    );
    assert_eq!(
        (&rows["Bob"]["status"], &rows["Bob"]["email"]),
        (&json!("canceled"), &Value::Null)
    );
    assert_eq!(ada["source"], "import");
}

#[tokio::test]
async fn quotes_line_breaks_bom_crlf_and_semicolons_are_read_as_spreadsheets_write_them() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let csv = "\u{feff}\"Name\";\"Email\";\"Barcode\";\"Attention note\"\r\n\
               \"Müller; \"\"Jo\"\"\";\"jo@x.test\";\"0001\";\"first line\r\nsecond line\"\r\n\
               \"Plain\";\"p@x.test\";\"0002\";\"\"";
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let rows = rows(&tenant, &table).await;
    let jo = &rows["Müller; \"Jo\""];
    assert_eq!(jo["barcode"], "0001", "leading zeros are part of a code");
    assert!(
        jo["attention_note"]
            .as_str()
            .is_some_and(|note| note.contains("first line") && note.contains("second line"))
    );
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn tabs_separate_and_blank_lines_are_no_guests() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let reply = import(
        &tenant,
        &table,
        "",
        CSV,
        "name\tbarcode\nAda\tA1\n\n\nBob\tB1\n\n",
    )
    .await;
    assert_eq!(reply.expect_status(200).at("/imported"), 2);
}

#[tokio::test]
async fn a_map_names_the_columns_no_header_tells() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let map = "%7B%22name%22%3A%22Wer%22%2C%22barcode%22%3A%22Was%22%7D"; // {"name":"Wer","barcode":"Was"}
    let reply = import(
        &tenant,
        &table,
        &format!("?map={map}"),
        CSV,
        "Was,Wer\nC1,Ada\n",
    )
    .await;
    assert_eq!(reply.expect_status(200).at("/mapping/name/0"), "Wer");
    assert_eq!(rows(&tenant, &table).await["Ada"]["barcode"], "C1");
    let wrong = "%7B%22name%22%3A%22Nowhere%22%7D"; // {"name":"Nowhere"}
    import(
        &tenant,
        &table,
        &format!("?map={wrong}"),
        CSV,
        "Was,Wer\nC2,Bob\n",
    )
    .await
    .problem_of(422);
    import(&tenant, &table, "?map=nonsense", CSV, "Was,Wer\nC2,Bob\n")
        .await
        .expect_status_4xx();
    assert_eq!(row_count(&tenant, &table).await, 1);
}

#[tokio::test]
async fn one_wrong_line_imports_nothing_and_names_its_line() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let csv = "name,barcode,status\nAda,A1,confirmed\nBob,B1,perhaps\nCleo,C1,confirmed\n";
    let reply = import(&tenant, &table, "", CSV, csv).await;
    assert_eq!(reply.status, 422, "{reply}");
    let error = &reply.list_at("/errors")[0];
    let text = error.to_string();
    assert!(
        text.contains('3') && text.contains("status"),
        "line and field: {text}"
    );
    assert_eq!(row_count(&tenant, &table).await, 0);
}

#[tokio::test]
async fn partial_imports_the_good_lines_and_names_the_others() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let csv = "name,barcode,status\nAda,A1,confirmed\nBob,B1,perhaps\nCleo,C1,confirmed\n";
    let reply = import(&tenant, &table, "?partial=true", CSV, csv)
        .await
        .expect_status(200);
    assert_eq!(
        (
            reply.at("/imported"),
            reply.at("/rejected"),
            reply.at("/lines")
        ),
        (json!(2), json!(1), json!(3))
    );
    let error = &reply.list_at("/errors")[0];
    assert_eq!(
        (&error["line"], &error["field"]),
        (&json!(3), &json!("status"))
    );
    assert!(error["code"].is_string() && error["message"].is_string());
    assert_eq!(
        rows(&tenant, &table).await.into_keys().collect::<Vec<_>>(),
        ["Ada", "Cleo"]
    );
}

#[tokio::test]
async fn a_code_twice_is_reported_unless_it_may_be() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let csv = "name,barcode\nAda,SAME\nBob,SAME\nCleo,C1\n";
    let reply = import(&tenant, &table, "", CSV, csv).await;
    assert_eq!(reply.status, 422, "{reply}");
    assert!(reply.text().contains("duplicate_code"), "{reply}");
    assert_eq!(row_count(&tenant, &table).await, 0);
    let reply = import(&tenant, &table, "?partial=true", CSV, csv)
        .await
        .expect_status(200);
    assert_eq!(reply.at("/imported"), 2);
    let again = import(&tenant, &table, "", CSV, "name,barcode\nCleo twin,C1\n").await;
    assert_eq!(again.status, 422, "{again}");
    import(
        &tenant,
        &table,
        "?duplicates=keep",
        CSV,
        "name,barcode\nCleo twin,C1\n",
    )
    .await
    .expect_status(200);
    assert_eq!(row_count(&tenant, &table).await, 3);
}

#[tokio::test]
async fn a_thousand_wrong_lines_show_a_hundred_and_their_count() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let mut csv = "name,status\n".to_owned();
    for number in 0..1_000 {
        writeln!(csv, "Guest {number},perhaps").expect("memory");
    }
    let reply = import(&tenant, &table, "?partial=true", CSV, csv)
        .await
        .expect_status(200);
    assert_eq!(reply.list_at("/errors").len(), 100);
    assert_eq!(
        (reply.at("/error_count"), reply.at("/imported")),
        (json!(1_000), json!(0))
    );
}

#[tokio::test]
async fn json_comes_as_an_array_or_line_by_line() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let array = json!([{"name": "Ada", "barcode": "A1", "category": "vip"}, {"name": "Bob", "barcode": "B1"}]);
    let reply = import(&tenant, &table, "", "application/json", array.to_string()).await;
    assert_eq!(reply.expect_status(200).at("/imported"), 2);
    let lines = "{\"name\":\"Cleo\",\"barcode\":\"C1\"}\n\n{\"name\":\"Dan\",\"barcode\":\"D1\"}\n";
    let reply = import(&tenant, &table, "", "application/x-ndjson", lines).await;
    assert_eq!(reply.expect_status(200).at("/imported"), 2);
    assert_eq!(rows(&tenant, &table).await["Ada"]["category"], "vip");
    let broken = "{\"name\":\"Eve\"}\n{\"name\":\n";
    let reply = import(&tenant, &table, "", "application/x-ndjson", broken).await;
    reply.problem_of(422);
    import(&tenant, &table, "", "application/json", "[{\"name\":")
        .await
        .problem_of(422);
    import(&tenant, &table, "", "text/plain", "name\nAda\n")
        .await
        .problem_of(415);
    assert_eq!(row_count(&tenant, &table).await, 4);
}

#[tokio::test]
async fn an_empty_file_or_one_without_a_name_is_told_so() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    for csv in ["", "\n\n", "colour,shape\nred,round\n"] {
        let reply = import(&tenant, &table, "", CSV, csv).await;
        reply.problem_of(422);
    }
    let not_text: Vec<u8> = vec![0xff, 0xfe, 0x00, 0x41];
    let path = format!("/pulse/tables/{table}/import");
    let reply = tenant
        .client()
        .call("POST", &path)
        .body(CSV, not_text)
        .await;
    reply.problem_of(422);
}

#[tokio::test]
async fn guests_imported_while_the_doors_are_open_are_known_at_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    import(
        &event.tenant,
        &event.table,
        "",
        CSV,
        "name,barcode\nBob,late-code\n",
    )
    .await
    .expect_status(200);
    event
        .door()
        .scan("late-code")
        .await
        .accepted()
        .has("/guest/name", "Bob");
    event
        .dashboard()
        .await
        .counts(|c| c.total == 2 && c.checked_in == 2);
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_imported_all_or_nothing() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let mut csv = "name,email,barcode,category\n".to_owned();
    for number in 0..100_000 {
        writeln!(
            csv,
            "Guest {number},guest{number}@x.test,CODE-{number:06},standard"
        )
        .expect("memory");
    }
    let most: Vec<_> = csv.lines().take(99_000).collect();
    let most = most.join("\n");
    let broken = format!("{most}\nLast,no address at all,CODE-LAST,standard\n\"unclosed");
    let refused = import(&tenant, &table, "", CSV, broken).await;
    refused.problem_of(422);
    assert_eq!(row_count(&tenant, &table).await, 0);
    let reply = import(&tenant, &table, "", CSV, csv.clone())
        .await
        .expect_status(200);
    assert_eq!(reply.at("/imported"), 100_000);
    assert_eq!(row_count(&tenant, &table).await, 100_000);
    let path = format!("/pulse/tables/{table}/rows?q=CODE-099999");
    let found = tenant
        .client()
        .get(&path)
        .await
        .expect_status(200)
        .list_at("/items");
    assert_eq!(found.len(), 1);
    tenant
        .client()
        .post("/pulse", &json!({"table_id": table}))
        .await
        .expect_status(201);
    let scan = json!({"table_id": table, "barcode": "CODE-099999", "nonce": "n"});
    Answer::of(tenant.client().post("/pulse/check-ins", &scan).await).accepted();
    let export = tenant
        .client()
        .get(&format!("/pulse/tables/{table}/export"))
        .await
        .expect_status(200);
    assert_eq!(export.text().lines().count(), 100_001);
    csv.push_str("One,one@x.test,CODE-NEW,standard\n");
    let over = import(&tenant, &table, "?duplicates=keep", CSV, csv).await;
    over.problem_of(413);
}

#[tokio::test]
async fn a_file_sent_twice_with_one_key_is_imported_once() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let send = |key: &'static str, csv: &'static str| {
        let path = format!("/pulse/tables/{table}/import");
        tenant
            .client()
            .call("POST", &path)
            .header("idempotency-key", key)
            .body(CSV, csv)
    };
    let first = send("a", "name,barcode\nAda,A1\nBob,B1\n")
        .await
        .expect_status(200);
    let second = send("a", "name,barcode\nAda,A1\nBob,B1\n")
        .await
        .expect_status(200);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), second.json());
    send("a", "name,barcode\nCleo,C1\n")
        .await
        .problem(422, "idempotency_key_reused");
    assert_eq!(row_count(&tenant, &table).await, 2);
    // A refusal is not kept: what stood in the way may be gone when the file comes again.
    send("b", "name,barcode\nTwin,A1\n")
        .await
        .problem(422, "import_refused");
    let ada = rows(&tenant, &table).await["Ada"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/pulse/tables/{table}/rows/{ada}");
    tenant.client().delete(&path).await.expect_status(204);
    send("b", "name,barcode\nTwin,A1\n")
        .await
        .expect_status(200);
    assert_eq!(row_count(&tenant, &table).await, 2);
}

#[tokio::test]
async fn a_list_keeps_the_order_of_its_file_and_shows_the_last_first() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let names: Vec<String> = (0..150).map(|number| format!("Guest {number}")).collect();
    let csv = format!("name\n{}\n", names.join("\n"));
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let export = tenant
        .client()
        .get(&format!("/pulse/tables/{table}/export"))
        .await;
    let text = export.expect_status(200).text();
    let exported: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(exported, names);
    let page = tenant
        .client()
        .get(&format!("/pulse/tables/{table}/rows?limit=2"))
        .await;
    assert_eq!(
        (page.at("/items/0/name"), page.at("/items/1/name")),
        (json!("Guest 149"), json!("Guest 148"))
    );
}

#[tokio::test]
async fn an_export_is_a_file_and_runs_no_formula_in_a_spreadsheet() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "Gäste \"2026\"", "timezone": "UTC"});
    let table = tenant
        .client()
        .post("/pulse/tables", &body)
        .await
        .expect_status(201)
        .text_at("/id");
    let guest = json!({"name": "=1+1", "barcode": "+49", "data": {"seat": "@A1"}});
    tenant
        .client()
        .post(&format!("/pulse/tables/{table}/rows"), &guest)
        .await
        .expect_status(201);
    let export = |query: &str| {
        tenant
            .client()
            .get(&format!("/pulse/tables/{table}/export{query}"))
    };
    let plain = export("").await.expect_status(200);
    assert_eq!(
        plain.text().lines().nth(1),
        Some("=1+1,,+49,,confirmed,,,,1,@A1")
    );
    assert_eq!(
        plain.header("content-disposition"),
        Some(
            "attachment; filename=\"G_ste _2026_.csv\"; filename*=UTF-8''G%C3%A4ste%20%222026%22.csv"
        )
    );
    let safe = export("?spreadsheet=true").await.expect_status(200).text();
    assert!(
        safe.starts_with('\u{feff}'),
        "spreadsheets read UTF-8 by its mark"
    );
    assert_eq!(
        safe.lines().nth(1),
        Some("\"'=1+1\",,\"'+49\",,confirmed,,,,1,\"'@A1\"")
    );
}
