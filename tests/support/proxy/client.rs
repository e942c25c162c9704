//! One client of the proxy: greeted as a pooler would, then served one unit of work at a time.
//!
//! Invariant: a connection of the pool is held from the first message that goes upstream to
//! ReadyForQuery, and a unit that breaks a rule never reaches Postgres as a whole.
//! Failure: a broken rule is an ErrorResponse (SQLSTATE 0A000) after which the client may go on, as
//! after any failed statement; a lost upstream is a fatal ErrorResponse and the end of the
//! connection.

use super::Shared;
use super::unit::{Answer, Broken, Conversation};
use super::upstream::Upstream;
use super::wire::{self, Frame, Stream};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer is awaited after its client has gone.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves a client until it leaves.
pub async fn serve(shared: Arc<Shared>, mut stream: Stream) -> io::Result<()> {
    let Some(parameters) = greet(&shared, &mut stream).await? else {
        return Ok(());
    };
    let enrolled = Enrolled::new(&shared);
    if welcome(&shared, &mut stream, enrolled.key, &parameters).await? {
        Client {
            shared: &shared,
            stream,
            enrolled,
            talk: Conversation::default(),
        }
        .run()
        .await?;
    }
    Ok(())
}

/// Reads start-up packets until one asks for a session; gives its parameters.
async fn greet(shared: &Shared, stream: &mut Stream) -> io::Result<Option<Bytes>> {
    loop {
        match stream.startup().await? {
            None => return Ok(None),
            Some((wire::SSL_REQUEST | wire::GSS_REQUEST, _)) => stream.send(b"N").await?,
            Some((wire::CANCEL_REQUEST, mut body)) if body.remaining() >= 8 => {
                shared.cancel((body.get_i32(), body.get_i32())).await?;
                return Ok(None);
            }
            Some((wire::VERSION_3, body)) => return Ok(Some(body)),
            Some(_) => {
                stream
                    .send(&wire::error(
                        "FATAL",
                        "08P01",
                        "only protocol 3.0 is spoken",
                    ))
                    .await?;
                return Ok(None);
            }
        }
    }
}

/// Lets the client in without a password; `false` when it was sent away.
async fn welcome(
    shared: &Shared,
    stream: &mut Stream,
    (process, secret): (i32, i32),
    parameters: &Bytes,
) -> io::Result<bool> {
    let mut rest = &parameters[..];
    while !rest.is_empty() {
        let name = wire::text(&mut rest)?;
        if name.is_empty() {
            break;
        }
        if wire::text(&mut rest)? != shared.pool.user() && name == "user" {
            let message = format!(
                "strict proxy: only the role {} is pooled",
                shared.pool.user()
            );
            stream
                .send(&wire::error("FATAL", "28000", &message))
                .await?;
            return Ok(false);
        }
    }
    let known = match shared.pool.parameters().await {
        Ok(known) => known,
        Err(error) => {
            stream.send(&lost(&error)).await?;
            return Ok(false);
        }
    };
    shared.recorder.connected();
    let mut out = BytesMut::new();
    wire::put(&mut out, b'R', &[0; 4]);
    for (name, value) in &known {
        wire::parameter(&mut out, name, value);
    }
    let mut body = BytesMut::new();
    body.put_i32(process);
    body.put_i32(secret);
    wire::put(&mut out, b'K', &body);
    wire::ready(&mut out);
    stream.send(&out).await?;
    Ok(true)
}

fn lost(error: &io::Error) -> BytesMut {
    wire::error(
        "FATAL",
        "08006",
        &format!("strict proxy: Postgres is away: {error}"),
    )
}

/// What became of a unit of work.
enum End {
    /// The client may send the next.
    Next,
    /// The connection ends.
    Close,
}

/// A client's BackendKeyData for as long as it is connected, however that ends.
struct Enrolled<'a> {
    shared: &'a Shared,
    key: (i32, i32),
}

impl<'a> Enrolled<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            key: shared.enroll(),
        }
    }
}

impl Drop for Enrolled<'_> {
    fn drop(&mut self) {
        self.shared.dismiss(self.key);
    }
}

struct Client<'a> {
    shared: &'a Shared,
    stream: Stream,
    enrolled: Enrolled<'a>,
    talk: Conversation,
}

