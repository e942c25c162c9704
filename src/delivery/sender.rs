//! A run of the sender: claims what is due of an outbox for a tenant, sends it, settles it, and
//! claims again.
//!
//! Invariant: a run holds [`settle::AT_ONCE`] rows and [`settle::BYTES_AT_ONCE`] bytes at most; a row
//! that was settled is never sent again by this run, and a free place is taken by the next one that
//! is due, so that a slow recipient delays only what waits for itself.
//! Failure: results that Postgres does not take within the run's life are lost with their leases,
//! and their rows sent again under the same key, or unknown where there is none.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rules::budget::Budget;
use rules::delivery::settle::{self, Outcome, Policy, Status};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::channel::Report;
use super::store::{Settled, Take, Taken};
use crate::platform::clock;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::Result;
use crate::platform::log::{self, Level};
use crate::platform::pg::Statement;
use crate::platform::queue::{self, Job};
use crate::platform::scope::Scope;

/// How long a run claims. With the last attempt and its settlement it ends within the 30 s that the
/// platform gives to work behind an event.
const CLAIMING: TimeDelta = TimeDelta::seconds(6);
/// How long it tries to settle.
const SETTLING: TimeDelta = TimeDelta::seconds(25);
/// How long a claim holds: well past the longest run.
const LEASE: Duration = Duration::from_secs(60);
/// Retries that are due within this time are left to the queue, later ones to the minute tick.
const SOON: Duration = Duration::from_secs(300);
/// The pause before Postgres is asked to settle once more.
const AGAIN: Duration = Duration::from_secs(1);

/// Rows that wait to be sent, and how one is.
pub trait Outbox: 'static {
    /// A row held by a lease.
    type Claimed: DeserializeOwned + 'static;

    /// Settles what was sent and claims what is due.
    const TAKE: Statement<Take, Taken<Self::Claimed>>;
    /// The waits before its retries.
    const SCHEDULE: &'static [u64];

    /// What a run needs to know of a row.
    fn claim(claimed: &Self::Claimed) -> Claim;

    /// The word for where a row stands.
    fn word(status: Status) -> &'static str;

    /// What the deployment's own channel is, where there is one.
    fn default_kind(&self) -> &'static str {
        ""
    }

    /// How many mails a day may go out by it.
    fn mail_budget(&self) -> Budget {
        None
    }

    /// Makes one attempt.
    fn attempt(&self, ctx: &Ctx, claimed: &Self::Claimed) -> impl Future<Output = Report>;
}

/// What a run needs to know of a row.
pub struct Claim {
    /// The row.
    pub id: Uuid,
    /// Which claim this is.
    pub fence: i64,
    /// Retries so far.
    pub step: usize,
    /// How much it holds.
    pub bytes: usize,
    /// How it is retried.
    pub policy: Policy,
}

/// Claims what is due and sends it in the background.
pub async fn begin<O: Outbox>(ctx: &Ctx, tenant: Uuid, outbox: O) -> Result<()> {
    let run = Run {
        ctx: ctx.detached(),
        tenant,
        outbox,
        began: clock::now(),
        awaited: RefCell::default(),
    };
    let all = run.taking(Vec::new(), settle::AT_ONCE, settle::BYTES_AT_ONCE);
    let first = run.take(&all).await?;
    if !first.claimed.is_empty() {
        ctx.later(run.go(first));
    }
    Ok(())
}

struct Run<O> {
    ctx: Ctx,
    tenant: Uuid,
    outbox: O,
    began: DateTime<Utc>,
    /// The seconds, counted from the beginning, at which a job comes for a retry.
    awaited: RefCell<BTreeSet<u128>>,
}

