//! Checks as they are asked for and changed.
//!
//! Invariant: what passes is a [`Check`]; a change is judged as the whole check that it leads to.
//! Failure: every wrong field is reported with its JSON pointer.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{HOLIDAYS, Kind};
use super::threshold::{self, Threshold, Thresholds};
use super::{
    Check, DESCRIPTION, EVERY, HYSTERESIS, LABEL, LABELS, LONGEST, Measure, NAME, OWNER, RUNBOOK,
    SAMPLE_COLUMNS, SAMPLES, Samples, Scope, WINDOW, validate,
};
use crate::civil::Zone;
use crate::invalid::Invalid;
use crate::monitor::identifier;
use crate::name;
use crate::patch::Patch;
use crate::sql_guard::TableName;

/// A check as it is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MonitorCheckIn))]
pub struct CheckIn {
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who is asked about it.
    #[serde(default)]
    pub owner: Option<String>,
    /// What to do when it fails: an `http` or `https` address.
    #[serde(default)]
    pub runbook_url: Option<String>,
    /// The kind, such as `freshness`.
    pub kind: String,
    /// What the kind needs to be told.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub settings: Value,
    /// Which rows it is about.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// How wrong rows are counted.
    #[serde(default)]
    pub measure: Option<Measure>,
    /// From where on it warns.
    #[serde(default)]
    pub warn: Option<Threshold>,
    /// From where on it fails.
    #[serde(default)]
    pub fail: Option<Threshold>,
    /// How often it runs, in seconds: 60 to 86,400; 300 unless given.
    #[serde(default)]
    pub every: Option<u32>,
    /// How long it must fail before anyone is told, in seconds; 0 unless given.
    #[serde(default, rename = "for")]
    pub for_: Option<u32>,
    /// How long it must pass before that is over, in seconds; 0 unless given.
    #[serde(default)]
    pub keep_firing: Option<u32>,
    /// How far inside its limits a value must be for that, as a share of the width between them or, where
    /// there is only one, of its size: 0 to 0.5; 0 unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 0.5))]
    pub hysteresis: Option<f64>,
    /// Which wrong rows are shown.
    #[serde(default)]
    pub samples: Option<Samples>,
    /// What routes and silences go by.
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
    /// By whose clock days and weeks are meant, such as `Europe/Berlin`; that of the kind's settings,
    /// or UTC, unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub timezone: Option<Zone>,
    /// Days of that zone that are not like others of their weekday: at most 500.
    #[serde(default)]
    pub holidays: Option<Vec<NaiveDate>>,
    /// Whether it runs.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// What is to change of a check. A kind changes together with its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MonitorCheckPatch))]
#[allow(missing_docs, reason = "the same fields as those of CheckIn")]
pub struct CheckPatch {
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub description: Patch<String>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub owner: Patch<String>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub runbook_url: Patch<String>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub kind: Patch<String>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub settings: Patch<Value>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Scope>))]
    pub scope: Patch<Scope>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Measure>))]
    pub measure: Patch<Measure>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Threshold>))]
    pub warn: Patch<Threshold>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Threshold>))]
    pub fail: Patch<Threshold>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub every: Patch<u32>,
    #[serde(rename = "for")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub for_: Patch<u32>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub keep_firing: Patch<u32>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<f64>))]
    pub hysteresis: Patch<f64>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Samples>))]
    pub samples: Patch<Samples>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<BTreeMap<String, String>>))]
    pub labels: Patch<BTreeMap<String, String>>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub timezone: Patch<Zone>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<Vec<NaiveDate>>))]
    pub holidays: Patch<Vec<NaiveDate>>,
    #[cfg_attr(feature = "schema", schema(value_type = Option<bool>))]
    pub enabled: Patch<bool>,
}

