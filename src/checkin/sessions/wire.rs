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

use rules::checkin::gate::Gate;
use rules::checkin::scan::distinct;
use rules::checkin::settings::Settings as PulseSettings;

use crate::platform::error::{Error, Result};

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
    /// Further tables with check-in that it scans for, at most 20. None is taken unless all are.
    #[schema(max_items = 20)]
    pub also: Option<Vec<Uuid>>,
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
    /// All further tables that it scans for from now on, at most 20.
    #[schema(max_items = 20)]
    pub also: Option<Vec<Uuid>>,
}

/// A scanner session.
#[derive(Serialize, ToSchema)]
pub struct ScannerSession {
    /// The session.
    pub id: Uuid,
    /// Its table.
    pub table_id: Uuid,
    /// The further tables that it scans for.
    pub also: Vec<Uuid>,
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
    /// When a device was last paired with it, RFC 3339.
    pub paired_at: Option<String>,
    /// Counts up when it is paired, rolled or revoked; device tokens of an earlier one are refused.
    pub generation: i64,
    /// Last sign of life, RFC 3339; a few seconds behind the dashboard.
    pub last_seen_at: Option<String>,
    /// How full its battery is, 0 to 1, as it last said.
    pub battery: Option<f64>,
    /// Whether it is being charged.
    pub charging: Option<bool>,
    /// Name and version of its app.
    pub app: Option<String>,
    /// Scans that wait on it.
    pub pending: Option<i64>,
    /// Up to which change it has the guest list.
    pub roster_seq: Option<i64>,
    /// Scans so far.
    pub total_scans: i64,
    /// The device token; in the answers to the creation and the roll only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// How to pair a device with a session, once within ten minutes.
#[derive(Serialize, ToSchema)]
pub struct PairingLink {
    /// Version of what the QR code says: 1.
    pub v: u8,
    /// Where this deployment is reached.
    pub url: String,
    /// What the device exchanges; shown this once.
    pub token: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Opens the scanner page with the token, for a phone's own camera.
    pub link: String,
    /// A QR code, as SVG, that says exactly `{"v":1,"url":"…","token":"…"}`.
    pub svg: String,
}

/// What the QR code of a pairing says.
#[derive(Serialize)]
struct Handshake<'a> {
    v: u8,
    url: &'a str,
    token: &'a str,
}

/// A pairing token to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairIn {
    /// From the QR code or the link; it works once.
    #[schema(max_length = 200)]
    pub token: String,
    /// What the device says of itself, at most 4 KiB.
    #[schema(value_type = Option<Object>)]
    pub device_info: Option<Map<String, Value>>,
}

/// A paired device.
#[derive(Serialize, ToSchema)]
pub struct Paired {
    /// What it is now.
    #[schema(value_type = ScannerSession)]
    pub session: Value,
    /// Its device token, this once.
    pub token: String,
    /// What it scans for.
    #[schema(value_type = PairedTable)]
    pub table: Value,
}

/// What a paired device needs to know of its table.
#[derive(Serialize, ToSchema)]
pub struct PairedTable {
    /// The guest list.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA zone of the event.
    pub timezone: String,
    /// All settings.
    #[schema(inline)]
    pub settings: PulseSettings,
    /// The gates.
    pub gates: Vec<Gate>,
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
        let also = self.also.unwrap_or_default();
        invalid.take(distinct("/also", &also));
        Ok(invalid.or(json!({
            "id": id, "table_id": self.table_id, "name": name, "gate": gate.flatten(),
            "profile": self.profile, "scanner_name": holder.flatten(), "scanner_email": email,
            "device_info": self.device_info, "also": also,
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
        if let Some(also) = &self.also {
            invalid.take(distinct("/also", also));
        }
        change.insert("also".into(), json!(self.also));
        change.insert("profile".into(), json!(self.profile));
        change.insert("device_info".into(), json!(self.device_info));
        change.insert("is_active".into(), json!(self.is_active));
        Ok(invalid.or(Value::Object(change))?)
    }
}

impl PairingLink {
    /// Puts the token into a link and a QR code.
    pub(super) fn of(v: u8, url: &str, token: String, expires_at: String) -> Result<Self> {
        let said = serde_json::to_string(&Handshake {
            v,
            url,
            token: &token,
        })?;
        let svg = rules::qr::svg(&said).ok_or_else(|| Error::internal("no QR code holds it"))?;
        Ok(Self {
            v,
            url: url.to_owned(),
            expires_at,
            link: format!("{url}/pulse-scanner#pair={token}"),
            token,
            svg,
        })
    }
}

impl PairIn {
    /// What the device says of itself, checked.
    pub(super) fn info(&self) -> Result<Option<&Map<String, Value>>> {
        let mut invalid = Invalid::default();
        if self.token.chars().count() > 200 {
            invalid.add("/token", "too_long", "Must have at most 200 characters.");
        }
        info(self.device_info.as_ref(), &mut invalid);
        Ok(invalid.or(self.device_info.as_ref())?)
    }
}

fn info(info: Option<&Map<String, Value>>, invalid: &mut Invalid) {
    if let Some(info) = info {
        invalid.take(rules::data::check("/device_info", info, 4096));
    }
}
