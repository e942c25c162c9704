//! What kind of text file this is: byte order mark, delimiter, encoding.
//!
//! Invariant: the answer depends on the file's bytes alone, never on how they were cut into chunks.
//! Failure: UTF-16 is refused with advice; bytes that are not of the file's encoding are an error of
//! their line.
//!
//! Encoding: a file with a byte order mark is UTF-8. Without one, the first line that has anything
//! but ASCII decides: if it is valid UTF-8 the file is UTF-8, else it is Windows-1252, which is what
//! spreadsheets of western Europe write. A line cannot change it later.

use super::Problem;

/// How the bytes of a file become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Only ASCII so far.
    Undecided,
    /// UTF-8.
    Utf8,
    /// Windows-1252.
    Windows1252,
}

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Bytes to skip: the mark, and a spreadsheet's `sep=;` line.
    pub skip: usize,
    /// Lines skipped with them.
    pub lines: u32,
    /// What is known of the encoding.
    pub encoding: Encoding,
    /// The delimiter that a `sep=` line names.
    pub delimiter: Option<u8>,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Looks at the start of a file; wants its first line, or all of it.
pub fn start(bytes: &[u8]) -> Result<Start, Problem> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Problem::whole(
            1,
            "utf16",
            "The file is UTF-16. Save it as CSV UTF-8 and import that.",
        ));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(Problem::whole(
            1,
            "not_text",
            "The file is a workbook or an archive. Save it as CSV UTF-8 and import that.",
        ));
    }
    let marked = bytes.starts_with(BOM);
    let encoding = if marked {
        Encoding::Utf8
    } else {
        Encoding::Undecided
    };
    let skip = if marked { BOM.len() } else { 0 };
    let line = bytes.get(skip..).unwrap_or_default();
    let named = match line {
        [
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            delimiter,
            b'\r',
            b'\n',
            ..,
        ] => Some((*delimiter, 7)),
        [
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            delimiter,
            b'\n' | b'\r',
            ..,
        ] => Some((*delimiter, 6)),
        _ => None,
    };
    Ok(match named {
        Some((delimiter, length)) => Start {
            skip: skip + length,
            lines: 1,
            encoding,
            delimiter: Some(delimiter),
        },
        None => Start {
            skip,
            lines: 0,
            encoding,
            delimiter: None,
        },
    })
}

/// The length of the first record: up to and with the line break that is not within quotes.
pub fn first_record(bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut begun = false;
    // A quote opens a cell only at its start; `5" pipe` has none to close.
    let mut cell_start = true;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if quoted || cell_start => quoted = !quoted,
            b'\n' | b'\r' if !quoted && begun => return Some(at + 1),
            b'\n' | b'\r' if !quoted => continue,
            _ => {}
        }
        begun = true;
        // After a quote within quotes the same quote may go on: `""`.
        cell_start = DELIMITERS.contains(byte) || (*byte == b'"' && !quoted);
    }
    None
}

/// The delimiters a file may have.
pub const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

impl Encoding {
    /// Decides by a record's cells, if nothing decided before.
    pub fn decide<'a>(self, mut cells: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        if self != Self::Undecided || cells.clone().all(<[u8]>::is_ascii) {
            self
        } else if cells.all(|cell| str::from_utf8(cell).is_ok()) {
            Self::Utf8
        } else {
            Self::Windows1252
        }
    }

    /// The text of a cell; nothing when its bytes are not of this encoding.
    pub fn text(self, cell: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
        match str::from_utf8(cell) {
            Ok(text) if self != Self::Windows1252 || cell.is_ascii() => Some(text.into()),
            _ if self == Self::Windows1252 => Some(
                cell.iter()
                    .map(|byte| western(*byte))
                    .collect::<String>()
                    .into(),
            ),
            _ => None,
        }
    }
}

/// The character of a byte in Windows-1252.
fn western(byte: u8) -> char {
    #[rustfmt::skip]
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH
            .get(usize::from(byte - 0x80))
            .copied()
            .unwrap_or('\u{fffd}'),
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_file_is_recognised() {
        let plain = Start {
            skip: 0,
            lines: 0,
            encoding: Encoding::Undecided,
            delimiter: None,
        };
        assert_eq!(start(b"a,b\n"), Ok(plain));
        assert_eq!(
            start(b"\xef\xbb\xbfa,b\n"),
            Ok(Start {
                skip: 3,
                encoding: Encoding::Utf8,
                ..plain
            })
        );
        let named = Start {
            skip: 7,
            lines: 1,
            delimiter: Some(b';'),
            ..plain
        };
        assert_eq!(start(b"sep=;\r\na;b\n"), Ok(named));
        assert_eq!(
            start(b"SEP=\t\na\tb"),
            Ok(Start {
                skip: 6,
                delimiter: Some(b'\t'),
                ..named
            })
        );
        assert_eq!(start(b"\xff\xfea\0").unwrap_err().code, "utf16");
        assert_eq!(start(b"PK\x03\x04xl/").unwrap_err().code, "not_text");
    }

    #[test]
    fn the_first_record_ends_outside_quotes() {
        assert_eq!(first_record(b"a,b\nc"), Some(4));
        assert_eq!(first_record(b"\r\n\na,\"b\n\"\"c\",d\r\nx"), Some(15));
        assert_eq!(first_record(b"5\" pipe,b\nc"), Some(10));
        assert_eq!(first_record(b"a,\"b\n"), None);
        assert_eq!(first_record(b"\n\n"), None);
    }

    #[test]
    fn encodings_are_decided_by_the_first_line_that_tells() {
        let decide = |cells: &[&[u8]]| Encoding::Undecided.decide(cells.iter().copied());
        assert_eq!(decide(&[b"abc"]), Encoding::Undecided);
        assert_eq!(decide(&[b"abc", "é".as_bytes()]), Encoding::Utf8);
        assert_eq!(decide(&[b"Zo\xeb"]), Encoding::Windows1252);
        assert_eq!(
            Encoding::Windows1252.text(b"Zo\xeb \x80\x92").as_deref(),
            Some("Zoë €’")
        );
        assert_eq!(
            Encoding::Windows1252.text("ë".as_bytes()).as_deref(),
            Some("Ã«")
        );
        assert_eq!(Encoding::Utf8.text(b"Zo\xeb"), None);
    }
}
