//! The shape of the sources: who may use whom, and how large things may be.
//!
//! Invariant: reads the files as they are; needs neither a build nor a stack.
//! Failure: every offending place, not only the first.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
struct Source {
    /// Its path from the root of the project, with forward slashes.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the project")
        .to_owned()
}

/// Every `.rs` file below some folders of the project.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut waiting: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let path = path
                .strip_prefix(root())
                .expect("below the root")
                .to_string_lossy()
                .replace('\\', "/");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

impl Source {
    /// The lines of code with their numbers: comments are blanked, unit tests left out.
    fn code(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            let code = line.split("//").next().unwrap_or_default();
            lines.push((number, code));
        }
        lines
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Does it hold unit tests only?
    fn is_test(&self) -> bool {
        self.file_name() == "tests.rs" || self.file_name().ends_with("_tests.rs")
    }

    /// The product module it belongs to: the folder below `src`.
    fn module(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap_or_default();
        rest.split_once('/').map_or("", |(module, _)| module)
    }
}

#[track_caller]
fn none(offences: Vec<String>) {
    assert!(
        offences.is_empty(),
        "{} places:\n{}",
        offences.len(),
        offences.join("\n")
    );
}

/// Every place in the code where a word is used that is not allowed there.
fn uses(sources: &[Source], allowed: impl Fn(&Source) -> bool, words: &[&str]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| !allowed(source)) {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    offences
}

#[test]
fn the_rules_depend_on_nothing_of_ours_and_do_nothing_but_decide() {
    let manifest = fs::read_to_string(root().join("rules/Cargo.toml")).expect("rules/Cargo.toml");
    for foreign in [
        "pulse",
        "worker",
        "wasm-bindgen",
        "js-sys",
        "tokio",
        "reqwest",
        "rand",
        "getrandom",
    ] {
        let depends = manifest.lines().any(|line| {
            line.split(['=', '.'])
                .next()
                .is_some_and(|name| name.trim() == foreign)
        });
        assert!(!depends, "rules depends on {foreign}");
    }
    let impure = [
        "Utc::now",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "new_v4",
        "now_v7",
        "std::fs",
        "TcpStream",
        "UdpSocket",
        "ToSocketAddrs",
        "std::env",
        "std::process",
        "std::thread",
        "println!",
        "eprintln!",
        "worker::",
        "async fn",
    ];
    let browser = sources(&["rules/src", "scanner/src"]);
    none(uses(&browser, Source::is_test, &impure));
}

#[test]
fn a_module_uses_another_only_through_its_mod() {
    let sources = sources(&["src"]);
    let mut offences = Vec::new();
    for source in &sources {
        for (number, line) in source.code() {
            for (module, rest) in paths_of_crate(line) {
                if module == source.module() || module == "platform" {
                    continue;
                }
                let inner = rest
                    .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                    .next();
                let inner = inner.unwrap_or_default();
                let file = format!("src/{module}/{inner}.rs");
                let folder = format!("src/{module}/{inner}/");
                let private = sources
                    .iter()
                    .any(|other| other.path == file || other.path.starts_with(&folder));
                if !inner.is_empty() && private {
                    offences.push(format!(
                        "{}:{number}: crate::{module}::{inner}",
                        source.path
                    ));
                }
            }
        }
    }
    none(offences);
}

/// What a line names as `crate::module::rest`.
fn paths_of_crate(line: &str) -> Vec<(&str, &str)> {
    line.split("crate::")
        .skip(1)
        .filter_map(|path| path.split_once("::"))
        .collect()
}

#[test]
fn the_platform_knows_no_product() {
    let platform: Vec<_> = sources(&["src"])
        .into_iter()
        .filter(|source| source.module() == "platform")
        .collect();
    let mut offences = Vec::new();
    for source in &platform {
        for (number, line) in source.code() {
            for path in line.split("crate::").skip(1) {
                if !path.starts_with("platform") {
                    offences.push(format!("{}:{number}: crate::{path}", source.path));
                }
            }
        }
    }
    none(offences);
}

#[test]
fn dependencies_point_one_way() {
    let mut offences = Vec::new();
    for source in sources(&["src"])
        .iter()
        .filter(|source| !matches!(source.module(), "" | "platform"))
    {
        let forbidden: &[&str] = match source.file_name() {
            "http.rs" | "tick.rs" => &["store"],
            "store.rs" => &["http", "tick", "live"],
            "mod.rs" => &["http", "tick"],
            _ => continue,
        };
        for (number, line) in source.code() {
            let used = line.trim_start().starts_with("use ") || line.contains("super::");
            for layer in forbidden
                .iter()
                .filter(|layer| used && names_layer(line, layer))
            {
                offences.push(format!(
                    "{}:{number}: {layer} in {}",
                    source.path,
                    line.trim()
                ));
            }
        }
    }
    none(offences);
}

