//! How far a replica is behind, as an upper bound, and the moment it therefore shows at the least.
//!
//! Two ways to ask are popular and wrong. `now() - pg_last_xact_replay_timestamp()` grows for ever
//! while the primary is idle. "All that was received is replayed, so the lag is zero" hides a cut
//! link. So: where all is replayed *and* the receiver is streaming, the replica was whole when the
//! last message came, which keep-alives bring at least every 30 seconds; otherwise it is as old as
//! the last transaction it replayed.
//!
//! Invariant: the bound is never below the true lag, given that the clocks of the servers agree; all
//! times are those of the replica. An idle primary is never over a limit of a minute or more; a cut
//! or paused replica is once the limit has passed.
//! Failure: without `pg_read_all_stats` the receiver cannot be seen: [`Why::Blind`], which is neither
//! alarmed about as lag nor trusted.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;
use crate::time;

/// The least limit: keep-alives of an idle primary are up to 30 seconds apart.
pub const LEAST_LIMIT: u32 = 60;
/// The greatest.
pub const GREATEST_LIMIT: u32 = 86_400;
/// The limit unless another is set, in seconds.
pub const USUAL_LIMIT: u32 = 300;

/// What is known of where a replica is. [`super::session::POSITION`] asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// `pg_is_in_recovery()`.
    pub recovery: bool,
    /// `pg_last_wal_receive_lsn()`.
    pub receive_lsn: Option<String>,
    /// `pg_last_wal_replay_lsn()`.
    pub replay_lsn: Option<String>,
    /// There is a row in `pg_stat_wal_receiver`.
    pub receiver: bool,
    /// Its `status`; none when the role may not see it.
    pub receiver_status: Option<String>,
    /// Its `last_msg_receipt_time`.
    #[serde(with = "time::ms_option", default)]
    pub last_msg_receipt: Option<DateTime<Utc>>,
    /// `pg_last_xact_replay_timestamp()`.
    #[serde(with = "time::ms_option", default)]
    pub last_replay: Option<DateTime<Utc>>,
    /// `pg_is_wal_replay_paused()`.
    pub paused: bool,
    /// What the clock of the replica shows.
    #[serde(with = "time::ms")]
    pub now: DateTime<Utc>,
    /// `replica_lag_in_msec` of Aurora, which has no receiver.
    pub aurora_lag_ms: Option<f64>,
}

/// What the bound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LagReason))]
pub enum Why {
    /// It is no replica: nothing is behind.
    Primary,
    /// Aurora says so.
    Aurora,
    /// All that came is replayed, and the primary is heard from.
    Streaming,
    /// Some of what came is not replayed yet.
    Replaying,
    /// Replay is paused.
    Paused,
    /// Nothing comes from the primary.
    Cut,
    /// The role may not see whether anything comes.
    Blind,
}

/// How far behind a replica is at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// At most this; none when nothing is known.
    #[serde(with = "millis")]
    pub upper_bound: Option<TimeDelta>,
    /// What that comes from.
    pub why: Why,
}

/// What follows for the checks and for the alert about the lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Within the limit: data is judged.
    Within,
    /// Over the limit: judging data is inconclusive, and there is one alert about the lag.
    Over,
    /// Nobody can tell: judging data is inconclusive, and the connection lacks a grant.
    Blind,
}

/// How far behind a replica is.
pub fn lag(position: &Position) -> Lag {
    let since = |at: DateTime<Utc>| (position.now - at).max(TimeDelta::zero());
    if !position.recovery {
        return of(Some(TimeDelta::zero()), Why::Primary);
    }
    if let Some(millis) = position.aurora_lag_ms.filter(|millis| millis.is_finite()) {
        let millis = millis.clamp(0.0, 1.0e12).ceil();
        return of(Some(TimeDelta::milliseconds(millis as i64)), Why::Aurora);
    }
    let whole = position.receive_lsn.is_some() && position.receive_lsn == position.replay_lsn;
    let streaming = position.receiver_status.as_deref() == Some("streaming");
    if let (true, true, Some(heard)) = (whole, streaming, position.last_msg_receipt) {
        return of(Some(since(heard)), Why::Streaming);
    }
    let replayed = position.last_replay.map(since);
    let blind = position.receiver && position.receiver_status.is_none();
    let why = match () {
        () if position.paused => Why::Paused,
        // What is not replayed is behind, whoever sends.
        () if streaming => Why::Replaying,
        () if blind && whole => Why::Blind,
        () if blind => Why::Replaying,
        () => Why::Cut,
    };
    of(replayed, why)
}

fn of(upper_bound: Option<TimeDelta>, why: Why) -> Lag {
    Lag { upper_bound, why }
}

/// The moment that the replica shows at the least: everything older is there.
pub fn as_of(now: DateTime<Utc>, lag: &Lag) -> DateTime<Utc> {
    let behind = lag.upper_bound.unwrap_or_default();
    now.checked_sub_signed(behind).unwrap_or(now)
}

/// What follows from a lag. A limit that is reached is kept.
pub fn standing(lag: &Lag, limit: TimeDelta) -> Standing {
    match (lag.why, lag.upper_bound) {
        (_, Some(bound)) if bound <= limit => Standing::Within,
        (Why::Blind, _) => Standing::Blind,
        (_, Some(_)) => Standing::Over,
        // A standby that never replayed a transaction: it has just been made, or it is cut.
        (_, None) => Standing::Over,
    }
}

/// The limit of a connection, in seconds.
pub fn limit(pointer: &str, seconds: Option<u32>) -> Result<u32, Invalid> {
    match seconds.unwrap_or(USUAL_LIMIT) {
        seconds @ LEAST_LIMIT..=GREATEST_LIMIT => Ok(seconds),
        _ => Err(Invalid::one(
            pointer,
            "out_of_range",
            format!(
                "Must be {LEAST_LIMIT} to {GREATEST_LIMIT} seconds: an idle primary is heard from \
                 every 30."
            ),
        )),
    }
}

/// A stretch of time in milliseconds.
mod millis {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &Option<TimeDelta>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.num_milliseconds()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TimeDelta>, D::Error> {
        let millis = Option::<i64>::deserialize(from)?;
        Ok(millis.and_then(TimeDelta::try_milliseconds))
    }
}
