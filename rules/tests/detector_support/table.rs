//! Scores as a table.
//!
//! It is written past `println!`, whose output the harness hides of tests that pass.

use rules::detector::score::Score;
use std::io::Write;

/// Prints a line for each name, and one for all; answers that.
pub fn print(title: &str, scores: &[(String, Score)]) -> Score {
    let mut total = Score::default();
    let mut table = format!("{title}\n");
    table += &format!(
        "{:<18}{:>7}{:>8}{:>8}{:>7}{:>9}{:>10}{:>10}{:>8}{:>13}{:>7}\n",
        "class",
        "series",
        "events",
        "caught",
        "false",
        "weeks",
        "precision",
        "recall",
        "F1",
        "false/week",
        "delay"
    );
    for (name, score) in scores {
        table += &line(name, score);
        total.add(score);
    }
    table += &line("total", &total);
    let mut out = std::io::stdout().lock();
    out.write_all(table.as_bytes()).expect("output");
    total
}

fn line(name: &str, score: &Score) -> String {
    format!(
        "{name:<18}{:>7}{:>8}{:>8}{:>7}{:>9.0}{:>10.3}{:>10.3}{:>8.3}{:>13.4}{:>7.1}\n",
        score.series,
        score.events,
        score.caught,
        score.episodes - score.right,
        score.weeks,
        score.precision(),
        score.recall(),
        score.f1(),
        score.false_a_week(),
        score.mean_delay(),
    )
}
