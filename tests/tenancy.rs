//! Every route of the API document with every role and with another tenant's credentials.
//!
//! Invariant: the walk knows a good body for each write, so that a refusal is one of the caller and
//! not of the body; a route the walk does not know fails it.
//! Failure: the operation, the caller and the answer.

use pulse_tests::client::Call;
use pulse_tests::prelude::*;
use uuid::Uuid;

/// Where no webhook arrives.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// One operation of the document.
struct Operation {
    method: String,
    /// The path with every parameter written `{}`.
    path: String,
    roles: Vec<String>,
    /// No credential is looked at.
    public: bool,
    /// It may be called without a credential too.
    optional: bool,
}

/// The ids the walk puts into paths and bodies.
#[derive(Clone)]
struct Ids {
    tenant: String,
    user: String,
    invitation: String,
    key: String,
    table: String,
    row: String,
    session: String,
    check_in: String,
    webhook: String,
    delivery: String,
}

async fn operations() -> Vec<Operation> {
    let document = Client::anonymous()
        .get("/openapi.json")
        .await
        .expect_status(200)
        .json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path
            .split('/')
            .map(|part| if part.starts_with('{') { "{}" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for (method, operation) in methods.as_object().expect("methods") {
            let roles = operation["x-roles"]
                .as_array()
                .expect("x-roles of every operation");
            let security = operation["security"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                roles: roles
                    .iter()
                    .map(|role| role.as_str().expect("a role").to_owned())
                    .collect(),
                public: security.is_empty(),
                optional: security.contains(&json!({})),
            });
        }
    }
    assert!(
        operations.len() >= 35,
        "only {} operations",
        operations.len()
    );
    operations
}

impl Operation {
    /// The ids its path names, in order.
    fn parameters<'i>(&self, ids: &'i Ids) -> Vec<&'i str> {
        let mut found = Vec::new();
        let parts: Vec<_> = self.path.split('/').collect();
        for (place, part) in parts.iter().enumerate() {
            if *part == "{}" {
                found.push(match parts[place - 1] {
                    "tenants" => &*ids.tenant,
                    "members" => &ids.user,
                    "invitations" => &ids.invitation,
                    "keys" => &ids.key,
                    "rows" => &ids.row,
                    "sessions" => &ids.session,
                    "check-ins" => &ids.check_in,
                    "webhooks" => &ids.webhook,
                    "deliveries" => &ids.delivery,
                    "tables" | "pulse" | "dashboard" | "check-in" => &ids.table,
                    other => panic!("teach the walk the ids of {other} in {}", self.path),
                });
            }
        }
        found
    }

    /// Does it name anything of a tenant, in its path, its query or its body?
    fn names_something(&self) -> bool {
        let by_body = matches!(
            (&*self.method, &*self.path),
            (
                "POST",
                "/pulse" | "/pulse/check-ins" | "/pulse/check-ins/sync" | "/pulse/sessions"
            )
        );
        self.path.contains("{}") || by_body
    }

    /// The call with these ids and a body that is right.
    fn call(&self, client: &Client, ids: &Ids) -> Call {
        let mut path = self.path.clone();
        for id in self.parameters(ids) {
            path = path.replacen("{}", id, 1);
        }
        if matches!(
            &*self.path,
            "/pulse/check-ins" | "/pulse/sessions" | "/pulse/check-ins/{}"
        ) && self.method == "GET"
        {
            path = format!("{path}?table_id={}", ids.table);
        }
        if self.path.ends_with("/badge.svg") {
            path = format!("{path}?table_id={}", ids.table);
        }
        let call = client.call(&self.method, &path);
        match self.body(ids) {
            Value::Null => call,
            Value::String(csv) => call.body("text/csv", csv),
            body => call.json(&body),
        }
    }

    fn body(&self, ids: &Ids) -> Value {
        let table = &ids.table;
        match (&*self.method, &*self.path) {
            ("GET" | "DELETE", _)
            | (
                "POST",
                "/api/auth/logout"
                | "/api/webhooks/{}/test"
                | "/api/webhooks/{}/rotate-secret"
                | "/api/deliveries/{}/retry"
                | "/pulse/sessions/{}/pairing"
                | "/pulse/sessions/{}/roll"
                | "/pulse/sessions/{}/revoke"
                | "/pulse/{}/guest-link"
                | "/pulse/{}/guest-key",
            ) => Value::Null,
            ("POST", "/pulse/sessions/pair") => json!({"token": "none"}),
            ("POST", "/pulse/sessions/{}/status") => json!({"battery": 0.5}),
            ("PUT", "/pulse/{}/badge-template") => badge_template(),
            ("POST", "/api/auth/register") => pulse_tests::tenant::registration(),
            ("POST", "/api/auth/login") => json!({"email": email("x"), "password": PASSWORD}),
            ("POST", "/api/auth/refresh") => json!({"refresh_token": "rt_none"}),
            ("POST", "/api/invitations/accept") => json!({"token": "none"}),
            ("POST", "/api/tenants") => json!({"name": "Another"}),
            ("PATCH", "/api/tenants/{}") => json!({"name": "Renamed by the walk"}),
            ("PATCH", "/api/tenants/{}/members/{}") => json!({"role": "read_only"}),
            ("POST", "/api/tenants/{}/invitations") => {
                json!({"email": email("walk"), "role": "agent"})
            }
            ("POST", "/api/keys") => json!({"name": "Walk", "role": "read_only"}),
            ("POST", "/api/webhooks") => json!({"url": NOWHERE, "events": ["checkin.*"]}),
            ("PATCH", "/api/webhooks/{}") => json!({"description": "Renamed by the walk"}),
            ("POST", "/pulse/tables") => json!({"name": "Walk", "timezone": "UTC"}),
            ("PATCH", "/pulse/tables/{}") => json!({"name": "Renamed by the walk"}),
            ("POST", "/pulse/tables/{}/rows") => json!({"name": "Walker"}),
            ("PATCH", "/pulse/tables/{}/rows/{}") => json!({"name": "Renamed by the walk"}),
            ("POST", "/pulse/tables/{}/import") => json!("name,barcode\nWalker,walk-1\n"),
            ("POST", "/pulse/tables/{}/tickets" | "/pulse/tables/{}/tickets/revoke") => {
                json!({"row_ids": [ids.row]})
            }
            ("POST", "/pulse/tables/{}/ticket-key") => json!({}),
            ("POST", "/pulse") => json!({"table_id": table}),
            ("PATCH", "/pulse/{}") => json!({"settings": {"show_popup": false}}),
            ("POST", "/pulse/check-ins") => {
                json!({"table_id": table, "row_id": ids.row, "nonce": Uuid::new_v4().to_string()})
            }
            ("POST", "/pulse/check-ins/sync") => {
                let nonce = Uuid::new_v4().to_string();
                json!({"table_id": table, "items": [{"row_id": ids.row, "nonce": nonce}]})
            }
            ("POST", "/pulse/check-ins/{}/annul") => json!({"table_id": table}),
            ("POST", "/pulse/sessions") => json!({"table_id": table, "name": "Walk"}),
            ("PATCH", "/pulse/sessions/{}") => json!({"name": "Renamed by the walk"}),
            (method, path) => panic!("teach the walk a body for {method} {path}"),
        }
    }
}

