//! What stands between a query and everything else when the guard is left out: roles, policies,
//! the literal tenant, the shape of the function.
//!
//! Invariant: these texts go to `app.run_query` as they are, past `rules::sql_guard`; still nothing
//! changes and nothing of another tenant is seen.
//! Failure: the text, and what it reached.

use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::report::session;
use tokio_postgres::types::Type;

/// Runs a text as the Worker would, without the guard.
async fn unguarded(tenant: &Tenant, sql: &str, sources: &[&str]) -> Result<Value, String> {
    let actor = json!({"kind": "system", "job": "test", "tenant": tenant.id}).to_string();
    let input =
        json!({"sql": sql, "sources": sources, "limit": 100, "timezone": "UTC"}).to_string();
    let call = "select app.call($1::text::jsonb, array[]::text[], 'select app.run_query($1)',
                                $2::text::jsonb, null, 'boundary') -> 'result'";
    let app = Database::app().await;
    let done = app
        .attempt(call, &[(&actor, Type::TEXT), (&input, Type::TEXT)])
        .await;
    done.map_err(|error| {
        let told = error.as_db_error();
        let text = |error: &tokio_postgres::error::DbError| {
            format!("{} {}", error.message(), error.detail().unwrap_or_default())
        };
        told.map_or_else(|| format!("{error:?}"), text)
    })
}

async fn names(sql: &str) -> Vec<String> {
    let found = Database::admin().await.json(sql, &[]).await;
    serde_json::from_value(found).expect("names")
}

#[tokio::test]
async fn a_text_that_got_past_the_guard_reads_the_sources_only() {
    let tenant = Tenant::new().await;
    for sql in [
        "select count(*) from public.pulse_rows",
        "select count(*) from public.users",
        "select count(*) from public.report_writers",
        "select secret from public.webhook_endpoints",
        "select count(*) from public.sessions",
        "select rolpassword from pg_authid",
        "select pg_read_file('/etc/passwd') as a",
        "select count(*) from pg_ls_dir('/') d",
        "select lo_import('/etc/passwd')::text as a",
        "select app.call(null, null, 'select 1', null, null, null)::text as a",
    ] {
        let told = unguarded(&tenant, sql, &[]).await.expect_err(sql);
        assert!(told.contains("permission denied"), "{sql}\n{told}");
    }
}

#[tokio::test]
async fn a_text_that_got_past_the_guard_changes_nothing() {
    let event = Event::with_guests(["Ada"]).open().await;
    let state = "select jsonb_build_array((select count(*) from pulse_tables), (select count(*) from pulse_rows),
                   exists (select from pg_views where schemaname = 'report' and viewname = 'guests'))";
    let database = session(&event.tenant).await;
    let before = database.json(state, &[]).await;
    let nested = "WITH clause containing a data-modifying statement must be at the top level";
    for (sql, refusal) in [
        (
            "with x as (insert into public.pulse_tables (tenant_id, name) values (null, 'x') returning 1) select * from x",
            nested,
        ),
        (
            "with x as (update report.guests set name = 'x' returning 1) select * from x",
            nested,
        ),
        (
            "with x as (delete from report.guests returning 1) select * from x",
            nested,
        ),
        (
            "select name from report.guests for update",
            "permission denied for view guests",
        ),
        // These would be allowed otherwise.
        (
            "select lo_create(0)::text as a",
            "cannot execute lo_create() in a read-only transaction",
        ),
        (
            "select lo_from_bytea(0, 'x')::text as a",
            "cannot execute lo_from_bytea() in a read-only transaction",
        ),
        (
            "select set_config('transaction_read_only', 'off', true) as a",
            "must not call",
        ),
        (
            "select query_to_xml('drop view report.guests', true, true, '')::text as a",
            "must not call",
        ),
    ] {
        let told = unguarded(&event.tenant, sql, &["guests"]).await;
        let told = told.expect_err(sql);
        assert!(told.contains(refusal), "{sql}\n{told}");
    }
    // A lock of nothing, or of a query's own rows, is none.
    for (sql, rows) in [
        ("select 1 as a for update", json!([[1]])),
        ("select name from guests for update", json!([["Ada"]])),
    ] {
        let read = unguarded(&event.tenant, sql, &["guests"]).await;
        assert_eq!(read.expect(sql)["rows"], rows);
    }
    assert_eq!(database.json(state, &[]).await, before);
    assert_eq!(before[2], true);
    let rows = event
        .client()
        .get(&format!("/pulse/tables/{}/rows", event.table))
        .await;
    assert_eq!(rows.at("/items/0/name"), "Ada");
}

