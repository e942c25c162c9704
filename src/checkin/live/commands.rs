//! The commands of the live object: what the Worker asks of it.
//!
//! Invariant: between deciding and appending nothing is awaited, so of any number of scans of one
//! code that arrive at once exactly one is the first.
//! Failure: input that is not right is answered as the API answers it.

use chrono::{DateTime, Utc};
use rules::checkin::annul::{AnnulIn, AnnulRefusal, Undo, annul, take_back};
use rules::checkin::answer::answer;
use rules::checkin::caller::Caller as Scanner;
use rules::checkin::decide::{Ids, decide, on_several_lists};
use rules::checkin::entry::{Entry, record};
use rules::checkin::scan::{Scan, ScanIn};
use rules::checkin::told;
use rules::roles::{Resource, Verb};
use uuid::Uuid;
use worker::wasm_bindgen::prelude::*;

use super::access::{self, Granted};
use super::roster;
use super::table::Table;
use super::{CheckinTable, GATHER, channels, record as outbox};
use crate::platform::clock;
use crate::platform::ctx::{Ctx, id_at};
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::object::{self, Caller, ObjectAnswer};
use crate::platform::scope::Credential;

/// Marks an answer that was given before.
pub const REPLAYED: u16 = 208;

#[wasm_bindgen(
    wasm_bindgen = worker::wasm_bindgen,
    wasm_bindgen_futures = worker::wasm_bindgen_futures,
    js_sys = worker::js_sys
)]
impl CheckinTable {
    /// Runs a command for the Worker: see `platform::object`.
    pub async fn command(&self, name: String, body: String) -> String {
        object::answer(self.run(&name, &body).await)
    }
}

impl CheckinTable {
    async fn run(&self, command: &str, body: &str) -> Result<ObjectAnswer> {
        if command == "ping" {
            return ok(200, "{}".to_owned());
        }
        let (who, input) = object::open(body)?;
        // What the object reads for itself is told apart from what the request read.
        let ctx = self.ctx(Some(format!("{}.object", who.request_id)));
        if command == "standing" {
            return self.standing_changed(&ctx, &who, input).await;
        }
        let table = self.table(&ctx, &who).await?;
        match command {
            "scan" => {
                let granted = self.grant(&ctx, &table, &who, Verb::Scan).await?;
                self.scan_body(&table, &granted.caller, who.now, input)
            }
            "sync" => {
                let granted = self.grant(&ctx, &table, &who, Verb::Scan).await?;
                self.sync_body(&table, &granted, who.now, input)
            }
            "known" => {
                let granted = self.grant(&ctx, &table, &who, Verb::Scan).await?;
                Self::known(&table, &granted.caller, who.now, input)
            }
            "ambiguous" => {
                let granted = self.grant(&ctx, &table, &who, Verb::Scan).await?;
                self.ambiguous(&table, &granted.caller, who.now, input)
            }
            "annul" => {
                let granted = self.grant(&ctx, &table, &who, Verb::Annul).await?;
                self.annul(&table, &granted.caller, who.now, input)
            }
            "roster" => {
                let (verb, resource) = (Verb::Read, Resource::LiveRoster);
                let granted = self.let_in(&ctx, &table, &who, verb, resource).await?;
                self.roster(&table, &granted, input)
            }
            "dashboard" => {
                access::grant(&ctx, &table, &who, Verb::Read, Resource::Dashboard).await?;
                self.dashboard(&table, &who)
            }
            "status" => {
                let (verb, resource) = (Verb::Write, Resource::DeviceStatus);
                let granted = self.let_in(&ctx, &table, &who, verb, resource).await?;
                self.report(&table, &granted.caller, input, who.now)?;
                ok(200, "{}".to_owned())
            }
            "badge" => {
                let (verb, resource) = (Verb::Read, Resource::Badge);
                self.let_in(&ctx, &table, &who, verb, resource).await?;
                ok(200, super::badge::of(&table, input)?)
            }
            "flush" => {
                self.grant(&ctx, &table, &who, Verb::Read).await?;
                outbox::flush(&ctx, &table).await?;
                let live = channels::position(&table, table.flushed.get());
                ok(200, serde_json::to_string(&live)?)
            }
            "pull" | "exits" if who.credential != Credential::System => Err(Error::not_found()),
            "pull" => {
                self.pull(&ctx, &table, who.now).await?;
                ok(200, "{}".to_owned())
            }
            "exits" => {
                self.let_all_out(&table, who.now).await?;
                // Postgres asked because what it knows has passed.
                self.tell_exits(&ctx, &table).await?;
                ok(200, "{}".to_owned())
            }
            _ => Err(Error::internal(format!("unknown command {command}"))),
        }
    }

