//! How a table is scanned, as its organiser sets it.
//!
//! Invariant: counts are at least 1, the event closes after it opens, texts are trimmed.
//! Failure: every wrong or unknown field is reported with its JSON pointer; nothing is changed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hours::{self, Hours, Minute};
use super::question::{self, Question};
use super::reading::Fields;
use super::visits::Again;
use crate::invalid::Invalid;
use crate::time;

/// What happens at capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CapacityMode {
    /// Nobody enters any more.
    #[default]
    Hard,
    /// Guests enter with a warning.
    Warn,
}

/// The settings of a check-in table. Everything is present when written, optional when read, where
/// `null` means the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Settings {
    /// Off: a repeated scan counts on the first record. On: each scan is an entry of its own.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub allow_duplicate_scans: bool,
    /// A guest who left may enter again.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub allow_reentry: bool,
    /// Entries per guest and local day, 1 to 1,000.
    pub entries_per_day: Option<u32>,
    /// Entries per guest, 1 to 10,000.
    pub max_entries: Option<u32>,
    /// Guests inside at one time, walk-ins included, 1 to 10,000,000.
    pub capacity: Option<u32>,
    /// What happens at capacity.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub capacity_mode: CapacityMode,
    /// Categories that may enter; empty means all.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub categories: Vec<String>,
    /// First instant the doors are open.
    #[serde(with = "time::ms_option")]
    pub opens_at: Option<DateTime<Utc>>,
    /// First instant the doors are closed.
    #[serde(with = "time::ms_option")]
    pub closes_at: Option<DateTime<Utc>>,
    /// Weekly hours within that, by the event's wall clock; empty means always.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub opening_hours: Vec<Hours>,
    /// Guests who are on no list may be admitted.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub walk_ins: bool,
    /// People without an account may scan.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub guest_scanning: bool,
    /// Scanners may keep the list and work without a connection.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub offline_mode: bool,
    /// Scanners show who is let in over their whole screen for a moment.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub show_popup: bool,
    /// Guests who have not paid may be admitted by scans that say `ignore_unpaid`.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub admit_unpaid: bool,
    /// Everybody inside leaves at this wall-clock time of the event each day, `00:00` to `23:59`;
    /// null means nobody does.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, pattern = r"^([01]\d|2[0-3]):[0-5]\d$", example = "04:00"))]
    pub exit_all_at: Option<Minute>,
    /// What is asked at the door, at most 20.
    #[cfg_attr(feature = "schema", schema(nullable))]
    pub questions: Vec<Question>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_duplicate_scans: false,
            allow_reentry: false,
            entries_per_day: None,
            max_entries: None,
            capacity: None,
            capacity_mode: CapacityMode::Hard,
            categories: Vec::new(),
            opens_at: None,
            closes_at: None,
            opening_hours: Vec::new(),
            walk_ins: true,
            guest_scanning: false,
            offline_mode: true,
            show_popup: true,
            admit_unpaid: false,
            exit_all_at: None,
            questions: Vec::new(),
        }
    }
}

impl Settings {
    /// When a guest may enter once more.
    pub fn again(&self) -> Again {
        match (self.allow_duplicate_scans, self.allow_reentry) {
            (true, _) => Again::Always,
            (false, true) => Again::AfterExit,
            (false, false) => Again::Never,
        }
    }

    /// Settings from what was sent; fields that are absent keep their default.
    pub fn parse(value: &Value, base: &str) -> Result<Self, Invalid> {
        Self::default().patch(value, base)
    }

    /// These settings with the given fields changed (`null`: back to the default). `base` is the
    /// pointer of the object, such as `/settings`.
    pub fn patch(&self, value: &Value, base: &str) -> Result<Self, Invalid> {
        let (mut next, default) = (self.clone(), Self::default());
        let mut fields = Fields::of(value, base);
        for (name, default, into) in [
            (
                "allow_duplicate_scans",
                default.allow_duplicate_scans,
                &mut next.allow_duplicate_scans,
            ),
            (
                "allow_reentry",
                default.allow_reentry,
                &mut next.allow_reentry,
            ),
            ("walk_ins", default.walk_ins, &mut next.walk_ins),
            (
                "guest_scanning",
                default.guest_scanning,
                &mut next.guest_scanning,
            ),
            ("offline_mode", default.offline_mode, &mut next.offline_mode),
            ("show_popup", default.show_popup, &mut next.show_popup),
            ("admit_unpaid", default.admit_unpaid, &mut next.admit_unpaid),
        ] {
            fields.flag(name, default, into);
        }
        fields.count("entries_per_day", 1_000, &mut next.entries_per_day);
        fields.count("max_entries", 10_000, &mut next.max_entries);
        fields.count("capacity", 10_000_000, &mut next.capacity);
        match fields.raw("capacity_mode") {
            None => {}
            Some(Value::Null) => next.capacity_mode = default.capacity_mode,
            Some(mode) => match CapacityMode::deserialize(mode) {
                Ok(mode) => next.capacity_mode = mode,
                Err(_) => fields.wrong("capacity_mode", "invalid_choice", "hard or warn."),
            },
        }
        fields.names("categories", &mut next.categories);
        fields.instant("opens_at", &mut next.opens_at);
        fields.instant("closes_at", &mut next.closes_at);
        match fields.raw("exit_all_at") {
            None => {}
            Some(Value::Null) => next.exit_all_at = None,
            Some(value) => match value.as_str().and_then(Minute::parse) {
                Some(clock) if clock.0 < 1440 => next.exit_all_at = Some(clock),
                _ => fields.wrong(
                    "exit_all_at",
                    "invalid_clock",
                    "A wall time, 00:00 to 23:59, or null.",
                ),
            },
        }
        if let Some(value) = fields.raw("opening_hours") {
            let read = hours::parse(value, &fields.pointer("opening_hours"));
            if let Some(read) = fields.invalid.take(read) {
                next.opening_hours = read;
            }
        }
        if let Some(value) = fields.raw("questions") {
            let read = question::parse(value, &fields.pointer("questions"));
            if let Some(read) = fields.invalid.take(read) {
                next.questions = read;
            }
        }
        if let (Some(opens), Some(closes)) = (next.opens_at, next.closes_at)
            && closes <= opens
        {
            fields.wrong(
                "closes_at",
                "closes_before_opening",
                "Must be after opens_at.",
            );
        }
        fields.finish().or(next)
    }
}
