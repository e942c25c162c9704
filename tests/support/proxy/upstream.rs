//! The proxy's own connections to Postgres and the pool they wait in between units of work.
//!
//! Invariant: a connection is lent to one client at a time and comes back only when it is idle
//! outside any transaction; at most `pool_size` exist.
//! Failure: no connection within the waiting time, or Postgres away, is an `io::Error` that the
//! client gets as an ErrorResponse.

use super::stats::Recorder;
use super::wire::{CANCEL_REQUEST, Frame, Stream, int32, text};
use bytes::{BufMut, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::{backend, frontend};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long Postgres may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a client waits for a connection of the pool.
const WAIT: Duration = Duration::from_secs(15);

/// Where Postgres is and who the proxy is there.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    password: Vec<u8>,
    database: String,
}

impl Target {
    /// Reads a `postgres://` URL; only TCP is spoken.
    pub fn parse(url: &str) -> io::Result<Self> {
        let config: tokio_postgres::Config = url.parse().map_err(io::Error::other)?;
        let host = match config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            _ => return Err(io::Error::other("the upstream URL names no TCP host")),
        };
        let user = config.get_user().unwrap_or("postgres").to_owned();
        Ok(Self {
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            password: config.get_password().unwrap_or_default().to_vec(),
            user,
        })
    }
}

/// One connection to Postgres.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub stream: Stream,
    /// Its BackendKeyData: process id and secret.
    pub key: (i32, i32),
    generation: u64,
    /// Held while lent out. An idle connection needs none: it is always taken before another opens.
    permit: Option<OwnedSemaphorePermit>,
}

/// The connections not lent out.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    recorder: Arc<Recorder>,
    permits: Arc<Semaphore>,
    generation: AtomicU64,
    idle: Mutex<Vec<Upstream>>,
    parameters: Mutex<Vec<(String, String)>>,
}

impl Pool {
    /// A pool of at most `size` connections.
    pub fn new(target: Target, size: usize, recorder: Arc<Recorder>) -> Self {
        Self {
            target,
            recorder,
            permits: Arc::new(Semaphore::new(size.max(1))),
            generation: AtomicU64::new(0),
            idle: Mutex::default(),
            parameters: Mutex::default(),
        }
    }

    /// The target's role.
    pub fn user(&self) -> &str {
        &self.target.user
    }

