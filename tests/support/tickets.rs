//! Signed tickets of an event: issued, revoked, their key rotated.
//!
//! Invariant: done by the event's manager, as any manager does it.
//! Failure: a step that Pulse refuses panics with its answer.

use crate::client::Reply;
use crate::event::Event;
use serde_json::{Value, json};

impl Event {
    /// The path of the event's tickets.
    pub fn tickets_path(&self) -> String {
        format!("/pulse/tables/{}/tickets", self.table)
    }

    /// Posts to `tickets`, `tickets/revoke` or `ticket-key`; the answer may be a problem.
    pub async fn tickets(&self, what: &str, body: Value) -> Reply {
        let path = format!("/pulse/tables/{}/{what}", self.table);
        self.client().post(&path, &body).await
    }

    /// Issues with any body; answers the codes in order.
    pub async fn issue(&self, body: Value) -> Vec<String> {
        let reply = self.tickets("tickets", body).await.expect_status(201);
        let codes = reply.list_at("/items").into_iter();
        codes
            .map(|item| item["code"].as_str().expect("a code").to_owned())
            .collect()
    }

    /// Issues a guest a ticket; answers its code.
    pub async fn ticket(&self, guest: &str) -> String {
        let body = json!({"row_ids": [self.row_id(guest)]});
        self.issue(body).await.remove(0)
    }

    /// Makes another key sign; answers the keys.
    pub async fn rotate(&self, body: Value) -> Reply {
        self.tickets("ticket-key", body).await.expect_status(201)
    }

    /// Revokes tickets; answers how many were good before.
    pub async fn revoke(&self, body: Value) -> Value {
        let reply = self.tickets("tickets/revoke", body).await;
        reply.expect_status(200).at("/revoked")
    }
}
