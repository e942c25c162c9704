//! The numbers and lists of a dashboard.
//!
//! Invariant: read off the counters, never recounted; the position it carries was read together
//! with its data.
//! Failure: none.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::device::{self, DeviceView, Known};
use super::event::ScanEvent;
use super::ledger::GateCount;
use super::state::State;
use super::verdict::Reason;
use crate::civil::Zone;
use crate::time;

/// Minutes of the arrivals shown.
const MINUTES: usize = 60;

/// Gates shown beyond those of the organiser.
const EXTRA_GATES: usize = 100;

/// The counters; also the data of a `stats` event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Counters {
    /// Guests on the list.
    pub total: u32,
    /// Distinct guests with an entry that stands.
    pub checked_in: u32,
    /// People inside now.
    pub inside: u32,
    /// People who entered: more than `checked_in` where tickets are for several.
    pub arrived: u32,
    /// Entries that are one too many: a ticket was let in twice.
    pub conflicts: u32,
    /// Walk-ins that stand.
    pub walk_ins: u32,
    /// Scans of guests who were in already.
    pub duplicates: u32,
    /// Admissions by devices without a connection of people whom nobody can name: among the
    /// refusals, and not counted as inside.
    pub unidentified: u32,
    /// Refusals by reason.
    pub refused: BTreeMap<Reason, u32>,
    /// Checked in of total, 0 to 1.
    pub rate: f64,
    /// Guests that may be inside at one time.
    pub capacity: Option<u32>,
    /// Entries per minute, oldest first: the last 60 minutes that had any.
    pub arrivals: Vec<Arrivals>,
    /// By category name; guests without one last.
    pub by_category: Vec<CategoryCount>,
    /// The organiser's gates in their order, then other names; scans without a gate last.
    pub by_gate: Vec<GateTotals>,
}

/// Entries of one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Arrivals {
    /// Its first instant.
    #[serde(with = "time::ms")]
    pub minute: DateTime<Utc>,
    /// Entries that stand.
    pub count: u32,
}

/// Guests of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CategoryCount {
    /// The category; null for guests without one.
    pub category: Option<String>,
    /// Guests on the list.
    pub total: u32,
    /// Guests who entered under it.
    pub checked_in: u32,
}

/// Scans at one gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GateTotals {
    /// The gate; null for scans without one.
    pub gate: Option<String>,
    /// Entries that stand.
    pub accepted: u32,
    /// Refusals.
    pub refused: u32,
}

/// How far the record in Postgres is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Record {
    /// Last entry of the log.
    pub seq: u64,
    /// Last entry in Postgres.
    pub flushed_seq: u64,
    /// Entries not in Postgres yet.
    pub behind: u64,
    /// When the oldest of them was received.
    #[serde(with = "time::ms_option")]
    pub oldest_unflushed_at: Option<DateTime<Utc>>,
}

/// Where to subscribe so that nothing is missed or repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LivePosition {
    /// The channel.
    pub channel: String,
    /// Its epoch.
    pub epoch: String,
    /// Its last offset.
    pub offset: u64,
    /// Where the socket is.
    pub url: String,
}

/// What the dashboard needs beyond the state.
#[derive(Clone, Debug)]
pub struct About {
    /// The table's name.
    pub name: String,
    /// Scans are taken.
    pub enabled: bool,
    /// Active scanner sessions.
    pub devices: Vec<Known>,
    /// Offset of the channel `roster`.
    pub roster_seq: u64,
    /// How far Postgres is.
    pub record: Record,
    /// Position of the `scans` channel.
    pub live: LivePosition,
    /// Now.
    pub server_time: DateTime<Utc>,
}

/// The body of `GET /pulse/dashboard/{table_id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Dashboard {
    /// The table.
    pub table_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its time zone.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "Europe/Berlin"))]
    pub timezone: Zone,
    /// Scans are taken.
    pub enabled: bool,
    /// The counters.
    #[serde(flatten)]
    pub counters: Counters,
    /// Active scanners, latest heard of first.
    pub active_scanners: Vec<DeviceView>,
    /// The last 20 entries of the log, latest first.
    pub recent: Vec<ScanEvent>,
    /// How far Postgres is.
    pub record: Record,
    /// Scans that wait on these scanners, as they last said: what the counters may miss.
    pub unsynced: u64,
    /// Scanners that were used and have not been heard of for a minute: what they keep since is not
    /// in `unsynced`. Guests' phones say nothing of themselves and are not among them.
    pub out_of_touch: u32,
    /// Where the guest list is: what a scanner that is up to date has as its `roster_seq`.
    pub roster_seq: u64,
    /// Where to subscribe from.
    pub live: LivePosition,
    /// Now.
    #[serde(with = "time::ms")]
    pub server_time: DateTime<Utc>,
}