impl Check {
    /// The same with some fields changed; `null` is back to what is usual.
    pub fn patch(&self, patch: CheckPatch, table: &TableName) -> Result<Self, Invalid> {
        let required = |pointer: &str| Invalid::one(pointer, "required", "Must not be null.");
        let mut invalid = Invalid::default();
        for (null, pointer) in [
            (matches!(patch.name, Patch::Null), "/name"),
            (matches!(patch.kind, Patch::Null), "/kind"),
        ] {
            if null {
                invalid.errors.extend(required(pointer).errors);
            }
        }
        let stored = serde_json::to_value(&self.kind).unwrap_or_default();
        let settings = stored.get("settings").cloned().unwrap_or_default();
        let kind = self.kind.name().to_owned();
        let changed = patch.kind.value().is_some_and(|wanted| *wanted != kind);
        if changed && patch.settings.is_absent() {
            let message = "A kind changes together with its settings.";
            invalid.add("/settings", "missing_field", message);
        }
        invalid.or(())?;
        // What was usual for one kind is not for another.
        let before = |threshold: Option<Threshold>| threshold.filter(|_| !changed);
        CheckIn {
            name: patch
                .name
                .apply(Some(self.name.clone()))
                .unwrap_or_default(),
            description: patch.description.apply(self.description.clone()),
            owner: patch.owner.apply(self.owner.clone()),
            runbook_url: patch.runbook_url.apply(self.runbook_url.clone()),
            kind: patch.kind.apply(Some(kind)).unwrap_or_default(),
            settings: patch.settings.apply(Some(settings)).unwrap_or_default(),
            scope: patch.scope.apply(Some(self.scope.clone())),
            measure: patch.measure.apply(Some(self.measure)),
            warn: patch.warn.apply(before(self.thresholds.warn)),
            fail: patch.fail.apply(before(self.thresholds.fail)),
            every: patch.every.apply(Some(self.every)),
            for_: patch.for_.apply(Some(self.for_)),
            keep_firing: patch.keep_firing.apply(Some(self.keep_firing)),
            hysteresis: patch.hysteresis.apply(Some(self.hysteresis)),
            samples: patch.samples.apply(self.samples.clone()),
            labels: patch.labels.apply(Some(self.labels.clone())),
            timezone: patch.timezone.apply(self.timezone.clone()),
            holidays: patch.holidays.apply(Some(self.holidays.clone())),
            enabled: patch.enabled.apply(Some(self.enabled)),
        }
        .validate(table)
    }
}

impl CheckIn {
    /// Checks what came in; every wrong field is reported, not only the first.
    pub fn validate(self, table: &TableName) -> Result<Check, Invalid> {
        let mut invalid = Invalid::default();
        let name = invalid.take(name::parse("/name", &self.name, NAME));
        let description = self.description.as_deref();
        let description = invalid.take(name::optional_lines(
            "/description",
            description,
            DESCRIPTION,
        ));
        let owner = invalid.take(name::optional("/owner", self.owner.as_deref(), OWNER));
        let runbook_url = invalid.take(runbook(self.runbook_url.as_deref()));
        let every = self.every.unwrap_or(300);
        if !EVERY.contains(&every) {
            invalid.add("/every", "out_of_range", "Must be 60 to 86400 seconds.");
        }
        let (for_, keep_firing) = (
            self.for_.unwrap_or_default(),
            self.keep_firing.unwrap_or_default(),
        );
        for (pointer, seconds) in [("/for", for_), ("/keep_firing", keep_firing)] {
            if seconds > LONGEST {
                let message = format!("Must be at most {LONGEST} seconds.");
                invalid.add(pointer, "out_of_range", message);
            }
        }
        let hysteresis = self.hysteresis.unwrap_or_default();
        if !(0.0..=HYSTERESIS).contains(&hysteresis) {
            let message = format!("Must be 0 to {HYSTERESIS}.");
            invalid.add("/hysteresis", "out_of_range", message);
        }
        let labels = self.labels.unwrap_or_default();
        invalid.take(labelled(&labels));
        let kind = invalid.take(Kind::parse(&self.kind, &self.settings, table));
        let scope = self.scope.unwrap_or_default();
        let (Some(kind), Some(name)) = (kind, name) else {
            invalid.take(scoped(&scope, table));
            return Err(invalid);
        };
        let measures = kind.measures();
        // Keys are counted; what share of them repeats is seldom asked.
        let usual = match kind {
            Kind::DuplicateKeys(_) => Measure::Rows,
            _ => Measure::Share,
        };
        let thresholds = Thresholds {
            warn: self.warn,
            fail: self.fail,
        };
        let thresholds = invalid.take(threshold::parse(thresholds, &measures));
        invalid.take(scoped(&scope, table));
        for (there, fits, pointer) in [
            (
                scope.condition.is_some(),
                measures.scoped,
                "/scope/condition",
            ),
            (scope.last.is_some(), measures.windowed, "/scope/last"),
            (self.samples.is_some(), measures.failing, "/samples"),
            (
                self.measure == Some(Measure::Rows),
                measures.failing,
                "/measure",
            ),
        ] {
            if there && !fits {
                let message = format!("Not for a check of kind {}.", kind.name());
                invalid.add(pointer, "not_applicable", message);
            }
        }
        if let Some(samples) = &self.samples {
            invalid.take(shown(samples));
        }
        let mut holidays = self.holidays.unwrap_or_default();
        if holidays.len() > HOLIDAYS {
            invalid.add("/holidays", "too_many", format!("At most {HOLIDAYS} days."));
        }
        holidays.sort_unstable();
        holidays.dedup();
        invalid.or(Check {
            name,
            description: description.flatten(),
            owner: owner.flatten(),
            runbook_url: runbook_url.flatten(),
            kind,
            scope,
            measure: self.measure.unwrap_or(usual),
            thresholds: thresholds.unwrap_or_default(),
            every,
            for_,
            keep_firing,
            hysteresis,
            samples: self.samples,
            labels,
            timezone: self.timezone,
            holidays,
            enabled: self.enabled.unwrap_or(true),
        })
    }
}

