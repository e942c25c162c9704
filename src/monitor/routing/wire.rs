//! What comes in and goes out at routes of alerts.
//!
//! Invariant: what a route may be is decided by `rules::alert::route`.
//! Failure: 422 with the pointer of each field.

use rules::alert::matcher::Matchers;
use rules::alert::route::{Mode, Receiver, Settings, Step};
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A new route.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteIn {
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// What it is about; everything if nothing is named.
    #[serde(default)]
    pub matchers: Matchers,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// How long the first message about an incident waits for what else fails; 30 unless given.
    pub group_wait_seconds: Option<u32>,
    /// How far apart messages about the same incident are at least; 300 unless given.
    pub group_interval_seconds: Option<u32>,
    /// How far apart repeats are; 4 hours unless given, never with null.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    pub repeat_interval_seconds: Patch<u32>,
    /// Who else is told while nobody acknowledges.
    #[serde(default)]
    pub escalation: Vec<Step>,
    /// Its place among the routes: lower ones are tried first; behind the others unless given.
    #[schema(minimum = 0, maximum = 100000)]
    pub position: Option<u32>,
    /// Whether it is tried.
    pub enabled: Option<bool>,
}

/// Changes to a route; what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoutePatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: Option<String>,
    /// What it is about.
    pub matchers: Option<Matchers>,
    /// Who is told.
    pub receivers: Option<Vec<Receiver>>,
    /// How long the first message about an incident waits for what else fails.
    pub group_wait_seconds: Option<u32>,
    /// How far apart messages about the same incident are at least.
    pub group_interval_seconds: Option<u32>,
    /// How far apart repeats are; never with null.
    #[schema(value_type = Option<u32>)]
    pub repeat_interval_seconds: Patch<u32>,
    /// Who else is told while nobody acknowledges.
    pub escalation: Option<Vec<Step>>,
    /// Its place among the routes.
    #[schema(minimum = 0, maximum = 100000)]
    pub position: Option<u32>,
    /// Whether it is tried.
    pub enabled: Option<bool>,
}

/// A route.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AlertRoute {
    /// The route.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is about.
    pub matchers: Matchers,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// How long the first message about an incident waits for what else fails.
    pub group_wait_seconds: u32,
    /// How far apart messages about the same incident are at least.
    pub group_interval_seconds: u32,
    /// How far apart repeats are.
    #[schema(required = true)]
    pub repeat_interval_seconds: Option<u32>,
    /// Who else is told while nobody acknowledges.
    pub escalation: Vec<Step>,
    /// Its place among the routes.
    pub position: u32,
    /// Whether it is tried.
    pub enabled: bool,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// All routes of a tenant.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AlertRoutes {
    /// Whether the first route that matches decides, or all that match do.
    pub mode: Mode,
    /// In the order they are tried.
    pub items: Vec<AlertRoute>,
}

/// Which of the routes that match decide.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingIn {
    /// `first` or `all`.
    pub mode: Mode,
}

impl RouteIn {
    /// As the rules take it.
    pub(super) fn settings(self) -> Settings {
        let usual = Settings::default();
        Settings {
            name: self.name,
            matchers: self.matchers,
            receivers: self.receivers,
            group_wait_seconds: self.group_wait_seconds.unwrap_or(usual.group_wait_seconds),
            group_interval_seconds: self
                .group_interval_seconds
                .unwrap_or(usual.group_interval_seconds),
            repeat_interval_seconds: self
                .repeat_interval_seconds
                .apply(usual.repeat_interval_seconds),
            escalation: self.escalation,
        }
    }
}

impl RoutePatch {
    /// The route with what changes, as the rules take it.
    pub(super) fn settings(self, known: AlertRoute) -> Settings {
        Settings {
            name: self.name.unwrap_or(known.name),
            matchers: self.matchers.unwrap_or(known.matchers),
            receivers: self.receivers.unwrap_or(known.receivers),
            group_wait_seconds: self.group_wait_seconds.unwrap_or(known.group_wait_seconds),
            group_interval_seconds: self
                .group_interval_seconds
                .unwrap_or(known.group_interval_seconds),
            repeat_interval_seconds: self
                .repeat_interval_seconds
                .apply(known.repeat_interval_seconds),
            escalation: self.escalation.unwrap_or(known.escalation),
        }
    }
}
