//! Numerals: what digits and separators mean.
//!
//! Invariant: a numeral has every reading that its notation allows, the likeliest first; the notation
//! of the rest of the report rules readings out.
//! Failure: what is a version, an identifier or a list is no numeral.

/// How a report separates decimals, as far as it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// It does not show.
    #[default]
    Unknown,
    /// `1,234.5`.
    Point,
    /// `1.234,5`.
    Comma,
}

/// One meaning of a numeral.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its value.
    pub value: f64,
    /// What one in its last digit is worth.
    pub step: f64,
}

/// A numeral in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeral {
    /// The byte behind it.
    pub end: usize,
    /// What it may mean; none for what is no number.
    pub readings: Vec<Reading>,
    /// Written without separators.
    pub plain: bool,
    /// Blanks hold it together: it may be several numbers.
    pub blanks: bool,
}

/// The notation that numerals of a text show beyond doubt.
pub fn notation(texts: impl Iterator<Item = impl AsRef<str>>) -> Notation {
    let (mut points, mut commas) = (0u32, 0u32);
    for text in texts {
        let text = text.as_ref();
        let mut at = 0;
        while let Some(found) = text
            .get(at..)
            .and_then(|rest| rest.find(|c: char| c.is_ascii_digit()))
        {
            let start = at + found;
            let groups = Groups::read(text, start, true);
            at = groups.end;
            let behind = text.get(at..).and_then(|rest| rest.chars().next());
            let before = text.get(..start).and_then(|rest| rest.chars().next_back());
            let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '/' | '-');
            if before.is_some_and(part) || behind.is_some_and(|c| matches!(c, ':' | '/')) {
                continue;
            }
            match groups.shown() {
                Some('.') => points += 1,
                Some(',') => commas += 1,
                _ => {}
            }
        }
    }
    match points.cmp(&commas) {
        std::cmp::Ordering::Greater => Notation::Point,
        std::cmp::Ordering::Less => Notation::Comma,
        std::cmp::Ordering::Equal => Notation::Unknown,
    }
}

/// The numeral that begins at a digit; `blanks` lets blanks group its digits.
pub fn read(text: &str, start: usize, notation: Notation, blanks: bool) -> Numeral {
    Groups::read(text, start, blanks).numeral(notation)
}

/// Runs of digits and what separates them.
struct Groups<'t> {
    digits: Vec<&'t str>,
    signs: Vec<char>,
    ends: Vec<usize>,
    end: usize,
}

