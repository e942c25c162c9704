//! A crowd of WebSocket readers, as light as can be: it only notes when each has the next event.
//!
//! Invariant: a round counts each socket once, at the event whose offset is the round's.
//! Failure: a socket that closes or an event that stays away fails the round, with how many came.

use super::http::{PATIENCE, Target, find};
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Sockets that are opened at the same time.
const OPENING: usize = 32;
/// Opcodes of RFC 6455.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The readers of one side.
#[derive(Debug)]
pub struct Crowd {
    target: Target,
    path: String,
    token: String,
    board: Arc<Board>,
    readers: JoinSet<()>,
}

/// What all readers write on.
#[derive(Debug)]
struct Board {
    base: Instant,
    /// The offset that is waited for.
    wanted: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    came: AtomicUsize,
    size: AtomicUsize,
    complete: Notify,
}

/// When the first and the last socket had an event, counted from when its scan was sent.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The first socket.
    pub first: Duration,
    /// The last socket.
    pub last: Duration,
}

impl Crowd {
    /// Nobody yet. `token` goes into the subprotocol pair.
    pub fn new(target: &Target, path: &str, token: &str) -> Self {
        let board = Board {
            base: Instant::now(),
            wanted: AtomicU64::new(u64::MAX),
            first: AtomicU64::new(u64::MAX),
            last: AtomicU64::new(0),
            came: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            complete: Notify::new(),
        };
        Self {
            target: target.clone(),
            path: path.to_owned(),
            token: token.to_owned(),
            board: Arc::new(board),
            readers: JoinSet::new(),
        }
    }

    /// Connects and subscribes until there are `size` readers.
    pub async fn grow(&mut self, size: usize) -> Result<()> {
        let places = Arc::new(Semaphore::new(OPENING));
        let mut opening = JoinSet::new();
        for _ in self.readers.len()..size {
            let (places, target) = (places.clone(), self.target.clone());
            let (path, token) = (self.path.clone(), self.token.clone());
            opening.spawn(async move {
                let _place = places.acquire_owned().await?;
                timeout(PATIENCE, open(&target, &path, &token)).await?
            });
        }
        while let Some(opened) = opening.join_next().await {
            let socket = opened?.context("a socket does not open")?;
            let board = self.board.clone();
            self.readers.spawn(async move {
                let _ = read(socket, &board).await;
            });
        }
        self.board.size.store(self.readers.len(), Ordering::Release);
        Ok(())
    }

    /// Waits for the event of `offset`, which `send` causes.
    pub async fn round(
        &mut self,
        offset: u64,
        send: impl Future<Output = Result<()>>,
    ) -> Result<Round> {
        let board = &self.board;
        board.first.store(u64::MAX, Ordering::Relaxed);
        board.last.store(0, Ordering::Relaxed);
        board.came.store(0, Ordering::Relaxed);
        board.wanted.store(offset, Ordering::Release);
        let sent = board.now();
        send.await?;
        if timeout(PATIENCE, board.complete.notified()).await.is_err() {
            let (came, size) = (board.came.load(Ordering::Relaxed), self.readers.len());
            bail!("event {offset} reached {came} of {size} sockets within {PATIENCE:?}");
        }
        if let Some(ended) = self.readers.try_join_next() {
            ended?;
            bail!("a socket was closed");
        }
        let since = |at: u64| Duration::from_nanos(at.saturating_sub(sent));
        let board = &self.board;
        Ok(Round {
            first: since(board.first.load(Ordering::Relaxed)),
            last: since(board.last.load(Ordering::Relaxed)),
        })
    }
}

impl Board {
    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn note(&self, frame: &[u8]) {
        if offset(frame) != Some(self.wanted.load(Ordering::Acquire)) {
            return;
        }
        let now = self.now();
        self.first.fetch_min(now, Ordering::Relaxed);
        self.last.fetch_max(now, Ordering::Relaxed);
        if self.came.fetch_add(1, Ordering::AcqRel) + 1 == self.size.load(Ordering::Acquire) {
            self.complete.notify_one();
        }
    }
}

/// The offset of an event of `scans`.
fn offset(frame: &[u8]) -> Option<u64> {
    let head = &frame[..frame.len().min(120)];
    find(head, b"\"event\"")?;
    find(head, b"\"scans\"")?;
    let at = find(head, b"\"offset\":")? + 9;
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    std::str::from_utf8(&head[at..at + digits.count()])
        .ok()?
        .parse()
        .ok()
}

/// A socket and what was read from it and not looked at yet.
struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Connects, waits for the greeting if there is a token to greet, and subscribes to `scans`.
async fn open(target: &Target, path: &str, token: &str) -> Result<Socket> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let mut socket = Socket {
        stream,
        buffer: Vec::with_capacity(2048),
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
    socket.buffer.drain(..head);
    socket
        .send(TEXT, br#"{"id":2,"subscribe":{"channel":"scans"}}"#)
        .await?;
    loop {
        let (opcode, start, end) = socket.frame().await?;
        let frame = &socket.buffer[start..end];
        let text = String::from_utf8_lossy(frame).into_owned();
        socket.buffer.drain(..end);
        if opcode == TEXT && text.contains("\"subscribed\"") {
            return Ok(socket);
        }
        if opcode == CLOSE || text.contains("\"error\"") {
            bail!("not subscribed: {text}");
        }
    }
}

async fn read(mut socket: Socket, board: &Board) -> Result<()> {
    loop {
        let (opcode, start, end) = socket.frame().await?;
        match opcode {
            TEXT => board.note(&socket.buffer[start..end]),
            PING => socket.send(PONG, b"").await?,
            CLOSE => bail!("closed"),
            _ => {}
        }
        socket.buffer.drain(..end);
    }
}

impl Socket {
    /// The next frame at the start of the buffer: its opcode, where its payload starts and ends.
    async fn frame(&mut self) -> Result<(u8, usize, usize)> {
        loop {
            if let Some(frame) = parse(&self.buffer) {
                return Ok(frame);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }

    /// Sends a short frame. Its mask is zero, so the payload goes as it is.
    async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let length = u8::try_from(payload.len())
            .ok()
            .filter(|length| *length < 126);
        let length = length.context("too long for a short frame")?;
        let mut frame = vec![0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame).await?)
    }
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
    fn only_events_of_scans_have_an_offset_that_counts() {
        let event = br#"{"event":{"channel":"scans","offset":45,"type":"checkin.accepted"}}"#;
        assert_eq!(offset(event), Some(45));
        assert_eq!(
            offset(br#"{"event":{"channel":"stats","offset":45}}"#),
            None
        );
        assert_eq!(
            offset(br#"{"id":2,"subscribed":{"channel":"scans","offset":44}}"#),
            None
        );
    }
}
