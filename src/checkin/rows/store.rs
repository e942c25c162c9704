//! SQL of guests.
//!
//! Invariant: every statement sees its tenant's guests only, and of these the ones not deleted on a
//! list not deleted; of two guests written with one code at the same time, the second is refused.
//! Failure: a guest or a list that is not there answers no row, which is 404.

use rules::export::GuestOut;
use rules::guest_row::{GuestPatch, NewGuest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Row;
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// A new guest of a list.
#[derive(Serialize)]
pub struct NewRow {
    pub id: Uuid,
    pub table_id: Uuid,
    #[serde(flatten)]
    pub guest: NewGuest,
}

/// Which guests of a list.
#[derive(Serialize)]
pub struct Filter {
    pub table_id: Uuid,
    /// Part of the name, the address or the code; case and accents do not matter.
    pub q: Option<String>,
    pub category: Option<String>,
    pub status: Option<String>,
    /// Those older than this one.
    pub before: Option<Uuid>,
    pub limit: u32,
}

/// Guests that were found.
#[derive(Deserialize)]
pub struct Found {
    pub rows: Vec<Row>,
}

/// Which guest, at which version.
#[derive(Serialize)]
pub struct Target {
    pub id: Uuid,
    pub table_id: Uuid,
    pub if_match: Option<i64>,
}

/// What changes on a guest; what is absent from the patch stays.
#[derive(Serialize)]
pub struct Change {
    #[serde(flatten)]
    pub target: Target,
    pub patch: GuestPatch,
}

/// Where an export goes on.
#[derive(Serialize)]
pub struct Position {
    pub table_id: Uuid,
    /// The last guest that was exported.
    pub after: Option<Uuid>,
    pub limit: u32,
}

/// A page of an export.
#[derive(Deserialize)]
pub struct Exported {
    /// The name of the list.
    pub name: String,
    /// Fields of `data` on the list, by name; with the first page only.
    pub keys: Vec<String>,
    /// The guests.
    pub rows: Vec<GuestOut>,
    /// The last of them; none when no page follows.
    pub last: Option<Uuid>,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new guest.
pub const INSERT: Statement<NewRow, Followed<Row>> = Statement::new(
    "insert into pulse_rows as r (id, tenant_id, table_id, name, email, barcode, category, status,
                                  valid_from, valid_until, attention_note, party, data,
                                  source, created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(), t.id, $1->>'name', $1->>'email', $1->>'barcode',
            $1->>'category', $1->>'status', ($1->>'valid_from')::timestamptz,
            ($1->>'valid_until')::timestamptz, $1->>'attention_note', ($1->>'party')::smallint,
            $1->'data', 'api', app.clock($1), app.clock($1)
       from pulse_tables t
      where t.id = ($1->>'table_id')::uuid and t.deleted_at is null
        and app.claim_code(t.id, $1->>'barcode')
     returning app.followed(app.row_json(r), r.table_id)",
);

/// Guests, newest first. Of devices, only a scanner in the hand of staff may look somebody up.
pub const LIST: Statement<Filter, Found> = Statement::new(
    "select jsonb_build_object('rows', coalesce((
              select jsonb_agg(found.json order by found.id desc)
                from (select r.id, app.row_json(r) as json
                        from pulse_rows r
                       where r.table_id = t.id and r.deleted_at is null
                         and ($1->>'q' is null
                              or r.search like '%' || app.like_escape(app.fold($1->>'q')) || '%')
                         and ($1->>'category' is null or r.category = $1->>'category')
                         and ($1->>'status' is null or r.status = $1->>'status')
                         and ($1->>'before' is null or r.id < ($1->>'before')::uuid)
                       order by r.id desc
                       limit ($1->>'limit')::int) found), '[]'))
       from pulse_tables t
      where t.id = ($1->>'table_id')::uuid and t.deleted_at is null
        and (app.actor_kind() <> 'device'
             or exists (select from pulse_scanner_sessions s
                         where s.id = app.actor_id() and s.profile = 'scanner')
             or app.fail('PU403', 'role_not_allowed', 'This device may not look guests up.'))",
);

/// One guest.
pub const GET: Statement<Target, Row> = Statement::new(
    "select app.row_json(r)
       from pulse_rows r
       join pulse_tables t on t.id = r.table_id and t.deleted_at is null
      where r.id = ($1->>'id')::uuid and r.table_id = ($1->>'table_id')::uuid
        and r.deleted_at is null",
);

