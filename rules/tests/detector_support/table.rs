//! Scores as a table.

use rules::detector::score::Score;

/// Prints a line for each name, and one for all; answers that.
pub fn print(title: &str, scores: &[(String, Score)]) -> Score {
    let mut total = Score::default();
    println!("{title}");
    println!(
        "{:<18}{:>7}{:>8}{:>8}{:>7}{:>9}{:>10}{:>10}{:>8}{:>13}{:>7}",
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
        line(name, score);
        total.add(score);
    }
    line("total", &total);
    total
}

fn line(name: &str, score: &Score) {
    println!(
        "{name:<18}{:>7}{:>8}{:>8}{:>7}{:>9.0}{:>10.3}{:>10.3}{:>8.3}{:>13.4}{:>7.1}",
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
    );
}
