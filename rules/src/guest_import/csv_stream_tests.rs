//! Records come out the same however the bytes are cut.

use super::*;

type Read = Vec<(u32, Vec<String>)>;

fn read(chunks: &[&[u8]], delimiter: u8) -> Result<Read, Problem> {
    let mut found = Read::new();
    let mut each = |line: u32, cells: Cells<'_>| {
        found.push((
            line,
            cells
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect(),
        ));
        Ok(())
    };
    let mut records = Records::new(delimiter, 1);
    for chunk in chunks {
        records.push(chunk, &mut each)?;
    }
    records.finish(&mut each)?;
    Ok(found)
}

fn rows(text: &str) -> Read {
    read(&[text.as_bytes()], b',').unwrap()
}

fn row(line: u32, cells: &[&str]) -> (u32, Vec<String>) {
    (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
}

#[test]
fn records_know_the_line_they_began_on() {
    assert_eq!(
        rows("a,b\r\n\"x\r\ny\",2\r\n\r\n\r\n3,4"),
        [
            row(1, &["a", "b"]),
            row(2, &["x\r\ny", "2"]),
            row(6, &["3", "4"])
        ]
    );
    assert_eq!(
        rows("\n\na\rb\r\rc\n"),
        [row(3, &["a"]), row(4, &["b"]), row(6, &["c"])]
    );
}

#[test]
fn quotes_are_read_as_spreadsheets_write_them() {
    assert_eq!(
        rows("\"a \"\"b\"\", c\",\"\",,\n"),
        [row(1, &["a \"b\", c", "", "", ""])]
    );
    assert_eq!(rows("a\"b,\"c\"d\n"), [row(1, &["a\"b", "cd"])]);
    assert_eq!(rows("\"\"\n"), [row(1, &[""])]);
    assert_eq!(rows(""), []);
    assert_eq!(rows("\r\n\r\n"), []);
}

#[test]
fn an_open_quote_names_the_line_it_began_on() {
    let problem = read(&[b"a,b\n1,2\n3,\"4\n5,6\n"], b',').unwrap_err();
    assert_eq!((problem.line, problem.code.as_str()), (3, "unclosed_quote"));
    let endless = format!("a,b\n\"{}", "x\n".repeat(MAX_RECORD));
    let problem = read(&[endless.as_bytes()], b',').unwrap_err();
    assert_eq!((problem.line, problem.code.as_str()), (2, "line_too_long"));
    let wide = ",".repeat(MAX_CELLS + 1);
    assert_eq!(
        read(&[wide.as_bytes()], b',').unwrap_err().code,
        "line_too_long"
    );
}

#[test]
fn any_cut_gives_the_same_records() {
    let text = "a;\"b\r\n\"\"x\"\";\"\r\n\r\n;;\r\"\";\u{fc};'\n\n\"last\"\";\";é\r\nend;\"\"";
    let whole = read(&[text.as_bytes()], b';').unwrap();
    assert_eq!(whole.len(), 5);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let bytes = text.as_bytes();
            let cut = read(
                &[&bytes[..first], &bytes[first..second], &bytes[second..]],
                b';',
            )
            .unwrap();
            assert_eq!(cut, whole, "{first} {second}");
        }
    }
    let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(read(&single, b';').unwrap(), whole);
}

#[test]
fn long_cells_grow_the_buffers() {
    let long = "x".repeat(100_000);
    let text = format!("{long},{long}\n{}", ["y"; 500].join(","));
    let found = rows(&text);
    assert_eq!((found[0].1[1].len(), found[1].1.len()), (100_000, 500));
}
