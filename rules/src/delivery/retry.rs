//! When to try again.
//!
//! Invariant: a wait lies between [`LEAST`] and the step's longest, drawn evenly (full jitter), and
//! is never shorter than what the receiver asked for.
//! Failure: behind the last step there is no next attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait before each retry, in seconds: nine attempts within 28 hours.
pub const SCHEDULE: [u64; 8] = [
    5,
    30,
    5 * 60,
    30 * 60,
    2 * 3_600,
    5 * 3_600,
    10 * 3_600,
    10 * 3_600,
];
/// The shortest wait.
pub const LEAST: Duration = Duration::from_secs(1);
/// The longest wait a receiver can ask for.
pub const MOST: Duration = Duration::from_secs(24 * 3_600);

/// The wait before the retry that follows `step` earlier ones; none when it was the last. `random`
/// is any number, evenly drawn.
pub fn delay(step: usize, random: u64, asked: Option<Duration>) -> Option<Duration> {
    let longest = SCHEDULE.get(step)? * 1_000;
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
        for (step, longest) in SCHEDULE.into_iter().enumerate() {
            let all = (0..10_000).map(|n| n * 7_919);
            let waits: Vec<_> = all
                .map(|random| delay(step, random, None).unwrap())
                .collect();
            let longest = Duration::from_secs(longest);
            assert!(waits.iter().all(|wait| (LEAST..=longest).contains(wait)));
            let late = waits.iter().filter(|wait| **wait > longest / 2).count();
            assert!((3_000..=7_000).contains(&late), "step {step}: {late}");
            assert_eq!(
                delay(step, longest.as_millis() as u64 - 1, None),
                Some(longest)
            );
        }
        assert_eq!(delay(SCHEDULE.len(), 1, None), None);
        assert_eq!(delay(usize::MAX, 1, Some(MOST)), None);
    }

    #[test]
    fn what_the_receiver_asks_for_is_the_least() {
        let asked = Duration::from_secs(120);
        assert_eq!(delay(0, 0, Some(asked)), Some(asked));
        assert_eq!(delay(0, 0, Some(Duration::ZERO)), Some(LEAST));
        assert_eq!(delay(0, 0, Some(Duration::MAX)), Some(MOST));
        assert!(delay(7, u64::MAX, Some(asked)) >= Some(asked));
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
