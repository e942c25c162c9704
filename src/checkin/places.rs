//! Where the live objects of check-in are: in the jurisdiction of their tenant, and in its region if
//! their first call says so.
//!
//! Invariant: an object stays where its first call placed it, so nobody calls one before check-in is
//! enabled on its table: a change to a list answers whether there is an object that has to follow.
//! Failure: a table that is not there has no place.

use std::cell::RefCell;
use std::collections::HashMap;

use serde::Deserialize;
use uuid::Uuid;

use super::BINDING;
use super::store::{self, PlacementOf};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::object::Address;
use crate::platform::scope::Jurisdiction;

/// How many places an isolate remembers.
const REMEMBERED: usize = 10_000;

/// Where a tenant's live objects are kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Home {
    /// Where they must be.
    pub jurisdiction: Jurisdiction,
    /// Where one is placed that is called for the first time.
    #[serde(default)]
    pub region: Option<String>,
}

/// The live object of a table, as Postgres names it.
#[derive(Clone, Debug, Deserialize)]
pub struct LiveTable {
    /// The table.
    pub table_id: Uuid,
    /// Its tenant.
    pub tenant_id: Uuid,
    /// Of the tenant.
    #[serde(flatten)]
    pub home: Home,
}

/// What came of a change, and where the live object is that has to follow it; none if check-in was
/// never enabled.
#[derive(Deserialize)]
pub struct Followed<T> {
    /// What came of it.
    pub it: T,
    /// Where the object is.
    pub live: Option<Home>,
}

impl Home {
    /// The address of a table's object.
    pub fn of(&self, table: Uuid) -> Address {
        Address {
            binding: BINDING,
            id: table,
            jurisdiction: self.jurisdiction,
            region: self.region.clone(),
        }
    }
}

thread_local! {
    // A table never changes its jurisdiction, so what was learned once holds.
    static HOMES: RefCell<HashMap<Uuid, Home>> = RefCell::new(HashMap::new());
}

/// Where the live object of a table is. `known` is what the credential says of its jurisdiction,
/// so that the scan path asks nobody.
pub async fn address(ctx: &Ctx, table: Uuid, known: Option<Jurisdiction>) -> Result<Address> {
    if let Some(home) = HOMES.with_borrow(|homes| homes.get(&table).cloned()) {
        return Ok(home.of(table));
    }
    let known = match ctx.config.jurisdictions {
        true => known,
        false => Some(Jurisdiction::None),
    };
    if let Some(jurisdiction) = known {
        let region = None;
        return Ok(Home {
            jurisdiction,
            region,
        }
        .of(table));
    }
    Ok(match find(ctx, table).await? {
        Some(found) => {
            remember(table, &found.home);
            found.home.of(table)
        }
        None => Home::default().of(table),
    })
}

/// The live object of a table, if the table is there.
pub async fn find(ctx: &Ctx, table_id: Uuid) -> Result<Option<LiveTable>> {
    let asked = PlacementOf { table_id };
    let placed = ctx.pg.function(&store::PLACEMENT, &asked).await?;
    Ok(placed.map(|placed| LiveTable {
        table_id,
        tenant_id: placed.tenant_id,
        home: placed.home,
    }))
}

/// Keeps what was learned of a table.
pub fn remember(table: Uuid, home: &Home) {
    HOMES.with_borrow_mut(|homes| {
        if homes.len() >= REMEMBERED {
            homes.clear();
        }
        homes.insert(table, home.clone());
    });
}
