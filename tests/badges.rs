//! Badges: what labels look like, and the label of one guest.
//!
//! Invariant: a label shows the guest who was let in, in millimetres, whatever they are called.
//! Failure: each test names what it found instead.

use pulse_tests::prelude::*;
use pulse_tests::qr;
use uuid::Uuid;

fn template_path(event: &Event) -> String {
    format!("/pulse/{}/badge-template", event.table)
}

fn put(client: &Client, event: &Event, template: &Value) -> pulse_tests::client::Call {
    client.call("PUT", &template_path(event)).json(template)
}

fn badge(client: &Client, table: &str, check_in: &str) -> pulse_tests::client::Call {
    client.get(&format!(
        "/pulse/check-ins/{check_in}/badge.svg?table_id={table}"
    ))
}

/// The label of a guest who comes in now.
async fn badge_of(event: &Event, guest: &str) -> String {
    let check_in = event.door().scan(guest).await.accepted().check_in();
    let label = badge(event.client(), &event.table, &check_in)
        .await
        .expect_status(200);
    let kind = label.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("image/svg+xml"), "{kind}");
    label.text()
}

/// A label with one text of this field.
fn only(field: &str) -> Value {
    let text =
        json!({"kind": "text", "field": field, "x_mm": 2, "y_mm": 2, "width_mm": 50, "size_mm": 4});
    json!({"width_mm": 60, "height_mm": 20, "elements": [text]})
}

#[tokio::test]
async fn without_a_template_a_badge_is_a_name_card_with_the_guests_code() {
    let event = Event::with_guests(["Ada Lovelace:vip"]).open().await;
    let label = badge_of(&event, "Ada Lovelace").await;
    for part in [
        r#"width="86mm" height="54mm""#,
        ">Ada Lovelace</text>",
        ">vip</text>",
        ">Guests</text>",
    ] {
        assert!(label.contains(part), "{part} in {label}");
    }
    assert_eq!(qr::read(&label), event.code("Ada Lovelace"));
    let shown = event
        .client()
        .get(&template_path(&event))
        .await
        .expect_status(200);
    assert_eq!(
        (shown.at("/width_mm"), shown.at("/height_mm")),
        (json!(86.0), json!(54.0))
    );
    assert!(shown.list_at("/elements").len() >= 4);
    put(event.client(), &event, &shown.json())
        .await
        .expect_status(200);
}