#[tokio::test]
async fn a_text_that_got_past_the_guard_is_one_statement() {
    let tenant = Tenant::new().await;
    // What belongs to the role that runs it could be dropped by it.
    for statement in [
        "drop view report.guests",
        "drop function app.run_query(jsonb)",
        "grant execute on function app.run_query(jsonb) to public",
        "alter function app.run_query(jsonb) security invoker",
        "create temp table kept as select 1 as a",
        "do 'begin end'",
        "select 2 as b",
    ] {
        for sql in [
            format!("select 1 as a) query; {statement}; select * from (select 1 as a"),
            format!("select 1 as a) query; {statement} --"),
            format!("{statement}) query --"),
        ] {
            let told = unguarded(&tenant, &sql, &[]).await.expect_err(&sql);
            assert!(
                told.contains("cannot open multi-query plan") || told.contains("syntax error"),
                "{sql}\n{told}"
            );
        }
    }
    let sound = unguarded(&tenant, "select 1 as a", &[]).await;
    assert_eq!(sound.expect("a result")["rows"], json!([[1]]));
}

#[tokio::test]
async fn what_a_text_that_got_past_the_guard_fails_with_is_its_own() {
    let mine = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve"]).open().await;
    let set = format!("set_config('app.tenant_id', '{}', true)", other.tenant.id);
    let hidden = set.replace("set_config", "pg_catalog.U&\"set\\005fconfig\"");
    let quoted = set.replace('\'', "''");
    for sql in [
        format!(
            "with x as materialized (select {set} as a) select cast(g.name as int) as n from x cross join report.guests g"
        ),
        format!(
            "with x as materialized (select {hidden} as a) select cast(g.name as int) as n from x cross join report.guests g"
        ),
        format!(
            "with x as materialized (select query_to_xml('select {quoted}', true, true, '')::text as a) \
             select cast(g.name || x.a as int) as n from x cross join report.guests g"
        ),
        format!(
            "select 1 as a) query cross join (select {set}) x cross join lateral (select cast(g.name as int) from report.guests g) y --"
        ),
    ] {
        let told = unguarded(&mine.tenant, &sql, &["guests"])
            .await
            .expect_err(&sql);
        assert!(told.contains("must not call"), "{sql}\n{told}");
    }
    let told = unguarded(
        &mine.tenant,
        "select cast(name as int) as n from guests",
        &["guests"],
    );
    let told = told.await.expect_err("no number");
    assert!(told.contains("Ada"), "{told}");
}

#[tokio::test]
async fn a_text_that_names_another_tenant_sees_its_own() {
    let mine = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve"]).open().await;
    let set = format!("set_config('app.tenant_id', '{}', true)", other.tenant.id);
    for sql in [
        format!("select {set} as a, name from guests"),
        format!(
            "with x as materialized (select {set} as a) select g.name from x cross join guests g"
        ),
        format!("select name from guests where {set} is not null"),
        format!("select (select {set}) as a, (select string_agg(name, ',') from guests) as b"),
        "select name from report.guests".to_owned(),
        "select tenant_id::text as a, name from report.guests".to_owned(),
        format!(
            "with x as materialized (select {set} as a) select g.name from x cross join report.guests g"
        ),
    ] {
        let told = unguarded(&mine.tenant, &sql, &["guests"]).await;
        assert!(!format!("{told:?}").contains("Eve"), "{sql}\n{told:?}");
        assert_eq!(told.is_err(), sql.contains("set_config"), "{sql}\n{told:?}");
    }
    let literal = unguarded(&mine.tenant, "select name from guests", &["guests"]).await;
    assert_eq!(literal.expect("a result")["rows"], json!([["Ada"]]));
}

