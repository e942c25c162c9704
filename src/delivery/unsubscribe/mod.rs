//! Unsubscribing with one click (RFC 8058).
//!
//! Invariant: whoever has the link may unsubscribe its address from its topic, and learns nothing
//! else. Looking changes nothing; mail scanners look at every link.
//! Failure: a link that is none is 404.

pub mod http;
mod page;

use rules::delivery::unsubscribe::{Subject, masked};

use super::messages::OWNER;
use super::suppressions;
use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};

/// Longest link that is read, in bytes.
const LONGEST: usize = 1_000;

/// What a link is about.
pub struct Shown {
    /// Whose messages, in part.
    pub address: String,
    /// Which messages; none when nothing of them is on record any more.
    pub topic: Option<String>,
}

/// Looks at what a link is about.
pub async fn look(ctx: &Ctx, token: &str) -> Result<Shown> {
    let subject = open(ctx, token)?;
    Ok(Shown {
        topic: suppressions::topic(ctx, &subject).await?,
        address: masked(&subject.address),
    })
}

/// Unsubscribes. A second time changes nothing.
pub async fn act(ctx: &Ctx, token: &str) -> Result<Shown> {
    let subject = open(ctx, token)?;
    suppressions::unsubscribe(ctx, &subject).await?;
    Ok(Shown {
        topic: suppressions::topic(ctx, &subject).await?,
        address: masked(&subject.address),
    })
}

fn open(ctx: &Ctx, token: &str) -> Result<Subject> {
    if token.len() > LONGEST {
        return Err(Error::not_found());
    }
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    let bytes = keys.open(OWNER, token).map_err(|_| Error::not_found())?;
    Subject::decode(&bytes).ok_or_else(Error::not_found)
}
