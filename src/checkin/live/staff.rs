//! Staff at this table: who of them Postgres confirmed, over requests and over sockets.
//!
//! Invariant: a member of staff was confirmed at most 60 s ago, however many sockets they have: one
//! statement asks about everybody at once. Whose role changed or whose credential ended is asked
//! about at once, when the object is told.
//! Failure: while Postgres is away, who was confirmed within the last quarter of an hour stays in, so
//! that the door goes on; nobody new gets in. Whoever is known to have changed does not stay on an
//! old word: their sockets end and have to come back.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use rules::checkin::caller::ActorKind;
use rules::live::close;
use rules::live::session::Identity;
use rules::live::standing::{CONFIRMED_FOR_MS, Fate, Standing, fate, standing};
use rules::roles::{Resource, Role, Verb};
use serde_json::json;
use uuid::Uuid;

use super::CheckinTable;
use super::access::{self, Granted};
use super::store::{self, Member, Members};
use super::table::Table;
use crate::checkin::Home;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::object::{Caller, ObjectAnswer};
use crate::platform::pg::{Called, Pg, within};
use crate::platform::scope::{Credential, Scope, Subject};

const CONFIRMED_FOR: TimeDelta = TimeDelta::milliseconds(CONFIRMED_FOR_MS);
/// How long to leave Postgres alone after it did not answer.
const RETRY: TimeDelta = TimeDelta::seconds(10);
const PATIENCE: Duration = Duration::from_secs(2);
/// When all staff on sockets was confirmed last, as storage keeps it.
const CHECKED: &str = "staff_checked";

/// Members of staff who were confirmed lately.
#[derive(Default)]
pub struct Staff {
    /// Over requests, by credential.
    callers: RefCell<HashMap<String, Confirmed>>,
    /// Being asked about, by credential.
    asking: RefCell<HashMap<String, Asked>>,
    /// How often something changed: an answer that was under way meanwhile may be an old one.
    changes: Cell<u64>,
    /// When everybody on the sockets was confirmed together.
    checked: Cell<Option<DateTime<Utc>>>,
    /// Not to be asked about before this, because Postgres did not answer.
    again_at: Cell<Option<DateTime<Utc>>>,
}

/// Role, actor and tenant of a caller.
type Found = (Role, Uuid, Uuid);
type Asked = Shared<LocalBoxFuture<'static, Result<Found>>>;

#[derive(Clone, Copy)]
struct Confirmed {
    role: Role,
    actor: Uuid,
    sign_in: Option<Uuid>,
    tenant: Uuid,
    at: DateTime<Utc>,
    again_at: DateTime<Utc>,
}

impl Staff {
    /// What storage has.
    pub fn load(meta: &HashMap<String, String>) -> Self {
        let checked = meta.get(CHECKED).and_then(|ms| ms.parse().ok());
        let staff = Self::default();
        staff
            .checked
            .set(checked.and_then(DateTime::from_timestamp_millis));
        staff
    }

    /// Nobody is taken at an old word about this one.
    fn forget(&self, subject: Subject) {
        self.changes.set(self.changes.get() + 1);
        self.callers.borrow_mut().retain(|_, known| match subject {
            Subject::User(id) | Subject::Key(id) => known.actor != id,
            Subject::Session(id) => known.sign_in != Some(id),
        });
    }

    /// How good the word about the reader of a socket is.
    fn standing(&self, reader: &Identity, now: DateTime<Utc>) -> Standing {
        let checked = self.checked.get().map(|at| at.timestamp_millis());
        let confirmed = reader.confirmed_ms.max(checked).unwrap_or_default();
        standing(confirmed, now.timestamp_millis())
    }
}

