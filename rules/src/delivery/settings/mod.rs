//! Checks what a channel is set up with.
//!
//! Invariant: what is kept is in its normal form, and secrets are kept apart from what is shown;
//! hosts and addresses have passed the deployment's [`Policy`]. A change is checked as the whole it
//! makes. A credential is sent to the server it was given for and to no other.
//! Failure: every wrong setting is named, unknown ones too.

mod fields;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub use fields::{Field, Shape, of};

use super::channel::Kind;
use super::signature;
use crate::invalid::Invalid;
use crate::outbound::{self, Policy};
use crate::{email, name, phone};

/// Ports of mail servers that take mail from their users: encrypted from the first byte, or from
/// `STARTTLS` on. Port 25 is for servers among themselves.
pub const MAIL_PORTS: [u16; 5] = [465, 587, 2_525, 2_465, 2_587];

/// Settings that say which server gets the credentials.
const SERVER: [&str; 2] = ["host", "base_url"];

/// What a channel is set up with already.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// What is shown.
    pub settings: Map<String, Value>,
    /// The names of its secrets.
    pub secrets: BTreeSet<String>,
}

/// What a channel is set up with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// What is shown: all of it.
    pub settings: Map<String, Value>,
    /// Secrets that change: new, or none any more.
    pub secrets: BTreeMap<String, Option<String>>,
}

/// Checks settings that came in at `/settings`. What is absent stays as it was, `null` removes.
pub fn check(
    kind: Kind,
    before: Before,
    given: Map<String, Value>,
    policy: &Policy,
) -> Result<Checked, Invalid> {
    let mut invalid = Invalid::default();
    let was = SERVER.map(|name| before.settings.get(name).cloned());
    let mut checked = Checked {
        settings: before.settings,
        secrets: BTreeMap::new(),
    };
    let mut secrets = before.secrets;
    for (name, value) in given {
        let pointer = format!("/settings/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(field) = of(kind).iter().find(|field| field.name == name) else {
            invalid.add(
                pointer,
                "unknown_field",
                format!(
                    "A channel of the kind {} has no such setting.",
                    kind.as_str()
                ),
            );
            continue;
        };
        if value.is_null() {
            checked.settings.remove(&name);
            if secrets.remove(&name) {
                checked.secrets.insert(name, None);
            }
            continue;
        }
        let Some(value) = invalid.take(read(&pointer, field.shape, value, policy)) else {
            continue;
        };
        match (field.secret, value.as_str()) {
            (true, Some(text)) => {
                secrets.insert(name.clone());
                checked.secrets.insert(name, Some(text.to_owned()));
            }
            _ => {
                checked.settings.insert(name, value);
            }
        }
    }
    if was != SERVER.map(|name| checked.settings.get(name).cloned()) {
        forget(kind, &mut checked, &mut secrets, &mut invalid);
    }
    let missing = |field: &&Field| {
        field.required
            && !checked.settings.contains_key(field.name)
            && !secrets.contains(field.name)
    };
    for field in of(kind).iter().filter(missing) {
        let pointer = format!("/settings/{}", field.name);
        if !told(&invalid, &pointer) {
            invalid.add(pointer, "required", "Must be given.");
        }
    }
    together(kind, &mut checked.settings, &secrets, policy, &mut invalid);
    invalid.or(checked)
}

/// Whoever names another server must know the credentials that it is to get: those that were kept
/// without being given again are none any more.
fn forget(
    kind: Kind,
    checked: &mut Checked,
    secrets: &mut BTreeSet<String>,
    invalid: &mut Invalid,
) {
    let sent = |field: &&Field| field.secret && !matches!(field.shape, Shape::SigningSecret);
    for field in of(kind).iter().filter(sent) {
        if checked.secrets.contains_key(field.name) || !secrets.remove(field.name) {
            continue;
        }
        let pointer = format!("/settings/{}", field.name);
        if !told(invalid, &pointer) {
            let message = "Must be given again for another server.";
            invalid.add(pointer, "required", message);
        }
    }
}

fn told(invalid: &Invalid, pointer: &str) -> bool {
    let mut errors = invalid.errors.iter();
    errors.any(|error| error.pointer.starts_with(pointer))
}

/// What settings mean to each other.
fn together(
    kind: Kind,
    settings: &mut Map<String, Value>,
    secrets: &BTreeSet<String>,
    policy: &Policy,
    invalid: &mut Invalid,
) {
    match kind {
        Kind::Smtp => {
            let implied = match settings.get("security").and_then(Value::as_str) {
                Some("tls") => 465,
                Some(_) => 587,
                None => 465,
            };
            let port = settings.entry("port").or_insert(json!(implied)).as_u64();
            let security = match port {
                Some(465 | 2_465) => "tls",
                _ => "starttls",
            };
            let security = settings.entry("security").or_insert(json!(security));
            if security == "none" && !policy.allow_private {
                let message =
                    "Must be tls or starttls: passwords and mail do not travel in the clear.";
                invalid.add("/settings/security", "not_encrypted", message);
            }
            if settings.contains_key("username") != secrets.contains("password")
                && !told(invalid, "/settings/password")
            {
                let message = "Name and password belong together.";
                invalid.add("/settings/password", "required", message);
            }
        }
        Kind::Twilio
            if !settings.contains_key("from")
                && !settings.contains_key("messaging_service_sid") =>
        {
            let message = "Must be given, unless messaging_service_sid is.";
            invalid.add("/settings/from", "required", message);
        }
        _ => {}
    }
}

