//! Records of a JSON array, or of one JSON object per line, from chunks of its bytes.
//!
//! Invariant: how the bytes are cut into chunks changes nothing. Memory is bounded by
//! [`MAX_RECORD`], not by the file. A record of an array is numbered by its place, from 1; one of a
//! line by its line: several records of an array may share a line, and a number must name one.
//! Failure: an array that is no array, or whose brackets do not match, ends the import.

use super::Problem;

/// Longest record, in bytes.
pub const MAX_RECORD: usize = 256 * 1024;

/// What takes a record, with its number.
pub type Each<'a> = dyn FnMut(u32, &[u8]) -> Result<(), Problem> + 'a;

/// Cuts bytes into records.
#[derive(Debug)]
pub struct Records {
    by_line: bool,
    stage: Stage,
    record: Vec<u8>,
    /// Place or line of the record that is open or comes next.
    number: u32,
    marked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the array.
    Start,
    /// A record or the end may come.
    First,
    /// A record must come.
    Next,
    /// Within a record.
    Inside {
        depth: u32,
        text: bool,
        escaped: bool,
    },
    /// A comma or the end must come.
    After,
    /// Nothing may come.
    End,
    /// Within a line.
    Line,
}

impl Records {
    /// The records of a JSON array.
    pub fn array() -> Self {
        Self {
            by_line: false,
            stage: Stage::Start,
            record: Vec::new(),
            number: 1,
            marked: 0,
        }
    }

    /// One record a line.
    pub fn lines() -> Self {
        Self {
            by_line: true,
            stage: Stage::Line,
            record: Vec::new(),
            number: 1,
            marked: 0,
        }
    }

    /// Takes a chunk; `each` gets every record that ends in it, with its number.
    pub fn push(&mut self, input: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        for byte in input {
            // A byte order mark, wherever the chunks were cut.
            if let Some(mark) = b"\xef\xbb\xbf".get(self.marked) {
                if byte == mark {
                    self.marked += 1;
                    continue;
                }
                self.marked = 3;
            }
            if self.by_line {
                self.line_byte(*byte, each)?;
            } else {
                self.array_byte(*byte, each)?;
            }
            if self.record.len() > MAX_RECORD {
                return Err(Problem::whole(
                    self.number,
                    "line_too_long",
                    "The record is too long.",
                ));
            }
        }
        Ok(())
    }

    /// The file is over.
    pub fn finish(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        match self.stage {
            Stage::Line => self.line_byte(b'\n', each),
            Stage::End => Ok(()),
            Stage::Start => Err(not_an_array()),
            _ => Err(self.malformed()),
        }
    }

    fn line_byte(&mut self, byte: u8, each: &mut Each<'_>) -> Result<(), Problem> {
        if byte != b'\n' {
            self.record.push(byte);
            return Ok(());
        }
        let line = self.number;
        self.number += 1;
        if self.record.iter().all(u8::is_ascii_whitespace) {
            self.record.clear();
            return Ok(());
        }
        let result = each(line, &self.record);
        self.record.clear();
        result
    }

