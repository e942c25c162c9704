//! SQL of check-in configurations.
//!
//! Invariant: every statement sees its tenant's rows only.
//! Failure: constraint `pulse_enabled_tables_pkey` means `already_enabled`.

use serde_json::Value;

use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// Enables, or enables again what was disabled.
pub const ENABLE: Statement<Value, Followed<Value>> = Statement::new(
    "insert into pulse_enabled_tables as e (table_id, tenant_id, settings, gates, guest_key)
     select t.id, app.tenant(), $1->'settings', $1->'gates', $1->>'guest_key'
       from pulse_tables t
      where t.id = ($1->>'table_id')::uuid and t.deleted_at is null
     on conflict on constraint pulse_enabled_tables_pkey do update
        set enabled = true, enabled_at = app.clock($1), disabled_at = null,
            settings = excluded.settings, gates = excluded.gates,
            version = e.version + 1, updated_at = app.clock($1)
      where not e.enabled or app.fail('PU409', 'already_enabled',
                                      'Check-in is enabled on this table.', '/table_id')
     returning jsonb_build_object('it', app.enabled_json(e, app.role() in ('admin', 'manager')),
                                  'live', app.home())",
);

/// One configuration.
pub const GET: Statement<Value, Value> = Statement::new(
    "select app.enabled_json(e, app.role() in ('admin', 'manager'))
       from pulse_enabled_tables e
      where e.table_id = ($1->>'table_id')::uuid",
);

/// Changes what is given.
pub const PATCH: Statement<Value, Followed<Value>> = Statement::new(
    "update pulse_enabled_tables as e
        set settings = e.settings || ($1->'settings'),
            gates = coalesce(nullif($1->'gates', 'null'), e.gates),
            version = e.version + 1, updated_at = app.clock($1)
      where e.table_id = ($1->>'table_id')::uuid
        and ((((e.settings || ($1->'settings'))->>'closes_at')::timestamptz
              <= ((e.settings || ($1->'settings'))->>'opens_at')::timestamptz) is not true
             or app.fail('PU422', 'closes_before_opening', 'Must be after opens_at.',
                         '/settings/closes_at'))
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning app.followed(app.enabled_json(e, app.role() in ('admin', 'manager')), e.table_id)",
);

/// Disables; the rows stay.
pub const DISABLE: Statement<Value, Followed<Value>> = Statement::new(
    "update pulse_enabled_tables as e
        set enabled = false, disabled_at = coalesce(e.disabled_at, app.clock($1)),
            version = e.version + 1, updated_at = app.clock($1)
      where e.table_id = ($1->>'table_id')::uuid
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning app.followed(app.enabled_json(e, false), e.table_id)",
);
