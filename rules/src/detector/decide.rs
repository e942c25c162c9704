//! What a score means: the rules, for every sensitivity.
//!
//! Invariant: one value outside the band is only suspected, unless it is very far out or nothing
//! came where many were expected; what fires stays so until it is near the centre again.
//! Failure: none.

use chrono::{DateTime, Utc};

use super::baseline::Seen;
use super::explanation::{
    Band, Direction, Outcome, Rule, Said, Sensitivities, Thresholds, Widened,
};
use super::guards::{Guards, Habit};
use super::{Kind, Sensitivity, Streak};

/// One alone counts from twice as far.
const STRONG: f64 = 2.0;
/// For shares three times: of how few rows they are is not known.
const STRONG_SHARE: f64 = 3.0;
/// Six in a row count from seven tenths as far, on average.
const SUSTAIN: f64 = 0.7;
/// What fires holds from half as far.
const HOLD: f64 = 0.5;
/// Nothing in several buckets takes more expected rows than nothing in one.
const SEVERAL: f64 = 4.0 / 3.0;

/// What was decided.
pub(super) struct Decided {
    pub said: Sensitivities,
    pub widened: Vec<Widened>,
}

/// Decides for every sensitivity, and takes the value into the streak.
pub(super) fn all(
    seen: &Seen,
    guards: &Guards,
    streak: &mut Streak,
    at: DateTime<Utc>,
    learning: Option<Outcome>,
) -> Decided {
    if seen.value.is_finite() {
        let counts = seen.expected.iter().any(|one| one.kind == Kind::Count);
        let nothing = counts && seen.value <= 0.0;
        streak.push(at, seen.score, nothing.then_some(seen.missed));
    }
    let direction = Direction::of(seen.score);
    let forgiven = guards.forgiven(direction, seen.hour);
    let said = Sensitivity::ALL
        .map(|sensitivity| one(seen, guards, forgiven, streak, sensitivity, learning));
    for (said, firing) in said.iter().zip(&mut streak.firing) {
        *firing = match said.outcome {
            Outcome::Anomalous { direction } => Some(direction),
            _ => None,
        };
    }
    let [low, medium, high] = said;
    let mut widened = Vec::new();
    if guards.habit(direction).pair > base(Sensitivity::Medium) {
        widened.push(Widened::Habit);
    }
    if forgiven.is_some() {
        widened.push(Widened::FalseAlarm);
    }
    Decided {
        said: Sensitivities { low, medium, high },
        widened,
    }
}

/// The scores outside of which two in a row count.
fn base(sensitivity: Sensitivity) -> f64 {
    match sensitivity {
        Sensitivity::Low => 6.0,
        Sensitivity::Medium => 4.5,
        Sensitivity::High => 3.5,
    }
}

/// How many rows must be missing for nothing to be strange.
fn missing(sensitivity: Sensitivity) -> f64 {
    match sensitivity {
        Sensitivity::Low => 14.0,
        Sensitivity::Medium => 9.0,
        Sensitivity::High => 7.0,
    }
}

/// From where a sensitivity fires, in one direction.
fn thresholds(
    seen: &Seen,
    sensitivity: Sensitivity,
    habit: Habit,
    forgiven: Option<Habit>,
) -> Thresholds {
    let base = base(sensitivity);
    let share = seen.expected.iter().any(|one| one.kind == Kind::Rate);
    let strong = if share { STRONG_SHARE } else { STRONG };
    let forgiven = forgiven.unwrap_or_default();
    Thresholds {
        confirm: base.max(habit.pair).max(forgiven.pair),
        strong: (strong * base).max(habit.one).max(forgiven.one),
        sustain: (SUSTAIN * base).max(habit.six).max(forgiven.six),
        zero: missing(sensitivity).max(habit.zero).max(forgiven.zero),
    }
}

/// The band of a sensitivity: around every expectation.
fn band(seen: &Seen, guards: &Guards, sensitivity: Sensitivity) -> Band {
    let by = |direction| {
        let forgiven = guards.forgiven(direction, seen.hour);
        thresholds(seen, sensitivity, guards.habit(direction), forgiven).confirm
    };
    let (below, above) = (by(Direction::Down), by(Direction::Up));
    let mut bands = seen
        .expected
        .iter()
        .map(|expected| expected.band(below, above));
    let first = bands.next().unwrap_or(Band {
        center: seen.value,
        low: seen.value,
        high: seen.value,
    });
    bands.fold(first, |band, other| Band {
        center: band.center,
        low: band.low.min(other.low),
        high: band.high.max(other.high),
    })
}

fn one(
    seen: &Seen,
    guards: &Guards,
    forgiven: Option<Habit>,
    streak: &Streak,
    sensitivity: Sensitivity,
    learning: Option<Outcome>,
) -> Said {
    let direction = Direction::of(seen.score);
    let thresholds = thresholds(seen, sensitivity, guards.habit(direction), forgiven);
    let outcome = |outcome, rule| Said {
        outcome,
        rule,
        band: band(seen, guards, sensitivity),
        thresholds,
    };
    if let Some(learning) = learning {
        return outcome(learning, None);
    }
    let far = seen.score.abs();
    let several = if streak.empty > 1 { SEVERAL } else { 1.0 };
    let held = streak.firing(sensitivity) == Some(direction);
    let rule = if streak.missed >= thresholds.zero * several {
        Some(Rule::Zero)
    } else if far >= thresholds.strong {
        Some(Rule::Strong)
    } else if streak.pair(direction) >= thresholds.confirm {
        Some(Rule::Confirmed)
    } else if streak.six(direction) >= thresholds.sustain {
        Some(Rule::Sustained)
    } else if held && far >= thresholds.confirm * HOLD {
        Some(Rule::Held)
    } else {
        None
    };
    match rule {
        Some(_) => outcome(Outcome::Anomalous { direction }, rule),
        None if far >= thresholds.confirm => outcome(Outcome::Suspect, None),
        None => outcome(Outcome::Normal, None),
    }
}
