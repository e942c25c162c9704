//! Times in cells and in prose: instants, days, and times of day.
//!
//! Invariant: an instant is read in a zone before it is shown or compared; a day has no zone.
//! Failure: what is no time is none.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use crate::civil::{MONTHS, Zone};
use crate::time;

/// A time as a cell or a person gives it: a day, a time of day, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The calendar day.
    pub day: Option<NaiveDate>,
    /// The time of day.
    pub clock: Option<NaiveTime>,
}

impl Moment {
    /// Reads a cell: an RFC 3339 instant is taken to the zone's wall clock, everything else is
    /// what it says.
    pub fn read(text: &str, zone: &Zone) -> Option<Self> {
        let text = text.trim();
        if let Some(at) = time::try_parse(text) {
            return Some(Self::at(at, zone));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Self::of(day));
        }
        let both = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
        ];
        let read = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
        if let Some(at) = both.iter().find_map(read) {
            return Some(Self {
                day: Some(at.date()),
                clock: Some(at.time()),
            });
        }
        let read = |form: &&str| NaiveTime::parse_from_str(text, form).ok();
        let clock = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(read)?;
        Some(Self {
            day: None,
            clock: Some(clock),
        })
    }

    /// What the wall clock of a zone shows at an instant.
    pub fn at(at: DateTime<Utc>, zone: &Zone) -> Self {
        let (day, (_, minute)) = (zone.local_day(at), zone.weekday_and_minute(at));
        let date = NaiveDate::from_ymd_opt(
            day.year.into(),
            u32::from(day.month.unsigned_abs()),
            u32::from(day.day.unsigned_abs()),
        );
        let minute = u32::from(minute);
        Self {
            day: date,
            clock: NaiveTime::from_hms_opt(minute / 60, minute % 60, at.second()),
        }
    }

    /// A day.
    pub fn of(day: NaiveDate) -> Self {
        Self {
            day: Some(day),
            clock: None,
        }
    }

    /// For a table: `2026-11-26`, `2026-11-26 09:30`, `09:30`.
    pub fn plain(&self) -> String {
        let clock = self.clock.map(|clock| clock.format("%H:%M").to_string());
        match (self.day, clock) {
            (Some(day), Some(clock)) => format!("{day} {clock}"),
            (Some(day), None) => day.to_string(),
            (None, clock) => clock.unwrap_or_default(),
        }
    }

    /// For an axis: `26 Nov`, `26 Nov 09:30`, `09:30`.
    pub fn short(&self) -> String {
        let clock = self.clock.map(|clock| clock.format("%H:%M").to_string());
        let day = self.day.map(|day| {
            let month = month(day).get(..3).unwrap_or_default();
            format!("{} {month}", day.day())
        });
        match (day, clock) {
            (Some(day), Some(clock)) => format!("{day} {clock}"),
            (Some(day), None) => day,
            (None, clock) => clock.unwrap_or_default(),
        }
    }

    /// For prose: `26 November 2026`, `26 November 2026, 09:30`, `09:30`.
    pub fn long(&self) -> String {
        let clock = self.clock.map(|clock| clock.format("%H:%M").to_string());
        let day = self
            .day
            .map(|day| format!("{} {} {}", day.day(), month(day), day.year()));
        match (day, clock) {
            (Some(day), Some(clock)) => format!("{day}, {clock}"),
            (Some(day), None) => day,
            (None, clock) => clock.unwrap_or_default(),
        }
    }
}

fn month(day: NaiveDate) -> &'static str {
    let place = usize::try_from(day.month0()).unwrap_or_default();
    MONTHS.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_in_the_zone_of_the_schedule() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        for (cell, plain, short, long) in [
            (
                "2026-11-25T23:30:00Z",
                "2026-11-26 00:30",
                "26 Nov 00:30",
                "26 November 2026, 00:30",
            ),
            (
                "2026-11-25T23:30:00+00:00",
                "2026-11-26 00:30",
                "26 Nov 00:30",
                "26 November 2026, 00:30",
            ),
            ("2026-11-26", "2026-11-26", "26 Nov", "26 November 2026"),
            (
                "2026-11-26T09:30:00",
                "2026-11-26 09:30",
                "26 Nov 09:30",
                "26 November 2026, 09:30",
            ),
            (
                "2026-11-26 09:30:00.5",
                "2026-11-26 09:30",
                "26 Nov 09:30",
                "26 November 2026, 09:30",
            ),
            ("09:30:00", "09:30", "09:30", "09:30"),
        ] {
            let read = Moment::read(cell, &berlin).unwrap();
            assert_eq!(
                (
                    read.plain().as_str(),
                    read.short().as_str(),
                    read.long().as_str()
                ),
                (plain, short, long),
                "{cell}"
            );
        }
        for no in ["", "North", "2026-13-01", "12", "2026"] {
            assert_eq!(Moment::read(no, &berlin), None, "{no}");
        }
    }
}
