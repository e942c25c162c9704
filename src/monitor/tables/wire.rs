//! What comes in and goes out at monitored tables.
//!
//! Invariant: every wrong field is reported, not only the first.
//! Failure: 422 with the pointer of each field.

use std::collections::BTreeMap;

use rules::invalid::Invalid;
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Longest description, in characters.
const DESCRIPTION: usize = 2_000;
/// Longest owner, in characters.
const OWNER: usize = 200;
/// Longest name of a schema or table, in bytes: Postgres cuts longer ones.
const IDENTIFIER: usize = 63;
/// Most labels.
const LABELS: usize = 20;
/// Longest name or value of a label, in characters.
const LABEL: usize = 100;

/// A table to watch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitoredTableIn {
    /// The connection through which it is read.
    pub connection_id: Uuid,
    /// Its schema.
    #[serde(default = "public")]
    #[schema(min_length = 1, max_length = 63)]
    pub schema: String,
    /// Its name, or that of a view.
    #[schema(min_length = 1, max_length = 63)]
    pub name: String,
    /// What it holds.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Who is asked about it.
    #[schema(max_length = 200)]
    pub owner: Option<String>,
    /// What to do when something is wrong with it: an `http` or `https` address.
    #[schema(max_length = 2000)]
    pub runbook_url: Option<String>,
    /// What routes and silences go by; those of a check come on top.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether its checks run.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn public() -> String {
    "public".to_owned()
}
const fn yes() -> bool {
    true
}

/// Changes to a table; what is absent stays, `null` clears. Another table is another one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MonitoredTablePatch {
    /// What it holds.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Patch<String>,
    /// Who is asked about it.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub owner: Patch<String>,
    /// What to do when something is wrong with it.
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub runbook_url: Patch<String>,
    /// What routes and silences go by.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether its checks run.
    pub enabled: Option<bool>,
}

/// A monitored table.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitoredTable {
    /// The monitored table.
    pub id: Uuid,
    /// The connection through which it is read.
    pub connection_id: Uuid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    #[schema(required = true)]
    pub description: Option<String>,
    /// Who is asked about it.
    #[schema(required = true)]
    pub owner: Option<String>,
    /// What to do when something is wrong with it.
    #[schema(required = true)]
    pub runbook_url: Option<String>,
    /// What routes and silences go by.
    pub labels: BTreeMap<String, String>,
    /// Whether its checks run.
    pub enabled: bool,
    /// Its columns as they were last seen.
    #[schema(required = true, value_type = Option<Object>)]
    pub columns: Option<Value>,
    /// When that was, RFC 3339.
    #[schema(required = true)]
    pub columns_at: Option<String>,
    /// Its checks, by how they stand.
    pub checks: CheckCounts,
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

/// How many checks of a table there are, by how they stand.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CheckCounts {
    /// All.
    pub total: u32,
    /// Those that run.
    pub enabled: u32,
    /// Those that failed the last time.
    pub failing: u32,
    /// Those that warned the last time.
    pub warning: u32,
}

/// A page of monitored tables.
#[derive(Serialize, ToSchema)]
pub struct MonitoredTables {
    /// Newest first.
    pub items: Vec<MonitoredTable>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which tables.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MonitoredTablesQuery {
    /// Those of this connection.
    pub connection_id: Option<Uuid>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What of a table goes to Postgres, checked.
#[derive(Default, Serialize)]
pub(super) struct Checked {
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub owner: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub runbook_url: Patch<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub enabled: Option<bool>,
}

impl MonitoredTableIn {
    /// Schema, name, and the rest.
    pub(super) fn check(self) -> Result<(String, String, Checked), Invalid> {
        let mut invalid = Invalid::default();
        let schema = invalid.take(identifier("/schema", &self.schema));
        if self.schema.starts_with("pg_") || self.schema == "information_schema" {
            let message = "Tables of the system are not monitored.";
            invalid.add("/schema", "system_schema", message);
        }
        let name = invalid.take(identifier("/name", &self.name));
        let of = |text: Option<String>| text.map_or(Patch::Absent, Patch::Value);
        let patch = MonitoredTablePatch {
            description: of(self.description),
            owner: of(self.owner),
            runbook_url: of(self.runbook_url),
            labels: Some(self.labels),
            enabled: Some(self.enabled),
        };
        let checked = invalid.take(patch.check());
        invalid.or((
            schema.unwrap_or_default(),
            name.unwrap_or_default(),
            checked.unwrap_or_default(),
        ))
    }
}

impl MonitoredTablePatch {
    /// Checks what changes.
    pub(super) fn check(self) -> Result<Checked, Invalid> {
        let mut invalid = Invalid::default();
        let mut text = |patch: Patch<String>, read: &dyn Fn(&str) -> Read| match patch {
            Patch::Value(text) => match invalid.take(read(&text)).flatten() {
                Some(text) => Patch::Value(text),
                // An empty text is none.
                None => Patch::Null,
            },
            Patch::Null => Patch::Null,
            Patch::Absent => Patch::Absent,
        };
        let description = text(self.description, &|text| {
            rules::name::optional_lines("/description", Some(text), DESCRIPTION)
        });
        let owner = text(self.owner, &|text| {
            rules::name::optional("/owner", Some(text), OWNER)
        });
        let runbook_url = text(self.runbook_url, &address);
        for (key, value) in self.labels.iter().flatten() {
            let pointer = format!("/labels/{}", key.replace('~', "~0").replace('/', "~1"));
            invalid.take(rules::name::parse(&pointer, key, LABEL));
            invalid.take(rules::name::optional(&pointer, Some(value), LABEL));
        }
        if self
            .labels
            .as_ref()
            .is_some_and(|labels| labels.len() > LABELS)
        {
            invalid.add("/labels", "too_many", format!("At most {LABELS} labels."));
        }
        invalid.or(Checked {
            description,
            owner,
            runbook_url,
            labels: self.labels,
            enabled: self.enabled,
        })
    }
}

type Read = Result<Option<String>, Invalid>;

fn address(text: &str) -> Read {
    let Some(text) = rules::name::optional("/runbook_url", Some(text), DESCRIPTION)? else {
        return Ok(None);
    };
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Ok(Some(text)),
        false => Err(Invalid::one(
            "/runbook_url",
            "invalid_url",
            "Must be an address such as https://wiki.example.org/orders.",
        )),
    }
}

/// Letter case and blanks are part of a name.
fn identifier(pointer: &str, text: &str) -> Result<String, Invalid> {
    let (code, message) = match text {
        "" => ("required", "Must not be empty.".to_owned()),
        text if text.len() > IDENTIFIER => (
            "too_long",
            format!("A name has at most {IDENTIFIER} bytes."),
        ),
        text if text.chars().any(char::is_control) => (
            "control_character",
            "Must not contain control characters.".to_owned(),
        ),
        text => return Ok(text.to_owned()),
    };
    Err(Invalid::one(pointer, code, message))
}
