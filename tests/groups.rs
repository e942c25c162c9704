//! Tickets for several people: one code that is scanned for all of them or for some.
//!
//! Invariant: people are counted, guests checked in once; no ticket lets more in than it is for,
//! unless somebody says that it already happened.
//! Failure: each test names the answer that came instead.

use pulse_tests::database::Database;
use pulse_tests::history::Replay;
use pulse_tests::prelude::*;

/// The numbers of the log, of the dashboard and of Postgres are the same.
async fn all_count_the_same(event: &Event) -> Dashboard {
    let dashboard = event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    Replay::of(&log).agrees(&dashboard.counts);
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    let stats = config.expect_status(200).at("/stats");
    assert_eq!(stats["inside"], dashboard.counts.inside, "{stats}");
    assert_eq!(stats["checked_in"], dashboard.counts.checked_in, "{stats}");
    assert_eq!(stats["walk_ins"], dashboard.counts.walk_ins, "{stats}");
    dashboard
}

fn people(event: &Event, guest: &str, people: u16) -> Value {
    json!({"barcode": event.code(guest), "people": people})
}

fn family(party: u16) -> Value {
    json!({"name": "Family", "party": party})
}

/// Groups: one code, five people, arriving in parts.
#[tokio::test]
async fn a_group_arrives_in_parts_until_all_are_in() {
    let event = Event::with_guests(["Ada"]).guest(family(5)).open().await;
    let door = event.door();
    let first = door.scan_with(people(&event, "Family", 3)).await.accepted();
    let first = first.has("/arrived", 3).has("/guest/party", 5);
    let first = first.explains("3 of 5").has("/check_in/people", 3);
    assert_eq!(first.at("/warnings"), json!([]));
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.arrived == 3 && c.inside == 3);
    let more = door.scan_with(people(&event, "Family", 3)).await;
    more.refused("limit_reached").explains("2 more may enter");
    let rest = door.scan("Family").await.accepted();
    rest.has("/check_in/people", 2).has("/arrived", 5);
    door.scan("Family").await.duplicate();
    door.scan_with(people(&event, "Family", 1))
        .await
        .duplicate();
    door.scan("Ada")
        .await
        .accepted()
        .has("/arrived", Value::Null);
    let dashboard = all_count_the_same(&event).await;
    let dashboard = dashboard
        .counts(|c| c.checked_in == 2 && c.arrived == 6 && c.inside == 6 && c.duplicates == 2);
    assert_eq!(dashboard.at("/refused"), json!({"limit_reached": 1}));
    let records = event.check_ins("verdict=accepted").await;
    let counts: Vec<_> = records.iter().map(|one| one["people"].clone()).collect();
    assert_eq!(counts, [1, 2, 3], "newest first");
}

/// Groups: some leave, and as many may come back.
#[tokio::test]
async fn as_many_of_a_group_come_back_as_left() {
    let event = Event::with_guests([""; 0]).guest(family(5));
    let event = event.settings(json!({"allow_reentry": true})).open().await;
    let door = event.door();
    door.scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 5);
    let out = json!({"barcode": event.code("Family"), "people": 2, "direction": "exit"});
    door.scan_with(out).await.accepted();
    event.dashboard().await.counts(|c| c.inside == 3);
    let three = door.scan_with(people(&event, "Family", 3)).await;
    three.refused("limit_reached").explains("2 more may enter");
    door.scan_with(people(&event, "Family", 1)).await.accepted();
    door.scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 1);
    door.scan("Family").await.duplicate();
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 5 && c.arrived == 7);
    door.exit("Family")
        .await
        .accepted()
        .has("/check_in/people", 5);
    door.exit("Family").await.accepted().warns("not_inside");
    all_count_the_same(&event)
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 1 && c.arrived == 7);
}

/// Groups: where re-entry is off, who left is not replaced.
#[tokio::test]
async fn without_reentry_who_left_takes_the_place_along() {
    let event = Event::with_guests([""; 0]).guest(family(3)).open().await;
    let door = event.door();
    door.scan_with(people(&event, "Family", 2)).await.accepted();
    let out = json!({"barcode": event.code("Family"), "people": 1, "direction": "exit"});
    door.scan_with(out).await.accepted();
    let two = door.scan_with(people(&event, "Family", 2)).await;
    two.refused("limit_reached").explains("1 more may enter");
    door.scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 1);
    door.scan("Family").await.duplicate();
    all_count_the_same(&event)
        .await
        .counts(|c| c.inside == 2 && c.arrived == 3);
}

