//! What a scanner keeps besides its log: the list as the server gave it, and scans to report.
//!
//! Invariant: a position is taken only with all that leads to it; what is queued leaves the queue
//! only by an answer of the server to it that will not change: taken, or wrong for ever.
//! Failure: what cannot be read changes nothing; an item that the server refuses for ever is handed
//! back and keeps none of the others waiting.

use std::collections::{BTreeMap, BTreeSet};

use rules::checkin::known::KnownGuest;
use rules::checkin::sealed::{self, SALT};
use rules::checkin::{Config, ScanIn, State, Tickets, UndoIn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Items of one batch.
pub const BATCH: usize = 200;

/// What is kept of it in a snapshot.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offline {
    /// How far the list is.
    pub position: Option<String>,
    /// The same as a number.
    #[serde(default)]
    pub seq: Option<u64>,
    /// Guests who did something elsewhere, as the server told.
    #[serde(default)]
    known: BTreeMap<Uuid, KnownGuest>,
    /// The salt of a sealed list, in hexadecimal.
    #[serde(default)]
    salt: Option<String>,
    /// A sealed list by name.
    #[serde(default)]
    sealed: BTreeMap<String, String>,
    /// Guests who were opened, by name.
    #[serde(default)]
    opened: BTreeMap<String, BTreeSet<Uuid>>,
    /// What is to be reported, oldest first.
    #[serde(default)]
    pub queue: Vec<Item>,
    /// A whole list that has not ended. It begins anew after a reload.
    #[serde(skip)]
    paging: Option<Paging>,
}

/// An item of the queue, and of the batch that reports it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item {
    /// An earlier one was undone here.
    Undo(UndoIn),
    /// A scan, with what the guest was told.
    Scan(Box<ScanIn>),
}

#[derive(Clone)]
struct Paging {
    position: String,
    seq: Option<u64>,
    rows: BTreeSet<Uuid>,
    names: BTreeSet<String>,
}

/// An answer of the list's route, or a push of its channel.
#[derive(Deserialize)]
pub struct News {
    position: String,
    seq: Option<u64>,
    #[serde(default)]
    full: bool,
    /// Only of a push: where it goes on from.
    #[serde(default)]
    from: Option<String>,
    /// Only of a push: more changed than is pushed. Absent in an answer.
    more: Option<bool>,
    about: Option<About>,
    #[serde(default)]
    rows: Vec<KnownGuest>,
    salt: Option<String>,
    #[serde(default)]
    sealed: Vec<(String, String)>,
    #[serde(default)]
    gone: Vec<String>,
    next: Option<Uuid>,
}

#[derive(Deserialize)]
struct About {
    table_id: Uuid,
    config: Config,
    tickets: Tickets,
}

/// What to ask for next.
#[derive(Serialize)]
pub struct Learnt {
    position: Option<String>,
    seq: Option<u64>,
    /// The next page begins after this guest.
    next: Option<Uuid>,
    /// The push does not go on from here: ask for what changed.
    ask: bool,
}

/// An answer to a batch.
#[derive(Deserialize)]
pub struct Results {
    results: Vec<Ended>,
}

#[derive(Deserialize)]
struct Ended {
    status: u16,
    error: Option<Value>,
}

/// What became of the queue.
#[derive(Serialize)]
pub struct Acknowledged {
    taken: usize,
    /// Refused by the server; no longer queued.
    dropped: Vec<Dropped>,
    waiting: usize,
}

#[derive(Serialize)]
struct Dropped {
    item: Item,
    status: u16,
    error: Option<Value>,
}

impl Item {
    /// Does an answer of this status say that the item will never be taken? Others are about the
    /// moment: who is not let in now, a table that is closed, too much at once. What undoes a scan
    /// that still waits is not known yet.
    fn is_wrong(&self, status: u16, others_wait: bool) -> bool {
        match (self, status) {
            (_, 401 | 408 | 425 | 429) | (Self::Scan(_), 403 | 409) => false,
            (Self::Undo(_), 404) => !others_wait,
            _ => (400..500).contains(&status),
        }
    }
}

impl Offline {
    /// Tells a state made of the log what the server knew.
    pub fn restore(&self, state: &mut State) {
        state.sealed = self.salt.is_some();
        for guest in self.known.values() {
            state.learn(guest.clone());
        }
    }

