//! Guest lists and their rows: made, found, changed, deleted; and that a change reaches the door.
//!
//! Invariant: what an answer to a change says is what the next scan is decided by.
//! Failure: each test names what it found instead.

use pulse_tests::prelude::*;

fn rows(table: &str) -> String {
    format!("/pulse/tables/{table}/rows")
}

/// The names on a page of rows.
fn names(reply: &Reply) -> Vec<String> {
    let items = reply.list_at("/items");
    items
        .iter()
        .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_guest_list_is_made_read_renamed_and_deleted() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "Gala", "timezone": "Europe/Berlin"});
    let made = tenant
        .client()
        .post("/pulse/tables", &body)
        .await
        .expect_status(201);
    let path = format!("/pulse/tables/{}", made.text_at("/id"));
    let read = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(
        (read.at("/name"), read.at("/timezone")),
        (json!("Gala"), json!("Europe/Berlin"))
    );
    assert!(read.text_at("/created_at").ends_with('Z'));
    let changed = tenant
        .client()
        .patch(&path, &json!({"timezone": "America/New_York"}))
        .await;
    assert_eq!(changed.expect_status(200).at("/name"), "Gala");
    tenant.client().delete(&path).await.expect_status(204);
    tenant.client().get(&path).await.problem_of(404);
    assert_eq!(
        tenant
            .client()
            .get("/pulse/tables")
            .await
            .list_at("/items")
            .len(),
        0
    );
    tenant
        .client()
        .post(&rows(&made.text_at("/id")), &json!({"name": "Late"}))
        .await
        .problem_of(404);
}

#[tokio::test]
async fn a_row_keeps_every_field_it_was_given() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    let body = json!({
        "name": "Zoë Ångström-O'Neil 张伟 🎉", "email": "zoe@example.test", "barcode": "+-/== 'quote\" ✓",
        "category": "vip", "status": "blocked", "valid_from": "2026-05-01T10:00:00.000Z",
        "valid_until": "2026-05-02T10:00:00.000Z", "attention_note": "Ask for\nthe vest",
        "data": {"seat": "A 12", "nested": {"n": [1, 2.5, null]}},
    });
    let made = tenant.client().post(&path, &body).await.expect_status(201);
    let read = tenant
        .client()
        .get(&format!("{path}/{}", made.text_at("/id")))
        .await
        .expect_status(200);
    for (field, value) in body.as_object().expect("fields") {
        assert_eq!(read.at(&format!("/{field}")), *value, "{field}");
    }
    assert_eq!(read.at("/source"), "api");
    let changed = json!({"email": null, "status": "confirmed", "data": {}});
    let read = tenant
        .client()
        .patch(&format!("{path}/{}", made.text_at("/id")), &changed)
        .await;
    let read = read.expect_status(200);
    assert_eq!(
        (read.at("/email"), read.at("/data"), read.at("/category")),
        (Value::Null, json!({}), json!("vip"))
    );
}

#[tokio::test]
async fn everything_wrong_with_a_row_is_named() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    let body = json!({"name": "x".repeat(1_000), "email": "no address", "status": "maybe", "barcode": "x".repeat(600)});
    let reply = tenant.client().post(&path, &body).await.problem_of(422);
    reply.points_at("/status");
    let twisted = json!({"name": "A", "valid_from": "2026-05-02T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z"});
    tenant
        .client()
        .post(&path, &twisted)
        .await
        .problem_of(422)
        .points_at("/valid_until");
    let nul = json!({"name": "a\u{0}b"});
    tenant
        .client()
        .post(&path, &nul)
        .await
        .problem_of(422)
        .points_at("/name");
    assert_eq!(tenant.client().get(&path).await.list_at("/items").len(), 0);
}