/// Changes what is given. The guest's row is locked before the list's: every writer's order.
pub const PATCH: Statement<Change, Followed<Row>> = Statement::new(
    "with mine as (
       select r.id, r.barcode
         from pulse_rows r
         join pulse_tables t on t.id = r.table_id and t.deleted_at is null
        where r.id = ($1->>'id')::uuid and r.table_id = ($1->>'table_id')::uuid
          and r.deleted_at is null
          for no key update of r
     ), free as (
       select mine.id
         from mine
        where mine.barcode = $1->'patch'->>'barcode'
           or app.claim_code(($1->>'table_id')::uuid, $1->'patch'->>'barcode', mine.id)
     ), next as (
       select free.id, $1->'patch' as p from free
     )
     update pulse_rows as r
        set name = coalesce(p->>'name', r.name),
            email = case when p ? 'email' then p->>'email' else r.email end,
            barcode = case when p ? 'barcode' then p->>'barcode' else r.barcode end,
            category = case when p ? 'category' then p->>'category' else r.category end,
            status = case when p ? 'status' then coalesce(p->>'status', 'confirmed')
                          else r.status end,
            valid_from = case when p ? 'valid_from' then (p->>'valid_from')::timestamptz
                              else r.valid_from end,
            valid_until = case when p ? 'valid_until' then (p->>'valid_until')::timestamptz
                               else r.valid_until end,
            attention_note = case when p ? 'attention_note' then p->>'attention_note'
                                  else r.attention_note end,
            party = case when p ? 'party' then coalesce((p->>'party')::smallint, 1) else r.party end,
            data = case when p ? 'data' then coalesce(nullif(p->'data', 'null'), '{}')
                        else r.data end,
            updated_at = app.clock($1)
       from next
      where r.id = ($1->>'id')::uuid and r.id = next.id
        and app.expect_version(r.version, ($1->>'if_match')::int)
        and ((case when p ? 'valid_until' then (p->>'valid_until')::timestamptz
                   else r.valid_until end
              < case when p ? 'valid_from' then (p->>'valid_from')::timestamptz
                     else r.valid_from end) is not true
             or app.fail('PU422', 'before_valid_from', 'Must not lie before valid_from.',
                         '/valid_until'))
     returning app.followed(app.row_json(r), r.table_id)",
);

/// Takes a guest off the list. The row stays, so that the live object learns of it.
pub const DELETE: Statement<Target, Followed<Gone>> = Statement::new(
    "update pulse_rows as r
        set deleted_at = app.clock($1), updated_at = app.clock($1)
       from pulse_tables t
      where r.id = ($1->>'id')::uuid and r.table_id = ($1->>'table_id')::uuid
        and r.deleted_at is null
        and t.id = r.table_id and t.deleted_at is null
        and app.expect_version(r.version, ($1->>'if_match')::int)
     returning app.followed(jsonb_build_object('id', r.id), r.table_id)",
);

/// Guests in the order they were added. The importer takes 1,000 columns, so no more are named.
pub const EXPORT: Statement<Position, Exported> = Statement::new(
    "select jsonb_build_object(
              'name', t.name,
              'keys', case when $1->>'after' is null then (
                        select coalesce(jsonb_agg(named.key order by named.key), '[]')
                          from (select distinct key
                                  from pulse_rows r, jsonb_object_keys(r.data) key
                                 where r.table_id = t.id and r.deleted_at is null
                                 order by key
                                 limit 900) named)
                      else '[]' end,
              'rows', page.rows,
              'last', case when jsonb_array_length(page.rows) = ($1->>'limit')::int
                           then page.rows->-1->'id' end)
       from pulse_tables t
      cross join lateral (
            select coalesce(jsonb_agg(found.json order by found.id), '[]') as rows
              from (select r.id, app.row_json(r) as json
                      from pulse_rows r
                     where r.table_id = t.id and r.deleted_at is null
                       and ($1->>'after' is null or r.id > ($1->>'after')::uuid)
                     order by r.id
                     limit ($1->>'limit')::int) found) page
      where t.id = ($1->>'table_id')::uuid and t.deleted_at is null",
);
