//! The channel of the deployment: what mail goes out by where a tenant has none of its own.
//!
//! `MAIL_CHANNEL` is `{"kind": "resend", "settings": {…}}` with the settings of that kind, secrets
//! among them. Without it there is the outbox.
//! Invariant: it is checked as a tenant's own channel is.
//! Failure: one that is not right is a fault of ours, named in the log; what waits for it waits on.

use rules::delivery::channel::Kind;
use rules::delivery::settings::{self, Before};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::platform::config::Config;
use crate::platform::error::{Error, Result};
use crate::platform::outbound;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailChannel {
    kind: Kind,
    #[serde(default)]
    settings: Map<String, Value>,
}

/// What it is; none when it is not right.
pub fn kind(config: &Config) -> Option<Kind> {
    read(config).ok().map(|mail| mail.kind)
}

/// What it is and is set up with.
pub fn opened(config: &Config) -> Result<(Kind, Map<String, Value>)> {
    let mail = read(config)?;
    let policy = outbound::policy(config);
    let checked = settings::check(mail.kind, Before::default(), mail.settings, &policy).map_err(
        |invalid| {
            let first = invalid.errors.first().map(|error| error.pointer.clone());
            Error::internal(format!("MAIL_CHANNEL: {}", first.unwrap_or_default()))
        },
    )?;
    let mut all = checked.settings;
    for (name, secret) in checked.secrets {
        all.insert(name, secret.into());
    }
    Ok((mail.kind, all))
}

fn read(config: &Config) -> Result<MailChannel> {
    let text = config.mail_channel.as_str();
    if text.is_empty() {
        return Ok(MailChannel {
            kind: Kind::Outbox,
            settings: Map::new(),
        });
    }
    // What serde says of it may hold a secret.
    let mail: MailChannel = serde_json::from_str(text).map_err(|error| {
        Error::internal(format!(
            "MAIL_CHANNEL is not right at column {}",
            error.column()
        ))
    })?;
    match mail.kind.may_be_deployments() {
        true => Ok(mail),
        false => Err(Error::internal("MAIL_CHANNEL is no channel of e-mail")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(mail_channel: &str) -> Config {
        Config {
            mail_channel: mail_channel.to_owned(),
            ..Config::default()
        }
    }

    #[test]
    fn without_a_word_it_is_the_outbox() {
        assert_eq!(kind(&config("")), Some(Kind::Outbox));
        let (kind, settings) = opened(&config("")).unwrap();
        assert_eq!((kind, settings.len()), (Kind::Outbox, 0));
    }

    #[test]
    fn it_is_set_up_as_a_channel_of_a_tenant_is() {
        let mail = json!({"kind": "smtp", "settings": {"host": "smtp.example.org", "username": "u",
            "password": "p", "from": {"email": "pulse@example.org"}}});
        let (kind, settings) = opened(&config(&mail.to_string())).unwrap();
        assert_eq!(kind, Kind::Smtp);
        assert_eq!(
            (&settings["port"], &settings["password"]),
            (&json!(465), &json!("p"))
        );
    }

    #[test]
    fn one_that_is_not_right_is_named_without_its_secrets() {
        let inner = json!({"kind": "smtp", "settings": {"host": "10.0.0.1", "username": "u",
            "password": "s3cret", "from": {"email": "pulse@example.org"}}});
        for bad in [
            "s3cret",
            r#"{"kind":"resend","key":"s3cret"}"#,
            r#"{"kind":"slack","settings":{"url":"https://s3cret.example.com/"}}"#,
            r#"{"kind":"default"}"#,
            r#"{"kind":"resend","settings":{"api_key":"s3cret"}}"#,
            &inner.to_string(),
        ] {
            let error = opened(&config(bad)).unwrap_err();
            let context = error.context.unwrap();
            assert!(
                context.contains("MAIL_CHANNEL") && !context.contains("s3cret"),
                "{context}"
            );
        }
        assert_eq!(kind(&config("no JSON")), None);
    }
}
