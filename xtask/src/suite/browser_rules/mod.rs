//! The rules in wasm against the same rules on this machine: every case file, random scans at random
//! tables, and phones that learn a list, decide and report. Where they differ, a phone without a connection would say something else than
//! the server.
//!
//! Invariant: answers are compared byte by byte; random tables come from seeds and must meet every
//! verdict and most reasons, so that agreement means something. The module that is served is
//! limited in size.
//! Failure: the first differences, with what was asked.

mod engine;
mod phones;
mod scans;

use super::Tally;
use super::migrations::check;
use crate::command::scanner::{self, Variant};
use crate::project::Project;
use crate::say;
use anyhow::{Context, Result, bail};
use engine::{Engine, Native, Order, in_wasm};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The largest module with its loader, in KiB gzipped: two seconds on a poor connection.
const GZIP_LIMIT: usize = 400;
/// Random tables, and requests at each.
const TABLES: u64 = 80;
/// The fewest scans among them.
const SCANS: usize = 2_000;
/// How many differences are shown.
const SHOWN: usize = 5;

/// Builds, compares, measures.
pub fn run(project: &Project) -> Result<Tally> {
    let served = scanner::build(project, Variant::Served)?;
    let with_cases = scanner::build(project, Variant::Cases)?;
    let mut tally = case_files(project, &with_cases)?;
    tally.add(&random_scans(project, &served)?);
    let size = scanner::size(&served)?;
    let gzip = size.gzip.div_ceil(1024);
    let line = format!("gzipped size in KiB: {gzip} (limit {GZIP_LIMIT})");
    tally.add(&check(&line, gzip <= GZIP_LIMIT));
    Ok(tally)
}

/// Every case of every file, run by both.
fn case_files(project: &Project, module: &Path) -> Result<Tally> {
    let files = read_case_files(project)?;
    let orders: Vec<Order> = files
        .iter()
        .map(|(kind, _, text)| Order::new("cases", [kind.as_str(), text]))
        .collect();
    let theirs = in_wasm(project, module, &orders)?;
    let mut tally = Tally::default();
    for (((kind, name, _), order), theirs) in files.iter().zip(&orders).zip(theirs) {
        let (ours, theirs) = (
            cases_of(&Native::default().obey(order))?,
            cases_of(&theirs)?,
        );
        let failed = disagreements(&ours, &theirs);
        for place in &failed {
            let [here, there] = [&ours, &theirs].map(|all| all.get(*place));
            say::warn(format!("{name}: here {here:?}, in wasm {there:?}"));
        }
        let failed = failed.len();
        say::note(format!(
            "{name} ({kind}): {} cases, {failed} differ or fail",
            ours.len()
        ));
        tally.passed += ours.len().saturating_sub(failed);
        tally.failed += failed;
    }
    Ok(tally)
}

/// The places where the two do not both say that a case passed, in the same words.
fn disagreements(ours: &[Value], theirs: &[Value]) -> Vec<usize> {
    let places = 0..ours.len().max(theirs.len());
    let agreed = |place: &usize| match (ours.get(*place), theirs.get(*place)) {
        (Some(here), Some(there)) => here == there && here["passed"] == true,
        _ => false,
    };
    places.filter(|place| !agreed(place)).collect()
}

/// Kind, name and text of every file; a kind without one is an error.
fn read_case_files(project: &Project) -> Result<Vec<(String, String, String)>> {
    let folder = project.at("rules/tests/cases");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(".json").or(name.strip_suffix(".csv"));
        if let Some((kind, _)) = stem.and_then(|stem| stem.split_once('_')) {
            let text = std::fs::read_to_string(&path)?;
            files.push((kind.to_owned(), name.clone().into_owned(), text));
        }
    }
    files.sort();
    for kind in rules::cases::KINDS {
        if !files.iter().any(|(of, _, _)| of == kind) {
            bail!("no case file of kind {kind} in {}", folder.display());
        }
    }
    Ok(files)
}

fn cases_of(answer: &str) -> Result<Vec<Value>> {
    let answer: Value = serde_json::from_str(answer)?;
    let cases = answer["results"].as_array().cloned();
    cases.with_context(|| format!("no results but {answer}"))
}

