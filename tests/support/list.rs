//! A guest list as a scanner keeps it.
//!
//! Invariant: made of pages and of what changed since, as the routes give them.
//! Failure: an answer that is none panics with it.

use crate::client::{Client, Reply};
use crate::event::Event;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Asks for the list, with a query such as `?since=…`.
pub async fn roster(client: &Client, event: &Event, query: &str) -> Reply {
    client
        .get(&format!("/pulse/{}/roster{query}", event.table))
        .await
}

/// A phone's copy: guests by id, kept up to date with pages and changes.
#[derive(Debug, Default)]
pub struct Copy {
    /// How far it is.
    pub position: String,
    /// By their rows.
    pub guests: BTreeMap<String, Value>,
}

impl Copy {
    /// Takes in a page, or what changed.
    pub fn take(&mut self, reply: &Reply) {
        for row in reply.list_at("/rows") {
            self.guests
                .insert(row["id"].as_str().unwrap().to_owned(), row);
        }
        for gone in reply.list_at("/gone") {
            self.guests.remove(gone.as_str().unwrap());
        }
    }

    /// Downloads the whole list.
    pub async fn load(client: &Client, event: &Event, limit: u32) -> Self {
        let mut copy = Self::default();
        let mut query = format!("?limit={limit}");
        loop {
            let page = roster(client, event, &query).await.expect_status(200);
            assert_eq!(page.at("/full"), json!(true));
            if copy.position.is_empty() {
                copy.position = page.text_at("/position");
                assert!(page.at("/about/config/timezone").is_string());
            }
            copy.take(&page);
            match page.at("/next") {
                Value::String(next) => query = format!("?limit={limit}&after={next}"),
                _ => return copy,
            }
        }
    }

    /// Asks for what changed.
    pub async fn update(&mut self, client: &Client, event: &Event) {
        let query = format!("?since={}", self.position);
        let news = roster(client, event, &query).await.expect_status(200);
        assert_eq!(news.at("/full"), json!(false));
        assert_eq!(news.at("/next"), Value::Null);
        self.take(&news);
        self.position = news.text_at("/position");
    }

    /// A guest of an event.
    pub fn guest(&self, event: &Event, name: &str) -> &Value {
        &self.guests[&event.row_id(name)]
    }
}
