//! What the database's own catalogue says: policies, privileges, types; and what the strict proxy
//! counted.
//!
//! Invariant: these hold for every table and function there is, so a new one cannot slip by.
//! Failure: the names of what breaks the rule.

use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// The names a query finds: it answers one `jsonb` array.
async fn names(sql: &str) -> Vec<String> {
    let found = Database::admin().await.json(sql, &[]).await;
    serde_json::from_value(found).unwrap_or_default()
}

const TENANT_TABLES: &str = "
    select coalesce(jsonb_agg(c.relname order by 1), '[]') from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')";

#[tokio::test]
async fn every_tenant_table_forces_row_level_security_with_a_policy() {
    let tables = names(TENANT_TABLES).await;
    for known in [
        "memberships",
        "pulse_tables",
        "pulse_rows",
        "pulse_check_ins",
        "pulse_scan_log",
        "idempotency_keys",
    ] {
        assert!(
            tables.iter().any(|table| table == known),
            "{known} is no tenant table: {tables:?}"
        );
    }
    let open = names(
        "select coalesce(jsonb_agg(c.relname), '[]') from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
           and not (c.relrowsecurity and c.relforcerowsecurity and exists (
             select from pg_policies p where p.schemaname = 'public' and p.tablename = c.relname
               and p.qual ~ 'app\\.[a-z_]*tenant\\(\\)'))
           and has_any_column_privilege('pulse_app', c.oid, 'select, insert, update')",
    );
    assert_eq!(open.await, [""; 0]);
    let unforced = names(
        "select coalesce(jsonb_agg(c.relname), '[]') from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    );
    assert_eq!(unforced.await, [""; 0]);
}

#[tokio::test]
async fn a_table_without_a_tenant_is_out_of_the_workers_reach() {
    let reachable = names(
        "select coalesce(jsonb_agg(c.relname), '[]') from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
           and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
           and not exists (select from pg_policies p where p.tablename = c.relname and p.qual ~ 'app\\.[a-z_]*tenant\\(\\)')
           and (has_any_column_privilege('pulse_app', c.oid, 'select')
                or has_any_column_privilege('pulse_app', c.oid, 'insert')
                or has_any_column_privilege('pulse_app', c.oid, 'update')
                or has_table_privilege('pulse_app', c.oid, 'delete'))",
    );
    assert_eq!(reachable.await, [""; 0]);
}

#[tokio::test]
async fn the_workers_role_owns_nothing_and_bypasses_nothing() {
    let sql = "select to_jsonb(r) from (select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication
               from pg_roles where rolname = 'pulse_app') r";
    let role = Database::admin().await.json(sql, &[]).await;
    for (power, held) in role.as_object().expect("the role exists") {
        assert_eq!(*held, false, "{power}");
    }
    let owned = names(
        "select coalesce(jsonb_agg(name), '[]') from (
           select relname::text as name, relowner as owner from pg_class
           union all select proname, proowner from pg_proc
           union all select nspname, nspowner from pg_namespace
           union all select typname, typowner from pg_type
           union all select datname, datdba from pg_database) o
         where owner = (select oid from pg_roles where rolname = 'pulse_app')",
    );
    assert_eq!(owned.await, [""; 0]);
    let memberships = names(
        "select coalesce(jsonb_agg(roleid::regrole::text), '[]') from pg_auth_members
         where member = 'pulse_app'::regrole",
    );
    assert_eq!(memberships.await, [""; 0]);
}

#[tokio::test]
async fn a_policy_lets_nobody_else_see_everything() {
    let open = names(
        "select coalesce(jsonb_agg(tablename || '.' || policyname), '[]') from pg_policies
         where schemaname = 'public' and permissive = 'PERMISSIVE' and (qual = 'true' or with_check = 'true')
           and roles && array['public', 'pulse_app']::name[]",
    );
    assert_eq!(open.await, [""; 0]);
}

#[tokio::test]
async fn with_no_tenant_set_the_worker_sees_no_row_of_any_table() {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    let app = Database::app().await;
    let readable = names(
        "select coalesce(jsonb_agg(c.relname), '[]') from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and has_any_column_privilege('pulse_app', c.oid, 'select')",
    );
    let readable = readable.await;
    assert!(readable.len() >= 10, "{readable:?}");
    for table in readable {
        let count = app
            .json(&format!("select to_jsonb(count(*)) from {table}"), &[])
            .await;
        assert_eq!(count, 0, "{table}");
    }
}

#[tokio::test]
async fn with_a_tenant_set_the_worker_sees_that_tenants_rows_only() {
    let event = Event::with_guests(["Ada"]).open().await;
    let other = Tenant::new().await;
    let app = Database::app().await;
    let sql = "select app.call($1::text::jsonb, array[]::text[],
               'select to_jsonb(count(*)) from pulse_rows', '{}', null, 'catalogue') -> 'result'";
    for (tenant, rows) in [(&event.tenant.id, 1), (&other.id, 0)] {
        let actor = json!({"kind": "system", "job": "test", "tenant": tenant}).to_string();
        assert_eq!(app.json(sql, &[(&actor, Type::TEXT)]).await, rows);
    }
}

