//! What callers say of a file, what is wrong with one, and the way back.

use super::*;

#[test]
fn repeated_codes_may_be_kept() {
    let options = Options {
        duplicates: Duplicates::Keep,
        ..berlin()
    };
    let list = read(
        Format::Csv,
        &options,
        &[b"name,code\nAda,1\nBob,1\nCleo,\nDana,\n"],
    )
    .expect("csv");
    assert_eq!(
        (list.guests, list.bad),
        (4, 0),
        "guests without a code are no duplicates of each other"
    );
    assert!(matches!(
        list.parsed[1],
        Parsed::Guest {
            line: 3,
            duplicate_of: Some(2),
            ..
        }
    ));
    assert!(matches!(
        list.parsed[3],
        Parsed::Guest {
            duplicate_of: None,
            ..
        }
    ));
}

#[test]
fn the_callers_map_decides() {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(field, header)| ((*field).to_owned(), (*header).to_owned()))
            .collect()
    };
    let bytes: &[u8] = b"Wer;Nummer;Status\nAda;7;egal\n";
    let options = Options {
        map: map(&[("name", "wer"), ("barcode", "Nummer"), ("status", "")]),
        ..berlin()
    };
    let list = read(Format::Csv, &options, &[bytes]).expect("csv");
    let ada = guest(&list, 2);
    assert_eq!(
        (ada.name.as_str(), ada.barcode.as_deref()),
        ("Ada", Some("7"))
    );
    assert_eq!(
        (ada.status, ada.data["Status"].as_str()),
        (Status::Confirmed, Some("egal"))
    );
    let options = Options {
        map: map(&[("barcode", "Badge")]),
        ..berlin()
    };
    let problem = read(Format::Csv, &options, &[b"name\nAda\n"]).expect_err("no such column");
    assert_eq!((problem.code.as_str(), problem.line), ("unknown_column", 1));
    let problem =
        read(Format::Ndjson, &options, &[b"{\"name\":\"Ada\"}"]).expect_err("no such key");
    assert_eq!(problem.code, "unknown_column");
    let options = Options {
        map: map(&[("nickname", "x")]),
        ..berlin()
    };
    assert_eq!(
        Importer::new(Format::Csv, options)
            .expect_err("no such field")
            .errors[0]
            .code,
        "unknown_field"
    );
}

#[test]
fn what_is_wrong_with_a_line_is_all_told() {
    let list = text("name,email,status,valid_from,valid_until\nAda,nope,perhaps,soon,2026-06-01\nBob,b@example.org,,6/2/2026,6/1/2026\nCleo,,,,,x\nDana\n").expect("csv");
    assert_eq!(
        problems(&list),
        [
            "2 status unknown_status",
            "2 valid_from invalid_time",
            "2 email invalid_email",
            "3 valid_until before_valid_from",
            "4 - too_many_cells"
        ]
    );
    assert_eq!(
        guest(&list, 5).name,
        "Dana",
        "cells left off at the end are blank"
    );
    let list = text("name\n\"Ada\n Byron\"\nNul\0\nZo\u{eb}\n").expect("csv");
    assert_eq!(
        (guest(&list, 2).name.as_str(), guest(&list, 5).name.as_str()),
        ("Ada Byron", "Zoë")
    );
    assert_eq!(problems(&list), ["4 name control_character"]);
    let list = read(
        Format::Csv,
        &berlin(),
        &["name\nZoë\n".as_bytes(), b"Zo\xeb\n"],
    )
    .expect("csv");
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
    assert_eq!(
        importer
            .push(&vec![b'\n'; rest])
            .expect_err("one byte more")
            .code,
        "too_large"
    );
    assert_eq!(
        text(&format!("name,{}\nAda,\n", "x".repeat(70_000)))
            .expect_err("header")
            .code,
        "header_too_long"
    );
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
    let mut keys: Vec<String> = guests
        .iter()
        .flat_map(|guest| guest.data.keys().cloned())
        .collect();
    keys.sort();
    keys.dedup();
    for reader in [Reader::Program, Reader::Spreadsheet] {
        let mut file = export::BOM.to_owned() + &export::header(&keys, reader);
        for guest in &guests {
            let out: GuestOut =
                serde_json::from_value(serde_json::to_value(guest).expect("json")).expect("a row");
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
