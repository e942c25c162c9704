//! Identity: registering, tenants, API keys.
//!
//! Invariant: secrets are shown once and never kept as they are.
//! Failure: each test names what it found instead.

use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::stack;
use pulse_tests::tenant::registration;
use pulse_tests::token::Forgery;
use tokio_postgres::types::Type;

#[tokio::test]
async fn registering_opens_a_session_in_a_new_tenant() {
    let body = registration();
    let reply = Client::anonymous()
        .post("/api/auth/register", &body)
        .await
        .expect_status(201);
    assert_eq!(reply.at("/token_type"), "Bearer");
    assert_eq!(reply.at("/expires_in"), 900);
    assert_eq!(reply.at("/user/email"), body["email"]);
    assert_eq!(reply.at("/tenant/name"), body["tenant_name"]);
    assert_eq!(reply.at("/tenant/role"), "admin");
    assert_eq!(reply.at("/tenant/jurisdiction"), "none");
    let me = User::of(&reply)
        .client
        .get("/api/auth/me")
        .await
        .expect_status(200);
    assert_eq!(me.at("/user/id"), reply.at("/user/id"));
    assert_eq!(me.at("/tenant/id"), reply.at("/tenant/id"));
    assert_eq!(me.at("/role"), "admin");
    assert_eq!(me.list_at("/tenants").len(), 1);
}

#[tokio::test]
async fn an_address_registers_once_whatever_its_letter_case() {
    let mut body = registration();
    let client = Client::anonymous();
    client
        .post("/api/auth/register", &body)
        .await
        .expect_status(201);
    client
        .post("/api/auth/register", &body)
        .await
        .problem_of(409);
    body["email"] = json!(body["email"].as_str().expect("an address").to_uppercase());
    client
        .post("/api/auth/register", &body)
        .await
        .problem_of(409);
}

#[tokio::test]
async fn two_registrations_of_one_address_at_once_make_one_account() {
    let body = registration();
    let client = Client::anonymous();
    let register = || async { client.post("/api/auth/register", &body).await.status };
    let (one, two) = tokio::join!(register(), register());
    assert_eq!([one.min(two), one.max(two)], [201, 409]);
}

#[tokio::test]
async fn everything_wrong_with_a_registration_is_named_at_once() {
    let body = json!({"email": "no address", "password": "short", "tenant_name": ""});
    let reply = Client::anonymous()
        .post("/api/auth/register", &body)
        .await
        .problem_of(422);
    reply
        .points_at("/email")
        .points_at("/password")
        .points_at("/tenant_name");
}

#[tokio::test]
async fn a_password_is_kept_as_argon2id_only() {
    let tenant = Tenant::new().await;
    let sql = "select to_jsonb(password_hash) from users where id = $1::text::uuid";
    let kept = Database::definer()
        .await
        .json(sql, &[(&tenant.admin.id(), Type::TEXT)])
        .await;
    let kept = kept.as_str().expect("a hash").to_owned();
    assert!(kept.starts_with("$argon2id$v=19$"), "{kept}");
    let memory: u32 = kept
        .split(['=', ','])
        .nth(2)
        .expect("m")
        .parse()
        .expect("KiB");
    assert!(memory >= 7_168, "OWASP's least memory: {kept}");
}

#[tokio::test]
async fn no_secret_is_kept_as_it_was_shown() {
    let tenant = Tenant::new().await;
    let (_, key) = tenant.key("agent").await;
    let (invitation, _) = tenant.invite("agent").await;
    let database = Database::definer().await;
    for (table, id, secret) in [
        (
            "sessions",
            Forgery::of(tenant.client().token()).get("sid"),
            tenant.admin.refresh(),
        ),
        ("api_keys", key.at("/id"), key.text_at("/key")),
        (
            "invitations",
            invitation.at("/id"),
            invitation.text_at("/token"),
        ),
    ] {
        // The secret is the end of what was shown, and may hold any character of base64url.
        let start = secret.len().checked_sub(32).expect("a secret");
        let secret = secret[start..].to_owned();
        let sql = format!(
            "select jsonb_agg(position($1::text in t::text) > 0) from {table} t where id = $2::text::uuid"
        );
        let id = id.as_str().expect("an id").to_owned();
        let kept = database
            .json(&sql, &[(&secret, Type::TEXT), (&id, Type::TEXT)])
            .await;
        assert_eq!(kept, json!([false]), "{table} keeps a secret");
    }
}

