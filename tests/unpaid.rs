//! Tickets that are not paid for: refused, unless table and scanner agree to let them in.
//!
//! Invariant: that a ticket is not paid for is told before anything that gate or hour say.
//! Failure: each test names the answer that came instead.

use pulse_tests::prelude::*;

fn unpaid(name: &str) -> Value {
    json!({"name": name, "status": "unpaid"})
}

fn ignoring(event: &Event, guest: &str) -> Value {
    json!({"barcode": event.code(guest), "ignore_unpaid": true})
}

/// 10: an unpaid ticket is refused and recorded.
#[tokio::test]
async fn a_ticket_that_is_not_paid_for_is_refused() {
    let event = Event::with_guests([""; 0])
        .guest(unpaid("Ada"))
        .open()
        .await;
    let answer = event.door().scan("Ada").await.refused("unpaid");
    answer.explains("not paid").has("/guest/status", "unpaid");
    event
        .recorded()
        .await
        .counts(|c| c.checked_in == 0 && c.refused["unpaid"] == 1);
    assert_eq!(
        event.check_ins("verdict=refused").await[0]["reason"],
        "unpaid"
    );
    event.change("Ada", json!({"status": "confirmed"})).await;
    event.door().scan("Ada").await.accepted();
}

/// 11: ignoring it needs the list's flag; the flag alone ignores nothing.
#[tokio::test]
async fn ignoring_that_needs_the_tables_setting_and_the_scans_word() {
    let event = Event::with_guests([""; 0])
        .guest(unpaid("Ada"))
        .open()
        .await;
    let door = event.door();
    door.scan_with(ignoring(&event, "Ada"))
        .await
        .refused("unpaid");
    event
        .configure(json!({"settings": {"admit_unpaid": true}}))
        .await;
    door.scan("Ada").await.refused("unpaid");
    let answer = door.scan_with(ignoring(&event, "Ada")).await.accepted();
    answer
        .has("/check_in/forced", false)
        .has("/guest/status", "unpaid");
    door.scan_with(ignoring(&event, "Ada")).await.duplicate();
    let mut out = ignoring(&event, "Ada");
    out["direction"] = json!("exit");
    door.exit("Ada").await.refused("unpaid");
    door.scan_with(out).await.accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 0);
}

/// 10: it comes before what gate and hour say, and other statuses are not ignored with it.
#[tokio::test]
async fn that_it_is_not_paid_for_comes_first() {
    let settings = json!({"admit_unpaid": true, "closes_at": "2024-01-01T00:00:00Z"});
    let event = Event::with_guests([""; 0])
        .guest(unpaid("Ada"))
        .settings(settings);
    let event = event
        .guest(json!({"name": "Bob", "status": "blocked"}))
        .open()
        .await;
    let door = event.door();
    door.scan("Ada").await.refused("unpaid");
    door.scan_with(ignoring(&event, "Ada"))
        .await
        .refused("event_not_open");
    door.scan_with(ignoring(&event, "Bob"))
        .await
        .refused("blocked");
}

/// 10: what already happened is recorded.
#[tokio::test]
async fn force_admits_who_has_not_paid_and_says_so() {
    let event = Event::with_guests([""; 0])
        .guest(unpaid("Ada"))
        .open()
        .await;
    let answer = event.door().force("Ada").await.accepted();
    answer
        .has("/check_in/overrode", "unpaid")
        .has("/check_in/forced", true);
}

/// 10: imports know who has not paid, by a column of its own or by the status.
#[tokio::test]
async fn imports_tell_who_has_not_paid() {
    let event = Event::with_guests([""; 0]).open().await;
    let path = format!("/pulse/tables/{}", event.table);
    let csv = "Attendee name,Secret,Paid,Blocked\nAda,a,No,\nBob,b,Yes,\nCleo,c,No,Yes\n";
    let other = "Name,Code,Status\nDan,d,Unpaid\nEve,e,n\nFay,f,awaiting payment\nGus,g,pending\n";
    for file in [csv, other] {
        let import = event.client().call("POST", &format!("{path}/import"));
        import.body("text/csv", file).await.expect_status(200);
    }
    let door = event.door();
    for code in ["a", "d", "e", "f"] {
        door.scan(code).await.refused("unpaid");
    }
    for code in ["c", "g"] {
        door.scan(code).await.refused("blocked");
    }
    door.scan("b").await.accepted();
    let found = event
        .client()
        .get(&format!("{path}/rows?status=unpaid"))
        .await;
    assert_eq!(found.expect_status(200).list_at("/items").len(), 4);
    let export = event.client().get(&format!("{path}/export")).await.text();
    assert!(export.contains("Ada,,a,,unpaid,"), "{export}");
}
