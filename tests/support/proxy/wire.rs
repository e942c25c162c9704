//! Postgres wire protocol version 3: frames, the few messages the proxy writes itself, and a
//! buffered reader.
//!
//! Invariant: a frame is passed on byte for byte as it came; only its tag and length are looked at
//! here. Reading can be abandoned at any await without losing bytes.
//! Failure: a length that cannot be, or an unexpected end, is an `io::Error`; nothing is guessed.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest frame taken, in bytes: an import batch is far below it.
const LONGEST: usize = 64 * 1024 * 1024;

/// Codes a client may send instead of the version in its first packet.
pub const SSL_REQUEST: i32 = 80_877_103;
/// As [`SSL_REQUEST`], for GSSAPI encryption.
pub const GSS_REQUEST: i32 = 80_877_104;
/// As [`SSL_REQUEST`]: the packet asks to cancel what another connection is doing.
pub const CANCEL_REQUEST: i32 = 80_877_102;
/// Protocol 3.0.
pub const VERSION_3: i32 = 196_608;

/// One message: its tag and the whole frame, tag and length included.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The message's tag, `Q`, `P`, `Z` and so on.
    pub tag: u8,
    /// Everything as it came.
    pub bytes: Bytes,
}

impl Frame {
    /// What follows tag and length.
    pub fn body(&self) -> &[u8] {
        &self.bytes[5..]
    }
}

/// A connection with a read buffer.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    buffer: BytesMut,
}

impl Stream {
    /// Wraps a connected socket.
    pub fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            buffer: BytesMut::with_capacity(8 * 1024),
        }
    }

    /// Bytes that came and were not read as frames yet.
    pub fn pending(&self) -> &[u8] {
        &self.buffer
    }

    /// Waits for more bytes; `false` at the end of the stream. Cancel-safe.
    pub async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.socket.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next whole frame among the bytes that already came.
    pub fn take(&mut self) -> io::Result<Option<Frame>> {
        if self.buffer.len() < 5 {
            return Ok(None);
        }
        let length = (&self.buffer[1..5]).get_i32();
        let total = usize::try_from(length).unwrap_or(0) + 1;
        if !(5..=LONGEST).contains(&total) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "impossible frame length",
            ));
        }
        if self.buffer.len() < total {
            self.buffer.reserve(total - self.buffer.len());
            return Ok(None);
        }
        let bytes = self.buffer.split_to(total).freeze();
        Ok(Some(Frame {
            tag: bytes[0],
            bytes,
        }))
    }

    /// The next frame; `None` at a clean end of the stream. Cancel-safe.
    pub async fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// The next frame; an end of the stream is an error.
    pub async fn expect_frame(&mut self) -> io::Result<Frame> {
        self.frame()
            .await?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The first packet of a connection, which has no tag: its code and what follows.
    pub async fn startup(&mut self) -> io::Result<Option<(i32, Bytes)>> {
        loop {
            if self.buffer.len() >= 8 {
                let length = usize::try_from((&self.buffer[..4]).get_i32()).unwrap_or(0);
                if !(8..=10_000).contains(&length) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "not a Postgres client",
                    ));
                }
                if self.buffer.len() >= length {
                    let mut packet = self.buffer.split_to(length).freeze();
                    packet.advance(4);
                    let code = packet.get_i32();
                    return Ok(Some((code, packet)));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Has the other side said anything, or gone, while nothing was asked of it?
    pub fn stirred(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return true;
        }
        match self.socket.try_read_buf(&mut self.buffer) {
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            Ok(_) => true,
        }
    }

    /// The same stream without its first pending bytes.
    #[cfg(test)]
    pub fn past(mut self, bytes: usize) -> Self {
        self.buffer.advance(bytes);
        self
    }

    /// Ends the connection with a reset, as a machine that died would.
    pub fn reset(self) {
        let _ = socket_linger_zero(&self.socket);
    }
}

/// Makes dropping the socket send a reset instead of a polite end.
pub fn socket_linger_zero(socket: &TcpStream) -> io::Result<()> {
    socket.set_zero_linger()
}

/// Appends a message: tag, length, body.
pub fn put(out: &mut BytesMut, tag: u8, body: &[u8]) {
    out.put_u8(tag);
    out.put_i32(i32::try_from(body.len() + 4).unwrap_or(i32::MAX));
    out.put_slice(body);
}

/// An ErrorResponse.
pub fn error(severity: &str, sqlstate: &str, message: &str) -> BytesMut {
    let mut body = BytesMut::new();
    for (field, text) in [
        (b'S', severity),
        (b'V', severity),
        (b'C', sqlstate),
        (b'M', message),
    ] {
        body.put_u8(field);
        body.put_slice(text.as_bytes());
        body.put_u8(0);
    }
    body.put_u8(0);
    let mut out = BytesMut::new();
    put(&mut out, b'E', &body);
    out
}

/// ReadyForQuery, idle.
pub fn ready(out: &mut BytesMut) {
    put(out, b'Z', b"I");
}

/// ParameterStatus.
pub fn parameter(out: &mut BytesMut, name: &str, value: &str) {
    let mut body = BytesMut::new();
    body.put_slice(name.as_bytes());
    body.put_u8(0);
    body.put_slice(value.as_bytes());
    body.put_u8(0);
    put(out, b'S', &body);
}

/// Reads a zero-terminated string from the front of `bytes`, lossily.
pub fn text(bytes: &mut &[u8]) -> io::Result<String> {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unterminated string"))?;
    let found = String::from_utf8_lossy(&bytes[..end]).into_owned();
    *bytes = &bytes[end + 1..];
    Ok(found)
}

/// Reads an i16 from the front of `bytes`.
pub fn int16(bytes: &mut &[u8]) -> io::Result<i16> {
    bytes
        .try_get_i16()
        .map_err(|_| io::ErrorKind::UnexpectedEof.into())
}

/// Reads an i32 from the front of `bytes`.
pub fn int32(bytes: &mut &[u8]) -> io::Result<i32> {
    bytes
        .try_get_i32()
        .map_err(|_| io::ErrorKind::UnexpectedEof.into())
}
