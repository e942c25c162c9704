//! An event in one sentence: guests, gates, settings, open doors, scanners.
//!
//! Invariant: an event has its own guest list; unless told otherwise, its own tenant too. Guests are
//! scanned by name: their codes are random.
//! Failure: a step that Pulse refuses panics with its answer.

use crate::answer::{Answer, Dashboard};
use crate::client::{Call, Client, Reply};
use crate::socket::Socket;
use crate::tenant::Tenant;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use uuid::Uuid;

/// An event in preparation. Made with [`Event::with_guests`], finished with [`Preparation::open`].
#[derive(Debug)]
pub struct Preparation {
    guests: Vec<Value>,
    gates: Vec<Value>,
    settings: Value,
    timezone: String,
    tenant: Option<Tenant>,
}

/// An event whose doors are open.
#[derive(Debug)]
pub struct Event {
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// Its guest list and check-in table.
    pub table: String,
    rows: HashMap<String, Value>,
    scanners: Mutex<HashMap<String, Value>>,
}

impl Event {
    /// Prepares an event; a guest is `name` or `name:category`.
    pub fn with_guests<S: AsRef<str>>(guests: impl IntoIterator<Item = S>) -> Preparation {
        let preparation = Preparation {
            guests: Vec::new(),
            gates: Vec::new(),
            settings: json!({}),
            timezone: "Europe/Berlin".to_owned(),
            tenant: None,
        };
        guests.into_iter().fold(preparation, |preparation, guest| {
            let (name, category) = guest
                .as_ref()
                .split_once(':')
                .unwrap_or((guest.as_ref(), ""));
            let category = if category.is_empty() {
                Value::Null
            } else {
                category.into()
            };
            preparation.guest(json!({"name": name, "category": category}))
        })
    }

    /// The manager's client.
    pub fn client(&self) -> &Client {
        self.tenant.client()
    }

    /// A guest's row as it was created.
    #[track_caller]
    pub fn row(&self, name: &str) -> &Value {
        self.rows
            .get(name)
            .unwrap_or_else(|| panic!("no guest {name}"))
    }

    /// A guest's row id.
    #[track_caller]
    pub fn row_id(&self, name: &str) -> String {
        self.row(name)["id"].as_str().expect("an id").to_owned()
    }

    /// A guest's code; for a name that is no guest's, the name itself.
    pub fn code(&self, name: &str) -> String {
        let code = self.rows.get(name).and_then(|row| row["barcode"].as_str());
        code.unwrap_or(name).to_owned()
    }

