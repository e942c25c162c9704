//! How often one credential may call.
//!
//! Invariant: the limit belongs to the credential, never to the address: a venue shares one. Each
//! isolate counts for itself, so the limit keeps a runaway client from crowding out the others and
//! is no accounting.
//! Failure: a call over the limit is 429 with the seconds to wait.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rules::rate::{Bucket, Limit};

use crate::platform::clock;
use crate::platform::config::Config;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Credential;

/// Callers remembered at most; idle ones are forgotten first.
const CALLERS: usize = 10_000;

thread_local! {
    static BUCKETS: RefCell<HashMap<u64, Bucket>> = RefCell::new(HashMap::new());
}

/// Counts a call of this credential.
pub fn count(config: &Config, credential: &Credential) -> Result<()> {
    let (Some(limit), Some(caller)) = (&config.rate_limit, caller(credential)) else {
        return Ok(());
    };
    let now = u64::try_from(clock::now().timestamp_millis()).unwrap_or_default();
    BUCKETS
        .with_borrow_mut(|buckets| draw(buckets, limit, caller, now))
        .map_err(Error::too_many)
}

fn draw(
    buckets: &mut HashMap<u64, Bucket>,
    limit: &Limit,
    caller: u64,
    now_ms: u64,
) -> std::result::Result<(), u32> {
    if buckets.len() >= CALLERS && !buckets.contains_key(&caller) {
        buckets.retain(|_, bucket| !bucket.idle(limit, now_ms));
    }
    let bucket = buckets
        .entry(caller)
        .or_insert_with(|| Bucket::full(limit, now_ms));
    bucket.take(limit, now_ms)
}

/// What tells callers apart; none for those without a credential and for our own work.
fn caller(credential: &Credential) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    match credential {
        Credential::User { session, .. } | Credential::Device { session, .. } => {
            session.hash(&mut hasher);
        }
        Credential::Supabase { subject, .. } => subject.hash(&mut hasher),
        Credential::Key { id, hash, .. } => (id, hash).hash(&mut hasher),
        Credential::Anonymous { guest_key } if !guest_key.is_empty() => guest_key.hash(&mut hasher),
        Credential::Anonymous { .. } | Credential::System => return None,
    }
    Some(hasher.finish())
}

/// Reads `RATE_LIMIT`: `burst/per second`, for example `3000/300`; `off` for none.
pub fn parse(text: &str) -> Option<Limit> {
    let (burst, per_second) = text.split_once('/')?;
    let (capacity, per_second) = (burst.trim().parse().ok()?, per_second.trim().parse().ok()?);
    (capacity > 0 && per_second > 0.0).then_some(Limit {
        capacity,
        per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_waits_each_caller_for_itself() {
        let limit = parse("3/1").unwrap();
        let mut buckets = HashMap::new();
        for _ in 0..3 {
            assert_eq!(draw(&mut buckets, &limit, 1, 1_000), Ok(()));
        }
        assert_eq!(draw(&mut buckets, &limit, 1, 1_000), Err(1));
        assert_eq!(draw(&mut buckets, &limit, 2, 1_000), Ok(()));
        assert_eq!(draw(&mut buckets, &limit, 1, 2_000), Ok(()));
    }

    #[test]
    fn a_limit_that_is_none_is_off() {
        for text in ["", "off", "0/1", "1/0", "x/y", "5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
