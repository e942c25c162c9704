//! Where live objects come from: an object stays where its first call placed it, so a list has none
//! before check-in is enabled on it.
//!
//! Invariant: a change to a list is one round trip, and calls the list's object only if there is one.
//! Failure: the change that called one, or did not.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use uuid::Uuid;

/// Everything that can be done to a list, each with its own request id.
async fn every_change(tenant: &Tenant, table: &str) -> Vec<String> {
    let mut requests = Vec::new();
    let mut client = || {
        let request = format!("place-{}", Uuid::new_v4());
        requests.push(request.clone());
        tenant.client().with_header("x-request-id", &request)
    };
    let list = format!("/pulse/tables/{table}");
    let row = client()
        .post(&format!("{list}/rows"), &json!({"name": "Ada"}))
        .await
        .expect_status(201)
        .text_at("/id");
    let row = format!("{list}/rows/{row}");
    let changes = [
        client().patch(&row, &json!({"name": "Ada L."})),
        client().patch(&list, &json!({"name": "Renamed"})),
        client().post(&format!("{list}/import"), &json!([{"name": "Bob"}])),
        client().post(&format!("{list}/tickets"), &json!({"all": true})),
        client().post(
            &format!("{list}/tickets/revoke"),
            &json!({"row_ids": [row[row.len() - 36..]]}),
        ),
        client().post(&format!("{list}/ticket-key"), &json!({})),
        client().delete(&row),
    ];
    for change in changes {
        let reply = change.await;
        assert!(reply.status < 300, "{reply}");
    }
    requests
}

#[tokio::test]
async fn nothing_done_to_a_list_calls_an_object_before_check_in_is_enabled() {
    let tenant = Tenant::with(json!({"region": "weur"})).await;
    let table = tenant.table("UTC").await;
    let before = every_change(&tenant, &table).await;
    let control = Control::here();
    assert!(!control.was_called(&table).await);
    let enabling = format!("place-{}", Uuid::new_v4());
    tenant
        .client()
        .post("/pulse", &json!({ "table_id": table }))
        .header("x-request-id", &enabling)
        .await
        .expect_status(201);
    assert!(control.was_called(&table).await);
    let after = every_change(&tenant, &table).await;
    let counted = control.proxy().await.by_request;
    let of_object = |request: &String| counted.get(&format!("{request}.object")).copied();
    for request in &before {
        assert_eq!(of_object(request), None, "{request}");
    }
    assert_eq!(counted.get(&enabling), Some(&1));
    for request in after.iter().chain([&enabling]) {
        assert!(of_object(request).is_some(), "{request}");
    }
}

#[tokio::test]
async fn a_list_whose_check_in_is_disabled_is_still_followed() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    event.client().delete(&path).await.expect_status(204);
    let rows = format!("/pulse/tables/{}/rows", event.table);
    event
        .client()
        .post(&rows, &json!({"name": "Bob"}))
        .await
        .expect_status(201);
    assert_eq!(event.dashboard().await.counts.total, 2);
}

#[tokio::test]
async fn a_dashboard_that_is_not_there_does_not_get_in_the_way_of_enabling() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let dashboard = format!("/pulse/dashboard/{table}");
    let client = tenant.client();
    client.get(&dashboard).await.problem_of(404);
    let list = format!("/pulse/check-ins?table_id={table}");
    assert!(
        client
            .get(&list)
            .await
            .expect_status(200)
            .list_at("/items")
            .is_empty()
    );
    Control::here().evict(&table).await;
    client.get(&dashboard).await.problem_of(404);
    client
        .post("/pulse", &json!({ "table_id": table }))
        .await
        .expect_status(201);
    client.get(&dashboard).await.expect_status(200);
}

#[tokio::test]
async fn a_key_whose_jurisdiction_was_edited_scans_nowhere() {
    let tenant = Tenant::with(json!({"jurisdiction": "eu"})).await;
    let event = Event::with_guests(["Ada", "Bob"]).of(&tenant).open().await;
    let (client, key) = tenant.key("agent").await;
    let scan = |guest: &str| json!({"barcode": event.code(guest)});
    Answer::of(event.scan_by(&client, scan("Ada")).await).accepted();
    let edited = key.text_at("/key").replace("pulse_eu_", "pulse_none_");
    let edited = Client::anonymous().with_token(&edited);
    let refused = event.scan_by(&edited, scan("Bob")).await;
    refused.problem(401, "key_unknown");
}