/// Lets a member of staff in, as far as Postgres confirms who they are.
pub async fn granted(ctx: &Ctx, table: &Table, who: &Caller) -> Result<Granted> {
    let (key, sign_in) = match &who.credential {
        Credential::User { user, session, .. } => (format!("u{user}{session}"), Some(*session)),
        Credential::Supabase { subject, .. } => (format!("s{subject}"), None),
        Credential::Key {
            id,
            hash,
            jurisdiction,
        } => (format!("k{id}{hash}{}", jurisdiction.as_str()), None),
        _ => return Err(Error::unauthenticated("credential_missing")),
    };
    let tenant = table.identity.borrow().tenant_id;
    let named = who.tenant.or(match &who.credential {
        Credential::User { tenant, .. } => Some(*tenant),
        _ => None,
    });
    if named.is_some_and(|named| named != tenant) {
        return Err(Error::not_found());
    }
    let now = who.now;
    let known = table.staff.callers.borrow().get(&key).copied();
    let confirmed = match known {
        Some(known) if now < known.again_at && now >= known.at - CONFIRMED_FOR => known,
        _ => match ask(ctx, table, &key, who).await {
            Ok((role, actor, tenant)) => Confirmed {
                role,
                actor,
                sign_in,
                tenant,
                at: now,
                again_at: now + CONFIRMED_FOR,
            },
            Err(error) => {
                let in_need = |known: &Confirmed| {
                    let (at, now) = (known.at.timestamp_millis(), now.timestamp_millis());
                    error.status == 503 && standing(at, now) != Standing::Lapsed
                };
                // Looked up again: it may have been forgotten meanwhile.
                let known = table.staff.callers.borrow().get(&key).copied();
                let Some(known) = known.filter(in_need) else {
                    table.staff.callers.borrow_mut().remove(&key);
                    return Err(error);
                };
                Confirmed {
                    again_at: now + RETRY,
                    ..known
                }
            }
        },
    };
    if confirmed.tenant != tenant {
        return Err(Error::not_found());
    }
    let mut callers = table.staff.callers.borrow_mut();
    if callers.len() > 10_000 {
        callers.clear();
    }
    callers.insert(key, confirmed);
    let kind = match who.credential {
        Credential::Key { .. } => ActorKind::Key,
        _ => ActorKind::User,
    };
    Ok(Granted {
        confirmed_at: Some(confirmed.at),
        ..access::staff_caller(confirmed.role, kind, confirmed.actor)
    })
}

/// Asks Postgres who a caller is. Whoever comes with the same credential meanwhile, such as a hundred
/// sockets that connect again, gets the same answer; an answer that a change overtook is asked for
/// again.
async fn ask(ctx: &Ctx, table: &Table, key: &str, who: &Caller) -> Result<Found> {
    let staff = &table.staff;
    loop {
        let changes = staff.changes.get();
        let asked = staff.asking.borrow().get(key).cloned();
        let asked = asked.unwrap_or_else(|| {
            let asked = confirm(ctx.pg.clone(), who.clone()).boxed_local().shared();
            let mut asking = staff.asking.borrow_mut();
            asking.insert(key.to_owned(), asked.clone());
            asked
        });
        let found = asked.clone().await;
        let mut asking = staff.asking.borrow_mut();
        if asking.get(key).is_some_and(|now| now.ptr_eq(&asked)) {
            asking.remove(key);
        }
        if found.is_err() || staff.changes.get() == changes {
            return found;
        }
    }
}

async fn confirm(pg: Pg, who: Caller) -> Result<Found> {
    let scope = Scope {
        credential: who.credential,
        tenant: who.tenant,
        roles: &[],
        idempotency: None,
    };
    let called = within(PATIENCE, whoever(&pg, &scope)).await?;
    let role = Role::parse(&called.role)
        .ok_or_else(|| Error::internal(format!("unknown role {}", called.role)))?;
    Ok((role, called.actor, called.tenant))
}

/// The tenant of a caller whose credential does not say.
pub async fn tenant(ctx: &Ctx, scope: &Scope) -> Result<Uuid> {
    Ok(whoever(&ctx.pg, scope).await?.tenant)
}

/// Who a caller is. Nothing signs what the text of a key says of its jurisdiction, and it has led
/// here: another one than the tenant's would make a second object of the same table.
async fn whoever(pg: &Pg, scope: &Scope) -> Result<Called<Home>> {
    let called = pg.call_full(scope, &store::CONFIRM, &json!({})).await?;
    match scope.credential {
        Credential::Key { jurisdiction, .. } if jurisdiction != called.result.jurisdiction => {
            Err(Error::unauthenticated("key_unknown"))
        }
        _ => Ok(called),
    }
}

impl CheckinTable {
    /// When the staff on the sockets is next asked about.
    pub(super) fn readers_due(&self) -> Option<DateTime<Utc>> {
        let since = self.hub.staff_since()?;
        let table = self.table.borrow();
        let staff = table.as_ref().map(|table| &table.staff);
        let checked = staff.and_then(|staff| staff.checked.get());
        let again_at = staff.and_then(|staff| staff.again_at.get());
        let due = checked.map_or(since, |checked| checked.max(since)) + CONFIRMED_FOR;
        Some(again_at.map_or(due, |again_at| again_at.max(due)))
    }

    /// Makes sure that the reader of a socket is confirmed before it does something.
    pub(super) async fn confirm_reader(
        &self,
        table: &Table,
        reader: &Identity,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if table.staff.standing(reader, now) != Standing::Fresh {
            self.confirm_readers(table).await;
        }
        match table.staff.standing(reader, clock::now()) {
            Standing::Lapsed => Err(Error::unavailable("this reader cannot be confirmed")),
            Standing::Fresh | Standing::Due => Ok(()),
        }
    }