    /// Lends a connection.
    pub async fn borrow(&self) -> io::Result<Upstream> {
        let waited = timeout(WAIT, self.permits.clone().acquire_owned()).await;
        let permit = waited
            .map_err(|_| io::Error::other("no connection of the pool came free"))?
            .map_err(io::Error::other)?;
        while let Some(mut upstream) = lock(&self.idle).pop() {
            if !upstream.stream.stirred() {
                upstream.permit = Some(permit);
                return Ok(upstream);
            }
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let opened = timeout(CONNECT, self.open()).await;
        let (stream, key) = opened
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
            .and_then(|opened| opened)?;
        Ok(Upstream {
            stream,
            key,
            generation,
            permit: Some(permit),
        })
    }

    /// Takes a connection back; it must be idle outside any transaction.
    pub fn give_back(&self, mut upstream: Upstream) {
        let permit = upstream.permit.take();
        let mut idle = lock(&self.idle);
        if upstream.generation == self.generation.load(Ordering::SeqCst) {
            idle.push(upstream);
        }
        drop(permit);
    }

    /// Closes the idle connections and never takes back those lent out now.
    pub fn close(&self) {
        let mut idle = lock(&self.idle);
        self.generation.fetch_add(1, Ordering::SeqCst);
        for upstream in idle.drain(..) {
            upstream.stream.reset();
        }
    }

    /// The server's ParameterStatus values, asked of a connection when none was opened yet.
    pub async fn parameters(&self) -> io::Result<Vec<(String, String)>> {
        let known = lock(&self.parameters).clone();
        if !known.is_empty() {
            return Ok(known);
        }
        let upstream = self.borrow().await?;
        self.give_back(upstream);
        Ok(lock(&self.parameters).clone())
    }

    /// Passes on a request to cancel what the connection with this key is doing.
    pub async fn cancel(&self, (process, secret): (i32, i32)) -> io::Result<()> {
        let mut stream = self.dial().await?;
        let mut packet = BytesMut::new();
        for part in [16, CANCEL_REQUEST, process, secret] {
            packet.put_i32(part);
        }
        stream.send(&packet).await?;
        stream.fill().await.map(drop)
    }

    async fn dial(&self) -> io::Result<Stream> {
        let address = (self.target.host.as_str(), self.target.port);
        Ok(Stream::new(TcpStream::connect(address).await?))
    }

    async fn open(&self) -> io::Result<(Stream, (i32, i32))> {
        let mut stream = self.dial().await?;
        let mut packet = BytesMut::new();
        let named = [
            ("user", &*self.target.user),
            ("database", &*self.target.database),
        ];
        frontend::startup_message(named, &mut packet)?;
        stream.send(&packet).await?;
        authenticate(&mut stream, &self.target).await?;
        let (mut key, mut parameters) = ((0, 0), Vec::new());
        loop {
            let frame = stream.expect_frame().await?;
            let mut body = frame.body();
            match frame.tag {
                b'S' => parameters.push((text(&mut body)?, text(&mut body)?)),
                b'K' => key = (int32(&mut body)?, int32(&mut body)?),
                b'Z' => break,
                b'E' => return Err(refused(&frame)),
                _ => {}
            }
        }
        *lock(&self.parameters) = parameters;
        self.recorder.opened();
        Ok((stream, key))
    }
}

/// Says who the proxy is, in whichever way the server asks: trust, clear text, md5 or SCRAM.
async fn authenticate(stream: &mut Stream, target: &Target) -> io::Result<()> {
    let mut scram = None;
    loop {
        let frame = stream.expect_frame().await?;
        if frame.tag == b'E' {
            return Err(refused(&frame));
        }
        let mut buffer = BytesMut::from(&frame.bytes[..]);
        let message = backend::Message::parse(&mut buffer)?;
        let mut reply = BytesMut::new();
        match message {
            Some(backend::Message::AuthenticationOk) => return Ok(()),
            Some(backend::Message::AuthenticationCleartextPassword) => {
                frontend::password_message(&target.password, &mut reply)?;
            }
            Some(backend::Message::AuthenticationMd5Password(body)) => {
                let hash = md5_hash(target.user.as_bytes(), &target.password, body.salt());
                frontend::password_message(hash.as_bytes(), &mut reply)?;
            }
            Some(backend::Message::AuthenticationSasl(body)) => {
                if !body
                    .mechanisms()
                    .any(|name| Ok(name == sasl::SCRAM_SHA_256))?
                {
                    return Err(io::Error::other("the server offers no SCRAM-SHA-256"));
                }
                let binding = sasl::ChannelBinding::unsupported();
                let state = sasl::ScramSha256::new(&target.password, binding);
                let first = state.message();
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, first, &mut reply)?;
                scram = Some(state);
            }
            Some(backend::Message::AuthenticationSaslContinue(body)) => {
                let state = scram.as_mut().ok_or_else(out_of_turn)?;
                state.update(body.data())?;
                frontend::sasl_response(state.message(), &mut reply)?;
            }
            Some(backend::Message::AuthenticationSaslFinal(body)) => {
                scram
                    .as_mut()
                    .ok_or_else(out_of_turn)?
                    .finish(body.data())?;
            }
            _ => {
                return Err(io::Error::other(
                    "an authentication method the proxy cannot do",
                ));
            }
        }
        stream.send(&reply).await?;
    }
}

fn out_of_turn() -> io::Error {
    io::Error::other("SCRAM message out of turn")
}

/// The message of an ErrorResponse, as an error.
fn refused(frame: &Frame) -> io::Error {
    let mut body = frame.body();
    while let Some((&field, rest)) = body.split_first() {
        body = rest;
        match text(&mut body) {
            Ok(message) if field == b'M' => return io::Error::other(message),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
    io::Error::other("the server refused")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
