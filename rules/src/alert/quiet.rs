//! How quiet each channel is: alerts per week.
//!
//! People stop to look at 30 to 50 alerts per week and channel, so that is where a channel is called
//! noisy, and worse than noisy.
//!
//! Invariant: an alert counts once for each time that it is told as new or worse; repeats and ends
//! count as messages only. Weeks are seven days that end now, so that no Monday makes it quiet.
//! Failure: none; what is older than the weeks asked for does not count.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notify::{News, Notification};
use crate::time;

/// From so many alerts per week on, a channel is noisy.
pub const NOISY: u32 = 30;
/// Above so many, nobody looks any more.
pub const IGNORED: u32 = 50;
/// Most weeks that are looked at.
pub const WEEKS: usize = 53;

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The channel; none for the tenant's default.
    pub channel_id: Option<Uuid>,
    /// When.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// How many alerts it told as new or worse.
    pub alerts: u32,
    /// How many of these people called false alarms since.
    #[serde(default)]
    pub false_alarms: u32,
}

/// How a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChannelNoise))]
pub enum Level {
    /// People look at what comes.
    Quiet,
    /// They begin not to.
    Noisy,
    /// They do not.
    Ignored,
}

/// Seven days of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChannelWeek))]
pub struct Week {
    /// Its end; the beginning is seven days before.
    #[serde(with = "time::ms")]
    pub until: DateTime<Utc>,
    /// Alerts that were told.
    pub alerts: u32,
    /// Messages.
    pub messages: u32,
    /// Alerts that people called false.
    pub false_alarms: u32,
    /// How that is.
    pub level: Level,
}

/// The quietness of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChannelQuietness))]
pub struct Quietness {
    /// The channel; none for the tenant's default.
    pub channel_id: Option<Uuid>,
    /// How the last week was.
    pub level: Level,
    /// The weeks, the last one first.
    pub weeks: Vec<Week>,
}

/// How many alerts a message tells as new or worse.
pub fn told(notification: &Notification) -> u32 {
    let new = |news: News| matches!(news, News::Fired | News::Escalated);
    let count = notification
        .lines
        .iter()
        .filter(|line| new(line.news))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The quietness of every channel over the last weeks, the noisiest first.
pub fn channels(sent: &[Sent], weeks: usize, now: DateTime<Utc>) -> Vec<Quietness> {
    let weeks = weeks.clamp(1, WEEKS);
    let empty = || {
        let until = |week| now - TimeDelta::weeks(week);
        let week = |week| Week {
            until: until(week),
            alerts: 0,
            messages: 0,
            false_alarms: 0,
            level: Level::Quiet,
        };
        (0..).map(week).take(weeks).collect::<Vec<_>>()
    };
    let mut channels: BTreeMap<Option<Uuid>, Vec<Week>> = BTreeMap::new();
    for one in sent {
        let weeks = channels.entry(one.channel_id).or_insert_with(empty);
        let within =
            |week: &&mut Week| one.at <= week.until && week.until - one.at < TimeDelta::weeks(1);
        if let Some(week) = weeks.iter_mut().find(within) {
            week.messages = week.messages.saturating_add(1);
            week.alerts = week.alerts.saturating_add(one.alerts);
            week.false_alarms = week.false_alarms.saturating_add(one.false_alarms);
            week.level = level(week.alerts);
        }
    }
    let of = |(channel_id, weeks): (Option<Uuid>, Vec<Week>)| Quietness {
        channel_id,
        level: weeks.first().map_or(Level::Quiet, |week| week.level),
        weeks,
    };
    let mut channels: Vec<Quietness> = channels.into_iter().map(of).collect();
    channels.sort_by_key(|channel| {
        let alerts = channel.weeks.first().map_or(0, |week| week.alerts);
        (std::cmp::Reverse(alerts), channel.channel_id)
    });
    channels
}

fn level(alerts: u32) -> Level {
    match alerts {
        0..NOISY => Level::Quiet,
        NOISY..=IGNORED => Level::Noisy,
        _ => Level::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(channel: u128, hours_ago: i64, alerts: u32) -> Sent {
        Sent {
            channel_id: Some(Uuid::from_u128(channel)),
            at: now() - TimeDelta::hours(hours_ago),
            alerts,
            false_alarms: alerts.min(1),
        }
    }

    fn now() -> DateTime<Utc> {
        time::from_ms(1_760_000_000_000)
    }

    #[test]
    fn alerts_count_by_channel_and_week() {
        let week = 7 * 24;
        let log = [
            sent(1, 0, 3),
            sent(1, week - 1, 2),
            sent(1, week, 4),
            sent(1, 2 * week, 8),
            sent(2, 1, 40),
            sent(2, -1, 99),
        ];
        let channels = channels(&log, 2, now());
        let told: Vec<_> = channels
            .iter()
            .map(|one| {
                (
                    one.channel_id.unwrap().as_u128(),
                    one.weeks
                        .iter()
                        .map(|w| (w.alerts, w.messages, w.false_alarms))
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (2, vec![(40, 1, 1), (0, 0, 0)]),
                (1, vec![(5, 2, 2), (4, 1, 1)])
            ]
        );
        assert_eq!(
            (channels[0].level, channels[1].level),
            (Level::Noisy, Level::Quiet)
        );
        assert_eq!(channels[0].weeks[1].until, now() - TimeDelta::weeks(1));
    }

    #[test]
    fn a_channel_is_noisy_from_thirty_and_ignored_above_fifty() {
        for (alerts, expected) in [
            (0, Level::Quiet),
            (29, Level::Quiet),
            (30, Level::Noisy),
            (50, Level::Noisy),
            (51, Level::Ignored),
        ] {
            assert_eq!(
                channels(&[sent(1, 1, alerts)], 1, now())[0].level,
                expected,
                "{alerts}"
            );
        }
    }
}
