//! Connections to replicas: set up, changed, tested, and what keeps one from being asked.
//!
//! Invariant: a password goes in and never comes out; never more than one backend; nothing is asked
//! of a server that is no replica.
//! Failure: the answer that came instead, or what the server shows of us.

use pulse_tests::database::Database;
use pulse_tests::monitored::{Connection, Role, port};
use pulse_tests::prelude::*;
use pulse_tests::tls_front::TlsFront;
use tokio_postgres::types::Type;

/// How a front with TLS is reached.
fn encrypted(front: &TlsFront) -> Value {
    json!({"host": "localhost", "port": front.port, "sslmode": "require"})
}

async fn tested(role: &Role, extra: Value) -> Reply {
    let tenant = Tenant::new().await;
    let settings = role.settings(port(), extra);
    Connection::with(&tenant, &settings).await.test().await
}

#[track_caller]
fn fails(tested: &Reply, code: &str) {
    assert_eq!(tested.at("/ok"), false, "{tested}");
    assert_eq!(tested.at("/code"), code, "{tested}");
    assert!(tested.at("/message").is_string(), "{tested}");
}

#[tokio::test]
async fn a_server_is_signed_in_to_over_tls_with_its_certificate_verified() {
    let (role, front) = (Role::new().await, TlsFront::new(port()));
    let tested = tested(&role, encrypted(&front)).await;
    assert_eq!(tested.at("/ok"), true, "{tested}");
    assert_eq!(tested.at("/encrypted"), true);
    assert!(tested.text_at("/server_version").starts_with("17"));
    let backends = role.backends().await;
    assert_eq!(backends.len(), 1, "{backends:?}");
    assert_eq!(backends[0]["application_name"], "pulse-monitor");
    assert_eq!(backends[0]["pid"], tested.at("/backend_pid"));
}

#[tokio::test]
async fn a_session_serves_later_events_of_its_object_and_stays_the_only_one() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let front = TlsFront::new(port());
    let connection = Connection::with(&tenant, &role.settings(port(), encrypted(&front))).await;
    let first = connection.test().await;
    assert_eq!(first.at("/ok"), true, "{first}");
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    for _ in 0..3 {
        let again = connection.test().await;
        assert_eq!(
            again.at("/backend_pid"),
            first.at("/backend_pid"),
            "{again}"
        );
    }
    assert_eq!(front.connections(), (1, 1));
    assert_eq!(role.backends().await.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_no_replica_is_refused_unless_its_owner_says_why_not() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let settings = role.settings(
        port(),
        json!({"allow_primary": false, "primary_reason": null}),
    );
    let connection = Connection::with(&tenant, &settings).await;
    fails(&connection.test().await, "not_a_replica");
    eventually("nothing of ours stays there", || async {
        role.backends().await.is_empty().then_some(())
    })
    .await;
    let client = tenant.client();
    let allowed = client.patch(&connection.path(), &json!({"allow_primary": true}));
    allowed.await.problem_of(422).points_at("/primary_reason");
    let change = json!({"allow_primary": true, "primary_reason": "a copy restored each night"});
    client
        .patch(&connection.path(), &change)
        .await
        .expect_status(200);
    assert_eq!(connection.test().await.at("/ok"), true);
}

