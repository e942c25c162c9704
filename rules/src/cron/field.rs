//! The five fields: which numbers, names and signs each of them takes.
//!
//! Invariant: a name means something in one field only; a range runs upwards; a step needs a `*` or
//! a range to step through and is not larger than the field.
//! Failure: a [`Fault`] that says what is wrong with one item.

/// One field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    Date,
    Month,
    Weekday,
}

/// Why an item is refused: the stable code, and the fault in a few words.
pub(super) type Fault = (&'static str, String);

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "Minute",
            Self::Hour => "Hour",
            Self::Date => "Day of month",
            Self::Month => "Month",
            Self::Weekday => "Day of week",
        }
    }

    /// What it takes, for a person whose input it did not take.
    pub(super) const fn takes(self) -> &'static str {
        match self {
            Self::Minute => "It takes 0 to 59, *, ranges (0-29), steps (*/15) and lists (0,30).",
            Self::Hour => "It takes 0 to 23, *, ranges (9-17), steps (*/2) and lists (9,17).",
            Self::Date => {
                "It takes 1 to 31, *, ranges (1-7), steps (*/2), lists (1,15), L (last day), \
                 LW (last weekday) and 15W (weekday nearest to the 15th)."
            }
            Self::Month => {
                "It takes 1 to 12 or JAN to DEC, *, ranges (1-3), steps (*/3) and lists (JAN,JUL)."
            }
            Self::Weekday => {
                "It takes 0 to 7 (0 and 7 are Sunday) or SUN to SAT, *, ranges (1-5), steps (*/2), \
                 lists (MON,FRI), 5#2 (second Friday), 5L (last Friday), and + in front to require \
                 the day of month as well."
            }
        }
    }

    /// Least and greatest number.
    pub(super) const fn bounds(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Date => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    /// The largest step, which is how many different values there are.
    const fn size(self) -> u32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 24,
            Self::Date => 31,
            Self::Month => 12,
            Self::Weekday => 7,
        }
    }

    /// Its names and the number of the first of them.
    const fn names(self) -> (&'static [&'static str], u32) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            _ => (&[], 0),
        }
    }

    /// The numbers of one item as bits: `*`, `*/n`, `a`, `a-b`, `a-b/n`.
    pub(super) fn numbers(self, item: &str) -> Result<u64, Fault> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => self.bounds(),
            Some((low, high)) => self.range(item, low, high)?,
            None if step.is_some() => {
                let hint = format!("{item:?} steps from a single value; write a range such as ");
                let (_, most) = self.bounds();
                return Err(("cron_step", format!("{hint}{range}-{most}/n or */n.")));
            }
            None => {
                let value = self.value(range)?;
                (value, value)
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        let bits = (low..=high).step_by(step);
        Ok(bits.fold(0, |bits, number| bits | 1 << number))
    }

    fn range(self, item: &str, low: &str, high: &str) -> Result<(u32, u32), Fault> {
        let (first, mut last) = (self.value(low)?, self.value(high)?);
        // Sunday ends a week that did not begin with it.
        if self == Self::Weekday && last == 0 && first > 0 && high.eq_ignore_ascii_case("SUN") {
            last = 7;
        }
        match first <= last {
            true => Ok((first, last)),
            false => Err((
                "cron_range",
                format!("{item:?} runs backwards; write the smaller end first, or two ranges."),
            )),
        }
    }

    fn step(self, item: &str, text: &str) -> Result<u32, Fault> {
        match number(text) {
            Some(step) if (1..=self.size()).contains(&step) => Ok(step),
            _ => Err((
                "cron_step",
                format!("the step of {item:?} must be 1 to {}.", self.size()),
            )),
        }
    }

    /// A number within the bounds, or a name of this field.
    pub(super) fn value(self, text: &str) -> Result<u32, Fault> {
        let (least, most) = self.bounds();
        if let Some(number) = number(text) {
            return match (least..=most).contains(&number) {
                true => Ok(number),
                false => Err((
                    "cron_range",
                    format!("{text} is not between {least} and {most}."),
                )),
            };
        }
        let (names, first) = self.names();
        if let Some(number) = place(names, text) {
            return Ok(first + number);
        }
        if text.is_empty() {
            return Err(("cron_value", "a value is missing.".to_owned()));
        }
        let hint = if place(&MONTHS, text).is_some() {
            "is a name of the month field."
        } else if place(&WEEKDAYS, text).is_some() {
            "is a name of the day of week field."
        } else if text.len() > 3
            && text
                .get(..3)
                .is_some_and(|three| place(names, three).is_some())
        {
            "is not known; names have three letters."
        } else if text.eq_ignore_ascii_case("H") {
            "is not known; to spread runs, switch jitter on."
        } else if self == Self::Date && text.eq_ignore_ascii_case("L") {
            "stands alone."
        } else {
            "is not known."
        };
        Err(("cron_value", format!("{text:?} {hint}")))
    }
}

/// Digits only, no sign; a number that is too large for anything is one.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

fn place(names: &[&str], text: &str) -> Option<u32> {
    let place = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))?;
    u32::try_from(place).ok()
}
