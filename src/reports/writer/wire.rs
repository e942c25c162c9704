//! What comes in and goes out at writers.
//!
//! Invariant: every wrong field is reported, not only the first; a key comes in and never goes out.
//! Failure: 422 with the pointer of each field.

use rules::civil::Zone;
use rules::invalid::Invalid;
use rules::name;
use rules::patch::Patch;
use rules::report::{Dataset, config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Message, Usage};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::outbound;

/// Longest name of a model, in characters.
const MODEL: usize = 200;
/// Longest key, in bytes.
const KEY: usize = 512;
/// Longest template, in characters.
const TEMPLATE: usize = 50_000;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WriterKind)]
pub enum Kind {
    /// The builtin writer: it runs the SQL blocks of the prompt or the template.
    Builtin,
    /// A language model behind an OpenAI-compatible endpoint.
    Model,
}

/// Who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WriterOrigin)]
pub enum Origin {
    /// The tenant.
    #[default]
    Tenant,
    /// The deployment.
    Deployment,
}

/// Who writes a tenant's reports.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportWriter)]
pub struct Writer {
    /// Who.
    pub kind: Kind,
    /// Who says so.
    #[serde(default)]
    pub origin: Origin,
    /// Where the tenant's own model is.
    #[schema(required = true)]
    pub base_url: Option<String>,
    /// The model.
    #[schema(required = true)]
    pub model: Option<String>,
    /// Whether there is a key; it is never shown.
    pub key_set: bool,
    /// Whether answers are asked for in pieces.
    pub stream: bool,
    /// For `If-Match`; 0 where the tenant says nothing.
    pub version: i64,
    /// RFC 3339.
    #[schema(required = true)]
    pub updated_at: Option<String>,
}

/// Who is to write a tenant's reports.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReportWriterIn)]
pub struct WriterIn {
    /// Who.
    pub kind: Kind,
    /// Where chat completions are, without `/chat/completions`: `https://api.openai.com/v1`.
    #[schema(format = "uri", max_length = 2048)]
    pub base_url: Option<String>,
    /// The model's name there.
    #[schema(max_length = 200)]
    pub model: Option<String>,
    /// Its key. Absent: the one that was given for this address before; `null`: none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 512)]
    pub api_key: Patch<String>,
    /// Whether answers are asked for in pieces; they are unless it says `false`.
    pub stream: Option<bool>,
}

/// What to write for a try.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriterTryIn)]
pub struct TryIn {
    /// What to write.
    #[schema(min_length = 1, max_length = 20000)]
    pub prompt: String,
    /// The name of the report.
    #[schema(max_length = 200)]
    pub title: Option<String>,
    /// IANA time zone in which days begin; UTC unless it says another.
    pub timezone: Option<String>,
    /// The template to write it by.
    #[schema(max_length = 50000)]
    pub template: Option<String>,
}

/// What to write for a try, checked.
pub struct Asked {
    /// What to write.
    pub prompt: String,
    /// The name of the report.
    pub title: String,
    /// Where days begin.
    pub zone: Zone,
    /// The template.
    pub template: Option<String>,
}

/// A report that is neither kept nor sent.
#[derive(Serialize, ToSchema)]
#[schema(as = WriterDraft)]
pub struct Draft {
    /// The report, Markdown.
    pub report: String,
    /// `builtin`, or the model.
    pub writer: String,
    /// What the queries found.
    pub data: Vec<Dataset>,
    /// The conversation, results of queries abbreviated.
    pub messages: Vec<Message>,
    /// What it took.
    pub usage: Usage,
}

impl From<super::Draft> for Draft {
    fn from(draft: super::Draft) -> Self {
        Self {
            report: draft.report,
            writer: draft.writer,
            data: draft.data,
            messages: draft.messages,
            usage: draft.usage,
        }
    }
}

