//! Records of a CSV file from chunks of its bytes (RFC 4180; any of the three line breaks).
//!
//! Invariant: how the bytes are cut into chunks changes nothing. Memory is bounded by
//! [`MAX_RECORD`], not by the file.
//! Failure: a record longer than that, or a quote that is never closed, ends the import and names
//! the line where it began.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::Problem;

/// Longest record, in bytes.
pub const MAX_RECORD: usize = 256 * 1024;
/// Most cells of a record.
pub const MAX_CELLS: usize = 1_000;

/// The cells of one record, undecoded.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// Each cell in its turn.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(self.ends)
            .map(move |(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }
}

/// What takes a record, with the line it began on.
pub type Each<'a> = dyn FnMut(u32, Cells<'_>) -> Result<(), Problem> + 'a;

/// Cuts bytes into records.
#[derive(Debug)]
pub struct Records {
    reader: Reader,
    out: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    cells: usize,
    /// The line the next byte is on.
    line: u32,
    /// The line the open record began on.
    began: u32,
    open: bool,
    /// The byte before was a carriage return, whose line feed does not count again.
    returned: bool,
    /// Nothing of the current line was read.
    fresh: bool,
}

impl Records {
    /// Reads from `line` on, with this delimiter.
    pub fn new(delimiter: u8, line: u32) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            out: vec![0; 4 * 1024],
            filled: 0,
            ends: vec![0; 64],
            cells: 0,
            line,
            began: line,
            open: false,
            returned: false,
            fresh: true,
        }
    }

    /// How many lines were read; one that is only begun counts.
    pub fn lines(&self) -> u32 {
        if self.fresh { self.line - 1 } else { self.line }
    }

    /// Takes a chunk; `each` gets every record that ends in it, with the line it began on.
    pub fn push(&mut self, mut input: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        loop {
            if !self.open {
                let breaks = input
                    .iter()
                    .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                    .count();
                let (blank, rest) = input.split_at(breaks);
                self.count(blank);
                input = rest;
            }
            if input.is_empty() {
                return Ok(());
            }
            if !self.open {
                self.open = true;
                self.began = self.line;
            }
            let (done, read) = self.step(input)?;
            let (seen, rest) = input.split_at(read.min(input.len()));
            self.count(seen);
            input = rest;
            if done {
                self.emit(each)?;
            }
        }
    }

    /// The file is over: gives the last record, if no line break did.
    pub fn finish(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        if !self.open {
            return Ok(());
        }
        // A line break ends any record but one whose quote is open.
        if self.step(b"\n")?.0 {
            return self.emit(each);
        }
        Err(Problem::whole(
            self.began,
            "unclosed_quote",
            "A quote opened on this line is never closed.",
        ))
    }

    /// Reads until a record ends or the input does; says which, and how many bytes were read.
    fn step(&mut self, input: &[u8]) -> Result<(bool, usize), Problem> {
        let mut read = 0;
        loop {
            let (result, taken, written, ended) = self.reader.read_record(
                input.get(read..).unwrap_or_default(),
                self.out.get_mut(self.filled..).unwrap_or_default(),
                self.ends.get_mut(self.cells..).unwrap_or_default(),
            );
            read += taken;
            self.filled += written;
            self.cells += ended;
            if self.filled > MAX_RECORD || self.cells > MAX_CELLS {
                let message = "The line is too long; perhaps a quote opened on it is never closed.";
                return Err(Problem::whole(self.began, "line_too_long", message));
            }
            match result {
                ReadRecordResult::Record => return Ok((true, read)),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok((false, read)),
                ReadRecordResult::OutputFull => self.out.resize(self.out.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            }
            if read >= input.len() {
                // An empty input would tell the reader that the file is over.
                return Ok((false, read));
            }
        }
    }

    fn emit(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        let bytes = self.out.get(..self.filled).unwrap_or_default();
        let ends = self.ends.get(..self.cells).unwrap_or_default();
        let result = each(self.began, Cells { bytes, ends });
        self.open = false;
        self.filled = 0;
        self.cells = 0;
        result
    }

    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\r' => self.line += 1,
                b'\n' if !self.returned => self.line += 1,
                _ => {}
            }
            self.returned = *byte == b'\r';
            self.fresh = matches!(byte, b'\r' | b'\n');
        }
    }
}

#[cfg(test)]
#[path = "csv_stream_tests.rs"]
mod tests;