#[tokio::test]
async fn a_template_is_kept_changed_and_given_up() {
    let event = Event::with_guests(["Ada:vip", "Bob:vip", "Cleo:vip"])
        .open()
        .await;
    let kept = put(event.client(), &event, &only("category"))
        .await
        .expect_status(200);
    assert_eq!(kept.at("/elements/0/field"), "category");
    let shown = event
        .client()
        .get(&template_path(&event))
        .await
        .expect_status(200);
    assert_eq!(
        (shown.json(), shown.header("etag")),
        (kept.json(), kept.header("etag"))
    );
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    assert_eq!(config.at("/badge_template"), shown.json());
    assert_eq!(config.header("etag"), shown.header("etag"));
    let label = badge_of(&event, "Ada").await;
    assert!(
        label.contains(">vip</text>") && !label.contains("Ada"),
        "{label}"
    );
    assert!(label.contains(r#"width="60mm" height="20mm""#), "{label}");
    put(event.client(), &event, &only("name"))
        .await
        .expect_status(200);
    let label = badge_of(&event, "Bob").await;
    assert!(
        label.contains(">Bob</text>"),
        "the change holds for the next label: {label}"
    );
    let given_up = event.client().delete(&template_path(&event)).await;
    given_up.expect_status(204);
    assert!(badge_of(&event, "Cleo").await.contains(r#"width="86mm""#));
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    assert_eq!(config.at("/badge_template"), Value::Null);
}

#[tokio::test]
async fn two_editors_of_a_template_do_not_overwrite_each_other() {
    let event = Event::with_guests(["Ada"]).open().await;
    let shown = event.client().get(&template_path(&event)).await;
    let tag = shown.header("etag").expect("an ETag").to_owned();
    let change = |field: &str| put(event.client(), &event, &only(field)).header("if-match", &tag);
    change("name").await.expect_status(200);
    change("email").await.problem_of(412);
    let given_up = event
        .client()
        .delete(&template_path(&event))
        .header("if-match", &tag)
        .await;
    given_up.problem_of(412);
    let kept = event.client().get(&template_path(&event)).await;
    assert_eq!(kept.at("/elements/0/field"), "name");
}

#[tokio::test]
async fn everything_wrong_with_a_template_is_named() {
    let event = Event::with_guests(["Ada"]).open().await;
    let wrong = json!({"width_mm": 5, "height_mm": 400, "elements": [
        {"kind": "text", "x_mm": -1, "y_mm": 0, "width_mm": 0, "size_mm": 1000},
        {"kind": "text", "field": "text", "x_mm": 0, "y_mm": 0, "width_mm": 5, "text": "  "},
        {"kind": "qr", "x_mm": 0, "y_mm": 0, "width_mm": 50, "text": "x"},
        {"kind": "line", "field": "name", "x_mm": 0, "y_mm": 0, "width_mm": 5},
    ]});
    let mut refused = put(event.client(), &event, &wrong).await.problem_of(422);
    for pointer in [
        "/width_mm",
        "/height_mm",
        "/elements/0/field",
        "/elements/0/x_mm",
        "/elements/0/width_mm",
        "/elements/0/size_mm",
        "/elements/1/text",
        "/elements/2/width_mm",
        "/elements/2/text",
        "/elements/3/field",
    ] {
        refused = refused.points_at(pointer);
    }
    let line = json!({"kind": "line", "x_mm": 0, "y_mm": 0, "width_mm": 5});
    let label = |elements: Value| json!({"width_mm": 60, "height_mm": 20, "elements": elements});
    for (bad, pointer) in [
        (label(json!([])), "/elements"),
        (label(Value::Array(vec![line; 41])), "/elements"),
        (
            label(json!([{"kind": "picture", "x_mm": 0, "y_mm": 0, "width_mm": 5}])),
            "/elements/0/kind",
        ),
        (
            label(json!([{"kind": "qr", "field": "secret", "x_mm": 0, "y_mm": 0, "width_mm": 9}])),
            "/elements/0/field",
        ),
        (
            label(json!([{"kind": "qr", "colour": 1, "x_mm": 0, "y_mm": 0, "width_mm": 9}])),
            "/elements/0/colour",
        ),
        (
            label(json!([{"kind": "qr", "y_mm": 0, "width_mm": 9}])),
            "/elements/0/x_mm",
        ),
        (label(json!({})), "/elements"),
        (
            json!({"width_mm": "60", "height_mm": 20, "elements": []}),
            "/width_mm",
        ),
        (json!({"width_mm": 60, "height_mm": 20}), "/elements"),
    ] {
        put(event.client(), &event, &bad)
            .await
            .problem_of(422)
            .points_at(pointer);
    }
    let broken = event
        .client()
        .call("PUT", &template_path(&event))
        .body("application/json", "{\"width_mm\": 1e999}");
    broken.await.expect_status_4xx();
    let kept = event.client().get(&format!("/pulse/{}", event.table)).await;
    assert_eq!(kept.at("/badge_template"), Value::Null);
}

#[tokio::test]
async fn templates_are_read_by_staff_and_written_by_managers() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (path, stranger) = (template_path(&event), Tenant::new().await);
    let agent = event.tenant.member("agent").await.client;
    let reader = event.tenant.member("read_only").await.client;
    let device = event.door().client().await;
    for (client, read, write) in [
        (&agent, 200, 403),
        (&reader, 200, 403),
        (&device, 403, 403),
        (&Client::anonymous(), 401, 401),
        (stranger.client(), 404, 404),
    ] {
        client.get(&path).await.expect_status(read);
        put(client, &event, &only("name"))
            .await
            .expect_status(write);
        client.delete(&path).await.expect_status(write);
    }
    let plain = event.tenant.table("UTC").await;
    let nowhere = format!("/pulse/{plain}/badge-template");
    event.client().get(&nowhere).await.problem_of(404);
}

#[tokio::test]
async fn a_badge_is_for_staff_and_the_devices_of_its_table() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let other = Event::with_guests(["Eve"]).of(&event.tenant).open().await;
    let foreign = Event::with_guests(["Eve"]).open().await;
    let check_in = event.door().scan("Ada").await.accepted().check_in();
    let session = |profile: &'static str| {
        let event = &event;
        async move {
            let made = event.session(json!({"profile": profile})).await;
            Client::anonymous().with_token(&made.text_at("/token"))
        }
    };
    let key = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .text_at("/guest_key");
    for (client, status) in [
        (&event.tenant.member("read_only").await.client, 200),
        (&event.door().client().await, 200),
        (&session("kiosk").await, 200),
        (&session("viewer").await, 403),
        (&event.tenant.member("patient").await.client, 403),
        (
            &Client::anonymous().with_token(&format!("guest_{key}")),
            401,
        ),
        (&Client::anonymous(), 401),
        (&other.door().client().await, 404),
        (&foreign.door().client().await, 404),
        (foreign.client(), 404),
    ] {
        let reply = badge(client, &event.table, &check_in)
            .await
            .expect_status(status);
        assert_eq!(reply.text().contains("Ada"), status == 200, "{reply}");
    }
    badge(event.client(), &other.table, &check_in)
        .await
        .problem_of(404);
    badge(event.client(), &event.table, &Uuid::new_v4().to_string())
        .await
        .problem_of(404);
    badge(event.client(), "none", &check_in)
        .await
        .problem_of(400);
    badge(event.client(), &event.table, "none")
        .await
        .problem_of(404);
    let bare = format!("/pulse/check-ins/{check_in}/badge.svg");
    event.client().get(&bare).await.problem_of(400);
}

#[tokio::test]
async fn whatever_a_guest_is_called_the_label_holds() {
    let long = "Ada ".repeat(50).trim().to_owned();
    let nasty = "</text><script>alert('x')</script> & \"co\"";
    let event = Event::with_guests([nasty, &long]).open().await;
    let label = badge_of(&event, nasty).await;
    assert!(
        !label.contains("<script") && !label.contains("alert('x')"),
        "{label}"
    );
    assert!(label.contains("&lt;/text&gt;&lt;script&gt;"), "{label}");
    let label = badge_of(&event, &long).await;
    assert!(
        label.contains("…</text>") && label.contains("textLength="),
        "{label}"
    );
}

#[tokio::test]
async fn a_label_shows_the_list_as_it_is_and_any_code() {
    let code = "+-/= Zoë 🎟 <&>";
    let guest = json!({"name": "Zoe", "email": "zoe@x.test", "barcode": code});
    let event = Event::with_guests([""; 0])
        .guest(guest)
        .gate("North", [])
        .open()
        .await;
    let all = ["name", "email", "code", "gate", "table", "text"].iter().zip(0..).map(|(field, line)| {
        let text = (*field == "text").then_some("Welcome");
        json!({"kind": "text", "field": field, "text": text, "x_mm": 1, "y_mm": 6 * line, "width_mm": 50, "size_mm": 4})
    });
    let mut elements: Vec<_> = all.collect();
    elements.push(json!({"kind": "qr", "x_mm": 52, "y_mm": 0, "width_mm": 20}));
    elements.push(json!({"kind": "qr", "field": "email", "x_mm": 52, "y_mm": 22, "width_mm": 20}));
    let template = json!({"width_mm": 80, "height_mm": 45, "elements": elements});
    put(event.client(), &event, &template)
        .await
        .expect_status(200);
    let scan = event
        .scanner("North")
        .scan_with(json!({"row_id": event.row_id("Zoe")}))
        .await;
    let check_in = scan.accepted().check_in();
    event.change("Zoe", json!({"name": "Zoë Ünal"})).await;
    let label = badge(event.client(), &event.table, &check_in)
        .await
        .expect_status(200)
        .text();
    for text in [
        "Zoë Ünal",
        "zoe@x.test",
        "+-/= Zoë 🎟 &lt;&amp;&gt;",
        "North",
        "Guests",
        "Welcome",
    ] {
        assert!(
            label.contains(&format!(">{text}</text>")),
            "{text} in {label}"
        );
    }
    assert_eq!(qr::read_all(&label), [code, "zoe@x.test"]);
}

#[tokio::test]
async fn who_was_not_let_in_has_no_badge_and_who_has_no_code_has_none_on_it() {
    let event = Event::with_guests(["Ada"])
        .guest(json!({"name": "Bob", "status": "blocked"}))
        .open()
        .await;
    let refused = event.door().scan("Bob").await.refused("blocked").check_in();
    let none = badge(event.client(), &event.table, &refused).await;
    none.problem(409, "not_an_admission");
    let walk_in = event
        .door()
        .scan_with(json!({"walk_in": {"name": "Walter"}}))
        .await;
    let walk_in = walk_in.accepted().check_in();
    let label = badge(event.client(), &event.table, &walk_in)
        .await
        .expect_status(200)
        .text();
    assert!(label.contains(">Walter</text>"), "{label}");
    assert_eq!(qr::read_all(&label), [""; 0]);
    let ada = event.door().scan("Ada").await.accepted().check_in();
    let row = format!("/pulse/tables/{}/rows/{}", event.table, event.row_id("Ada"));
    event.client().delete(&row).await.expect_status(204);
    let label = badge(event.client(), &event.table, &ada)
        .await
        .expect_status(200)
        .text();
    assert!(
        label.contains(">Ada</text>"),
        "off the list, but inside: {label}"
    );
    assert_eq!(qr::read(&label), event.code("Ada"));
}

#[tokio::test]
async fn the_page_that_prints_badges_is_served() {
    let page = Client::anonymous()
        .get("/pulse-badge")
        .header("accept", "text/html")
        .await;
    let page = page.expect_status(200);
    assert!(
        page.header("content-type")
            .unwrap_or_default()
            .starts_with("text/html")
    );
    assert!(page.text().contains("/js/badge.js"), "{page}");
}
