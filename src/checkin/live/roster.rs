//! The guest list for scanners: whole, what changed since, and pushed.
//!
//! Invariant: whoever has the list at a position and takes in what changed since has the list as it
//! is now. A position is the epoch, the last change of the list and the place in the log, because
//! scans change guests too.
//! Failure: a position of another epoch, or too far back, gets the whole list.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rules::checkin::entry::Entry;
use rules::checkin::guest::Row;
use rules::checkin::known::KnownGuest;
use rules::checkin::sealed::{self, SALT};
use rules::checkin::state::Config;
use rules::checkin::ticket::Tickets;
use rules::checkin::verdict::Effect;
use rules::roles::Profile;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CheckinTable;
use super::access::Granted;
use super::storage::Storage;
use super::table::Table;
use crate::platform::clock;
use crate::platform::crypto;
use crate::platform::ctx::random;
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::live::Happened;
use crate::platform::object::ObjectAnswer;

/// The channel of the list.
pub const ROSTER: &str = "roster";
/// Nothing new: the asker has this position.
pub const UNCHANGED: u16 = 304;
/// It is pushed at most this often.
const COALESCE: Duration = Duration::from_millis(100);
/// More changed guests than this are not pushed but asked for.
const PUSHED: usize = 200;
/// With more changes than this the whole list is as quick.
const CHANGES: usize = 20_000;
/// Stands for the table itself among changed guests.
const THE_TABLE: Uuid = Uuid::nil();
const SALT_KEPT: &str = "roster_salt";

/// How far somebody has the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    epoch: String,
    change: u64,
    seq: u64,
}

/// What the object knows of changes to its list.
#[derive(Default)]
pub struct Changes {
    last: Cell<u64>,
    /// Off while the list is read for the first time.
    noted: Cell<bool>,
    pushed: RefCell<Option<At>>,
    due: Cell<bool>,
}

/// What is asked; made by the Worker.
#[derive(Deserialize)]
struct Query {
    since: Option<String>,
    after: Option<Uuid>,
    limit: u32,
    sealed: bool,
    known: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    position: String,
    seq: u64,
    /// The whole list, in pages; otherwise what changed.
    full: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<About<'a>>,
    #[serde(flatten)]
    guests: Guests,
    next: Option<Uuid>,
}

/// What a scanner needs besides guests.
#[derive(Serialize)]
struct About<'a> {
    table_id: Uuid,
    name: &'a str,
    config: &'a Config,
    tickets: &'a Tickets,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Guests {
    Open {
        rows: Vec<KnownGuest>,
        gone: Vec<Uuid>,
    },
    Sealed {
        salt: String,
        sealed: Vec<(String, String)>,
        gone: Vec<String>,
    },
}

/// What is pushed.
#[derive(Serialize)]
struct Pushed {
    from: Option<String>,
    position: String,
    seq: u64,
    more: bool,
    rows: Vec<KnownGuest>,
    gone: Vec<Uuid>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.change, self.seq)
    }
}

impl FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let mut parts = text.split('-');
        let (Some(epoch), Some(change), Some(seq), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(Self {
            epoch: epoch.to_owned(),
            change: change.parse().map_err(drop)?,
            seq: seq.parse().map_err(drop)?,
        })
    }
}

impl At {
    fn of(table: &Table) -> Self {
        Self {
            epoch: table.epoch.clone(),
            change: table.changes.last.get(),
            seq: table.seq(),
        }
    }

    /// The offset of the channel: it grows with every change.
    fn offset(&self) -> u64 {
        self.change + self.seq
    }
}

impl Changes {
    /// What storage has.
    pub fn load(storage: &Storage) -> Result<Self> {
        let changes = Self::default();
        changes.last.set(storage.last_change()?);
        changes.noted.set(true);
        Ok(changes)
    }

    /// From now on changes are noted.
    pub fn begin(&self) {
        self.noted.set(true);
    }

    /// Notes that these guests change or go. `left` is a code that stops meaning the guest.
    pub fn note(&self, storage: &Storage, changed: &[(Uuid, Option<String>)]) -> Result<()> {
        if changed.is_empty() || !self.noted.get() {
            return Ok(());
        }
        let change = self.last.get() + 1;
        storage.note_changes(change, changed)?;
        self.last.set(change);
        Ok(())
    }

