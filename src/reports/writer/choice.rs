//! Which writer writes: what the tenant says, else what the deployment says, else the builtin one.
//!
//! Invariant: a tenant's own setting is taken whole: neither its address nor its key is ever mixed
//! with the deployment's.
//! Failure: a key that does not open is a fault of ours.

use std::time::Duration;

use rules::budget::Budget;
use serde_json::json;
use uuid::Uuid;

use super::owner;
use super::store::{self, Stored};
use super::wire::{Kind, Origin, Writer};
use crate::platform::config::Config;
use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Scope;

/// What a report may take unless the deployment says otherwise.
const LIMIT: Limit = Limit {
    time: Duration::from_secs(120),
    tokens: 200_000,
};

/// Who writes.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// The builtin writer.
    Builtin,
    /// A model.
    Model(Model),
}

/// A model and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Where chat completions are: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Its name there.
    pub name: String,
    /// What opens the door.
    pub key: Option<String>,
    /// Whether answers are asked for in pieces.
    pub stream: bool,
    /// Tokens that the tenant may take of it in a day.
    pub budget: Budget,
}

/// What one report may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Time.
    pub time: Duration,
    /// Tokens.
    pub tokens: u64,
}

impl Limit {
    /// What the deployment allows.
    pub fn of(config: &Config) -> Self {
        Self::parse(&config.chat_limit).unwrap_or(LIMIT)
    }

    /// Reads `seconds/tokens`.
    fn parse(text: &str) -> Option<Self> {
        let (seconds, tokens) = text.split_once('/')?;
        let seconds = seconds.trim().parse().ok();
        let tokens = tokens.trim().parse().ok();
        Some(Self {
            time: Duration::from_secs(seconds.filter(|seconds| (1..=600).contains(seconds))?),
            tokens: tokens.filter(|tokens| *tokens >= 1_000)?,
        })
    }
}

/// Who writes the reports of a tenant.
pub async fn of(ctx: &Ctx, tenant: Uuid) -> Result<Choice> {
    let scope = Scope::system(tenant);
    match ctx.pg.call(&scope, &store::OWN, &json!({})).await? {
        Some(stored) => chosen(&ctx.config, stored),
        None => Ok(deployment(&ctx.config)),
    }
}

/// Who writes where tenants say nothing.
pub fn deployment(config: &Config) -> Choice {
    if config.chat_base_url.is_empty() || config.chat_model.is_empty() {
        return Choice::Builtin;
    }
    Choice::Model(Model {
        base_url: config.chat_base_url.trim_end_matches('/').to_owned(),
        name: config.chat_model.clone(),
        key: Some(config.chat_api_key.clone()).filter(|key| !key.is_empty()),
        stream: config.chat_stream,
        budget: config.chat_budget,
    })
}

fn chosen(config: &Config, stored: Stored) -> Result<Choice> {
    let (Kind::Model, Some(base_url), Some(name)) = (stored.kind, stored.base_url, stored.model)
    else {
        return Ok(Choice::Builtin);
    };
    let key = match (stored.key_id, stored.api_key) {
        (Some(id), Some(sealed)) => {
            let opened = DataKeys::parse(&config.data_keys)?.open(&owner(id), &sealed)?;
            Some(String::from_utf8(opened).map_err(|_| Error::internal("a key is no text"))?)
        }
        _ => None,
    };
    Ok(Choice::Model(Model {
        base_url,
        name,
        key,
        stream: stored.stream,
        budget: None,
    }))
}

impl Choice {
    /// As it is shown to a tenant that says nothing: where the deployment's model is, is its own
    /// business.
    pub fn shown(&self) -> Writer {
        let model = match self {
            Self::Builtin => None,
            Self::Model(model) => Some(model),
        };
        Writer {
            kind: match model {
                None => Kind::Builtin,
                Some(_) => Kind::Model,
            },
            origin: Origin::Deployment,
            base_url: None,
            model: model.map(|model| model.name.clone()),
            key_set: model.is_some_and(|model| model.key.is_some()),
            stream: model.is_none_or(|model| model.stream),
            version: 0,
            updated_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            chat_base_url: "https://models.example/v1/".to_owned(),
            chat_model: "m".to_owned(),
            chat_api_key: "secret".to_owned(),
            chat_stream: true,
            chat_budget: Some(7),
            ..Config::default()
        }
    }

    fn stored(kind: Kind) -> Stored {
        Stored {
            kind,
            base_url: Some("https://own.example/v1".to_owned()),
            model: Some("own".to_owned()),
            key_id: None,
            api_key: None,
            stream: false,
        }
    }

    #[test]
    fn without_a_model_the_builtin_writer_writes() {
        assert_eq!(deployment(&Config::default()), Choice::Builtin);
        for missing in [
            Config {
                chat_base_url: String::new(),
                ..config()
            },
            Config {
                chat_model: String::new(),
                ..config()
            },
        ] {
            assert_eq!(deployment(&missing), Choice::Builtin);
        }
        let keyless = Config {
            chat_api_key: String::new(),
            ..config()
        };
        assert!(matches!(
            deployment(&keyless),
            Choice::Model(Model { key: None, .. })
        ));
    }

    #[test]
    fn a_tenants_own_model_never_gets_the_deployments_key() {
        let Choice::Model(own) = chosen(&config(), stored(Kind::Model)).unwrap() else {
            panic!("a model");
        };
        assert_eq!(
            (own.base_url.as_str(), own.key, own.budget),
            ("https://own.example/v1", None, None)
        );
        let Choice::Model(shared) = deployment(&config()) else {
            panic!("a model");
        };
        assert_eq!(shared.budget, Some(7));
        assert_eq!(
            chosen(&config(), stored(Kind::Builtin)).unwrap(),
            Choice::Builtin
        );
    }

    #[test]
    fn where_the_deployments_model_is_stays_its_business() {
        let shown = deployment(&config()).shown();
        assert_eq!((shown.base_url, shown.model.as_deref()), (None, Some("m")));
        assert!(shown.key_set);
    }

    #[test]
    fn limits_are_seconds_and_tokens() {
        let limit = Limit::parse("30/5000").unwrap();
        assert_eq!((limit.time.as_secs(), limit.tokens), (30, 5_000));
        for bad in ["", "30", "0/5000", "9999/5000", "30/5", "x/y"] {
            assert_eq!(Limit::parse(bad), None, "{bad}");
        }
        assert_eq!(Limit::of(&Config::default()), LIMIT);
    }
}
