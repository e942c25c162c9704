//! The writer: from a prompt to a report and the data that it is made of.
//!
//! A language model behind any OpenAI-compatible endpoint writes it, with tools to look things up,
//! or the builtin writer does, which runs the SQL blocks of the prompt or the template.
//! Invariant: both look things up by the same guarded queries; what a draft says it was made of is
//! what was found. A key is sealed at rest, sent to its own endpoint only, and never shown.
//! Failure: a [`Failure`] that says whether waiting may mend it; time and work are bounded.

mod builtin;
mod choice;
mod client;
pub mod http;
mod model;
mod store;
mod tools;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::chat::{Failed, prompt};
use rules::civil::Zone;
use rules::report::Dataset;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use choice::Choice;
use wire::{Draft as DraftOut, TryIn, Writer, WriterIn};

/// What a report is to be written about.
pub struct Brief<'a> {
    /// Whose report it is.
    pub tenant: Uuid,
    /// What was asked for.
    pub prompt: &'a str,
    /// The name of the report.
    pub title: &'a str,
    /// Where its days begin.
    pub zone: &'a Zone,
    /// The time it is about.
    pub scheduled_for: DateTime<Utc>,
    /// The template it is written by.
    pub template: Option<&'a str>,
}

/// A report that was written.
pub struct Draft {
    /// The conversation, results of queries abbreviated.
    pub messages: Vec<Message>,
    /// The report, Markdown.
    pub report: String,
    /// What the queries found.
    pub data: Vec<Dataset>,
    /// What it took.
    pub usage: Usage,
    /// `builtin`, or the model.
    pub writer: String,
}

/// A message of the conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = WriterMessage)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// What a report took.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WriterUsage)]
pub struct Usage {
    /// Requests to the model.
    pub requests: u32,
    /// Tokens that it read.
    pub prompt_tokens: u64,
    /// Tokens that it wrote.
    pub completion_tokens: u64,
    /// Queries that were run.
    pub queries: u32,
    /// How long it took.
    pub milliseconds: u64,
}

/// Why there is no report.
#[derive(Debug)]
pub struct Failure {
    /// Whether trying again later may help; after this time, where that was said.
    pub retry: Option<Option<Duration>>,
    /// Stable, snake_case.
    pub code: Cow<'static, str>,
    /// One or two sentences for a person.
    pub detail: String,
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self {
            retry: failed.retry,
            code: failed.code.into(),
            detail: failed.detail,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let wrong = error.errors.first();
        let seconds = error.retry_after.map(|s| Duration::from_secs(s.into()));
        Self {
            retry: (error.status >= 500 || error.status == 429).then_some(seconds),
            code: match wrong {
                Some(wrong) => wrong.code.clone().into(),
                None => error.code,
            },
            detail: match wrong {
                Some(wrong) => wrong.message.clone(),
                None => error.detail.into(),
            },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let status = match failure.retry {
            Some(_) => 503,
            None => 422,
        };
        let mut error = Self::new(status, failure.code, failure.detail);
        error.retry_after = failure.retry.map(|after| {
            let seconds = after.map_or(30, |after| after.as_secs().max(1));
            u32::try_from(seconds).unwrap_or(u32::MAX)
        });
        error
    }
}

/// Writes a report.
pub async fn write(ctx: &Ctx, brief: &Brief<'_>) -> core::result::Result<Draft, Failure> {
    match choice::of(ctx, brief.tenant).await? {
        Choice::Builtin => builtin::write(ctx, brief).await,
        Choice::Model(chosen) => model::write(ctx, brief, &chosen).await,
    }
}

impl<'a> Brief<'a> {
    /// The part of it that a model is told.
    fn told(&self) -> prompt::Brief<'a> {
        prompt::Brief {
            prompt: self.prompt,
            title: self.title,
            zone: self.zone,
            scheduled_for: self.scheduled_for,
            template: self.template,
        }
    }
}

/// Who writes the tenant's reports.
pub async fn get(ctx: &Ctx, scope: &Scope) -> Result<Writer> {
    let own = ctx.pg.call(scope, &store::GET, &json!({})).await?;
    Ok(own.unwrap_or_else(|| choice::deployment(&ctx.config).shown()))
}

/// Sets who writes them.
pub async fn put(
    ctx: &Ctx,
    scope: &Scope,
    if_match: Option<i64>,
    input: WriterIn,
) -> Result<Called<Writer>> {
    let mut new = input.check(ctx)?;
    new.insert("if_match".to_owned(), json!(if_match));
    if let Some(key) = new.get("api_key").and_then(|key| key.as_str()) {
        let id = ctx.new_id();
        let sealed = DataKeys::parse(&ctx.config.data_keys)?.seal(&owner(id), key.as_bytes())?;
        new.insert("api_key".to_owned(), sealed.into());
        new.insert("key_id".to_owned(), json!(id));
    }
    ctx.pg.call_full(scope, &store::PUT, &new.into()).await
}

/// Leaves it to the deployment again.
pub async fn delete(ctx: &Ctx, scope: &Scope, if_match: Option<i64>) -> Result<()> {
    let which = json!({"if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Writes a report that is neither kept nor sent.
pub async fn attempt(ctx: &Ctx, scope: &Scope, input: TryIn) -> Result<DraftOut> {
    let asked = input.check()?;
    let called = ctx.pg.call_full(scope, &store::WHOSE, &json!({})).await?;
    let brief = Brief {
        tenant: called.tenant,
        prompt: &asked.prompt,
        title: &asked.title,
        zone: &asked.zone,
        scheduled_for: ctx.now,
        template: asked.template.as_deref(),
    };
    let draft = write(ctx, &brief).await?;
    Ok(draft.into())
}

/// What a key is sealed for.
fn owner(key: Uuid) -> String {
    format!("report_writers/{key}/api_key")
}
