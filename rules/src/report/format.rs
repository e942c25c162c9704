//! Numbers as people read them.
//!
//! Invariant: rounded half away from zero at the decimals asked for, commas between thousands; the
//! same number gives the same text everywhere.
//! Failure: what is not finite is an en dash.

/// Most decimals that are written.
pub const MAX_DECIMALS: usize = 10;

/// A number with so many decimals: `-1,234.50`.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = decimal(value.abs(), decimals.min(MAX_DECIMALS));
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut out = String::with_capacity(digits.len() * 2);
    // Minus nothing is nothing.
    if value < 0.0 && digits.contains(|c: char| c.is_ascii_digit() && c != '0') {
        out.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !part.is_empty() {
        out.push('.');
        out.push_str(part);
    }
    out
}

/// A number with as many decimals as it has, at most so many: `1,234.5`.
pub fn short(value: f64, most: usize) -> String {
    let text = fixed(value, most);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A number in few letters: `950`, `12.5k`, `3M`.
pub fn brief(value: f64) -> String {
    brief_of(value, value.abs())
}

/// The same in the unit that suits another number: the largest of an axis.
pub fn brief_of(value: f64, large: f64) -> String {
    for (least, unit, letters) in [
        (1e12, 1e12, "tn"),
        (1e9, 1e9, "bn"),
        (1e6, 1e6, "M"),
        (1e4, 1e3, "k"),
    ] {
        if large >= least {
            return format!("{}{letters}", short(value / unit, 2));
        }
    }
    short(value, if value.abs() < 1.0 { 6 } else { 2 })
}

/// The decimal notation: correct for ties that the decimal text of the number shows, such as 0.125
/// or 1.005, not only for those of its binary value.
fn decimal(value: f64, decimals: usize) -> String {
    let shortest = value.to_string();
    let (whole, part) = shortest.split_once('.').unwrap_or((&shortest, ""));
    if part.len() <= decimals {
        return format!("{value:.decimals$}");
    }
    let up = part
        .as_bytes()
        .get(decimals)
        .is_some_and(|digit| *digit >= b'5');
    let mut digits: Vec<u8> = whole.bytes().chain(part.bytes().take(decimals)).collect();
    if up {
        let mut carry = true;
        for digit in digits.iter_mut().rev() {
            carry = *digit == b'9';
            *digit = if carry { b'0' } else { *digit + 1 };
            if !carry {
                break;
            }
        }
        if carry {
            digits.insert(0, b'1');
        }
    }
    let mut text = String::from_utf8(digits).unwrap_or_default();
    if decimals > 0 {
        text.insert(text.len() - decimals, '.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_as_people_do() {
        for (value, decimals, text) in [
            (0.0, 0, "0"),
            (-0.4, 0, "0"),
            (-0.5, 0, "-1"),
            (1234.5, 0, "1,235"),
            (1234567.0, 2, "1,234,567.00"),
            (0.125, 2, "0.13"),
            (1.005, 2, "1.01"),
            (999.995, 2, "1,000.00"),
            (-12.0, 1, "-12.0"),
            (f64::NAN, 2, "–"),
            (1e15, 0, "1,000,000,000,000,000"),
        ] {
            assert_eq!(fixed(value, decimals), text, "{value}");
        }
    }

    #[test]
    fn short_and_brief_numbers() {
        for (value, text) in [
            (12.0, "12"),
            (12.5, "12.5"),
            (0.1 + 0.2, "0.3"),
            (100.0, "100"),
        ] {
            assert_eq!(short(value, 4), text);
        }
        for (value, text) in [
            (950.0, "950"),
            (9_999.0, "9,999"),
            (12_500.0, "12.5k"),
            (-3_000_000.0, "-3M"),
            (0.05, "0.05"),
            (2e12, "2tn"),
        ] {
            assert_eq!(brief(value), text);
        }
    }
}