impl<O: Outbox> Run<O> {
    async fn go(self, mut taken: Taken<O::Claimed>) {
        let mut flying = FuturesUnordered::new();
        let mut held = 0;
        let mut more = taken.more;
        loop {
            for row in taken.claimed {
                held += O::claim(&row).bytes;
                flying.push(self.send(row));
            }
            let Some(first) = flying.next().await else {
                break;
            };
            let mut ended = vec![first];
            while let Some(Some(next)) = flying.next().now_or_never() {
                ended.push(next);
            }
            held -= ended.iter().map(|(_, bytes)| bytes).sum::<usize>();
            let done = ended.into_iter().map(|(settled, _)| settled).collect();
            let free = match clock::now() - self.began < CLAIMING {
                true => settle::AT_ONCE - flying.len(),
                false => 0,
            };
            let free_bytes = settle::BYTES_AT_ONCE.saturating_sub(held);
            taken = self.settle(self.taking(done, free, free_bytes)).await;
            more = taken.more;
        }
        if more {
            super::announce(&self.ctx, self.tenant).await;
        }
    }

    /// Sends one row and decides what follows; answers how much it held, too.
    async fn send(&self, row: O::Claimed) -> (Settled, usize) {
        let at = clock::now();
        let claim = O::claim(&row);
        let report = self.outbox.attempt(&self.ctx, &row).await;
        let drawn = u64::from_le_bytes(random::<8>());
        let next = settle::settle(report.outcome, claim.step, drawn, &claim.policy);
        let settled = Settled {
            id: claim.id,
            fence: claim.fence,
            outcome: O::word(next.status),
            after_ms: next.after.map(millis),
            health: next.health,
            pause_ms: next.pause.map(millis),
            at,
            duration_ms: (clock::now() - at).num_milliseconds(),
            status: report.status,
            answer: report.answer,
            error: report.error,
            unclear: report.outcome == Outcome::Unclear,
            bounced: report.outcome == Outcome::Bounced,
            provider_id: report.provider_id,
        };
        (settled, claim.bytes)
    }

    fn taking(&self, results: Vec<Settled>, free: usize, free_bytes: usize) -> Take {
        Take {
            results,
            free,
            free_bytes,
            per_endpoint: settle::PER_ENDPOINT,
            per_failing: settle::PER_FAILING_ENDPOINT,
            lease_ms: millis(LEASE),
            give_up_ms: millis(settle::GIVE_UP),
            most_steps: O::SCHEDULE.len(),
            default_kind: self.outbox.default_kind(),
            mail_budget: self.outbox.mail_budget(),
        }
    }

    async fn take(&self, take: &Take) -> Result<Taken<O::Claimed>> {
        let scope = Scope::system(self.tenant);
        self.ctx.pg.call(&scope, &O::TAKE, take).await
    }

    /// Settles, again while Postgres is away; then sees to it that retries are not forgotten.
    async fn settle(&self, mut take: Take) -> Taken<O::Claimed> {
        loop {
            match self.take(&take).await {
                Ok(taken) => {
                    self.wait_for(&take.results).await;
                    return taken;
                }
                Err(error) => {
                    let context = error.context.unwrap_or_else(|| error.code.to_string());
                    let count = take.results.len();
                    let fields = [("unsettled", count.into()), ("context", context.into())];
                    log::write(Level::Warn, "deliveries", &fields);
                    if error.status != 503 || clock::now() - self.began > SETTLING {
                        return Taken {
                            claimed: Vec::new(),
                            more: false,
                        };
                    }
                }
            }
            // Whatever is claimed now might not be settled in time.
            take.free = 0;
            worker::Delay::from(AGAIN).await;
        }
    }

    /// Has a job come when a retry is due, one for all of the same second.
    async fn wait_for(&self, results: &[Settled]) {
        let passed = (clock::now() - self.began).to_std().unwrap_or_default();
        for after in results.iter().filter_map(|result| result.after_ms) {
            let after = Duration::from_millis(after);
            let second = (passed + after).as_millis().div_ceil(1_000);
            if after <= SOON && self.awaited.borrow_mut().insert(second) {
                let job = Job::Deliveries {
                    tenant: self.tenant,
                };
                // What the queue loses, the minute tick finds.
                let _ = queue::send_after(&self.ctx, &job, after).await;
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
