//! The product's SQL, read from its sources, so that a baseline runs the same statements.
//!
//! Invariant: the text between the quotes is the statement; a text with escapes is refused.
//! Failure: a constant that is not found is an error that names it.

use crate::project::Project;
use anyhow::{Context, Result, bail};

/// The text of `pub const <name>: Statement<…> = Statement::new("…")` in a source file.
pub fn statement(project: &Project, file: &str, name: &str) -> Result<String> {
    let path = project.at(file);
    let source = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    text(&source, name).with_context(|| format!("statement {name} in {file}"))
}

fn text(source: &str, name: &str) -> Result<String> {
    let (_, rest) = source
        .split_once(&format!("const {name}: Statement<"))
        .context("there is no such statement")?;
    let (_, rest) = rest
        .split_once("Statement::new(")
        .context("it is not made as expected")?;
    let (_, rest) = rest.split_once('"').context("it has no text")?;
    let (text, _) = rest.split_once('"').context("its text does not end")?;
    if text.contains('\\') {
        bail!("its text has escapes");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statements_of_the_bench_are_found() {
        let project = Project::find().unwrap();
        let rows = statement(&project, "src/checkin/rows/store.rs", "LIST").unwrap();
        assert!(
            rows.starts_with("select ") && rows.contains("pulse_rows"),
            "{rows}"
        );
        let insert = statement(&project, "src/checkin/tables/store.rs", "INSERT").unwrap();
        assert!(insert.starts_with("insert into pulse_tables"), "{insert}");
        assert!(statement(&project, "src/checkin/rows/store.rs", "NOTHING").is_err());
    }
}
