//! What comes in and goes out at templates of reports.
//!
//! Invariant: a template that is stored can be read; what it names is judged when a report is
//! written by it.
//! Failure: 422 with the pointer of each field; a wrong template with its line and column.

use rules::invalid::Invalid;
use rules::name;
use rules::patch::Patch;
use rules::report::{compose, config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;

/// Longest template, in characters.
const BODY: usize = 50_000;

/// A new template.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateIn {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Markdown with places for what the queries find.
    #[schema(min_length = 1, max_length = 50000)]
    pub body: String,
}

/// Changes to a template; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplatePatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Patch<String>,
    /// Markdown with places for what the queries find.
    #[schema(min_length = 1, max_length = 50000)]
    pub body: Option<String>,
}

/// A template.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportTemplate)]
pub struct Template {
    /// The template.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[schema(required = true)]
    pub description: Option<String>,
    /// Markdown with places for what the queries find.
    pub body: String,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A page of templates.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportTemplates)]
pub struct Templates {
    /// Newest first.
    pub items: Vec<Template>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which templates.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TemplatesQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl TemplateIn {
    /// What is stored, checked.
    pub(super) fn check(self) -> Result<Map<String, Value>> {
        let mut invalid = Invalid::default();
        let name = invalid.take(name::parse("/name", &self.name, config::NAME));
        let about = invalid.take(about(self.description.as_deref()));
        let body = invalid.take(body(&self.body));
        let fields = [
            ("name", json!(name)),
            ("description", json!(about.flatten())),
            ("body", json!(body)),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        Ok(invalid.or(fields.into_iter().collect())?)
    }
}

impl TemplatePatch {
    /// What changes, checked.
    pub(super) fn check(self) -> Result<Map<String, Value>> {
        let mut invalid = Invalid::default();
        let mut change = Map::new();
        if let Some(name) = &self.name {
            let name = invalid.take(name::parse("/name", name, config::NAME));
            change.insert("name".to_owned(), json!(name));
        }
        if !self.description.is_absent() {
            let text = invalid.take(about(self.description.value().map(String::as_str)));
            change.insert("description".to_owned(), json!(text.flatten()));
        }
        if let Some(text) = &self.body {
            let text = invalid.take(body(text));
            change.insert("body".to_owned(), json!(text));
        }
        Ok(invalid.or(change)?)
    }
}

fn about(text: Option<&str>) -> core::result::Result<Option<String>, Invalid> {
    name::optional_lines("/description", text, config::DESCRIPTION)
}

fn body(text: &str) -> core::result::Result<String, Invalid> {
    let text = name::optional_lines("/body", Some(text), BODY)?
        .ok_or_else(|| Invalid::one("/body", "required", "Must not be empty."))?;
    match compose::check(&text) {
        Ok(_) => Ok(text),
        Err(flaw) => Err(flaw.invalid("/body")),
    }
}
