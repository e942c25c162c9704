//! The short way of a scan, on the Worker's side: see `platform/entry.js`.
//!
//! Invariant: only a paired device's scan that needs no waiting gets a plan, and what it is planned
//! from was verified as on the long way.
//! Failure: none; without a plan the request goes the long way, which says what is wrong.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use wasm_bindgen::prelude::*;
use worker::Env;

use crate::platform::config::{self, Config};
use crate::platform::ctx::{Ctx, id_at};
use crate::platform::http;
use crate::platform::log::Level;
use crate::platform::object::Caller;
use crate::platform::scope::{Credential, Jurisdiction};
use crate::platform::{clock, token};

/// Tokens remembered at most.
const TOKENS: usize = 1_000;
/// The route, as it stands in the log.
const ROUTE: &str = "/pulse/check-ins";

/// A device token that was verified, and while when it is good.
#[derive(Clone)]
struct Verified {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    credential: Credential,
}

thread_local! {
    // Scanners send the same token with each scan. Whether the device still may is asked of its
    // table each time.
    static VERIFIED: RefCell<HashMap<String, Verified>> = RefCell::default();
}

/// What is needed to send a scan to its object, on five lines: table, jurisdiction, request id,
/// whether requests are logged, caller.
#[wasm_bindgen(js_name = planScan)]
pub fn plan_scan(authorization: &str, request_id: &str, env: Env) -> Option<String> {
    let config = config::of(&env);
    let now = clock::now();
    let (table, credential) = device(&config, authorization.strip_prefix("Bearer ")?, now)?;
    http::limit::count(&config, &credential).ok()?;
    let jurisdiction = match credential.jurisdiction() {
        Some(Jurisdiction::Eu) if config.jurisdictions => Jurisdiction::Eu.as_str(),
        _ => "",
    };
    let request_id = http::own_id(request_id).unwrap_or_else(|| id_at(now).to_string());
    let logged = u8::from(config.logs(Level::Info));
    let mut plan = format!("{table}\n{jurisdiction}\n{request_id}\n{logged}\n");
    let caller = Caller {
        credential,
        tenant: None,
        now,
        request_id,
    };
    plan.push_str(&serde_json::to_string(&caller).ok()?);
    Some(plan)
}

/// Logs a scan that took the short way, as every request is logged.
#[wasm_bindgen(js_name = noteScan)]
pub fn note_scan(request_id: &str, status: u16, took_ms: f64, env: Env) {
    let ctx = Ctx::new(env, Some(request_id.to_owned()), None);
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of one call")]
    let took = took_ms as i64;
    let status = if status == 208 { 200 } else { status };
    http::log_request(&ctx, "POST", ROUTE, status, took, None);
}

fn device(config: &Config, bearer: &str, now: DateTime<Utc>) -> Option<(Uuid, Credential)> {
    let known = VERIFIED.with_borrow(|verified| {
        let known = verified.get(bearer);
        let good = known.filter(|known| known.since <= now && now < known.until);
        good.map(|known| known.credential.clone())
    });
    let credential = match known {
        Some(credential) => credential,
        None => remember(bearer, now, token::verify(config, bearer, now).ok()?),
    };
    match credential {
        Credential::Device { table, .. } => Some((table, credential)),
        _ => None,
    }
}

fn remember(bearer: &str, now: DateTime<Utc>, credential: Credential) -> Credential {
    if matches!(credential, Credential::Device { .. }) {
        let verified = Verified {
            since: now,
            until: token::expires_at(bearer, now),
            credential: credential.clone(),
        };
        VERIFIED.with_borrow_mut(|known| {
            if known.len() >= TOKENS {
                known.clear();
            }
            known.insert(bearer.to_owned(), verified);
        });
    }
    credential
}
