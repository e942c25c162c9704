//! One run: when it is, what the clock shows, and what a change of the clock did to it.
//!
//! Invariant: a note is there exactly when the time of the run is skipped or comes twice.
//! Failure: none.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::describe::words::{clock, day};
use super::timeline::{Found, Stretch, Timeline};
use crate::time;

/// How wall times are written.
const WALL: &str = "%Y-%m-%dT%H:%M:%S";

/// A run of an expression in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Run {
    /// The instant.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// What the clock shows then, with its offset: `2027-03-14T03:00:00-04:00`.
    pub local: String,
    /// The time by the expression: `2027-03-14T02:30:00`. It differs from what the clock shows
    /// where the clock skips it.
    pub nominal: String,
    /// What a change of the clock does to it.
    pub note: Option<Note>,
}

/// What a change of the clock does to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunNote))]
pub struct Note {
    /// Which of the four things it is.
    pub kind: NoteKind,
    /// One sentence for a person.
    pub text: String,
}

/// The kinds of notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunNoteKind))]
pub enum NoteKind {
    /// The time does not exist: it runs once, when the clock is past it.
    Moved,
    /// The time comes twice: it runs the first time only.
    FirstOnly,
    /// The time comes twice and runs both times; this is the first.
    FirstPass,
    /// This is the second.
    SecondPass,
}

/// What was found, told for people.
pub(super) fn of(timeline: &Timeline<'_>, found: Found) -> Run {
    let stretch = Stretch::of(timeline.zone, found.at);
    Run {
        at: found.at,
        local: format!(
            "{}{}",
            stretch.wall(found.at).format(WALL),
            offset(&stretch)
        ),
        nominal: found.wall.format(WALL).to_string(),
        note: note(timeline, &stretch, found),
    }
}

fn note(timeline: &Timeline<'_>, stretch: &Stretch, found: Found) -> Option<Note> {
    let (time, date) = (clock(found.wall.time()), day(found.wall.date()));
    let shown = stretch.wall(found.at);
    let (kind, text) = if shown != found.wall {
        let runs = match shown.date() == found.wall.date() {
            true => clock(shown.time()),
            false => format!("{} on {}", clock(shown.time()), day(shown.date())),
        };
        (
            NoteKind::Moved,
            format!("{time} does not exist on {date}; it runs at {runs}."),
        )
    } else if stretch.reached.is_some_and(|reached| shown < reached) {
        (
            NoteKind::SecondPass,
            format!("{time} comes twice on {date} and runs both times; this is the second."),
        )
    } else if comes_again(timeline, stretch, shown) && timeline.fixed {
        (
            NoteKind::FirstOnly,
            format!("{time} comes twice on {date}; it runs the first time only."),
        )
    } else if comes_again(timeline, stretch, shown) {
        (
            NoteKind::FirstPass,
            format!("{time} comes twice on {date} and runs both times; this is the first."),
        )
    } else {
        return None;
    };
    Some(Note { kind, text })
}

/// Whether the clock is set back to before this, once the stretch is over.
fn comes_again(timeline: &Timeline<'_>, stretch: &Stretch, shown: NaiveDateTime) -> bool {
    let next = timeline.zone.span(stretch.until);
    shown >= (stretch.until + next.offset).naive_utc()
}

/// `-04:00`. Offsets of long ago have seconds, which are left out.
fn offset(stretch: &Stretch) -> String {
    let minutes = stretch.offset.num_minutes();
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}
