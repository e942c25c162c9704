//! The times of a day in words.
//!
//! Invariant: says of every time whether it is one of them; what is even is told as a rhythm, what
//! is short as a list.
//! Failure: none.

use super::super::calendar::Times;
use super::words::{bits, list, minute, runs, spans, step};

/// More times than this are not listed one by one.
const MOST_LISTED: usize = 12;

/// Times in words.
pub(super) enum Phrase {
    /// The whole day in one rhythm: `every 15 minutes`.
    AllDay(String),
    /// A part of the day in a rhythm: `every hour from 09:00 to 17:00`.
    Within(String),
    /// `at 09:00`.
    At(String),
}

pub(super) fn phrase(times: &Times) -> Phrase {
    let minutes = bits(times.minutes);
    let hours = bits(times.hours.into());
    if hours.len() == 24 {
        return Phrase::AllDay(every_hour(&minutes));
    }
    let count = minutes.len() * hours.len();
    if let [only] = minutes.as_slice() {
        if let Some(phrase) = rhythm_of_hours(*only, &hours) {
            return phrase;
        }
    } else if (minutes.len() >= 4 || count > 6)
        && let Some(phrase) = rhythm_of_minutes(&minutes, &hours)
    {
        return phrase;
    }
    if count <= MOST_LISTED {
        let times = hours
            .iter()
            .flat_map(|hour| minutes.iter().map(move |within| hour * 60 + within));
        let times: Vec<_> = times.map(minute).collect();
        return Phrase::At(format!("at {}", list(&times)));
    }
    let hours = spans(&hours, |hour| format!("{hour:02}"));
    Phrase::At(format!("at {} of the hours {hours}", of_hour(&minutes)))
}

fn every_hour(minutes: &[u32]) -> String {
    match minutes {
        [0] => "every hour".to_owned(),
        [one] => format!("every hour at minute {one}"),
        _ if minutes.len() == 60 => "every minute".to_owned(),
        [first, ..] => match even(minutes, 60) {
            Some(step) if *first == 0 => format!("every {step} minutes"),
            Some(step) => format!("every {step} minutes from minute {first} of each hour"),
            None => format!("at {} of every hour", of_hour(minutes)),
        },
        [] => String::new(),
    }
}

/// One minute of several hours, when they follow each other evenly.
fn rhythm_of_hours(within: u32, hours: &[u32]) -> Option<Phrase> {
    let at = |hour: &u32| minute(hour * 60 + within);
    if hours.len() < 4 {
        return None;
    }
    let (first, last) = (hours.first()?, hours.last()?);
    if let Some(step) = even(hours, 24)
        && step > 1
    {
        let begins = match (first, within) {
            (0, 0) => String::new(),
            _ => format!(" from {}", at(first)),
        };
        return Some(Phrase::AllDay(format!("every {step} hours{begins}")));
    }
    let every = match step(hours)? {
        1 => "every hour".to_owned(),
        // A list says more than a rhythm that does not fill the day.
        _ if hours.len() <= 6 => return None,
        step => format!("every {step} hours"),
    };
    let (first, last) = (at(first), at(last));
    Some(Phrase::Within(format!("{every} from {first} to {last}")))
}

/// Minutes that follow each other evenly, in a few runs of hours.
fn rhythm_of_minutes(minutes: &[u32], hours: &[u32]) -> Option<Phrase> {
    let (first, last) = (minutes.first()?, minutes.last()?);
    let runs = runs(hours);
    let single = runs.iter().all(|(first, last)| first == last);
    let every = match step(minutes)? {
        1 if minutes.len() == 60 || single => "every minute".to_owned(),
        step if even(minutes, 60).is_some() || single => format!("every {step} minutes"),
        _ => return None,
    };
    if runs.len() > 3 {
        return None;
    }
    let spans = runs.iter().map(|(from, to)| {
        format!(
            "from {} to {}",
            minute(from * 60 + first),
            minute(to * 60 + last)
        )
    });
    let spans: Vec<_> = spans.collect();
    Some(Phrase::Within(format!("{every} {}", list(&spans))))
}

/// `minutes 0 and 7`.
fn of_hour(minutes: &[u32]) -> String {
    let word = if minutes.len() == 1 {
        "minute"
    } else {
        "minutes"
    };
    format!("{word} {}", spans(minutes, |minute| minute.to_string()))
}

/// The step of numbers that come round evenly when the count starts again.
fn even(numbers: &[u32], size: u32) -> Option<u32> {
    let (first, count) = (numbers.first()?, u32::try_from(numbers.len()).ok()?);
    let step = match numbers {
        [one, other] => other - one,
        _ => step(numbers)?,
    };
    (step * count == size && *first < step).then_some(step)
}