#[tokio::test]
async fn a_person_may_run_several_tenants_and_choose_by_header() {
    let tenant = Tenant::new().await;
    let second = tenant
        .client()
        .post("/api/tenants", &json!({"name": "Second"}))
        .await;
    let second = second.expect_status(201).text_at("/id");
    let listed = tenant
        .client()
        .get("/api/tenants")
        .await
        .expect_status(200)
        .list_at("/items");
    let ids: Vec<_> = listed
        .iter()
        .map(|tenant| tenant["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(
        ids.contains(&&*tenant.id) && ids.contains(&&*second),
        "{ids:?}"
    );
    let there = tenant.client().with_header("x-tenant-id", &second);
    let table = there
        .post(
            "/pulse/tables",
            &json!({"name": "There", "timezone": "UTC"}),
        )
        .await;
    let path = format!("/pulse/tables/{}", table.expect_status(201).text_at("/id"));
    there.get(&path).await.expect_status(200);
    tenant.client().get(&path).await.problem_of(404);
}

#[tokio::test]
async fn a_tenant_of_someone_else_cannot_be_chosen() {
    let (mine, other) = (Tenant::new().await, Tenant::new().await);
    let client = mine.client().with_header("x-tenant-id", &other.id);
    client.get("/pulse/tables").await.problem_of(401);
    let nonsense = mine.client().with_header("x-tenant-id", "nonsense");
    nonsense.get("/pulse/tables").await.problem_of(400);
}

#[tokio::test]
async fn a_tenant_is_renamed_but_never_moved() {
    let tenant = Tenant::with(json!({"jurisdiction": "eu", "region": "weur"})).await;
    let path = format!("/api/tenants/{}", tenant.id);
    let before = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(before.at("/jurisdiction"), "eu");
    assert_eq!(before.at("/region"), "weur");
    assert_eq!(Forgery::of(tenant.client().token()).get("jur"), "eu");
    let renamed = tenant
        .client()
        .patch(&path, &json!({"name": "Renamed"}))
        .await;
    assert_eq!(renamed.expect_status(200).at("/name"), "Renamed");
    let moved = tenant
        .client()
        .patch(&path, &json!({"jurisdiction": "none"}))
        .await;
    moved.problem_of(422).points_at("/jurisdiction");
}

#[tokio::test]
async fn an_unknown_jurisdiction_or_region_is_refused() {
    for (field, value) in [("jurisdiction", "mars"), ("region", "atlantis")] {
        let mut body = registration();
        body[field] = json!(value);
        let reply = Client::anonymous().post("/api/auth/register", &body).await;
        reply.problem_of(422).points_at(&format!("/{field}"));
    }
}

#[tokio::test]
async fn an_api_key_is_shown_once_and_acts_in_its_role() {
    let tenant = Tenant::new().await;
    let (client, shown) = tenant.key("read_only").await;
    assert!(shown.text_at("/key").starts_with("pulse_none_"), "{shown}");
    client.get("/pulse/tables").await.expect_status(200);
    let denied = client
        .post("/pulse/tables", &json!({"name": "No", "timezone": "UTC"}))
        .await;
    denied.problem(403, "role_not_allowed");
    let listed = tenant.client().get("/api/keys").await.expect_status(200);
    let secret = shown.text_at("/key");
    let secret = &secret[secret.len() - 32..];
    assert!(
        !listed.text().contains(secret),
        "a list shows a key: {listed}"
    );
    let entry = listed.list_at("/items").pop().expect("the key");
    assert_eq!(entry["role"], "read_only");
    assert!(
        entry.get("key").is_none() && entry.get("key_hash").is_none(),
        "{entry}"
    );
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_from_then_on() {
    let tenant = Tenant::new().await;
    let (client, shown) = tenant.key("manager").await;
    client.get("/pulse/tables").await.expect_status(200);
    let path = format!("/api/keys/{}", shown.text_at("/id"));
    tenant.client().delete(&path).await.expect_status(204);
    client
        .get("/pulse/tables")
        .await
        .problem(401, "key_revoked");
}

#[tokio::test]
async fn a_key_with_another_secret_or_of_nobody_opens_nothing() {
    let tenant = Tenant::new().await;
    let (_, shown) = tenant.key("admin").await;
    let key = shown.text_at("/key");
    // A secret may hold `_` itself: what stands before it is `pulse_<jurisdiction>_<id>`.
    let (at, _) = key.match_indices('_').nth(2).expect("a key");
    let (start, secret) = (&key[..at], &key[at + 1..]);
    let reversed: String = secret.chars().rev().collect();
    let nobody = key.replace(&shown.text_at("/id"), &uuid::Uuid::new_v4().to_string());
    let elsewhere = key.replacen("pulse_none_", "pulse_moon_", 1);
    for wrong in [
        format!("{start}_{reversed}"),
        format!("{start}_"),
        nobody,
        elsewhere,
        format!("{key}x"),
    ] {
        assert_ne!(wrong, key);
        Client::anonymous()
            .with_token(&wrong)
            .get("/pulse/tables")
            .await
            .problem_of(401);
    }
}

#[tokio::test]
async fn a_key_ends_when_it_said_it_would() {
    let tenant = Tenant::new().await;
    let soon = rfc3339(seconds_from_now(2));
    let body = json!({"name": "Short", "role": "agent", "expires_at": soon});
    let shown = tenant
        .client()
        .post("/api/keys", &body)
        .await
        .expect_status(201);
    let client = Client::anonymous().with_token(&shown.text_at("/key"));
    client.get("/pulse/tables").await.expect_status(200);
    let refused = stack::eventually("the key expires", || async {
        let reply = client.get("/pulse/tables").await;
        (reply.status != 200).then_some(reply)
    });
    refused.await.problem(401, "key_expired");
    let past = json!({"name": "Past", "role": "agent", "expires_at": "2020-01-01T00:00:00Z"});
    tenant
        .client()
        .post("/api/keys", &past)
        .await
        .problem_of(422)
        .points_at("/expires_at");
}

#[tokio::test]
async fn only_an_admin_makes_keys_and_only_of_staff_roles() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "Key", "role": "agent"});
    tenant
        .member("manager")
        .await
        .client
        .post("/api/keys", &body)
        .await
        .problem(403, "role_not_allowed");
    for role in ["device", "system", "anonymous", "king"] {
        let reply = tenant
            .client()
            .post("/api/keys", &json!({"name": "Key", "role": role}))
            .await;
        reply.problem_of(422).points_at("/role");
    }
}