    /// One reader at a time; whoever waited finds the news already read and reads what came since.
    async fn pull(&self, ctx: &Ctx, table: &Table, now: DateTime<Utc>) -> Result<()> {
        let _one_at_a_time = self.pulling.lock().await;
        self.pulled_at.set(Some(ctx.now));
        let devices_seq = table.position.borrow().devices_seq;
        let list = roster::offset(table);
        // By the settings that held until now.
        self.let_all_out(table, now).await?;
        outbox::pull(ctx, table, now).await?;
        self.look_out(table);
        if roster::offset(table) != list {
            self.roster_changed(table);
        }
        self.hub
            .recheck(self, |reader| access::stays(table, reader));
        self.stats_changed();
        if table.position.borrow().devices_seq != devices_seq {
            self.devices_changed(table)?;
        }
        Ok(())
    }

    /// Lets the caller in to do this with check-ins. A device that is not known may have been made
    /// a moment ago.
    async fn grant(&self, ctx: &Ctx, table: &Table, who: &Caller, verb: Verb) -> Result<Granted> {
        self.let_in(ctx, table, who, verb, Resource::CheckIn).await
    }

    /// The same for anything.
    pub(super) async fn let_in(
        &self,
        ctx: &Ctx,
        table: &Table,
        who: &Caller,
        verb: Verb,
        resource: Resource,
    ) -> Result<Granted> {
        let granted = access::grant(ctx, table, who, verb, resource).await;
        let lately = self
            .pulled_at
            .get()
            .is_some_and(|at| (ctx.now - at).num_seconds() < 1);
        match granted {
            Err(error) if error.code == access::UNKNOWN_DEVICE && !lately => {
                self.pull(ctx, table, who.now).await?;
                access::grant(ctx, table, who, verb, resource).await
            }
            granted => granted,
        }
    }

    /// Decides a scan and records it, or repeats the answer of an earlier request with its nonce.
    pub(super) fn scan_body(
        &self,
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let answer = self.scan_one(table, caller, now, decode(input)?, &[])?;
        self.stats_changed();
        Ok(answer)
    }

    /// One scan, alone or of a batch. With `lists`, the names of several that know its code, it is
    /// refused as ambiguous.
    pub(super) fn scan_one(
        &self,
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        scan: ScanIn,
        lists: &[String],
    ) -> Result<ObjectAnswer> {
        let table_id = table.identity.borrow().table_id;
        if scan.table_id != table_id && !scan.table_id.is_nil() {
            return Err(Error::not_found());
        }
        let scan = scan.parse(now)?;
        let nonce_key = scan.nonce_key(caller.origin());
        if scan.offline.is_some()
            && let Some(earlier) = table.storage.by_nonce(&nonce_key)?
        {
            let earlier: Entry = serde_json::from_str(&earlier)?;
            return match told::otherwise(&scan, &earlier) {
                true => self.told_otherwise(table, caller, scan, &earlier),
                false => ok(REPLAYED, body_of(table, &earlier)?),
            };
        }
        // What happened at a door while it was closed here, and the device could not know, did happen.
        let taken = table.identity.borrow().enabled || scan.offline.is_some();
        let entry = match taken {
            true => entry_of(table, scan, caller, lists),
            false => Err(Error::conflict(
                "pulse_disabled",
                "Check-in is disabled on this table.",
            )),
        };
        let appended = match &entry {
            Ok(entry) => table.append(entry)?,
            Err(_) => false,
        };
        match (entry, appended) {
            (Ok(entry), true) => self.answered(table, &entry),
            // What was answered before is answered again, whatever has changed since.
            (entry, _) => match table.storage.by_nonce(&nonce_key)? {
                Some(earlier) => ok(REPLAYED, body_of(table, &serde_json::from_str(&earlier)?)?),
                None => entry.and_then(|_| self.succeeded()),
            },
        }
    }