fn runbook(text: Option<&str>) -> Result<Option<String>, Invalid> {
    let Some(text) = name::optional("/runbook_url", text, RUNBOOK)? else {
        return Ok(None);
    };
    let address = url::Url::parse(&text).ok();
    match address.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        Some(_) => Ok(Some(text)),
        None => Err(Invalid::one(
            "/runbook_url",
            "invalid_url",
            "Must be an address such as https://wiki.example.org/orders.",
        )),
    }
}

fn labelled(labels: &BTreeMap<String, String>) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    if labels.len() > LABELS {
        invalid.add("/labels", "too_many", format!("At most {LABELS} labels."));
    }
    for (key, value) in labels {
        let pointer = format!("/labels/{}", key.replace('~', "~0").replace('/', "~1"));
        invalid.take(name::parse(&pointer, key, LABEL));
        invalid.take(name::optional(&pointer, Some(value), LABEL));
    }
    invalid.or(())
}

fn scoped(scope: &Scope, table: &TableName) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    if let Some(condition) = &scope.condition {
        validate::condition(&mut invalid, "/scope/condition", condition, table);
    }
    if let Some(column) = &scope.column {
        invalid.take(identifier::parse("/scope/column", column));
    }
    match (&scope.column, scope.last) {
        (Some(_), None) => invalid.add("/scope/last", "missing_field", "Goes with column."),
        (None, Some(_)) => invalid.add("/scope/column", "missing_field", "Goes with last."),
        (Some(_), Some(last)) if !(60..=WINDOW).contains(&last) => {
            let message = format!("Must be 60 to {WINDOW} seconds.");
            invalid.add("/scope/last", "out_of_range", message);
        }
        _ => {}
    }
    invalid.or(())
}

fn shown(samples: &Samples) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    if !(1..=SAMPLES).contains(&samples.rows) {
        let message = format!("Must be 1 to {SAMPLES}; leave samples out for none.");
        invalid.add("/samples/rows", "out_of_range", message);
    }
    if !(1..=SAMPLE_COLUMNS).contains(&samples.columns.len()) {
        let message = format!("Must be 1 to {SAMPLE_COLUMNS} columns.");
        invalid.add("/samples/columns", "out_of_range", message);
    }
    for (place, column) in samples.columns.iter().enumerate() {
        invalid.take(identifier::parse(
            &format!("/samples/columns/{place}"),
            column,
        ));
    }
    for (place, column) in samples.masked.iter().enumerate() {
        if !samples.columns.contains(column) {
            let pointer = format!("/samples/masked/{place}");
            invalid.add(pointer, "unknown_column", "Is none of columns.");
        }
    }
    invalid.or(())
}
