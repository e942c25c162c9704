//! Bulk import of guests from a file, streamed.
//!
//! Invariant: nothing is imported unless every line is right, or the caller wants the right ones
//! (`partial`); guests keep the order of the file. Memory is bounded by a batch, not by the file.
//! An `Idempotency-Key` covers the whole file: its fingerprint is taken while the file is read, and
//! the kept answer is given by the commit, so a repeated file is read again and imported once.
//! Failure: an import that ends early leaves nothing on the list and nothing staged; what a killed
//! Worker leaves staged is swept after an hour.

mod batch;
pub mod http;
mod store;
mod wire;

use std::collections::BTreeMap;

use rules::civil::Zone;
use rules::guest_import::{
    Duplicates, Finished, Format, Importer, MAX_BYTES, MAX_ROWS, Options, Parsed, Problem,
};
use uuid::Uuid;

use super::{Followed, changed, tables};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::Upload;
use crate::platform::scope::Scope;
use batch::Staging;
use store::{Settled, Settlement};
use wire::{ImportError, ImportReport};

/// Most errors that are told one by one.
const TOLD: usize = 100;

/// What to import, and how.
pub struct Order {
    /// The list.
    pub table: Uuid,
    /// What kind of file it is.
    pub format: Format,
    /// Field to header.
    pub map: BTreeMap<String, String>,
    /// What to do with codes that are there already, in the file or on the list.
    pub duplicates: Duplicates,
    /// Whether the right lines are wanted although others are wrong.
    pub partial: bool,
}

/// How an import ended.
pub enum Outcome {
    /// The guests are on the list; the flag tells a repeated call with the same key.
    Imported(ImportReport, bool),
    /// Nothing is: lines are wrong.
    Refused(ImportReport),
    /// Nothing is: the file cannot be read.
    Unreadable(Problem),
}

/// Imports a file. The answer of a refused import is not kept for its idempotency key.
pub async fn import(ctx: &Ctx, scope: &Scope, order: Order, mut file: Upload) -> Result<Outcome> {
    let outcome = attempt(ctx, scope, &order, &mut file).await;
    if !matches!(outcome, Ok(Outcome::Imported(_, false))) {
        file.drain().await;
    }
    outcome
}

async fn attempt(ctx: &Ctx, scope: &Scope, order: &Order, file: &mut Upload) -> Result<Outcome> {
    let zone = Zone::parse(&tables::get(ctx, scope, order.table).await?.timezone)?;
    let options = Options {
        zone,
        map: order.map.clone(),
        duplicates: order.duplicates,
    };
    let importer = Importer::new(order.format, options)?;
    let mut staging = Staging::new(ctx, scope, order.table);
    let mut wrong = Wrong::default();
    let outcome = match read(importer, file, &mut staging, &mut wrong).await {
        Ok(finished) => settle(ctx, scope, order, file, &staging, wrong, finished).await,
        Err(Stop::Unreadable(problem)) => Ok(Outcome::Unreadable(problem)),
        Err(Stop::Failed(error)) => Err(error),
    };
    if !matches!(outcome, Ok(Outcome::Imported(_, false))) {
        staging.forget().await;
    }
    outcome
}

/// Why reading ended early.
enum Stop {
    Failed(Error),
    Unreadable(Problem),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        let limit = match problem.code.as_str() {
            "too_many_rows" => format!("A file may have {MAX_ROWS} guests at most."),
            "too_large" => format!("A file may have {MAX_BYTES} bytes at most."),
            _ => return Self::Unreadable(problem),
        };
        Self::Failed(Error::new(413, problem.code, limit))
    }
}

/// Reads the file to its end; what becomes a guest is staged.
async fn read(
    mut importer: Importer,
    file: &mut Upload,
    staging: &mut Staging<'_>,
    wrong: &mut Wrong,
) -> core::result::Result<Finished, Stop> {
    while let Some(chunk) = file.next().await? {
        for parsed in importer.push(&chunk)? {
            take(parsed, staging, wrong).await?;
        }
    }
    let mut finished = importer.finish()?;
    for parsed in std::mem::take(&mut finished.parsed) {
        take(parsed, staging, wrong).await?;
    }
    staging.flush().await?;
    Ok(finished)
}

async fn take(parsed: Parsed, staging: &mut Staging<'_>, wrong: &mut Wrong) -> Result<()> {
    match parsed {
        Parsed::Guest { line, guest, .. } => staging.add(line, &guest).await,
        Parsed::Bad { problems, .. } => {
            wrong.add(problems);
            Ok(())
        }
    }
}

/// Commits what was staged, if it may be, and tells what came of it.
async fn settle(
    ctx: &Ctx,
    scope: &Scope,
    order: &Order,
    file: &Upload,
    staging: &Staging<'_>,
    wrong: Wrong,
    finished: Finished,
) -> Result<Outcome> {
    let mut settlement = Settlement {
        import_id: staging.id,
        table_id: order.table,
        expected: staging.staged,
        duplicates: order.duplicates,
        partial: order.partial,
        dry_run: false,
    };
    if order.partial || finished.bad == 0 {
        let keyed = Scope {
            idempotency: file.idempotency(),
            ..scope.clone()
        };
        match ctx.pg.call_full(&keyed, &store::COMMIT, &settlement).await {
            Ok(done) => {
                let Followed { it, live } = done.result;
                changed(ctx, done.tenant, order.table, live.as_ref()).await;
                let report = wrong.report(it, finished);
                return Ok(Outcome::Imported(report, done.replayed));
            }
            Err(error) if error.code == "import_refused" => {}
            Err(error) => return Err(error),
        }
    }
    settlement.dry_run = true;
    let found = ctx.pg.call(scope, &store::REVIEW, &settlement).await?;
    Ok(Outcome::Refused(wrong.report(found, finished)))
}

/// What is wrong with the lines, as far as it is told.
#[derive(Default)]
struct Wrong {
    errors: Vec<ImportError>,
    count: u32,
}

impl Wrong {
    fn add(&mut self, problems: Vec<Problem>) {
        self.count += u32::try_from(problems.len()).unwrap_or(u32::MAX);
        let room = TOLD.saturating_sub(self.errors.len());
        self.errors
            .extend(problems.into_iter().take(room).map(ImportError::from));
    }

    /// Puts what the file and what the list say together, in the order of the lines.
    fn report(mut self, settled: Settled, finished: Finished) -> ImportReport {
        self.errors.extend(settled.errors);
        self.errors.sort_by_key(|error| error.line);
        self.errors.truncate(TOLD);
        ImportReport {
            imported: settled.imported,
            rejected: finished.bad + settled.rejected,
            lines: finished.guests + finished.bad,
            mapping: finished.mapping,
            errors: self.errors,
            error_count: self.count + settled.error_count,
        }
    }
}
