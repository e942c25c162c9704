//! A run of the sender: claims what is due for a tenant, sends it, settles it, and claims again.
//!
//! Invariant: a run holds [`settle::AT_ONCE`] messages at most; a message that was settled is never
//! sent again by this run, and a free place is taken by the next message that is due, so that a
//! slow recipient delays only what waits for itself.
//! Failure: results that Postgres does not take within the run's life are lost with their leases,
//! and their messages sent again under the same event id.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rules::delivery::settle::{self, Outcome};
use uuid::Uuid;

use super::channel;
use super::store::{self, Claimed, Settled, Take, Taken};
use crate::platform::clock;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::Result;
use crate::platform::log::{self, Level};
use crate::platform::queue::{self, Job};
use crate::platform::scope::Scope;

/// How long a run claims. With the last message and its settlement it ends within the 30 s that the
/// platform gives to work behind an event.
const CLAIMING: TimeDelta = TimeDelta::seconds(10);
/// How long it tries to settle.
const SETTLING: TimeDelta = TimeDelta::seconds(25);
/// How long a claim holds: well past the longest run.
const LEASE: Duration = Duration::from_secs(60);
/// Retries that are due within this time are left to the queue, later ones to the minute tick.
const SOON: Duration = Duration::from_secs(300);
/// The pause before Postgres is asked to settle once more.
const AGAIN: Duration = Duration::from_secs(1);

/// Claims what is due and sends it in the background.
pub async fn begin(ctx: &Ctx, tenant: Uuid) -> Result<()> {
    let run = Run {
        ctx: ctx.detached(),
        tenant,
        began: clock::now(),
        awaited: RefCell::default(),
    };
    let first = run.take(&run.taking(Vec::new(), settle::AT_ONCE)).await?;
    if !first.claimed.is_empty() {
        ctx.later(run.go(first));
    }
    Ok(())
}

struct Run {
    ctx: Ctx,
    tenant: Uuid,
    began: DateTime<Utc>,
    /// The seconds, counted from the beginning, at which a job comes for a retry.
    awaited: RefCell<BTreeSet<u128>>,
}

impl Run {
    async fn go(self, mut taken: Taken) {
        let mut flying = FuturesUnordered::new();
        let mut more = taken.more;
        loop {
            for message in taken.claimed {
                flying.push(self.send(message));
            }
            let Some(first) = flying.next().await else {
                break;
            };
            let mut done = vec![first];
            while let Some(Some(next)) = flying.next().now_or_never() {
                done.push(next);
            }
            let free = match clock::now() - self.began < CLAIMING {
                true => settle::AT_ONCE - flying.len(),
                false => 0,
            };
            taken = self.settle(self.taking(done, free)).await;
            more = taken.more;
        }
        if more {
            super::announce(&self.ctx, self.tenant).await;
        }
    }

    /// Sends one message and decides what follows.
    async fn send(&self, message: Claimed) -> Settled {
        let at = clock::now();
        let report = channel::attempt(&self.ctx, &message).await;
        let drawn = u64::from_le_bytes(random::<8>());
        let next = settle::settle(report.outcome, message.step, drawn);
        Settled {
            id: message.id,
            fence: message.fence,
            endpoint_id: message.endpoint_id,
            outcome: next.status,
            after_ms: next.after.map(millis),
            health: next.health,
            pause_ms: next.pause.map(millis),
            at,
            duration_ms: (clock::now() - at).num_milliseconds(),
            status: match report.outcome {
                Outcome::Answered { status, .. } => Some(status),
                Outcome::Silent | Outcome::Refused => None,
            },
            answer: report.answer,
            error: report.error,
        }
    }

    fn taking(&self, results: Vec<Settled>, free: usize) -> Take {
        Take {
            results,
            free,
            per_endpoint: settle::PER_ENDPOINT,
            per_failing: settle::PER_FAILING_ENDPOINT,
            lease_ms: millis(LEASE),
            give_up_ms: millis(settle::GIVE_UP),
        }
    }

    async fn take(&self, take: &Take) -> Result<Taken> {
        let scope = Scope::system(self.tenant);
        self.ctx.pg.call(&scope, &store::TAKE, take).await
    }

    /// Settles, again while Postgres is away; then sees to it that retries are not forgotten.
    async fn settle(&self, mut take: Take) -> Taken {
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
