//! One scan, several tables: the one that knows the code takes it.
//!
//! Invariant: a scan is recorded in one table. A repeated one finds the table that answered it, even
//! when another list knows the code since.
//! Failure: a table that the caller may not scan for, or that does not answer, fails the scan; then
//! nothing was recorded.

use futures_util::future::join_all;
use rules::checkin::scan::ScanIn;
use rules::invalid::Invalid;
use uuid::Uuid;

use crate::checkin::ask;
use crate::checkin::live::Known;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::object::ObjectAnswer;
use crate::platform::scope::{Credential, Scope};

/// Finds the table of a scan and decides it there. Without one, or with more than one, it is refused
/// at the session's own table, if that was named, or at the first one named.
pub async fn scan(ctx: &Ctx, scope: &Scope, input: &str) -> Result<ObjectAnswer> {
    let mut scan = decode::<ScanIn>(input)?;
    let mut invalid = Invalid::default();
    let tables = invalid.take(scan.take_tables());
    invalid.take(scan.clone().parse(ctx.now));
    let tables = invalid.or(tables)?.unwrap_or_default();
    scan.table_id = Uuid::nil();
    let body = serde_json::to_string(&scan)?;

    let asked = tables
        .iter()
        .map(|table| ask(ctx, scope, *table, "known", &body));
    let mut found = Vec::with_capacity(tables.len());
    for (table, answer) in tables.iter().zip(join_all(asked).await) {
        found.push((*table, serde_json::from_str::<Known>(&answer?.body)?));
    }
    let answered = found.iter().find(|(_, known)| known.answered);
    let knowing: Vec<_> = found.iter().filter(|(_, known)| known.knows).collect();
    let home = home(scope, &tables)?;
    match (answered, knowing.as_slice()) {
        (Some((table, _)), _) | (None, [(table, _)]) => {
            ask(ctx, scope, *table, "scan", &body).await
        }
        (None, []) => ask(ctx, scope, home, "scan", &body).await,
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|(_, known)| &*known.name).collect();
            let input = format!("{}\n{body}", serde_json::to_string(&names)?);
            ask(ctx, scope, home, "ambiguous", &input).await
        }
    }
}

fn home(scope: &Scope, tables: &[Uuid]) -> Result<Uuid> {
    let own = match &scope.credential {
        Credential::Device { table, .. } => Some(table),
        _ => None,
    };
    own.filter(|own| tables.contains(own))
        .or(tables.first())
        .copied()
        .ok_or_else(|| Error::internal("a scan without tables"))
}
