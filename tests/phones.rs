//! A phone that works without a connection, joined to the server: the scanner's own code takes in what
//! the routes answer, and the routes take what it reports.
//!
//! Invariant: nothing between the two is written by hand, so what one side forgets shows.
//! Failure: each test names the answer that came instead.

use pulse_scanner_core::Table;
use pulse_tests::list::roster;
use pulse_tests::prelude::*;
use uuid::Uuid;

/// A phone with its list.
struct Phone<'a> {
    event: &'a Event,
    client: Client,
    table: Table,
    nonce: u32,
}

impl<'a> Phone<'a> {
    /// A phone that knows nothing but who it is: a session's, or a guest's device.
    fn new(event: &'a Event, client: Client, device: &str) -> Self {
        let kept = json!({"table_id": event.table, "caller": {"session_id": device}, "roster": null,
                          "config": {"settings": {}, "gates": [], "timezone": "UTC"}});
        let table = Table::load(&kept.to_string()).expect("a table");
        Self {
            event,
            client,
            table,
            nonce: 0,
        }
    }

    /// Takes the list, a few guests a page, or what changed of it.
    async fn learn(&mut self) {
        let known = self.table.position();
        let since = known.map_or_else(|| "limit=2".to_owned(), |at| format!("since={at}"));
        let mut query = format!("?{since}");
        loop {
            let page = roster(&self.client, self.event, &query).await;
            let page = page.expect_status(200);
            let learnt: Value = parsed(&self.table.learn(&page.json().to_string()));
            assert_eq!(learnt["problem"], Value::Null, "{page}");
            match learnt["next"].as_str() {
                Some(after) => query = format!("?limit=2&after={after}"),
                None => break,
            }
        }
        assert!(self.table.position().is_some());
    }

    /// Decides a scan of a code by itself.
    fn decide(&mut self, code: &str) -> Value {
        self.nonce += 1;
        let scan = json!({"table_id": self.event.table, "nonce": self.nonce.to_string(),
                          "barcode": code});
        let now = rules::time::render(chrono::Utc::now());
        let order = json!({"scan": scan, "now": now}).to_string();
        parsed(&self.table.decide(&order))["answer"].clone()
    }

    /// Reports what it decided.
    async fn report(&mut self) -> Value {
        let items: Value = parsed(&self.table.pending());
        let body = json!({"table_id": self.event.table, "items": items});
        let reply = self.client.post("/pulse/check-ins/sync", &body).await;
        let synced = reply.expect_status(200).json();
        let told: Value = parsed(&self.table.acknowledge(&synced.to_string()));
        assert_eq!(
            (&told["dropped"], &told["waiting"]),
            (&json!([]), &json!(0))
        );
        synced
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A paired phone.
async fn paired<'a>(event: &'a Event, name: &str) -> Phone<'a> {
    let scanner = event.phone(name);
    let id = scanner.id().await;
    Phone::new(event, scanner.client().await, &id)
}

/// A guest's phone, by the table's key.
async fn guests(event: &Event) -> Phone<'_> {
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    let (key, device) = (config.text_at("/guest_key"), Uuid::new_v4());
    let client = Client::anonymous().with_token(&format!("guest_{key}.{device}"));
    Phone::new(event, client, &device.to_string())
}

fn open_to_guests<const N: usize>(names: [&str; N]) -> pulse_tests::event::Preparation {
    Event::with_guests(names).settings(json!({"guest_scanning": true}))
}

/// 49, 52.
#[tokio::test]
async fn what_a_phone_decides_by_its_list_is_taken_as_it_told_the_guests() {
    let event = open_to_guests(["Ada", "Bob", "Cleo", "Dan", "Eve"])
        .open()
        .await;
    for (place, mut phone) in [paired(&event, "one").await, guests(&event).await]
        .into_iter()
        .enumerate()
    {
        phone.learn().await;
        let (first, second) = [("Ada", "Bob"), ("Cleo", "Dan")][place];
        let codes = [first, second, first].map(|name| event.code(name));
        let codes = codes.into_iter().chain(["nobody's".to_owned()]);
        let told: Vec<Value> = codes.map(|code| phone.decide(&code)).collect();
        let verdicts: Vec<&Value> = told.iter().map(|one| &one["verdict"]).collect();
        assert_eq!(
            json!(verdicts),
            json!(["accepted", "accepted", "duplicate", "refused"])
        );
        assert_eq!(told[0]["guest"]["name"], *first);
        let synced = phone.report().await;
        for (place, told) in told.iter().enumerate() {
            let answer = &synced["results"][place]["answer"];
            assert_eq!(answer["verdict"], told["verdict"], "{answer}");
            if told["verdict"] == "accepted" {
                assert_eq!(answer["check_in"]["id"], told["check_in"]["id"]);
            }
        }
    }
    event
        .recorded()
        .await
        .counts(|c| c.checked_in == 4 && c.inside == 4);
}

#[tokio::test]
async fn a_phone_hears_of_who_entered_elsewhere_and_who_left_the_list() {
    let event = open_to_guests(["Ada", "Bob", "Cleo"]).open().await;
    let mut phones = [paired(&event, "one").await, guests(&event).await];
    for phone in &mut phones {
        phone.learn().await;
    }
    event.door().scan("Ada").await.accepted();
    let path = format!("/pulse/tables/{}/rows/{}", event.table, event.row_id("Bob"));
    event.client().delete(&path).await.expect_status(204);
    for phone in &mut phones {
        phone.learn().await;
        assert_eq!(phone.decide(&event.code("Ada"))["verdict"], "duplicate");
        assert_eq!(phone.decide(&event.code("Bob"))["reason"], "unknown_code");
        assert_eq!(phone.decide(&event.code("Cleo"))["verdict"], "accepted");
    }
}

/// The list says which tickets were revoked, also to a phone that could take them for good by their
/// signature.
#[tokio::test]
async fn a_ticket_that_was_revoked_is_refused_by_a_phone_without_a_connection() {
    let event = open_to_guests(["Ada", "Bob", "Cleo"]).open().await;
    let path = format!("/pulse/tables/{}/tickets", event.table);
    let issued = event.client().post(&path, &json!({"all": true})).await;
    let issued = issued.expect_status(201).list_at("/items");
    let code = |name: &str| {
        let row = event.row_id(name);
        let ticket = issued.iter().find(|one| one["row_id"] == row);
        ticket.expect("a ticket")["code"]
            .as_str()
            .expect("a code")
            .to_owned()
    };
    let revoke = json!({"row_ids": [event.row_id("Ada")]});
    let revoke_path = format!("{path}/revoke");
    let mut phones = [paired(&event, "one").await, guests(&event).await];
    for phone in &mut phones {
        phone.learn().await;
        let told = phone.decide(&code("Cleo"));
        assert_eq!(told["verdict"], "accepted", "{told}");
    }
    event
        .client()
        .post(&revoke_path, &revoke)
        .await
        .expect_status(200);
    let list = roster(&phones[0].client, &event, "")
        .await
        .expect_status(200);
    let revoked = list.at("/about/tickets/revoked");
    assert_eq!(revoked.as_array().map(Vec::len), Some(1), "{list}");
    for phone in &mut phones {
        phone.learn().await;
        let told = phone.decide(&code("Ada"));
        assert_eq!(
            (&told["verdict"], &told["reason"]),
            (&json!("refused"), &json!("revoked"))
        );
        assert_eq!(phone.decide(&code("Bob"))["verdict"], "accepted");
    }
}
