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
use rules::outbound::{Policy, Refusal};
use worker::{
    AbortController, AbortSignal, ByteStream, Fetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response,
};

use super::config::Config;
use super::ctx::Ctx;
use super::error::{Error, Result};

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
pub fn policy(config: &Config) -> Policy {
    match config.outbound_allow_private {
        true => Policy::open(),
        false => Policy::strict(),
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
    let ask = async |url: &str| {
        let response = once(url, outgoing, signal).await?;
        let location = header(&response, "location");
        Ok((response.status_code(), location, response))
    };
    walk(outgoing.url, outgoing.redirects, &policy, ask).await
}

/// Asks one address after the other until one does not redirect. Each is judged before it is asked;
/// `ask` answers status, `Location` and what came.
async fn walk<R>(
    first: &str,
    redirects: bool,
    policy: &Policy,
    ask: impl AsyncFn(&str) -> Result<(u16, Option<String>, R)>,
) -> Result<R> {
    let mut target = rules::outbound::judge(first, policy).map_err(refused)?;
    for hops in 0.. {
        let (status, location, came) = ask(&target.url).await?;
        match (status, location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) if redirects => {
                target =
                    rules::outbound::redirect(&target, &location, hops, policy).map_err(refused)?;
            }
            _ => return Ok(came),
        }
    }
    Err(refused(Refusal::TooManyRedirects))
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

fn refused(refusal: Refusal) -> Error {
    Invalid::one("/url", refusal.code(), refusal.message()).into()
}

fn unreachable_peer(why: &str) -> Error {
    let mut error = Error::unavailable(why);
    error.code = "peer_unavailable".into();
    error
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;
    use rules::outbound::MAX_HOPS;

    use super::*;

    /// What is asked, in order, and what comes of it, when each address redirects to the next.
    fn walked(hops: &[&str], redirects: bool, policy: &Policy) -> (Vec<String>, Result<u16>) {
        let asked = RefCell::new(Vec::new());
        let ask = async |url: &str| {
            let mut asked = asked.borrow_mut();
            asked.push(url.to_owned());
            let location = hops.get(asked.len()).map(|next| (*next).to_owned());
            let status = if location.is_some() { 302 } else { 200 };
            Ok((status, location, status))
        };
        let outcome = walk(hops[0], redirects, policy, ask)
            .now_or_never()
            .unwrap();
        (asked.into_inner(), outcome)
    }

    #[test]
    fn an_address_that_is_not_public_is_never_asked_not_even_behind_a_redirect() {
        let strict = Policy::strict();
        for (private, code) in [
            (
                "https://169.254.169.254/latest/meta-data",
                "url_address_not_public",
            ),
            ("https://10.0.0.1/", "url_address_not_public"),
            ("https://[::1]/", "url_address_not_public"),
            ("https://localhost/", "url_host_not_public"),
            ("//127.0.0.1/x", "url_address_not_public"),
            ("http://example.org/", "url_scheme_not_allowed"),
            ("https://example.org:22/", "url_port_not_allowed"),
            ("https://user:pass@example.org/", "url_has_credentials"),
            ("file:///etc/passwd", "url_scheme_not_allowed"),
        ] {
            let (asked, outcome) =
                walked(&["https://example.org/in", "/next", private], true, &strict);
            assert_eq!(
                asked,
                ["https://example.org/in", "https://example.org/next"],
                "{private}"
            );
            let error = outcome.unwrap_err();
            assert_eq!(
                (error.status, error.errors[0].code.as_str()),
                (422, code),
                "{private}"
            );
        }
        let (asked, outcome) = walked(&["https://10.0.0.1/"], true, &strict);
        assert!(asked.is_empty() && outcome.is_err());
    }

    #[test]
    fn redirects_are_followed_where_they_are_wanted_and_not_for_ever() {
        let strict = Policy::strict();
        let twice = ["https://a.example.org/", "https://b.example.org/", "/c"];
        let (asked, outcome) = walked(&twice, true, &strict);
        assert_eq!(asked.last().unwrap(), "https://b.example.org/c");
        assert_eq!(outcome.unwrap(), 200);
        let (asked, outcome) = walked(&twice, false, &strict);
        assert_eq!(
            (asked.len(), outcome.unwrap()),
            (1, 302),
            "an answer like any other"
        );
        let endless = vec!["https://example.org/"; 100];
        let (asked, outcome) = walked(&endless, true, &strict);
        assert_eq!(asked.len(), MAX_HOPS as usize + 1);
        assert_eq!(outcome.unwrap_err().errors[0].code, "too_many_redirects");
    }
}