/// Does a line name a sibling layer: `super::store`, `use store::…`, `self::store`?
fn names_layer(line: &str, layer: &str) -> bool {
    ["super::", "self::", "use ", "super::{", "use super::{"]
        .iter()
        .any(|before| {
            let named = format!("{before}{layer}");
            line.find(&named).is_some_and(|at| {
                !line[at + named.len()..]
                    .starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
            })
        })
}

#[test]
fn only_platform_pg_talks_to_postgres() {
    let allowed = |source: &Source| source.path.starts_with("src/platform/pg");
    none(uses(&sources(&["src"]), allowed, &["tokio_postgres"]));
}

#[test]
fn only_the_platform_sends_requests_and_makes_randomness() {
    let allowed = |source: &Source| source.module() == "platform";
    none(uses(
        &sources(&["src"]),
        allowed,
        &[
            "worker::Fetch",
            "reqwest::",
            "getrandom",
            "Utc::now",
            "js_sys::Date",
        ],
    ));
}

#[test]
fn sql_is_constant_and_lives_in_stores() {
    let all = sources(&["src"]);
    // Of Postgres in `store.rs`, of an object's own SQLite in `storage.rs`.
    let store = |source: &Source| source.file_name() == "store.rs";
    none(uses(&all, store, &["Statement::new(", "Function::new("]));
    let storage = |source: &Source| source.file_name() == "storage.rs";
    none(uses(&all, storage, &["Sql::of("]));
    let stores: Vec<_> = all.into_iter().filter(store).collect();
    none(uses(
        &stores,
        |_| false,
        &["format!", "push_str", "concat("],
    ));
}

#[test]
fn handlers_are_under_twenty_five_lines() {
    let (mut offences, mut handlers) = (Vec::new(), 0);
    for source in sources(&["src"]) {
        let mut handler = None;
        let mut documented = false;
        for (number, line) in (1..).zip(source.text.lines()) {
            documented |= line.starts_with("#[utoipa::path");
            if documented && line.contains("fn ") && !line.starts_with([' ', '#', '/']) {
                handler = Some((number, line.to_owned()));
                documented = false;
                handlers += 1;
            }
            if line == "}"
                && let Some((start, name)) = handler.take()
                && number - start + 1 >= 25
            {
                offences.push(format!(
                    "{}:{start}: {} lines: {name}",
                    source.path,
                    number - start + 1
                ));
            }
        }
    }
    assert!(handlers >= 20, "only {handlers} handlers found");
    none(offences);
}

#[test]
fn files_are_under_five_hundred_lines_and_say_what_they_are_for() {
    let mut offences = Vec::new();
    for source in sources(&["src", "rules/src", "scanner/src", "tests", "xtask/src"]) {
        let lines = source.text.lines().count();
        if lines >= 500 {
            offences.push(format!("{}: {lines} lines", source.path));
        }
        if !source.text.starts_with("//!") {
            offences.push(format!("{}: does not open with its purpose", source.path));
        }
        let promises = ["//! Invariant:", "//! Failure:"]
            .iter()
            .any(|word| source.text.contains(word));
        if !promises && source.file_name() != "main.rs" && !source.is_test() {
            offences.push(format!(
                "{}: names neither invariant nor failure",
                source.path
            ));
        }
    }
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    if library.lines().count() >= 100 {
        offences.push(format!("src/lib.rs: {} lines", library.lines().count()));
    }
    none(offences);
}

#[test]
fn nothing_is_left_to_do_or_switched_off() {
    let words = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
    let allowed = |source: &Source| source.path == "tests/architecture.rs";
    none(uses(
        &sources(&["src", "rules/src", "scanner/src", "tests", "xtask/src"]),
        allowed,
        &words,
    ));
}

#[test]
fn shipped_code_denies_what_panics() {
    for library in ["src/lib.rs", "rules/src/lib.rs", "scanner/src/lib.rs"] {
        let text = fs::read_to_string(root().join(library)).expect("a library");
        for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing"] {
            assert!(
                text.contains(&format!("clippy::{lint}")),
                "{library} does not deny clippy::{lint}"
            );
        }
    }
}

#[test]
fn a_migration_is_named_in_order_and_never_twice() {
    let mut names: Vec<_> = fs::read_dir(root().join("migrations"))
        .expect("migrations")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    for (expected, name) in (1..).zip(&names) {
        let well_named = name.ends_with(".sql") && name.starts_with(&format!("{expected:04}_"));
        assert!(well_named, "{name} is not migration {expected:04}");
    }
}

#[test]
fn only_civil_time_knows_time_zones() {
    let allowed = |source: &Source| source.path == "rules/src/civil.rs";
    let zones = ["jiff", "chrono::Local", "chrono_tz"];
    none(uses(&sources(&["rules/src", "src"]), allowed, &zones));
}
