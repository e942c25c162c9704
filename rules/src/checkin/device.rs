//! What a scanner says of itself, and what is shown of it.
//!
//! Invariant: a report replaces the one before; what it does not say is not known. A device counts
//! as seen when it reported, scanned or held its socket, whichever was last.
//! Failure: every wrong field is reported with its JSON pointer.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::Ledger;
use crate::invalid::Invalid;
use crate::name;
use crate::roles::Profile;
use crate::time;

/// Most scans a device says it keeps.
pub const MAX_PENDING: u32 = 1_000_000;
/// The greatest place in a list of guests: the greatest integer that JavaScript counts to.
pub const MAX_SEQ: u64 = (1 << 53) - 1;
/// Most devices that are listed live; active ones come first.
pub const LISTED: usize = 500;

/// How long a device that was heard of counts as one that would have said what it keeps.
pub const IN_TOUCH: TimeDelta = TimeDelta::seconds(60);

/// The body of `POST /pulse/sessions/{id}/status`, and of a status over a socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StatusIn {
    /// How full the battery is, 0 to 1.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1))]
    pub battery: Option<f64>,
    /// Whether it is being charged.
    #[serde(default)]
    pub charging: Option<bool>,
    /// Name and version of the app.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(
            max_length = 80,
            pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
        )
    )]
    pub app: Option<String>,
    /// Scans that wait on the device.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(maximum = 1_000_000))]
    pub pending: Option<u32>,
    /// Up to where it has the guest list: `seq` of the list's route, the offset of its channel.
    #[serde(default)]
    // In the document of a Worker an integer has 32 bits.
    #[cfg_attr(feature = "schema", schema(maximum = 9_007_199_254_740_991.0))]
    pub roster_seq: Option<u64>,
}

/// A report, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was received.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// How full the battery is, 0 to 1, to the hundredth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery: Option<f64>,
    /// Whether it is being charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charging: Option<bool>,
    /// Name and version of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Scans that wait on the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
    /// Up to where it has the guest list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster_seq: Option<u64>,
}

impl StatusIn {
    /// Checks a report that came in at `at`.
    pub fn parse(self, at: DateTime<Utc>) -> Result<Report, Invalid> {
        let mut invalid = Invalid::default();
        if self
            .battery
            .is_some_and(|full| !(0.0..=1.0).contains(&full))
        {
            invalid.add("/battery", "out_of_range", "Must be 0 to 1.");
        }
        let app = invalid.take(name::optional("/app", self.app.as_deref(), 80));
        if self.pending.is_some_and(|pending| pending > MAX_PENDING) {
            invalid.add("/pending", "out_of_range", "At most 1,000,000.");
        }
        if self.roster_seq.is_some_and(|seq| seq > MAX_SEQ) {
            invalid.add("/roster_seq", "out_of_range", "At most 2^53 - 1.");
        }
        invalid.or(Report {
            at: time::to_ms(at),
            battery: self.battery.map(|full| (full * 100.0).round() / 100.0),
            charging: self.charging,
            app: app.flatten(),
            pending: self.pending,
            roster_seq: self.roster_seq,
        })
    }
}

/// A scanner session as the table's owner knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The session.
    pub session_id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub gate: Option<String>,
    /// What it may do.
    pub profile: Profile,
    /// Whether its token works.
    pub is_active: bool,
    /// Whether one of its sockets is open.
    pub online: bool,
    /// When it was last heard of, scans and reports apart.
    pub seen_at: Option<DateTime<Utc>>,
    /// Its last report.
    pub status: Option<Report>,
}

/// A scanner as it is shown, live and on the dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceView {
    /// The session.
    pub session_id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub gate: Option<String>,
    /// What it may do.
    pub profile: Profile,
    /// Whether its token works.
    pub is_active: bool,
    /// Whether its socket is open.
    pub online: bool,
    /// When it was last heard of.
    #[serde(with = "time::ms_option")]
    pub last_seen_at: Option<DateTime<Utc>>,
    /// How full its battery is, 0 to 1.
    pub battery: Option<f64>,
    /// Whether it is being charged.
    pub charging: Option<bool>,
    /// Name and version of its app.
    pub app: Option<String>,
    /// Scans that wait on it, as it last said.
    pub pending: Option<u32>,
    /// Up to where it has the guest list, as it last said.
    pub roster_seq: Option<u64>,
    /// Scans received from it.
    pub scans: u32,
}

impl DeviceView {
    fn of(device: Known, ledger: &Ledger) -> Self {
        let seen = ledger.session(device.session_id);
        let status = device.status;
        let heard = [
            device.seen_at,
            seen.map(|seen| seen.last_seen_at),
            status.as_ref().map(|status| status.at),
        ];
        let said = status.as_ref();
        Self {
            session_id: device.session_id,
            name: device.name,
            gate: device.gate,
            profile: device.profile,
            is_active: device.is_active,
            online: device.online,
            last_seen_at: heard.into_iter().flatten().max().map(time::to_ms),
            battery: said.and_then(|said| said.battery),
            charging: said.and_then(|said| said.charging),
            app: said.and_then(|said| said.app.clone()),
            pending: said.and_then(|said| said.pending),
            roster_seq: said.and_then(|said| said.roster_seq),
            scans: seen.map_or(0, |seen| seen.scans),
        }
    }
}

