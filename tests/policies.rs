//! Row-level security, asked directly: what a device, a guest and a stranger reach through the
//! database, whatever the statements of the Worker say.
//!
//! Invariant: the Worker's checks are one wall, the policies another; here only the second stands.
//! Failure: the table that showed or took something, and to whom.

use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::webhook::Webhook;
use std::collections::BTreeMap;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// Somebody the Worker has verified, as `app.call` takes them.
struct Actor {
    actor: String,
    role: &'static str,
}

impl Actor {
    /// A scanner, by its session.
    fn device(event: &Event, session: &Value) -> Self {
        let actor = json!({"kind": "device", "id": session["id"], "tenant": event.tenant.id,
                           "generation": session["generation"]});
        let (actor, role) = (actor.to_string(), "device");
        Self { actor, role }
    }

    /// A guest's phone at a table.
    fn guest(event: &Event) -> Self {
        let actor = json!({"kind": "anonymous", "id": Uuid::new_v4(), "tenant": event.tenant.id,
                           "table": event.table});
        let (actor, role) = (actor.to_string(), "anonymous");
        Self { actor, role }
    }

    /// A tenant's admin.
    fn admin(tenant: &Tenant) -> Self {
        let session = claims(tenant.client().token())["sid"].clone();
        let actor = json!({"kind": "user", "id": tenant.admin.id(), "session": session,
                           "tenant": tenant.id});
        let (actor, role) = (actor.to_string(), "admin");
        Self { actor, role }
    }

    /// The Worker's own work for a tenant.
    fn system(tenant: &Tenant) -> Self {
        let actor = json!({"kind": "system", "job": "test", "tenant": tenant.id});
        let (actor, role) = (actor.to_string(), "system");
        Self { actor, role }
    }

    /// Runs a statement of one `jsonb`, as the Worker does.
    async fn call(&self, app: &Database, sql: &str) -> Result<Value, tokio_postgres::Error> {
        let call =
            "select app.call($1::text::jsonb, array[$2], $3, '{}', null, 'policies') -> 'result'";
        let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
            (&self.actor, Type::TEXT),
            (&self.role, Type::TEXT),
            (&sql, Type::TEXT),
        ];
        app.attempt(call, &parameters).await
    }

    /// How many rows of each table it sees that meet a condition; tables without any are left out.
    async fn sees(&self, app: &Database, condition: &str) -> BTreeMap<String, u64> {
        let mut seen = BTreeMap::new();
        for table in readable().await {
            let tenant = if table == "tenants" {
                "id"
            } else {
                "tenant_id"
            };
            let condition = condition.replace("tenant_id", tenant);
            let sql = format!("select to_jsonb(count(*)) from {table} where {condition}");
            let count = self.call(app, &sql).await;
            let count = count.unwrap_or_else(|error| panic!("{table}: {error:?}"));
            match count.as_u64() {
                Some(0) => {}
                Some(count) => drop(seen.insert(table, count)),
                None => panic!("{table}: {count}"),
            }
        }
        seen
    }

    /// The code with which a statement is refused.
    async fn refused(&self, sql: &str) -> String {
        match self.call(&Database::app().await, sql).await {
            Err(error) => error
                .code()
                .map_or_else(|| error.to_string(), |code| code.code().into()),
            Ok(done) => panic!("{}: {sql}: {done}", self.role),
        }
    }

    /// Demands that the policies refuse a statement.
    async fn may_not(&self, sql: &str) {
        let code = self.refused(sql).await;
        assert_eq!(
            code,
            SqlState::INSUFFICIENT_PRIVILEGE.code(),
            "{}: {sql}",
            self.role
        );
    }
}

fn claims(token: &str) -> Value {
    let forgery = pulse_tests::token::Forgery::of(token);
    json!({"sid": forgery.get("sid")})
}

/// Every table that the Worker's role can read at all.
async fn readable() -> Vec<String> {
    let sql = "select coalesce(jsonb_agg(c.relname order by 1), '[]') from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                 and has_any_column_privilege('pulse_app', c.oid, 'select')";
    let found = Database::admin().await.json(sql, &[]).await;
    serde_json::from_value(found).expect("names")
}