impl Client<'_> {
    async fn run(mut self) -> io::Result<()> {
        while let Some(first) = self.stream.frame().await? {
            if first.tag == b'X' {
                return Ok(());
            }
            self.talk.begin();
            if let End::Close = self.unit(first).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a whole unit of work in, up to Sync or a simple query, then has it done.
    async fn unit(&mut self, first: Frame) -> io::Result<End> {
        let (mut unit, mut frame) = (BytesMut::new(), first);
        let mut lent: Option<Upstream> = None;
        loop {
            if let Some(broken) = self.talk.judge(&frame)?.filter(|_| self.shared.strict) {
                return self.refuse(&broken, &frame).await;
            }
            unit.extend_from_slice(&frame.bytes);
            match frame.tag {
                b'S' | b'Q' | b'F' => break,
                b'H' => {
                    // Flush: what came so far is answered before the unit is whole.
                    let mut upstream = match lent.take() {
                        Some(upstream) => upstream,
                        None => match self.shared.pool.borrow().await {
                            Ok(upstream) => upstream,
                            Err(error) => return self.away(&error).await,
                        },
                    };
                    upstream.stream.send(&unit.split()).await?;
                    match self.until_next(&mut upstream).await? {
                        Some(next) => frame = next,
                        None => return Ok(End::Close),
                    }
                    lent = Some(upstream);
                    continue;
                }
                _ => {}
            }
            match self.stream.frame().await? {
                Some(next) if next.tag != b'X' => frame = next,
                _ => return Ok(End::Close),
            }
        }
        let spoken = self.talk.unit();
        self.shared
            .recorder
            .round_trip(spoken.statements, spoken.request.as_deref());
        let mut upstream = match lent {
            Some(upstream) => upstream,
            None => match self.shared.pool.borrow().await {
                Ok(upstream) => upstream,
                Err(error) => return self.away(&error).await,
            },
        };
        self.shared.working(self.enrolled.key, Some(upstream.key));
        let lost = self.shared.loses(&unit);
        let done = match upstream.stream.send(&unit).await {
            Ok(()) if lost => Ok(self.shared.lose(upstream).await),
            Ok(()) => self.relay(upstream).await,
            Err(error) => self.away(&error).await,
        };
        self.shared.working(self.enrolled.key, None);
        done
    }

    /// Passes answers on until the client says more; `None` when either side ended.
    async fn until_next(&mut self, upstream: &mut Upstream) -> io::Result<Option<Frame>> {
        loop {
            tokio::select! {
                next = self.stream.frame() => return Ok(next?.filter(|frame| frame.tag != b'X')),
                answer = upstream.stream.frame() => match answer? {
                    Some(frame) => self.stream.send(&frame.bytes).await?,
                    None => return Ok(None),
                },
            }
        }
    }

    /// Passes the answer on up to ReadyForQuery and gives the connection back.
    async fn relay(&mut self, mut upstream: Upstream) -> io::Result<End> {
        let mut answer = Answer::default();
        let (mut out, mut swallow, mut early) = (BytesMut::new(), false, self.early());
        loop {
            let frame = match upstream.stream.take()? {
                Some(frame) => frame,
                None => {
                    if !out.is_empty() {
                        self.stream.send(&out.split()).await?;
                    }
                    tokio::select! {
                        came = upstream.stream.fill() => match came {
                            Ok(true) => {}
                            Ok(false) => return self.away(&io::ErrorKind::UnexpectedEof.into()).await,
                            Err(error) => return self.away(&error).await,
                        },
                        spoke = self.stream.fill(), if !early => {
                            if !matches!(spoke, Ok(true)) || self.stream.pending()[0] == b'X' {
                                self.shared.drain(upstream);
                                return Ok(End::Close);
                            }
                            early = true;
                        }
                    }
                    continue;
                }
            };
            let rule = answer
                .judge(&frame)?
                .filter(|_| self.shared.strict && !swallow);
            if let Some(rule) = rule {
                swallow = true;
                let statement = self.talk.unit().statement.clone();
                out.extend_from_slice(&self.violation(&Broken { rule, statement }));
                if rule == "copy" || frame.tag == b'Z' {
                    // What Postgres holds open cannot be handed to the next client.
                    wire::ready(&mut out);
                    self.stream.send(&out).await?;
                    return self.next(early).await;
                }
            }
            if frame.tag == b'Z' || !swallow {
                out.extend_from_slice(&frame.bytes);
            }
            if frame.tag == b'Z' && (self.shared.strict || frame.body() == b"I") {
                self.shared.pool.give_back(upstream);
                self.stream.send(&out).await?;
                return self.next(early).await;
            }
            if frame.tag == b'Z' {
                self.stream.send(&out.split()).await?;
                return Box::pin(self.transaction(upstream)).await;
            }
        }
    }

    /// Without strict rules a client may hold a transaction open: it keeps its connection.
    async fn transaction(&mut self, mut upstream: Upstream) -> io::Result<End> {
        let mut unit = BytesMut::new();
        self.talk.begin();
        loop {
            let Some(frame) = self.stream.frame().await?.filter(|frame| frame.tag != b'X') else {
                return Ok(End::Close);
            };
            self.talk.judge(&frame)?;
            unit.extend_from_slice(&frame.bytes);
            if matches!(frame.tag, b'S' | b'Q' | b'F') {
                break;
            }
        }
        let spoken = self.talk.unit();
        self.shared
            .recorder
            .round_trip(spoken.statements, spoken.request.as_deref());
        upstream.stream.send(&unit).await?;
        self.relay(upstream).await
    }

    /// Did the client speak before its last unit was answered? Leaving is no crime.
    fn early(&self) -> bool {
        self.stream
            .pending()
            .first()
            .is_some_and(|&tag| tag != b'X')
    }

    /// Goes on to the next unit; one that came before its turn is refused.
    async fn next(&mut self, early: bool) -> io::Result<End> {
        if !(early && self.shared.strict) {
            return Ok(End::Next);
        }
        self.talk.begin();
        let Some(frame) = self.stream.frame().await? else {
            return Ok(End::Close);
        };
        self.talk.judge(&frame)?;
        let statement = self.talk.unit().statement.clone();
        self.refuse(
            &Broken {
                rule: "pipelined",
                statement,
            },
            &frame,
        )
        .await
    }

    /// Answers a broken rule and skips to the end of the unit.
    async fn refuse(&mut self, broken: &Broken, last: &Frame) -> io::Result<End> {
        let mut out = self.violation(broken);
        let mut tag = last.tag;
        while !matches!(tag, b'S' | b'Q' | b'F') {
            match self.stream.frame().await? {
                Some(frame) if frame.tag != b'X' => tag = frame.tag,
                _ => return Ok(End::Close),
            }
        }
        let early = self.early();
        wire::ready(&mut out);
        self.stream.send(&out).await?;
        Box::pin(self.next(early)).await
    }

    fn violation(&self, broken: &Broken) -> BytesMut {
        self.shared
            .recorder
            .violation(broken.rule, &broken.statement);
        let shown: String = broken.statement.trim().chars().take(80).collect();
        wire::error(
            "ERROR",
            "0A000",
            &format!("strict proxy: {}: {shown}", broken.rule),
        )
    }

    async fn away(&mut self, error: &io::Error) -> io::Result<End> {
        self.stream.send(&lost(error)).await?;
        Ok(End::Close)
    }
}

impl Shared {
    /// Waits for an answer nobody reads any more, so that the connection can be used again.
    fn drain(&self, upstream: Upstream) {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            if let Some(upstream) = finished(upstream).await {
                pool.give_back(upstream);
            }
        });
    }

    /// Waits for an answer and keeps it from its client, whose connection ends.
    async fn lose(&self, upstream: Upstream) -> End {
        if let Some(upstream) = finished(upstream).await {
            self.pool.give_back(upstream);
            self.recorder.lost();
        }
        End::Close
    }
}

/// Reads an answer to its end; the connection, when it can be used again.
async fn finished(mut upstream: Upstream) -> Option<Upstream> {
    let idle = async {
        loop {
            let frame = upstream.stream.expect_frame().await.ok()?;
            if frame.tag == b'Z' {
                return (frame.body() == b"I").then_some(());
            }
        }
    };
    let idle = timeout(DRAIN, idle).await.ok().flatten();
    idle.map(|()| upstream)
}
