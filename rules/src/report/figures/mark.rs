//! Untraced figures, shown to the reader.
//!
//! Invariant: the marks are plain letters, so they survive every rendering and every channel; the
//! list stands before the report, where nothing in it can hide it.
//! Failure: none.

use super::Checked;
use crate::report::markdown;

/// What stands behind a figure that nothing explains.
const MARK: &str = "\u{26a0}";
/// Figures that the list names; the others are counted.
const LISTED: usize = 20;

/// The report with a visible mark behind each figure that nothing explains, and a list of them before
/// it. A report without any is as it was.
pub fn mark(report: &str, checked: &Checked) -> String {
    if checked.untraced == 0 {
        return report.to_owned();
    }
    let untraced: Vec<_> = checked
        .figures
        .iter()
        .filter(|figure| figure.traced.is_none())
        .collect();
    let mut listed: Vec<String> = untraced
        .iter()
        .enumerate()
        .take(LISTED)
        .map(|(at, figure)| {
            format!(
                "{MARK}{} {}",
                superscript(at + 1),
                markdown::escaped(&figure.text)
            )
        })
        .collect();
    let more = untraced.len().saturating_sub(LISTED);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    let told = match untraced.len() {
        1 => "1 figure of this report is not explained by its data:".to_owned(),
        count => format!("{count} figures of this report are not explained by its data:"),
    };
    let mut out = format!("> **{told}** {}\n\n", listed.join(" · "));
    let mut from = 0;
    for (at, figure) in untraced.iter().enumerate() {
        let Some(before) = report.get(from..figure.end) else {
            continue;
        };
        out.push_str(before);
        out.push_str(&format!("\u{a0}{MARK}{}", superscript(at + 1)));
        from = figure.end;
    }
    out.push_str(report.get(from..).unwrap_or_default());
    out
}

/// A number in small raised digits, which are no figure.
fn superscript(number: usize) -> String {
    let raised = |digit: char| match digit {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' => '⁰',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    number.to_string().chars().map(raised).collect()
}
