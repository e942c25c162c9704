//! Whether a replica can be asked, and how far behind it is.
//!
//! Invariant: a server that is no replica is asked one question.
//! Failure: a replica that cannot be asked is [`Contact::Down`], with why and what to do.

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::{Evidence, Seen, Severity, Unit};
use rules::monitor::breaker::{self, Breaker, Sign};
use rules::monitor::lag::{self, Lag, Why};
use rules::monitor::session;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asking::{Asking, Unasked};
use crate::platform::clock;

/// What came of reaching for the replica.
#[derive(Deserialize, Serialize)]
pub enum Contact {
    /// It cannot be asked.
    Down(Unasked),
    /// It can.
    Up {
        /// What its clock showed.
        at: DateTime<Utc>,
        /// How far it was behind then.
        lag: Lag,
        /// What follows from that.
        standing: lag::Standing,
        /// The limit, in seconds.
        limit: u32,
        /// `server_version_num`.
        version: i32,
    },
}

impl Contact {
    /// What it says about the connection and about its lag.
    pub fn seen(&self) -> (Seen, Seen) {
        match self {
            Self::Down(unasked) if !unasked.tells() => (Seen::Unknown, Seen::Unknown),
            Self::Down(unasked) => {
                let evidence = Evidence {
                    said: unasked.text.clone(),
                    ..Evidence::default()
                };
                (Seen::Breach(Severity::Fail, evidence), Seen::Unknown)
            }
            Self::Up {
                lag,
                standing,
                limit,
                ..
            } => {
                let evidence = Evidence {
                    value: lag
                        .upper_bound
                        .map(|lag| lag.num_milliseconds() as f64 / 1_000.0),
                    high: Some(f64::from(*limit)),
                    unit: Unit::Seconds,
                    said: behind(lag.why).to_owned(),
                    ..Evidence::default()
                };
                let seen = match standing {
                    lag::Standing::Within => Seen::Ok(evidence),
                    lag::Standing::Over => Seen::Breach(Severity::Fail, evidence),
                    lag::Standing::Blind => Seen::Unknown,
                };
                (Seen::Ok(Evidence::default()), seen)
            }
        }
    }
}

fn behind(why: Why) -> &'static str {
    match why {
        Why::Primary | Why::Aurora | Why::Streaming => "All that came is replayed.",
        Why::Replaying => "Some of what came is not replayed yet.",
        Why::Paused => "Replay is paused.",
        Why::Cut => "Nothing comes from the primary.",
        Why::Blind => "The role may not see whether anything comes: it lacks pg_read_all_stats.",
    }
}

/// Reaches for the replica: signs in, and looks where it is.
pub async fn reach(asking: &mut Asking<'_>, breaker: &mut Breaker) -> Contact {
    if let Err(unasked) = asking.identify().await {
        return Contact::Down(unasked);
    }
    let found: session::Standing = match asking.standing().await {
        Ok(found) => found,
        Err(unasked) => {
            asking.line.close().await;
            return Contact::Down(unasked);
        }
    };
    let lag = lag::lag(&found.position);
    let now = clock::now();
    let mut signs = vec![Sign::Feedback(found.feedback && found.position.recovery)];
    if let Some(bound) = lag.upper_bound {
        signs.push(Sign::Replay(lag.why, bound));
    }
    for sign in signs {
        *breaker = std::mem::take(breaker).after(sign, now);
    }
    asking.factor = breaker.factor(now);
    let limit = asking.access.lag_limit_seconds;
    Contact::Up {
        at: found.position.now,
        standing: lag::standing(&lag, TimeDelta::seconds(limit.into())),
        lag,
        limit,
        version: asking.version,
    }
}

impl Contact {
    /// Whether the replica is there, if that was found out.
    pub fn is_there(&self) -> Option<bool> {
        match self {
            Self::Up { .. } => Some(true),
            Self::Down(unasked) => unasked.tells().then_some(false),
        }
    }

    /// Whether it can be asked about data: it is there, and not too far behind.
    pub fn is_within(&self) -> bool {
        let within = lag::Standing::Within;
        matches!(self, Self::Up { standing, .. } if *standing == within)
    }

    /// The state of the data at the least, by the replica's own clock: what is read later in the run
    /// is not older.
    pub fn as_of(&self) -> DateTime<Utc> {
        match self {
            Self::Up { at, lag, .. } => lag::as_of(*at, lag),
            Self::Down(_) => clock::now(),
        }
    }

    /// How the connection is, as it is stored.
    pub fn status(&self, breaker: &Breaker, now: DateTime<Utc>) -> Value {
        let state = match breaker.state(now) {
            breaker::State::Closed => "closed",
            breaker::State::Tight { .. } => "tight",
            breaker::State::Open { .. } => "open",
        };
        match self {
            Self::Down(unasked) => json!({
                "run_at": now, "error": unasked.text, "code": unasked.code, "breaker": state}),
            Self::Up { lag, version, .. } => json!({
                "run_at": now, "ok_at": now, "breaker": state,
                "server_version": format!("{}.{}", version / 10_000, version % 10_000),
                "lag_ms": lag.upper_bound.map(|lag| lag.num_milliseconds())}),
        }
    }
}
