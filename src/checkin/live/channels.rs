//! What a check-in table shows live: `scans`, one event per log entry; `stats`, the counters;
//! `devices`, the scanners; and `roster`, the guest list for scanners.
//!
//! Invariant: the log is the history of `scans`, so its offsets are the log's and no event can be
//! missing. `stats` carries whole counters, at most ten times a second; its offset is the log's at
//! that moment.
//! Failure: a reader behind the kept window reads the dashboard again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::checkin::dashboard::{About, Dashboard, LivePosition};
use rules::checkin::entry::Entry;
use rules::checkin::event::{EventType, ScanEvent};
use rules::live::log::{Position, WINDOW};
use rules::live::session::{Access, Identity};
use rules::roles::{Resource, Role, Verb};

use super::CheckinTable;
use super::access;
use super::devices::{self, DEVICES};
use super::record::state_of;
use super::roster::{self, ROSTER};
use super::table::Table;
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::http;
use crate::platform::live::{Channel, Happened, Known, Surface};
use crate::platform::object::{Caller, ObjectAnswer};
use crate::platform::scope::Credential;
use crate::platform::token;

const SCANS: &str = "scans";
const STATS: &str = "stats";
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
        // A guest's socket scans and shows nothing.
        let (verb, resource) = match &who.credential {
            Credential::Anonymous { .. } => (Verb::Scan, Resource::CheckIn),
            _ => (Verb::Watch, Resource::LiveChannel),
        };
        let granted = self.let_in(&ctx, &table, &who, verb, resource).await?;
        let actor = granted.caller.actor;
        let (kind, sign_in, generation) = match &who.credential {
            Credential::User { session, .. } => ("user", Some(session.to_string()), None),
            Credential::Supabase { .. } => ("user", None, None),
            Credential::Key { .. } => ("key", None, None),
            Credential::Device { generation, .. } => ("device", None, Some(*generation)),
            Credential::Anonymous { guest_key, .. } => {
                ("anonymous", Some(access::key_mark(guest_key)), None)
            }
            Credential::System => ("anonymous", None, None),
        };
        if generation.is_some() {
            self.devices_changed(&table)?;
        }
        Ok(Known {
            identity: Identity {
                kind: kind.to_owned(),
                id: actor.id.to_string(),
                sign_in,
                tenant: table.identity.borrow().tenant_id.to_string(),
                role: granted.role,
                profile: granted.profile,
                generation,
                confirmed_ms: granted
                    .confirmed_at
                    .map(|at| at.min(now).timestamp_millis()),
            },
            expires_at: token::expires_at(token, now),
        })
    }

    async fn confirm(&self, reader: &Identity, now: DateTime<Utc>) -> Result<()> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        self.confirm_reader(&table, reader, now).await
    }

    fn access(&self, identity: &Identity, channel: &str) -> Access {
        match channel {
            SCANS | STATS
                if rules::roles::may(identity.role, Verb::Watch, Resource::LiveChannel) =>
            {
                Access::Granted
            }
            SCANS | STATS => Access::Forbidden,
            DEVICES if rules::roles::may(identity.role, Verb::Watch, Resource::LiveDevices) => {
                Access::Granted
            }
            DEVICES => Access::Forbidden,
            ROSTER => {
                let (verb, resource) = (Verb::Watch, Resource::LiveRoster);
                let may = match identity.profile {
                    Some(profile) => rules::roles::device_may(profile, verb, resource),
                    None => rules::roles::may(identity.role, verb, resource),
                };
                if may {
                    Access::Granted
                } else {
                    Access::Forbidden
                }
            }
            _ => Access::Unknown,
        }
    }

    fn channel(&self, channel: &str) -> Result<Channel> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let at = |offset| Position::new(&*table.epoch, offset);
        Ok(match channel {
            DEVICES => {
                self.devices_watched();
                Channel::latest(at(table.heard.changes()))
            }
            ROSTER => {
                roster::watched(&table);
                Channel::latest(at(roster::offset(&table)))
            }
            STATS => Channel::latest(at(table.seq())),
            // The log itself is kept whole.
            _ => Channel::counted(at(table.seq()), WINDOW),
        })
    }

    fn events_after(&self, channel: &str, offset: u64) -> Result<Vec<Happened>> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        match channel {
            STATS => return Ok(vec![stats_of(&table)?]),
            DEVICES => return Ok(vec![devices::event(&self.hub, &table)?]),
            ROSTER => return Ok(vec![roster::current(&table)?]),
            _ => {}
        }
        let mut events = Vec::new();
        table
            .storage
            .replay(offset, |entry: Entry| events.push(scanned(&entry)))?;
        events.into_iter().collect()
    }

    fn scan(&self, reader: &Identity, body: &str, now: DateTime<Utc>) -> Result<String> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let granted = self.scanning(&table, reader)?;
        Ok(self.scan_body(&table, &granted.caller, now, body)?.body)
    }

    fn sync(&self, reader: &Identity, body: &str, now: DateTime<Utc>) -> Result<String> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let granted = self.scanning(&table, reader)?;
        Ok(self.sync_body(&table, &granted, now, body)?.body)
    }

    fn status(&self, reader: &Identity, body: &str, now: DateTime<Utc>) -> Result<()> {
        let table = self.awake()?.ok_or_else(Error::not_found)?;
        let granted = access::grant_reader(&table, reader, Verb::Write, Resource::DeviceStatus)?;
        self.report(&table, &granted.caller, body, now)
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

    /// Lets the reader of a socket scan. Guests are counted over a socket as over HTTP.
    fn scanning(&self, table: &Table, reader: &Identity) -> Result<access::Granted> {
        let granted = access::grant_reader(table, reader, Verb::Scan, Resource::CheckIn)?;
        if granted.role == Role::Anonymous {
            let guest = Credential::Anonymous {
                guest_key: table.identity.borrow().guest_key.clone(),
                device: Some(granted.caller.actor.id).filter(|id| !id.is_nil()),
            };
            http::count(&self.ctx(None).config, &guest)?;
        }
        Ok(granted)
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
        let live = position(table, record.seq);
        let devices = devices::known(&self.hub, table, |device| device.is_active);
        let about = About {
            name: identity.name.clone(),
            enabled: identity.enabled,
            devices,
            roster_seq: roster::offset(table),
            live,
            record,
            server_time: who.now,
        };
        let dashboard: Dashboard = table.state.borrow().dashboard(about);
        Ok(ObjectAnswer {
            status: 200,
            body: serde_json::to_string(&dashboard)?,
        })
    }
}

/// A place in `scans`, as a snapshot carries it.
pub fn position(table: &Table, offset: u64) -> LivePosition {
    LivePosition {
        channel: SCANS.to_owned(),
        epoch: table.epoch.clone(),
        offset,
        url: format!("/live/check-in/{}", table.identity.borrow().table_id),
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