#[tokio::test]
async fn only_staff_query() {
    let event = Event::with_guests(["Ada"]).open().await;
    let device = event.door().id().await;
    let actor = json!({"kind": "device", "id": device, "tenant": event.tenant.id, "generation": 1});
    let call = "select app.call($1::text::jsonb, array['device'], 'select app.run_query($1)',
                                '{\"sql\": \"select 1 as a\", \"sources\": [], \"limit\": 1}', null, 'boundary')";
    let app = Database::app().await;
    let actor = actor.to_string();
    let error = app
        .attempt(call, &[(&actor, Type::TEXT)])
        .await
        .expect_err("refused");
    let told = error
        .as_db_error()
        .map(|error| error.code().code().to_owned());
    assert!(
        told.is_some_and(|code| code == "PU403" || code == "PU401"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_roles_behind_it_can_do_nothing_else() {
    let powers = names(
        "select coalesce(jsonb_agg(rolname || ' ' || power), '[]') from pg_roles,
           lateral (values ('super', rolsuper), ('bypassrls', rolbypassrls), ('login', rolcanlogin),
                           ('createrole', rolcreaterole), ('createdb', rolcreatedb)) p (power, held)
         where rolname like 'pulse\\_report\\_%' and held",
    );
    assert_eq!(powers.await, [""; 0]);
    let reader = names(
        "select coalesce(jsonb_agg(c.oid::regclass::text), '[]') from pg_class c
         where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'report'::regnamespace)
           and c.relkind in ('r', 'p', 'v', 'm', 'f')
           and (has_any_column_privilege('pulse_report_reader', c.oid, 'select, insert, update, references')
                or has_table_privilege('pulse_report_reader', c.oid, 'delete, truncate, trigger'))
           and not (c.relkind = 'v' and c.relnamespace = 'report'::regnamespace)",
    );
    assert_eq!(reader.await, [""; 0]);
    let writes = names(
        "select coalesce(jsonb_agg(r || ' ' || c.oid::regclass), '[]')
         from pg_class c, unnest(array['pulse_report_reader', 'pulse_report_owner']) r
         where c.relnamespace in ('public'::regnamespace, 'report'::regnamespace) and c.relkind in ('r', 'p', 'v')
           and pg_get_userbyid(c.relowner) <> r
           and (has_any_column_privilege(r, c.oid, 'insert, update') or has_table_privilege(r, c.oid, 'delete, truncate'))",
    );
    assert_eq!(writes.await, [""; 0]);
    let functions = names(
        "select coalesce(jsonb_agg(p.proname order by p.proname), '[]') from pg_proc p
         where p.pronamespace = 'app'::regnamespace and has_function_privilege('pulse_report_reader', p.oid, 'execute')",
    );
    let known = [
        "column_kind",
        "fail",
        "query_plan",
        "read_rows",
        "run_query",
        "staff_tenant",
        "tenant",
    ];
    assert_eq!(functions.await, known);
    let secrets = names(
        "select coalesce(jsonb_agg(attrelid::regclass || '.' || attname), '[]') from pg_attribute
         where attrelid::regclass::text in ('users', 'sessions', 'api_keys', 'webhook_endpoints', 'pulse_rows',
                                            'report_writers', 'channels', 'report_jobs', 'message_deliveries',
                                            'monitor_connections', 'monitor_checks', 'monitor_results')
           and attname in ('email', 'barcode', 'data', 'attention_note', 'password_hash', 'key_hash', 'secret',
                           'secrets', 'api_key', 'url', 'payload', 'recipient', 'refresh_hashes', 'host',
                           'username', 'definition', 'detail')
           and has_column_privilege('pulse_report_owner', attrelid, attnum, 'select')",
    );
    assert_eq!(secrets.await, [""; 0]);
}

#[tokio::test]
async fn every_source_is_a_view_of_one_tenant_with_comments() {
    let flawed = names(
        "select coalesce(jsonb_agg(c.relname), '[]') from pg_class c
         where c.relnamespace = 'report'::regnamespace
           and (c.relkind <> 'v' or pg_get_userbyid(c.relowner) <> 'pulse_report_owner'
                or obj_description(c.oid, 'pg_class') is null
                or not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
                or exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
                             and a.attname <> 'tenant_id' and col_description(c.oid, a.attnum) is null))",
    );
    assert_eq!(flawed.await, [""; 0]);
    // Row-level security holds beneath the views: without a tenant they are empty.
    let event = Event::with_guests(["Ada"]).open().await;
    let admin = Database::admin().await;
    admin.run("set role pulse_report_reader").await;
    let count = "select to_jsonb(count(*)) from report.guests";
    assert_eq!(admin.json(count, &[]).await, 0);
    admin
        .run(&format!("set app.tenant_id = '{}'", event.tenant.id))
        .await;
    assert_eq!(admin.json(count, &[]).await, 1);
}

#[tokio::test]
async fn the_guard_knows_the_words_and_functions_of_this_postgres() {
    let quoted: Vec<_> = rules::sql_guard::quoted_words().collect();
    let words =
        names("select jsonb_agg(word order by word) from pg_get_keywords() where catcode <> 'U'");
    let missing: Vec<_> = words
        .await
        .into_iter()
        .filter(|word| !quoted.contains(&&**word))
        .collect();
    assert_eq!(missing, [""; 0]);
    let special = [
        "coalesce",
        "current_date",
        "current_timestamp",
        "extract",
        "greatest",
        "grouping",
        "least",
        "localtimestamp",
        "nullif",
        "position",
        "substring",
        "trim",
    ];
    let functions = names(
        "select jsonb_agg(distinct proname::text) from pg_proc where pronamespace = 'pg_catalog'::regnamespace",
    );
    let functions = functions.await;
    let unknown: Vec<_> = rules::sql_guard::functions()
        .into_iter()
        .filter(|name| !special.contains(name) && !functions.iter().any(|known| known == name))
        .collect();
    assert_eq!(unknown, [""; 0]);
}
