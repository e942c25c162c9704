//! What devices report that the table could not know: walk-ins who share a code, guests who left the
//! list, doors that were closed meanwhile, what was undone.
//!
//! Invariant: whoever physically went through is recorded, in whatever order the reports come.
//! Failure: each test names the answer that came instead.

use pulse_tests::event::{Scanner, merge};
use pulse_tests::prelude::*;
use rules::checkin::ScanIn;
use uuid::Uuid;

const NOON: &str = "2024-06-01T12:00:00Z";

/// A scan that a phone let through at a time of the day.
fn admitted(clock: &str, body: Value) -> Value {
    let mut full = json!({"nonce": clock, "scanned_at": format!("2024-06-01T{clock}Z"),
                          "offline": {"verdict": "accepted"}});
    merge(&mut full, body);
    full
}

async fn sync(event: &Event, scanner: &Scanner<'_>, items: &[Value]) -> Reply {
    let client = scanner.client().await;
    sync_by(event, &client, items).await
}

async fn sync_by(event: &Event, client: &Client, items: &[Value]) -> Reply {
    let body = json!({"table_id": event.table, "items": items});
    let reply = client.post("/pulse/check-ins/sync", &body).await;
    reply.expect_status(200)
}

/// The row that a phone makes of a walk-in.
async fn row_of(event: &Event, scanner: &Scanner<'_>, item: &Value) -> Uuid {
    ids_of(event, scanner, item).await.row
}

async fn ids_of(event: &Event, scanner: &Scanner<'_>, item: &Value) -> rules::checkin::Ids {
    let scan: ScanIn = serde_json::from_value(item.clone()).expect("a scan");
    let scan = scan.parse(chrono::Utc::now()).expect("a good scan");
    let (table, session) = (event.table.parse(), scanner.id().await.parse());
    scan.own_ids(table.expect("an id"), session.expect("an id"))
}

fn walk_in(name: &str) -> Value {
    json!({"walk_in": {"name": name, "barcode": "BAND", "category": "late"}})
}

#[tokio::test]
async fn walk_ins_with_one_wristband_are_all_inside_and_leave_by_it() {
    for order in [[0, 1, 2], [2, 1, 0]] {
        let event = Event::with_guests(["Ada"]).open().await;
        let (one, two) = (event.phone("one"), event.phone("two"));
        let eve = admitted("18:00:00", walk_in("Eve"));
        let bob = admitted("18:01:00", walk_in("Bob"));
        let row = row_of(&event, &two, &bob).await;
        let told = json!({"verdict": "accepted", "row_id": row,
                          "guest": {"name": "Bob", "category": "late"}});
        let leaves = json!({"barcode": "BAND", "direction": "exit", "offline": told});
        let leaves = admitted("18:02:00", leaves);
        for place in order {
            let (phone, item) = [(&one, &eve), (&two, &bob), (&two, &leaves)][place];
            let reply = sync(&event, phone, std::slice::from_ref(item)).await;
            assert_eq!(reply.at("/results/0/status"), json!(201), "{reply}");
            assert_eq!(reply.at("/results/0/answer/check_in/overrode"), Value::Null);
        }
        let dashboard = event.recorded().await;
        let dashboard = dashboard.counts(|c| c.checked_in == 2 && c.inside == 1 && c.walk_ins == 2);
        assert_eq!(dashboard.at("/unidentified"), json!(0));
        let exits = event.check_ins(&format!("row_id={row}")).await;
        let exit = exits.iter().find(|one| one["direction"] == "exit");
        assert_eq!(exit.expect("an exit")["row_data"]["name"], "Bob");
        event
            .door()
            .scan_with(json!({"barcode": "BAND"}))
            .await
            .refused("ambiguous");
        let client = event.client();
        let list = format!("/pulse/tables/{}/rows?q=BAND", event.table);
        let rows = client.get(&list).await.expect_status(200).list_at("/items");
        assert_eq!(rows.len(), 2, "both have it on the list");
    }
}

#[tokio::test]
async fn a_walk_in_who_got_a_guests_code_is_recorded_and_the_phone_is_told() {
    let event = Event::with_guests(["Ada"]).open().await;
    let body = json!({"walk_in": {"name": "Eve", "barcode": event.code("Ada")}});
    let reply = sync(&event, &event.door(), &[admitted("18:00:00", body)]).await;
    let answer = reply.at("/results/0/answer");
    assert_eq!(answer["verdict"], "accepted", "{reply}");
    assert_eq!(answer["warnings"], json!(["code_shared"]));
    event
        .recorded()
        .await
        .counts(|c| c.walk_ins == 1 && c.inside == 1);
}

