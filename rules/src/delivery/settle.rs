//! What came of an attempt, and what follows from it.
//!
//! Invariant: as Standard Webhooks has it, 2xx is success and everything else is a failure that is
//! tried again, redirects and other 4xx too: a receiver that is being repaired answers 404 or 401
//! for a while. Only 410 says that the endpoint is gone for good.
//! Failure: none.

use std::time::Duration;

use serde::Serialize;

use super::retry;

/// How long an attempt may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is kept, in bytes.
pub const KEPT: usize = 1_024;
/// Requests under way at once within one run: the platform allows six connections, one is the
/// database's.
pub const AT_ONCE: usize = 5;
/// Requests under way to one endpoint; fewer than [`AT_ONCE`], so that no endpoint takes them all.
pub const PER_ENDPOINT: usize = 4;
/// The same while its last attempt failed.
pub const PER_FAILING_ENDPOINT: usize = 1;
/// After failing this long without one success an endpoint is disabled.
pub const GIVE_UP: Duration = Duration::from_secs(5 * 24 * 3_600);

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The wait it asked for.
        retry_after: Option<Duration>,
    },
    /// No answer in time, or no connection.
    Silent,
    /// The deployment does not let requests go to this address.
    Refused,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It will be sent, or sent again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It will not be sent again by itself.
    Failed,
}

/// What an attempt says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It works.
    Well,
    /// It does not.
    Failing,
    /// It wants nothing any more.
    Gone,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Of the delivery.
    pub status: Status,
    /// When it is sent again, if it is.
    pub after: Option<Duration>,
    /// Of the endpoint.
    pub health: Health,
    /// How long the endpoint wants to be left alone altogether.
    pub pause: Option<Duration>,
}

/// Decides what follows from an attempt that came after `step` retries. `random` is any number,
/// evenly drawn.
pub fn settle(outcome: Outcome, step: usize, random: u64) -> Next {
    let (health, asked, again) = match outcome {
        Outcome::Answered {
            status: 200..=299, ..
        } => {
            return Next {
                status: Status::Delivered,
                after: None,
                health: Health::Well,
                pause: None,
            };
        }
        Outcome::Answered { status: 410, .. } => (Health::Gone, None, false),
        Outcome::Answered { retry_after, .. } => (Health::Failing, retry_after, true),
        Outcome::Silent => (Health::Failing, None, true),
        // The address will not become another one by waiting.
        Outcome::Refused => (Health::Failing, None, false),
    };
    let after = retry::delay(step, random, asked).filter(|_| again);
    Next {
        status: match after {
            Some(_) => Status::Pending,
            None => Status::Failed,
        },
        after,
        health,
        pause: asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Outcome {
        Outcome::Answered {
            status,
            retry_after: None,
        }
    }

    #[test]
    fn success_is_2xx_and_nothing_else() {
        for status in [200, 201, 204, 299] {
            let next = settle(answered(status), 8, 7);
            assert_eq!(
                (next.status, next.health),
                (Status::Delivered, Health::Well)
            );
            assert_eq!((next.after, next.pause), (None, None));
        }
        for status in [
            100, 199, 300, 301, 304, 308, 400, 401, 404, 408, 422, 425, 429, 500, 503, 599,
        ] {
            let next = settle(answered(status), 0, 7);
            assert_eq!(
                (next.status, next.health),
                (Status::Pending, Health::Failing)
            );
            assert!(next.after.is_some(), "{status}");
        }
    }

    #[test]
    fn gone_and_refused_are_not_tried_again() {
        let next = settle(answered(410), 0, 7);
        assert_eq!((next.status, next.health), (Status::Failed, Health::Gone));
        let next = settle(Outcome::Refused, 0, 7);
        assert_eq!(
            (next.status, next.health, next.after),
            (Status::Failed, Health::Failing, None)
        );
    }

    #[test]
    fn behind_the_last_step_it_has_failed() {
        for outcome in [answered(500), Outcome::Silent] {
            assert_eq!(settle(outcome, 7, 7).status, Status::Pending);
            let last = settle(outcome, 8, 7);
            assert_eq!((last.status, last.after), (Status::Failed, None));
        }
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it() {
        let asked = Some(Duration::from_secs(90));
        let outcome = Outcome::Answered {
            status: 429,
            retry_after: asked,
        };
        let next = settle(outcome, 0, 7);
        assert_eq!((next.after, next.pause), (asked, asked));
    }

    #[test]
    fn one_endpoint_never_takes_every_connection() {
        const { assert!(PER_FAILING_ENDPOINT <= PER_ENDPOINT && PER_ENDPOINT < AT_ONCE && AT_ONCE < 6) };
    }
}
