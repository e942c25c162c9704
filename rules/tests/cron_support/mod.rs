//! Support of the cron tests: seeded chance, random expressions, and a matcher that reads nothing.
//!
//! Invariant: an expression is made as items first and as text from them, so what it should match
//! is known without the parser that is tested.
//! Failure: the helpers panic; they are only used in tests.
#![allow(dead_code, missing_docs)]

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// Zones with every kind of change, and with none.
pub const ZONES: [&str; 42] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "Africa/Lagos",
    "America/Asuncion",
    "America/Caracas",
    "America/Havana",
    "America/Los_Angeles",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "America/Vancouver",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Almaty",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Volgograd",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Fakaofo",
    "Pacific/Kiritimati",
];

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Both ends included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high - low) + 1) as u32
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect(text)
}

/// One item of a field.
#[derive(Clone, Debug)]
pub enum Item {
    Star,
    Steps(u32),
    One(u32),
    Range(u32, u32, u32),
    LastDay,
    LastWeekday,
    Nearest(u32),
    Nth(u32, u32),
    Last(u32),
}

/// An expression that knows what it matches.
#[derive(Clone, Debug)]
pub struct Spec {
    pub text: String,
    pub fields: [Vec<Item>; 5],
    pub plus: bool,
    pub fixed: bool,
}

const BOUNDS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
const MONTHS: [&str; 12] = [
    "jan", "FEB", "Mar", "APR", "may", "Jun", "JUL", "Aug", "sep", "OCT", "Nov", "dec",
];
const WEEKDAYS: [&str; 8] = ["SUN", "mon", "Tue", "WED", "thu", "Fri", "SAT", "Sun"];

/// A random expression that is likely to match something on this date, around this hour.
pub fn expression(dice: &mut Dice, near: NaiveDate, hour: u32) -> Spec {
    let hint = [
        dice.between(0, 59),
        *dice.pick(&[hour, hour, 0, 1, 2, 3, 23]),
        near.day(),
        near.month(),
        near.weekday().num_days_from_sunday(),
    ];
    // How often a field is a plain star.
    let stars = *dice.pick(&[
        [20, 30, 70, 85, 60],
        [0, 0, 60, 90, 60],
        [40, 10, 50, 80, 50],
    ]);
    let fields: [Vec<Item>; 5] = std::array::from_fn(|place| {
        if dice.chance(stars[place]) {
            return vec![Item::Star];
        }
        let count = *dice.pick(&[1, 1, 1, 2, 3]);
        (0..count).map(|_| item(dice, place, hint[place])).collect()
    });
    let plus = dice.chance(25);
    let texts: Vec<String> = (0..5)
        .map(|place| {
            let items: Vec<_> = fields[place]
                .iter()
                .map(|item| write(dice, place, item))
                .collect();
            items.join(",")
        })
        .collect();
    let fixed = !texts[0].starts_with('*') && !texts[1].starts_with('*');
    let sign = if plus { "+" } else { "" };
    let text = format!(
        "{} {} {} {} {sign}{}",
        texts[0], texts[1], texts[2], texts[3], texts[4]
    );
    Spec {
        text,
        fields,
        plus,
        fixed,
    }
}

fn item(dice: &mut Dice, place: usize, hint: u32) -> Item {
    let (low, high) = BOUNDS[place];
    let value = if dice.chance(65) {
        hint
    } else {
        dice.between(low, high)
    };
    match (place, dice.below(10)) {
        (2, 0) => Item::LastDay,
        (2, 1) => Item::LastWeekday,
        (2, 2) => Item::Nearest(value),
        (4, 0 | 1) => Item::Nth(value, dice.between(1, 5)),
        (4, 2) => Item::Last(value),
        (_, 3 | 4) => Item::Steps(dice.between(1, high.min(30))),
        (_, 5 | 6) => {
            let end = dice.between(value, high);
            let step = *dice.pick(&[1, 1, 2, 3, 7]);
            Item::Range(value, end, step.min(high))
        }
        _ => Item::One(value),
    }
}

