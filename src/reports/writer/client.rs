//! The client of chat completions.
//!
//! Invariant: the key goes to the model's own address and into no message; redirects are not
//! followed. An answer is bounded in size, each piece of it and the whole in time.
//! Failure: what a status means is decided by `rules::chat`; silence, a broken connection and an
//! answer that ends in the middle may be better another time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rules::chat::answer::{self, Partial};
use rules::chat::request::Dialect;
use rules::chat::sse::Events;
use rules::chat::{Answer, Failed, Talk};
use rules::report::markdown;
use worker::Method;

use super::choice::Model;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Error;
use crate::platform::outbound::{self, Limit, Outgoing, Streaming};

const AGENT: &str = concat!("Pulse-Reports/", env!("CARGO_PKG_VERSION"));
/// Longest time for one answer.
const CALL: Duration = Duration::from_secs(90);
/// Longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(45);
/// Most bytes of an answer: what streams wraps every word.
const ANSWER: usize = 8 << 20;
/// How much of a refusal is read.
const REFUSAL: usize = 16 << 10;

type Outcome<T> = core::result::Result<T, Failed>;

/// Asks for the next answer, in the way that the provider understands.
pub async fn ask(
    ctx: &Ctx,
    model: &Model,
    talk: &Talk,
    dialect: &mut Dialect,
    left: Duration,
) -> Outcome<Answer> {
    let until = clock::now() + TimeDelta::from_std(left.min(CALL)).unwrap_or_default();
    loop {
        let body = talk.request(&model.name, *dialect);
        let mut answer = post(ctx, model, &body, until).await?;
        if (200..300).contains(&answer.status) {
            return read(&mut answer, until).await;
        }
        let said = text(&mut answer, REFUSAL, until).await.unwrap_or_default();
        match dialect.without(&said) {
            Some(older) if matches!(answer.status, 400 | 422) => *dialect = older,
            _ => return Err(refused(model, &answer, &said)),
        }
    }
}

async fn post(ctx: &Ctx, model: &Model, body: &str, until: DateTime<Utc>) -> Outcome<Streaming> {
    let url = format!("{}/chat/completions", model.base_url);
    let bearer = model.key.as_ref().map(|key| format!("Bearer {key}"));
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "text/event-stream, application/json"),
        ("user-agent", AGENT),
    ];
    if let Some(bearer) = &bearer {
        headers.push(("authorization", bearer));
    }
    let request = Outgoing {
        method: Method::Post,
        url: &url,
        headers: &headers,
        body: Some(body),
        limit: Limit::Refuse(ANSWER),
        redirects: false,
        patience: left(until),
    };
    outbound::open(ctx, &request).await.map_err(unanswered)
}

/// Reads an answer as it comes: some servers stream, some do not, whatever they were asked.
async fn read(answer: &mut Streaming, until: DateTime<Utc>) -> Outcome<Answer> {
    if !answer.content_type.starts_with("text/event-stream") {
        return answer::whole(&text(answer, ANSWER, until).await?);
    }
    let (mut events, mut partial) = (Events::default(), Partial::default());
    while let Some(piece) = piece(answer, until).await? {
        let done = events.push(&piece).map_err(|_| too_long())?;
        for event in done {
            if partial.add(&event)? {
                return partial.end();
            }
        }
        if partial.len() > markdown::MAX_BYTES {
            return Err(too_long());
        }
    }
    if let Some(event) = events.end() {
        partial.add(&event)?;
    }
    partial.end()
}

async fn text(answer: &mut Streaming, most: usize, until: DateTime<Utc>) -> Outcome<String> {
    let mut body = Vec::new();
    while let Some(piece) = piece(answer, until).await? {
        body.extend(piece);
        if body.len() > most {
            body.truncate(most);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

async fn piece(answer: &mut Streaming, until: DateTime<Utc>) -> Outcome<Option<Vec<u8>>> {
    let patience = left(until).min(SILENCE);
    answer.next(patience).await.map_err(unanswered)
}

fn left(until: DateTime<Utc>) -> Duration {
    (until - clock::now()).to_std().unwrap_or_default()
}

fn refused(model: &Model, answer: &Streaming, said: &str) -> Failed {
    let after = answer.retry_after.as_deref();
    let mut failed = Failed::of_status(answer.status, after, said, clock::now());
    // Some providers show the key that they refuse.
    if let Some(key) = &model.key {
        failed.detail = failed.detail.replace(key.as_str(), "…");
    }
    failed
}

fn unanswered(error: Error) -> Failed {
    match (error.errors.first(), &*error.code) {
        (Some(wrong), _) => Failed::for_good(
            "model_address_refused",
            format!("The model's address may not be called. {}", wrong.message),
        ),
        (None, outbound::TIMEOUT) => Failed::for_now(
            "model_timeout",
            "The model's provider did not answer in time.",
        ),
        (None, _) => Failed::for_now(
            "model_unreachable",
            "The connection to the model's provider could not be made, or broke off.",
        ),
    }
}

fn too_long() -> Failed {
    Failed::for_good(
        "model_answer_too_long",
        "The model's answer is longer than it may be.",
    )
}
