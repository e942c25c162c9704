//! A model as the writer: asks, runs the tools it calls, until there is a report.
//!
//! Invariant: everything ends within the time that the deployment allows, of which the last quarter
//! is kept for the report itself. What the deployment's model takes is counted, whatever comes of it;
//! a tenant that has spent its day asks it for nothing.
//! Failure: what the model or its provider did, or that the time is used up, which may be better
//! another time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::budget;
use rules::chat::request::Dialect;
use rules::chat::{Failed, Kept, Limits, Next, Talk};
use serde_json::json;

use super::choice::{Limit, Model};
use super::client;
use super::store;
use super::tools::Tools;
use super::{Brief, Draft, Failure, Message, Usage};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::log::{self, Level};
use crate::platform::scope::Scope;

/// Less time than this is not worth asking for.
const LEAST: Duration = Duration::from_secs(1);

/// Writes a report.
pub async fn write(
    ctx: &Ctx,
    brief: &Brief<'_>,
    model: &Model,
) -> core::result::Result<Draft, Failure> {
    let time = Time::of(Limit::of(&ctx.config));
    let limits = Limits {
        tokens: time.limit.tokens,
        ..Limits::default()
    };
    let mut talk = Talk::new(&brief.told(), limits);
    let mut tools = Tools::new(ctx, brief);
    if !budget::is_open(model.budget, spend(ctx, brief, model, 0).await?) {
        return Err(spent());
    }
    let written = converse(ctx, model, &mut talk, &mut tools, &time).await;
    let tokens = talk.usage();
    let taken = tokens.read.saturating_add(tokens.written);
    // A report that was written is not lost because it could not be counted.
    let counted = spend(ctx, brief, model, taken).await;
    let report = written?;
    if let Err(failure) = counted {
        let fields = [("code", failure.code.as_ref().into())];
        log::write(Level::Warn, "report.budget", &fields);
    }
    Ok(Draft {
        report,
        usage: Usage {
            requests: talk.rounds(),
            prompt_tokens: tokens.read,
            completion_tokens: tokens.written,
            queries: tools.queries,
            milliseconds: u64::try_from(time.spent().as_millis()).unwrap_or(u64::MAX),
        },
        data: tools.data,
        messages: talk.kept().into_iter().map(Message::from).collect(),
        writer: model.name.clone(),
    })
}

/// Asks and looks up, until there is a report.
async fn converse(
    ctx: &Ctx,
    model: &Model,
    talk: &mut Talk,
    tools: &mut Tools<'_>,
    time: &Time,
) -> core::result::Result<String, Failure> {
    let mut dialect = Dialect::new(model.stream);
    loop {
        let left = time.left()?;
        let answer = client::ask(ctx, model, talk, &mut dialect, left).await?;
        match talk.take(answer) {
            Next::Done(report) => return Ok(report),
            Next::Failed(failed) => return Err(failed.into()),
            Next::Ask => {}
            Next::Run(calls) => {
                for call in &calls {
                    time.left()?;
                    let told = match talk.admit() {
                        Ok(()) => tools.run(call).await?,
                        Err(told) => told,
                    };
                    talk.tell(call, told);
                }
            }
        }
        talk.round_over(time.is_ample())?;
    }
}

/// Counts tokens of a model that has a budget; answers what the tenant has spent today.
async fn spend(
    ctx: &Ctx,
    brief: &Brief<'_>,
    model: &Model,
    tokens: u64,
) -> core::result::Result<u64, Failure> {
    if model.budget.is_none() {
        return Ok(0);
    }
    let scope = Scope::system(brief.tenant);
    let taken = json!({"tokens": tokens});
    Ok(ctx.pg.call(&scope, &store::SPEND, &taken).await?)
}

fn spent() -> Failure {
    Failure {
        retry: None,
        code: "tokens_of_the_day_spent".into(),
        detail: "What this tenant may take of the deployment's model in a day is spent. The next \
                 day begins at midnight UTC; a model of your own (PUT /api/writer) has no such \
                 limit."
            .to_owned(),
    }
}

/// The time a report may take.
struct Time {
    began: DateTime<Utc>,
    limit: Limit,
}

impl Time {
    fn of(limit: Limit) -> Self {
        Self {
            began: clock::now(),
            limit,
        }
    }

    fn spent(&self) -> Duration {
        (clock::now() - self.began).to_std().unwrap_or_default()
    }

    /// What is left of it.
    fn left(&self) -> core::result::Result<Duration, Failed> {
        let left = self.limit.time.saturating_sub(self.spent());
        if left >= LEAST {
            return Ok(left);
        }
        let seconds = self.limit.time.as_secs();
        let detail = format!("The model did not write the report within {seconds} seconds.");
        Err(Failed::for_now("time_used_up", detail))
    }

    /// Whether there is time to look more things up.
    fn is_ample(&self) -> bool {
        self.spent() < self.limit.time * 3 / 4
    }
}

impl From<Kept> for Message {
    fn from(kept: Kept) -> Self {
        Self {
            role: kept.role.to_owned(),
            content: kept.content,
        }
    }
}
