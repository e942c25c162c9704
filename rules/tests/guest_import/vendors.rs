//! Files as vendors export them.

use super::*;

#[test]
fn pretix_order_positions() {
    let list = csv("pretix_positions.csv");
    assert_eq!((list.guests, list.bad), (7, 0));
    let ines = guest(&list, 2);
    assert_eq!(
        (ines.name.as_str(), ines.email.as_deref()),
        ("Ines Holm", Some("ines@holm.example.org"))
    );
    assert_eq!(
        ines.barcode.as_deref(),
        Some("k7dq2mfy4zx8w1rbtnc5hpjv3sga9ule")
    );
    assert_eq!(
        (ines.category.as_deref(), ines.status),
        (Some("Day ticket"), Status::Confirmed)
    );
    assert_eq!(ines.data["Order code"], "A7K3Q");
    let jon = guest(&list, 3);
    assert_eq!(
        (jon.name.as_str(), jon.email.as_deref()),
        ("Jon Holm", Some("ines.holm@example.org"))
    );
    assert_eq!(jon.data["Dietary requirements"], "vegan\nno nuts");
    // The record before spans two lines.
    assert_eq!(guest(&list, 5).status, Status::Blocked, "not paid yet");
    assert_eq!(
        guest(&list, 5).data["Order comment"],
        "called, will pay \"on site\""
    );
    assert_eq!(guest(&list, 6).status, Status::Canceled);
    assert_eq!(
        guest(&list, 7).status,
        Status::Blocked,
        "paid, but marked as blocked"
    );
    let evening = guest(&list, 8);
    assert_eq!(
        evening.name, "Ramón Vidal",
        "the name of the invoice stands in"
    );
    assert_eq!(evening.valid_from, at("2026-06-01T16:00:00Z"));
    assert_eq!(evening.valid_until, at("2026-06-01T21:30:00Z"));
    assert_eq!(
        guest(&list, 9).status,
        Status::Canceled,
        "the order expired"
    );
    assert_eq!(list.mapping["email"], ["Attendee email", "Email"]);
    assert_eq!(list.lines, 9);
}

#[test]
fn a_pretix_check_in_list_in_german_with_semicolons_and_crlf() {
    let list = csv("pretix_checkinlist_de.csv");
    assert_eq!((list.guests, list.bad), (5, 0));
    let juergen = guest(&list, 2);
    assert_eq!(
        (juergen.name.as_str(), juergen.category.as_deref()),
        ("Jürgen Groß", Some("Tagesticket – ermäßigt"))
    );
    assert_eq!(
        (juergen.status, juergen.attention_note.as_deref()),
        (Status::Confirmed, None)
    );
    let zoe = guest(&list, 3);
    assert_eq!(
        (zoe.name.as_str(), zoe.barcode.as_deref()),
        ("Zoë Weiß", Some("p3xw8cby5nqk2hzt7gmd4rvf9jsl1uae"))
    );
    assert_eq!(
        zoe.attention_note.as_deref(),
        Some("Begleitperson im Rollstuhl,\nEingang Süd"),
        "the comment of an order that is marked"
    );
    assert_eq!(zoe.data["Firma"], "Weiß & Söhne; Bau");
    // The record before spans two lines.
    let kaethe = guest(&list, 5);
    assert_eq!(
        (kaethe.status, kaethe.attention_note.as_deref()),
        (Status::Unpaid, Some("Requires special attention"))
    );
    assert_eq!(kaethe.data["bezahlt"], "Nein");
    let anneliese = guest(&list, 6);
    assert_eq!(
        anneliese.attention_note.as_deref(),
        Some("Ausweis zeigen lassen"),
        "the text for the door"
    );
    assert_eq!(anneliese.valid_from, at("2026-06-01T16:00:00Z"));
    assert_eq!(anneliese.valid_until, at("2026-06-01T21:30:00Z"));
    assert_eq!(guest(&list, 7).status, Status::Blocked);
    assert_eq!(list.mapping["name"], ["Name Teilnehmer*in"]);
}