/// Groups: a venue has room for people, not for tickets; limits hold for each person.
#[tokio::test]
async fn capacity_and_limits_count_people() {
    let settings = json!({"capacity": 5, "allow_reentry": true, "entries_per_day": 1});
    let event = Event::with_guests(["Ada"])
        .guest(family(3))
        .settings(settings);
    let event = event
        .guest(json!({"name": "Club", "party": 4}))
        .open()
        .await;
    let door = event.door();
    door.scan_with(people(&event, "Family", 1)).await.accepted();
    door.scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 2);
    door.scan("Club")
        .await
        .refused("capacity_reached")
        .explains("3 inside");
    door.scan_with(people(&event, "Club", 2)).await.accepted();
    door.scan("Ada").await.refused("capacity_reached");
    door.exit("Family").await.accepted();
    door.scan_with(people(&event, "Family", 1))
        .await
        .refused("limit_reached");
    door.scan("Ada").await.accepted();
    all_count_the_same(&event)
        .await
        .counts(|c| c.inside == 3 && c.checked_in == 3 && c.arrived == 6);
}

/// Groups: several people who are on no list, on one wristband.
#[tokio::test]
async fn several_walk_ins_share_a_wristband() {
    let event = Event::with_guests(["Ada"]).open().await;
    let door = event.door();
    let body = json!({"walk_in": {"name": "Walkers", "barcode": "band-4"}, "people": 4});
    let answer = door.scan_with(body).await.accepted();
    let answer = answer.has("/guest/party", 4).has("/check_in/people", 4);
    door.scan("band-4").await.duplicate();
    let out = json!({"barcode": "band-4", "direction": "exit", "people": 3});
    door.scan_with(out).await.accepted();
    all_count_the_same(&event)
        .await
        .counts(|c| c.walk_ins == 1 && c.checked_in == 1 && c.inside == 1 && c.arrived == 4);
    let row = answer.at("/guest/row_id");
    let row = format!(
        "/pulse/tables/{}/rows/{}",
        event.table,
        row.as_str().expect("a row")
    );
    let row = event.client().get(&row).await.expect_status(200);
    assert_eq!(
        (row.at("/party"), row.at("/source")),
        (json!(4), json!("walk_in"))
    );
    for wrong in [json!(0), json!(1001), json!(-1), json!(1.5), json!("two")] {
        let body = json!({"barcode": "band-4", "people": wrong});
        door.try_scan(body)
            .await
            .problem_of(422)
            .points_at("/people");
    }
}

/// Groups: what already happened is recorded, and one too many says so.
#[tokio::test]
async fn a_group_that_was_let_in_by_force_is_recorded_as_it_came() {
    let event = Event::with_guests([""; 0]).guest(family(2)).open().await;
    let door = event.door();
    let enough = json!({"barcode": event.code("Family"), "people": 2, "force": true});
    door.scan_with(enough)
        .await
        .accepted()
        .has("/check_in/forced", false);
    let over = json!({"barcode": event.code("Family"), "people": 1, "force": true});
    let over = door.scan_with(over).await.accepted();
    let over = over
        .has("/check_in/forced", true)
        .warns("duplicate_conflict");
    over.has("/check_in/overrode", "already_checked_in");
    let dashboard = all_count_the_same(&event)
        .await
        .counts(|c| c.checked_in == 1);
    assert_eq!(dashboard.at("/conflicts"), 1);
    assert_eq!(
        dashboard.counts.inside, 2,
        "a ticket for two has two inside at most"
    );
}

/// Groups: a part that is undone can arrive again.
#[tokio::test]
async fn a_partial_arrival_is_undone_and_happens_again() {
    let event = Event::with_guests([""; 0]).guest(family(5)).open().await;
    let door = event.door();
    let first = door.scan_with(people(&event, "Family", 3)).await.accepted();
    let rest = door.scan("Family").await.accepted();
    door.annul(&first.check_in()).await.expect_status(200);
    all_count_the_same(&event)
        .await
        .counts(|c| c.inside == 2 && c.arrived == 2 && c.checked_in == 1);
    door.scan_with(people(&event, "Family", 4))
        .await
        .refused("limit_reached");
    door.scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 3);
    door.annul(&rest.check_in()).await.expect_status(200);
    all_count_the_same(&event)
        .await
        .counts(|c| c.inside == 3 && c.arrived == 3 && c.checked_in == 1);
}

