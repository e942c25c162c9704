//! Who has to hear that a role changed or a credential ended: the live objects, which let people in
//! on an earlier word.
//!
//! Invariant: they are told after the change is committed and before it is answered, so that whoever
//! made it can rely on it.
//! Failure: an object that does not answer is told by a job; each also asks by itself, once a minute.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;
use uuid::Uuid;

use crate::checkin::{self, LiveTable};
use crate::platform::ctx::Ctx;
use crate::platform::queue::{self, Job};
use crate::platform::scope::Subject;
use crate::tenant::{self, Place};

/// How many objects are told at once.
const AT_ONCE: usize = 6;

/// An object that has people on its sockets.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Live {
    /// Of a table.
    Table(LiveTable),
    /// Of all of a tenant's staff.
    Tenant {
        /// The tenant.
        tenant_id: Uuid,
        /// Where it is.
        #[serde(flatten)]
        place: Place,
    },
}

/// After a committed change.
pub async fn changed(ctx: &Ctx, subject: Subject, live: &[Live]) {
    stream::iter(live)
        .for_each_concurrent(AT_ONCE, |live| async move {
            let at = match live {
                Live::Table(at) => at,
                Live::Tenant { tenant_id, place } => {
                    tenant::standing_changed(ctx, *tenant_id, place, subject).await;
                    return;
                }
            };
            if checkin::standing_changed(ctx, at, subject).await.is_ok() {
                return;
            }
            let job = Job::StandingChanged {
                tenant: at.tenant_id,
                table: at.table_id,
                subject,
            };
            // What the queue loses too, the object finds within a minute.
            let _ = queue::send(ctx, &job).await;
        })
        .await;
}