#[tokio::test]
async fn rows_are_found_by_name_address_and_code_whatever_case_and_accents() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    for body in [
        json!({"name": "Jörg Müller", "email": "joerg@muller.test", "barcode": "TICKET-001"}),
        json!({"name": "Ada 100%", "email": "ada@love.test", "barcode": "TICKET-002"}),
        json!({"name": "Under_score", "email": "u@s.test", "barcode": "OTHER-003"}),
    ] {
        tenant
            .client()
            .post(&rows(&table), &body)
            .await
            .expect_status(201);
    }
    for (query, found) in [
        ("müller", vec!["Jörg Müller"]),
        ("MULLER", vec!["Jörg Müller"]),
        ("love.test", vec!["Ada 100%"]),
        ("ticket-00", vec!["Ada 100%", "Jörg Müller"]),
        ("100%25", vec!["Ada 100%"]),
        ("r_s", vec!["Under_score"]),
        ("%25", vec!["Ada 100%"]),
        ("nobody", vec![]),
    ] {
        let reply = tenant
            .client()
            .get(&format!("{}?q={query}", rows(&table)))
            .await
            .expect_status(200);
        let mut seen = names(&reply);
        seen.sort();
        assert_eq!(seen, found, "{query}");
    }
}

#[tokio::test]
async fn rows_are_filtered_by_category_and_status() {
    let event = Event::with_guests(["Ada:vip", "Bob:standard", "Cleo:vip"])
        .open()
        .await;
    event.change("Cleo", json!({"status": "canceled"})).await;
    let list = |filter: &str| {
        event
            .client()
            .get(&format!("{}?{filter}", rows(&event.table)))
    };
    assert_eq!(
        names(&list("category=vip").await.expect_status(200)).len(),
        2
    );
    assert_eq!(
        names(
            &list("category=vip&status=confirmed")
                .await
                .expect_status(200)
        ),
        ["Ada"]
    );
    assert_eq!(
        names(&list("status=canceled").await.expect_status(200)),
        ["Cleo"]
    );
}

#[tokio::test]
async fn pages_of_rows_show_each_row_once_while_rows_are_added() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    for number in 0..9 {
        tenant
            .client()
            .post(&path, &json!({"name": format!("Guest {number}")}))
            .await
            .expect_status(201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = tenant
            .client()
            .get(&format!("{path}?limit=2{cursor}"))
            .await
            .expect_status(200);
        seen.extend(names(&page));
        tenant
            .client()
            .post(&path, &json!({"name": "Newcomer"}))
            .await
            .expect_status(201);
        match page.at("/next_cursor") {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    let expected: Vec<_> = (0..9)
        .rev()
        .map(|number| format!("Guest {number}"))
        .collect();
    assert_eq!(seen, expected);
}

/// The field's least privilege: a check-in role does not list guests.
#[tokio::test]
async fn a_device_searches_with_three_characters_and_never_lists() {
    let event = Event::with_guests(["Adalbert", "Bob"]).open().await;
    let device = event.door().client().await;
    let search = |query: &str| device.get(&format!("{}{query}", rows(&event.table)));
    assert_eq!(
        names(&search("?q=adal").await.expect_status(200)),
        ["Adalbert"]
    );
    for query in ["", "?q=", "?q=ad", "?q=%20%20%20", "?q=a%20%20"] {
        let reply = search(query).await;
        let reply = reply.problem_of(403);
        assert!(!reply.text().contains("Adalbert"), "{query}");
    }
    let kiosk = event
        .session(json!({"name": "Kiosk", "profile": "kiosk"}))
        .await;
    let kiosk = Client::anonymous().with_token(&kiosk.text_at("/token"));
    kiosk
        .get(&format!("{}?q=adalbert", rows(&event.table)))
        .await
        .problem_of(403);
}

#[tokio::test]
async fn a_guest_canceled_after_opening_is_refused_at_once() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    event.door().scan("Bob").await.accepted();
    event.change("Ada", json!({"status": "canceled"})).await;
    event.door().scan("Ada").await.refused("canceled");
    event.change("Ada", json!({"status": "confirmed"})).await;
    event.door().scan("Ada").await.accepted();
    let path = format!("{}/{}", rows(&event.table), event.row_id("Cleo"));
    event.client().delete(&path).await.expect_status(204);
    event.door().scan("Cleo").await.refused("unknown_code");
}

#[tokio::test]
async fn a_guest_added_or_given_another_code_is_known_at_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("late").await.refused("unknown_code");
    let body = json!({"name": "Late", "barcode": "late", "attention_note": "Came by train"});
    event
        .client()
        .post(&rows(&event.table), &body)
        .await
        .expect_status(201);
    event
        .door()
        .scan("late")
        .await
        .accepted()
        .has("/guest/attention_note", "Came by train");
    event.change("Ada", json!({"barcode": "new code"})).await;
    event.door().scan("Ada").await.refused("unknown_code");
    event
        .door()
        .scan("new code")
        .await
        .accepted()
        .has("/guest/name", "Ada");
}

