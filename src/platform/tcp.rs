//! Connections to hosts that someone else chose, for protocols other than HTTP.
//!
//! Invariant: a host passes `rules::outbound` before it is connected to; every step ends in time. An
//! encrypted connection is one to a host whose certificate the runtime verified.
//! Failure: an error whose code says whether it was the time; a connection that nobody needs any
//! more is closed, whichever way that comes about.

mod stream;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use rules::invalid::Invalid;
use rules::outbound::Policy;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use worker::wasm_bindgen_futures::spawn_local;

use self::stream::Stream;

use super::ctx::Ctx;
use super::error::{Error, Result};
use super::outbound::{self, TIMEOUT};

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte on.
    Now,
    /// When [`Connection::encrypt`] is called.
    Later,
    /// Never; only where private addresses may be called.
    Never,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Option<Stream>,
}

impl Connection {
    /// Connects; `ports` are those that may be connected to where private addresses may not, any
    /// when none is named.
    pub async fn open(
        ctx: &Ctx,
        host: &str,
        port: u16,
        ports: &[u16],
        encryption: Encryption,
        patience: Duration,
    ) -> Result<Self> {
        let policy = outbound::policy(&ctx.config);
        let policy = match policy.ports.is_empty() {
            true => policy,
            false => Policy {
                ports: ports.to_vec(),
                ..policy
            },
        };
        let host = rules::outbound::judge_host(host, port, &policy).map_err(|refusal| {
            Error::from(Invalid::one("/host", refusal.code(), refusal.message()))
        })?;
        if encryption == Encryption::Never && !policy.allow_private {
            let message = "The connection must be encrypted.";
            return Err(Invalid::one("/host", "not_encrypted", message).into());
        }
        let stream = Stream::connect(&host, port, encryption).map_err(|error| lost(&error))?;
        let mut connection = Self {
            stream: Some(stream),
        };
        let stream = connection.stream()?;
        within(patience, async {
            stream.opened().await.map_err(|error| lost(&error))
        })
        .await?;
        Ok(connection)
    }

    /// Reads what is there, nothing at the end.
    pub async fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<usize> {
        let stream = self.stream()?;
        within(patience, async {
            stream.read(buffer).await.map_err(|error| lost(&error))
        })
        .await
    }

    /// Writes all of it.
    pub async fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<()> {
        let stream = self.stream()?;
        within(patience, async {
            stream.write_all(bytes).await.map_err(|error| lost(&error))
        })
        .await
    }

    /// Encrypts from here on. Whether that works, the next bytes show.
    pub fn encrypt(&mut self) -> Result<()> {
        let stream = self.stream.take().ok_or_else(|| lost(&"closed"))?;
        self.stream = Some(stream.encrypt().map_err(|error| lost(&error))?);
        Ok(())
    }

    fn stream(&mut self) -> Result<&mut Stream> {
        self.stream.as_mut().ok_or_else(|| lost(&"closed"))
    }

    fn pinned(&mut self) -> io::Result<Pin<&mut Stream>> {
        let closed = || io::Error::from(io::ErrorKind::NotConnected);
        self.stream.as_mut().map(Pin::new).ok_or_else(closed)
    }
}

/// For a protocol that reads and writes on its own. Its steps end in time only if whoever speaks it
/// sees to that.
impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pinned()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            spawn_local(stream.abort());
        }
    }
}

/// Does it in this time, or gives it up.
async fn within<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let work = std::pin::pin!(work);
    let limit = std::pin::pin!(worker::Delay::from(patience));
    match select(work, limit).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            let mut error = lost(&"it did not answer in time");
            error.code = TIMEOUT.into();
            Err(error)
        }
    }
}

fn lost(why: &impl ToString) -> Error {
    let mut error = Error::unavailable(&why.to_string());
    error.code = "peer_unavailable".into();
    error
}
