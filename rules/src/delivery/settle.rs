//! What came of an attempt, and what follows from it.
//!
//! Invariant: what may have arrived is sent again only where the receiver knows a repeat by its key.
//! Failure: none; every outcome leads somewhere.

use std::time::Duration;

use serde::Serialize;

use super::retry;

/// How long an attempt to deliver an event may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long an attempt to deliver a message may take: mail servers look at what they take.
pub const MESSAGE_PATIENCE: Duration = Duration::from_secs(18);
/// How much of an answer is kept, in bytes.
pub const KEPT: usize = 1_024;
/// Requests under way at once within one run: the platform allows six connections, one is the
/// database's.
pub const AT_ONCE: usize = 5;
/// Bytes of messages under way at once within one run; more than the largest message has.
pub const BYTES_AT_ONCE: usize = 6 << 20;
/// Requests under way to one endpoint; fewer than [`AT_ONCE`], so that no endpoint takes them all.
pub const PER_ENDPOINT: usize = 4;
/// The same while its last attempt failed.
pub const PER_FAILING_ENDPOINT: usize = 1;
/// After failing this long without one success an endpoint is disabled.
pub const GIVE_UP: Duration = Duration::from_secs(5 * 24 * 3_600);

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It was not taken, but may be later; the wait that was asked for.
    Later(Option<Duration>),
    /// This one will not be taken, whenever it comes.
    Never,
    /// Nor anything else for this recipient, whom there is not.
    Bounced,
    /// The endpoint does not let us in.
    Barred,
    /// The endpoint wants nothing any more.
    Gone,
    /// It went out, and nobody answered: it may have arrived.
    Unclear,
    /// The endpoint could not be reached: nothing went out.
    Unreached,
    /// The deployment does not let requests go to this address, or there is nothing to send.
    Withheld,
}

/// What a webhook's answer means: as Standard Webhooks has it, 2xx is success and everything else a
/// failure that is tried again, redirects and other 4xx too, because a receiver that is being
/// repaired answers 404 or 401 for a while. Only 410 says that the endpoint is gone for good.
pub fn webhook(status: u16, retry_after: Option<Duration>) -> Outcome {
    match status {
        200..=299 => Outcome::Taken,
        410 => Outcome::Gone,
        _ => Outcome::Later(retry_after),
    }
}

/// What the answer of a provider's API means. 502, 504 and Cloudflare's 520, 522 and 524 are the words
/// of a gateway whose origin took the request and did not answer it.
pub fn api(status: u16, retry_after: Option<Duration>) -> Outcome {
    match status {
        200..=299 => Outcome::Taken,
        401 | 403 => Outcome::Barred,
        408 | 425 | 429 => Outcome::Later(retry_after),
        502 | 504 | 520 | 522 | 524 => Outcome::Unclear,
        500.. => Outcome::Later(retry_after),
        _ => Outcome::Never,
    }
}

/// What a mail server was asked when it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// May we come in: greeting, encryption, log-in, sender.
    Entry,
    /// Do you take mail for this recipient, and this mail?
    Mail,
}

/// What a mail server's answer means (RFC 5321 §4.2.1): 4xx is for now, 5xx for good. Whether there
/// is no such recipient, only an enhanced status tells (RFC 3463): many refuse with 550 for spam.
pub fn smtp(code: u16, text: &str, question: Question) -> Outcome {
    const NOBODY: [&str; 5] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"];
    let enhanced = text.split([' ', '\n']).next().unwrap_or_default();
    match (code, question) {
        (200..=299, _) => Outcome::Taken,
        (500..=599, Question::Entry) => Outcome::Barred,
        (500..=599, Question::Mail) if NOBODY.contains(&enhanced) => Outcome::Bounced,
        (500..=599, Question::Mail) => Outcome::Never,
        _ => Outcome::Later(None),
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It will be sent again.
    Pending,
    /// It was taken.
    Delivered,
    /// It will not be sent again by itself.
    Failed,
    /// Nobody knows whether it was taken; it will not be sent again by itself.
    Unknown,
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
    /// Nothing: the answer was about one message.
    Unsaid,
}

/// How deliveries of a kind are retried.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The longest wait before each retry, in seconds.
    pub schedule: &'static [u64],
    /// Whether the receiver knows a repeat by its key.
    pub keyed: bool,
    /// Where a delivery stands whose last attempt was [`Outcome::Unclear`].
    pub unclear: Status,
}

