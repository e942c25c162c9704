//! Requests to addresses that someone else chose.
//!
//! Invariant: every address, also behind a redirect, passes `rules::outbound` first; size and time
//! are bounded. A deployed Worker cannot reach private addresses at all; locally they are allowed
//! only where `OUTBOUND_ALLOW_PRIVATE` says so.
//! Failure: a refused address is 422 and names why; one that does not answer is 503. What is given
//! up is also cut off, so that it holds no connection.

use std::time::Duration;

use futures_util::future::{Either, select};
use rules::invalid::Invalid;
use worker::{
    AbortController, AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Response,
};

use super::config::Config;
use super::ctx::Ctx;
use super::error::{Error, Result};

/// How many redirects are followed.
const HOPS: usize = 3;
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
    let work = std::pin::pin!(follow(ctx, outgoing, &signal));
    let limit = std::pin::pin!(worker::Delay::from(outgoing.patience));
    match select(work, limit).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            let mut error = unreachable_peer("it did not answer in time");
            error.code = TIMEOUT.into();
            Err(error)
        }
    }
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

async fn follow(ctx: &Ctx, outgoing: &Outgoing<'_>, signal: &AbortSignal) -> Result<Incoming> {
    let policy = policy(&ctx.config);
    let mut url = outgoing.url.to_owned();
    for _ in 0..=HOPS {
        rules::outbound::judge(&url, &policy).map_err(refused)?;
        let mut response = once(&url, outgoing, signal).await?;
        let location = response.headers().get("location").ok().flatten();
        match (response.status_code(), location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) if outgoing.redirects => {
                let base = worker::Url::parse(&url).map_err(|e| Error::internal(e.to_string()))?;
                let next = base
                    .join(&location)
                    .map_err(|_| unreachable_peer("bad redirect"))?;
                url = next.into();
            }
            (status, _) => {
                let retry_after = response.headers().get("retry-after").ok().flatten();
                let message_id = response.headers().get("x-message-id").ok().flatten();
                let body = bounded(&mut response, outgoing.limit).await?;
                return Ok(Incoming {
                    status,
                    retry_after,
                    message_id,
                    body,
                });
            }
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
        body.extend(chunk?);
        match limit {
            Limit::Refuse(most) if body.len() > most => {
                return Err(unreachable_peer("its answer is too large"));
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
