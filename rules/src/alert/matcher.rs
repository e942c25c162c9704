//! Which alerts something is about.
//!
//! Invariant: what is not named matches everything; of what is named, all must match, each by any of
//! its values. An empty value of a label means that the label is missing, as in Alertmanager.
//! Failure: refused at the pointer of the value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::target::{Kind, Severity, Subject};
use crate::invalid::Invalid;

/// Most values of one matcher.
pub const VALUES: usize = 100;
/// Most labels of a matcher.
pub const LABELS: usize = 20;
/// Longest name of a label.
pub const LABEL_NAME: usize = 63;
/// Longest value of a label, in characters.
pub const LABEL_VALUE: usize = 200;

/// Which alerts something is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertMatchers))]
pub struct Matchers {
    /// These connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Uuid>,
    /// These tables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Uuid>,
    /// These checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Uuid>,
    /// These kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// These severities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    /// These values of labels, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Vec<String>>,
}

impl Matchers {
    /// Whether it names nothing, and so matches everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an alert of this severity about this subject is one of them.
    pub fn matches(&self, subject: &Subject, severity: Severity) -> bool {
        let target = &subject.target;
        let one_of = |ids: &[Uuid], id: Option<Uuid>| {
            ids.is_empty() || id.is_some_and(|id| ids.contains(&id))
        };
        let label = |(name, values): (&String, &Vec<String>)| {
            let is = subject.labels.get(name).map_or("", String::as_str);
            values.iter().any(|value| value == is)
        };
        one_of(&self.connections, Some(target.connection))
            && one_of(&self.tables, target.table)
            && one_of(&self.checks, target.check)
            && (self.kinds.is_empty() || self.kinds.contains(&target.kind))
            && (self.severities.is_empty() || self.severities.contains(&severity))
            && self.labels.iter().all(label)
    }

    /// The checked form: each value once, in order.
    pub fn check(mut self, pointer: &str) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        for (name, ids) in [
            ("connections", &mut self.connections),
            ("tables", &mut self.tables),
            ("checks", &mut self.checks),
        ] {
            ids.sort_unstable();
            ids.dedup();
            bounded(
                &format!("{pointer}/{name}"),
                ids.len(),
                VALUES,
                &mut invalid,
            );
        }
        self.kinds.sort_unstable();
        self.kinds.dedup();
        self.severities.sort_unstable();
        self.severities.dedup();
        bounded(
            &format!("{pointer}/labels"),
            self.labels.len(),
            LABELS,
            &mut invalid,
        );
        for (name, values) in &mut self.labels {
            values.sort_unstable();
            values.dedup();
            label(pointer, name, values, &mut invalid);
        }
        invalid.or(self)
    }
}

/// Whether a label can be called so: a letter or `_`, then letters, digits, `_`, `-` and full stops.
pub fn is_label(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.len() <= LABEL_NAME
        && name.starts_with(first)
        && name
            .chars()
            .all(|c| first(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

fn bounded(pointer: &str, count: usize, most: usize, invalid: &mut Invalid) {
    if count > most {
        invalid.add(pointer, "too_many", format!("Must name at most {most}."));
    }
}

fn label(pointer: &str, name: &str, values: &[String], invalid: &mut Invalid) {
    let pointer = format!(
        "{pointer}/labels/{}",
        name.replace('~', "~0").replace('/', "~1")
    );
    if !is_label(name) {
        let message = "A label begins with a letter or _, and goes on with letters, digits, _, - and full stops.";
        invalid.add(&pointer, "invalid_label", message);
    }
    if values.is_empty() {
        let message =
            "Must have at least one value; an empty text means that there is no such label.";
        invalid.add(&pointer, "required", message);
    }
    bounded(&pointer, values.len(), VALUES, invalid);
    for value in values
        .iter()
        .filter(|value| value.chars().count() > LABEL_VALUE)
    {
        let message = format!(
            "A value has at most {LABEL_VALUE} characters, not {}.",
            value.chars().count()
        );
        invalid.add(&pointer, "too_long", message);
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;
    use serde_json::json;

    fn subject() -> Subject {
        Subject {
            target: Target {
                connection: Uuid::from_u128(1),
                table: Some(Uuid::from_u128(2)),
                check: Some(Uuid::from_u128(3)),
                kind: Kind::Check,
            },
            connection: "shop".to_owned(),
            table: Some("public.orders".to_owned()),
            check: Some("Freshness".to_owned()),
            labels: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
            owner: None,
            description: None,
            runbook: None,
        }
    }

    fn matches(matchers: serde_json::Value) -> bool {
        let matchers: Matchers = serde_json::from_value(matchers).unwrap();
        matchers
            .check("/matchers")
            .unwrap()
            .matches(&subject(), Severity::Fail)
    }

    #[test]
    fn all_that_is_named_must_match_each_by_any_value() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        for (matchers, expected) in [
            (json!({}), true),
            (json!({"connections": [a]}), true),
            (json!({"connections": [d, a]}), true),
            (json!({"connections": [b]}), false),
            (json!({"tables": [b], "checks": [c]}), true),
            (json!({"tables": [b], "checks": [d]}), false),
            (json!({"kinds": ["check", "lag"]}), true),
            (json!({"kinds": ["lag"]}), false),
            (json!({"severities": ["fail"]}), true),
            (json!({"severities": ["warn"]}), false),
            (json!({"labels": {"team": ["core", "payments"]}}), true),
            (json!({"labels": {"team": ["core"]}}), false),
            (json!({"labels": {"team": [""]}}), false),
            (json!({"labels": {"tier": [""]}}), true),
            (json!({"labels": {"tier": ["1"]}}), false),
        ] {
            assert_eq!(matches(matchers.clone()), expected, "{matchers}");
        }
    }

    #[test]
    fn what_is_about_a_connection_is_about_no_table() {
        let mut subject = subject();
        subject.target.table = None;
        let matchers = Matchers {
            tables: vec![Uuid::from_u128(2)],
            ..Matchers::default()
        };
        assert!(!matchers.matches(&subject, Severity::Fail));
    }

    #[test]
    fn every_wrong_value_is_named() {
        let long = "x".repeat(LABEL_VALUE + 1);
        let many: Vec<Uuid> = (0..=VALUES as u128).map(Uuid::from_u128).collect();
        let matchers: Matchers = serde_json::from_value(json!({
            "tables": many,
            "labels": {"1x": ["a"], "a/b": ["a"], "ok": [], "team": [long]},
        }))
        .unwrap();
        let errors = matchers.check("/matchers").unwrap_err().errors;
        let named: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("/matchers/tables", "too_many"),
                ("/matchers/labels/1x", "invalid_label"),
                ("/matchers/labels/a~1b", "invalid_label"),
                ("/matchers/labels/ok", "required"),
                ("/matchers/labels/team", "too_long"),
            ]
        );
        assert!(serde_json::from_value::<Matchers>(json!({"kind": ["lag"]})).is_err());
    }
}
