//! When to try again.
//!
//! Invariant: a wait lies between [`LEAST`] and the step's longest, drawn evenly (full jitter), and
//! is never shorter than what the receiver asked for.
//! Failure: behind the last step there is no next attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait before each retry of an event, in seconds: nine attempts within 28 hours.
pub const EVENTS: &[u64] = &[
    5,
    30,
    5 * 60,
    30 * 60,
    2 * 3_600,
    5 * 3_600,
    10 * 3_600,
    10 * 3_600,
];
/// The same of a message, doubled from a minute to an hour: ten attempts within five hours.
pub const MESSAGES: &[u64] = &[60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600];
/// The shortest wait.
pub const LEAST: Duration = Duration::from_secs(1);
/// The longest wait a receiver can ask for.
pub const MOST: Duration = Duration::from_secs(24 * 3_600);

/// The wait before the retry that follows `step` earlier ones; none when it was the last. `random`
/// is any number, evenly drawn.
pub fn delay(
    schedule: &[u64],
    step: usize,
    random: u64,
    asked: Option<Duration>,
) -> Option<Duration> {
    let longest = schedule.get(step)? * 1_000;
    let drawn = Duration::from_millis(random % longest + 1).max(LEAST);
    Some(drawn.max(asked.unwrap_or_default().min(MOST)))
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date. One that is neither is ignored.
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)).min(MOST));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    Some((until - now).to_std().unwrap_or_default().min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_drawn_from_the_whole_step_and_end_with_the_last() {
        for schedule in [EVENTS, MESSAGES] {
            for (step, longest) in schedule.iter().enumerate() {
                let all = (0..10_000).map(|n| n * 7_919);
                let waits: Vec<_> = all
                    .map(|random| delay(schedule, step, random, None).unwrap())
                    .collect();
                let longest = Duration::from_secs(*longest);
                assert!(waits.iter().all(|wait| (LEAST..=longest).contains(wait)));
                let late = waits.iter().filter(|wait| **wait > longest / 2).count();
                assert!((3_000..=7_000).contains(&late), "step {step}: {late}");
                let random = longest.as_millis() as u64 - 1;
                assert_eq!(delay(schedule, step, random, None), Some(longest));
            }
            assert_eq!(delay(schedule, schedule.len(), 1, None), None);
            assert_eq!(delay(schedule, usize::MAX, 1, Some(MOST)), None);
        }
    }

    #[test]
    fn messages_are_given_up_within_five_hours_and_events_within_28() {
        let total = |schedule: &[u64]| schedule.iter().sum::<u64>();
        assert_eq!(total(MESSAGES).div_ceil(3_600), 5);
        assert_eq!(total(EVENTS).div_ceil(3_600), 28);
        assert!(
            MESSAGES
                .iter()
                .all(|longest| (60..=3_600).contains(longest))
        );
    }

    #[test]
    fn what_the_receiver_asks_for_is_the_least() {
        let asked = Duration::from_secs(120);
        assert_eq!(delay(EVENTS, 0, 0, Some(asked)), Some(asked));
        assert_eq!(delay(EVENTS, 0, 0, Some(Duration::ZERO)), Some(LEAST));
        assert_eq!(delay(EVENTS, 0, 0, Some(Duration::MAX)), Some(MOST));
        assert!(delay(EVENTS, 7, u64::MAX, Some(asked)) >= Some(asked));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-06-01T18:30:00Z".parse().unwrap();
        let seconds = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        assert_eq!(seconds("Mon, 01 Jun 2026 18:31:30 GMT"), Some(90));
        assert_eq!(seconds("Mon, 01 Jun 2026 18:00:00 GMT"), Some(0));
        for bad in ["", "-5", "1.5", "soon", "2026-06-01T18:31:30Z", "+3"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
