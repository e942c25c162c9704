//! Guest lists as vendors export them, with invented people, and every way to cut a file in chunks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rules::checkin::guest::Status;
use rules::civil::Zone;
use rules::export::{self, GuestOut, Reader};
use rules::guest_import::{
    Duplicates, Finished, Format, Importer, MAX_BYTES, MAX_ROWS, Options, Parsed, Problem,
};
use rules::guest_row::NewGuest;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).expect(name)
}

fn berlin() -> Options {
    static ZONE: LazyLock<Zone> = LazyLock::new(|| Zone::parse("Europe/Berlin").expect("a zone"));
    Options { zone: ZONE.clone(), ..Options::default() }
}

fn read(format: Format, options: &Options, chunks: &[&[u8]]) -> Result<Finished, Problem> {
    let mut importer = Importer::new(format, options.clone()).expect("a map");
    let mut parsed = Vec::new();
    for chunk in chunks {
        parsed.extend(importer.push(chunk)?);
    }
    let finished = importer.finish()?;
    parsed.extend(finished.parsed);
    Ok(Finished { parsed, ..finished })
}

fn csv(name: &str) -> Finished {
    read(Format::Csv, &berlin(), &[&fixture(name)]).expect(name)
}

fn text(text: &str) -> Result<Finished, Problem> {
    read(Format::Csv, &berlin(), &[text.as_bytes()])
}

