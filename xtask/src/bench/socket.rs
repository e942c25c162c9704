//! One WebSocket as light as can be: frames in, frames out, no copies.
//!
//! Invariant: pings are answered; what a frame says is looked at by whoever reads it.
//! Failure: a close, or a connection that ends, is an error that shows the last words.

use super::http::{PATIENCE, Target, find};
use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Opcodes of RFC 6455.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A socket, what was read from it, and how much of that was looked at.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    used: usize,
    frame: Vec<u8>,
}

impl Socket {
    /// Connects; `token` goes into the subprotocol pair.
    pub async fn connect(target: &Target, path: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let mut socket = Self {
            stream,
            buffer: Vec::with_capacity(2048),
            used: 0,
            frame: Vec::new(),
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             sec-websocket-protocol: pulse.v1, {token}\r\n\r\n",
            target.address
        );
        socket.stream.write_all(request.as_bytes()).await?;
        let head = loop {
            match find(&socket.buffer, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => socket.more().await?,
            }
        };
        if !socket.buffer.starts_with(b"HTTP/1.1 101") {
            bail!("no socket: {}", String::from_utf8_lossy(&socket.buffer));
        }
        socket.used = head;
        Ok(socket)
    }

    /// Sends a frame with this `id` and waits for its answer, past whatever else comes.
    pub async fn ask(&mut self, id: u64, frame: &[u8]) -> Result<&[u8]> {
        self.send(TEXT, frame).await?;
        let mark = format!("{{\"id\":{id},");
        let (start, end) = timeout(PATIENCE, async {
            loop {
                let (start, end) = self.next().await?;
                if self.buffer[start..end].starts_with(mark.as_bytes()) {
                    return anyhow::Ok((start, end));
                }
            }
        })
        .await
        .with_context(|| format!("no answer within {PATIENCE:?}"))??;
        Ok(&self.buffer[start..end])
    }

    /// Sends a frame and hangs up without reading the answer.
    pub async fn cut(mut self, frame: &[u8]) -> Result<()> {
        self.send(TEXT, frame).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next text.
    pub async fn text(&mut self) -> Result<&[u8]> {
        let (start, end) = self.next().await?;
        Ok(&self.buffer[start..end])
    }

    /// Where in the buffer the next text is, until more is read.
    async fn next(&mut self) -> Result<(usize, usize)> {
        loop {
            self.buffer.drain(..self.used);
            self.used = 0;
            let (opcode, start, end) = loop {
                match parse(&self.buffer) {
                    Some(frame) => break frame,
                    None => self.more().await?,
                }
            };
            self.used = end;
            match opcode {
                TEXT => return Ok((start, end)),
                PING => self.send(PONG, b"").await?,
                CLOSE => bail!("closed: {:?}", &self.buffer[start..end]),
                _ => {}
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }

    /// Sends a frame. Its mask is zero, so the payload goes as it is.
    async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        head(&mut self.frame, opcode, payload.len());
        self.frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&self.frame).await?)
    }
}

/// Begins a masked frame anew.
fn head(frame: &mut Vec<u8>, opcode: u8, length: usize) {
    frame.clear();
    frame.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => frame.push(0x80 | short),
        (_, Ok(medium)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
}

/// Opcode, start and end of the payload, once the frame is whole. Servers do not mask.
fn parse(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, bytes.get(1)? & 0x7f);
    let (start, length) = match short {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((opcode, start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_when_whole() {
        assert_eq!(parse(&[0x81, 2, b'h', b'i', 9]), Some((TEXT, 2, 4)));
        assert_eq!(parse(&[0x81, 2, b'h']), None);
        let mut long = vec![0x81, 126, 1, 0];
        assert_eq!(parse(&long), None);
        long.extend_from_slice(&[b'x'; 256]);
        assert_eq!(parse(&long), Some((TEXT, 4, 260)));
    }

    #[test]
    fn heads_say_the_length_whatever_it_is() {
        let mut frame = Vec::new();
        for (length, expected) in [
            (2, vec![0x81, 0x82]),
            (126, vec![0x81, 0xfe, 0, 126]),
            (65_535, vec![0x81, 0xfe, 0xff, 0xff]),
            (65_536, vec![0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            head(&mut frame, TEXT, length);
            assert_eq!(frame, [expected, vec![0; 4]].concat());
        }
    }
}