/// Two events of a tenant with something in every table, and the scanner at the first one's door.
async fn two_events() -> (Event, Event, Value) {
    let first = Event::with_guests(["Ada", "Bob"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let second = Event::with_guests(["Cleo", "Dan", "Eve"])
        .of(&first.tenant)
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&first, &receiver).await;
    for (event, guest) in [(&first, "Ada"), (&second, "Cleo")] {
        event.ticket(guest).await;
        event.door().scan(guest).await.accepted();
        event
            .phone("another")
            .scan("nobody")
            .await
            .refused("unknown_code");
        event.recorded().await;
    }
    hook.settled("delivered", 4).await;
    first.tenant.key("agent").await;
    first.tenant.invite("agent").await;
    let list = json!({"name": "Kept answer", "timezone": "UTC"});
    let keyed = first.client().post("/pulse/tables", &list);
    keyed
        .header("idempotency-key", "policies")
        .await
        .expect_status(201);
    let also = json!({"also": [second.table]});
    let path = format!("/pulse/sessions/{}", first.door().id().await);
    let session = first.client().patch(&path, &also).await.expect_status(200);
    (first, second, session.json())
}

fn counted<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts
        .map(|(table, count)| (table.to_owned(), count))
        .into()
}

#[tokio::test]
async fn a_device_sees_its_table_and_itself_and_a_guest_sees_nothing() {
    let (first, _second, session) = two_events().await;
    let app = Database::app().await;
    let device = Actor::device(&first, &session);
    let expected = counted([
        ("pulse_check_ins", 2),
        ("pulse_enabled_tables", 1),
        ("pulse_rows", 2),
        ("pulse_scanner_sessions", 1),
        ("pulse_session_tables", 1),
        ("pulse_tables", 1),
    ]);
    assert_eq!(device.sees(&app, "true").await, expected);
    // And of these its own only.
    let (table, id) = (&first.table, &session["id"]);
    let own = format!(
        "select to_jsonb(bool_and(table_id = '{table}')) from (
           select table_id from pulse_check_ins union all select table_id from pulse_rows
           union all select id from pulse_tables union all select table_id from pulse_enabled_tables) t"
    );
    assert_eq!(device.call(&app, &own).await.ok(), Some(json!(true)));
    let itself = "select to_jsonb(id) from pulse_scanner_sessions";
    assert_eq!(device.call(&app, itself).await.ok().as_ref(), Some(id));
    let guest = Actor::guest(&first);
    assert_eq!(guest.sees(&app, "true").await, BTreeMap::new());
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_a_stranger_none_of_them() {
    let (first, _second, _) = two_events().await;
    let app = Database::app().await;
    let of_tenant = format!("tenant_id = '{}'", first.tenant.id);
    let own = Actor::admin(&first.tenant).sees(&app, &of_tenant).await;
    // The look at strangers is worth something: there is something in the tables.
    let filled = [
        "api_keys",
        "deliveries",
        "delivery_attempts",
        "idempotency_keys",
        "invitations",
        "memberships",
        "pulse_check_ins",
        "pulse_enabled_tables",
        "pulse_rows",
        "pulse_scanner_sessions",
        "pulse_session_tables",
        "pulse_tables",
        "pulse_tickets",
        "tenants",
        "webhook_endpoints",
    ];
    for table in filled {
        assert!(own.contains_key(table), "{table}: {own:?}");
    }
    // The log is the live objects' alone.
    assert!(!own.contains_key("pulse_scan_log"), "{own:?}");
    let system = Actor::system(&first.tenant).sees(&app, &of_tenant).await;
    assert!(system.contains_key("pulse_scan_log"), "{system:?}");
    let stranger = Tenant::new().await;
    for actor in [Actor::admin(&stranger), Actor::system(&stranger)] {
        assert_eq!(actor.sees(&app, &of_tenant).await, BTreeMap::new());
    }
    // To claim the tenant is not enough without being its member.
    let mut claiming = Actor::admin(&stranger);
    claiming.actor = claiming.actor.replace(&stranger.id, &first.tenant.id);
    assert_eq!(claiming.refused("select to_jsonb(1)").await, "PU401");
}