impl State {
    /// The counters.
    pub fn stats(&self) -> Counters {
        let (ledger, total) = (
            &self.ledger,
            u32::try_from(self.roster.len()).unwrap_or(u32::MAX),
        );
        let rate = f64::from(ledger.checked_in()) / f64::from(total.max(1));
        let arrivals = ledger
            .arrivals()
            .iter()
            .rev()
            .filter(|(_, count)| **count > 0);
        let mut arrivals: Vec<Arrivals> = arrivals
            .take(MINUTES)
            .map(|(minute, count)| Arrivals {
                minute: DateTime::from_timestamp(minute * 60, 0).unwrap_or_default(),
                count: *count,
            })
            .collect();
        arrivals.reverse();
        Counters {
            total,
            checked_in: ledger.checked_in(),
            inside: ledger.inside(),
            arrived: ledger.arrived(),
            conflicts: ledger.conflicts(),
            walk_ins: ledger.walk_ins(),
            duplicates: ledger.duplicates(),
            unidentified: ledger.unidentified(),
            refused: ledger.refused().clone(),
            rate: (rate.min(1.0) * 10_000.0).round() / 10_000.0,
            capacity: self.config.settings.capacity,
            arrivals,
            by_category: self.by_category(),
            by_gate: self.by_gate(),
        }
    }

    /// The dashboard.
    pub fn dashboard(&self, about: About) -> Dashboard {
        let active_scanners = device::listed(about.devices, &self.ledger);
        Dashboard {
            table_id: self.table_id,
            name: about.name,
            timezone: self.config.timezone.clone(),
            enabled: about.enabled,
            counters: self.stats(),
            unsynced: device::unsynced(&active_scanners),
            out_of_touch: device::out_of_touch(&active_scanners, about.server_time),
            roster_seq: about.roster_seq,
            active_scanners,
            recent: self.ledger.recent().rev().cloned().collect(),
            record: about.record,
            live: about.live,
            server_time: time::to_ms(about.server_time),
        }
    }

    fn by_category(&self) -> Vec<CategoryCount> {
        let checked_in: BTreeMap<Option<&str>, u32> = self.ledger.by_category().collect();
        let listed = self.roster.totals();
        let entered = checked_in
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, _)| *name);
        let names: BTreeSet<_> = listed.keys().map(Option::as_deref).chain(entered).collect();
        let count = |name: Option<&str>| CategoryCount {
            category: name.map(str::to_owned),
            total: listed.get(&name.map(str::to_owned)).copied().unwrap_or(0),
            checked_in: checked_in.get(&name).copied().unwrap_or(0),
        };
        let named = names.iter().filter(|name| name.is_some());
        let unnamed = names.iter().filter(|name| name.is_none());
        named.chain(unnamed).map(|name| count(*name)).collect()
    }

    fn by_gate(&self) -> Vec<GateTotals> {
        let mut counted: BTreeMap<Option<&str>, GateCount> = self.ledger.by_gate().collect();
        let totals = |gate: Option<&str>, count: GateCount| GateTotals {
            gate: gate.map(str::to_owned),
            accepted: count.accepted,
            refused: count.refused,
        };
        let mut gates: Vec<GateTotals> = Vec::new();
        for gate in &self.config.gates {
            let count = counted
                .remove(&Some(gate.name.as_str()))
                .unwrap_or_default();
            gates.push(totals(Some(&gate.name), count));
        }
        let without = counted.remove(&None);
        let others = counted.into_iter().take(EXTRA_GATES);
        gates.extend(others.map(|(gate, count)| totals(gate, count)));
        gates.extend(without.map(|count| totals(None, count)));
        gates
    }
}