fn guest(finished: &Finished, line: u32) -> &NewGuest {
    let found = finished.parsed.iter().find_map(|parsed| match parsed {
        Parsed::Guest { line: at, guest, .. } if *at == line => Some(&**guest),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no guest on line {line}: {:#?}", finished.parsed))
}

/// `line field code` of all that is wrong.
fn problems(finished: &Finished) -> Vec<String> {
    let wrong = finished.parsed.iter().filter_map(|parsed| match parsed {
        Parsed::Bad { problems, .. } => Some(problems),
        Parsed::Guest { .. } => None,
    });
    wrong.flatten().map(|p| format!("{} {} {}", p.line, p.field.as_deref().unwrap_or("-"), p.code)).collect()
}

fn at(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    rules::time::try_parse(text)
}

#[test]
fn pretix_order_positions() {
    let list = csv("pretix_positions.csv");
    assert_eq!((list.guests, list.bad), (7, 0));
    let ines = guest(&list, 2);
    assert_eq!((ines.name.as_str(), ines.email.as_deref()), ("Ines Holm", Some("ines@holm.example.org")));
    assert_eq!(ines.barcode.as_deref(), Some("k7dq2mfy4zx8w1rbtnc5hpjv3sga9ule"));
    assert_eq!((ines.category.as_deref(), ines.status), (Some("Day ticket"), Status::Confirmed));
    assert_eq!(ines.data["Order code"], "A7K3Q");
    let jon = guest(&list, 3);
    assert_eq!((jon.name.as_str(), jon.email.as_deref()), ("Jon Holm", Some("ines.holm@example.org")));
    assert_eq!(jon.data["Dietary requirements"], "vegan\nno nuts");
    // The record before spans two lines.
    assert_eq!(guest(&list, 5).status, Status::Blocked, "not paid yet");
    assert_eq!(guest(&list, 5).data["Order comment"], "called, will pay \"on site\"");
    assert_eq!(guest(&list, 6).status, Status::Canceled);
    assert_eq!(guest(&list, 7).status, Status::Blocked, "paid, but marked as blocked");
    let evening = guest(&list, 8);
    assert_eq!(evening.name, "Ramón Vidal", "the name of the invoice stands in");
    assert_eq!(evening.valid_from, at("2026-06-01T16:00:00Z"));
    assert_eq!(evening.valid_until, at("2026-06-01T21:30:00Z"));
    assert_eq!(guest(&list, 9).status, Status::Canceled, "the order expired");
    assert_eq!(list.mapping["email"], ["Attendee email", "Email"]);
    assert_eq!(list.lines, 9);
}

#[test]
fn a_pretix_check_in_list_in_german_with_semicolons_crlf_and_a_mark() {
    let list = csv("pretix_checkinlist_de.csv");
    assert_eq!((list.guests, list.bad), (3, 0), "the blank line is no guest");
    let juergen = guest(&list, 2);
    assert_eq!((juergen.name.as_str(), juergen.category.as_deref()), ("Jürgen Groß", Some("Tagesticket – ermäßigt")));
    assert_eq!((juergen.status, juergen.attention_note.as_deref()), (Status::Confirmed, None));
    let zoe = guest(&list, 3);
    assert_eq!((zoe.name.as_str(), zoe.barcode.as_deref()), ("Weiß; Zoë", Some("p3xw8cby5nqk2hzt")));
    assert_eq!(zoe.attention_note.as_deref(), Some("Begleitperson im Rollstuhl,\nEingang Süd"));
    let kaethe = guest(&list, 5);
    assert_eq!((kaethe.status, kaethe.attention_note.as_deref()), (Status::Blocked, Some("Requires special attention")));
    assert_eq!(kaethe.data["Bezahlt"], "Nein");
}

#[test]
fn an_eventbrite_attendee_report() {
    let list = csv("eventbrite_attendees.csv");
    // The header spans two lines, and so does the first record.
    let grace = guest(&list, 3);
    assert_eq!((grace.name.as_str(), grace.status), ("Grace Adeyemi", Status::Confirmed));
    assert_eq!(grace.data["How did you hear about us?\n(choose one)"], "A friend\r\nat work");
    let asked = guest(&list, 5);
    assert_eq!((asked.name.as_str(), asked.email.as_deref()), ("1121191224318441583424001", None));
    let dj = guest(&list, 6);
    assert_eq!((dj.name.as_str(), dj.category.as_deref()), ("Dae-jung \"DJ\" Park", Some("VIP, backstage")));
    assert_eq!(dj.status, Status::Confirmed, "checked in there does not count here");
    assert_eq!(guest(&list, 7).status, Status::Canceled);
    assert_eq!(guest(&list, 10).status, Status::Canceled);
    assert_eq!(problems(&list), ["8 barcode duplicate_code", "9 barcode rounded_code", "9 email invalid_email"]);
    let Some(Parsed::Bad { problems, .. }) = list.parsed.iter().find(|p| matches!(p, Parsed::Bad { line: 8, .. })) else {
        panic!("line 8");
    };
    assert!(problems[0].message.contains("line 3"), "{}", problems[0].message);
    assert_eq!(list.mapping["barcode"], ["Barcode #"]);
}

#[test]
fn a_luma_guest_list() {
    let list = csv("luma_guests.csv");
    assert_eq!((list.guests, list.bad), (6, 0));
    let mei = guest(&list, 2);
    assert_eq!(mei.barcode.as_deref(), Some("https://lu.ma/check-in/evt-NKXctR3fMVfX24o?pk=g-2U61lr65dtD1YXI"));
    assert_eq!((mei.name.as_str(), mei.category.as_deref()), ("Mei Tanaka", Some("Standard")));
    assert_eq!(mei.data["phone_number"], "+81 3 5550 1234");
    assert_eq!(guest(&list, 4).name, "Kofi Mensah");
    let lurker = guest(&list, 5);
    assert_eq!((lurker.name.as_str(), lurker.status), ("lurker@example.net", Status::Blocked));
    assert_eq!(lurker.barcode.as_deref(), Some("gst-3bVnM8cXzL1kJhG"), "no QR code yet");
    assert_eq!(guest(&list, 6).status, Status::Canceled);
    assert_eq!(guest(&list, 7).status, Status::Blocked);
}

#[test]
fn a_spreadsheet_of_western_europe() {
    let list = csv("excel_western.csv");
    assert_eq!((list.guests, list.bad), (3, 0));
    let zoe = guest(&list, 3);
    assert_eq!((zoe.name.as_str(), zoe.barcode.as_deref()), ("Zoë Müller", Some("00071")));
    assert_eq!(zoe.category.as_deref(), Some("Präsidium"));
    assert_eq!(zoe.valid_until, at("2026-06-01T21:59:59.999Z"), "the whole day");
    assert_eq!(zoe.data["Notiz"], "5 € Pfand – ok");
    assert_eq!(guest(&list, 4).name, "Ölaf Straße");
    let aenne = guest(&list, 6);
    assert_eq!((aenne.name.as_str(), aenne.barcode.as_deref()), ("Änne Weiß", Some("+49171")));
    assert_eq!(aenne.valid_until, at("2026-06-01T16:00:00Z"));
}

#[test]
fn json_arrays_and_lines() {
    let list = read(Format::Json, &berlin(), &[&fixture("guests.json")]).expect("json");
    let ada = guest(&list, 1);
    assert_eq!((ada.name.as_str(), ada.barcode.as_deref(), ada.status), ("Ada Byron", Some("1001"), Status::Confirmed));
    assert_eq!((ada.data["company"].as_str(), ada.data["table"].as_i64()), (Some("Engines Ltd"), Some(4)));
    assert_eq!(guest(&list, 2).name, "Blaise P.");
    assert_eq!(guest(&list, 2).data["tags"][0], "press");
    assert_eq!(
        problems(&list),
        ["3 barcode duplicate_code", "4 status unknown_status", "4 valid_until invalid_time", "5 name wrong_type", "5 - empty_guest"]
    );
    let lines = read(Format::Ndjson, &berlin(), &[&fixture("guests.ndjson")]).expect("ndjson");
    assert_eq!((lines.guests, guest(&lines, 1).name.as_str(), guest(&lines, 6).name.as_str()), (2, "Ada", "Dana"));
    assert_eq!(problems(&lines), ["3 - malformed_json", "4 barcode duplicate_code", "5 - malformed_json"]);
}

#[test]
fn any_cut_of_any_file_gives_the_same_guests() {
    let files = [
        ("pretix_positions.csv", Format::Csv), ("pretix_checkinlist_de.csv", Format::Csv), ("eventbrite_attendees.csv", Format::Csv),
        ("luma_guests.csv", Format::Csv), ("excel_western.csv", Format::Csv), ("guests.json", Format::Json),
        ("guests.ndjson", Format::Ndjson),
    ];
    for (name, format) in files {
        let bytes = fixture(name);
        let whole = read(format, &berlin(), &[&bytes]).expect(name);
        // Within a word a cut is a cut; everywhere else each one is tried.
        let plain = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        for cut in (0..=bytes.len()).filter(|cut| cut % 16 == 0 || !plain(*cut) || !plain(cut.saturating_sub(1))) {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(read(format, &berlin(), &[left, right]).expect(name), whole, "{name} cut at {cut}");
        }
        for size in [1, 2, 3, 7, 64] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(read(format, &berlin(), &chunks).expect(name), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn any_cut_of_a_broken_file_gives_the_same_refusal() {
    let files: [(&[u8], Format); 9] = [
        (b"name,code\nAda,1\nBob,\"2\nCleo,3\n", Format::Csv),
        (b"\xff\xfen\0a\0m\0e\0\n\0", Format::Csv),
        (b"n\0a\0m\0e\0,\0\n\0", Format::Csv),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\n", Format::Csv),
        (b"Ada,ada@example.org,VIP\nBob,,\n", Format::Csv),
        (b"\xef\xbb\xbf", Format::Csv),
        (b"\n\n\n", Format::Csv),
        (b"[{\"name\":\"Ada\"},{\"name\":\"Bob\"}", Format::Json),
        (b"{\"name\":\"Ada\"}", Format::Json),
    ];
    for (bytes, format) in files {
        let whole = read(format, &berlin(), &[bytes]).expect_err("broken");
        for cut in 0..=bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(read(format, &berlin(), &[left, right]).expect_err("broken"), whole, "{cut}");
        }
    }
}

#[test]
fn random_bytes_never_panic_and_cuts_never_matter() {
    let mut seed = 11u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let alphabet = b"name,email;code\t\"\"\"\r\n\n =+'{}[]:x1\xc3\xa9\xe9\x80\0";
    for round in 0..1_200 {
        let mut bytes: Vec<u8> = if round % 2 == 0 { b"name,code\n".to_vec() } else { Vec::new() };
        for _ in 0..draw(120) {
            bytes.push(alphabet[draw(alphabet.len() as u64) as usize]);
        }
        for format in [Format::Csv, Format::Json, Format::Ndjson] {
            let whole = read(format, &berlin(), &[&bytes]);
            let (left, right) = bytes.split_at(draw(bytes.len() as u64 + 1) as usize);
            assert_eq!(read(format, &berlin(), &[left, right]), whole, "{bytes:?}");
        }
    }
}

#[test]
fn repeated_codes_may_be_kept() {
    let options = Options { duplicates: Duplicates::Keep, ..berlin() };
    let list = read(Format::Csv, &options, &[b"name,code\nAda,1\nBob,1\nCleo,\nDana,\n"]).expect("csv");
    assert_eq!((list.guests, list.bad), (4, 0), "guests without a code are no duplicates of each other");
    assert!(matches!(list.parsed[1], Parsed::Guest { line: 3, duplicate_of: Some(2), .. }));
    assert!(matches!(list.parsed[3], Parsed::Guest { duplicate_of: None, .. }));
}

#[test]
fn the_callers_map_decides() {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(field, header)| ((*field).to_owned(), (*header).to_owned())).collect()
    };
    let bytes: &[u8] = b"Wer;Nummer;Status\nAda;7;egal\n";
    let options = Options { map: map(&[("name", "wer"), ("barcode", "Nummer"), ("status", "")]), ..berlin() };
    let list = read(Format::Csv, &options, &[bytes]).expect("csv");
    let ada = guest(&list, 2);
    assert_eq!((ada.name.as_str(), ada.barcode.as_deref()), ("Ada", Some("7")));
    assert_eq!((ada.status, ada.data["Status"].as_str()), (Status::Confirmed, Some("egal")));
    let options = Options { map: map(&[("barcode", "Badge")]), ..berlin() };
    let problem = read(Format::Csv, &options, &[b"name\nAda\n"]).expect_err("no such column");
    assert_eq!((problem.code.as_str(), problem.line), ("unknown_column", 1));
    let problem = read(Format::Ndjson, &options, &[b"{\"name\":\"Ada\"}"]).expect_err("no such key");
    assert_eq!(problem.code, "unknown_column");
    let options = Options { map: map(&[("nickname", "x")]), ..berlin() };
    assert_eq!(Importer::new(Format::Csv, options).expect_err("no such field").errors[0].code, "unknown_field");
}

#[test]
fn what_is_wrong_with_a_line_is_all_told() {
    let list = text("name,email,status,valid_from,valid_until\nAda,nope,perhaps,soon,2026-06-01\nBob,b@example.org,,6/2/2026,6/1/2026\nCleo,,,,,x\nDana\n").expect("csv");
    assert_eq!(
        problems(&list),
        ["2 status unknown_status", "2 valid_from invalid_time", "2 email invalid_email", "3 valid_until before_valid_from", "4 - too_many_cells"]
    );
    assert_eq!(guest(&list, 5).name, "Dana", "cells left off at the end are blank");
    let list = text("name\n\"Ada\n Byron\"\nNul\0\nZo\u{eb}\n").expect("csv");
    assert_eq!((guest(&list, 2).name.as_str(), guest(&list, 5).name.as_str()), ("Ada Byron", "Zoë"));
    assert_eq!(problems(&list), ["4 name control_character"]);
    let list = read(Format::Csv, &berlin(), &["name\nZoë\n".as_bytes(), b"Zo\xeb\n"]).expect("csv");
    assert_eq!(problems(&list), ["3 - bad_encoding"]);
}

#[test]
fn a_file_has_bounds() {
    let mut rows = String::from("name,code\n");
    for n in 0..MAX_ROWS {
        rows.push_str(&format!("g{n},{n}\n"));
    }
    let list = text(&rows).expect("as many as may be");
    assert_eq!((list.guests, list.lines), (MAX_ROWS, MAX_ROWS + 1));
    rows.push_str("one,more\n");
    assert_eq!(text(&rows).expect_err("one more").code, "too_many_rows");
    let mut importer = Importer::new(Format::Csv, berlin()).expect("a map");
    assert_eq!(importer.push(b"name\n"), Ok(vec![]));
    let rest = usize::try_from(MAX_BYTES).expect("a size") - 4;
    assert_eq!(importer.push(&vec![b'\n'; rest]).expect_err("one byte more").code, "too_large");
    assert_eq!(text(&format!("name,{}\nAda,\n", "x".repeat(70_000))).expect_err("header").code, "header_too_long");
    assert_eq!(text("").expect_err("empty").code, "empty_file");
    assert_eq!(text("name,code\n").expect("a header alone").guests, 0);
}

#[test]
fn what_is_exported_imports_to_the_same_guests() {
    let list = csv("pretix_positions.csv");
    let more = text("name,code,category,attention note,Status note,phone\n=Ada,'-7,\"a;b\",\"x\ny\",'=z,+49\n''@b,+1,,,,\n").expect("csv");
    let guests: Vec<&NewGuest> = [&list, &more]
        .into_iter()
        .flat_map(|list| &list.parsed)
        .map(|parsed| match parsed {
            Parsed::Guest { guest, .. } => &**guest,
            Parsed::Bad { problems, .. } => panic!("{problems:?}"),
        })
        .collect();
    let mut keys: Vec<String> = guests.iter().flat_map(|guest| guest.data.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    for reader in [Reader::Program, Reader::Spreadsheet] {
        let mut file = export::BOM.to_owned() + &export::header(&keys, reader);
        for guest in &guests {
            let out: GuestOut = serde_json::from_value(serde_json::to_value(guest).expect("json")).expect("a row");
            file.push_str(&export::row(&out, &keys, reader));
        }
        let again = text(&file).expect("our own export");
        assert_eq!(problems(&again), [""; 0]);
        let read: Vec<&NewGuest> = again
            .parsed
            .iter()
            .filter_map(|parsed| match parsed {
                Parsed::Guest { guest, .. } => Some(&**guest),
                Parsed::Bad { .. } => None,
            })
            .collect();
        assert_eq!(read, guests);
    }
}

#[test]
fn content_types_name_the_format() {
    assert_eq!(Format::of("text/csv; charset=utf-8"), Some(Format::Csv));
    assert_eq!(Format::of("Application/JSON"), Some(Format::Json));
    assert_eq!(Format::of("application/x-ndjson"), Some(Format::Ndjson));
    assert_eq!(Format::of("text/html"), None);
}
