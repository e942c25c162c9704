//! SQL of templates of reports.
//!
//! Invariant: every statement sees its tenant's templates only.
//! Failure: a template that is not there answers no row, which is 404; one that a report is written
//! by cannot be removed.

use serde::Deserialize;
use serde_json::Value;

use super::wire::Template;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new template.
pub const INSERT: Statement<Value, Template> = Statement::new(
    "insert into report_templates as t (id, tenant_id, name, description, body, created_by,
                                        created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(), $1->>'name', $1->>'description', $1->>'body',
            app.actor_id(), app.clock($1), app.clock($1)
      where (select count(*) from report_templates) < ($1->>'most')::int
         or app.fail('PU409', 'too_many_templates',
                     format('A tenant has at most %s templates.', $1->>'most'))
     returning app.report_template_json(t)",
);

/// Templates, newest first.
pub const LIST: Statement<Value, Vec<Template>> = Statement::new(
    "select coalesce(jsonb_agg(app.report_template_json(t) order by t.id desc), '[]')
       from (select t.* from report_templates t
              where $1->>'before' is null or t.id < ($1->>'before')::uuid
              order by t.id desc
              limit ($1->>'limit')::int) t",
);

/// One template.
pub const GET: Statement<Value, Template> = Statement::new(
    "select app.report_template_json(t) from report_templates t where t.id = ($1->>'id')::uuid",
);

/// Changes what is given.
pub const UPDATE: Statement<Value, Template> = Statement::new(
    "update report_templates as t
        set name = coalesce($1->>'name', t.name),
            description = case when $1 ? 'description' then $1->>'description'
                               else t.description end,
            body = coalesce($1->>'body', t.body),
            updated_at = app.clock($1)
      where t.id = ($1->>'id')::uuid
        and app.expect_version(t.version, ($1->>'if_match')::int)
     returning app.report_template_json(t)",
);

/// Removes a template. `report_configs_template_fkey` means that a report is written by it.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from report_templates t
      where t.id = ($1->>'id')::uuid
        and app.expect_version(t.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', t.id)",
)
.conflicts(&[("report_configs_template_fkey", "template_in_use")]);