    fn array_byte(&mut self, byte: u8, each: &mut Each<'_>) -> Result<(), Problem> {
        let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.stage = match (self.stage, byte) {
            (
                Stage::Inside {
                    depth,
                    text,
                    escaped,
                },
                _,
            ) => {
                self.record.push(byte);
                match (text, escaped, byte) {
                    (true, true, _) => Stage::Inside {
                        depth,
                        text: true,
                        escaped: false,
                    },
                    (true, false, b'\\') => Stage::Inside {
                        depth,
                        text: true,
                        escaped: true,
                    },
                    (true, false, b'"') => Stage::Inside {
                        depth,
                        text: false,
                        escaped: false,
                    },
                    (true, false, _) => Stage::Inside {
                        depth,
                        text: true,
                        escaped: false,
                    },
                    (false, _, b'"') => Stage::Inside {
                        depth,
                        text: true,
                        escaped: false,
                    },
                    (false, _, b'{' | b'[') => Stage::Inside {
                        depth: depth + 1,
                        text: false,
                        escaped: false,
                    },
                    (false, _, b'}' | b']') if depth > 1 => Stage::Inside {
                        depth: depth - 1,
                        text: false,
                        escaped: false,
                    },
                    (false, _, b'}' | b']') => {
                        let result = each(self.number, &self.record);
                        self.record.clear();
                        self.number += 1;
                        result?;
                        Stage::After
                    }
                    _ => Stage::Inside {
                        depth,
                        text: false,
                        escaped: false,
                    },
                }
            }
            (stage, _) if blank => stage,
            (Stage::Start, b'[') => Stage::First,
            (Stage::Start, _) => return Err(not_an_array()),
            (Stage::First | Stage::Next, b'{') => {
                self.record.push(byte);
                Stage::Inside {
                    depth: 1,
                    text: false,
                    escaped: false,
                }
            }
            (Stage::First | Stage::After, b']') => Stage::End,
            (Stage::After, b',') => Stage::Next,
            _ => return Err(self.malformed()),
        };
        Ok(())
    }

    fn malformed(&self) -> Problem {
        Problem::whole(
            self.number,
            "malformed_json",
            "The file is not a JSON array of objects from this record on.",
        )
    }
}

fn not_an_array() -> Problem {
    Problem::whole(
        1,
        "malformed_json",
        "The file must be a JSON array of objects.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut records: Records, chunks: &[&[u8]]) -> Result<Vec<(u32, String)>, Problem> {
        let mut found = Vec::new();
        let mut each = |number: u32, record: &[u8]| {
            found.push((number, String::from_utf8_lossy(record).into_owned()));
            Ok(())
        };
        for chunk in chunks {
            records.push(chunk, &mut each)?;
        }
        records.finish(&mut each)?;
        Ok(found)
    }

    #[test]
    fn an_array_is_cut_into_its_objects() {
        let text = b"\xef\xbb\xbf [ {\"a\":\"}\\\"]{\"} ,\n{\"b\":[{},[]]}, {}\n] \n";
        let whole = read(Records::array(), &[text]).unwrap();
        assert_eq!(
            whole,
            [
                (1, r#"{"a":"}\"]{"}"#.to_owned()),
                (2, r#"{"b":[{},[]]}"#.to_owned()),
                (3, "{}".to_owned()),
            ]
        );
        for cut in 0..=text.len() {
            assert_eq!(
                read(Records::array(), &[&text[..cut], &text[cut..]]).unwrap(),
                whole
            );
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(Records::array(), &single).unwrap(), whole);
        assert_eq!(read(Records::array(), &[b"[]"]).unwrap(), []);
    }

    #[test]
    fn what_is_no_array_of_objects_is_refused() {
        for bad in [
            "",
            " ",
            "{}",
            "null",
            "[",
            "[{}",
            "[{}}",
            "[{},]",
            "[,{}]",
            "[{} {}]",
            "[1]",
            "[{}]x",
            "[[{}]]",
            "[\"a\"]",
            "[{\"a\":\"]",
        ] {
            assert_eq!(
                read(Records::array(), &[bad.as_bytes()]).unwrap_err().code,
                "malformed_json",
                "{bad}"
            );
        }
        let endless = format!("[{{\"a\":\"{}", "x".repeat(MAX_RECORD));
        assert_eq!(
            read(Records::array(), &[endless.as_bytes()])
                .unwrap_err()
                .code,
            "line_too_long"
        );
    }

    #[test]
    fn lines_are_numbered_as_they_stand() {
        let text = b"{\"a\":1}\r\n\n  \n{\"b\":2}";
        let whole = read(Records::lines(), &[text]).unwrap();
        assert_eq!(
            whole,
            [(1, "{\"a\":1}\r".to_owned()), (4, "{\"b\":2}".to_owned())]
        );
        for cut in 0..=text.len() {
            assert_eq!(
                read(Records::lines(), &[&text[..cut], &text[cut..]]).unwrap(),
                whole
            );
        }
    }
}