    /// The scanner that stands at a gate; the same one each time.
    pub fn scanner(&self, gate: &str) -> Scanner<'_> {
        Scanner {
            event: self,
            key: format!("at {gate}"),
            gate: Some(gate.to_owned()),
            base: None,
        }
    }

    /// The scanner at the door of an event without gates; the same one each time.
    pub fn door(&self) -> Scanner<'_> {
        self.phone("door")
    }

    /// One of several scanners without a gate, by a name of choice.
    pub fn phone(&self, name: &str) -> Scanner<'_> {
        Scanner {
            event: self,
            key: name.to_owned(),
            gate: None,
            base: None,
        }
    }

    /// Creates a scanner session; answers it with its token.
    pub async fn session(&self, body: Value) -> Reply {
        let mut full = json!({"table_id": self.table, "name": "Scanner"});
        merge(&mut full, body);
        self.client()
            .post("/pulse/sessions", &full)
            .await
            .expect_status(201)
    }

    /// A new scanner with these fields: its own client, and the path of its session.
    pub async fn paired(&self, body: Value) -> (Client, String) {
        let session = self.session(body).await;
        let client = Client::anonymous().with_token(&session.text_at("/token"));
        (
            client,
            format!("/pulse/sessions/{}", session.text_at("/id")),
        )
    }

    /// A scan by anyone, as it is; `body` lacks only `table_id` and, if it wants, a nonce.
    pub fn scan_by(&self, client: &Client, body: Value) -> Call {
        let mut full = json!({"table_id": self.table, "nonce": Uuid::new_v4().to_string()});
        merge(&mut full, body);
        client.post("/pulse/check-ins", &full)
    }

    /// Brings what was queued, with further members of the batch.
    pub fn bring(&self, client: &Client, items: &[Value], more: Value) -> Call {
        let mut body = json!({"table_id": self.table, "items": items});
        merge(&mut body, more);
        client.post("/pulse/check-ins/sync", &body)
    }

    /// The dashboard as the manager sees it.
    pub async fn dashboard(&self) -> Dashboard {
        Dashboard::of(
            &self
                .client()
                .get(&format!("/pulse/dashboard/{}", self.table))
                .await,
        )
    }

    /// The manager's socket, connected and not subscribed yet.
    pub async fn socket(&self) -> Socket {
        Socket::connect(&self.live_path(), self.client().token()).await
    }

    /// The path of the event's sockets.
    pub fn live_path(&self) -> String {
        format!("/live/check-in/{}", self.table)
    }

    /// Changes the event's configuration; `body` may hold settings and gates.
    pub async fn configure(&self, body: Value) -> Reply {
        let path = format!("/pulse/{}", self.table);
        self.client().patch(&path, &body).await.expect_status(200)
    }

    /// Changes a guest's row.
    pub async fn change(&self, guest: &str, body: Value) -> Reply {
        let path = format!("/pulse/tables/{}/rows/{}", self.table, self.row_id(guest));
        self.client().patch(&path, &body).await.expect_status(200)
    }

    /// One page of check-ins, newest first, with a filter such as `verdict=refused`.
    pub async fn check_ins(&self, filter: &str) -> Vec<Value> {
        let path = format!(
            "/pulse/check-ins?table_id={}&limit=200&{filter}",
            self.table
        );
        self.client()
            .get(&path)
            .await
            .expect_status(200)
            .list_at("/items")
    }

    /// Annuls a check-in as someone.
    pub fn annul_by(&self, client: &Client, check_in: &str) -> Call {
        let body = json!({"table_id": self.table});
        client.post(&format!("/pulse/check-ins/{check_in}/annul"), &body)
    }

    /// Waits until everything decided so far is in Postgres; answers the dashboard then.
    pub async fn recorded(&self) -> Dashboard {
        crate::stack::eventually("Postgres has the whole log", || async {
            let dashboard = self.dashboard().await;
            (dashboard.at("/record/behind") == 0).then_some(dashboard)
        })
        .await
    }
}

impl Preparation {
    /// Adds a guest with any fields of a row; without a `barcode` it gets a random one.
    pub fn guest(mut self, row: Value) -> Self {
        let mut full = json!({"barcode": Uuid::new_v4().simple().to_string()});
        merge(&mut full, row);
        self.guests.push(full);
        self
    }

    /// Adds a gate; without categories it admits everyone.
    pub fn gate<const N: usize>(mut self, name: &str, categories: [&str; N]) -> Self {
        self.gates
            .push(json!({"name": name, "categories": categories.as_slice()}));
        self
    }

    /// Sets some settings; the others keep their defaults.
    pub fn settings(mut self, settings: Value) -> Self {
        merge(&mut self.settings, settings);
        self
    }

    /// Puts the event into a time zone; Berlin unless told.
    pub fn timezone(mut self, name: &str) -> Self {
        name.clone_into(&mut self.timezone);
        self
    }

