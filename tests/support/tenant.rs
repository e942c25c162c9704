//! Tenants and their people, made as a user makes them: registered, invited, accepted.
//!
//! Invariant: every tenant and e-mail address is new, so tests never meet.
//! Failure: an answer other than the expected one panics with it.

use crate::client::{Client, Reply};
use serde_json::{Value, json};
use uuid::Uuid;

/// The password of everyone here.
pub const PASSWORD: &str = "correct horse battery";

/// The roles a member can have, the mightiest first.
pub const ROLES: [&str; 6] = [
    "admin",
    "manager",
    "agent",
    "read_only",
    "dentist",
    "patient",
];

/// A new e-mail address; its local part starts with `who`.
pub fn email(who: &str) -> String {
    format!("{who}.{}@example.test", Uuid::new_v4().simple())
}

/// Someone with a session.
#[derive(Clone, Debug)]
pub struct User {
    /// A client with the access token.
    pub client: Client,
    /// The whole answer that opened the session.
    pub session: Value,
    /// The address they log in with.
    pub email: String,
}

impl User {
    /// Who an answer with a session is.
    #[track_caller]
    pub fn of(reply: &Reply) -> Self {
        let client = Client::anonymous().with_token(&reply.text_at("/access_token"));
        Self {
            client,
            session: reply.json(),
            email: reply.text_at("/user/email"),
        }
    }

    /// Logs in again, with a session of its own.
    pub async fn login(&self) -> Self {
        let body = json!({"email": self.email, "password": PASSWORD});
        Self::of(
            &Client::anonymous()
                .post("/api/auth/login", &body)
                .await
                .expect_status(200),
        )
    }

    /// The text at a pointer of the session.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        match self.session.pointer(pointer).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("no text at {pointer} in {}", self.session),
        }
    }

    /// The user's id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.text("/user/id")
    }

    /// The access token.
    #[track_caller]
    pub fn access(&self) -> String {
        self.text("/access_token")
    }

    /// The refresh token.
    #[track_caller]
    pub fn refresh(&self) -> String {
        self.text("/refresh_token")
    }
}

/// A tenant and the admin who registered it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The tenant's id.
    pub id: String,
    /// Its first admin.
    pub admin: User,
}

impl Tenant {
    /// Registers a new tenant.
    pub async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// Registers a new tenant; `extra` adds to the body or overrides it.
    pub async fn with(extra: Value) -> Self {
        let mut body = registration();
        if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let reply = Client::anonymous()
            .post("/api/auth/register", &body)
            .await
            .expect_status(201);
        let admin = User::of(&reply);
        Self {
            id: admin.text("/tenant/id"),
            admin,
        }
    }

    /// The admin's client.
    pub fn client(&self) -> &Client {
        &self.admin.client
    }

    /// Invites a new person; answers the invitation with its token and the address.
    pub async fn invite(&self, role: &str) -> (Reply, String) {
        let address = email(role);
        let path = format!("/api/tenants/{}/invitations", self.id);
        let body = json!({"email": address, "role": role});
        (
            self.client().post(&path, &body).await.expect_status(201),
            address,
        )
    }

    /// A new member with this role, logged in to this tenant.
    pub async fn member(&self, role: &str) -> User {
        let (invitation, address) = self.invite(role).await;
        let body =
            json!({"token": invitation.text_at("/token"), "password": PASSWORD, "name": role});
        let reply = Client::anonymous()
            .post("/api/invitations/accept", &body)
            .await;
        assert!(reply.status < 300, "{reply}");
        let login = json!({"email": address, "password": PASSWORD, "tenant_id": self.id});
        User::of(
            &Client::anonymous()
                .post("/api/auth/login", &login)
                .await
                .expect_status(200),
        )
    }

    /// A client with a new API key of this role, and the answer that showed the key.
    pub async fn key(&self, role: &str) -> (Client, Reply) {
        let body = json!({"name": format!("{role} key"), "role": role});
        let reply = self
            .client()
            .post("/api/keys", &body)
            .await
            .expect_status(201);
        (
            Client::anonymous().with_token(&reply.text_at("/key")),
            reply,
        )
    }

    /// A client for each role a member can have.
    pub async fn everyone(&self) -> Vec<(&'static str, Client)> {
        let mut clients = vec![("admin", self.client().clone())];
        for role in &ROLES[1..] {
            clients.push((role, self.member(role).await.client));
        }
        clients
    }

    /// A new, empty guest list; answers its id.
    pub async fn table(&self, timezone: &str) -> String {
        let body = json!({"name": "Guests", "timezone": timezone});
        self.client()
            .post("/pulse/tables", &body)
            .await
            .expect_status(201)
            .text_at("/id")
    }
}

/// A registration nobody used yet.
pub fn registration() -> Value {
    json!({
        "email": email("admin"),
        "password": PASSWORD,
        "name": "Ada Admin",
        "tenant_name": format!("Tenant {}", Uuid::new_v4().simple()),
    })
}
