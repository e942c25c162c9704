//! Figures that share what stands behind the second of them: `5–7 %`, `20 to 26 November`.
//!
//! Invariant: only what a word or a dash of a range joins.
//! Failure: none.

use super::Unit;
use super::around::times;
use super::dates::{self, Time};
use super::scan::{Found, Number, What};

/// In `5–7 %` and `from 5 to 7 million` the first number is of the unit of the second.
pub fn units(text: &str, found: &mut [Found]) {
    for at in 1..found.len() {
        let (Some(one), Some(other)) = (found.get(at - 1), found.get(at)) else {
            continue;
        };
        let between = text.get(one.end..other.start).unwrap_or_default().trim();
        if !matches!(
            between,
            "–" | "—" | "-" | "to" | "and" | "or" | "bis" | "und"
        ) {
            continue;
        }
        let What::Number(first) = &one.kind else {
            continue;
        };
        let second = match &other.kind {
            What::Number(second) => second,
            What::Time(time) => {
                let day = day_before(first, time);
                if let (Some(day), Some(one)) = (day, found.get_mut(at - 1)) {
                    one.kind = What::Time(Time {
                        end: one.end,
                        ..day
                    });
                }
                continue;
            }
        };
        if first.unit != Unit::Plain || first.seconds.is_some() {
            continue;
        }
        let mut shared = first.clone();
        shared.unit = second.unit.clone();
        shared.seconds = second.seconds;
        shared.period |= second.period;
        if let (Some(reading), true) = (second.readings.first(), first.readings.len() == 1) {
            let by = [1e3, 1e6, 1e9].into_iter().find(|by| {
                reading.step >= *by * 1e-4
                    && reading.value >= *by
                    && text
                        .get(other.start..other.end)
                        .is_some_and(|text| text.contains(char::is_alphabetic))
            });
            let more = by.and_then(|by| first.readings.first().map(|reading| times(*reading, by)));
            shared.readings.extend(more);
        }
        if let Some(one) = found.get_mut(at - 1) {
            one.kind = What::Number(shared);
        }
    }
}

/// `20` in `20 to 26 November`.
fn day_before(first: &Number, time: &Time) -> Option<Time> {
    let reading = first.readings.first()?;
    let whole = first.unit == Unit::Plain && (1.0..=31.0).contains(&reading.value);
    let day = (1..=31u32).find(|day| whole && f64::from(*day) == reading.value)?;
    let last = time.days.first().filter(|last| last.day.is_some())?;
    Some(Time {
        end: 0,
        days: vec![dates::Day {
            day: Some(day),
            ..*last
        }],
        clock: None,
    })
}
