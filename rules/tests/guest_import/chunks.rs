//! How a file is cut into chunks changes nothing.

use super::*;

#[test]
fn any_cut_of_any_file_gives_the_same_guests() {
    let files = [
        ("pretix_positions.csv", Format::Csv),
        ("pretix_checkinlist_de.csv", Format::Csv),
        ("eventbrite_attendees.csv", Format::Csv),
        ("luma_guests.csv", Format::Csv),
        ("excel_western.csv", Format::Csv),
        ("guests.json", Format::Json),
        ("guests.ndjson", Format::Ndjson),
    ];
    // One of them also as a spreadsheet saves it: with a mark in front.
    let marked = [
        export::BOM.as_bytes(),
        &fixture("pretix_checkinlist_de.csv"),
    ]
    .concat();
    let files = files.map(|(name, format)| (name, format, fixture(name)));
    let all = files
        .into_iter()
        .chain([("with a mark", Format::Csv, marked)]);
    for (name, format, bytes) in all {
        let whole = read(format, &berlin(), &[&bytes]).expect(name);
        // Within a word a cut is a cut; everywhere else each one is tried.
        let plain = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        for cut in (0..=bytes.len())
            .filter(|cut| cut % 16 == 0 || !plain(*cut) || !plain(cut.saturating_sub(1)))
        {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(
                read(format, &berlin(), &[left, right]).expect(name),
                whole,
                "{name} cut at {cut}"
            );
        }
        for size in [1, 2, 3, 7, 64] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(
                read(format, &berlin(), &chunks).expect(name),
                whole,
                "{name} in pieces of {size}"
            );
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
            assert_eq!(
                read(format, &berlin(), &[left, right]).expect_err("broken"),
                whole,
                "{cut}"
            );
        }
    }
}

#[test]
fn random_bytes_never_panic_and_cuts_never_matter() {
    let mut seed = 11u64;
    let mut draw = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let alphabet = b"name,email;code\t\"\"\"\r\n\n =+'{}[]:x1\xc3\xa9\xe9\x80\0";
    for round in 0..1_200 {
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            b"name,code\n".to_vec()
        } else {
            Vec::new()
        };
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