/// What is shown of these devices: active ones first, latest heard of first, at most [`LISTED`].
pub fn listed(devices: impl IntoIterator<Item = Known>, ledger: &Ledger) -> Vec<DeviceView> {
    let devices = devices.into_iter();
    let mut views: Vec<_> = devices.map(|it| DeviceView::of(it, ledger)).collect();
    views.sort_by(|one, other| {
        (other.is_active, other.last_seen_at, one.session_id).cmp(&(
            one.is_active,
            one.last_seen_at,
            other.session_id,
        ))
    });
    views.truncate(LISTED);
    views
}

/// Scans that wait on active devices, as far as they said.
pub fn unsynced(devices: &[DeviceView]) -> u64 {
    let active = devices.iter().filter(|device| device.is_active);
    active
        .filter_map(|device| device.pending)
        .map(u64::from)
        .sum()
}

/// Active devices that take scans, were used, and have not been heard of for [`IN_TOUCH`]: what
/// they keep since is nowhere counted.
pub fn out_of_touch(devices: &[DeviceView], now: DateTime<Utc>) -> u32 {
    let silent = devices.iter().filter(|device| {
        let scans = device.is_active && device.profile != Profile::Viewer && !device.online;
        scans && device.last_seen_at.is_some_and(|at| now - at > IN_TOUCH)
    });
    u32::try_from(silent.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        time::try_parse(text).unwrap()
    }

    #[test]
    fn a_report_is_checked_field_by_field() {
        let good = StatusIn {
            battery: Some(0.4249),
            charging: Some(true),
            app: Some(" Pulse 1.4 ".to_owned()),
            pending: Some(9),
            roster_seq: Some(41),
        };
        let status = good.parse(at("2026-06-01T18:00:00.1239Z")).unwrap();
        assert_eq!(
            (status.battery, status.app.as_deref(), status.pending),
            (Some(0.42), Some("Pulse 1.4"), Some(9))
        );
        assert_eq!(time::render(status.at), "2026-06-01T18:00:00.123Z");
        let bad = StatusIn {
            battery: Some(1.01),
            charging: None,
            app: Some("x".repeat(81)),
            pending: Some(MAX_PENDING + 1),
            roster_seq: Some(MAX_SEQ + 1),
        };
        let wrong = bad.parse(at("2026-06-01T18:00:00Z")).unwrap_err().errors;
        let pointers: Vec<_> = wrong.iter().map(|error| &*error.pointer).collect();
        assert_eq!(pointers, ["/battery", "/app", "/pending", "/roster_seq"]);
        for battery in [f64::NAN, f64::INFINITY, -0.01] {
            let report = StatusIn {
                battery: Some(battery),
                ..StatusIn::default()
            };
            assert!(report.parse(at("2026-06-01T18:00:00Z")).is_err());
        }
    }

    #[test]
    fn the_latest_sign_of_life_counts_and_active_devices_come_first() {
        let known = |id: u128, is_active: bool, online: Option<&str>, pending: u32| Known {
            session_id: Uuid::from_u128(id),
            name: format!("Phone {id}"),
            gate: None,
            profile: Profile::Scanner,
            is_active,
            online: online.is_some(),
            seen_at: online.map(at),
            status: Some(Report {
                at: at("2026-06-01T18:00:00Z"),
                battery: None,
                charging: None,
                app: None,
                pending: Some(pending),
                roster_seq: None,
            }),
        };
        let views = listed(
            [
                known(1, true, None, 3),
                known(2, false, Some("2026-06-01T19:00:00Z"), 50),
                known(3, true, Some("2026-06-01T18:30:00Z"), 4),
            ],
            &Ledger::default(),
        );
        let order: Vec<_> = views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(order, ["Phone 3", "Phone 1", "Phone 2"]);
        assert_eq!(views[0].last_seen_at, Some(at("2026-06-01T18:30:00Z")));
        assert_eq!(views[1].last_seen_at, Some(at("2026-06-01T18:00:00Z")));
        assert_eq!((views[0].online, views[1].online), (true, false));
        assert_eq!(
            unsynced(&views),
            7,
            "a closed device keeps nothing we wait for"
        );
        for (now, silent) in [("18:01:00", 0), ("18:01:01", 1), ("23:00:00", 1)] {
            let now = at(&format!("2026-06-01T{now}Z"));
            assert_eq!(out_of_touch(&views, now), silent, "phone 3 is on line");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let many = (0..LISTED as u128 + 10).map(|id| Known {
            session_id: Uuid::from_u128(id),
            name: String::new(),
            gate: None,
            profile: Profile::Viewer,
            is_active: id >= 10,
            online: false,
            seen_at: None,
            status: None,
        });
        let views = listed(many, &Ledger::default());
        assert_eq!(views.len(), LISTED);
        assert!(views.iter().all(|view| view.is_active));
    }
}
