//! A token bucket: how often a caller may do something.
//!
//! Invariant: over any span of `t` seconds at most `capacity + t × per_second` calls pass. A clock
//! that goes back gives nothing and takes nothing.
//! Failure: a call over the limit is told after how many whole seconds it will pass.

use serde::{Deserialize, Serialize};

/// What a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Calls that may come at once; at least 1.
    pub capacity: u32,
    /// Calls regained per second.
    pub per_second: f64,
}

/// The state of one caller's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Calls left, fractions included.
    tokens: f64,
    /// Unix milliseconds of the last refill.
    at_ms: u64,
}

impl Bucket {
    /// A bucket nobody has drawn from.
    pub fn full(limit: &Limit, now_ms: u64) -> Self {
        Self {
            tokens: f64::from(limit.capacity),
            at_ms: now_ms,
        }
    }

    /// Draws one call, or says in how many seconds (at least 1) the next one passes.
    pub fn take(&mut self, limit: &Limit, now_ms: u64) -> Result<(), u32> {
        let elapsed = now_ms.saturating_sub(self.at_ms) as f64 / 1_000.0;
        self.tokens = (self.tokens + elapsed * limit.per_second).min(f64::from(limit.capacity));
        self.at_ms = self.at_ms.max(now_ms);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / limit.per_second;
        Err(if wait.is_finite() {
            wait.ceil().clamp(1.0, 86_400.0) as u32
        } else {
            86_400
        })
    }

    /// Whether the bucket is full again and may be forgotten.
    pub fn idle(&self, limit: &Limit, now_ms: u64) -> bool {
        let elapsed = now_ms.saturating_sub(self.at_ms) as f64 / 1_000.0;
        self.tokens + elapsed * limit.per_second >= f64::from(limit.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        capacity: 3,
        per_second: 0.5,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::full(&LIMIT, 0);
        assert_eq!((0..3).try_for_each(|_| bucket.take(&LIMIT, 0)), Ok(()));
        assert_eq!(bucket.take(&LIMIT, 0), Err(2));
        assert_eq!(bucket.take(&LIMIT, 1_000), Err(1));
        assert_eq!(bucket.take(&LIMIT, 2_000), Ok(()));
        assert_eq!(bucket.take(&LIMIT, 2_001), Err(2));
        assert!(!bucket.idle(&LIMIT, 2_001) && bucket.idle(&LIMIT, 8_001));
    }

    #[test]
    fn never_more_than_the_bound_in_any_span() {
        let limit = Limit {
            capacity: 5,
            per_second: 2.0,
        };
        let mut bucket = Bucket::full(&limit, 0);
        let passed = (0..100_000u64)
            .step_by(7)
            .filter(|now| bucket.take(&limit, *now).is_ok())
            .count();
        assert!((200..=205).contains(&passed), "{passed}");
    }

    #[test]
    fn the_promised_wait_is_enough() {
        let mut bucket = Bucket::full(&LIMIT, 0);
        let mut now = 0;
        for _ in 0..500 {
            match bucket.take(&LIMIT, now) {
                Ok(()) => now += 100,
                Err(wait) => {
                    now += u64::from(wait) * 1_000;
                    assert_eq!(bucket.take(&LIMIT, now), Ok(()));
                }
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_is_harmless() {
        let mut bucket = Bucket::full(&LIMIT, 10_000);
        for _ in 0..3 {
            assert!(bucket.take(&LIMIT, 10_000).is_ok());
        }
        assert!(bucket.take(&LIMIT, 0).is_err() && bucket.take(&LIMIT, 10_000).is_err());
        assert_eq!(
            Bucket::full(
                &Limit {
                    capacity: 0,
                    per_second: 0.0
                },
                0
            )
            .take(
                &Limit {
                    capacity: 0,
                    per_second: 0.0
                },
                0
            ),
            Err(86_400)
        );
    }
}
