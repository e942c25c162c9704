//! Guest lists: as vendors export them, with invented people; cut in every way; with what callers
//! say of them and everything that can be wrong.

mod chunks;
mod options;
mod vendors;

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
    std::fs::read(format!(
        "{}/tests/fixtures/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .expect(name)
}

fn berlin() -> Options {
    static ZONE: LazyLock<Zone> = LazyLock::new(|| Zone::parse("Europe/Berlin").expect("a zone"));
    Options {
        zone: ZONE.clone(),
        ..Options::default()
    }
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
        Parsed::Guest {
            line: at, guest, ..
        } if *at == line => Some(&**guest),
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
    wrong
        .flatten()
        .map(|p| {
            format!(
                "{} {} {}",
                p.line,
                p.field.as_deref().unwrap_or("-"),
                p.code
            )
        })
        .collect()
}

fn at(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    rules::time::try_parse(text)
}