#[test]
fn an_eventbrite_attendee_report() {
    let list = csv("eventbrite_attendees.csv");
    // The header spans two lines, and so does the first record.
    let grace = guest(&list, 3);
    assert_eq!(
        (grace.name.as_str(), grace.status),
        ("Grace Adeyemi", Status::Confirmed)
    );
    assert_eq!(
        grace.data["How did you hear about us?\n(choose one)"],
        "A friend\r\nat work"
    );
    let asked = guest(&list, 5);
    assert_eq!(
        (asked.name.as_str(), asked.email.as_deref()),
        ("1121191224318441583424001", None)
    );
    let dj = guest(&list, 6);
    assert_eq!(
        (dj.name.as_str(), dj.category.as_deref()),
        ("Dae-jung \"DJ\" Park", Some("VIP, backstage"))
    );
    assert_eq!(
        dj.status,
        Status::Confirmed,
        "checked in there does not count here"
    );
    assert_eq!(guest(&list, 7).status, Status::Canceled);
    assert_eq!(guest(&list, 10).status, Status::Canceled);
    assert_eq!(
        problems(&list),
        [
            "8 barcode duplicate_code",
            "9 barcode rounded_code",
            "9 email invalid_email"
        ]
    );
    let Some(Parsed::Bad { problems, .. }) = list
        .parsed
        .iter()
        .find(|p| matches!(p, Parsed::Bad { line: 8, .. }))
    else {
        panic!("line 8");
    };
    assert!(
        problems[0].message.contains("line 3"),
        "{}",
        problems[0].message
    );
    assert_eq!(list.mapping["barcode"], ["Barcode #"]);
}

#[test]
fn a_luma_guest_list() {
    let list = csv("luma_guests.csv");
    assert_eq!((list.guests, list.bad), (6, 0));
    let mei = guest(&list, 2);
    assert_eq!(
        mei.barcode.as_deref(),
        Some("https://lu.ma/check-in/evt-NKXctR3fMVfX24o?pk=g-2U61lr65dtD1YXI")
    );
    assert_eq!(
        (mei.name.as_str(), mei.category.as_deref()),
        ("Mei Tanaka", Some("Standard"))
    );
    assert_eq!(mei.data["phone_number"], "+81 3 5550 1234");
    assert_eq!(guest(&list, 4).name, "Kofi Mensah");
    let lurker = guest(&list, 5);
    assert_eq!(
        (lurker.name.as_str(), lurker.status),
        ("lurker@example.net", Status::Blocked)
    );
    assert_eq!(
        lurker.barcode.as_deref(),
        Some("gst-3bVnM8cXzL1kJhG"),
        "no QR code yet"
    );
    assert_eq!(guest(&list, 6).status, Status::Canceled);
    assert_eq!(guest(&list, 7).status, Status::Blocked);
}

#[test]
fn a_spreadsheet_of_western_europe() {
    let list = csv("excel_western.csv");
    assert_eq!((list.guests, list.bad), (3, 0));
    let zoe = guest(&list, 3);
    assert_eq!(
        (zoe.name.as_str(), zoe.barcode.as_deref()),
        ("Zoë Müller", Some("00071"))
    );
    assert_eq!(zoe.category.as_deref(), Some("Präsidium"));
    assert_eq!(
        zoe.valid_until,
        at("2026-06-01T21:59:59.999Z"),
        "the whole day"
    );
    assert_eq!(zoe.data["Notiz"], "5 € Pfand – ok");
    assert_eq!(guest(&list, 4).name, "Ölaf Straße");
    let aenne = guest(&list, 6);
    assert_eq!(
        (aenne.name.as_str(), aenne.barcode.as_deref()),
        ("Änne Weiß", Some("+49171"))
    );
    assert_eq!(aenne.valid_until, at("2026-06-01T16:00:00Z"));
}

#[test]
fn json_arrays_and_lines() {
    let list = read(Format::Json, &berlin(), &[&fixture("guests.json")]).expect("json");
    let ada = guest(&list, 1);
    assert_eq!(
        (ada.name.as_str(), ada.barcode.as_deref(), ada.status),
        ("Ada Byron", Some("1001"), Status::Confirmed)
    );
    assert_eq!(
        (ada.data["company"].as_str(), ada.data["table"].as_i64()),
        (Some("Engines Ltd"), Some(4))
    );
    assert_eq!(guest(&list, 2).name, "Blaise P.");
    assert_eq!(guest(&list, 2).data["tags"][0], "press");
    assert_eq!(
        problems(&list),
        [
            "3 barcode duplicate_code",
            "4 status unknown_status",
            "4 valid_until invalid_time",
            "5 name wrong_type",
            "5 - empty_guest"
        ]
    );
    let lines = read(Format::Ndjson, &berlin(), &[&fixture("guests.ndjson")]).expect("ndjson");
    assert_eq!(
        (
            lines.guests,
            guest(&lines, 1).name.as_str(),
            guest(&lines, 6).name.as_str()
        ),
        (2, "Ada", "Dana")
    );
    assert_eq!(
        problems(&lines),
        [
            "3 - malformed_json",
            "4 barcode duplicate_code",
            "5 - malformed_json"
        ]
    );
}