#[tokio::test]
async fn a_guest_who_was_taken_off_the_list_meanwhile_is_recorded_as_having_been_let_in() {
    for how in ["removed first", "reported first"] {
        let event = Event::with_guests(["Ada", "Bob"]).open().await;
        let (code, row) = (event.code("Ada"), event.row_id("Ada"));
        let path = format!("/pulse/tables/{}/rows/{row}", event.table);
        let removed = how == "removed first";
        if removed {
            event.client().delete(&path).await.expect_status(204);
        }
        let items = [
            // A phone that says whom it took the code for, one that does not, and a name that was picked.
            admitted(
                "18:00:00",
                json!({"barcode": code, "offline": {"verdict": "accepted", "row_id": row}}),
            ),
            admitted("18:01:00", json!({"barcode": code})),
            admitted("18:02:00", json!({"row_id": row, "direction": "exit"})),
        ];
        let reply = sync(&event, &event.door(), &items).await;
        let overrode = if removed {
            json!("canceled")
        } else {
            Value::Null
        };
        for place in 0..items.len() {
            let answer = reply.at(&format!("/results/{place}/answer"));
            assert_eq!(answer["verdict"], "accepted", "{how}: {answer}");
            assert_eq!(answer["check_in"]["overrode"], overrode, "{how}");
            assert_eq!(answer["check_in"]["row_id"], json!(row), "{how}");
            assert_eq!(answer["guest"]["name"], "Ada", "{how}");
        }
        if !removed {
            event.client().delete(&path).await.expect_status(204);
        }
        let dashboard = event.recorded().await;
        let dashboard = dashboard.counts(|c| c.checked_in == 1 && c.inside == 0 && c.total == 1);
        assert_eq!(dashboard.at("/conflicts"), json!(1), "{how}");
        event
            .door()
            .scan_with(json!({"barcode": code}))
            .await
            .refused("unknown_code");
    }
}

#[tokio::test]
async fn who_nobody_can_name_is_counted_on_the_dashboard() {
    let event = Event::with_guests(["Ada"]).open().await;
    let item = admitted("18:00:00", json!({"barcode": "a stranger\'s"}));
    let reply = sync(&event, &event.door(), &[item]).await;
    assert_eq!(reply.at("/results/0/answer/reason"), "unknown_code");
    let dashboard = event.recorded().await;
    let dashboard = dashboard.counts(|c| c.checked_in == 0 && c.refused["unknown_code"] == 1);
    assert_eq!(dashboard.at("/unidentified"), json!(1));
}

/// A phone reports after the doors were closed for good.
#[tokio::test]
async fn a_queue_that_comes_after_check_in_was_disabled_is_taken() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let phone = event.phone("cellar");
    let client = phone.client().await;
    let path = format!("/pulse/{}", event.table);
    event.client().delete(&path).await.expect_status(204);
    let ada = admitted("18:00:00", json!({"barcode": event.code("Ada")}));
    let turned_away = json!({"barcode": event.code("Bob"), "nonce": "2", "scanned_at": NOON,
                             "offline": {"verdict": "refused", "reason": "event_not_open"}});
    let online = json!({"barcode": event.code("Bob"), "nonce": "3"});
    let undo = json!({"annul": ids_of(&event, &phone, &ada).await.check_in, "nonce": "u",
                      "annulled_at": "2024-06-01T18:05:00Z"});
    let reply = sync_by(&event, &client, &[ada, turned_away, online.clone(), undo]).await;
    let statuses: Vec<Value> = (0..4)
        .map(|place| reply.at(&format!("/results/{place}/status")))
        .collect();
    assert_eq!(json!(statuses), json!([201, 200, 409, 200]), "{reply}");
    assert_eq!(reply.at("/results/2/error/code"), "pulse_disabled");
    event
        .scan_by(&client, online)
        .await
        .problem(409, "pulse_disabled");
    let dashboard = event.recorded().await;
    dashboard.counts(|c| c.checked_in == 0 && c.refused["event_not_open"] == 1);
    let records = event.check_ins("verdict=accepted").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["annulled_at"], "2024-06-01T18:05:00.000Z");
}