impl Policy {
    /// Events: their receivers know a repeat by its identifier.
    pub const EVENTS: Self = Self {
        schedule: retry::EVENTS,
        keyed: true,
        unclear: Status::Failed,
    };

    /// Messages of a channel with or without keys.
    pub const fn messages(keyed: bool) -> Self {
        Self {
            schedule: retry::MESSAGES,
            keyed,
            unclear: Status::Unknown,
        }
    }
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
pub fn settle(outcome: Outcome, step: usize, random: u64, policy: &Policy) -> Next {
    let over = |status, health| Next {
        status,
        after: None,
        health,
        pause: None,
    };
    let (asked, at_last) = match outcome {
        Outcome::Taken => return over(Status::Delivered, Health::Well),
        Outcome::Never | Outcome::Bounced => return over(Status::Failed, Health::Unsaid),
        Outcome::Gone => return over(Status::Failed, Health::Gone),
        // Neither the address nor the credentials will become others by waiting.
        Outcome::Barred | Outcome::Withheld => return over(Status::Failed, Health::Failing),
        Outcome::Unclear if !policy.keyed => return over(policy.unclear, Health::Failing),
        Outcome::Unclear => (None, policy.unclear),
        Outcome::Unreached => (None, Status::Failed),
        Outcome::Later(asked) => (asked, Status::Failed),
    };
    let after = retry::delay(policy.schedule, step, random, asked);
    Next {
        status: after.map_or(at_last, |_| Status::Pending),
        after,
        health: Health::Failing,
        pause: asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYED: Policy = Policy::messages(true);
    const PLAIN: Policy = Policy::messages(false);

    fn after(outcome: Outcome, step: usize, policy: &Policy) -> (Status, Health, bool) {
        let next = settle(outcome, step, 7, policy);
        (next.status, next.health, next.after.is_some())
    }

    #[test]
    fn a_webhook_takes_with_2xx_and_nothing_else() {
        for status in [200, 201, 204, 299] {
            assert_eq!(webhook(status, None), Outcome::Taken);
        }
        for status in [
            100, 199, 300, 301, 304, 308, 400, 401, 404, 408, 422, 425, 429, 500, 503, 599,
        ] {
            assert_eq!(webhook(status, None), Outcome::Later(None), "{status}");
        }
        assert_eq!(webhook(410, None), Outcome::Gone);
    }

    #[test]
    fn an_api_refuses_for_good_with_4xx_for_now_with_5xx_and_a_gateway_knows_nothing() {
        let asked = Some(Duration::from_secs(90));
        for status in [408, 425, 429, 500, 503, 521, 523, 530] {
            assert_eq!(api(status, asked), Outcome::Later(asked), "{status}");
        }
        for status in [301, 304, 400, 404, 409, 410, 413, 422] {
            assert_eq!(api(status, asked), Outcome::Never, "{status}");
        }
        for status in [502, 504, 520, 522, 524] {
            assert_eq!(api(status, None), Outcome::Unclear, "{status}");
        }
        assert_eq!(
            (api(401, None), api(403, None)),
            (Outcome::Barred, Outcome::Barred)
        );
        assert_eq!(api(202, None), Outcome::Taken);
    }

    #[test]
    fn a_mail_server_refuses_for_good_with_5xx_and_for_now_with_4xx() {
        assert_eq!(smtp(250, "2.0.0 Ok", Question::Mail), Outcome::Taken);
        for code in [421, 450, 451, 452, 454] {
            assert_eq!(
                smtp(code, "no", Question::Mail),
                Outcome::Later(None),
                "{code}"
            );
            assert_eq!(
                smtp(code, "no", Question::Entry),
                Outcome::Later(None),
                "{code}"
            );
        }
        for code in [500, 530, 535, 550, 553, 554] {
            assert_eq!(smtp(code, "no", Question::Mail), Outcome::Never, "{code}");
            assert_eq!(smtp(code, "no", Question::Entry), Outcome::Barred, "{code}");
        }
    }

    #[test]
    fn only_an_enhanced_status_says_that_there_is_no_such_recipient() {
        let outcome = |text| smtp(550, text, Question::Mail);
        for text in [
            "5.1.1 <x@y.z>: no such user",
            "5.1.1",
            "5.1.10\nnone",
            "5.1.2 no host",
        ] {
            assert_eq!(outcome(text), Outcome::Bounced, "{text}");
        }
        for text in [
            "",
            "no such user 5.1.1",
            "5.1.11 x",
            "5.7.1 spam",
            "5.2.2 full",
        ] {
            assert_eq!(outcome(text), Outcome::Never, "{text}");
        }
        let from = smtp(550, "5.1.1 who are you", Question::Entry);
        assert_eq!(from, Outcome::Barred);
    }

    #[test]
    fn what_may_have_arrived_goes_out_again_only_under_a_key() {
        let unclear = |step, policy| after(Outcome::Unclear, step, policy);
        assert_eq!(
            unclear(0, &PLAIN),
            (Status::Unknown, Health::Failing, false)
        );
        assert_eq!(unclear(0, &KEYED), (Status::Pending, Health::Failing, true));
        assert_eq!(
            unclear(9, &KEYED),
            (Status::Unknown, Health::Failing, false)
        );
        assert_eq!(
            unclear(0, &Policy::EVENTS),
            (Status::Pending, Health::Failing, true)
        );
        assert_eq!(
            unclear(8, &Policy::EVENTS),
            (Status::Failed, Health::Failing, false)
        );
    }

    #[test]
    fn what_certainly_did_not_arrive_goes_out_again_without_a_key_too() {
        for outcome in [Outcome::Unreached, Outcome::Later(None)] {
            assert_eq!(
                after(outcome, 8, &PLAIN),
                (Status::Pending, Health::Failing, true)
            );
            assert_eq!(
                after(outcome, 9, &PLAIN),
                (Status::Failed, Health::Failing, false)
            );
        }
    }

    #[test]
    fn what_will_never_be_taken_is_not_tried_again() {
        for policy in [&PLAIN, &KEYED, &Policy::EVENTS] {
            let failed = |health| (Status::Failed, health, false);
            assert_eq!(after(Outcome::Gone, 0, policy), failed(Health::Gone));
            assert_eq!(after(Outcome::Never, 0, policy), failed(Health::Unsaid));
            assert_eq!(after(Outcome::Bounced, 0, policy), failed(Health::Unsaid));
            assert_eq!(after(Outcome::Barred, 0, policy), failed(Health::Failing));
            assert_eq!(after(Outcome::Withheld, 0, policy), failed(Health::Failing));
            assert_eq!(
                after(Outcome::Taken, 9, policy),
                (Status::Delivered, Health::Well, false)
            );
        }
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it() {
        let asked = Some(Duration::from_secs(90));
        let next = settle(Outcome::Later(asked), 0, 7, &Policy::EVENTS);
        assert_eq!((next.after, next.pause), (asked, asked));
    }

    #[test]
    fn one_endpoint_never_takes_every_connection() {
        const { assert!(PER_FAILING_ENDPOINT <= PER_ENDPOINT && PER_ENDPOINT < AT_ONCE && AT_ONCE < 6) };
    }
}
