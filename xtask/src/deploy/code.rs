//! What the code needs of its deployment, read from the sources.
//!
//! Invariant: found by the forms the code uses: `#[durable_object]`, `const BINDING`, the Hyperdrive
//! call, `var("NAME")` of the configuration, and the cron constants. A test holds this to the
//! project's own sources.
//! Failure: a source that cannot be read is an error.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Names that the code uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bindings, of whatever kind.
    pub bindings: BTreeSet<String>,
    /// Classes of Durable Objects.
    pub classes: BTreeSet<String>,
    /// Variables and secrets.
    pub settings: BTreeSet<String>,
    /// Cron expressions that are handled.
    pub crons: BTreeSet<String>,
}

impl Needs {
    /// Reads every Rust file under a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut needs = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder)
                .with_context(|| format!("cannot read {}", folder.display()))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    needs.add(&std::fs::read_to_string(&path)?);
                }
            }
        }
        Ok(needs)
    }

    fn add(&mut self, source: &str) {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("//") {
                continue;
            }
            if *line == "#[durable_object]" {
                let class = lines[at..].iter().find_map(|line| after(line, "struct "));
                self.classes.extend(class);
            }
            if line.contains("const BINDING: &str =") || line.contains(".hyperdrive(\"") {
                self.bindings.extend(quoted(line));
            }
            if let Some(rest) = line.split("var(\"").nth(1) {
                self.settings
                    .extend(rest.split('"').next().map(str::to_owned));
            }
            let text = quoted(line).filter(|_| line.contains("const "));
            self.crons.extend(text.filter(|text| is_cron(text)));
        }
    }
}

/// Five fields of digits and signs.
pub fn is_cron(text: &str) -> bool {
    let fields: Vec<&str> = text.split(' ').collect();
    let field = |field: &&str| {
        !field.is_empty()
            && field
                .chars()
                .all(|c| c.is_ascii_digit() || "*,-/".contains(c))
    };
    fields.len() == 5 && fields.iter().all(field)
}

/// The word that follows `keyword`.
fn after(line: &str, keyword: &str) -> Option<String> {
    let rest = line.split(keyword).nth(1)?;
    let word = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    Some(word.to_owned())
}

/// The first text in quotes.
fn quoted(line: &str) -> Option<String> {
    line.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    #[test]
    fn names_are_found_where_the_code_uses_them() {
        let mut needs = Needs::default();
        needs.add(
            "pub const BINDING: &str = \"JOBS\";\n\
             // const BINDING: &str = \"OLD\";\n\
             pub const MINUTE: &str = \"* * * * *\";\n\
             #[durable_object]\npub struct CheckinTable {\n\
             let secret = var(\"TOKEN_SECRET\");\n\
             .hyperdrive(\"PG\")\n",
        );
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(needs.bindings, set(&["JOBS", "PG"]));
        assert_eq!(needs.classes, set(&["CheckinTable"]));
        assert_eq!(needs.settings, set(&["TOKEN_SECRET"]));
        assert_eq!(needs.crons, set(&["* * * * *"]));
    }

    /// If the code changes its forms, this reader would find nothing and check nothing.
    #[test]
    fn the_projects_own_needs_are_found() {
        let needs = Needs::read(&Project::find().unwrap().at("src")).unwrap();
        for binding in ["PG", "JOBS", "ASSETS", "CHECKIN_TABLE"] {
            assert!(
                needs.bindings.contains(binding),
                "{binding} is not found in src/"
            );
        }
        assert!(needs.classes.contains("CheckinTable"));
        assert!(needs.settings.contains("TOKEN_SECRET") && needs.settings.len() >= 10);
        assert_eq!(needs.crons.len(), 2);
    }
}
