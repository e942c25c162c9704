//! Requests to addresses that someone else chose.
//!
//! Invariant: every address, also behind a redirect, passes `rules::outbound` first; size and time
//! are bounded. A deployed Worker cannot reach private addresses at all; locally they are allowed
//! only where `OUTBOUND_ALLOW_PRIVATE` says so.
//! Failure: a refused address is 422 and names why; one that does not answer is 503.

use std::time::Duration;

use worker::{Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

use super::ctx::Ctx;
use super::error::{Error, Result};
use super::pg::within;

/// How many redirects are followed.
const HOPS: usize = 3;

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
    /// The largest answer that is read, in bytes.
    pub limit: usize,
    /// How long it may take, redirects included.
    pub patience: Duration,
}

/// What came back.
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes the request.
pub async fn send(ctx: &Ctx, outgoing: &Outgoing<'_>) -> Result<Incoming> {
    within(outgoing.patience, follow(ctx, outgoing)).await
}

async fn follow(ctx: &Ctx, outgoing: &Outgoing<'_>) -> Result<Incoming> {
    let policy = match ctx.config.outbound_allow_private {
        true => rules::outbound::Policy::open(),
        false => rules::outbound::Policy::strict(),
    };
    let mut url = outgoing.url.to_owned();
    for _ in 0..=HOPS {
        rules::outbound::judge(&url, &policy).map_err(refused)?;
        let mut response = once(&url, outgoing).await?;
        let location = response.headers().get("location").ok().flatten();
        match (response.status_code(), location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                let base = worker::Url::parse(&url).map_err(|e| Error::internal(e.to_string()))?;
                let next = base
                    .join(&location)
                    .map_err(|_| unreachable_peer("bad redirect"))?;
                url = next.into();
            }
            (status, _) => {
                let retry_after = response.headers().get("retry-after").ok().flatten();
                let body = bounded(&mut response, outgoing.limit).await?;
                return Ok(Incoming {
                    status,
                    retry_after,
                    body,
                });
            }
        }
    }
    Err(unreachable_peer("too many redirects"))
}

async fn once(url: &str, outgoing: &Outgoing<'_>) -> Result<Response> {
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
        .send()
        .await
        .map_err(|error| unreachable_peer(&error.to_string()))
}

async fn bounded(response: &mut Response, limit: usize) -> Result<Vec<u8>> {
    use futures_util::StreamExt;
    let mut body = Vec::new();
    let mut stream = response.stream()?;
    while let Some(chunk) = stream.next().await {
        body.extend(chunk?);
        if body.len() > limit {
            return Err(unreachable_peer("its answer is too large"));
        }
    }
    Ok(body)
}

fn refused(refusal: rules::outbound::Refusal) -> Error {
    rules::invalid::Invalid::one("/url", refusal.code(), refusal.to_string()).into()
}

fn unreachable_peer(why: &str) -> Error {
    let mut error = Error::unavailable(why);
    error.code = "peer_unavailable".into();
    error
}