    /// A device reports what it told the guest instead of the answer that it did not hear.
    fn told_otherwise(
        &self,
        table: &Table,
        caller: &Scanner,
        scan: Scan,
        earlier: &Entry,
    ) -> Result<ObjectAnswer> {
        if let Some(reported) = table.storage.by_nonce(&told::key(&earlier.nonce_key))? {
            return ok(REPLAYED, body_of(table, &serde_json::from_str(&reported)?)?);
        }
        let back = take_back(&table.state.borrow(), earlier, &scan.times, caller);
        if let Some(back) = back {
            if !table.append(&back)? {
                return self.succeeded();
            }
            self.recorded(table, &back)?;
        }
        let entry = entry_of(table, scan, caller, &[])?;
        let entry = told::entry(&table.state.borrow(), entry);
        match table.append(&entry)? {
            true => self.answered(table, &entry),
            false => self.succeeded(),
        }
    }

    /// The answer of a scan whose entry is in the log.
    fn answered(&self, table: &Table, entry: &Entry) -> Result<ObjectAnswer> {
        self.recorded(table, entry)?;
        self.left_since(table, entry)?;
        let status = if entry.is_admission() { 201 } else { 200 };
        ok(status, body_of(table, entry)?)
    }

    /// Undoes an admission, or repeats the answer of an earlier request with its nonce.
    fn annul(
        &self,
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let (check_in, input) = input.split_once('\n').unwrap_or((input, "{}"));
        let check_in = Uuid::try_parse(check_in).map_err(|_| Error::not_found())?;
        let request = decode::<AnnulIn>(input)?.parse(now)?;
        let answer = self.undo(table, caller, check_in, &request)?;
        self.stats_changed();
        Ok(answer)
    }

    /// The same, alone or of a batch.
    pub(super) fn undo(
        &self,
        table: &Table,
        caller: &Scanner,
        check_in: Uuid,
        request: &Undo,
    ) -> Result<ObjectAnswer> {
        if let Some(nonce_key) = request.nonce_key(caller.origin(), check_in)
            && let Some(earlier) = table.storage.by_nonce(&nonce_key)?
        {
            return ok(REPLAYED, body_of(table, &serde_json::from_str(&earlier)?)?);
        }
        let original = table.creation_of(check_in)?.ok_or_else(Error::not_found)?;
        let entry = annul(&table.state.borrow(), &original, request, caller);
        let entry = entry.map_err(|refusal| match refusal {
            AnnulRefusal::OtherDevice | AnnulRefusal::TooLate => {
                Error::forbidden(refusal.code(), refusal.message())
            }
            AnnulRefusal::NotAnAdmission | AnnulRefusal::AlreadyAnnulled => {
                Error::conflict(refusal.code(), refusal.message())
            }
        })?;
        if !table.append(&entry)? {
            return self.succeeded();
        }
        self.recorded(table, &entry)?;
        ok(200, body_of(table, &entry)?)
    }

    /// The place in the log is taken and the nonce is not: another instance has gone on without
    /// this one, which forgets what it knows. The client tries again.
    pub(super) fn succeeded(&self) -> Result<ObjectAnswer> {
        self.table.replace(None);
        Err(Error::unavailable("this instance has a successor"))
    }

    /// After an entry is in the log: tell who watches, and see to it that Postgres gets it.
    pub(super) fn recorded(&self, table: &Table, entry: &Entry) -> Result<()> {
        self.announce(entry)?;
        if roster::changes_guest(entry) {
            self.roster_changed(table);
        }
        self.arm(clock::now() + GATHER);
        Ok(())
    }
}

fn entry_of(table: &Table, scan: Scan, caller: &Scanner, lists: &[String]) -> Result<Entry> {
    let received_at = scan.times.received_at;
    table.recall(&scan)?;
    let state = table.state.borrow();
    let fresh = Ids {
        check_in: id_at(received_at),
        row: id_at(received_at),
    };
    let ids = scan.ids(state.table_id, caller.origin(), fresh);
    let decision = match lists {
        [] => decide(&state, &scan, caller, ids)?,
        lists => on_several_lists(&state, &scan, caller, lists),
    };
    let original = match &decision.repeats {
        Some(repeated) => table.entry(repeated.seq)?.check_in(state.table_id),
        None => None,
    };
    Ok(record(&state, scan, caller, decision, ids, original))
}

fn body_of(table: &Table, entry: &Entry) -> Result<String> {
    let table_id = table.identity.borrow().table_id;
    Ok(serde_json::to_string(&answer(entry, table_id))?)
}

fn ok(status: u16, body: String) -> Result<ObjectAnswer> {
    Ok(ObjectAnswer { status, body })
}
