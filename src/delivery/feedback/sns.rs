//! Reports of Amazon SES, which Amazon SNS brings.
//!
//! Invariant: anybody can have SNS sign a notification of a topic of theirs, so only the topic that
//! the channel names counts. Certificates come from Amazon, and from there only.
//! Failure: 401 for another topic or signature; 503 when the certificate cannot be had, so that SNS
//! comes again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::delivery::facts::Fact;
use rules::delivery::facts::ses::{self, Notification};
use serde_json::Value;
use worker::Method;

use super::{Received, unsigned};
use crate::delivery::channels::Anyones;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::outbound::{self, Limit, Outgoing};
use crate::platform::signatures::{Hash, is_rsa};

/// How long Amazon may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest certificate, in bytes.
const CERTIFICATE: usize = 16 << 10;
/// Certificates that are remembered; each region has one for months.
const REMEMBERED: usize = 32;
/// Oldest notification that counts, in seconds: SNS tries for hours when we are away.
const OLDEST: i64 = 24 * 3_600;

thread_local! {
    static CERTIFICATES: RefCell<HashMap<String, Rc<[u8]>>> = RefCell::default();
}

/// Takes a notification in; answers what it reports.
pub async fn take(ctx: &Ctx, channel: &Anyones, received: &Received) -> Result<Vec<Fact>> {
    let notification: Notification =
        serde_json::from_str(&received.body).map_err(|_| unsigned())?;
    let setting = |name: &str| channel.settings.get(name).and_then(Value::as_str);
    if setting("topic_arn") != Some(notification.topic_arn.as_str()) {
        return Err(unsigned());
    }
    let elsewhere = setting("base_url");
    verify(ctx, &notification, elsewhere).await?;
    let age = notification.at().map(|at| (ctx.now - at).num_seconds());
    if age.is_none_or(|age| age > OLDEST) {
        return Err(unsigned());
    }
    match notification.kind.as_str() {
        ses::NOTIFICATION => Ok(notification.facts(ctx.now)),
        ses::CONFIRMATION => {
            let url = notification.subscribe_url.as_deref().unwrap_or_default();
            if !trusted(url, elsewhere) {
                return Err(unsigned());
            }
            get(ctx, url, Limit::Cut(CERTIFICATE)).await?;
            Ok(Vec::new())
        }
        _ => Ok(Vec::new()),
    }
}

async fn verify(ctx: &Ctx, notification: &Notification, elsewhere: Option<&str>) -> Result<()> {
    let hash = match notification.signature_version.as_str() {
        "1" => Hash::Sha1,
        "2" => Hash::Sha256,
        _ => return Err(unsigned()),
    };
    let url = notification.signing_cert_url.as_str();
    if !trusted(url, elsewhere) {
        return Err(unsigned());
    }
    let content = notification.signed().ok_or_else(unsigned)?;
    let signature = STANDARD
        .decode(&notification.signature)
        .map_err(|_| unsigned())?;
    let certificate = certificate(ctx, url).await?;
    match is_rsa(&certificate, hash, content.as_bytes(), &signature) {
        true => Ok(()),
        false => Err(unsigned()),
    }
}

/// Whether an address is Amazon's, or that of the tests' stand-in: settings name one only where
/// private addresses may be called.
fn trusted(url: &str, elsewhere: Option<&str>) -> bool {
    let stand_in = elsewhere.is_some_and(|base| url.starts_with(&format!("{base}/")));
    ses::is_amazons(url) || stand_in
}

async fn certificate(ctx: &Ctx, url: &str) -> Result<Rc<[u8]>> {
    if let Some(known) = CERTIFICATES.with_borrow(|known| known.get(url).cloned()) {
        return Ok(known);
    }
    let certificate: Rc<[u8]> = get(ctx, url, Limit::Refuse(CERTIFICATE)).await?.into();
    CERTIFICATES.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(url.to_owned(), Rc::clone(&certificate));
    });
    Ok(certificate)
}

async fn get(ctx: &Ctx, url: &str, limit: Limit) -> Result<Vec<u8>> {
    let request = Outgoing {
        method: Method::Get,
        url,
        headers: &[],
        body: None,
        limit,
        redirects: false,
        patience: PATIENCE,
    };
    let answer = outbound::send(ctx, &request).await?;
    match answer.status {
        200..=299 => Ok(answer.body),
        status => Err(Error::unavailable(&format!("Amazon SNS answered {status}"))),
    }
}
