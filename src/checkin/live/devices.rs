//! The scanners of a table, live: who is on line, what they say of themselves, and who is told.
//!
//! Invariant: whoever watches `devices` gets the whole list at most ten times a second, and the last
//! change is always among what was sent. A scanner whose socket is dead is off line within 33 s and a
//! little.
//! Failure: Postgres hears of it later; see [`super::heard`].

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::caller::Caller as Scanner;
use rules::checkin::device::{self, DeviceView, Known, StatusIn};
use rules::live::ALIVE_WITHIN_MS;
use rules::live::session::Identity;
use uuid::Uuid;

use super::heard::GATHER;
use super::store::{self, Noted};
use super::table::Table;
use super::{CheckinTable, RETRY};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::live::{Happened, Hub};
use crate::platform::log::{self, Level};
use crate::platform::scope::Scope;

/// The channel of the scanners.
pub const DEVICES: &str = "devices";
/// It is sent at most this often.
const COALESCE: Duration = Duration::from_millis(100);
/// When a socket that was alive just now has to be looked at again.
const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(ALIVE_WITHIN_MS + 1_000);

impl CheckinTable {
    /// Takes what a scanner says of itself.
    pub(super) fn report(
        &self,
        table: &Table,
        caller: &Scanner,
        body: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(session) = caller.session_id else {
            return Err(Error::forbidden(
                "role_not_allowed",
                "Only a paired scanner says how it is.",
            ));
        };
        let home = table
            .devices
            .borrow()
            .get(&session)
            .and_then(|it| it.table_id);
        if home.is_some_and(|home| home != table.identity.borrow().table_id) {
            return Err(Error::forbidden(
                "other_table",
                "A scanner says how it is at its own table.",
            ));
        }
        let report = decode::<StatusIn>(body)?.parse(now)?;
        table
            .heard
            .note(&table.storage, session, now, Some(report))?;
        self.arm(clock::now() + GATHER);
        self.devices_changed(table)
    }

    /// Tells who watches the scanners, soon and together with what else changes until then.
    pub(super) fn devices_changed(&self, table: &Table) -> Result<()> {
        if self.devices_due.get() {
            return Ok(());
        }
        table.heard.changed(&table.storage)?;
        if !self.hub.watched(DEVICES) {
            return Ok(());
        }
        self.devices_due.set(true);
        let (hub, table) = (self.hub.clone(), self.table.clone());
        let (due, shown) = (self.devices_due.clone(), self.devices_online.clone());
        worker::wasm_bindgen_futures::spawn_local(async move {
            worker::Delay::from(COALESCE).await;
            due.set(false);
            let event = table.borrow().as_ref().map(|table| {
                // Counted again: who asked within the moment has not seen what came after.
                table.heard.changed(&table.storage)?;
                shown.replace(Some(online(&hub).into_keys().collect()));
                event(&hub, table)
            });
            if let Some(Ok(event)) = event {
                hub.publish(DEVICES, &event);
            }
        });
        Ok(())
    }

    /// After the socket of a reader closed.
    pub(super) fn left(&self, who: Option<&Identity>) {
        let device = who.filter(|who| who.kind == "device");
        let Some(id) = device.and_then(|who| Uuid::try_parse(&who.id).ok()) else {
            return;
        };
        let note = || -> Result<()> {
            let Some(table) = self.awake()? else {
                return Ok(());
            };
            let now = clock::now();
            table.heard.note(&table.storage, id, now, None)?;
            self.arm(now + GATHER);
            self.devices_changed(&table)
        };
        if let Err(error) = note() {
            complain("device left", &error);
        }
    }

    /// Looks whether a scanner went off line without a word, and when to look again.
    pub(super) fn look_after_devices(&self, table: &Table) -> Result<()> {
        if !self.hub.watched(DEVICES) {
            return Ok(());
        }
        let there = online(&self.hub);
        // Who went while the object slept is missed by nobody else.
        let shown = self.devices_online.borrow().clone();
        if shown.is_none_or(|shown| !there.keys().eq(shown.iter())) {
            self.devices_changed(table)?;
        }
        if let Some(first) = there.values().min() {
            self.arm((*first + LOOK_AGAIN).max(clock::now() + RETRY));
        }
        Ok(())
    }

    /// Somebody begins to watch: from now on silent departures are looked for.
    pub(super) fn devices_watched(&self) {
        self.arm(clock::now() + LOOK_AGAIN);
    }

    /// Tells Postgres what was heard of scanners, if it waits long enough.
    pub(super) async fn note_devices(&self, ctx: &Ctx, table: &Table) -> Result<()> {
        let Some(since) = table.heard.untold_since() else {
            return Ok(());
        };
        if clock::now() < since + GATHER {
            self.arm(since + GATHER);
            return Ok(());
        }
        // The scans of a flush count up the same rows.
        let _one_at_a_time = table.flushing.lock().await;
        let (tenant, table_id) = {
            let identity = table.identity.borrow();
            (identity.tenant_id, identity.table_id)
        };
        let noted = Noted {
            table_id,
            devices: table.heard.untold(),
        };
        let told = ctx
            .pg
            .call(&Scope::system(tenant), &store::NOTE_DEVICES, &noted)
            .await;
        match told {
            Ok(_) => table.heard.told(&table.storage, noted.devices)?,
            Err(error) => complain("note devices", &error),
        }
        if table.heard.untold_since().is_some() {
            self.arm(clock::now() + GATHER);
        }
        Ok(())
    }
}

/// What is shown of the scanners that `shown` picks.
pub fn views(
    hub: &Hub,
    table: &Table,
    shown: impl Fn(&super::table::Device) -> bool,
) -> Vec<DeviceView> {
    let state = table.state.borrow();
    device::listed(known(hub, table, shown), &state.ledger)
}

/// The scanners that `shown` picks, as this object knows them.
pub fn known(
    hub: &Hub,
    table: &Table,
    shown: impl Fn(&super::table::Device) -> bool,
) -> Vec<Known> {
    let online = online(hub);
    let devices = table.devices.borrow();
    let known = devices
        .values()
        .filter(|device| shown(device))
        .map(|device| {
            let (sign, here) = (table.heard.of(device.id), online.get(&device.id).copied());
            Known {
                session_id: device.id,
                name: device.name.clone(),
                gate: device.gate.clone(),
                profile: device.profile,
                is_active: device.is_active,
                online: here.is_some(),
                seen_at: here.max(sign.as_ref().map(|sign| sign.seen_at)),
                status: sign.and_then(|sign| sign.status),
            }
        });
    known.collect()
}

/// The list as an event of the channel.
pub fn event(hub: &Hub, table: &Table) -> Result<Happened> {
    Ok(Happened {
        offset: table.heard.changes(),
        kind: DEVICES,
        at: clock::now(),
        data: serde_json::to_string(&views(hub, table, |_| true))?,
    })
}

/// The scanners whose sockets are open, with when each was last heard of.
fn online(hub: &Hub) -> BTreeMap<Uuid, DateTime<Utc>> {
    let mut there = BTreeMap::new();
    for (who, seen) in hub.present("device", clock::now()) {
        if let Ok(id) = Uuid::try_parse(&who.id) {
            let latest = there.entry(id).or_insert(seen);
            *latest = seen.max(*latest);
        }
    }
    there
}

fn complain(what: &str, error: &Error) {
    log::write(
        Level::Warn,
        "devices",
        &[
            ("what", what.into()),
            ("code", error.code.as_ref().into()),
            ("context", error.context.clone().into()),
        ],
    );
}
