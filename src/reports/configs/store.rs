//! SQL of reports.
//!
//! Invariant: every statement sees its tenant's reports only.
//! Failure: a report that is not there answers no row, which is 404; a template or a channel that is
//! not there is 422.

use serde::Deserialize;
use serde_json::Value;

use super::wire::Report;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new report.
pub const INSERT: Statement<Value, Report> = Statement::new(
    "insert into report_configs as c (id, tenant_id, name, description, prompt, cron, cron_timezone,
                                      enabled, recipients, channels, template_id, overlap, jitter,
                                      strict, skip_if_empty, send_if, attach_csv, pause_after,
                                      next_run_at, next_nominal, due_at, tzdata, created_by,
                                      created_at, updated_at)
     select w.id, app.tenant(), w.name, w.description, w.prompt, w.cron, w.cron_timezone,
            w.enabled, w.recipients, w.channels, w.template_id, w.overlap, w.jitter, w.strict,
            w.skip_if_empty, w.send_if, w.attach_csv, w.pause_after, w.next_run_at,
            w.next_nominal, w.due_at, w.tzdata, app.actor_id(), app.clock($1), app.clock($1)
       from jsonb_to_record($1) as w (id uuid, name text, description text, prompt text, cron text,
              cron_timezone text, enabled bool, recipients text[], channels uuid[],
              template_id uuid, overlap text, jitter bool, strict bool, skip_if_empty bool,
              send_if text, attach_csv bool, pause_after int, next_run_at timestamptz,
              next_nominal text, due_at timestamptz, tzdata text)
      where app.check_report_channels(w.channels, w.recipients)
        and (w.template_id is null
             or exists (select from report_templates t where t.id = w.template_id)
             or app.fail('PU422', 'template_not_found', 'There is no such template.',
                         '/templateId'))
        and ((select count(*) from report_configs) < ($1->>'most')::int
             or app.fail('PU409', 'too_many_reports',
                         format('A tenant has at most %s reports.', $1->>'most')))
     returning app.report_config_json(c)",
);

/// Reports, newest first.
pub const LIST: Statement<Value, Vec<Report>> = Statement::new(
    "select coalesce(jsonb_agg(app.report_config_json(c) order by c.id desc), '[]')
       from (select c.* from report_configs c
              where ($1->>'enabled' is null or c.enabled = ($1->>'enabled')::bool)
                and ($1->>'before' is null or c.id < ($1->>'before')::uuid)
              order by c.id desc
              limit ($1->>'limit')::int) c",
);

/// One report.
pub const GET: Statement<Value, Report> = Statement::new(
    "select app.report_config_json(c) from report_configs c where c.id = ($1->>'id')::uuid",
);

/// Writes a report as a whole over the version it was made from. The next run changes only when the
/// schedule did.
pub const UPDATE: Statement<Value, Report> = Statement::new(
    "update report_configs as c
        set name = w.name, description = w.description, prompt = w.prompt, cron = w.cron,
            cron_timezone = w.cron_timezone, enabled = w.enabled, recipients = w.recipients,
            channels = w.channels, template_id = w.template_id, overlap = w.overlap,
            jitter = w.jitter, strict = w.strict, skip_if_empty = w.skip_if_empty,
            send_if = w.send_if, attach_csv = w.attach_csv, pause_after = w.pause_after,
            next_run_at = case when $1 ? 'next_run_at' and c.paused_at is null then w.next_run_at
                               when $1 ? 'next_run_at' then null else c.next_run_at end,
            next_nominal = case when $1 ? 'next_run_at' then w.next_nominal
                                else c.next_nominal end,
            due_at = case when $1 ? 'next_run_at' and c.paused_at is null then w.due_at
                          when $1 ? 'next_run_at' then null else c.due_at end,
            tzdata = case when $1 ? 'next_run_at' then w.tzdata else c.tzdata end,
            updated_at = app.clock($1)
       from jsonb_to_record($1) as w (id uuid, name text, description text, prompt text, cron text,
              cron_timezone text, enabled bool, recipients text[], channels uuid[],
              template_id uuid, overlap text, jitter bool, strict bool, skip_if_empty bool,
              send_if text, attach_csv bool, pause_after int, next_run_at timestamptz,
              next_nominal text, due_at timestamptz, tzdata text)
      where c.id = w.id
        and (not ($1->>'routed')::bool or app.check_report_channels(w.channels, w.recipients))
        and (w.template_id is null or w.template_id = c.template_id
             or exists (select from report_templates t where t.id = w.template_id)
             or app.fail('PU422', 'template_not_found', 'There is no such template.',
                         '/templateId'))
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.report_config_json(c)",
);

/// Removes a report and all its runs.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from report_configs c
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', c.id)",
);

/// Pauses a report; one that is paused stays as it is.
pub const PAUSE: Statement<Value, Report> = Statement::new(
    "update report_configs as c
        set paused_at = coalesce(c.paused_at, app.clock($1)),
            pause_reason = coalesce(c.pause_reason, 'by_hand'),
            next_run_at = null, due_at = null, updated_at = app.clock($1)
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.report_config_json(c)",
);

/// Lets a report run again, from its next occurrence on; one that is not paused keeps its next run.
/// Its failures are forgotten.
pub const RESUME: Statement<Value, Report> = Statement::new(
    "update report_configs as c
        set paused_at = null, pause_reason = null, failures = 0,
            next_run_at = case when c.paused_at is null then c.next_run_at
                               else ($1->>'next_run_at')::timestamptz end,
            next_nominal = case when c.paused_at is null then c.next_nominal
                                else $1->>'next_nominal' end,
            due_at = case when c.paused_at is null then c.due_at
                          else ($1->>'due_at')::timestamptz end,
            tzdata = case when c.paused_at is null then c.tzdata else $1->>'tzdata' end,
            updated_at = case when c.paused_at is null then c.updated_at else app.clock($1) end
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.report_config_json(c)",
);