#[tokio::test]
async fn whatever_is_wrong_with_the_way_there_is_said_in_words() {
    let role = Role::new().await;
    let wrong = json!({"password": "wrong"});
    fails(&tested(&role, wrong).await, "wrong_password");
    let unknown = json!({"database": "nowhere"});
    fails(&tested(&role, unknown).await, "unknown_database");
    fails(&tested(&role, json!({"port": 9})).await, "no_route");
    let front = TlsFront::with(port(), "refuse");
    fails(&tested(&role, encrypted(&front)).await, "tls_refused");
    for front in [
        TlsFront::untrusted(port()),
        TlsFront::of_another_host(port()),
    ] {
        fails(
            &tested(&role, encrypted(&front)).await,
            "certificate_untrusted",
        );
    }
    assert_eq!(role.backends().await, [json!(null); 0]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let role = Role::new().await;
    for plan in ["silent", "half"] {
        let front = TlsFront::with(port(), plan);
        let began = std::time::Instant::now();
        let tested = tested(&role, encrypted(&front)).await;
        assert_eq!(tested.at("/ok"), false, "{plan}: {tested}");
        assert!(
            began.elapsed() < std::time::Duration::from_secs(15),
            "{plan}"
        );
        // The runtime keeps a socket whose encryption never came about until the server ends it.
        if plan == "silent" {
            eventually("the socket is closed", || async {
                (front.connections().1 == 0).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_server_that_never_encrypts_costs_one_socket_however_often_it_is_due() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let front = TlsFront::with(port(), "half");
    let settings = role.settings(port(), encrypted(&front));
    let connection = Connection::with(&tenant, &settings).await;
    let table = connection.table("pg_class").await;
    let check = table
        .check(json!({"kind": "row_count", "fail": {"kind": "absolute", "min": 1}}))
        .await;
    let first = table.first(&check).await;
    for result in [first, table.run_one().await, table.run_one().await] {
        assert_eq!(result["outcome"], "skipped", "{result}");
        assert_eq!(result["reason"], "unreachable", "{result}");
    }
    assert_eq!(front.connections().0, 1, "the runtime cannot close one");
    fails(&connection.test().await, "tls_failed");
    assert_eq!(front.connections().0, 2, "whoever asks by hand is served");
}

#[tokio::test]
async fn a_password_is_stored_sealed_and_shown_nowhere() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let client = tenant.client();
    let made = client
        .post("/api/connections", &role.settings(port(), json!({})))
        .await;
    let path = format!("/api/connections/{}", made.text_at("/id"));
    let replies = [
        client.get(&path).await,
        client.get("/api/connections").await,
        client.patch(&path, &json!({"name": "Renamed"})).await,
        client.call("POST", &format!("{path}/test")).await,
        made.clone(),
    ];
    for reply in replies {
        assert!(
            reply.status < 300 && !reply.text().contains(&role.password),
            "{reply}"
        );
        assert!(!reply.text().contains("secret"), "{reply}");
    }
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let sql = "select to_jsonb(c) from monitor_connections c where id = $1::text::uuid";
    let id = made.text_at("/id");
    let row = database.json(sql, &[(&id, Type::TEXT)]).await;
    assert!(
        row["secret"]
            .as_str()
            .is_some_and(|sealed| sealed.len() > 60),
        "{row}"
    );
    assert!(!row.to_string().contains(&role.password), "{row}");
}

#[tokio::test]
async fn another_server_takes_the_password_again() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let front = TlsFront::new(port());
    let connection = Connection::with(&tenant, &role.settings(port(), encrypted(&front))).await;
    let patch = |body: Value| {
        let (client, path) = (tenant.client().clone(), connection.path());
        async move { client.patch(&path, &body).await }
    };
    for change in [
        json!({"host": "replica.example.org"}),
        json!({"port": 6432}),
        json!({"sslmode": "disable"}),
    ] {
        patch(change).await.problem_of(422).points_at("/password");
    }
    patch(json!({"host": "LOCALHOST", "name": "Same"}))
        .await
        .expect_status(200);
    let moved =
        json!({"host": "127.0.0.1", "port": port(), "sslmode": "disable", "password": "wrong"});
    let moved = patch(moved).await.expect_status(200);
    assert_eq!(moved.at("/version"), 3);
    fails(&connection.test().await, "wrong_password");
    patch(json!({"password": role.password}))
        .await
        .expect_status(200);
    let tested = connection.test().await;
    assert_eq!(
        (tested.at("/ok"), tested.at("/encrypted")),
        (json!(true), json!(false))
    );
}

#[tokio::test]
async fn a_changed_connection_ends_the_session_before_there_is_another() {
    let (role, tenant) = (Role::new().await, Tenant::new().await);
    let connection = Connection::with(&tenant, &role.settings(port(), json!({}))).await;
    let first = connection.test().await.at("/backend_pid");
    for _ in 0..5 {
        let change = json!({"password": role.password});
        tenant
            .client()
            .patch(&connection.path(), &change)
            .await
            .expect_status(200);
        let tested = connection.test().await;
        // The role has a connection limit of one: a second backend would have been refused.
        assert_eq!(tested.at("/ok"), true, "{tested}");
        assert_ne!(tested.at("/backend_pid"), first);
        assert_eq!(role.backends().await.len(), 1);
    }
    tenant
        .client()
        .delete(&connection.path())
        .await
        .expect_status(204);
    eventually("its session has ended", || async {
        role.backends().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_wrong_setting_of_a_connection_is_named() {
    let tenant = Tenant::new().await;
    let wrong = json!({"name": " ", "host": "a b", "port": 5432, "database": "", "username": "u",
        "password": "p", "allow_primary": true, "lag_limit_seconds": 1,
        "budget": {"statements": 1}});
    let mut reply = tenant
        .client()
        .post("/api/connections", &wrong)
        .await
        .problem(422, "invalid");
    for pointer in [
        "/name",
        "/host",
        "/database",
        "/primary_reason",
        "/lag_limit_seconds",
        "/budget/statements",
    ] {
        reply = reply.points_at(pointer);
    }
    let unknown = json!({"name": "x", "host": "replica.example.org", "database": "d",
        "username": "u", "password": "p", "sslmod": "require"});
    let reply = tenant.client().post("/api/connections", &unknown).await;
    reply.problem_of(422).points_at("/sslmod");
}
