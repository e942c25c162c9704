//! How wide a text is, about: labels are drawn where no font can be asked.
//!
//! Invariant: an estimate, on the generous side for common sans-serif fonts; who draws holds the text
//! to its estimate, so that it never leaves its place whatever the font.
//! Failure: none; what is not known counts as a wide letter.

/// Height of a line, in font sizes.
pub const LINE: f64 = 1.25;

/// Widths of the characters from space to tilde in thousandths of the font size (Helvetica's).
#[rustfmt::skip]
const ASCII: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// What other fonts take beyond Helvetica.
const GENEROUS: f64 = 1.06;
/// What bold takes beyond regular.
const BOLD: f64 = 1.07;

/// The width of a text of font size 1.
pub fn width(text: &str, bold: bool) -> f64 {
    let sum: f64 = text.chars().map(one).sum();
    sum * GENEROUS * if bold { BOLD } else { 1.0 }
}

/// A mark that belongs to the character before it.
pub fn joins(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{93c}' | '\u{941}'..='\u{94d}' | '\u{e31}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{200b}'..='\u{200f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}')
}

fn one(c: char) -> f64 {
    let place = usize::try_from(u32::from(c)).ok();
    let ascii = place.and_then(|place| ASCII.get(place.checked_sub(32)?));
    match (ascii, c) {
        (Some(width), _) => f64::from(*width) / 1_000.0,
        (None, c) if joins(c) => 0.0,
        // East Asian and other full-width characters, and pictures.
        (
            None,
            '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe4f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{1f000}'..='\u{3ffff}'
            | '\u{2600}'..='\u{27bf}'
            | '…'
            | '—',
        ) => 1.0,
        (None, c) if c.is_uppercase() => 0.72,
        (None, _) => 0.6,
    }
}
