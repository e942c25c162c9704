//! What the numbers of a column are, told from its name: `revenue_eur`, `show_rate`, `p95_ms`.
//!
//! Invariant: a name that says nothing gives [`Measure::Plain`], which agrees with every unit but
//! percent.
//! Failure: none.

/// What a column measures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Measure {
    /// Nothing in particular.
    #[default]
    Plain,
    /// How many there are: never money, never a percentage.
    Count,
    /// A number that only names something: never added up, never shown with separators.
    Name,
    /// A percentage; its cells are hundredths (`12.3`).
    Percent,
    /// A part of a whole; its cells may be `0.123` or `12.3`.
    Ratio,
    /// Money of this currency, in its major unit.
    Money(&'static str),
    /// Money, in hundredths of a currency that the name does not say.
    Minor,
    /// A time that passes; a cell is so many seconds.
    Duration(f64),
}

/// Currencies that figures and columns may name: code and symbols.
pub const CURRENCIES: [(&str, &[&str]); 24] = [
    ("EUR", &["€", "euro", "euros"]),
    ("USD", &["$", "us$", "dollar", "dollars"]),
    ("GBP", &["£", "pound", "pounds"]),
    ("JPY", &["¥", "yen"]),
    ("CHF", &["fr.", "franc", "francs"]),
    ("CNY", &["yuan", "rmb"]),
    ("INR", &["₹", "rupee", "rupees"]),
    ("KRW", &["₩", "won"]),
    ("BRL", &["r$"]),
    ("RUB", &["₽"]),
    ("TRY", &["₺"]),
    ("UAH", &["₴"]),
    ("ILS", &["₪"]),
    ("PLN", &["zł"]),
    ("CZK", &["kč"]),
    ("SEK", &[]),
    ("NOK", &[]),
    ("DKK", &[]),
    ("CAD", &["c$", "ca$"]),
    ("AUD", &["a$", "au$"]),
    ("NZD", &["nz$"]),
    ("MXN", &[]),
    ("ZAR", &[]),
    ("HUF", &["ft"]),
];

/// Times that pass: how they are written, and how many seconds one is.
pub const DURATIONS: [(&str, f64); 22] = [
    ("ms", 0.001),
    ("msec", 0.001),
    ("millis", 0.001),
    ("millisecond", 0.001),
    ("milliseconds", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("secs", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("min", 60.0),
    ("mins", 60.0),
    ("minute", 60.0),
    ("minutes", 60.0),
    ("h", 3_600.0),
    ("hr", 3_600.0),
    ("hrs", 3_600.0),
    ("hour", 3_600.0),
    ("hours", 3_600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("days", 86_400.0),
];

const PERCENT: [&str; 5] = ["pct", "percent", "percentage", "prozent", "perc"];
const RATIO: [&str; 22] = [
    "rate",
    "ratio",
    "share",
    "quota",
    "quote",
    "margin",
    "conversion",
    "occupancy",
    "utilisation",
    "utilization",
    "proportion",
    "fraction",
    "growth",
    "change",
    "churn",
    "uptime",
    "availability",
    "ctr",
    "anteil",
    "delta",
    "attendance",
    "turnout",
];
const COUNT: [&str; 40] = [
    "count",
    "counts",
    "orders",
    "guests",
    "users",
    "visitors",
    "visits",
    "scans",
    "sessions",
    "jobs",
    "rows",
    "qty",
    "quantity",
    "number",
    "num",
    "items",
    "tickets",
    "people",
    "arrivals",
    "entries",
    "exits",
    "refusals",
    "refused",
    "accepted",
    "duplicates",
    "failed",
    "failures",
    "errors",
    "attempts",
    "deliveries",
    "messages",
    "reports",
    "runs",
    "customers",
    "units",
    "events",
    "signups",
    "cases",
    "alerts",
    "appointments",
];
/// Parts of a calendar or an order, of which a cell names one.
const PLACE: [&str; 10] = [
    "hour", "day", "week", "month", "quarter", "weekday", "dow", "rank", "position", "place",
];
const NAME: [&str; 14] = [
    "id",
    "ids",
    "uuid",
    "code",
    "year",
    "number_plate",
    "zip",
    "postcode",
    "phone",
    "key",
    "version",
    "port",
    "pin",
    "seq",
];
const MINOR: [&str; 6] = ["cents", "cent", "minor", "pence", "rappen", "groszy"];

impl Measure {
    /// What a column of this name measures.
    pub fn of(name: &str) -> Self {
        if name.contains('%') {
            return Self::Percent;
        }
        let lower = name.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_alphanumeric() && !"€$£¥₹".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
        let last = words.last().copied().unwrap_or_default();
        if has(&PERCENT) {
            return Self::Percent;
        }
        if has(&MINOR) {
            return Self::Minor;
        }
        if let Some(code) = words.iter().find_map(|word| currency(word)) {
            return Self::Money(code);
        }
        // `rate_limit_hits` is no rate, `orders_per_day` no time.
        if RATIO.contains(&last) {
            return Self::Ratio;
        }
        if PLACE.contains(&last) && !words.contains(&"per") {
            return Self::Name;
        }
        if words.len() > 1 && !words.contains(&"per") {
            let seconds = DURATIONS.iter().find(|(unit, _)| *unit == last);
            if let Some((_, seconds)) = seconds.filter(|(unit, _)| *unit != "d") {
                return Self::Duration(*seconds);
            }
        }
        match (
            NAME.contains(&last),
            COUNT.contains(&last) || words.first() == Some(&"n"),
        ) {
            (true, _) => Self::Name,
            (false, true) => Self::Count,
            (false, false) if has(&["count", "number", "qty"]) => Self::Count,
            _ => Self::Plain,
        }
    }
}

/// The currency that a word or a symbol names.
pub fn currency(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let names = |(code, symbols): &&(&str, &[&str])| {
        code.eq_ignore_ascii_case(&lower) || symbols.contains(&lower.as_str())
    };
    // `try` is a word far more often than a currency.
    if lower == "try" && word != "TRY" {
        return None;
    }
    CURRENCIES.iter().find(names).map(|(code, _)| *code)
}

/// How many seconds one of these is.
pub fn duration(word: &str) -> Option<f64> {
    let found = DURATIONS
        .iter()
        .find(|(unit, _)| unit.eq_ignore_ascii_case(word));
    found.map(|(_, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_numbers_are() {
        for (name, expect) in [
            ("total", Measure::Plain),
            ("orders", Measure::Count),
            ("n_jobs", Measure::Count),
            ("order_count", Measure::Count),
            ("revenue", Measure::Plain),
            ("revenue_eur", Measure::Money("EUR")),
            ("Revenue (USD)", Measure::Money("USD")),
            ("Umsatz €", Measure::Money("EUR")),
            ("amount_cents", Measure::Minor),
            ("price_minor", Measure::Minor),
            ("show_rate", Measure::Ratio),
            ("rate_limit_hits", Measure::Plain),
            ("pct", Measure::Percent),
            ("growth %", Measure::Percent),
            ("p95_ms", Measure::Duration(0.001)),
            ("wait_minutes", Measure::Duration(60.0)),
            ("orders_per_day", Measure::Plain),
            ("year", Measure::Name),
            ("hour", Measure::Name),
            ("first_day", Measure::Name),
            ("total_days", Measure::Duration(86_400.0)),
            ("order_id", Measure::Name),
            ("try", Measure::Plain),
        ] {
            assert_eq!(Measure::of(name), expect, "{name}");
        }
    }
}
