//! Ready-made templates about what Pulse itself knows.
//!
//! Invariant: each is a text like any other: its blocks are run by the same guard, its places are
//! checked the same way, and its figures are cells and counts of the data.
//! Failure: none.

/// A template that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Stable name for programs: `event_day`.
    pub key: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub description: &'static str,
    /// Prose and SQL blocks.
    pub text: &'static str,
}

/// The templates.
pub const TEMPLATES: [Ready; 3] = [
    Ready {
        key: "event_day",
        name: "Event day",
        description: "Admissions, refusals and arrivals by hour and gate in the last 24 hours, and how each guest list stands.",
        text: include_str!("ready/event_day.md"),
    },
    Ready {
        key: "report_runs",
        name: "Report runs",
        description: "Runs of scheduled reports in the last 7 days: what succeeded, what failed and why, which schedules need a look.",
        text: include_str!("ready/report_runs.md"),
    },
    Ready {
        key: "delivery",
        name: "Delivery",
        description: "Messages and webhooks of the last 7 days by channel and outcome.",
        text: include_str!("ready/delivery.md"),
    },
];

/// The template of a key.
pub fn find(key: &str) -> Option<&'static Ready> {
    TEMPLATES.iter().find(|ready| ready.key == key)
}
