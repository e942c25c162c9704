//! What a check-in table shows live: `scans`, one event per log entry, and `stats`, the counters.
//!
//! Invariant: the log is the history of `scans`, so its offsets are the log's and no event can be
//! missing. `stats` carries whole counters, at most ten times a second; its offset is the log's at
//! that moment.
//! Failure: a reader behind the kept window reads the dashboard again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::checkin::dashboard::{About, Dashboard, Device, LivePosition};
use rules::checkin::entry::Entry;
use rules::checkin::event::{EventType, ScanEvent};
use rules::live::log::{Kind, Position};
use rules::live::session::{Access, Identity};
use rules::roles::{Resource, Verb};

use super::CheckinTable;
use super::access;
use super::record::state_of;
use super::table::Table;
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::live::{Channel, Happened, Known, Surface};
use crate::platform::object::{Caller, ObjectAnswer};
use crate::platform::scope::Credential;
use crate::platform::token;

const SCANS: &str = "scans";
const STATS: &str = "stats";
/// How many events of `scans` can be recovered. The log itself is kept whole.
const WINDOW: u64 = 10_000;
/// `stats` is sent at most this often.
const COALESCE: Duration = Duration::from_millis(100);

impl Surface for CheckinTable {
    async fn identify(&self, token: &str, now: DateTime<Utc>) -> Result<Known> {
        let ctx = self.ctx(None);
        let who = Caller {
            credential: token::verify(&ctx.config, token, now)?,
            tenant: None,
            now,
            request_id: ctx.request_id.clone(),
        };
        let table = self.table(&ctx, &who).await?;
        let granted = access::grant(&ctx, &table, &who, Verb::Watch, Resource::LiveChannel).await?;
        let actor = granted.caller.actor;
        let (kind, sign_in) = match &who.credential {
            Credential::User { session, .. } => ("user", Some(session.to_string())),
            Credential::Supabase { .. } => ("user", None),
            Credential::Key { .. } => ("key", None),
            Credential::Device { .. } => ("device", None),
            Credential::Anonymous { .. } | Credential::System => ("anonymous", None),
        };
        Ok(Known {
            identity: Identity {
                kind: kind.to_owned(),
                id: actor.id.to_string(),
                sign_in,
                tenant: table.identity.borrow().tenant_id.to_string(),
                role: granted.role,
                profile: granted.profile,
            },
            expires_at: token::expires_at(token, now),
        })
    }

    fn access(&self, identity: &Identity, channel: &str) -> Access {
        match channel {
            SCANS | STATS
                if rules::roles::may(identity.role, Verb::Watch, Resource::LiveChannel) =>
            {
                Access::Granted
            }
            SCANS | STATS => Access::Forbidden,
            _ => Access::Unknown,
        }
    }

    fn channel(&self, channel: &str) -> Result<Channel> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let seq = table.seq();
        let kind = if channel == STATS {
            Kind::Latest
        } else {
            Kind::Counted
        };
        Ok(Channel {
            kind,
            position: Position::new(&*table.epoch, seq),
            oldest: seq.saturating_sub(WINDOW) + 1,
        })
    }

    fn events_after(&self, channel: &str, offset: u64) -> Result<Vec<Happened>> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        if channel == STATS {
            return Ok(vec![stats_of(&table)?]);
        }
        let mut events = Vec::new();
        table
            .storage
            .replay(offset, |entry: Entry| events.push(scanned(&entry)))?;
        events.into_iter().collect()
    }

    async fn scan(&self, reader: &Identity, body: &str, now: DateTime<Utc>) -> Result<String> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let granted = access::grant_reader(&table, reader, Verb::Scan, Resource::CheckIn)?;
        Ok(self.scan_body(&table, &granted.caller, now, body)?.body)
    }
}

impl CheckinTable {
    /// Tells who watches of an entry that is in the log.
    pub(super) fn announce(&self, entry: &Entry) -> Result<()> {
        if self.hub.watched(SCANS) {
            self.hub.publish(SCANS, &scanned(entry)?);
        }
        Ok(())
    }

    /// Sends the counters soon, together with what else changes until then.
    pub(super) fn stats_changed(&self) {
        if !self.hub.watched(STATS) || self.stats_due.replace(true) {
            return;
        }
        let (hub, table, due) = (self.hub.clone(), self.table.clone(), self.stats_due.clone());
        worker::wasm_bindgen_futures::spawn_local(async move {
            worker::Delay::from(COALESCE).await;
            due.set(false);
            let stats = table.borrow().as_ref().map(|table| stats_of(table));
            if let Some(Ok(stats)) = stats {
                hub.publish(STATS, &stats);
            }
        });
    }

    pub(super) fn dashboard(&self, table: &Table, who: &Caller) -> Result<ObjectAnswer> {
        let record = state_of(table);
        let identity = table.identity.borrow();
        let devices = table.devices.borrow();
        let devices = devices
            .values()
            .filter(|device| device.is_active)
            .map(|device| Device {
                session_id: device.id,
                name: device.name.clone(),
                gate: device.gate.clone(),
                last_seen_at: None,
            });
        let about = About {
            name: identity.name.clone(),
            enabled: identity.enabled,
            devices: devices.collect(),
            live: LivePosition {
                channel: SCANS.to_owned(),
                epoch: table.epoch.clone(),
                offset: record.seq,
                url: format!("/live/check-in/{}", identity.table_id),
            },
            record,
            unsynced: 0,
            server_time: who.now,
        };
        let dashboard: Dashboard = table.state.borrow().dashboard(about);
        Ok(ObjectAnswer {
            status: 200,
            body: serde_json::to_string(&dashboard)?,
        })
    }
}

/// The event of a log entry.
fn scanned(entry: &Entry) -> Result<Happened> {
    Ok(Happened {
        offset: entry.seq,
        kind: EventType::of(entry).as_str(),
        at: entry.received_at,
        data: serde_json::to_string(&ScanEvent::of(entry))?,
    })
}

/// The counters as an event.
fn stats_of(table: &Table) -> Result<Happened> {
    let data = serde_json::to_string(&table.state.borrow().stats())?;
    Ok(Happened {
        offset: table.seq(),
        kind: "stats",
        at: clock::now(),
        data,
    })
}
