//! `cargo xtask cases <kind> <file>`: a file of cases through the rules.
//!
//! Invariant: one line per case on stdout, `pass` or `FAIL` with the reason; the exit code is 0
//! only when every case passes. Labelled series (kind `detector`) are scored instead, and then it is 0.
//! Failure: an unknown kind shows the kinds and is exit code 2, as is a file of another form.

use crate::args::{Args, Usage};
use crate::say;
use anyhow::{Context, Result};
use rules::detector::Kind;
use rules::detector::score::Score;
use rules::invalid::Invalid;
use std::process::ExitCode;

/// The command.
pub fn run(mut args: Args) -> Result<ExitCode> {
    let kinds = rules::cases::KINDS.join(", ");
    let (Some(kind), Some(path)) = (args.word(), args.word()) else {
        return Err(Usage(format!("cases needs <kind> and <file>; kinds: {kinds}")).into());
    };
    args.done()?;
    if !rules::cases::KINDS.contains(&kind.as_str()) {
        return Err(Usage(format!("there is no kind {kind:?}; kinds: {kinds}")).into());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let refused = |invalid: Invalid| {
        let why: Vec<_> = invalid
            .errors
            .into_iter()
            .map(|error| error.message)
            .collect();
        Usage(format!("{path}: {}", why.join("; ")))
    };
    if kind == "detector" {
        let scored = rules::detector::cases::scores(&text).map_err(refused)?;
        print!("{}", report(&scored));
        return Ok(ExitCode::SUCCESS);
    }
    let results = rules::cases::run(&kind, &text).map_err(refused)?;
    let mut failed = 0;
    for result in &results {
        if result.passed {
            println!("pass {}", result.id);
        } else {
            failed += 1;
            println!("FAIL {}: {}", result.id, result.detail);
        }
    }
    say::note(format!(
        "{} passed, {failed} failed",
        results.len() - failed
    ));
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The scores of labelled series by kind, then of all, then the four numbers by themselves.
fn report(scored: &[rules::detector::cases::Scored]) -> String {
    let mut out = format!(
        "{:<8}{:>8}{:>8}{:>8}{:>10}{:>7}{:>11}{:>9}{:>8}  false episodes/series-week\n",
        "kind", "series", "events", "caught", "episodes", "false", "precision", "recall", "F1"
    );
    let mut total = Score::default();
    let kinds = [
        ("count", Kind::Count),
        ("rate", Kind::Rate),
        ("value", Kind::Value),
    ];
    for (name, kind) in kinds {
        let mut score = Score::default();
        let of_kind = scored.iter().filter(|scored| scored.kind == kind);
        of_kind.for_each(|scored| score.add(&scored.score));
        if score.series > 0 {
            out += &line(name, &score);
            total.add(&score);
        }
    }
    out += &line("total", &total);
    if total.too_early > 0 {
        out += &format!(
            "{} events came before there was enough history and are not counted\n",
            total.too_early
        );
    }
    out + &format!(
        "precision: {:.4}\nrecall: {:.4}\nF1: {:.4}\nfalse episodes per series-week: {:.4}\n",
        total.precision(),
        total.recall(),
        total.f1(),
        total.false_a_week()
    )
}

fn line(name: &str, score: &Score) -> String {
    format!(
        "{name:<8}{:>8}{:>8}{:>8}{:>10}{:>7}{:>11.4}{:>9.4}{:>8.4}  {:.4}\n",
        score.series,
        score.events,
        score.caught,
        score.episodes,
        score.episodes - score.right,
        score.precision(),
        score.recall(),
        score.f1(),
        score.false_a_week()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::detector::cases::Scored;

    #[test]
    fn a_report_ends_with_the_four_numbers() {
        let score = |caught, episodes| Score {
            series: 1,
            weeks: 10.0,
            events: 4,
            caught,
            episodes,
            right: 3,
            ..Score::default()
        };
        let series = |name: &str, kind, score| Scored {
            series: name.to_owned(),
            kind,
            score,
        };
        let text = report(&[
            series("a", Kind::Count, score(3, 3)),
            series("b", Kind::Rate, score(4, 4)),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 8, "{text}");
        assert!(lines[1].starts_with("count") && lines[2].starts_with("rate"));
        assert_eq!(
            lines[4..],
            [
                "precision: 0.8571",
                "recall: 0.8750",
                "F1: 0.8660",
                "false episodes per series-week: 0.0500"
            ]
        );
    }
}
