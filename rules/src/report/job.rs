//! What follows from an attempt at a report that failed.
//!
//! Invariant: a stage is tried [`MOST`] times at most; waits double from one minute to one hour and
//! are drawn evenly (full jitter), never shorter than what the other side asked for.
//! Failure: behind the last attempt, and for what will not change by waiting, there is none.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Dataset, Flaw, condition, is_empty};

/// Attempts at one stage.
pub const MOST: u32 = 8;
/// The longest wait before the first retry.
pub const FIRST: Duration = Duration::from_secs(60);
/// The longest wait before any.
pub const LONGEST: Duration = Duration::from_secs(3_600);
/// The shortest wait.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait that the other side can ask for.
pub const ASKED: Duration = Duration::from_secs(24 * 3_600);

/// Where a job stands in its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportStage))]
pub enum Stage {
    /// The report is written.
    Generate,
    /// It is made into a message.
    Render,
    /// It is handed over to delivery.
    Deliver,
}

/// Why a report that was written is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportSkipped))]
pub enum Skipped {
    /// There was nothing to report.
    Empty,
    /// The condition of the report did not hold.
    Condition,
    /// Nobody is to get it.
    NoRecipients,
    /// The run was made without delivery.
    DeliveryOff,
}

/// The wait before the attempt that follows `step` ones at the same stage; none when it was the last.
/// `random` is any number, evenly drawn.
pub fn delay(step: u32, random: u64, asked: Option<Duration>) -> Option<Duration> {
    if step >= MOST {
        return None;
    }
    let longest = FIRST
        .saturating_mul(
            1_u32
                .checked_shl(step.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(LONGEST);
    let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    let drawn = Duration::from_millis(random % millis.max(1) + 1).max(SHORTEST);
    Some(drawn.max(asked.unwrap_or_default().min(ASKED)))
}

/// Whether what was found is worth sending. A condition that the data cannot answer keeps nothing
/// back, because who waits for a report must not miss it for a renamed column; it is told.
pub fn skipped(
    data: &[Dataset],
    skip_if_empty: bool,
    send_if: Option<&str>,
) -> Result<Option<Skipped>, Flaw> {
    if skip_if_empty && is_empty(data) {
        return Ok(Some(Skipped::Empty));
    }
    let Some(text) = send_if else {
        return Ok(None);
    };
    let holds = condition::parse(text)?.holds(data)?;
    Ok((!holds).then_some(Skipped::Condition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_minute_to_an_hour_and_are_drawn_from_the_whole() {
        for (step, longest) in [(1, 60), (2, 120), (3, 240), (6, 1_920), (7, 3_600)] {
            let longest = Duration::from_secs(longest);
            let all = (0..10_000).map(|n| delay(step, n * 7_919, None).unwrap());
            let waits: Vec<_> = all.collect();
            assert!(waits.iter().all(|wait| (SHORTEST..=longest).contains(wait)));
            let late = waits.iter().filter(|wait| **wait > longest / 2).count();
            assert!((3_000..=7_000).contains(&late), "step {step}: {late}");
        }
        assert_eq!(delay(MOST, 1, None), None);
        assert_eq!(delay(u32::MAX, 1, Some(ASKED)), None);
    }

    #[test]
    fn what_the_other_side_asks_for_is_the_least() {
        let asked = Duration::from_secs(7_200);
        assert_eq!(delay(1, 0, Some(asked)), Some(asked));
        assert_eq!(delay(1, 0, Some(Duration::MAX)), Some(ASKED));
        assert_eq!(delay(1, 0, Some(Duration::ZERO)), Some(SHORTEST));
    }

    #[test]
    fn a_report_about_nothing_is_skipped_only_when_asked_to() {
        assert_eq!(skipped(&[], true, None), Ok(Some(Skipped::Empty)));
        assert_eq!(skipped(&[], false, None), Ok(None));
    }
}
