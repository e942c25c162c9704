//! Members: invitations, roles, removal; and that what changes counts at once.
//!
//! Invariant: a tenant keeps an admin; nobody grants more than they may.
//! Failure: each test names what it found instead.

use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use tokio_postgres::types::Type;

fn members(tenant: &Tenant) -> String {
    format!("/api/tenants/{}/members", tenant.id)
}

fn invitations(tenant: &Tenant) -> String {
    format!("/api/tenants/{}/invitations", tenant.id)
}

#[tokio::test]
async fn an_invited_person_joins_in_the_invited_role() {
    let tenant = Tenant::new().await;
    let agent = tenant.member("agent").await;
    let me = agent.client.get("/api/auth/me").await.expect_status(200);
    assert_eq!(me.at("/role"), "agent");
    assert_eq!(me.at("/tenant/id"), *tenant.id);
    let listed = tenant
        .client()
        .get(&members(&tenant))
        .await
        .expect_status(200)
        .list_at("/items");
    assert_eq!(listed.len(), 2);
    let one = tenant
        .client()
        .get(&format!("{}/{}", members(&tenant), agent.id()))
        .await;
    assert_eq!(one.expect_status(200).at("/role"), "agent");
}

#[tokio::test]
async fn an_invitation_shows_its_token_once_and_is_accepted_once() {
    let tenant = Tenant::new().await;
    let (invitation, _) = tenant.invite("agent").await;
    let token = invitation.text_at("/token");
    let listed = tenant
        .client()
        .get(&invitations(&tenant))
        .await
        .expect_status(200);
    assert!(!listed.text().contains(&token), "{listed}");
    assert_eq!(listed.list_at("/items").len(), 1);
    let body = json!({"token": token, "password": PASSWORD});
    let first = Client::anonymous()
        .post("/api/invitations/accept", &body)
        .await;
    assert!(first.status < 300, "{first}");
    let second = Client::anonymous()
        .post("/api/invitations/accept", &body)
        .await;
    second.problem_of(410);
}

#[tokio::test]
async fn somebody_with_an_account_joins_with_it() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let invite = json!({"email": other.admin.email, "role": "manager"});
    let invitation = tenant
        .client()
        .post(&invitations(&tenant), &invite)
        .await
        .expect_status(201);
    let body = json!({"token": invitation.text_at("/token")});
    let reply = other.client().post("/api/invitations/accept", &body).await;
    assert!(reply.status < 300, "{reply}");
    let there = other.client().with_header("x-tenant-id", &tenant.id);
    assert_eq!(
        there
            .get("/api/auth/me")
            .await
            .expect_status(200)
            .at("/role"),
        "manager"
    );
    let again = tenant.client().post(&invitations(&tenant), &invite).await;
    again.problem(409, "already_a_member");
}

#[tokio::test]
async fn an_invitation_cannot_take_over_an_account() {
    let (tenant, victim) = (Tenant::new().await, Tenant::new().await);
    let invite = json!({"email": victim.admin.email, "role": "agent"});
    let invitation = tenant
        .client()
        .post(&invitations(&tenant), &invite)
        .await
        .expect_status(201);
    let body =
        json!({"token": invitation.text_at("/token"), "password": "a password of the attacker"});
    Client::anonymous()
        .post("/api/invitations/accept", &body)
        .await;
    let theirs = json!({"email": victim.admin.email, "password": "a password of the attacker"});
    let source = Client::anonymous().with_header("cf-connecting-ip", "2001:db8::7a6e");
    source
        .post("/api/auth/login", &theirs)
        .await
        .problem_of(401);
    victim.admin.login().await;
}

#[tokio::test]
async fn an_expired_or_withdrawn_invitation_is_gone() {
    let tenant = Tenant::new().await;
    let (expired, _) = tenant.invite("agent").await;
    let sql = "with past as (update invitations set expires_at = now() - interval '1 second'
               where id = $1::text::uuid returning 1) select to_jsonb(count(*)) from past";
    let id = expired.text_at("/id");
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    assert_eq!(database.json(sql, &[(&id, Type::TEXT)]).await, 1);
    let body = json!({"token": expired.text_at("/token"), "password": PASSWORD});
    Client::anonymous()
        .post("/api/invitations/accept", &body)
        .await
        .problem_of(410);
    let (withdrawn, _) = tenant.invite("agent").await;
    let path = format!("{}/{}", invitations(&tenant), withdrawn.text_at("/id"));
    tenant.client().delete(&path).await.expect_status(204);
    let body = json!({"token": withdrawn.text_at("/token"), "password": PASSWORD});
    let reply = Client::anonymous()
        .post("/api/invitations/accept", &body)
        .await;
    reply.problem_of(404);
}

