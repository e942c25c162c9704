//! Who is on the sockets of a tenant, as Postgres confirms them.
//!
//! Invariant: a reader was confirmed at most 60 s ago; whose standing changed is asked about at once.
//! Failure: while Postgres is away, who was confirmed within the last quarter of an hour stays.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::lock::Mutex;
use rules::live::close;
use rules::live::session::Identity;
use rules::live::standing::{CONFIRMED_FOR_MS, Fate, Standing, fate, standing};
use rules::roles::Role;
use serde_json::json;

use super::live::Tenant;
use super::store;
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::live::Hub;
use crate::platform::scope::{Scope, Subject};

const CONFIRMED_FOR: TimeDelta = TimeDelta::milliseconds(CONFIRMED_FOR_MS);
/// How long to leave Postgres alone after it did not answer.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// When the readers were confirmed together.
#[derive(Default)]
pub struct Readers {
    checked: Cell<Option<DateTime<Utc>>>,
    again_at: Cell<Option<DateTime<Utc>>>,
    asking: Mutex<()>,
}

impl Readers {
    /// When they are next asked about.
    pub fn due(&self, hub: &Hub) -> Option<DateTime<Utc>> {
        let since = hub.staff_since()?;
        let checked = self.checked.get();
        let due = checked.map_or(since, |checked| checked.max(since)) + CONFIRMED_FOR;
        Some(self.again_at.get().map_or(due, |again| again.max(due)))
    }

    fn standing(&self, reader: &Identity, now: DateTime<Utc>) -> Standing {
        let checked = self.checked.get().map(|at| at.timestamp_millis());
        let confirmed = reader.confirmed_ms.max(checked).unwrap_or_default();
        standing(confirmed, now.timestamp_millis())
    }
}

impl Tenant {
    /// Makes sure that the reader of a socket is confirmed before it does something.
    pub(super) async fn confirm_reader(&self, reader: &Identity, now: DateTime<Utc>) -> Result<()> {
        if self.readers.standing(reader, now) != Standing::Fresh {
            self.confirm_all().await;
        }
        match self.readers.standing(reader, clock::now()) {
            Standing::Lapsed => Err(Error::unavailable("this reader cannot be confirmed")),
            Standing::Fresh | Standing::Due => Ok(()),
        }
    }

    /// Has Postgres confirm everybody on the sockets, if that is due.
    pub(super) async fn confirm_all(&self) {
        let _one_at_a_time = self.readers.asking.lock().await;
        let now = clock::now();
        if self.readers.due(&self.hub).is_none_or(|due| now < due) {
            return;
        }
        match self.ask_about(&self.hub.staff()).await {
            Ok(()) => {
                self.readers.checked.set(Some(now));
                self.readers.again_at.set(None);
            }
            Err(_) => {
                self.readers.again_at.set(Some(clock::now() + RETRY));
                self.hub.review(self, |reader| {
                    match self.readers.standing(reader, clock::now()) {
                        Standing::Lapsed => Fate::Ends(close::RESTART),
                        Standing::Fresh | Standing::Due => Fate::Stays,
                    }
                });
            }
        }
    }

    /// Somebody's role changed or their credential ended: their sockets follow at once.
    pub(super) async fn standing_changed(&self, subject: Subject) {
        let _one_at_a_time = self.readers.asking.lock().await;
        let mut readers = self.hub.staff();
        readers.retain(|reader| is_about(reader, subject));
        if !readers.is_empty() && self.ask_about(&readers).await.is_err() {
            self.hub
                .review(self, |reader| match is_about(reader, subject) {
                    true => Fate::Ends(close::RESTART),
                    false => Fate::Stays,
                });
        }
    }

    async fn ask_about(&self, readers: &[Identity]) -> Result<()> {
        if readers.is_empty() {
            return Ok(());
        }
        let members = readers
            .iter()
            .map(|reader| json!({"kind": reader.kind, "id": reader.id, "session": reader.sign_in}));
        let asked = json!({"members": members.collect::<Vec<_>>()});
        let scope = Scope::system(self.tenant()?);
        let roles = self.ctx().pg.call(&scope, &store::STANDING, &asked).await?;
        if roles.len() != readers.len() {
            return Err(Error::internal("not everybody was answered about"));
        }
        let staff = |role: Role| Role::STAFF.contains(&role);
        self.hub.review(self, |who| {
            let same = |reader: &Identity| {
                (&reader.kind, &reader.id, &reader.sign_in) == (&who.kind, &who.id, &who.sign_in)
            };
            let known = readers.iter().zip(&roles).find(|(reader, _)| same(reader));
            known.map_or(Fate::Stays, |(_, role)| fate(who, *role, staff))
        });
        Ok(())
    }
}

fn is_about(reader: &Identity, subject: Subject) -> bool {
    let (kind, id) = match subject {
        Subject::User(id) => ("user", id),
        Subject::Key(id) => ("key", id),
        Subject::Session(id) => return reader.sign_in == Some(id.to_string()),
    };
    reader.kind == kind && reader.id == id.to_string()
}
