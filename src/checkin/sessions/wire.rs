//! What comes in and goes out at scanner sessions.
//!
//! Invariant: every wrong field is reported, not only the first.
//! Failure: 422 with the pointer of each field.

use rules::invalid::Invalid;
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;

/// A new scanner session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionIn {
    /// A table with check-in enabled.
    pub table_id: Uuid,
    /// What the team calls the device.
    #[schema(
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub name: String,
    /// Where it stands.
    #[schema(max_length = 80)]
    pub gate: Option<String>,
    /// What it may do.
    pub profile: Option<Profile>,
    /// Who holds it.
    #[schema(max_length = 200)]
    pub scanner_name: Option<String>,
    /// Their e-mail address.
    #[schema(format = "email", max_length = 254)]
    pub scanner_email: Option<String>,
    /// What the device says of itself, at most 4 KiB.
    #[schema(value_type = Option<Object>)]
    pub device_info: Option<Map<String, Value>>,
}

/// What a device may do.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Scan and search.
    Scanner,
    /// Scan without a list at hand.
    Kiosk,
    /// Watch the dashboard.
    Viewer,
}

/// Changes to a scanner session; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPatch {
    /// What the team calls the device.
    #[schema(
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub name: Option<String>,
    /// Where it stands.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 80)]
    pub gate: Patch<String>,
    /// What it may do.
    pub profile: Option<Profile>,
    /// Who holds it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub scanner_name: Patch<String>,
    /// Their e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "email", max_length = 254)]
    pub scanner_email: Patch<String>,
    /// What the device says of itself.
    #[schema(value_type = Option<Object>)]
    pub device_info: Option<Map<String, Value>>,
    /// `false` shuts the device out at once.
    pub is_active: Option<bool>,
}

/// A scanner session.
#[derive(Serialize, ToSchema)]
pub struct ScannerSession {
    /// The session.
    pub id: Uuid,
    /// Its table.
    pub table_id: Uuid,
    /// What the team calls the device.
    pub name: String,
    /// Where it stands.
    pub gate: Option<String>,
    /// What it may do.
    pub profile: Profile,
    /// Who holds it.
    pub scanner_name: Option<String>,
    /// Their e-mail address.
    pub scanner_email: Option<String>,
    /// What the device says of itself.
    #[schema(value_type = Object)]
    pub device_info: Value,
    /// Whether its token works.
    pub is_active: bool,
    /// Last scan, RFC 3339.
    pub last_seen_at: Option<String>,
    /// Scans so far.
    pub total_scans: i64,
    /// The device token; in the answer to the creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    /// Newest first.
    pub items: Vec<ScannerSession>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionsQuery {
    /// Of this table.
    pub table_id: Option<Uuid>,
    /// Only active or only closed ones.
    pub active: Option<bool>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl SessionIn {
    /// What is stored, checked.
    pub(super) fn check(self, id: Uuid) -> Result<Value> {
        let mut invalid = Invalid::default();
        let name = invalid.take(rules::name::parse("/name", &self.name, 80));
        let gate = invalid.take(rules::name::optional("/gate", self.gate.as_deref(), 80));
        let holder = self.scanner_name.as_deref();
        let holder = invalid.take(rules::name::optional("/scanner_name", holder, 200));
        let email = self.scanner_email.as_deref();
        let email = email.and_then(|e| invalid.take(rules::email::parse("/scanner_email", e)));
        info(self.device_info.as_ref(), &mut invalid);
        Ok(invalid.or(json!({
            "id": id, "table_id": self.table_id, "name": name, "gate": gate.flatten(),
            "profile": self.profile, "scanner_name": holder.flatten(), "scanner_email": email,
            "device_info": self.device_info,
        }))?)
    }
}

impl SessionPatch {
    /// What changes, checked.
    pub(super) fn check(self) -> Result<Value> {
        let mut invalid = Invalid::default();
        let mut change = Map::new();
        if let Some(name) = &self.name {
            change.insert(
                "name".into(),
                json!(invalid.take(rules::name::parse("/name", name, 80))),
            );
        }
        let mut set = |field: &str, patch: Patch<String>, max: usize| match patch {
            Patch::Absent => {}
            Patch::Null => drop(change.insert(field.to_owned(), Value::Null)),
            Patch::Value(text) => {
                let text = match field {
                    "scanner_email" => rules::email::parse("/scanner_email", &text),
                    _ => rules::name::parse(&format!("/{field}"), &text, max),
                };
                change.insert(field.to_owned(), json!(invalid.take(text)));
            }
        };
        set("gate", self.gate, 80);
        set("scanner_name", self.scanner_name, 200);
        set("scanner_email", self.scanner_email, 254);
        info(self.device_info.as_ref(), &mut invalid);
        change.insert("profile".into(), json!(self.profile));
        change.insert("device_info".into(), json!(self.device_info));
        change.insert("is_active".into(), json!(self.is_active));
        Ok(invalid.or(Value::Object(change))?)
    }
}

fn info(info: Option<&Map<String, Value>>, invalid: &mut Invalid) {
    if let Some(info) = info {
        invalid.take(rules::data::check("/device_info", info, 4096));
    }
}