/// Adds a check-in beside the live object.
fn check_in(tenant: &str, table: &str, seq: &str) -> String {
    format!(
        "with added as (insert into pulse_check_ins (tenant_id, table_id, verdict, reason, seq)
                        values ('{tenant}', '{table}', 'refused', 'unknown_code', {seq}))
         select to_jsonb(true)"
    )
}

#[tokio::test]
async fn devices_and_guests_add_check_ins_to_their_own_table_and_never_number_them() {
    let (first, second, session) = two_events().await;
    let other = Event::with_guests(["Zoe"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let app = Database::app().await;
    let tenant = &first.tenant.id;
    for actor in [Actor::device(&first, &session), Actor::guest(&first)] {
        let own = check_in(tenant, &first.table, "null");
        let added = actor.call(&app, &own).await;
        assert_eq!(added.ok(), Some(json!(true)), "{}", actor.role);
        for sql in [
            check_in(tenant, &first.table, "4711"),
            check_in(tenant, &second.table, "null"),
            check_in(&other.tenant.id, &other.table, "null"),
            check_in(tenant, &other.table, "null"),
        ] {
            actor.may_not(&sql).await;
        }
    }
    let staff = Actor::admin(&first.tenant);
    staff.may_not(&check_in(tenant, &first.table, "4711")).await;
    staff
        .may_not(&check_in(&other.tenant.id, &other.table, "null"))
        .await;
    // A table that takes no scans from guests does not let one in at all.
    first
        .configure(json!({"settings": {"guest_scanning": false}}))
        .await;
    let shut = Actor::guest(&first).refused("select to_jsonb(1)").await;
    assert_eq!(shut, "PU403");
}

#[tokio::test]
async fn devices_and_guests_change_nothing() {
    let (first, _second, session) = two_events().await;
    let app = Database::app().await;
    let writes = [
        "update pulse_tables set name = 'mine' returning 1",
        "update pulse_rows set name = 'mine' returning 1",
        "update pulse_enabled_tables set guest_key = 'mine' returning 1",
        "update pulse_scanner_sessions set profile = 'scanner', is_active = true returning 1",
        "update pulse_session_tables set removed = false returning 1",
    ];
    // What they do not reach is not there.
    let foreign = [
        "update pulse_check_ins set annulled_at = now() returning 1",
        "update memberships set role = 'admin' returning 1",
        "delete from invitations returning 1",
        "update api_keys set revoked_at = null returning 1",
        "update tenants set name = 'mine' returning 1",
        "update webhook_endpoints set enabled = false returning 1",
    ];
    let changing =
        |write: &str| format!("with changed as ({write}) select to_jsonb(count(*)) from changed");
    let device = Actor::device(&first, &session);
    for write in writes {
        device.may_not(&changing(write)).await;
    }
    let guest = Actor::guest(&first);
    for write in writes.into_iter().chain(foreign) {
        let done = guest.call(&app, &changing(write)).await;
        assert_eq!(done.ok(), Some(json!(0)), "guest: {write}");
    }
    for write in foreign {
        let done = device.call(&app, &changing(write)).await;
        assert_eq!(done.ok(), Some(json!(0)), "device: {write}");
    }
    let row = format!(
        "with added as (insert into pulse_rows (tenant_id, table_id, name) values ('{}', '{}', 'mine'))
         select to_jsonb(true)",
        first.tenant.id, first.table
    );
    for actor in [device, guest] {
        actor.may_not(&row).await;
    }
    assert_eq!(first.dashboard().await.counts.total, 2);
}

#[tokio::test]
async fn a_device_with_an_old_token_or_where_devices_are_not_meant_is_refused() {
    let (first, _second, session) = two_events().await;
    let mut old = session.clone();
    old["generation"] = json!(session["generation"].as_i64().expect("a generation") + 1);
    let mut unmeant = Actor::device(&first, &session);
    unmeant.role = "agent";
    for (actor, code) in [(Actor::device(&first, &old), "PU401"), (unmeant, "PU403")] {
        assert_eq!(actor.refused("select to_jsonb(1)").await, code);
    }
}