/// What a phone undid comes with its queue, whatever the order of the items and however late.
#[tokio::test]
async fn what_a_phone_undid_without_a_connection_is_undone() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (one, two) = (event.phone("one"), event.phone("two"));
    let ada = admitted("18:00:00", json!({"barcode": event.code("Ada")}));
    let bob = admitted("18:00:30", json!({"barcode": event.code("Bob")}));
    let undo = |id: Uuid, at: &str| json!({"annul": id, "nonce": "u", "annulled_at": format!("2024-06-01T{at}Z")});
    let (ada_in, bob_in) = (
        ids_of(&event, &one, &ada).await.check_in,
        ids_of(&event, &one, &bob).await.check_in,
    );
    let later = admitted(
        "18:03:00",
        json!({"barcode": event.code("Ada"), "nonce": "b"}),
    );
    sync(&event, &two, &[later]).await;
    let items = [
        undo(ada_in, "18:02:00"),
        ada,
        bob,
        undo(bob_in, "18:20:00"),
        undo(Uuid::new_v4(), "18:02:00"),
        json!({"annul": ada_in, "nonce": "", "annulled_at": "1999-01-01T00:00:00Z"}),
    ];
    let first = sync(&event, &one, &items).await;
    let statuses: Vec<Value> = (0..items.len())
        .map(|place| first.at(&format!("/results/{place}/status")))
        .collect();
    assert_eq!(
        json!(statuses),
        json!([200, 201, 201, 403, 404, 422]),
        "{first}"
    );
    assert_eq!(first.at("/results/3/error/code"), "too_late");
    let pointers = first.at("/results/5/error/errors");
    assert_eq!(pointers[0]["pointer"], "/annulled_at", "{first}");
    assert_eq!(pointers[1]["pointer"], "/nonce", "{first}");
    let again = sync(&event, &one, &items).await;
    assert_eq!(again.at("/seq"), first.at("/seq"));
    assert_eq!(again.at("/results/0/replayed"), true);
    let dashboard = event.recorded().await;
    let dashboard = dashboard.counts(|c| c.checked_in == 2 && c.inside == 2);
    assert_eq!(dashboard.at("/conflicts"), json!(0), "two stands alone now");
    let conflicts = event.check_ins("").await;
    assert!(conflicts.iter().all(|one| one["conflict"].is_null()));
}

/// Over a socket as over HTTP; a guest's phone undoes nothing.
#[tokio::test]
async fn only_who_may_undo_undoes_by_a_report() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let key = event.client().get(&format!("/pulse/{}", event.table)).await;
    let key = key.text_at("/guest_key");
    let guest = Client::anonymous().with_token(&format!("guest_{key}.{}", Uuid::new_v4()));
    let undo = |id: &Value| json!({"annul": id, "nonce": "u", "annulled_at": NOON});
    let body = json!({"barcode": event.code("Ada")});
    let theirs = sync_by(&event, &guest, &[admitted("11:59:00", body.clone())]).await;
    let id = theirs.at("/results/0/answer/check_in/id");
    let refused = sync_by(&event, &guest, &[undo(&id)]).await;
    assert_eq!(refused.at("/results/0/status"), 403, "{refused}");
    let phone = event.phone("one");
    let other = sync(&event, &phone, &[undo(&id)]).await;
    assert_eq!(other.at("/results/0/error/code"), "other_device");

    let token = phone.session().await["token"].clone();
    let token = token.as_str().expect("a token");
    let mut socket = Socket::connect(&event.live_path(), token).await;
    let items = json!([admitted("11:59:30", body)]);
    let synced = socket.request(json!({"sync": {"items": items}})).await;
    let id = synced["synced"]["results"][0]["answer"]["check_in"]["id"].clone();
    let items = json!([undo(&id)]);
    let synced = socket.request(json!({"sync": {"items": items}})).await;
    assert_eq!(synced["synced"]["results"][0]["status"], 200, "{synced}");
    event.recorded().await.counts(|c| c.checked_in == 1);
}