#[tokio::test]
async fn a_row_changed_past_the_api_is_known_within_a_minute() {
    use pulse_tests::control::Control;
    use pulse_tests::database::Database;
    let event = Event::with_guests(["Ada"]).open().await;
    let sql = "with changed as (update pulse_rows set status = 'revoked' where id = $1::text::uuid returning 1)
               select to_jsonb(count(*)) from changed";
    let id = event.row_id("Ada");
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let changed = database
        .json(sql, &[(&id, tokio_postgres::types::Type::TEXT)])
        .await;
    assert_eq!(changed, 1);
    Control::here().cron("* * * * *").await;
    eventually("the sweep tells the door", || async {
        let answer = event.door().scan("Ada").await;
        assert_ne!(
            answer.at("/verdict"),
            "accepted",
            "a revoked guest came in after the sweep"
        );
        (answer.at("/reason") == "revoked").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_list_is_closed_at_the_door_too() {
    let event = Event::with_guests(["Ada"]).open().await;
    let scanner = event.door();
    scanner.session().await;
    let list = format!("/pulse/tables/{}", event.table);
    // Nobody closes the doors by tidying up.
    event.client().delete(&list).await.expect_status(409);
    event
        .client()
        .delete(&format!("/pulse/{}", event.table))
        .await
        .expect_status(204);
    event.client().delete(&list).await.expect_status(204);
    let reply = scanner
        .try_scan(json!({"barcode": event.code("Ada")}))
        .await;
    reply.problem(409, "pulse_disabled");
}

#[tokio::test]
async fn of_two_guests_written_with_one_code_at_once_one_is_refused() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    let writers = (0..8).map(|number| {
        let (client, path) = (tenant.client().clone(), path.clone());
        let body = json!({"name": format!("Guest {number}"), "barcode": "same"});
        tokio::spawn(async move { client.post(&path, &body).await.status })
    });
    let mut statuses = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        statuses.push(writer.await.expect("an answer"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused_and_an_unchanged_row_is_not_sent_again() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    let made = tenant
        .client()
        .post(&path, &json!({"name": "Ada"}))
        .await
        .expect_status(201);
    let path = format!("{path}/{}", made.text_at("/id"));
    let tag = made.header("etag").expect("a version").to_owned();
    let unchanged = tenant
        .client()
        .get(&path)
        .header("if-none-match", &tag)
        .await;
    assert_eq!((unchanged.status, unchanged.text()), (304, String::new()));
    let change = |tag: &str, name: &str| {
        tenant
            .client()
            .patch(&path, &json!({"name": name}))
            .header("if-match", tag)
    };
    let changed = change(&tag, "Bob").await.expect_status(200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    for stale in [tag.as_str(), "\"99999999999\"", "W/\"2\"", "nonsense"] {
        change(stale, "Cleo").await.problem(412, "stale_version");
        let delete = tenant.client().delete(&path).header("if-match", stale);
        delete.await.problem(412, "stale_version");
    }
    change("*", "Dan").await.expect_status(200);
}

#[tokio::test]
async fn a_number_no_reader_holds_is_refused_and_breaks_no_list() {
    let tenant = Tenant::new().await;
    let path = rows(&tenant.table("UTC").await);
    for data in [
        r#"{"n":1.7976931348623157e308}"#,
        r#"{"deep":[{"n":-1e300}]}"#,
        r#"{"n":1e-300}"#,
    ] {
        let body = format!(r#"{{"name":"Ada","data":{data}}}"#);
        let call = tenant
            .client()
            .call("POST", &path)
            .body("application/json", body);
        call.await.problem_of(422).points_at("/data");
    }
    let kept = json!({"name": "Bob", "data": {"n": 0.1, "m": 18_446_744_073_709_551_615_u64}});
    tenant.client().post(&path, &kept).await.expect_status(201);
    let list = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(
        (list.list_at("/items").len(), list.at("/items/0/data")),
        (1, kept["data"].clone())
    );
}