/// A small label.
fn badge_template() -> Value {
    let name = json!({"kind": "text", "field": "name", "x_mm": 1, "y_mm": 1, "width_mm": 20});
    json!({"width_mm": 40, "height_mm": 20, "elements": [name]})
}

/// A tenant with one of everything, all named by a word that is nowhere else.
struct World {
    event: Event,
    ids: Ids,
    word: String,
}

impl World {
    async fn new() -> Self {
        let word = format!("marker{}", Uuid::new_v4().simple());
        let event = Event::with_guests([format!("{word} Ada"), format!("{word} Bob")])
            .settings(json!({"guest_scanning": true}))
            .open()
            .await;
        let accepted = event.door().scan(&format!("{word} Ada")).await.accepted();
        let (invitation, _) = event.tenant.invite("agent").await;
        let (_, key) = event.tenant.key("agent").await;
        let member = event.tenant.member("agent").await;
        let hook = json!({"url": NOWHERE, "events": ["checkin.*"], "description": word});
        let hook = event.client().post("/api/webhooks", &hook).await;
        let webhook = hook.expect_status(201).text_at("/id");
        let ping = format!("/api/webhooks/{webhook}/test");
        let ping = event.client().call("POST", &ping).await;
        let ids = Ids {
            webhook,
            delivery: ping.expect_status(201).text_at("/id"),
            tenant: event.tenant.id.clone(),
            user: member.id(),
            invitation: invitation.text_at("/id"),
            key: key.text_at("/id"),
            table: event.table.clone(),
            row: event.row_id(&format!("{word} Bob")),
            session: event.door().id().await,
            check_in: accepted.check_in(),
        };
        event.recorded().await;
        Self { event, ids, word }
    }

    /// Demands that nothing of it was changed.
    async fn is_untouched(&self) {
        let client = self.event.client();
        let get = |path: String| async move { client.get(&path).await.expect_status(200) };
        let rows = get(format!("/pulse/tables/{}/rows", self.ids.table))
            .await
            .list_at("/items");
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| {
            row["name"]
                .as_str()
                .is_some_and(|name| name.contains(&self.word))
        }));
        let member = get(format!(
            "/api/tenants/{}/members/{}",
            self.ids.tenant, self.ids.user
        ))
        .await;
        assert_eq!(member.at("/role"), "agent");
        let config = get(format!("/pulse/{}", self.ids.table)).await;
        assert_eq!(
            (config.at("/enabled"), config.at("/settings/show_popup")),
            (json!(true), json!(true))
        );
        assert_eq!(config.at("/badge_template"), Value::Null);
        let keys = get("/api/keys".into()).await.text();
        assert!(keys.contains(&self.ids.key), "the key is gone");
        let hook = get(format!("/api/webhooks/{}", self.ids.webhook)).await;
        assert_eq!(
            (hook.at("/description"), hook.at("/version")),
            (json!(self.word), json!(1))
        );
        get(format!("/api/deliveries/{}", self.ids.delivery)).await;
        let dashboard = self
            .event
            .dashboard()
            .await
            .counts(|c| c.checked_in == 1 && c.refused.total() == 0);
        assert_eq!(dashboard.at("/recent").as_array().map(Vec::len), Some(1));
        self.event
            .door()
            .client()
            .await
            .get(&format!("/pulse/{}", self.ids.table))
            .await
            .expect_status(200);
    }
}

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
    let nothing = || Uuid::new_v4().to_string();
    for operation in operations().await {
        for (role, client) in &callers {
            if !operation.roles.iter().any(|listed| listed == role) {
                continue;
            }
            let ids = Ids {
                tenant: tenant.id.clone(),
                user: nothing(),
                invitation: nothing(),
                key: nothing(),
                table: nothing(),
                row: nothing(),
                session: nothing(),
                check_in: nothing(),
                webhook: nothing(),
                delivery: nothing(),
            };
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