    /// Notes that the table itself changed: its settings, or keys of its tickets.
    pub fn note_table(&self, storage: &Storage) -> Result<()> {
        self.note(storage, &[(THE_TABLE, None)])
    }
}

/// Guests of a page of news, each with the code that it no longer has.
pub fn changes_of<'a>(
    table: &Table,
    kept: impl Iterator<Item = &'a Row>,
    gone: impl Iterator<Item = Uuid>,
) -> Vec<(Uuid, Option<String>)> {
    let state = table.state.borrow();
    let code_of = |id: Uuid| state.roster.get(id).and_then(|row| row.barcode.clone());
    let kept = kept.map(|row| {
        let left = code_of(row.id).filter(|code| row.barcode.as_ref() != Some(code));
        (row.id, left)
    });
    kept.chain(gone.map(|id| (id, code_of(id)))).collect()
}

impl CheckinTable {
    /// The list, or what changed.
    pub(super) fn roster(
        &self,
        table: &Table,
        granted: &Granted,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let query = decode::<Query>(input)?;
        let at = At::of(table);
        let position = at.to_string();
        if query.known.as_deref() == Some(position.as_str()) {
            let body = format!("{position}\n{{}}");
            let status = UNCHANGED;
            return Ok(ObjectAnswer { status, body });
        }
        let identity = table.identity.borrow();
        if !identity.enabled || !identity.config.settings.offline_mode {
            return Err(Error::conflict(
                "offline_mode_off",
                "This table gives its guest list to no scanner.",
            ));
        }
        let staff = granted.profile.is_none() && granted.caller.sees_email();
        let trusted = staff || granted.profile == Some(Profile::Scanner);
        let since = query.since.as_deref().and_then(|since| since.parse().ok());
        let news = match since {
            Some(since) => changed_since(table, &since)?,
            None => None,
        };
        let (full, ids, left, next) = match news {
            Some(news) => (false, news.ids, news.left, None),
            None => {
                let page = table.storage.guests_after(query.after, query.limit)?;
                let full = page.len() >= usize::try_from(query.limit).unwrap_or(usize::MAX);
                let next = page.last().copied().filter(|_| full);
                (true, page, Vec::new(), next)
            }
        };
        let guests = match trusted && !query.sealed {
            true => open(table, &ids),
            false => seal(table, &ids, left, granted.caller.sees_email())?,
        };
        let state = table.state.borrow();
        let answer = Answer {
            position: position.clone(),
            seq: at.offset(),
            full,
            about: query.after.is_none().then_some(About {
                table_id: identity.table_id,
                name: &identity.name,
                config: &identity.config,
                tickets: &state.tickets,
            }),
            guests,
            next,
        };
        let body = format!("{position}\n{}", serde_json::to_string(&answer)?);
        Ok(ObjectAnswer { status: 200, body })
    }

    /// Tells scanners, soon and together with what else changes until then.
    pub(super) fn roster_changed(&self, table: &Table) {
        if !self.hub.watched(ROSTER) || table.changes.due.replace(true) {
            return;
        }
        let (hub, table) = (self.hub.clone(), self.table.clone());
        worker::wasm_bindgen_futures::spawn_local(async move {
            worker::Delay::from(COALESCE).await;
            let event = table.borrow().as_ref().map(|table| {
                table.changes.due.set(false);
                pushed(table)
            });
            if let Some(Ok(event)) = event {
                hub.publish(ROSTER, &event);
            }
        });
    }
}

/// Does this entry change what a scanner must know of a guest?
pub fn changes_guest(entry: &Entry) -> bool {
    matches!(entry.effect, Effect::Admit | Effect::Exit | Effect::Annul)
}

/// The offset of the channel.
pub fn offset(table: &Table) -> u64 {
    At::of(table).offset()
}

/// What changed since the last push.
pub fn pushed(table: &Table) -> Result<Happened> {
    let now = At::of(table);
    let from = table.changes.pushed.replace(Some(now.clone()));
    let news = match &from {
        Some(from) => changed_since(table, from)?,
        None => None,
    };
    let small = |news: &News| news.ids.len() <= PUSHED && !news.table;
    let news = news.filter(small);
    let more = news.is_none();
    let (rows, gone) = match news.map(|news| open(table, &news.ids)) {
        Some(Guests::Open { rows, gone }) => (rows, gone),
        _ => (Vec::new(), Vec::new()),
    };
    let data = serde_json::to_string(&Pushed {
        from: from.map(|from| from.to_string()),
        position: now.to_string(),
        seq: now.offset(),
        more,
        rows,
        gone,
    })?;
    Ok(Happened {
        offset: offset(table),
        kind: "roster",
        at: clock::now(),
        data,
    })
}

