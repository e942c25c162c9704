//! What the walk knows: the operations of the API document, and a good call of each.
//!
//! Invariant: a body is right, so that a refusal is one of the caller.
//! Failure: an operation that the walk does not know panics with it.

use pulse_tests::client::Call;
use pulse_tests::prelude::*;
use uuid::Uuid;

/// Where no webhook arrives.
pub const NOWHERE: &str = "http://127.0.0.1:9/";

/// One operation of the document.
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// The path with every parameter written `{}`.
    pub path: String,
    /// Who may call it.
    pub roles: Vec<String>,
    /// No credential is looked at.
    pub public: bool,
    /// It may be called without a credential too.
    pub optional: bool,
}

/// The ids the walk puts into paths and bodies.
#[derive(Clone)]
pub struct Ids {
    pub tenant: String,
    pub user: String,
    pub invitation: String,
    pub key: String,
    pub table: String,
    pub row: String,
    pub session: String,
    pub check_in: String,
    pub webhook: String,
    pub delivery: String,
    pub channel: String,
    pub message: String,
    pub suppression: String,
    pub report: String,
    pub job: String,
    pub template: String,
    pub connection: String,
    pub monitored: String,
    pub check: String,
    pub alert: String,
    pub incident: String,
    pub silence: String,
    pub route: String,
}

impl Ids {
    /// Ids of nothing, in a tenant.
    pub fn of_nothing(tenant: &str) -> Self {
        let nothing = || Uuid::new_v4().to_string();
        Self {
            tenant: tenant.to_owned(),
            user: nothing(),
            invitation: nothing(),
            key: nothing(),
            table: nothing(),
            row: nothing(),
            session: nothing(),
            check_in: nothing(),
            webhook: nothing(),
            delivery: nothing(),
            channel: nothing(),
            message: nothing(),
            suppression: nothing(),
            report: nothing(),
            job: nothing(),
            template: nothing(),
            connection: nothing(),
            monitored: nothing(),
            check: nothing(),
            alert: nothing(),
            incident: nothing(),
            silence: nothing(),
            route: nothing(),
        }
    }
}

/// Every operation of the document.
pub async fn operations() -> Vec<Operation> {
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
                    "channels" => &ids.channel,
                    "messages" | "outbox" => &ids.message,
                    "suppressions" => &ids.suppression,
                    // The same for every tenant.
                    "sources" => "guests",
                    "pulse" if parts[1] == "api" => &ids.report,
                    "pulse-job" => &ids.job,
                    "pulse-templates" => &ids.template,
                    "connections" => &ids.connection,
                    "checks" => &ids.check,
                    "alerts" => &ids.alert,
                    "incidents" => &ids.incident,
                    "silences" => &ids.silence,
                    "routes" => &ids.route,
                    "tables" if parts[1] == "api" => &ids.monitored,
                    "tables" | "pulse" | "dashboard" | "check-in" => &ids.table,
                    other => panic!("teach the walk the ids of {other} in {}", self.path),
                });
            }
        }
        found
    }

    /// Does it name anything of a tenant, in its path, its query or its body?
    pub fn names_something(&self) -> bool {
        let by_body = matches!(
            (&*self.method, &*self.path),
            (
                "POST",
                "/api/tables"
                    | "/pulse"
                    | "/pulse/check-ins"
                    | "/pulse/check-ins/sync"
                    | "/pulse/sessions"
            )
        );
        (self.path.contains("{}") && self.path != "/api/sources/{}") || by_body
    }

    /// The call with these ids and a body that is right.
    pub fn call(&self, client: &Client, ids: &Ids) -> Call {
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
        if self.path == "/api/connections/{}/columns" {
            path = format!("{path}?table=walk");
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
                | "/api/channels/{}/rotate-secret"
                | "/api/messages/{}/retry"
                | "/api/connections/{}/test"
                | "/api/tables/{}/run"
                | "/api/tables/{}/dry-run"
                | "/api/tables/{}/checks/{}/backfill"
                | "/api/alerts/{}/ack"
                | "/api/alerts/{}/resolve"
                | "/api/pulse/tick"
                | "/api/pulse/dispatch-ticks"
                | "/api/pulse/{}/publish"
                | "/api/pulse/{}/preview"
                | "/api/pulse/{}/pause"
                | "/api/pulse/{}/resume"
                | "/api/pulse-job/cleanup"
                | "/api/pulse-job/{}/run"
                | "/api/pulse-job/{}/cancel"
                | "/api/pulse-job/{}/approve"
                | "/api/pulse-job/{}/reject"
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
            ("POST", "/api/channels") => json!({"kind": "outbox", "name": "Walk"}),
            ("PATCH", "/api/channels/{}") => json!({"name": "Renamed by the walk"}),
            ("POST", "/api/channels/{}/test") => json!({"address": email("walk")}),
            ("POST", "/api/suppressions") => json!({"address": email("walk")}),
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
            ("POST", "/api/pulse") => pulse_tests::report::daily(),
            ("PUT", "/api/pulse/{}" | "/api/pulse-templates/{}") => {
                json!({"name": "Renamed by the walk"})
            }
            ("POST", "/api/pulse/{}/backfill") => {
                json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"})
            }
            ("POST", "/api/pulse/upcoming") => json!({"cron": "0 9 * * *"}),
            ("POST", "/api/pulse-templates") => json!({"name": "Walk", "body": "# Walk"}),
            ("POST", "/api/sources/query") => json!({"sql": "select name from guests"}),
            ("POST", "/api/tables") => {
                json!({"connection_id": ids.connection, "name": "walk"})
            }
            ("POST", "/api/tables/{}/checks") => {
                json!({"name": "Walk", "kind": "row_count", "every": 86_400})
            }
            ("PATCH", "/api/tables/{}/checks/{}") => json!({"description": "By the walk"}),
            ("POST", "/api/silences") => json!({"matchers": {"severities": ["warn"]},
                "ends_at": "2099-01-01T00:00:00Z", "starts_at": "2098-12-31T00:00:00Z"}),
            ("PATCH", "/api/silences/{}") => json!({"comment": "By the walk"}),
            ("POST", "/api/routes") => {
                json!({"name": "Walk", "receivers": [{"address": email("walk")}]})
            }
            ("PUT", "/api/routes") => json!({"mode": "first"}),
            ("PATCH", "/api/routes/{}") => json!({"name": "Renamed by the walk"}),
            ("POST", "/api/alerts/{}/mark") => json!({"mark": "false_alarm"}),
            ("PATCH", "/api/tables/{}") => json!({"description": "Changed by the walk"}),
            ("POST", "/api/connections") => connection("Walk"),
            ("PATCH", "/api/connections/{}") => json!({"name": "Renamed by the walk"}),
            ("PUT", "/api/writer") => json!({"kind": "builtin"}),
            ("POST", "/api/writer/try") => {
                json!({"prompt": "```sql\nselect name from guests\n```"})
            }
            (method, path) => panic!("teach the walk a body for {method} {path}"),
        }
    }
}

/// A small label.
fn badge_template() -> Value {
    let name = json!({"kind": "text", "field": "name", "x_mm": 1, "y_mm": 1, "width_mm": 20});
    json!({"width_mm": 40, "height_mm": 20, "elements": [name]})
}

/// A connection to a replica that is not there.
pub fn connection(name: &str) -> Value {
    json!({"name": name, "host": "127.0.0.1", "port": 9, "database": name, "username": "pulse",
           "password": "secret", "sslmode": "disable"})
}