    /// Has Postgres confirm the staff on all the sockets, if that is due.
    pub(super) async fn confirm_readers(&self, table: &Table) {
        let _one_at_a_time = self.confirming.lock().await;
        let now = clock::now();
        if self.readers_due().is_none_or(|due| now < due) {
            return;
        }
        let ctx = self.ctx(Some(format!("{}.staff", table.identity.borrow().table_id)));
        let confirmed = match self.ask_about(&ctx, &self.hub.staff()).await {
            Ok(()) => {
                table.staff.checked.set(Some(now));
                table.staff.again_at.set(None);
                let at = now.timestamp_millis().to_string();
                table.storage.put(CHECKED, &at)
            }
            Err(error) => {
                table.staff.again_at.set(Some(clock::now() + RETRY));
                Err(error)
            }
        };
        if let Err(error) = confirmed {
            complain(&error);
            let now = clock::now();
            self.hub.review(self, |reader| {
                let staff = reader.confirmed_ms.is_some();
                match staff && table.staff.standing(reader, now) == Standing::Lapsed {
                    true => Fate::Ends(close::RESTART),
                    false => Fate::Stays,
                }
            });
        }
    }

    /// Somebody's role changed or their credential ended: their sockets follow at once.
    pub(super) async fn standing_changed(
        &self,
        ctx: &Ctx,
        who: &Caller,
        input: &str,
    ) -> Result<ObjectAnswer> {
        if who.credential != Credential::System {
            return Err(Error::not_found());
        }
        let subject: Subject = serde_json::from_str(input)?;
        // A table that sleeps remembers no requests, and is not woken for its sockets.
        if let Some(table) = self.table.borrow().as_ref() {
            table.staff.forget(subject);
        }
        // After an answer that is on its way, which may be older than the change.
        let _one_at_a_time = self.confirming.lock().await;
        let mut readers = self.hub.staff();
        readers.retain(|reader| is_about(reader, subject));
        if !readers.is_empty()
            && let Err(error) = self.ask_about(ctx, &readers).await
        {
            complain(&error);
            self.hub
                .review(self, |reader| match is_about(reader, subject) {
                    true => Fate::Ends(close::RESTART),
                    false => Fate::Stays,
                });
        }
        Ok(ObjectAnswer {
            status: 200,
            body: "{}".to_owned(),
        })
    }

    /// Asks Postgres about readers, and lets them stay or go as it says.
    async fn ask_about(&self, ctx: &Ctx, readers: &[Identity]) -> Result<()> {
        let Some(tenant) = readers.first().map(|reader| reader.tenant.parse()) else {
            return Ok(());
        };
        let tenant = tenant.map_err(|_| Error::internal("a reader without a tenant"))?;
        let members = readers.iter().map(|reader| Member {
            kind: reader.kind.clone(),
            id: reader.id.clone(),
            session: reader.sign_in.clone(),
        });
        let members = Members {
            members: members.collect(),
        };
        let scope = Scope::system(tenant);
        let roles = ctx.pg.call(&scope, &store::STANDING, &members).await?;
        if roles.len() != readers.len() {
            return Err(Error::internal("not everybody was answered about"));
        }
        let watches = |role| rules::roles::may(role, Verb::Watch, Resource::LiveChannel);
        let fates: HashMap<_, _> = (readers.iter().zip(roles))
            .map(|(reader, role)| (name(reader), fate(reader, role, watches)))
            .filter(|(_, fate)| *fate != Fate::Stays)
            .collect();
        if !fates.is_empty() {
            let fate = |reader: &Identity| fates.get(&name(reader)).copied();
            self.hub
                .review(self, |reader| fate(reader).unwrap_or(Fate::Stays));
        }
        Ok(())
    }
}

/// What one answer of Postgres is about.
fn name(reader: &Identity) -> (&str, &str, Option<&str>) {
    (&reader.kind, &reader.id, reader.sign_in.as_deref())
}

fn is_about(reader: &Identity, subject: Subject) -> bool {
    let (kind, id) = match subject {
        Subject::User(id) => ("user", id),
        Subject::Key(id) => ("key", id),
        Subject::Session(id) => return reader.sign_in == Some(id.to_string()),
    };
    reader.kind == kind && reader.id == id.to_string()
}

fn complain(error: &Error) {
    log::write(
        Level::Warn,
        "staff",
        &[
            ("code", error.code.as_ref().into()),
            ("context", error.context.clone().into()),
        ],
    );
}