/// Neither has a name that the team gave it; the people who hold them have.
#[tokio::test]
async fn two_guests_phones_that_let_one_ticket_in_are_named() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let key = event.client().get(&format!("/pulse/{}", event.table)).await;
    let key = key.text_at("/guest_key");
    let report = async |name: &str, clock: &str| {
        let device = Uuid::new_v4();
        let phone = Client::anonymous().with_token(&format!("guest_{key}.{device}"));
        let scanner = json!({"name": name, "email": format!("{name}@x.test")});
        let item = json!({"barcode": event.code("Ada"), "scanner": scanner});
        (
            device,
            sync_by(&event, &phone, &[admitted(clock, item)]).await,
        )
    };
    report("Ann", "18:01:00").await;
    let (ben, _) = report("Ben", "18:00:00").await;
    let (_, third) = report("Cleo", "18:02:00").await;
    let told = third.at("/results/0/answer/check_in/conflict");
    assert_eq!(told["scanner"], "Ben", "{third}");
    assert_eq!(
        (&told["session_id"], &told["device"]),
        (&Value::Null, &Value::Null)
    );
    assert!(told["actor_id"].is_string(), "{told}");
    assert!(
        !third.text().contains(&ben.to_string()),
        "a phone proves itself with it"
    );
    assert!(!third.text().contains("Ben@x.test"), "{third}");
    event.recorded().await.counts(|c| c.checked_in == 1);
    let records = event.check_ins("").await;
    let of = |name: &str| records.iter().find(|one| one["scanner_name"] == name);
    for loser in ["Ann", "Cleo"] {
        let conflict = &of(loser).expect("a record")["conflict"];
        assert_eq!(conflict["scanner"], "Ben");
        assert_eq!(conflict["actor_id"], told["actor_id"]);
    }
    assert_eq!(of("Ben").expect("a record")["conflict"], Value::Null);
}

#[tokio::test]
async fn what_a_report_says_of_a_guest_is_checked() {
    let event = Event::with_guests(["Ada"]).open().await;
    let told = |guest: Value| {
        let offline = json!({"verdict": "accepted", "row_id": Uuid::new_v4(), "guest": guest});
        admitted("18:00:00", json!({"barcode": "X", "offline": offline}))
    };
    let items = [
        told(json!({"name": " ", "category": "x".repeat(81), "party": 0})),
        told(json!({"name": "Eve", "color": "red"})),
        told(json!({"name": "Eve", "party": 3})),
    ];
    let reply = sync(&event, &event.door(), &items).await;
    let errors = reply.at("/results/0/error/errors");
    let pointers: Vec<&Value> = (0..3).map(|place| &errors[place]["pointer"]).collect();
    let expected = ["party", "name", "category"].map(|it| json!(format!("/offline/guest/{it}")));
    assert_eq!(pointers, expected.each_ref(), "{reply}");
    let unknown = reply.at("/results/1/error/errors/0/pointer");
    assert_eq!(unknown, "/offline/guest/color");
    assert_eq!(reply.at("/results/2/answer/arrived"), 3, "{reply}");
}

/// A phone asks, does not hear the answer, decides by itself and reports: what it told the guest
/// stands, and its record has the id that the phone knows.
#[tokio::test]
async fn what_a_phone_told_a_guest_holds_though_it_had_been_answered() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let phone = event.phone("one");
    event.door().scan("Ada").await.accepted();
    let told = [
        ("Ada", json!({"verdict": "accepted"}), "duplicate"),
        (
            "Bob",
            json!({"verdict": "refused", "reason": "wrong_gate"}),
            "accepted",
        ),
        ("Cleo", json!({"verdict": "accepted"}), "accepted"),
    ];
    let mut items = Vec::new();
    for (name, offline, answered) in &told {
        let asked = json!({"barcode": event.code(name), "nonce": *name, "scanned_at": NOON});
        let answer = phone.scan_with(asked.clone()).await;
        assert_eq!(answer.at("/verdict"), json!(*answered), "{name}");
        let mut item = asked;
        item["offline"] = offline.clone();
        items.push(item);
    }
    let own = ids_of(&event, &phone, &items[2]).await.check_in;
    let first = sync(&event, &phone, &items).await;
    for (place, (name, offline, _)) in told.iter().enumerate() {
        let answer = first.at(&format!("/results/{place}/answer"));
        assert_eq!(answer["verdict"], offline["verdict"], "{name}: {answer}");
    }
    assert_eq!(first.at("/results/2/replayed"), json!(true));
    assert_eq!(first.at("/results/2/answer/check_in/id"), json!(own));
    let again = sync(&event, &phone, &items).await;
    assert_eq!(again.at("/seq"), first.at("/seq"));
    for place in 0..told.len() {
        let at = format!("/results/{place}/answer");
        assert_eq!(again.at(&at), first.at(&at));
    }
    let dashboard = event.recorded().await;
    let dashboard = dashboard.counts(|c| c.checked_in == 2 && c.inside == 2);
    assert_eq!(dashboard.at("/conflicts"), json!(1), "Ada went in twice");
    let undo = json!({"annul": own, "nonce": "u", "annulled_at": NOON});
    let undone = sync(&event, &phone, &[undo]).await;
    assert_eq!(undone.at("/results/0/status"), json!(200), "{undone}");
    event.recorded().await.counts(|c| c.checked_in == 1);
}
