//! The tools of a model, run.
//!
//! Invariant: what goes wrong with a call is told to the model; only a part of ours that is away
//! ends the report. Results are kept under their names, the newest of a name.
//! Failure: the database is away.

use std::fmt::Write as _;

use rules::chat::tool::{self, Tool};
use rules::chat::{Call, Told, show};
use rules::report::{Dataset, dataset};
use serde_json::json;

use super::{Brief, Failure};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;
use crate::reports::sources::{self, Query};

/// Most rows of a result.
const ROWS: u32 = 1_000;

/// The tools for one report, and what they found.
pub struct Tools<'a> {
    ctx: &'a Ctx,
    brief: &'a Brief<'a>,
    /// What was found.
    pub data: Vec<Dataset>,
    /// How many queries were run.
    pub queries: u32,
}

impl<'a> Tools<'a> {
    /// The tools for a report.
    pub fn new(ctx: &'a Ctx, brief: &'a Brief<'a>) -> Self {
        Self {
            ctx,
            brief,
            data: Vec::new(),
            queries: 0,
        }
    }

    /// Runs a call.
    pub async fn run(&mut self, call: &Call) -> core::result::Result<Told, Failure> {
        let asked = match tool::read(call) {
            Ok(asked) => asked,
            Err(told) => return Ok(error(&told)),
        };
        Ok(match asked {
            Tool::ListSources { search } => self.list(search.as_deref()).await?,
            Tool::DescribeSource { name } => self.describe(&name).await?,
            Tool::RunQuery { name, sql } => self.query(&name, &sql).await?,
        })
    }

    async fn list(&self, search: Option<&str>) -> Result<Told> {
        let known = sources::known(self.ctx).await?;
        let word = search.unwrap_or_default().to_lowercase();
        let all: Vec<_> = known.iter().map(|source| source.line()).collect();
        let found: Vec<_> = all
            .iter()
            .filter(|line| line.to_lowercase().contains(&word))
            .collect();
        // A word that nothing mentions must not look like a database without sources.
        let mut text = String::new();
        if found.is_empty() {
            let _ = writeln!(text, "No source mentions it. All sources:");
        }
        let none = found.is_empty();
        for line in all.iter().filter(|line| none || found.contains(line)) {
            let _ = writeln!(text, "{line}");
        }
        Ok(Told::both(text.trim_end()))
    }

    async fn describe(&self, name: &str) -> Result<Told> {
        let known = sources::known(self.ctx).await?;
        let Some(source) = known.iter().find(|source| source.name == name) else {
            let names: Vec<_> = known.iter().map(|source| &*source.name).collect();
            let told = format!("There is no such source. There are {}.", names.join(", "));
            return Ok(error(&told));
        };
        let columns: Vec<_> = source
            .columns
            .iter()
            .map(|column| {
                json!({"name": column.name, "type": column.data_type, "about": column.description})
            })
            .collect();
        let all = json!({"source": source.name, "about": source.description, "columns": columns});
        Ok(Told {
            full: all.to_string(),
            short: format!("{}: {} columns", source.name, source.columns.len()),
        })
    }

    async fn query(&mut self, name: &str, sql: &str) -> Result<Told> {
        let place = self.data.iter().position(|set| set.name == name);
        if place.is_none() && self.data.len() >= dataset::MAX_DATASETS {
            let told = "There are enough results; reuse a name, or write the report.";
            return Ok(error(told));
        }
        self.queries += 1;
        let query = Query {
            name,
            sql,
            limit: ROWS,
            zone: self.brief.zone,
            now: self.brief.scheduled_for,
        };
        let scope = Scope::system(self.brief.tenant);
        let set = match sources::run(self.ctx, &scope, &query).await {
            Ok(set) => set,
            Err(wrong) if wrong.status == 422 => {
                let told = wrong.errors.first().map(|wrong| wrong.message.clone());
                return Ok(error(&told.unwrap_or_else(|| wrong.detail.into())));
            }
            Err(wrong) => return Err(wrong),
        };
        let told = Told {
            full: show::full(&set),
            short: show::short(&set),
        };
        match place.and_then(|place| self.data.get_mut(place)) {
            Some(known) => *known = set,
            None => self.data.push(set),
        }
        Ok(told)
    }
}

fn error(told: &str) -> Told {
    Told::both(format!("Error: {told}"))
}
