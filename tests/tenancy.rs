//! Every route of the API document with every role and with another tenant's credentials.
//!
//! Invariant: the walk knows a good body for each write, so that a refusal is one of the caller and
//! not of the body; a route the walk does not know fails it.
//! Failure: the operation, the caller and the answer.

#[path = "tenancy/walk.rs"]
mod walk;
#[path = "tenancy/world.rs"]
mod world;

use pulse_tests::prelude::*;
use uuid::Uuid;
use walk::{Ids, operations};
use world::World;

#[tokio::test]
async fn a_role_that_is_not_listed_is_refused_on_every_route() {
    let world = World::new().await;
    let mut callers = world.event.tenant.everyone().await;
    callers.push(("device", world.event.door().client().await));
    callers.push(("anonymous", Client::anonymous()));
    let config = format!("/pulse/{}", world.ids.table);
    let key = world
        .event
        .client()
        .get(&config)
        .await
        .text_at("/guest_key");
    let guest = format!("guest_{key}.{}", Uuid::new_v4());
    callers.push(("anonymous", Client::anonymous().with_token(&guest)));
    for operation in operations()
        .await
        .iter()
        .filter(|operation| !operation.roles.is_empty())
    {
        for (role, client) in &callers {
            if operation.roles.iter().any(|listed| listed == role) {
                continue;
            }
            let reply = operation.call(client, &world.ids).await;
            let expected: &[u16] = match *role {
                "anonymous" => &[401],
                "device" => &[401, 403, 404],
                _ => &[403],
            };
            assert!(expected.contains(&reply.status), "as {role}: {reply}");
            assert!(!reply.text().contains(&world.word), "as {role}: {reply}");
        }
    }
    world.is_untouched().await;
}

#[tokio::test]
async fn a_role_that_is_listed_is_never_refused_for_its_role() {
    let tenant = Tenant::new().await;
    let callers = tenant.everyone().await;
    for operation in operations().await {
        for (role, client) in &callers {
            if !operation.roles.iter().any(|listed| listed == role) {
                continue;
            }
            let ids = Ids::of_nothing(&tenant.id);
            let reply = operation.call(client, &ids).await;
            assert!(reply.status < 500, "as {role}: {reply}");
            // The ids name nothing, so what is not refused is not found, or needs none.
            let allowed = matches!(reply.status, 200 | 201 | 204 | 404);
            assert!(allowed, "as {role}: {reply}");
        }
    }
}

/// Somebody who names a tenant they are no member of.
const BY_HEADER: &str = "admin by header";

#[tokio::test]
async fn another_tenants_credentials_reach_nothing_on_any_route() {
    let (world, other) = (World::new().await, World::new().await);
    let (key, _) = other.event.tenant.key("admin").await;
    let callers = [
        ("admin", "admin", other.event.client().clone()),
        (
            "agent",
            "agent",
            other.event.tenant.member("agent").await.client,
        ),
        ("key", "admin", key),
        ("device", "device", other.event.door().client().await),
        (
            BY_HEADER,
            "admin",
            other
                .event
                .client()
                .with_header("x-tenant-id", &world.ids.tenant),
        ),
    ];
    for operation in operations()
        .await
        .iter()
        .filter(|operation| !operation.public)
    {
        for (who, role, client) in &callers {
            if operation.path == "/api/auth/logout" {
                continue;
            }
            let reply = operation.call(client, &world.ids).await;
            assert!(reply.status < 500, "as {who} of another tenant: {reply}");
            assert!(
                !reply.text().contains(&world.word),
                "as {who} of another tenant: {reply}"
            );
            if operation.names_something() {
                // What the role forbids is forbidden anywhere; the rest does not exist for them.
                let listed = operation.roles.iter().any(|listed| listed == role);
                let expected = match listed {
                    false if *who == "device" => 403,
                    _ if operation.path.starts_with("/api/tenants/") => 404,
                    false => 403,
                    true if *who == BY_HEADER => 401,
                    true => 404,
                };
                assert_eq!(
                    reply.status, expected,
                    "as {who} of another tenant: {reply}"
                );
            }
        }
    }
    world.is_untouched().await;
}

#[tokio::test]
async fn without_a_credential_every_route_that_needs_one_says_401() {
    let world = World::new().await;
    for operation in operations()
        .await
        .iter()
        .filter(|operation| !operation.public)
    {
        if operation.optional {
            continue;
        }
        let reply = operation.call(&Client::anonymous(), &world.ids).await;
        assert_eq!(reply.status, 401, "{reply}");
        reply.problem_of(401);
    }
    world.is_untouched().await;
}

#[tokio::test]
async fn what_is_another_tenants_looks_like_what_does_not_exist() {
    let (world, other) = (World::new().await, Tenant::new().await);
    let nothing = Uuid::new_v4().to_string();
    for (path, id) in [
        ("/pulse/tables/{}", &world.ids.table),
        ("/pulse/{}", &world.ids.table),
        ("/pulse/dashboard/{}", &world.ids.table),
        ("/pulse/tables/{}/rows", &world.ids.table),
    ] {
        let ask = |id: &str| {
            other
                .client()
                .get(&path.replace("{}", id))
                .header("x-request-id", "same")
        };
        let (theirs, nobodys) = (ask(id).await, ask(&nothing).await);
        assert_eq!(
            theirs.clone().problem_of(404).json(),
            nobodys.problem_of(404).json(),
            "{path}"
        );
    }
}

/// 48 of the field's cases: one list is all that a scanner knows, in its own tenant too.
#[tokio::test]
async fn a_scanner_reaches_nothing_of_another_list_on_any_route() {
    let world = World::new().await;
    let mine = Event::with_guests(["Ada"]).of(&world.event.tenant);
    let mine = mine.settings(json!({"guest_scanning": true})).open().await;
    let config = mine.client().get(&format!("/pulse/{}", mine.table)).await;
    let guest = format!("guest_{}.{}", config.text_at("/guest_key"), Uuid::new_v4());
    let mut callers = vec![("guest", Client::anonymous().with_token(&guest))];
    for profile in ["scanner", "kiosk", "viewer"] {
        let (device, _) = mine.paired(json!({"profile": profile})).await;
        device
            .get(&format!("/pulse/{}", mine.table))
            .await
            .expect_status(200);
        callers.push((profile, device));
    }
    for operation in operations().await.iter().filter(|it| !it.public) {
        for (who, client) in &callers {
            let reply = operation.call(client, &world.ids).await;
            assert!(reply.status < 500, "as {who} of another list: {reply}");
            assert!(
                !reply.text().contains(&world.word),
                "as {who} of another list: {reply}"
            );
            if operation.names_something() {
                let refused = matches!(reply.status, 401 | 403 | 404);
                assert!(refused, "as {who} of another list: {reply}");
            }
        }
    }
    world.is_untouched().await;
}
