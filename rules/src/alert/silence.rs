//! Silences: for a while, once or again and again, nothing is told of what they match.
//!
//! Alerts go on meanwhile, and are recorded. What still stands when the silence ends is told then,
//! once; what came and went in it is never told. What was told before and is over in it is told
//! when it ends: Alertmanager forgets that, and incident services wait for it for ever.
//!
//! Invariant: a silence is active from its beginning to before its end; an occurrence of a
//! maintenance window that began before `ends_at` is not cut by it.
//! Failure: refused at the pointer of the field.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::matcher::Matchers;
use super::target::{Severity, Subject};
use crate::civil::Zone;
use crate::cron::Cron;
use crate::invalid::Invalid;
use crate::name;
use crate::time;

/// Longest comment, in characters.
pub const COMMENT: usize = 1_000;
/// Shortest maintenance window, in seconds.
pub const SHORTEST: u32 = 60;
/// Longest maintenance window, in seconds: a week.
pub const LONGEST: u32 = 7 * 86_400;
/// Longest silence that does not recur.
pub const ONCE: TimeDelta = TimeDelta::days(366);
/// Most silences of a tenant that are not over.
pub const PER_TENANT: usize = 200;

/// A silence as it is asked for and stored. With `cron` it is a maintenance window that begins with
/// each run and lasts `duration_seconds`; without, it lasts from `starts_at` to `ends_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SilenceSettings))]
pub struct Settings {
    /// What it is about; at least one thing must be named.
    pub matchers: Matchers,
    /// Why.
    pub comment: Option<String>,
    /// When it begins; now unless given.
    #[serde(with = "time::ms_option")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends; windows without it recur for ever.
    #[serde(with = "time::ms_option")]
    pub ends_at: Option<DateTime<Utc>>,
    /// When windows begin.
    pub cron: Option<String>,
    /// Whose clock `cron` means; UTC unless given.
    pub timezone: Option<String>,
    /// How long a window lasts.
    pub duration_seconds: Option<u32>,
}

/// A silence that is in force.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Its identifier.
    pub id: Uuid,
    settings: Settings,
    recurs: Option<(Cron, Zone, TimeDelta)>,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SilenceStatus))]
pub enum Status {
    /// It will begin.
    Pending {
        /// When.
        #[serde(with = "time::ms")]
        at: DateTime<Utc>,
    },
    /// It mutes.
    Active {
        /// Until then.
        #[serde(with = "time::ms")]
        until: DateTime<Utc>,
    },
    /// It is over.
    Expired,
}

/// Checks what was asked for; answers what is stored.
pub fn check(given: Settings, now: DateTime<Utc>) -> Result<Settings, Invalid> {
    let mut invalid = Invalid::default();
    if given.matchers.is_empty() {
        let message = "Must name at least one connection, table, check, kind, severity or label.";
        invalid.add("/matchers", "required", message);
    }
    let matchers = invalid
        .take(given.matchers.clone().check("/matchers"))
        .unwrap_or_default();
    let comment = name::optional_lines("/comment", given.comment.as_deref(), COMMENT);
    let comment = invalid.take(comment).flatten();
    let starts_at = given.starts_at.unwrap_or(now);
    let mut settings = Settings {
        matchers,
        comment,
        starts_at: Some(starts_at),
        ends_at: given.ends_at,
        ..Settings::default()
    };
    if let Some(ends_at) = given.ends_at
        && ends_at <= starts_at.max(now)
    {
        let message = "Must be in the future, and after starts_at.";
        invalid.add("/ends_at", "out_of_range", message);
    }
    match &given.cron {
        Some(cron) => {
            let zone = given.timezone.as_deref().unwrap_or("UTC");
            let cron = invalid.take(Cron::parse(cron));
            let zone = invalid.take(Zone::parse(zone));
            settings.cron = cron.map(|cron| cron.to_string());
            settings.timezone = zone.map(|zone| zone.name().to_owned());
            settings.duration_seconds = given.duration_seconds;
            duration(given.duration_seconds, &mut invalid);
        }
        None => once(&given, starts_at, &mut invalid),
    }
    invalid.or(settings)
}