/// Somebody begins to watch, who has the list or asks for it: what changes from now on is told.
pub fn watched(table: &Table) {
    if !table.changes.due.get() {
        table.changes.pushed.replace(Some(At::of(table)));
    }
}

/// For who comes back: where the list is now.
pub fn current(table: &Table) -> Result<Happened> {
    let now = At::of(table);
    let data = serde_json::to_string(&Pushed {
        from: Some(now.to_string()),
        position: now.to_string(),
        seq: now.offset(),
        more: false,
        rows: Vec::new(),
        gone: Vec::new(),
    })?;
    Ok(Happened {
        offset: offset(table),
        kind: "roster",
        at: clock::now(),
        data,
    })
}

struct News {
    table: bool,
    ids: Vec<Uuid>,
    left: Vec<String>,
}

fn changed_since(table: &Table, since: &At) -> Result<Option<News>> {
    let now = At::of(table);
    if since.epoch != now.epoch || since.change > now.change || since.seq > now.seq {
        return Ok(None);
    }
    let limit = u32::try_from(CHANGES + 1).unwrap_or(u32::MAX);
    let changed = table.storage.changes_after(since.change, limit)?;
    let scanned = table.storage.scanned_after(since.seq, limit)?;
    if changed.len() > CHANGES || scanned.len() > CHANGES {
        return Ok(None);
    }
    let mut ids: BTreeSet<Uuid> = scanned.into_iter().collect();
    let mut left = Vec::new();
    for (id, code) in changed {
        ids.insert(id);
        left.extend(code);
    }
    Ok(Some(News {
        table: ids.remove(&THE_TABLE),
        ids: ids.into_iter().collect(),
        left,
    }))
}

fn open(table: &Table, ids: &[Uuid]) -> Guests {
    let state = table.state.borrow();
    let (mut rows, mut gone) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        match state.roster.get(*id) {
            Some(row) => rows.push(state.known(row.clone())),
            None => gone.push(*id),
        }
    }
    Guests::Open { rows, gone }
}

fn seal(table: &Table, ids: &[Uuid], left: Vec<String>, with_email: bool) -> Result<Guests> {
    let salt = salt(table)?;
    let state = table.state.borrow();
    let here = ids.iter().filter_map(|id| state.roster.get(*id));
    let codes: BTreeSet<String> = here
        .filter_map(|row| row.barcode.clone())
        .chain(left)
        .collect();
    let (mut rows, mut gone) = (Vec::with_capacity(codes.len()), Vec::new());
    for code in codes {
        let holders: Vec<KnownGuest> = state
            .roster
            .holders(&code)
            .map(|row| {
                let email = row.email.clone().filter(|_| with_email);
                state.known(Row {
                    email,
                    ..row.clone()
                })
            })
            .collect();
        let name = sealed::name(&salt, &code);
        if holders.is_empty() {
            gone.push(name);
            continue;
        }
        let text = serde_json::to_string(&holders)?;
        let sealed = sealed::seal(&salt, state.table_id, &code, &text);
        let sealed = sealed.ok_or_else(|| Error::internal("a guest cannot be sealed"))?;
        rows.push((name, sealed));
    }
    Ok(Guests::Sealed {
        salt: crypto::hex(&salt),
        sealed: rows,
        gone,
    })
}

/// The table's salt, made when it is first needed.
fn salt(table: &Table) -> Result<[u8; SALT]> {
    let kept: HashMap<String, String> = table.storage.meta()?;
    if let Some(salt) = kept.get(SALT_KEPT).and_then(|text| unhex(text)) {
        return Ok(salt);
    }
    let salt = random::<SALT>();
    table.storage.put(SALT_KEPT, &crypto::hex(&salt))?;
    Ok(salt)
}

fn unhex(text: &str) -> Option<[u8; SALT]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == SALT * 2).then(|| number.to_be_bytes())
}
