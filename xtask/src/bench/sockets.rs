//! A crowd of WebSocket readers, as light as can be: it only notes when each has the next event.
//!
//! Invariant: a round counts each socket once, at the event whose offset is the round's.
//! Failure: a socket that closes or an event that stays away fails the round, with how many came.

use super::http::{PATIENCE, Target, find};
use super::socket::Socket;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Sockets that are opened at the same time.
const OPENING: usize = 32;
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

/// Connects and subscribes to `scans`.
async fn open(target: &Target, path: &str, token: &str) -> Result<Socket> {
    let mut socket = Socket::connect(target, path, token).await?;
    let frame = r#"{"id":2,"subscribe":{"channel":"scans"}}"#;
    let answer = socket.ask(2, frame.as_bytes()).await?;
    if find(answer, b"\"subscribed\"").is_none() {
        bail!("not subscribed: {}", String::from_utf8_lossy(answer));
    }
    Ok(socket)
}

async fn read(mut socket: Socket, board: &Board) -> Result<()> {
    loop {
        board.note(socket.text().await?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
