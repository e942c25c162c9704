//! How often one credential may call.
//!
//! Invariant: the limit belongs to the credential, never to the address: a venue shares one. Each
//! isolate counts for itself, so the limit keeps a runaway client from crowding out the others and
//! is no accounting. Guests name their devices themselves, so those of one key have a limit together
//! as well: inventing devices gets round nothing.
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
    let now = u64::try_from(clock::now().timestamp_millis()).unwrap_or_default();
    BUCKETS
        .with_borrow_mut(|buckets| draw_all(buckets, config, credential, now))
        .map_err(Error::too_many)
}

/// Draws from the caller's own bucket and, for a guest, from the one of all guests with its key.
fn draw_all(
    buckets: &mut HashMap<u64, Bucket>,
    config: &Config,
    credential: &Credential,
    now_ms: u64,
) -> std::result::Result<(), u32> {
    let own = match credential {
        Credential::Anonymous { .. } => &config.guest_device_rate_limit,
        _ => &config.rate_limit,
    };
    if let (Some(limit), Some(caller)) = (own, caller(credential)) {
        draw(buckets, limit, caller, now_ms)?;
    }
    match (&config.guest_rate_limit, guests(credential)) {
        (Some(limit), Some(guests)) => draw(buckets, limit, guests, now_ms),
        _ => Ok(()),
    }
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
        Credential::Anonymous { guest_key, device } if !guest_key.is_empty() => {
            (guest_key, device).hash(&mut hasher);
        }
        Credential::Anonymous { .. } | Credential::System => return None,
    }
    Some(hasher.finish())
}

/// All guests with the key of this one.
fn guests(credential: &Credential) -> Option<u64> {
    let Credential::Anonymous { guest_key, .. } = credential else {
        return None;
    };
    let mut hasher = DefaultHasher::new();
    ("guests", guest_key).hash(&mut hasher);
    (!guest_key.is_empty()).then(|| hasher.finish())
}

/// Reads `RATE_LIMIT` and its like: `burst/per second`, for example `3000/300`; `off` for none.
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
    fn guests_of_one_key_share_a_limit_however_many_devices_they_name() {
        let config = Config {
            rate_limit: parse("1/1"),
            guest_rate_limit: parse("5/1"),
            guest_device_rate_limit: parse("3/1"),
            ..Config::default()
        };
        let guest = |key: &str, device: u128| Credential::Anonymous {
            guest_key: key.to_owned(),
            device: Some(uuid::Uuid::from_u128(device)),
        };
        let mut buckets = HashMap::new();
        let mut call = |who: &Credential| draw_all(&mut buckets, &config, who, 1_000).is_ok();
        let one = guest("k", 1);
        assert_eq!([0; 4].map(|_| call(&one)), [true, true, true, false]);
        assert_eq!(
            [2, 3, 4].map(|device| call(&guest("k", device))),
            [true, true, false]
        );
        assert!(call(&guest("other", 1)), "another table's guests");
        let nobody = Credential::Anonymous {
            guest_key: String::new(),
            device: None,
        };
        assert!(
            (0..9).all(|_| call(&nobody)),
            "without a key there is nothing to count"
        );
    }

    #[test]
    fn a_limit_that_is_none_is_off() {
        for text in ["", "off", "0/1", "1/0", "x/y", "5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
