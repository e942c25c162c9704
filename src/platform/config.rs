//! What the deployment says: variables and secrets, read once per isolate.
//!
//! Invariant: secrets stay in here and in `crypto`; nothing prints them.
//! Failure: a missing or unusable secret makes every call that needs it answer 500 with a log line
//! that names the secret.

use std::cell::OnceCell;
use std::rc::Rc;

use rules::budget::{self, Budget};
use worker::{Env, js_sys};

use super::error::{Error, Result};
use super::log::Level;

/// The deployment's variables and secrets.
#[derive(Debug, Default)]
pub struct Config {
    /// `local`, `test` or `production`.
    pub environment: String,
    /// Origins that may call from a browser; `*` allows all.
    pub cors_origins: Vec<String>,
    /// Whether `x-pulse-now` moves the clock of a call. Only ever true on a test stack.
    pub test_clock: bool,
    /// Whether the runtime implements jurisdictions of objects.
    pub jurisdictions: bool,
    /// Whether outgoing requests may reach private addresses.
    pub outbound_allow_private: bool,
    /// Whether the tenants are strangers to each other.
    pub hosting: bool,
    /// How often one credential may call an isolate; none for no limit.
    pub rate_limit: Option<rules::rate::Limit>,
    /// How often all guests with one table's key together may; none for no limit.
    pub guest_rate_limit: Option<rules::rate::Limit>,
    /// How often one of their phones may call.
    pub guest_device_rate_limit: Option<rules::rate::Limit>,
    /// From which level on lines are written.
    pub log_level: Option<Level>,
    /// Signs the product's own tokens.
    pub token_secret: String,
    /// `kid:base64,…`; the first is current.
    pub data_keys: String,
    /// Opens `/metrics` when set.
    pub operator_token: String,
    /// HS256 secret of a Supabase project.
    pub supabase_secret: String,
    /// JWKS address of a Supabase project.
    pub supabase_jwks_url: String,
    /// Issuer that Supabase tokens must carry.
    pub supabase_issuer: String,
    /// Where people and providers reach this deployment, without a slash at the end.
    pub public_url: String,
    /// The channel that mail goes out by where a tenant has none of its own: JSON.
    pub mail_channel: String,
    /// Mails a tenant may send by it in a day.
    pub mail_budget: Budget,
    /// Where chat completions are asked for: `https://api.openai.com/v1`.
    pub chat_base_url: String,
    /// The model that writes.
    pub chat_model: String,
    /// Opens the provider of the model.
    pub chat_api_key: String,
    /// Whether its answers are asked for in pieces.
    pub chat_stream: bool,
    /// What writing one report may take: `seconds/tokens`.
    pub chat_limit: String,
    /// Tokens a tenant may take of it in a day.
    pub chat_budget: Budget,
}

thread_local! {
    static CONFIG: OnceCell<Rc<Config>> = const { OnceCell::new() };
}

/// The configuration of this isolate.
pub fn of(env: &Env) -> Rc<Config> {
    CONFIG.with(|cell| Rc::clone(cell.get_or_init(|| Rc::new(Config::read(env)))))
}

impl Config {
    fn read(env: &Env) -> Self {
        let var = |name: &str| {
            js_sys::Reflect::get(env, &name.into())
                .ok()
                .and_then(|value| value.as_string())
                .unwrap_or_default()
        };
        Self {
            environment: var("ENVIRONMENT"),
            cors_origins: var("CORS_ORIGINS")
                .split([',', ' '])
                .filter(|origin| !origin.is_empty())
                .map(str::to_owned)
                .collect(),
            test_clock: var("TEST_CLOCK") == "1",
            jurisdictions: var("JURISDICTIONS") == "1",
            outbound_allow_private: var("OUTBOUND_ALLOW_PRIVATE") == "1",
            hosting: var("HOSTING") == "1",
            rate_limit: super::http::limit::parse(&var("RATE_LIMIT")),
            guest_rate_limit: super::http::limit::parse(&var("GUEST_RATE_LIMIT")),
            guest_device_rate_limit: super::http::limit::parse(&var("GUEST_DEVICE_RATE_LIMIT")),
            log_level: match var("LOG_LEVEL").as_str() {
                "warn" => Some(Level::Warn),
                "error" => Some(Level::Error),
                _ => Some(Level::Info),
            },
            token_secret: var("TOKEN_SECRET"),
            data_keys: var("DATA_KEYS"),
            operator_token: var("OPERATOR_TOKEN"),
            supabase_secret: var("SUPABASE_JWT_SECRET"),
            supabase_jwks_url: var("SUPABASE_JWKS_URL"),
            supabase_issuer: var("SUPABASE_ISSUER"),
            public_url: var("PUBLIC_URL").trim_end_matches('/').to_owned(),
            mail_channel: var("MAIL_CHANNEL"),
            mail_budget: budget::parse(&var("MAIL_BUDGET"), budget::MAILS),
            chat_base_url: var("CHAT_BASE_URL"),
            chat_model: var("CHAT_MODEL"),
            chat_api_key: var("CHAT_API_KEY"),
            chat_stream: var("CHAT_STREAM") != "off",
            chat_limit: var("CHAT_LIMIT"),
            chat_budget: budget::parse(&var("CHAT_BUDGET"), budget::TOKENS),
        }
    }

    /// The token secret, which must have at least 32 bytes (RFC 7518 §3.2).
    pub fn token_secret(&self) -> Result<&[u8]> {
        if self.token_secret.len() < 32 {
            return Err(Error::internal(
                "secret TOKEN_SECRET is missing or shorter than 32 bytes",
            ));
        }
        Ok(self.token_secret.as_bytes())
    }

    /// Whether lines of this level are written.
    pub fn logs(&self, level: Level) -> bool {
        self.log_level.is_none_or(|from| level >= from)
    }
}
