//! The badge of a check-in.
//!
//! Invariant: made of what this object holds, so that labels are printed while Postgres is away; the
//! guest's own data are those of the list now, or those of the scan once the guest is off the list.
//! Failure: a record that let nobody in has no badge: 409.

use rules::checkin::badge::{self, Content, Template};
use uuid::Uuid;

use super::table::Table;
use crate::platform::error::{Error, Result};

/// The badge of a record, as SVG.
pub fn of(table: &Table, check_in: &str) -> Result<String> {
    let check_in = Uuid::try_parse(check_in).map_err(|_| Error::not_found())?;
    let entry = table.creation_of(check_in)?.ok_or_else(Error::not_found)?;
    if !entry.is_admission() {
        return Err(Error::conflict(
            "not_an_admission",
            "Only a guest who was let in gets a badge.",
        ));
    }
    let (state, identity) = (table.state.borrow(), table.identity.borrow());
    let row = entry.row_id.and_then(|id| state.roster.get(id));
    let then = entry.guest.as_ref();
    let usual;
    let template = match &identity.badge_template {
        Some(template) => template,
        None => {
            usual = Template::default();
            &usual
        }
    };
    let content = match row {
        Some(row) => Content {
            name: &row.name,
            category: row.category.as_deref(),
            email: row.email.as_deref(),
            code: row.barcode.as_deref(),
            ..Content::default()
        },
        None => Content {
            name: then.map_or("", |guest| &guest.name),
            category: then.and_then(|guest| guest.category.as_deref()),
            email: then.and_then(|guest| guest.email.as_deref()),
            code: entry.barcode.as_deref(),
            ..Content::default()
        },
    };
    Ok(badge::svg(
        template,
        &Content {
            gate: entry.gate.as_deref(),
            table: &identity.name,
            ..content
        },
    ))
}
