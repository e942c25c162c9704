//! A session with a Postgres server that someone else runs: one socket, one backend.
//!
//! Unlike the product's own database it is not behind a pooler, so what is set in a session stays,
//! and it may outlive the event that opened it if an object owns it.
//! Invariant: the host passes `rules::outbound`; over an encrypted session nothing but the request
//! for encryption is said before the runtime has verified the server's certificate; every step has
//! a deadline of ours, because a dead peer keeps none of its own. What is given up is cut off.
//! Failure: a [`Fault`] that says in which step, with the server's own code where it gave one. A
//! session that ran into a deadline is over: whatever its backend still does, nobody hears of it.

use std::cell::{Cell, RefCell};
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::{Either, RemoteHandle, select};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Config};

use crate::platform::ctx::Ctx;
use crate::platform::tcp::{Connection, Encryption};

/// How long a server may take to end a backend that was told goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where to, and as whom.
pub struct Target<'a> {
    /// Name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
    /// Whether the session is encrypted and the server's certificate verified. Without, only where
    /// private addresses may be called.
    pub encrypted: bool,
    /// What the server's administrator sees.
    pub application: &'static str,
}

/// A value that goes with a statement.
pub enum Parameter<'a> {
    /// `text`.
    Text(&'a str),
    /// `int8`.
    Integer(i64),
    /// `text[]`.
    Texts(&'a [String]),
    /// `float8[]`.
    Numbers(&'a [f64]),
    /// `timestamptz`.
    Time(DateTime<Utc>),
}

/// How far a session had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// The address is not to be called; no connection was attempted.
    Refused,
    /// To the host.
    #[default]
    Connecting,
    /// Asking whether the server encrypts; its answer was no.
    Unencrypted,
    /// The certificate and the keys.
    Encrypting,
    /// Name and password.
    SigningIn,
    /// A statement.
    Asking,
}

/// Why something did not work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// In which step.
    pub step: Step,
    /// The server's code, if it was the server that said no.
    pub sqlstate: Option<String>,
    /// Whether it was our deadline.
    pub late: bool,
    /// The server's words, or those of the runtime. They may name roles and tables.
    pub words: String,
}

/// What is known of a connection while the driver has it.
#[derive(Default)]
struct Said {
    step: Cell<Step>,
    lost: RefCell<Option<String>>,
}

/// A session.
pub struct Session {
    /// None once it was closed or cut off.
    line: Option<Line>,
    said: Rc<Said>,
}

/// What sends statements, and the task that carries them; dropping that cuts the socket.
struct Line {
    client: Client,
    driver: RemoteHandle<()>,
}

impl Session {
    /// Opens one.
    pub async fn open(ctx: &Ctx, target: &Target<'_>, patience: Duration) -> Result<Self, Fault> {
        let said = Rc::new(Said::default());
        let opening = Self::begin(ctx, target, patience, Rc::clone(&said));
        match within(patience, opening).await {
            Some(outcome) => outcome,
            None => Err(Fault::late(said.step.get())),
        }
    }

    async fn begin(
        ctx: &Ctx,
        target: &Target<'_>,
        patience: Duration,
        said: Rc<Said>,
    ) -> Result<Self, Fault> {
        let encryption = match target.encrypted {
            true => Encryption::Later,
            false => Encryption::Never,
        };
        let connection =
            Connection::open(ctx, target.host, target.port, &[], encryption, patience).await;
        let connection = connection.map_err(|error| match error.errors.first() {
            Some(refused) => Fault {
                step: Step::Refused,
                words: refused.message.clone(),
                ..Fault::default()
            },
            None => Fault {
                late: error.code == crate::platform::outbound::TIMEOUT,
                words: error.context.unwrap_or_default(),
                ..Fault::default()
            },
        })?;
        if !target.encrypted {
            said.step.set(Step::SigningIn);
        }
        let wire = Wire {
            connection,
            said: Rc::clone(&said),
        };
        let mut config = Config::new();
        config
            .host(target.host)
            .user(target.user)
            .password(target.password)
            .dbname(target.database)
            .application_name(target.application)
            .ssl_mode(match target.encrypted {
                true => SslMode::Require,
                false => SslMode::Disable,
            });
        let opened = config.connect_raw(wire, Upgrade).await;
        let (client, connection) = opened.map_err(|error| said.fault(&error))?;
        said.step.set(Step::Asking);
        let heard = Rc::clone(&said);
        let driving = async move {
            if let Err(error) = connection.await {
                heard.lost.replace(Some(error.to_string()));
            }
        };
        let (driving, driver) = driving.remote_handle();
        worker::wasm_bindgen_futures::spawn_local(driving);
        let line = Some(Line { client, driver });
        Ok(Self { line, said })
    }