#[tokio::test]
async fn no_function_is_executable_by_everyone() {
    let open = names(
        "select coalesce(jsonb_agg(p.oid::regprocedure::text), '[]') from pg_proc p
         where p.pronamespace in ('app'::regnamespace, 'public'::regnamespace)
           and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
           and has_function_privilege('public', p.oid, 'execute')",
    );
    assert_eq!(open.await, [""; 0]);
}

#[tokio::test]
async fn a_definer_function_fixes_its_search_path_and_is_not_a_superusers() {
    let loose = names(
        "select coalesce(jsonb_agg(p.oid::regprocedure::text), '[]') from pg_proc p
         where p.pronamespace = 'app'::regnamespace and p.prosecdef
           and (not exists (select from unnest(p.proconfig) c where c like 'search_path=%')
                or exists (select from pg_roles r where r.oid = p.proowner and (r.rolsuper or r.rolbypassrls)))",
    );
    assert_eq!(loose.await, [""; 0]);
}

#[tokio::test]
async fn there_are_no_user_defined_types() {
    let types = names(
        "select coalesce(jsonb_agg(t.typname), '[]') from pg_type t
         where t.typnamespace in ('app'::regnamespace, 'public'::regnamespace) and t.typtype in ('e', 'd', 'r')",
    );
    assert_eq!(types.await, [""; 0]);
}

#[tokio::test]
async fn every_constraint_is_named_by_us() {
    let defaulted = names(
        "select coalesce(jsonb_agg(conrelid::regclass || '.' || conname), '[]') from pg_constraint
         where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'u', 'x')
           and conname ~ '_(check|fkey|key)[0-9]+$'",
    );
    assert_eq!(defaulted.await, [""; 0]);
}

/// Goal 2 of the platform's anchors: one round trip per call, tenancy included.
#[tokio::test]
async fn every_api_call_is_one_round_trip() {
    let event = Event::with_guests(["Ada"]).open().await;
    let plain = event.tenant.table("UTC").await;
    let (table, client) = (&event.table, event.client());
    let row = event.row_id("Ada");
    let scan = event.door().scan("Ada").await.accepted().check_in();
    event.recorded().await;
    let member = event.tenant.member("agent").await;
    let calls = [
        client.get("/pulse/tables"),
        client.get(&format!("/pulse/tables/{table}")),
        client.get(&format!("/pulse/tables/{table}/rows?q=Ada")),
        client.get(&format!("/pulse/tables/{table}/rows/{row}")),
        client.get(&format!("/pulse/{table}")),
        client.get(&format!("/pulse/sessions?table_id={table}")),
        client.get(&format!("/pulse/check-ins?table_id={table}")),
        client.get(&format!("/pulse/check-ins/{scan}?table_id={table}")),
        client.get(&format!("/api/tenants/{}/members", event.tenant.id)),
        client.get("/api/keys"),
        member.client.get("/pulse/tables"),
        client.post("/pulse/tables", &json!({"name": "New", "timezone": "UTC"})),
        client
            .post("/pulse/tables", &json!({"name": "New", "timezone": "UTC"}))
            .header("idempotency-key", "k"),
        client.patch(
            &format!("/pulse/tables/{plain}"),
            &json!({"name": "Renamed"}),
        ),
        client.post(
            &format!("/pulse/tables/{plain}/rows"),
            &json!({"name": "Bob"}),
        ),
        client.patch(
            &format!("/pulse/tables/{table}/rows/{row}"),
            &json!({"name": "Ada L."}),
        ),
        client.post("/api/keys", &json!({"name": "k", "role": "agent"})),
        client.get("/api/sources"),
        client.post(
            "/api/sources/query",
            &json!({"sql": "select count(*) from guests"}),
        ),
        client.get("/api/writer"),
    ];
    let mut asked = Vec::new();
    for call in calls {
        let request = format!("trip-{}", Uuid::new_v4());
        let reply = call.header("x-request-id", &request).await;
        assert!(reply.status < 300, "{reply}");
        asked.push((request, reply));
    }
    let counted = Control::here().proxy().await.by_request;
    for (request, reply) in asked {
        assert_eq!(counted.get(&request), Some(&1), "round trips of {reply}");
    }
}

/// 22 of the field's cases: the query budget of a scan is zero.
#[tokio::test]
async fn a_scan_asks_postgres_nothing() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let scanner = event.door();
    scanner.scan("Ada").await.accepted();
    let request = format!("scan-{}", Uuid::new_v4());
    let client = scanner.client().await.with_header("x-request-id", &request);
    Answer::of(
        event
            .scan_by(&client, json!({"barcode": event.code("Bob")}))
            .await,
    )
    .accepted();
    assert_eq!(Control::here().proxy().await.by_request.get(&request), None);
}

/// Goal 16: nothing that Hyperdrive cannot carry, whatever was tested so far.
#[tokio::test]
async fn nothing_was_sent_that_hyperdrive_cannot_carry() {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    let stats = Control::here().proxy().await;
    assert!(stats.statements > 10, "{stats:?}");
    assert_eq!(stats.violations, []);
}