impl WriterIn {
    /// What is stored, checked; the key as it came.
    pub(super) fn check(self, ctx: &Ctx) -> Result<Map<String, Value>> {
        let mut invalid = Invalid::default();
        let mut new = Map::new();
        new.insert("kind".to_owned(), json!(self.kind));
        new.insert("stream".to_owned(), json!(self.stream.unwrap_or(true)));
        if self.kind == Kind::Builtin {
            for (pointer, given) in [
                ("/baseUrl", self.base_url.is_some()),
                ("/model", self.model.is_some()),
                ("/apiKey", self.api_key.value().is_some()),
            ] {
                if given {
                    let message = "The builtin writer needs none.";
                    invalid.add(pointer, "only_with_model", message);
                }
            }
            return Ok(invalid.or(new)?);
        }
        let url = self.base_url.as_deref().unwrap_or_default();
        let url = invalid.take(base_url(ctx, url));
        let model = self.model.as_deref().unwrap_or_default();
        let model = invalid.take(name::parse("/model", model, MODEL));
        new.insert("base_url".to_owned(), json!(url));
        new.insert("model".to_owned(), json!(model));
        if !self.api_key.is_absent() {
            let key = self.api_key.value().map(|key| api_key(key));
            let key = key.and_then(|key| invalid.take(key));
            new.insert("api_key".to_owned(), json!(key));
        }
        Ok(invalid.or(new)?)
    }
}

/// The address below which `/chat/completions` is.
fn base_url(ctx: &Ctx, text: &str) -> core::result::Result<String, Invalid> {
    let url = outbound::judge(ctx, "/baseUrl", text.trim())?;
    if url.contains('?') {
        let message = "Must have no query (?…).";
        return Err(Invalid::one("/baseUrl", "url_malformed", message));
    }
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/chat/completions").unwrap_or(url);
    Ok(url.trim_end_matches('/').to_owned())
}

/// A key: it becomes a header, so it is visible ASCII.
fn api_key(text: &str) -> core::result::Result<String, Invalid> {
    let text = text.trim();
    let fits = (1..=KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    match fits {
        true => Ok(text.to_owned()),
        false => Err(Invalid::one(
            "/apiKey",
            "invalid_key",
            format!("Must be 1 to {KEY} visible ASCII characters."),
        )),
    }
}

impl TryIn {
    pub(super) fn check(self) -> Result<Asked> {
        let mut invalid = Invalid::default();
        let prompt = invalid.take(config::prompt(&self.prompt));
        let title = name::optional("/title", self.title.as_deref(), config::NAME);
        let title = invalid.take(title).flatten();
        let zone = self.timezone.as_deref().map(Zone::parse);
        let zone = zone.and_then(|zone| invalid.take(zone));
        let template = self.template.as_deref();
        let template = invalid.take(name::optional_lines("/template", template, TEMPLATE));
        Ok(invalid.or(Asked {
            prompt: prompt.unwrap_or_default(),
            title: title.unwrap_or_else(|| "Report".to_owned()),
            zone: zone.unwrap_or_default(),
            template: template.flatten(),
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_a_header_can_carry() {
        assert_eq!(api_key(" sk-1_x.y ").unwrap(), "sk-1_x.y");
        for bad in ["", " ", "a b", "a\nb", "ü", &"x".repeat(513)] {
            assert_eq!(
                api_key(bad).unwrap_err().errors[0].code,
                "invalid_key",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_try_has_the_limits_of_a_report() {
        let input = |prompt: &str, timezone: &str| TryIn {
            prompt: prompt.to_owned(),
            title: None,
            timezone: Some(timezone.to_owned()),
            template: Some(" ".to_owned()),
        };
        let asked = input(" a ", "Europe/Berlin").check().unwrap();
        assert_eq!(
            (asked.prompt.as_str(), asked.title.as_str()),
            ("a", "Report")
        );
        assert_eq!((asked.zone.name(), asked.template), ("Europe/Berlin", None));
        let wrong = input(&"x".repeat(20_001), "Mars/Phobos")
            .check()
            .err()
            .unwrap();
        let pointers: Vec<_> = wrong.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/prompt", "/timezone"]);
    }
}