    /// Takes in news; nothing of it when it belongs to another table.
    pub fn learn(&mut self, state: &mut State, own: &BTreeSet<Uuid>, news: News) -> Option<Learnt> {
        if let Some(about) = &news.about
            && about.table_id != state.table_id
        {
            return None;
        }
        if let Some(more) = news.more
            && (more || news.from != self.position)
        {
            return Some(self.learnt(None, self.position.as_ref() != Some(&news.position)));
        }
        if let Some(about) = news.about {
            state.config = about.config;
            state.tickets = about.tickets;
            if news.full {
                self.paging = Some(Paging {
                    position: news.position.clone(),
                    seq: news.seq,
                    rows: BTreeSet::new(),
                    names: BTreeSet::new(),
                });
            }
        }
        state.without_list = false;
        if news.salt.is_some() && news.salt != self.salt {
            self.sealed.clear();
            self.salt = news.salt;
        }
        state.sealed = self.salt.is_some();
        for guest in news.rows {
            if let Some(paging) = &mut self.paging {
                paging.rows.insert(guest.row.id);
            }
            self.know(state, guest);
        }
        for (name, text) in news.sealed {
            if let Some(paging) = &mut self.paging {
                paging.names.insert(name.clone());
            }
            self.sealed.insert(name, text);
        }
        for gone in news.gone {
            match gone.parse() {
                Ok(row) => self.forget(state, row),
                Err(_) => self.shut(state, &gone),
            }
        }
        if !news.full {
            (self.position, self.seq) = (Some(news.position), news.seq);
        } else if news.next.is_none()
            && let Some(paging) = self.paging.take()
        {
            self.end(state, own, paging);
        }
        Some(self.learnt(news.next, false))
    }

    /// Opens what is sealed for a code.
    pub fn open(&mut self, state: &mut State, code: &str) {
        let Some(salt) = self.salt.as_deref().and_then(unhex) else {
            return;
        };
        let name = sealed::name(&salt, code);
        let text = self.sealed.get(&name);
        let text = text.and_then(|text| sealed::open(&salt, state.table_id, code, text));
        let Some(Ok(guests)) = text.map(|text| serde_json::from_str::<Vec<KnownGuest>>(&text))
        else {
            return;
        };
        let ids: BTreeSet<Uuid> = guests.iter().map(|guest| guest.row.id).collect();
        let before = self.opened.insert(name, ids.clone()).unwrap_or_default();
        for left in before.difference(&ids) {
            self.forget(state, *left);
        }
        for guest in guests {
            self.know(state, guest);
        }
    }

    /// Takes the answers to the oldest items of the queue, in their order.
    pub fn acknowledge(&mut self, results: Results) -> Acknowledged {
        let (mut taken, mut dropped) = (0, Vec::new());
        let mut results = results.results.into_iter();
        let mut left = Vec::new();
        for item in std::mem::take(&mut self.queue) {
            match results.next() {
                Some(Ended { status, .. }) if (200..300).contains(&status) => taken += 1,
                Some(Ended { status, error }) if item.is_wrong(status, !left.is_empty()) => {
                    dropped.push(Dropped {
                        item,
                        status,
                        error,
                    });
                }
                _ => left.push(item),
            }
        }
        self.queue = left;
        Acknowledged {
            taken,
            dropped,
            waiting: self.queue.len(),
        }
    }

    fn learnt(&self, next: Option<Uuid>, ask: bool) -> Learnt {
        Learnt {
            position: self.position.clone(),
            seq: self.seq,
            next,
            ask,
        }
    }

    fn know(&mut self, state: &mut State, guest: KnownGuest) {
        match guest.visits.is_empty() {
            true => self.known.remove(&guest.row.id),
            false => self.known.insert(guest.row.id, guest.clone()),
        };
        state.learn(guest);
    }

    fn forget(&mut self, state: &mut State, row: Uuid) {
        self.known.remove(&row);
        state.forget(row);
    }

    fn shut(&mut self, state: &mut State, name: &str) {
        self.sealed.remove(name);
        for row in self.opened.remove(name).unwrap_or_default() {
            self.forget(state, row);
        }
    }

    /// A whole list replaces what is not in it; guests made here and not reported yet stay.
    fn end(&mut self, state: &mut State, own: &BTreeSet<Uuid>, paging: Paging) {
        let is_sealed = self.salt.is_some();
        let names: Vec<String> = self.sealed.keys().cloned().collect();
        for name in names.iter().filter(|name| !paging.names.contains(*name)) {
            self.shut(state, name);
        }
        let ids: Vec<Uuid> = state.roster.rows().map(|row| row.id).collect();
        for id in ids {
            if !is_sealed && !paging.rows.contains(&id) && !own.contains(&id) {
                self.forget(state, id);
            }
        }
        (self.position, self.seq) = (Some(paging.position), paging.seq);
    }
}

fn unhex(text: &str) -> Option<[u8; SALT]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == SALT * 2).then(|| number.to_be_bytes())
}
