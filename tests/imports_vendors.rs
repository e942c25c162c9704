//! Import of guest lists as ticket vendors, and Pulse itself, export them.
//!
//! Invariant: the files are as the vendors write them, not tidied for us.
//! Failure: each test names what it found instead.

use crate::imports::{CSV, import, rows};
use pulse_tests::prelude::*;

/// pretix, check-in list as CSV with semicolons.
#[tokio::test]
async fn a_pretix_export_is_taken_as_it_comes() {
    let tenant = Tenant::new().await;
    let table = tenant.table("Europe/Berlin").await;
    let csv = "\u{feff}\"Order code\";\"Attendee name\";\"Product\";\"Price\";\"Checked in\";\"Automatically checked in\";\"Secret\";\"E-mail\";\"Company\";\"Voucher code\";\"Order date\";\"Order time\";\"Requires special attention\";\"Comment\";\"Status\"\r\n\
        \"ABC12\";\"Peter Müller\";\"Standard ticket\";\"23,00\";\"\";\"\";\"hutjztuxhkbtwnesv2suqv26k6ttytxx\";\"peter@example.test\";\"\";\"\";\"2026-03-01\";\"10:00:00\";\"No\";\"\";\"Paid\"\r\n\
        \"ABC13\";\"Michael, \"\"Mike\"\"\";\"VIP\";\"99,00\";\"\";\"\";\"ggsngqtnmhx74jswjngw3fk8pfwz2a7k\";\"mike@example.test\";\"ACME; Inc.\";\"\";\"2026-03-02\";\"11:30:00\";\"Yes\";\"wheelchair\";\"Paid\"\r\n";
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let rows = rows(&tenant, &table).await;
    let peter = &rows["Peter Müller"];
    assert_eq!(peter["barcode"], "hutjztuxhkbtwnesv2suqv26k6ttytxx");
    assert_eq!(
        (&peter["email"], &peter["category"]),
        (&json!("peter@example.test"), &json!("Standard ticket"))
    );
    assert_eq!(peter["status"], "confirmed");
    assert!(peter["attention_note"].is_null(), "{peter}");
    let mike = &rows["Michael, \"Mike\""];
    assert_eq!(
        (&mike["category"], &mike["attention_note"]),
        (&json!("VIP"), &json!("wheelchair"))
    );
}

/// pretix in German: other headers, and a ticket that is marked for the door.
#[tokio::test]
async fn a_german_pretix_export_keeps_its_marks_for_the_door() {
    let tenant = Tenant::new().await;
    let table = tenant.table("Europe/Berlin").await;
    let csv = include_str!("../rules/tests/fixtures/pretix_checkinlist_de.csv");
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let rows = rows(&tenant, &table).await;
    let of = |name: &str| (&rows[name]["status"], &rows[name]["attention_note"]);
    let note = "Begleitperson im Rollstuhl,\nEingang Süd";
    assert_eq!(of("Jürgen Groß"), (&json!("confirmed"), &Value::Null));
    assert_eq!(of("Zoë Weiß"), (&json!("confirmed"), &json!(note)));
    let kaethe = (&json!("unpaid"), &json!("Requires special attention"));
    assert_eq!(of("Käthe Österreicher"), kaethe);
    assert_eq!(of("Anneliese Brandt").1, "Ausweis zeigen lassen");
    assert_eq!(of("Nils Aas").0, "blocked");
}

/// Eventbrite, attendee report: the name in two columns.
#[tokio::test]
async fn an_eventbrite_export_is_taken_as_it_comes() {
    let tenant = Tenant::new().await;
    let table = tenant.table("America/New_York").await;
    let csv = "Order #,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Order Type,Total Paid,Attendee Status,Barcode #\n\
        1234567890,2026-03-01 10:00:00-05:00,Grace,Hopper,grace@example.test,1,General Admission,Eventbrite Completed,0.00,Attending,123456789010987654321001\n\
        1234567891,2026-03-01 10:05:00-05:00,Alan,Turing,alan@example.test,1,\"Early Bird, Balcony\",Refunded,0.00,Not Attending,123456789110987654321001\n";
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let rows = rows(&tenant, &table).await;
    let grace = &rows["Grace Hopper"];
    assert_eq!(grace["barcode"], "123456789010987654321001");
    assert_eq!(
        (&grace["category"], &grace["status"]),
        (&json!("General Admission"), &json!("confirmed"))
    );
    assert_eq!(rows["Alan Turing"]["status"], "canceled");
}

/// Luma, guest list: the code is in the address of the QR code.
#[tokio::test]
async fn a_luma_export_is_taken_as_it_comes() {
    let tenant = Tenant::new().await;
    let table = tenant.table("America/Los_Angeles").await;
    let csv = "api_id,name,first_name,last_name,email,phone_number,created_at,approval_status,checked_in_at,custom_source,qr_code_url,amount,ticket_name\n\
        gst-abc,Ada Lovelace,Ada,Lovelace,ada@example.test,,2026-03-01T10:00:00.000Z,approved,,,https://lu.ma/check-in/evt-XYZ?pk=g-AAA111,$0.00,Standard\n\
        gst-def,Bob Bell,Bob,Bell,bob@example.test,,2026-03-01T11:00:00.000Z,declined,,,https://lu.ma/check-in/evt-XYZ?pk=g-BBB222,$0.00,Standard\n";
    import(&tenant, &table, "", CSV, csv)
        .await
        .expect_status(200);
    let rows = rows(&tenant, &table).await;
    let ada = &rows["Ada Lovelace"];
    assert_eq!(
        (&ada["email"], &ada["category"]),
        (&json!("ada@example.test"), &json!("Standard"))
    );
    assert_eq!(
        ada["barcode"], "https://lu.ma/check-in/evt-XYZ?pk=g-AAA111",
        "what its QR code holds"
    );
    assert_eq!(
        (&ada["status"], &rows["Bob Bell"]["status"]),
        (&json!("confirmed"), &json!("canceled"))
    );
}

#[tokio::test]
async fn an_export_can_be_imported_again_and_gives_the_same_rows() {
    let tenant = Tenant::new().await;
    let (table, copy) = (tenant.table("UTC").await, tenant.table("UTC").await);
    let guests = json!([
        {"name": "Quote \" and ; and ,", "email": "q@x.test", "barcode": "=1+1", "category": "vip"},
        {"name": "Zoë\nNewline", "barcode": "0002", "status": "canceled", "attention_note": "be kind"},
        {"name": "@SUM(A1)", "barcode": "-3", "valid_from": "2026-05-01T10:00:00.000Z", "party": 7},
    ]);
    import(&tenant, &table, "", "application/json", guests.to_string())
        .await
        .expect_status(200);
    let path = format!("/pulse/tables/{table}/export");
    let export = tenant.client().get(&path).await.expect_status(200);
    assert!(
        export
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/csv"))
    );
    import(&tenant, &copy, "", CSV, export.text())
        .await
        .expect_status(200);
    let (before, after) = (rows(&tenant, &table).await, rows(&tenant, &copy).await);
    for (name, row) in &before {
        for field in [
            "email",
            "barcode",
            "category",
            "status",
            "valid_from",
            "valid_until",
            "attention_note",
            "party",
        ] {
            assert_eq!(row[field], after[name][field], "{field} of {name}");
        }
    }
    assert_eq!(before.len(), after.len());
}
