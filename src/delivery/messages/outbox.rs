//! Messages on their way: what is claimed, opened and handed to the provider of its channel.
//!
//! Invariant: credentials are opened here, for one attempt, and written nowhere.
//! Failure: part of the report; content or credentials that cannot be read are a fault of ours and
//! the attempt is made again.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use futures_util::lock::Mutex;
use rules::budget::Budget;
use rules::delivery::channel::{self, Kind};
use rules::delivery::retry;
use rules::delivery::settle::{Outcome, Policy, Status};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::letter::{Content, Letter};
use super::store;
use crate::delivery::channel::Report;
use crate::delivery::channels::{self, deployment};
use crate::delivery::providers;
use crate::delivery::sender::{Claim, Outbox};
use crate::delivery::store::{Take, Taken};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Statement;
use crate::platform::scope::Scope;

/// Messages on their way to recipients.
pub struct Messages {
    tenant: Uuid,
    default_kind: Option<Kind>,
    budget: Budget,
    /// What was read last: the next recipient most often gets the same.
    last: Mutex<Option<Rc<Content>>>,
}

/// A delivery to make, held by a lease.
#[derive(Deserialize)]
pub struct Claimed {
    id: Uuid,
    fence: i64,
    step: usize,
    key_number: u32,
    message_id: Uuid,
    bytes: usize,
    recipient: String,
    #[serde(with = "rules::time::ms")]
    created_at: DateTime<Utc>,
    channel: channels::Sealed,
}

impl Messages {
    /// Those of a tenant.
    pub fn of(ctx: &Ctx, tenant: Uuid) -> Self {
        let default_kind = deployment::kind(&ctx.config);
        Self {
            tenant,
            // What is only kept here costs nobody anything.
            budget: ctx
                .config
                .mail_budget
                .filter(|_| default_kind != Some(Kind::Outbox)),
            default_kind,
            last: Mutex::new(None),
        }
    }

    async fn content(&self, ctx: &Ctx, id: Uuid) -> Result<Rc<Content>> {
        let mut last = self.last.lock().await;
        if let Some(content) = last.as_ref().filter(|content| content.id == id) {
            return Ok(Rc::clone(content));
        }
        // Two large ones are not held at once for longer than they are used.
        *last = None;
        let scope = Scope::system(self.tenant);
        let content = ctx
            .pg
            .call(&scope, &store::CONTENT, &json!({"id": id}))
            .await?;
        Ok(Rc::clone(last.insert(Rc::new(content))))
    }

    async fn letter(&self, ctx: &Ctx, claimed: &Claimed) -> Result<Letter> {
        let content = self.content(ctx, claimed.message_id).await?;
        let unsubscribe = content.unsubscribe(ctx, &claimed.recipient)?;
        let (html, text) = content.bodies(unsubscribe.as_deref());
        Ok(Letter {
            content,
            delivery: claimed.id,
            key: channel::key(claimed.id, claimed.key_number),
            recipient: claimed.recipient.clone(),
            html,
            text,
            unsubscribe,
            reports: channels::reports_url(ctx, claimed.channel.id),
            at: claimed.created_at,
        })
    }
}

/// What a channel is, with its credentials opened.
fn opened(ctx: &Ctx, sealed: &channels::Sealed) -> Result<(Kind, Map<String, Value>)> {
    match sealed.kind {
        Kind::Default => deployment::opened(&ctx.config),
        kind => Ok((kind, sealed.open(ctx)?)),
    }
}

impl Outbox for Messages {
    type Claimed = Claimed;

    const TAKE: Statement<Take, Taken<Claimed>> = store::TAKE;
    const SCHEDULE: &'static [u64] = retry::MESSAGES;

    fn claim(claimed: &Claimed) -> Claim {
        Claim {
            id: claimed.id,
            fence: claimed.fence,
            step: claimed.step,
            bytes: claimed.bytes,
            policy: Policy::messages(claimed.channel.sends_by.is_some_and(Kind::keyed)),
        }
    }

    fn word(status: Status) -> &'static str {
        match status {
            Status::Pending => "pending",
            Status::Delivered => "sent",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
        }
    }

    fn default_kind(&self) -> &'static str {
        self.default_kind.unwrap_or(Kind::Default).as_str()
    }

    fn mail_budget(&self) -> Budget {
        self.budget
    }

    async fn attempt(&self, ctx: &Ctx, claimed: &Claimed) -> Report {
        let (kind, settings) = match opened(ctx, &claimed.channel) {
            Ok(opened) => opened,
            Err(error) => return Report::fault(claimed.id, &error),
        };
        match self.letter(ctx, claimed).await {
            Ok(letter) => providers::attempt(ctx, kind, settings, &letter).await,
            Err(error) if error.status == 404 => Report::failed(Outcome::Withheld, "message_gone"),
            Err(error) => Report::fault(claimed.id, &error),
        }
    }
}
