//! The webhook as a channel of events: one signed POST.
//!
//! Invariant: identifier and body are the same with every attempt; the time of the attempt is
//! signed with them, under every secret that is good. Redirects are not followed.
//! Failure: part of the report; an event whose data is gone is not tried again.

use chrono::{DateTime, Utc};
use rules::checkin::entry::Entry;
use rules::checkin::event::ScanEvent;
use rules::delivery::event::{Body, CheckinData};
use rules::delivery::retry;
use rules::delivery::settle::{self, Outcome, PATIENCE, Policy, Status};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{open, store};
use crate::delivery::channel::{Channel, Report};
use crate::delivery::sender::{Claim, Outbox};
use crate::delivery::signed::{self, Signed};
use crate::delivery::store::{Take, Taken};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Statement;

/// Events on their way to endpoints.
pub struct Events;

/// An event to send, held by a lease.
#[derive(Deserialize)]
pub struct Claimed {
    id: Uuid,
    fence: i64,
    step: usize,
    event_id: String,
    event: String,
    table_id: Option<Uuid>,
    /// The entry of that table's log which is the event.
    entry: Option<Entry>,
    /// The data of an event that is no entry of a log.
    payload: Option<Box<RawValue>>,
    #[serde(with = "rules::time::ms")]
    created_at: DateTime<Utc>,
    endpoint_id: Uuid,
    url: String,
    /// Sealed.
    secret: String,
    /// The secret before, sealed, while it signs too.
    previous_secret: Option<String>,
}

impl Outbox for Events {
    type Claimed = Claimed;

    const TAKE: Statement<Take, Taken<Claimed>> = store::TAKE;
    const SCHEDULE: &'static [u64] = retry::EVENTS;

    fn claim(claimed: &Claimed) -> Claim {
        Claim {
            id: claimed.id,
            fence: claimed.fence,
            step: claimed.step,
            bytes: 0,
            policy: Policy::EVENTS,
        }
    }

    fn word(status: Status) -> &'static str {
        match status {
            Status::Pending => "pending",
            Status::Delivered => "delivered",
            Status::Failed | Status::Unknown => "failed",
        }
    }

    async fn attempt(&self, ctx: &Ctx, claimed: &Claimed) -> Report {
        Channel::attempt(self, ctx, claimed).await
    }
}

impl Channel for Events {
    type Message = Claimed;

    async fn attempt(&self, ctx: &Ctx, message: &Claimed) -> Report {
        let body = match body(message) {
            Ok(Some(body)) => body,
            Ok(None) => return Report::failed(Outcome::Withheld, "event_gone"),
            Err(error) => return Report::fault(message.id, &error),
        };
        let secrets = match secrets(ctx, message) {
            Ok(secrets) => secrets,
            Err(error) => return Report::fault(message.id, &error),
        };
        let request = Signed {
            url: &message.url,
            id: &message.event_id,
            secrets: &secrets,
            body: &body,
            judge: settle::webhook,
        };
        signed::post(ctx, &request, PATIENCE).await
    }
}

/// What is sent; none when what it was about is gone.
fn body(message: &Claimed) -> Result<Option<String>> {
    let kind = message.event.as_str();
    Ok(match (&message.entry, &message.payload, message.table_id) {
        (Some(entry), _, Some(table_id)) => {
            let event = ScanEvent::of(entry);
            let at = event.at;
            let data = CheckinData { table_id, event };
            Some(serde_json::to_string(&Body { kind, at, data })?)
        }
        (_, Some(data), _) => {
            let at = message.created_at;
            Some(serde_json::to_string(&Body { kind, at, data })?)
        }
        _ => None,
    })
}

fn secrets(ctx: &Ctx, message: &Claimed) -> Result<Vec<String>> {
    [Some(&message.secret), message.previous_secret.as_ref()]
        .into_iter()
        .flatten()
        .map(|sealed| open(ctx, message.endpoint_id, sealed))
        .collect()
}