fn duration(seconds: Option<u32>, invalid: &mut Invalid) {
    let pointer = "/duration_seconds";
    match seconds {
        None => invalid.add(pointer, "required", "Must say how long a window lasts."),
        Some(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => {}
        Some(_) => {
            let message = format!("Must be from {SHORTEST} to {LONGEST}.");
            invalid.add(pointer, "out_of_range", message);
        }
    }
}

fn once(given: &Settings, starts_at: DateTime<Utc>, invalid: &mut Invalid) {
    for (pointer, there) in [
        ("/timezone", given.timezone.is_some()),
        ("/duration_seconds", given.duration_seconds.is_some()),
    ] {
        if there {
            invalid.add(
                pointer,
                "not_applicable",
                "Belongs to cron, which is not given.",
            );
        }
    }
    match given.ends_at {
        None => invalid.add("/ends_at", "required", "Must be given, unless cron is."),
        Some(ends_at) if ends_at - starts_at > ONCE => {
            let message = format!("Must be within {} days of starts_at.", ONCE.num_days());
            invalid.add("/ends_at", "out_of_range", message);
        }
        Some(_) => {}
    }
}

impl Silence {
    /// Puts what was stored in force.
    pub fn new(id: Uuid, settings: Settings) -> Result<Self, Invalid> {
        let recurs = match (&settings.cron, settings.duration_seconds) {
            (Some(cron), Some(seconds)) => {
                let zone = settings.timezone.as_deref().unwrap_or("UTC");
                let duration = TimeDelta::seconds(seconds.into());
                Some((Cron::parse(cron)?, Zone::parse(zone)?, duration))
            }
            _ => None,
        };
        Ok(Self {
            id,
            settings,
            recurs,
        })
    }

    /// What it is set to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it is about such an alert, whatever the time.
    pub fn matches(&self, subject: &Subject, severity: Severity) -> bool {
        self.settings.matchers.matches(subject, severity)
    }

    /// Where it stands.
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        let starts = self.settings.starts_at.unwrap_or(DateTime::UNIX_EPOCH);
        let ends = self.settings.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let Some((cron, zone, duration)) = &self.recurs else {
            return match now {
                now if now < starts => Status::Pending { at: starts },
                now if now < ends => Status::Active { until: ends },
                _ => Status::Expired,
            };
        };
        // Windows begin at `starts` at the earliest, and before `ends`.
        let tiny = TimeDelta::milliseconds(1);
        let since = (now - *duration).max(starts - tiny);
        let until = now.min(ends - tiny);
        if let Some((run, _)) = cron.latest(zone, since, until) {
            return Status::Active {
                until: run.at + *duration,
            };
        }
        match cron.next(zone, now.max(starts - tiny)) {
            Some(run) if run.at < ends => Status::Pending { at: run.at },
            _ => Status::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn given(json: serde_json::Value) -> Settings {
        serde_json::from_value(json).unwrap()
    }

    fn in_force(json: serde_json::Value) -> Silence {
        let settings = check(given(json), at("2026-01-01T00:00:00Z")).unwrap();
        // Stored and read again.
        let stored = serde_json::to_string(&settings).unwrap();
        Silence::new(Uuid::nil(), serde_json::from_str(&stored).unwrap()).unwrap()
    }

    fn all() -> serde_json::Value {
        json!({"kinds": ["check"]})
    }

    #[test]
    fn a_silence_is_active_from_its_beginning_to_before_its_end() {
        let silence = in_force(json!({
            "matchers": all(),
            "starts_at": "2026-06-01T10:00:00Z",
            "ends_at": "2026-06-01T12:00:00Z",
        }));
        let (from, until) = (at("2026-06-01T10:00:00Z"), at("2026-06-01T12:00:00Z"));
        let tiny = TimeDelta::milliseconds(1);
        assert_eq!(silence.status(from - tiny), Status::Pending { at: from });
        assert_eq!(silence.status(from), Status::Active { until });
        assert_eq!(silence.status(until - tiny), Status::Active { until });
        assert_eq!(silence.status(until), Status::Expired);
    }

    #[test]
    fn maintenance_recurs_by_the_wall_clock() {
        let silence = in_force(json!({
            "matchers": all(),
            "cron": "0 2 * * 0",
            "timezone": "Europe/Berlin",
            "duration_seconds": 7_200,
        }));
        // Sundays before and after the clocks change.
        for (from, until) in [
            ("2026-03-22T01:00:00Z", "2026-03-22T03:00:00Z"),
            ("2026-04-05T00:00:00Z", "2026-04-05T02:00:00Z"),
        ] {
            let (from, until) = (at(from), at(until));
            assert_eq!(
                silence.status(from - TimeDelta::seconds(1)),
                Status::Pending { at: from }
            );
            for inside in [
                from,
                from + TimeDelta::milliseconds(1),
                until - TimeDelta::milliseconds(1),
            ] {
                assert_eq!(silence.status(inside), Status::Active { until }, "{inside}");
            }
            assert!(matches!(silence.status(until), Status::Pending { .. }));
        }
    }

    #[test]
    fn windows_begin_between_start_and_end_and_are_not_cut() {
        let silence = in_force(json!({
            "matchers": all(),
            "starts_at": "2026-06-01T10:00:00Z",
            "ends_at": "2026-06-01T11:30:00Z",
            "cron": "0 * * * *",
            "duration_seconds": 2_700,
        }));
        let until = at("2026-06-01T11:45:00Z");
        assert_eq!(
            silence.status(at("2026-06-01T09:10:00Z")),
            Status::Pending {
                at: at("2026-06-01T10:00:00Z")
            },
            "the window of nine o'clock is before it begins"
        );
        assert_eq!(
            silence.status(at("2026-06-01T10:50:00Z")),
            Status::Pending {
                at: at("2026-06-01T11:00:00Z")
            }
        );
        assert_eq!(
            silence.status(at("2026-06-01T11:40:00Z")),
            Status::Active { until }
        );
        assert_eq!(silence.status(until), Status::Expired);
        assert_eq!(silence.status(at("2026-06-01T12:10:00Z")), Status::Expired);
    }

    #[test]
    fn windows_longer_than_their_period_follow_each_other() {
        let silence = in_force(json!({
            "matchers": all(),
            "cron": "0 * * * *",
            "duration_seconds": 5_400,
        }));
        assert_eq!(
            silence.status(at("2026-06-01T11:10:00Z")),
            Status::Active {
                until: at("2026-06-01T12:30:00Z")
            }
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        let now = at("2026-06-01T10:00:00Z");
        for (json, named) in [
            (
                json!({}),
                vec![("/matchers", "required"), ("/ends_at", "required")],
            ),
            (
                json!({"matchers": all(), "ends_at": "2026-06-01T09:00:00Z"}),
                vec![("/ends_at", "out_of_range")],
            ),
            (
                json!({"matchers": all(), "starts_at": "2026-07-01T00:00:00Z", "ends_at": "2026-06-20T00:00:00Z"}),
                vec![("/ends_at", "out_of_range")],
            ),
            (
                json!({"matchers": all(), "ends_at": "2028-06-01T10:00:00Z"}),
                vec![("/ends_at", "out_of_range")],
            ),
            (
                json!({"matchers": all(), "ends_at": "2026-06-02T00:00:00Z", "timezone": "UTC", "duration_seconds": 60}),
                vec![
                    ("/timezone", "not_applicable"),
                    ("/duration_seconds", "not_applicable"),
                ],
            ),
            (
                json!({"matchers": all(), "cron": "0 25 * * *", "timezone": "Mars/North"}),
                vec![
                    ("/cron", "cron_range"),
                    ("/timezone", "unknown_timezone"),
                    ("/duration_seconds", "required"),
                ],
            ),
            (
                json!({"matchers": all(), "cron": "0 2 * * *", "duration_seconds": 59}),
                vec![("/duration_seconds", "out_of_range")],
            ),
            (
                json!({"matchers": {"labels": {"!": ["x"]}}, "ends_at": "2026-06-02T00:00:00Z", "comment": "a\u{0}"}),
                vec![
                    ("/matchers/labels/!", "invalid_label"),
                    ("/comment", "control_character"),
                ],
            ),
        ] {
            let errors = check(given(json.clone()), now).unwrap_err().errors;
            let told: Vec<_> = errors
                .iter()
                .map(|e| (e.pointer.as_str(), e.code.as_str()))
                .collect();
            assert_eq!(told, named, "{json}");
        }
        assert!(
            serde_json::from_value::<Settings>(json!({"until": "2026-06-02T00:00:00Z"})).is_err()
        );
    }
}