    /// Gives the event to an existing tenant.
    pub fn of(mut self, tenant: &Tenant) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// Creates the guest list and enables check-in on it.
    pub async fn open(self) -> Event {
        let tenant = match self.tenant {
            Some(tenant) => tenant,
            None => Tenant::new().await,
        };
        let table = tenant.table(&self.timezone).await;
        let mut rows = HashMap::new();
        for guest in &self.guests {
            let path = format!("/pulse/tables/{table}/rows");
            let mut reply = tenant.client().post(&path, guest).await;
            if reply.status == 409 {
                // Two guests with one code come in by import only, when it is told to keep them.
                let import = format!("/pulse/tables/{table}/import?duplicates=keep");
                tenant
                    .client()
                    .post(&import, &json!([guest]))
                    .await
                    .expect_status(200);
                let found = format!("{path}?limit=1");
                reply = tenant.client().get(&found).await.expect_status(200);
                let row = reply.list_at("/items").remove(0);
                rows.insert(row["name"].as_str().unwrap_or_default().to_owned(), row);
                continue;
            }
            let row = reply.expect_status(201).json();
            rows.insert(row["name"].as_str().unwrap_or_default().to_owned(), row);
        }
        let body = json!({"table_id": table, "settings": self.settings, "gates": self.gates});
        tenant
            .client()
            .post("/pulse", &body)
            .await
            .expect_status(201);
        Event {
            tenant,
            table,
            rows,
            scanners: Mutex::default(),
        }
    }
}

/// A paired scanner of an event; its session is created with its first scan.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    event: &'a Event,
    key: String,
    gate: Option<String>,
    base: Option<Map<String, Value>>,
}

impl Scanner<'_> {
    /// The same scanner whose scans carry these fields too.
    pub fn with(mut self, fields: Value) -> Self {
        let mut base = Value::Object(self.base.take().unwrap_or_default());
        merge(&mut base, fields);
        self.base = base.as_object().cloned();
        self
    }

    /// The scanner's session, with its token.
    pub async fn session(&self) -> Value {
        let known = self
            .event
            .scanners
            .lock()
            .expect("no panic")
            .get(&self.key)
            .cloned();
        if let Some(session) = known {
            return session;
        }
        let body = json!({"name": self.key, "gate": self.gate});
        let session = self.event.session(body).await.json();
        let mut scanners = self.event.scanners.lock().expect("no panic");
        scanners.entry(self.key.clone()).or_insert(session).clone()
    }

    /// The id of the scanner's session.
    pub async fn id(&self) -> String {
        self.session().await["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// The scanner's own client, with its device token.
    pub async fn client(&self) -> Client {
        let session = self.session().await;
        Client::anonymous().with_token(session["token"].as_str().expect("a device token"))
    }

    /// Scans a guest by name, or any text that is no guest's name as a code.
    pub async fn scan(&self, guest: &str) -> Answer {
        self.scan_with(json!({"barcode": self.event.code(guest)}))
            .await
    }

    /// Scans a guest on the way out.
    pub async fn exit(&self, guest: &str) -> Answer {
        self.scan_with(json!({"barcode": self.event.code(guest), "direction": "exit"}))
            .await
    }

    /// Scans a guest by force: it already happened.
    pub async fn force(&self, guest: &str) -> Answer {
        self.scan_with(json!({"barcode": self.event.code(guest), "force": true}))
            .await
    }

    /// Scans with fields of choice.
    pub async fn scan_with(&self, body: Value) -> Answer {
        Answer::of(self.try_scan(body).await)
    }

    /// Scans with fields of choice; the answer may be a problem.
    pub async fn try_scan(&self, body: Value) -> Reply {
        let mut full = Value::Object(self.base.clone().unwrap_or_default());
        merge(&mut full, body);
        self.event.scan_by(&self.client().await, full).await
    }

    /// Scans at another time, as far as the Worker is concerned.
    pub async fn scan_at(&self, now: &str, body: Value) -> Answer {
        let client = self.client().await.at(crate::clock::time(now));
        let mut full = Value::Object(self.base.clone().unwrap_or_default());
        merge(&mut full, body);
        Answer::of(self.event.scan_by(&client, full).await)
    }

    /// Annuls one of the event's check-ins.
    pub async fn annul(&self, check_in: &str) -> Reply {
        self.event.annul_by(&self.client().await, check_in).await
    }
}

/// Puts the members of one object into another.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => into.extend(from),
        (into, from) => panic!("not two objects: {into} {from}"),
    }
}