impl<'t> Groups<'t> {
    fn read(text: &'t str, start: usize, blanks: bool) -> Self {
        let run = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            let long = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.get(..long).unwrap_or_default()
        };
        let first = run(start);
        let mut groups = Self {
            digits: vec![first],
            signs: Vec::new(),
            ends: vec![start + first.len()],
            end: start + first.len(),
        };
        while let Some(sign) = text.get(groups.end..).and_then(|rest| rest.chars().next()) {
            let next = run(groups.end + sign.len_utf8());
            let blank = is_blank(sign);
            let fits = match sign {
                _ if next.is_empty() => false,
                ',' | '.' => true,
                '\'' | '’' | '_' => next.len() == 3,
                // A blank groups only digits that look like groups from the beginning.
                _ if blank => {
                    blanks
                        && next.len() == 3
                        && first.len() <= 3
                        && !first.starts_with('0')
                        && groups.signs.iter().all(|other| is_blank(*other))
                }
                _ => false,
            };
            if !fits {
                break;
            }
            groups.end += sign.len_utf8() + next.len();
            groups.digits.push(next);
            groups.signs.push(if blank { ' ' } else { sign });
            groups.ends.push(groups.end);
        }
        groups
    }

    /// The sign that separates decimals beyond doubt.
    fn shown(&self) -> Option<char> {
        let (last, before) = self.signs.split_last()?;
        let decimals = self.digits.last()?.len();
        match before.first() {
            None => (matches!(last, '.' | ',') && decimals != 3).then_some(*last),
            Some(first) if first != last && matches!(last, '.' | ',') => Some(*last),
            // `1,234,567`: what groups does not separate decimals.
            Some(',') if self.grouped(self.digits.len()) => Some('.'),
            Some('.') if self.grouped(self.digits.len()) => Some(','),
            _ => None,
        }
    }

    /// Whether the first so many runs are groups of three, or of two as in India.
    fn grouped(&self, count: usize) -> bool {
        let runs = self.digits.get(..count).unwrap_or_default();
        let Some((first, rest)) = runs.split_first() else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return true;
        };
        let thousands = first.len() <= 3 && rest.iter().all(|run| run.len() == 3);
        let lakhs = first.len() <= 2 && last.len() == 3 && middle.iter().all(|run| run.len() == 2);
        !first.is_empty() && !first.starts_with('0') && (thousands || lakhs)
    }

    fn numeral(&self, notation: Notation) -> Numeral {
        let first = self.digits.first().copied().unwrap_or_default();
        let made = |readings: Vec<Reading>| Numeral {
            end: self.end,
            readings,
            plain: self.signs.is_empty(),
            blanks: self.signs.contains(&' '),
        };
        let whole = || self.reading(self.digits.len());
        let parted = || self.reading(self.digits.len() - 1);
        let Some((last, before)) = self.signs.split_last() else {
            // A leading zero makes it a code.
            let code = first.len() > 1 && first.starts_with('0');
            return made(if code || first.len() > 15 {
                Vec::new()
            } else {
                vec![whole()]
            });
        };
        let all = self.digits.len();
        match before.first() {
            None if matches!(last, '\'' | '’' | '_' | ' ') => made(vec![whole()]),
            None => {
                let groups =
                    self.grouped(all) && self.digits.last().is_some_and(|run| run.len() == 3);
                let code = first.len() > 1 && first.starts_with('0');
                made(match (last, groups, notation) {
                    _ if code => Vec::new(),
                    (_, false, _) => vec![parted()],
                    (',', true, Notation::Comma) | ('.', true, Notation::Point) => vec![parted()],
                    (',', true, _) | ('.', true, Notation::Comma) => vec![whole()],
                    (_, true, _) => vec![parted(), whole()],
                })
            }
            Some(sign) if before.iter().all(|other| other == sign) => {
                let decimals = matches!(last, '.' | ',') && last != sign;
                if decimals && self.grouped(all - 1) {
                    made(vec![parted()])
                } else if last == sign && self.grouped(all) {
                    made(vec![whole()])
                } else if *sign == ',' {
                    // A list: its first number, the others follow.
                    Numeral {
                        end: self.ends.first().copied().unwrap_or(self.end),
                        readings: vec![self.reading_of(1, 1)],
                        plain: true,
                        blanks: false,
                    }
                } else {
                    made(Vec::new())
                }
            }
            Some(_) => made(Vec::new()),
        }
    }

    fn reading(&self, whole: usize) -> Reading {
        self.reading_of(whole, self.digits.len())
    }

    /// The first runs are the whole part, the others up to `end` the decimals.
    fn reading_of(&self, whole: usize, end: usize) -> Reading {
        let digits =
            |from: usize, to: usize| self.digits.get(from..to).unwrap_or_default().concat();
        let decimals = digits(whole, end);
        let text = format!("{}.{decimals}", digits(0, whole));
        let places = i32::try_from(decimals.len()).unwrap_or(0);
        Reading {
            value: text.trim_end_matches('.').parse().unwrap_or(f64::NAN),
            step: 10f64.powi(-places),
        }
    }
}

/// Blanks that people put between thousands and before units.
pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, notation: Notation) -> Vec<f64> {
        let numeral = read(text, 0, notation, true);
        numeral
            .readings
            .iter()
            .map(|reading| reading.value)
            .collect()
    }

    #[test]
    fn separators_are_read_as_their_notation_says() {
        use Notation::{Comma, Point, Unknown};
        for (text, notation, expect) in [
            ("1234", Unknown, &[1234.0][..]),
            ("1,234", Unknown, &[1234.0]),
            ("1,234", Point, &[1234.0]),
            ("1,234", Comma, &[1.234]),
            ("1.234", Unknown, &[1.234, 1234.0]),
            ("1.234", Point, &[1.234]),
            ("1.234", Comma, &[1234.0]),
            ("1,23", Unknown, &[1.23]),
            ("0,123", Unknown, &[0.123]),
            ("0.123", Unknown, &[0.123]),
            ("1,234.56", Unknown, &[1234.56]),
            ("1.234,56", Unknown, &[1234.56]),
            ("1 234 567", Unknown, &[1_234_567.0]),
            ("1\u{202f}234,5", Unknown, &[1234.5]),
            ("1'234'567.89", Unknown, &[1_234_567.89]),
            ("1’234", Unknown, &[1234.0]),
            ("1_000_000", Unknown, &[1_000_000.0]),
            ("1,234,567", Unknown, &[1_234_567.0]),
            ("12,34,567.50", Unknown, &[1_234_567.5]),
            ("2026 500", Unknown, &[2026.0]),
            ("1.2.3", Unknown, &[]),
            ("1,2,3", Unknown, &[1.0]),
            ("007", Unknown, &[]),
            ("0", Unknown, &[0.0]),
            ("1234567890123456789", Unknown, &[]),
        ] {
            assert_eq!(values(text, notation), expect, "{text} {notation:?}");
        }
    }

    #[test]
    fn the_rest_of_a_report_shows_its_notation() {
        for (text, expect) in [
            ("12.5 and 3.75", Notation::Point),
            ("12,5 Prozent von 1.234,50", Notation::Comma),
            ("1,234,567", Notation::Point),
            ("1,234 or 1.234", Notation::Unknown),
            ("26.11.2026 at 9:30", Notation::Unknown),
        ] {
            assert_eq!(notation([text].iter()), expect, "{text}");
        }
    }
}