#[tokio::test]
async fn the_last_admin_can_be_neither_removed_nor_demoted() {
    let tenant = Tenant::new().await;
    let path = format!("{}/{}", members(&tenant), tenant.admin.id());
    let demote = json!({"role": "manager"});
    tenant
        .client()
        .patch(&path, &demote)
        .await
        .problem(409, "last_admin");
    tenant
        .client()
        .delete(&path)
        .await
        .problem(409, "last_admin");
    let second = tenant.member("admin").await;
    second.client.patch(&path, &demote).await.expect_status(200);
    let theirs = format!("{}/{}", members(&tenant), second.id());
    second
        .client
        .delete(&theirs)
        .await
        .problem(409, "last_admin");
}

#[tokio::test]
async fn two_admins_who_remove_each_other_at_once_leave_one() {
    let tenant = Tenant::new().await;
    let other = tenant.member("admin").await;
    let first = format!("{}/{}", members(&tenant), tenant.admin.id());
    let second = format!("{}/{}", members(&tenant), other.id());
    let (one, two) = tokio::join!(async { other.client.delete(&first).await.status }, async {
        tenant.client().delete(&second).await.status
    },);
    let removed = [one, two].iter().filter(|status| **status == 204).count();
    assert_eq!(removed, 1, "{one} {two}");
}

#[tokio::test]
async fn a_removed_member_loses_access_at_once() {
    let tenant = Tenant::new().await;
    let agent = tenant.member("agent").await;
    agent.client.get("/pulse/tables").await.expect_status(200);
    let path = format!("{}/{}", members(&tenant), agent.id());
    tenant.client().delete(&path).await.expect_status(204);
    agent.client.get("/pulse/tables").await.problem_of(401);
    let body = json!({"refresh_token": agent.refresh(), "tenant_id": tenant.id});
    let refreshed = Client::anonymous().post("/api/auth/refresh", &body).await;
    assert!(refreshed.status >= 400, "{refreshed}");
}

#[tokio::test]
async fn a_removed_member_scans_no_more_within_a_minute() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let scan = json!({"barcode": event.code("Ada")});
    Answer::of(event.scan_by(&agent.client, scan.clone()).await).accepted();
    let path = format!("{}/{}", members(&event.tenant), agent.id());
    event.client().delete(&path).await.expect_status(204);
    let later = agent.client.at(seconds_from_now(61));
    event.scan_by(&later, scan).await.problem_of(401);
}

#[tokio::test]
async fn a_changed_role_counts_at_once() {
    let tenant = Tenant::new().await;
    let manager = tenant.member("manager").await;
    let body = json!({"name": "List", "timezone": "UTC"});
    manager
        .client
        .post("/pulse/tables", &body)
        .await
        .expect_status(201);
    let path = format!("{}/{}", members(&tenant), manager.id());
    tenant
        .client()
        .patch(&path, &json!({"role": "read_only"}))
        .await
        .expect_status(200);
    manager
        .client
        .post("/pulse/tables", &body)
        .await
        .problem(403, "role_not_allowed");
    manager.client.get("/pulse/tables").await.expect_status(200);
    tenant
        .client()
        .patch(&path, &json!({"role": "admin"}))
        .await
        .expect_status(200);
    manager.client.get("/api/keys").await.expect_status(200);
}

#[tokio::test]
async fn nobody_grants_more_than_they_may() {
    let tenant = Tenant::new().await;
    let manager = tenant.member("manager").await;
    let agent = tenant.member("agent").await;
    for role in ["admin", "manager"] {
        let invite = json!({"email": email("friend"), "role": role});
        manager
            .client
            .post(&invitations(&tenant), &invite)
            .await
            .problem_of(403);
        let path = format!("{}/{}", members(&tenant), manager.id());
        let raise = json!({ "role": "admin" });
        manager.client.patch(&path, &raise).await.problem_of(403);
    }
    let admin = format!("{}/{}", members(&tenant), tenant.admin.id());
    manager.client.delete(&admin).await.problem_of(403);
    manager
        .client
        .patch(&admin, &json!({"role": "agent"}))
        .await
        .problem_of(403);
    let invite = json!({"email": email("friend"), "role": "read_only"});
    manager
        .client
        .post(&invitations(&tenant), &invite)
        .await
        .expect_status(201);
    agent
        .client
        .post(&invitations(&tenant), &invite)
        .await
        .problem(403, "role_not_allowed");
    let device = json!({"email": email("friend"), "role": "device"});
    tenant
        .client()
        .post(&invitations(&tenant), &device)
        .await
        .problem_of(422)
        .points_at("/role");
}
