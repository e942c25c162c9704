//! Requests to addresses that someone else chose.
//!
//! Invariant: every address, also behind a redirect, passes `rules::outbound` first; size and time
//! are bounded. A deployed Worker cannot reach private addresses at all; locally they are allowed
//! only where `OUTBOUND_ALLOW_PRIVATE` says so.
//! Failure: a refused address is 422 and names why; one that does not answer is 503. What is given
//! up is also cut off, so that it holds no connection.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use rules::invalid::Invalid;
use worker::{
    AbortController, AbortSignal, ByteStream, Fetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response,
};

use super::config::Config;
use super::ctx::Ctx;
use super::error::{Error, Result};

/// How many redirects are followed.
const HOPS: usize = 3;
const TOO_LARGE: &str = "its answer is too large";
/// The code of an answer that did not come in time.
pub const TIMEOUT: &str = "peer_timeout";

/// How much of an answer is read, in bytes.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// A longer one is an error.
    Refuse(usize),
    /// A longer one is read to here.
    Cut(usize),
}

/// A request to make.
pub struct Outgoing<'a> {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: &'a str,
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, if any.
    pub body: Option<&'a str>,
    /// How much of the answer is read.
    pub limit: Limit,
    /// Whether redirects are followed; else one is an answer like any other.
    pub redirects: bool,
    /// How long it may take, redirects included.
    pub patience: Duration,
}

/// What came back.
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
    /// `X-Message-Id`, if it was sent: what a provider of mail calls what it took.
    pub message_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes the request.
pub async fn send(ctx: &Ctx, outgoing: &Outgoing<'_>) -> Result<Incoming> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let _cut = CutOff(Some(controller));
    within(outgoing.patience, async {
        let mut response = follow(ctx, outgoing, &signal).await?;
        Ok(Incoming {
            status: response.status_code(),
            retry_after: header(&response, "retry-after"),
            message_id: header(&response, "x-message-id"),
            body: bounded(&mut response, outgoing.limit).await?,
        })
    })
    .await
}

/// An answer whose body is read piece by piece. Dropping it ends the request.
pub struct Streaming {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// None for an answer without a body.
    body: Option<ByteStream>,
    /// Bytes that may still come.
    left: usize,
    /// What is longer is an error.
    refuse: bool,
    _cut: CutOff,
}

/// Makes the request and answers as soon as the head of the answer is there; patience is for that.
/// The limit is one of the whole body.
pub async fn open(ctx: &Ctx, outgoing: &Outgoing<'_>) -> Result<Streaming> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let cut = CutOff(Some(controller));
    let work = follow(ctx, outgoing, &signal);
    let mut response = within(outgoing.patience, work).await?;
    let body = match response.body() {
        worker::ResponseBody::Empty => None,
        _ => Some(response.stream()?),
    };
    let (left, refuse) = match outgoing.limit {
        Limit::Refuse(most) => (most, true),
        Limit::Cut(most) => (most, false),
    };
    Ok(Streaming {
        status: response.status_code(),
        retry_after: header(&response, "retry-after"),
        content_type: header(&response, "content-type").unwrap_or_default(),
        body,
        left,
        refuse,
        _cut: cut,
    })
}

impl Streaming {
    /// The next piece, for which `patience` is waited; none when the body has come to its end.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Vec<u8>>> {
        use futures_util::StreamExt as _;
        let Some(body) = self.body.as_mut().filter(|_| self.left > 0) else {
            return Ok(None);
        };
        let piece = within(patience, async { Ok(body.next().await) }).await?;
        let Some(piece) = piece else {
            self.body = None;
            return Ok(None);
        };
        let mut piece = piece.map_err(|error| unreachable_peer(&error.to_string()))?;
        if piece.len() > self.left && self.refuse {
            return Err(unreachable_peer(TOO_LARGE));
        }
        piece.truncate(self.left);
        self.left -= piece.len();
        Ok(Some(piece))
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let work = std::pin::pin!(work);
    let limit = std::pin::pin!(worker::Delay::from(patience));
    match select(work, limit).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            let mut error = unreachable_peer("it did not answer in time");
            error.code = TIMEOUT.into();
            Err(error)
        }
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

/// Checks an address that came in at `pointer`; answers its normal form.
pub fn judge(ctx: &Ctx, pointer: &str, url: &str) -> core::result::Result<String, Invalid> {
    rules::outbound::judge(url, &policy(&ctx.config))
        .map(|target| target.url)
        .map_err(|refusal| Invalid::one(pointer, refusal.code(), refusal.message()))
}

/// What this deployment lets out.
pub fn policy(config: &Config) -> rules::outbound::Policy {
    match config.outbound_allow_private {
        true => rules::outbound::Policy::open(),
        false => rules::outbound::Policy::strict(),
    }
}

/// Ends the request when nobody waits for it any more.
struct CutOff(Option<AbortController>);

impl Drop for CutOff {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

async fn follow(ctx: &Ctx, outgoing: &Outgoing<'_>, signal: &AbortSignal) -> Result<Response> {
    let policy = policy(&ctx.config);
    let mut url = outgoing.url.to_owned();
    for _ in 0..=HOPS {
        rules::outbound::judge(&url, &policy).map_err(refused)?;
        let response = once(&url, outgoing, signal).await?;
        let location = header(&response, "location");
        match (response.status_code(), location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) if outgoing.redirects => {
                let base = worker::Url::parse(&url).map_err(|e| Error::internal(e.to_string()))?;
                let next = base
                    .join(&location)
                    .map_err(|_| unreachable_peer("bad redirect"))?;
                url = next.into();
            }
            _ => return Ok(response),
        }
    }
    Err(unreachable_peer("too many redirects"))
}

async fn once(url: &str, outgoing: &Outgoing<'_>, signal: &AbortSignal) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in outgoing.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(outgoing.method.clone())
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(outgoing.body.map(Into::into));
    let request = Request::new_with_init(url, &init)?;
    Fetch::Request(request)
        .send_with_signal(signal)
        .await
        .map_err(|error| unreachable_peer(&error.to_string()))
}

async fn bounded(response: &mut Response, limit: Limit) -> Result<Vec<u8>> {
    use futures_util::StreamExt;
    let mut body = Vec::new();
    // Answers without a body have no stream.
    if matches!(response.body(), worker::ResponseBody::Empty) {
        return Ok(body);
    }
    let mut stream = response.stream()?;
    while let Some(chunk) = stream.next().await {
        body.extend(chunk.map_err(|error| unreachable_peer(&error.to_string()))?);
        match limit {
            Limit::Refuse(most) if body.len() > most => {
                return Err(unreachable_peer(TOO_LARGE));
            }
            Limit::Cut(most) if body.len() >= most => {
                body.truncate(most);
                break;
            }
            _ => {}
        }
    }
    Ok(body)
}

fn refused(refusal: rules::outbound::Refusal) -> Error {
    Invalid::one("/url", refusal.code(), refusal.message()).into()
}

fn unreachable_peer(why: &str) -> Error {
    let mut error = Error::unavailable(why);
    error.code = "peer_unavailable".into();
    error
}
