//! A worker's way with one job: claim it, write the report, make the message, hand it over.
//!
//! Invariant: everything is written down under the fence of the claim, so a worker that was thought
//! dead changes nothing; what was done is not done again: a report that was kept is not written
//! again because its message could not be made or handed over.
//! Failure: noted with the attempt, and tried again by stage. A worker that dies lets its lease run
//! out, and the minute tick has the job looked at again.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, select};
use rules::report::job::{self, Stage};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::produce::{self, Asked, Rendered};
use super::store::{self, Claimed, Delivered, Held, Next, Work};
use super::{announce, announce_after};
use crate::delivery;
use crate::platform::clock;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::Result;
use crate::platform::log::{self, Level};
use crate::platform::pg::Statement;
use crate::platform::scope::Scope;
use crate::reports::notices;

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is renewed while the report is written.
const RENEW: Duration = Duration::from_secs(5);
/// How long Postgres is asked to take what was done.
const INSIST: TimeDelta = TimeDelta::seconds(45);
/// The pause before it is asked once more.
const AGAIN: Duration = Duration::from_secs(1);
/// Retries that are due within this time are left to the queue, later ones to the minute tick.
const SOON: Duration = Duration::from_secs(600);

/// What went wrong with an attempt.
struct Trouble {
    /// When to try again; none: never.
    after: Option<Duration>,
    code: String,
    detail: String,
}

/// Works on a job, if it is due and nobody else does.
pub async fn work(ctx: &Ctx, tenant: Uuid, job: Uuid) -> Result<()> {
    let scope = Scope::system(tenant);
    let claim = json!({
        "id": job, "lease_ms": millis(LEASE), "max_steps": job::MOST,
        "notice": notices::paused(),
    });
    let Some(Claimed { work, next }) = ctx.pg.call(&scope, &store::CLAIM, &claim).await? else {
        return Ok(());
    };
    if let Some(next) = next {
        announce(ctx, tenant, &[next]).await;
    }
    let Some(work) = work else {
        return Ok(());
    };
    let run = Run {
        ctx,
        tenant,
        scope,
        work,
    };
    run.go().await
}

struct Run<'a> {
    ctx: &'a Ctx,
    tenant: Uuid,
    scope: Scope,
    work: Work,
}

impl Run<'_> {
    async fn go(mut self) -> Result<()> {
        if self.work.stage == Stage::Generate && !self.generate().await? {
            return Ok(());
        }
        let rendered = match self.work.stage {
            Stage::Deliver => None,
            Stage::Generate | Stage::Render => Some(self.render()),
        };
        self.deliver(rendered.as_ref()).await
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            tenant: self.tenant,
            config: &self.work.config,
            template: self.work.template.as_deref(),
            as_of: self.work.as_of,
        }
    }

    /// Writes the report and keeps it; `false` when there is no more to do for this claim.
    async fn generate(&mut self) -> Result<bool> {
        let Some(written) = self.hold(produce::write(self.ctx, &self.asked())).await else {
            return Ok(false);
        };
        let written = match written {
            Ok(written) => written,
            Err(failure) => {
                let after = failure
                    .retry
                    .and_then(|asked| self.retry(self.work.step, asked));
                let trouble = Trouble {
                    after,
                    code: failure.code.to_string(),
                    detail: failure.detail.to_string(),
                };
                self.note(trouble).await?;
                return Ok(false);
            }
        };
        let kept = self
            .insist(&store::STORE, serde_json::to_value(&written)?)
            .await?;
        self.work.report = Some(written.payload.report);
        self.work.data = Some(written.data);
        self.work.figures = Some(written.figures);
        Ok(kept)
    }

    fn render(&self) -> Rendered {
        let report = self.work.report.as_deref().unwrap_or_default();
        let data = self.work.data.as_deref().unwrap_or_default();
        let figures = self.work.figures.clone().unwrap_or_default();
        produce::render(&self.asked(), report, data, &figures)
    }

    async fn deliver(&self, rendered: Option<&Rendered>) -> Result<()> {
        let document = match rendered {
            Some(rendered) => json!({"document": rendered}),
            None => json!({}),
        };
        let done: Delivered = self.insist(&store::DELIVER, document).await?;
        if let Some(refused) = done.failed {
            let trouble = Trouble {
                after: None,
                code: refused.code,
                detail: refused.detail.unwrap_or_default(),
            };
            let step = match rendered {
                Some(_) => 1,
                None => self.work.step,
            };
            return match refused.last {
                true => self.note(trouble).await,
                false => self.fail(trouble, step).await,
            };
        }
        if let Some(next) = done.next {
            announce(self.ctx, self.tenant, &[next]).await;
        }
        if done.sent {
            delivery::announce(self.ctx, self.tenant).await;
        }
        Ok(())
    }

    /// Notes a failure that waiting may mend.
    async fn fail(&self, mut trouble: Trouble, step: u32) -> Result<()> {
        trouble.after = self.retry(step, None);
        self.note(trouble).await
    }

    fn retry(&self, step: u32, asked: Option<Duration>) -> Option<Duration> {
        job::delay(step, u64::from_le_bytes(random::<8>()), asked)
    }

    async fn note(&self, trouble: Trouble) -> Result<()> {
        let fields = [
            ("job.id", self.work.id.to_string().into()),
            ("code", trouble.code.as_str().into()),
        ];
        log::write(Level::Warn, "report", &fields);
        let what = json!({
            "code": trouble.code, "error": trouble.detail,
            "retry_ms": trouble.after.map(millis), "notice": notices::paused(),
        });
        let Next { next } = self.insist(&store::FAIL, what).await?;
        if let Some(next) = next {
            announce(self.ctx, self.tenant, &[next]).await;
        }
        match trouble.after {
            Some(after) if after <= SOON => {
                announce_after(self.ctx, self.tenant, self.work.id, after).await;
            }
            Some(_) => {}
            // Its owner may have been written to.
            None => delivery::announce(self.ctx, self.tenant).await,
        }
        Ok(())
    }

    /// Does something that takes long, and keeps the claim meanwhile; nothing when the claim is
    /// somebody else's, or the job was canceled.
    async fn hold<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let pause = std::pin::pin!(worker::Delay::from(RENEW));
            match select(work.as_mut(), pause).await {
                Either::Left((done, _)) => return Some(done),
                Either::Right(((), _)) => {}
            }
            let renewed = self.held(json!({}));
            // Postgres may be away; what is written is refused then if the claim is lost.
            if let Ok(false) = self.ctx.pg.call(&self.scope, &store::RENEW, &renewed).await {
                return None;
            }
        }
    }

    /// Has Postgres take what was done, again while it is away: what is lost here is done again.
    async fn insist<O: DeserializeOwned>(
        &self,
        statement: &Statement<Held<Value>, O>,
        what: Value,
    ) -> Result<O> {
        let began: DateTime<Utc> = clock::now();
        let held = self.held(what);
        loop {
            match self.ctx.pg.call(&self.scope, statement, &held).await {
                Err(error) if error.status == 503 && clock::now() - began < INSIST => {
                    worker::Delay::from(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    fn held(&self, what: Value) -> Held<Value> {
        Held {
            id: self.work.id,
            fence: self.work.fence,
            lease_ms: millis(LEASE),
            what,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