/// Random tables, scanned by both.
fn random_scans(project: &Project, module: &Path) -> Result<Tally> {
    let mut orders = Vec::new();
    let mut ours = Vec::new();
    let mut tables = Vec::new();
    for seed in 0..TABLES {
        let mut engine = Engine::default();
        scans::at_a_table(seed, &mut engine);
        phones::at_a_phone(seed, &mut engine);
        tables.push((seed, orders.len()..orders.len() + engine.orders.len()));
        orders.extend(engine.orders);
        ours.extend(engine.answers);
    }
    let theirs = in_wasm(project, module, &orders)?;
    let mut tally = met(&orders, &ours);
    let mut shown = 0;
    for (seed, span) in tables {
        let mut same = true;
        for place in span {
            if ours.get(place) == theirs.get(place) {
                continue;
            }
            same = false;
            shown += 1;
            if shown <= SHOWN {
                let none = String::new();
                let [here, there] = [&ours, &theirs].map(|all| all.get(place).unwrap_or(&none));
                let asked = orders.get(place).map(Order::to_string).unwrap_or_default();
                say::warn(format!(
                    "seed {seed}: {asked}\n  here    {here}\n  in wasm {there}"
                ));
            }
        }
        tally.add(&Tally::one(same));
    }
    Ok(tally)
}

/// How many a number or a list says.
fn amount(value: &Value) -> usize {
    let number = value.as_u64().unwrap_or_default();
    value.as_array().map_or(number as usize, Vec::len)
}

/// Did chance meet enough for agreement to mean something?
fn met(orders: &[Order], answers: &[String]) -> Tally {
    let (mut words, mut scans) = (BTreeSet::new(), 0);
    for (order, answer) in orders.iter().zip(answers) {
        let Ok(answer) = serde_json::from_str::<Value>(answer) else {
            continue;
        };
        scans += usize::from(order.is("scan") || order.is("decide"));
        if order.is("acknowledge") {
            let kinds = ["taken", "dropped", "waiting"];
            words.extend(
                kinds
                    .iter()
                    .filter(|kind| amount(&answer[**kind]) > 0)
                    .map(|&kind| kind.to_owned()),
            );
        }
        if order.is("learn") {
            words.extend(
                ["ask", "next"]
                    .iter()
                    .filter(|kind| !matches!(&answer[**kind], Value::Null | Value::Bool(false)))
                    .map(|&kind| kind.to_owned()),
            );
        }
        let told = ["/answer/verdict", "/answer/reason", "/problem/code"];
        words.extend(told.iter().filter_map(|pointer| {
            let word = answer.pointer(pointer)?.as_str()?;
            Some(word.to_owned())
        }));
        if answer["replayed"] == true {
            words.insert("replayed".to_owned());
        }
    }
    let wanted = [
        "accepted",
        "duplicate",
        "refused",
        "replayed",
        "invalid",
        "malformed",
        "not_found",
        "unknown_code",
        "canceled",
        "blocked",
        "revoked",
        "unpaid",
        "incomplete",
        "not_yet_valid",
        "no_longer_valid",
        "wrong_category",
        "wrong_gate",
        "already_checked_in",
        "limit_reached",
        "capacity_reached",
        "event_not_open",
        "ambiguous",
        "already_annulled",
        "too_late",
        "taken",
        "dropped",
        "waiting",
        "ask",
        "next",
    ];
    let missing: Vec<_> = wanted
        .iter()
        .filter(|word| !words.contains(**word))
        .collect();
    say::note(format!(
        "{scans} random scans at {TABLES} tables and as many phones, {} kinds of answers",
        words.len()
    ));
    if !missing.is_empty() {
        say::warn(format!("chance never met {missing:?}"));
    }
    Tally::one(missing.is_empty() && scans >= SCANS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_case_agrees_only_when_both_say_that_it_passed() {
        let fine = json!({"id": "a", "passed": true, "detail": ""});
        let failed = json!({"id": "a", "passed": false, "detail": "no"});
        let other = json!({"id": "b", "passed": true, "detail": ""});
        let one = |case: &Value| vec![case.clone()];
        assert!(disagreements(&one(&fine), &one(&fine)).is_empty());
        for theirs in [one(&failed), one(&other), vec![]] {
            assert_eq!(disagreements(&one(&fine), &theirs), [0]);
        }
        assert_eq!(disagreements(&one(&failed), &one(&failed)), [0]);
        assert_eq!(disagreements(&[], &one(&fine)), [0]);
    }

    #[test]
    fn chance_meets_enough_and_is_the_same_each_time() {
        let mut runs = [Engine::default(), Engine::default()];
        for engine in &mut runs {
            for seed in 0..TABLES {
                scans::at_a_table(seed, engine);
                phones::at_a_phone(seed, engine);
            }
        }
        let [one, other] = runs;
        assert_eq!(one.answers, other.answers);
        assert_eq!(met(&one.orders, &one.answers), Tally::one(true));
        let few = &one.orders[..100];
        assert_eq!(met(few, &one.answers[..100]), Tally::one(false));
    }
}
