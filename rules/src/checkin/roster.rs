//! The guest list in memory, found by row and by code.
//!
//! Invariant: the code index and the category totals always equal what a walk over the rows would
//! give; each change costs the same however long the list is.
//! Failure: none.
//!
//! Several rows may share a code. When exactly one of them is confirmed, the code means that one
//! (the others were canceled and their code was issued again); when none is and exactly one is
//! unpaid, that one; otherwise it is ambiguous.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::guest::{Row, Status, tidy};

/// The guest list. Serialised as the list of its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct Roster {
    rows: HashMap<Uuid, Row>,
    codes: HashMap<Box<str>, Holders>,
    totals: BTreeMap<Option<String>, u32>,
}

/// Whom a code means.
#[derive(Debug, PartialEq)]
pub enum Found<'a> {
    /// Nobody.
    Nobody,
    /// One guest.
    One(&'a Row),
    /// Several guests, and no rule says which.
    Several(usize),
}

/// Rows with one code, in the order of their ids; nearly always one.
#[derive(Clone, Debug, PartialEq)]
enum Holders {
    One(Uuid),
    Many(Vec<Uuid>),
}

impl Roster {
    /// Adds a guest, or replaces the one with the same id.
    pub fn upsert(&mut self, mut row: Row) {
        row.barcode = tidy(row.barcode);
        if let Some(old) = self.rows.get(&row.id) {
            if old.barcode == row.barcode && old.category == row.category {
                self.rows.insert(row.id, row);
                return;
            }
            self.remove(row.id);
        }
        *self.totals.entry(row.category.clone()).or_default() += 1;
        if let Some(code) = &row.barcode {
            match self.codes.get_mut(code.as_str()) {
                Some(holders) => holders.add(row.id),
                None => {
                    self.codes
                        .insert(code.as_str().into(), Holders::One(row.id));
                }
            }
        }
        self.rows.insert(row.id, row);
    }

    /// Takes a guest off the list.
    pub fn remove(&mut self, id: Uuid) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        if let Some(total) = self.totals.get_mut(&row.category) {
            *total -= 1;
            if *total == 0 {
                self.totals.remove(&row.category);
            }
        }
        if let Some(code) = row.barcode.as_deref()
            && self
                .codes
                .get_mut(code)
                .is_some_and(|holders| holders.drop(id))
        {
            self.codes.remove(code);
        }
        Some(row)
    }

    /// The guest of a row.
    pub fn get(&self, id: Uuid) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// Whom a code means. The code is trimmed.
    pub fn find(&self, code: &str) -> Found<'_> {
        match self.codes.get(code.trim()) {
            None => Found::Nobody,
            Some(Holders::One(id)) => self.get(*id).map_or(Found::Nobody, Found::One),
            Some(Holders::Many(ids)) => {
                let of = |status: Status| {
                    let rows = ids.iter().filter_map(|id| self.get(*id));
                    let mut rows = rows.filter(move |row| row.status == status);
                    (rows.next(), rows.next())
                };
                match (of(Status::Confirmed), of(Status::Unpaid)) {
                    ((Some(row), None), _) | ((None, _), (Some(row), None)) => Found::One(row),
                    _ => Found::Several(ids.len()),
                }
            }
        }
    }

    /// Everybody who has a code, whatever their status.
    pub fn holders(&self, code: &str) -> impl Iterator<Item = &Row> {
        let ids = match self.codes.get(code.trim()) {
            None => &[],
            Some(Holders::One(id)) => std::slice::from_ref(id),
            Some(Holders::Many(ids)) => ids.as_slice(),
        };
        ids.iter().filter_map(|id| self.get(*id))
    }

    /// Number of guests.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No guests at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Guests per category, by name.
    pub fn totals(&self) -> &BTreeMap<Option<String>, u32> {
        &self.totals
    }

    /// All guests, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }
}

impl Holders {
    fn add(&mut self, id: Uuid) {
        let mut ids = match self {
            Self::One(one) => vec![*one],
            Self::Many(many) => std::mem::take(many),
        };
        if let Err(place) = ids.binary_search(&id) {
            ids.insert(place, id);
        }
        *self = Self::Many(ids);
    }

    /// Forgets one holder; true when none is left.
    fn drop(&mut self, id: Uuid) -> bool {
        match self {
            Self::One(one) => *one == id,
            Self::Many(many) => {
                many.retain(|other| *other != id);
                if let [one] = many.as_slice() {
                    *self = Self::One(*one);
                }
                false
            }
        }
    }
}

impl From<Vec<Row>> for Roster {
    fn from(rows: Vec<Row>) -> Self {
        let mut roster = Self::default();
        roster.rows.reserve(rows.len());
        roster.codes.reserve(rows.len());
        rows.into_iter().for_each(|row| roster.upsert(row));
        roster
    }
}

impl From<Roster> for Vec<Row> {
    fn from(roster: Roster) -> Self {
        roster.rows.into_values().collect()
    }
}