fn read(pointer: &str, shape: Shape, value: Value, policy: &Policy) -> Result<Value, Invalid> {
    let wrong = |code: &str, message: String| Err(Invalid::one(pointer, code, message));
    match (shape, value) {
        (Shape::Port, value) => match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port > 0 && (policy.ports.is_empty() || MAIL_PORTS.contains(&port)) => {
                Ok(json!(port))
            }
            _ => wrong(
                "port_not_allowed",
                format!("Must be one of {MAIL_PORTS:?}: ports that mail servers take mail at."),
            ),
        },
        (Shape::Mailbox, Value::Object(mailbox)) => self::mailbox(pointer, &mailbox),
        (Shape::Mailbox, _) => wrong(
            "wrong_type",
            "Must be an object with email, and name if you like.".to_owned(),
        ),
        (_, Value::String(text)) => line(pointer, shape, &text, policy).map(Value::String),
        _ => wrong("wrong_type", "Must be a text.".to_owned()),
    }
}

fn mailbox(pointer: &str, mailbox: &Map<String, Value>) -> Result<Value, Invalid> {
    let mut invalid = Invalid::default();
    for field in mailbox
        .keys()
        .filter(|key| !matches!(key.as_str(), "email" | "name"))
    {
        let message = "Must be email or name.";
        invalid.add(format!("{pointer}/{field}"), "unknown_field", message);
    }
    let text = |key: &str| mailbox.get(key).and_then(Value::as_str);
    let address = text("email").unwrap_or_default();
    let address = invalid.take(email::parse(&format!("{pointer}/email"), address));
    let name = name::optional(&format!("{pointer}/name"), text("name"), 120);
    let name = invalid.take(name).flatten();
    let mut kept = Map::new();
    kept.insert("email".to_owned(), json!(address));
    if let Some(name) = name {
        kept.insert("name".to_owned(), Value::String(name));
    }
    invalid.or(Value::Object(kept))
}

fn line(pointer: &str, shape: Shape, text: &str, policy: &Policy) -> Result<String, Invalid> {
    let refuse = |code: &str, message: &str| Err(Invalid::one(pointer, code, message));
    let refused =
        |refusal: outbound::Refusal| Invalid::one(pointer, refusal.code(), refusal.message());
    match shape {
        Shape::Text(max) => name::parse(pointer, text, max),
        Shape::Email => email::parse(pointer, text),
        Shape::Credential(max) => match text.trim() {
            text if (1..=max).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(text.to_owned())
            }
            _ => refuse(
                "invalid_credential",
                "Must be letters, digits and signs without blanks.",
            ),
        },
        Shape::Name(beginning) => match text.trim() {
            text if (1..=100).contains(&text.len())
                && text.starts_with(beginning)
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
            {
                Ok(text.to_owned())
            }
            _ if beginning.is_empty() => refuse(
                "invalid_name",
                "Must be letters, digits, hyphens and underscores.",
            ),
            _ => refuse("invalid_name", &format!("Must begin with {beginning}.")),
        },
        Shape::Choice(choices) if choices.contains(&text) => Ok(text.to_owned()),
        Shape::Choice(choices) => refuse(
            "unknown_value",
            &format!("Must be one of: {}.", choices.join(", ")),
        ),
        Shape::Sender => phone::parse(pointer, text).or_else(|invalid| {
            let named = (1..=11).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric())
                && text.bytes().any(|b| b.is_ascii_alphabetic());
            named.then(|| text.to_owned()).ok_or(invalid)
        }),
        // The port has a field of its own.
        Shape::Host => outbound::judge_host(text.trim(), 443, policy).map_err(refused),
        Shape::Url => outbound::judge(text.trim(), policy)
            .map(|target| target.url)
            .map_err(refused),
        Shape::Base if !policy.allow_private => refuse(
            "not_allowed_here",
            "Another address of the provider is for tests, where private addresses may be called.",
        ),
        Shape::Base => outbound::judge(text.trim(), policy)
            .map(|target| target.url.trim_end_matches('/').to_owned())
            .map_err(refused),
        Shape::SigningSecret if signature::key(text.trim()).is_some() => Ok(text.trim().to_owned()),
        Shape::SigningSecret => refuse("invalid_secret", "Must be a secret such as whsec_…."),
        Shape::Mailbox | Shape::Port => refuse("wrong_type", "Must not be a text."),
    }
}

#[cfg(test)]
mod tests;