    /// Whether statements can be sent.
    pub fn is_open(&self) -> bool {
        let line = self.line.as_ref();
        line.is_some_and(|line| !line.client.is_closed())
    }

    /// Says goodbye and waits, for a moment at most, until the server has ended the backend.
    pub async fn close(mut self) {
        if let Some(line) = self.line.take() {
            line.end().await;
        }
    }

    /// Runs a statement that answers at most one row, whose first column is a text or JSON. After a
    /// deadline the session is cut off.
    pub async fn ask(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
        patience: Duration,
    ) -> Result<Option<String>, Fault> {
        let line = self.line.as_ref().ok_or_else(Fault::over)?;
        let parameters: Vec<_> = parameters.iter().map(Parameter::typed).collect();
        let asking = line.client.query_typed_opt(sql, &parameters);
        let Some(answer) = within(patience, asking).await else {
            self.line = None;
            return Err(Fault::late(Step::Asking));
        };
        let row = answer.map_err(|error| self.said.fault(&error))?;
        let text = row.map(|row| row.try_get::<_, Option<Text>>(0));
        let text = text.transpose().map(Option::flatten);
        text.map(|text| text.map(|text| text.0))
            .map_err(|error| self.said.fault(&error))
    }

    /// Runs statements that answer nothing, in one message. After a deadline the session is cut off.
    pub async fn run(&mut self, sql: &str, patience: Duration) -> Result<(), Fault> {
        let line = self.line.as_ref().ok_or_else(Fault::over)?;
        let Some(outcome) = within(patience, line.client.batch_execute(sql)).await else {
            self.line = None;
            return Err(Fault::late(Step::Asking));
        };
        outcome.map_err(|error| self.said.fault(&error))
    }
}

/// A session that was not closed is dropped with its object, when that is collected: its sockets are
/// gone with their context, and whatever touches them, or sets a timer, fails.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.driver.forget();
            std::mem::forget(line.client);
        }
    }
}

impl Line {
    /// The driver says goodbye when the client is dropped.
    async fn end(self) {
        drop(self.client);
        within(GOODBYE, self.driver).await;
    }
}

impl Parameter<'_> {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Integer(number) => (number, Type::INT8),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
            Self::Numbers(numbers) => (numbers, Type::FLOAT8_ARRAY),
            Self::Time(at) => (at, Type::TIMESTAMPTZ),
        }
    }
}

/// A text, or JSON as it came.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(
        _type: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::TEXT | Type::VARCHAR | Type::JSON)
    }
}

impl Fault {
    fn over() -> Self {
        Self {
            step: Step::Asking,
            words: "the session is over".to_owned(),
            ..Self::default()
        }
    }

    fn late(step: Step) -> Self {
        Self {
            step,
            late: true,
            ..Self::default()
        }
    }
}

impl Said {
    fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        let step = self.step.get();
        if let Some(said) = error.as_db_error() {
            return Fault {
                step,
                sqlstate: Some(said.code().code().to_owned()),
                late: false,
                words: said.message().to_owned(),
            };
        }
        let source = std::error::Error::source(error).map(ToString::to_string);
        let lost = self.lost.borrow().clone();
        Fault {
            step,
            words: lost.or(source).unwrap_or_else(|| error.to_string()),
            ..Fault::default()
        }
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    let limit = std::pin::pin!(worker::Delay::from(patience));
    match select(work, limit).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

/// The connection as the driver needs it, noting how far it is.
struct Wire {
    connection: Connection,
    said: Rc<Said>,
}

/// Encrypts a connection when the server has agreed to it.
struct Upgrade;

impl TlsConnect<Wire> for Upgrade {
    type Stream = Wire;
    type Error = io::Error;
    type Future = Ready<io::Result<Wire>>;

    fn connect(self, mut wire: Wire) -> Self::Future {
        wire.said.step.set(Step::Encrypting);
        let outcome = wire.connection.encrypt();
        let outcome = outcome.map_err(|error| io::Error::other(error.context.unwrap_or_default()));
        ready(outcome.map(|()| wire))
    }
}

impl TlsStream for Wire {
    /// The runtime does not tell us the server's certificate.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.connection).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = outcome {
            let came = buffer.filled().get(before..).unwrap_or_default();
            match (self.said.step.get(), came) {
                (Step::Connecting, [b'N' | b'E']) => self.said.step.set(Step::Unencrypted),
                // Whatever comes over the encrypted connection has passed its verification.
                (Step::Encrypting, [_, ..]) => self.said.step.set(Step::SigningIn),
                _ => {}
            }
        }
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    /// After the goodbye the server closes, and only then its backend is gone.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut rest = [0; 256];
        loop {
            let mut rest = ReadBuf::new(&mut rest);
            match Pin::new(&mut self.connection).poll_read(cx, &mut rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !rest.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
