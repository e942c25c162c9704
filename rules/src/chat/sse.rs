//! Server-sent events (WHATWG HTML §9.2.6), as chat completions are streamed.
//!
//! Invariant: what comes out does not depend on how the bytes were cut.
//! Failure: an event that is too long ends the stream.

/// Longest event, in bytes.
const LONGEST: usize = 1 << 20;

/// Collects bytes into events.
#[derive(Debug, Default)]
pub struct Events {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The data of the event that has not ended yet.
    data: String,
    /// The last byte was a carriage return, so a line feed ends nothing.
    returned: bool,
    begun: bool,
}

/// An event is longer than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Events {
    /// Takes the next bytes; answers the data of the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut done = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.returned => {}
                b'\n' | b'\r' => done.extend(self.line_ended()),
                _ => self.line.push(*byte),
            }
            self.returned = *byte == b'\r';
            if self.line.len() + self.data.len() > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(done)
    }

    /// The data of an event that the stream ended in the middle of: some servers leave out the empty
    /// line after the last one.
    pub fn end(&mut self) -> Option<String> {
        let ended = self.line_ended();
        ended.or_else(|| self.dispatch())
    }

    fn line_ended(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = match std::mem::replace(&mut self.begun, true) {
            true => &line,
            false => line.strip_prefix('\u{feff}').unwrap_or(&line),
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
            self.data.push('\n');
        }
        None
    }

    fn dispatch(&mut self) -> Option<String> {
        let mut data = std::mem::take(&mut self.data);
        data.pop();
        (!data.is_empty()).then_some(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for chunk in chunks {
            all.extend(events.push(chunk).unwrap());
        }
        all.extend(events.end());
        all
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let text = "\u{feff}: hello\n\ndata: {\"a\":\"ü\"}\r\n\r\nevent: x\ndata:one\ndata: two\n\n\
                    id: 7\n\nretry: 5\n\ndata: [DONE]\n\n";
        let expected = ["{\"a\":\"ü\"}", "one\ntwo", "[DONE]"];
        assert_eq!(events(&[text.as_bytes()]), expected);
        for size in 1..7 {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(events(&chunks), expected, "{size}");
        }
    }

    #[test]
    fn the_last_event_needs_no_empty_line() {
        assert_eq!(events(&[b"data: a\n\ndata: b"]), ["a", "b"]);
        assert_eq!(events(&[b"data: a\rdata: b\r\r"]), ["a\nb"]);
        assert_eq!(events(&[b"data\n\ndata:\n\n"]), [""; 0]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut events = Events::default();
        let chunk = vec![b'x'; 100_000];
        assert!((0..20).any(|_| events.push(&chunk) == Err(TooLong)));
    }
}