/// Groups: two devices without a connection let in more than the ticket is for.
#[tokio::test]
async fn devices_that_let_too_many_of_a_group_in_agree_on_which_were_too_many() {
    for order in [["one", "two"], ["two", "one"]] {
        let event = Event::with_guests([""; 0]).guest(family(5)).open().await;
        for phone in order {
            let (people, time) = match phone {
                "one" => (3, "2024-06-01T18:00:00Z"),
                _ => (4, "2024-06-01T18:05:00Z"),
            };
            let item = json!({"barcode": event.code("Family"), "nonce": phone, "scanned_at": time,
                              "people": people, "offline": {"verdict": "accepted"}});
            let batch = json!({"table_id": event.table, "items": [item]});
            let client = event.phone(phone).client().await;
            let reply = client.post("/pulse/check-ins/sync", &batch).await;
            assert_eq!(reply.expect_status(200).at("/results/0/status"), 201);
        }
        let dashboard = all_count_the_same(&event)
            .await
            .counts(|c| c.checked_in == 1 && c.arrived == 3 && c.inside == 5);
        assert_eq!(dashboard.at("/conflicts"), 1);
        let records = event.check_ins("verdict=accepted").await;
        let too_many: Vec<_> = records
            .iter()
            .filter(|one| !one["conflict"].is_null())
            .collect();
        assert_eq!(too_many.len(), 1, "{records:?}");
        assert_eq!(too_many[0]["people"], 4);
        assert_eq!(too_many[0]["conflict"]["kind"], "duplicate_conflict");
        assert_eq!(too_many[0]["conflict"]["gap_ms"], 300_000);
    }
}

/// Groups: how many a ticket is for is written, changed, imported and exported.
#[tokio::test]
async fn a_list_says_how_many_people_a_ticket_is_for() {
    let event = Event::with_guests(["Ada"]).guest(family(5)).open().await;
    assert_eq!(
        (&event.row("Ada")["party"], &event.row("Family")["party"]),
        (&json!(1), &json!(5))
    );
    let changed = event.change("Family", json!({"party": 2})).await;
    assert_eq!(changed.at("/party"), 2);
    event
        .door()
        .scan("Family")
        .await
        .accepted()
        .has("/check_in/people", 2);
    assert_eq!(
        event
            .change("Family", json!({"party": null}))
            .await
            .at("/party"),
        1
    );
    let rows = format!("/pulse/tables/{}/rows", event.table);
    for wrong in [
        json!(0),
        json!(1001),
        json!(-3),
        json!(70_000),
        json!("5"),
        json!(2.5),
    ] {
        let body = json!({"name": "Wrong", "party": wrong});
        let client = event.client();
        client
            .post(&rows, &body)
            .await
            .problem_of(422)
            .points_at("/party");
        let row = format!("{rows}/{}", event.row_id("Ada"));
        let patch = json!({"party": wrong});
        client
            .patch(&row, &patch)
            .await
            .problem_of(422)
            .points_at("/party");
    }
    let path = format!("/pulse/tables/{}", event.table);
    for header in ["Party size", "group size", "People", "Admits", "QUANTITY"] {
        let csv = format!("Name,Barcode,{header}\nOf {header},c-{header},12\nNone {header},,\n");
        let import = event.client().call("POST", &format!("{path}/import"));
        let import = import.body("text/csv", csv).await.expect_status(200);
        assert_eq!(import.at("/mapping/party/0"), header);
        let found = event.client().get(&format!("{rows}?limit=2")).await;
        let found = found.expect_status(200);
        assert_eq!(
            (found.at("/items/0/party"), found.at("/items/1/party")),
            (json!(1), json!(12))
        );
    }
    let csv = "Name,Party size\nA,many\nB,0\nC,1001\nD,3.0\n";
    let import = event
        .client()
        .call("POST", &format!("{path}/import?partial=true"));
    let import = import.body("text/csv", csv).await.expect_status(200);
    assert_eq!(
        (import.at("/imported"), import.at("/rejected")),
        (json!(1), json!(3))
    );
    assert_eq!(import.at("/errors/0/code"), "invalid_number");
    assert_eq!(import.at("/errors/1/field"), "party");
    assert_eq!(import.at("/errors/2/code"), "out_of_range");
    let export = event.client().get(&format!("{path}/export")).await;
    let text = export.expect_status(200).text();
    assert!(text.starts_with(
        "name,email,barcode,category,status,valid_from,valid_until,attention_note,party"
    ));
    assert!(
        text.contains("Of People,,c-People,,confirmed,,,,12"),
        "{text}"
    );
}
