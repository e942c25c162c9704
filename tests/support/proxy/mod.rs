//! A strict stand-in for Hyperdrive: a Postgres proxy that pools by transaction and refuses
//! whatever Hyperdrive cannot carry.
//!
//! Clients are let in without a password, as a pooler inside a trusted network would; the proxy
//! itself signs in to Postgres. In strict mode every refusal is an ErrorResponse that names its rule
//! and is recorded, so a test run can demand that there were none. Round trips are counted per
//! request id, which `app.call` carries as its last parameter.
//!
//! Invariant: no two clients share a connection within a unit of work.
//! Failure: with Postgres away clients get SQLSTATE 08006 at once or after three seconds; a cut
//! proxy closes every connection and resets new ones until it is restored.

mod client;
mod sql;
mod stats;
#[cfg(test)]
mod tests;
mod unit;
mod upstream;
mod wire;

pub use stats::{Stats, Violation};

use stats::Recorder;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use upstream::{Pool, Target};
use wire::Stream;

/// How long a graceful stop waits for units of work under way.
const GRACE: Duration = Duration::from_secs(2);

/// A BackendKeyData: process id and secret.
type Key = (i32, i32);

/// How to start a [`Proxy`].
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// The server behind it: `postgres://role:password@host:port/database`.
    pub upstream: String,
    /// The port to listen on at 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Refuse what Hyperdrive cannot carry.
    pub strict: bool,
    /// The most connections to Postgres at once.
    pub pool_size: usize,
}

/// What the proxy is doing with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Cut,
    Stopped,
}

/// A running proxy. Dropping it closes every connection at once; [`Proxy::stop`] is polite.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    phase: Arc<watch::Sender<Phase>>,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

/// What every client of one proxy shares.
#[derive(Debug)]
pub(crate) struct Shared {
    strict: bool,
    pool: Arc<Pool>,
    recorder: Arc<Recorder>,
    clients: AtomicUsize,
    next_key: AtomicI32,
    /// Answers to lose: what the unit of work contains, and how many.
    losing: Mutex<Option<(String, u32)>>,
    /// Client keys, each with the key of the upstream connection that works for it now.
    keys: Mutex<HashMap<Key, Option<Key>>>,
}

impl Proxy {
    /// Starts listening; Postgres need not be up yet.
    pub async fn start(options: ProxyOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let port = listener.local_addr()?.port();
        let recorder = Arc::new(Recorder::default());
        let target = Target::parse(&options.upstream)?;
        let shared = Arc::new(Shared {
            strict: options.strict,
            pool: Arc::new(Pool::new(target, options.pool_size, recorder.clone())),
            recorder,
            clients: AtomicUsize::new(0),
            next_key: AtomicI32::new(1),
            losing: Mutex::default(),
            keys: Mutex::default(),
        });
        let phase = Arc::new(watch::Sender::new(Phase::Serving));
        let listening = tokio::spawn(listen(listener, phase.clone(), shared.clone()));
        Ok(Self {
            port,
            phase,
            shared,
            listening,
        })
    }

    /// The port it listens on at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was seen since the start.
    pub fn stats(&self) -> Stats {
        self.shared.recorder.stats()
    }

    /// Closes every connection, to clients and to Postgres, and resets each new one from now on.
    pub fn cut(&self) {
        self.phase.send_replace(Phase::Cut);
        self.shared.pool.close();
    }

    /// Serves again after [`Proxy::cut`].
    pub fn restore(&self) {
        self.phase.send_replace(Phase::Serving);
    }

    /// Loses the answers to the next `count` units of work that contain a text: Postgres does the
    /// work, and its client's connection ends without a word.
    pub fn lose_answers(&self, containing: &str, count: u32) {
        let mut losing = self.shared.losing();
        *losing = (count > 0).then(|| (containing.to_owned(), count));
    }

    /// Takes no new clients, waits up to two seconds for the present ones, then closes them.
    pub async fn stop(self) {
        self.listening.abort();
        let gone = async {
            while self.shared.clients.load(Ordering::SeqCst) > 0 && self.shared.busy() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(GRACE, gone).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.phase.send_replace(Phase::Stopped);
        self.shared.pool.close();
    }
}

async fn listen(listener: TcpListener, phase: Arc<watch::Sender<Phase>>, shared: Arc<Shared>) {
    loop {
        // Out of file descriptors, for one: the next attempt may do.
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if *phase.borrow() == Phase::Serving {
            tokio::spawn(attend(socket, phase.subscribe(), shared.clone()));
        } else {
            Stream::new(socket).reset();
        }
    }
}

/// Serves one client until it leaves or the proxy is cut.
async fn attend(socket: TcpStream, mut phase: watch::Receiver<Phase>, shared: Arc<Shared>) {
    shared.clients.fetch_add(1, Ordering::SeqCst);
    tokio::select! {
        _ = client::serve(shared.clone(), Stream::new(socket)) => {}
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => {}
    }
    shared.clients.fetch_sub(1, Ordering::SeqCst);
}

impl Shared {
    fn keys(&self) -> MutexGuard<'_, HashMap<Key, Option<Key>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh BackendKeyData for a client.
    fn enroll(&self) -> (i32, i32) {
        let process = self.next_key.fetch_add(1, Ordering::SeqCst);
        let secret = i32::from_be_bytes(
            uuid::Uuid::new_v4().as_bytes()[..4]
                .try_into()
                .unwrap_or_default(),
        );
        self.keys().insert((process, secret), None);
        (process, secret)
    }

    fn losing(&self) -> MutexGuard<'_, Option<(String, u32)>> {
        self.losing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is the answer to this unit of work to be lost?
    fn loses(&self, unit: &[u8]) -> bool {
        let mut losing = self.losing();
        let Some((containing, left)) = losing.as_mut() else {
            return false;
        };
        let hit = unit
            .windows(containing.len().max(1))
            .any(|window| window == containing.as_bytes());
        if hit {
            *left -= 1;
            if *left == 0 {
                *losing = None;
            }
        }
        hit
    }

    fn dismiss(&self, key: (i32, i32)) {
        self.keys().remove(&key);
    }

    fn working(&self, key: (i32, i32), upstream: Option<(i32, i32)>) {
        self.keys().insert(key, upstream);
    }

    fn busy(&self) -> bool {
        self.keys().values().any(Option::is_some)
    }

    async fn cancel(&self, key: (i32, i32)) -> io::Result<()> {
        let upstream = self.keys().get(&key).copied().flatten();
        match upstream {
            Some(upstream) => self.pool.cancel(upstream).await,
            None => Ok(()),
        }
    }
}