fn write(dice: &mut Dice, place: usize, item: &Item) -> String {
    let value = |dice: &mut Dice, value: u32| match place {
        3 if dice.chance(30) => MONTHS[value as usize - 1].to_owned(),
        4 if dice.chance(30) && value < 7 => WEEKDAYS[value as usize].to_owned(),
        _ if value < 10 && dice.chance(10) => format!("0{value}"),
        _ => value.to_string(),
    };
    match *item {
        Item::Star if matches!(place, 2 | 4) && dice.chance(10) => "?".to_owned(),
        Item::Star => "*".to_owned(),
        Item::Steps(step) => format!("*/{step}"),
        Item::One(one) => value(dice, one),
        Item::Range(first, last, 1) => format!("{}-{}", value(dice, first), value(dice, last)),
        Item::Range(first, last, step) => {
            format!("{}-{}/{step}", value(dice, first), value(dice, last))
        }
        Item::LastDay => "L".to_owned(),
        Item::LastWeekday => "lw".to_owned(),
        Item::Nearest(day) => format!("{day}W"),
        Item::Nth(day, nth) => format!("{}#{nth}", value(dice, day)),
        Item::Last(day) if dice.chance(50) => format!("{}L", value(dice, day)),
        Item::Last(day) => format!("{}#L", value(dice, day)),
    }
}

impl Spec {
    /// Whether a minute of a day matches.
    pub fn at(&self, minute: u32) -> bool {
        number(&self.fields[0], 0, minute % 60) && number(&self.fields[1], 1, minute / 60)
    }

    /// Whether a date matches.
    pub fn on(&self, date: NaiveDate) -> bool {
        if !number(&self.fields[3], 3, date.month()) {
            return false;
        }
        let star = |field: &[Item]| matches!(field, [Item::Star]);
        let (dates, weekdays) = (&self.fields[2], &self.fields[4]);
        let by_date = dates.iter().any(|item| date_matches(item, date));
        let by_weekday = weekdays.iter().any(|item| weekday_matches(item, date));
        match (star(dates), star(weekdays)) {
            (false, false) if !self.plus => by_date || by_weekday,
            _ => by_date && by_weekday,
        }
    }

    /// Whether any date ever matches.
    pub fn ever(&self) -> bool {
        // Every date falls on every weekday within 28 years without a gap in the leap years.
        let days = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");
        days.iter_days().take(28 * 366).any(|date| self.on(date))
    }
}

fn number(field: &[Item], place: usize, value: u32) -> bool {
    field.iter().any(|item| {
        let (low, _) = BOUNDS[place];
        match *item {
            Item::Star => true,
            Item::Steps(step) => (value - low) % step == 0,
            Item::One(one) => one == value,
            Item::Range(first, last, step) => {
                (first..=last).contains(&value) && (value - first) % step == 0
            }
            _ => false,
        }
    })
}

fn date_matches(item: &Item, date: NaiveDate) -> bool {
    let working = |date: &NaiveDate| date.weekday().number_from_monday() <= 5;
    let month = month_of(date);
    match *item {
        Item::LastDay => month.last() == Some(&date),
        Item::LastWeekday => month.iter().rev().find(|date| working(date)) == Some(&date),
        Item::Nearest(day) => {
            let nearest = month
                .iter()
                .filter(|date| working(date))
                .min_by_key(|date| date.day().abs_diff(day));
            day <= month.len() as u32 && nearest == Some(&date)
        }
        _ => number(std::slice::from_ref(item), 2, date.day()),
    }
}

fn weekday_matches(item: &Item, date: NaiveDate) -> bool {
    let weekday = date.weekday().num_days_from_sunday();
    let same: Vec<_> = month_of(date)
        .into_iter()
        .filter(|other| other.weekday() == date.weekday())
        .collect();
    match *item {
        Item::Nth(day, nth) => day % 7 == weekday && same.get(nth as usize - 1) == Some(&date),
        Item::Last(day) => day % 7 == weekday && same.last() == Some(&date),
        Item::Range(_, _, _) | Item::One(_) => [weekday, weekday + 7]
            .iter()
            .any(|weekday| *weekday < 8 && number(std::slice::from_ref(item), 4, *weekday)),
        _ => number(std::slice::from_ref(item), 4, weekday),
    }
}

fn month_of(date: NaiveDate) -> Vec<NaiveDate> {
    let first = date.with_day(1).expect("a first");
    first
        .iter_days()
        .take_while(|other| other.month() == date.month())
        .collect()
}
