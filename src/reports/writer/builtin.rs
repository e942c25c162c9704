//! The builtin writer: runs the SQL blocks of the prompt and the template, and puts what they find
//! where they stand.
//!
//! Invariant: it needs nothing but the database; the same brief and the same data make the same
//! report.
//! Failure: a block that cannot be read or run is named by its line and is for good.

use rules::chat::show;
use rules::report::compose::{self, SqlBlock, Text};
use rules::report::template::Variables;
use rules::report::{Dataset, Flaw};

use super::choice::Limit;
use super::{Brief, Draft, Failure, Message, Usage};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::scope::Scope;
use crate::reports::sources::{self, Query};

/// What it is called.
const NAME: &str = "builtin";
/// Most rows of a result.
const ROWS: u32 = 5_000;
/// Most cells of all results.
const CELLS: usize = 200_000;
/// What a report says that nothing was looked up for.
const NOTHING: &str = "> Nothing was looked up for this report: its text holds no SQL block, and no \
                       language model is set up that could write one.\n";

/// Writes a report.
pub async fn write(ctx: &Ctx, brief: &Brief<'_>) -> core::result::Result<Draft, Failure> {
    let began = clock::now();
    let blocks = blocks(brief)?;
    let mut messages = vec![message("user", brief.prompt)];
    let mut data: Vec<Dataset> = Vec::new();
    let time = Limit::of(&ctx.config).time;
    for (line, block) in &blocks {
        let spent = (clock::now() - began).to_std().unwrap_or_default();
        if spent > time {
            return Err(too_slow(time.as_secs()));
        }
        let set = run(ctx, brief, block).await.map_err(|failure| Failure {
            detail: format!("The query {} on {line}: {}", block.name, failure.detail),
            ..failure
        })?;
        messages.push(message("tool", &show::short(&set)));
        data.push(set);
        if data.iter().map(cells).sum::<usize>() > CELLS {
            return Err(too_much());
        }
    }
    let mut report = compose::report(&Text {
        text: brief.template.unwrap_or(brief.prompt),
        variables: Variables {
            title: brief.title,
            zone: brief.zone,
            scheduled_for: brief.scheduled_for,
            data: &data,
            parts: &[],
        },
    })?;
    if blocks.is_empty() {
        report.push('\n');
        report.push_str(NOTHING);
    }
    messages.push(message("assistant", &report));
    let took = (clock::now() - began).num_milliseconds();
    Ok(Draft {
        messages,
        report,
        usage: Usage {
            queries: u32::try_from(data.len()).unwrap_or(u32::MAX),
            milliseconds: u64::try_from(took).unwrap_or_default(),
            ..Usage::default()
        },
        data,
        writer: NAME.to_owned(),
    })
}

/// The blocks of the prompt, then those of the template, each with where it stands.
fn blocks(brief: &Brief<'_>) -> core::result::Result<Vec<(String, SqlBlock)>, Failure> {
    let mut all: Vec<(String, SqlBlock)> = Vec::new();
    let template = brief.template.unwrap_or_default();
    for (text, what) in [(brief.prompt, "the prompt"), (template, "the template")] {
        for block in compose::sql_blocks(text)? {
            let place = format!("line {} of {what}", block.line);
            if let Some((other, _)) = all.iter().find(|(_, known)| known.name == block.name) {
                return Err(Failure {
                    retry: None,
                    code: "duplicate_dataset".into(),
                    detail: format!(
                        "The queries on {other} and on {place} are both called {}; give one another name.",
                        block.name
                    ),
                });
            }
            all.push((place, block));
        }
    }
    Ok(all)
}

async fn run(
    ctx: &Ctx,
    brief: &Brief<'_>,
    block: &SqlBlock,
) -> core::result::Result<Dataset, Failure> {
    let query = Query {
        name: &block.name,
        sql: &block.sql,
        limit: ROWS,
        zone: brief.zone,
        now: brief.scheduled_for,
    };
    let scope = Scope::system(brief.tenant);
    Ok(sources::run(ctx, &scope, &query).await?)
}

fn cells(set: &Dataset) -> usize {
    set.rows.len() * set.columns.len()
}

fn message(role: &str, content: &str) -> Message {
    Message {
        role: role.to_owned(),
        content: content.to_owned(),
    }
}

fn too_slow(seconds: u64) -> Failure {
    Failure {
        retry: Some(None),
        code: "time_used_up".into(),
        detail: format!("The queries of this report take longer than {seconds} seconds."),
    }
}

fn too_much() -> Failure {
    Failure {
        retry: None,
        code: "too_much_data".into(),
        detail: format!(
            "The queries of this report find more than {CELLS} values; aggregate in SQL."
        ),
    }
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        Self {
            retry: None,
            detail: flaw.to_string(),
            code: flaw.code.into(),
        }
    }
}
