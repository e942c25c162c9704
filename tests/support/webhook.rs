//! Webhooks of a tenant as a test handles them: made, looked at, brought forward in time.
//!
//! Invariant: what is aged in the database is named by the webhook, so tests never meet.
//! Failure: an answer other than the expected one panics with it.

use crate::client::{Call, Client, Reply};
use crate::control::Control;
use crate::database::Database;
use crate::event::{Event, merge};
use crate::receiver::Receiver;
use crate::stack::within;
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::types::Type;

/// An endpoint of a tenant.
#[derive(Clone, Debug)]
pub struct Webhook {
    tenant: Tenant,
    /// Its id.
    pub id: String,
    /// Its signing secret.
    pub secret: String,
}

impl Webhook {
    /// Sends all that happens at the event's door to a receiver.
    pub async fn of(event: &Event, receiver: &Receiver) -> Self {
        Self::with(&event.tenant, receiver, json!({})).await
    }

    /// The same for a tenant; `extra` adds to the body or overrides it.
    pub async fn with(tenant: &Tenant, receiver: &Receiver, extra: Value) -> Self {
        let mut body = json!({"url": receiver.url, "events": ["checkin.*"]});
        merge(&mut body, extra);
        let made = tenant.client().post("/api/webhooks", &body).await;
        let made = made.expect_status(201);
        Self {
            tenant: tenant.clone(),
            id: made.text_at("/id"),
            secret: made.text_at("/secret"),
        }
    }

    /// The admin's client.
    pub fn client(&self) -> &Client {
        self.tenant.client()
    }

    /// The path of the endpoint.
    pub fn path(&self) -> String {
        format!("/api/webhooks/{}", self.id)
    }

    /// The endpoint as it is.
    pub async fn show(&self) -> Reply {
        self.client().get(&self.path()).await.expect_status(200)
    }

    /// Changes the endpoint.
    pub fn change(&self, body: Value) -> Call {
        self.client().patch(&self.path(), &body)
    }

    /// Does something else with the endpoint: `test`, `rotate-secret`.
    pub fn order(&self, what: &str) -> Call {
        let path = format!("{}/{what}", self.path());
        self.client().call("POST", &path)
    }

    /// Its deliveries, newest first, with a filter such as `status=failed`.
    pub async fn deliveries(&self, filter: &str) -> Vec<Value> {
        let path = format!("{}/deliveries?limit=200&{filter}", self.path());
        let listed = self.client().get(&path).await.expect_status(200);
        listed.list_at("/items")
    }

    /// Waits until so many deliveries stand there; answers them.
    pub async fn settled(&self, status: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} deliveries are {status}");
        within(Duration::from_secs(30), &what, || async {
            let found = self.deliveries(&format!("status={status}")).await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// Waits until the newest delivery was tried so often; answers it with its attempts.
    pub async fn tried(&self, attempts: usize) -> Value {
        let what = format!("{attempts} attempts are noted");
        within(Duration::from_secs(30), &what, || async {
            let newest = self.deliveries("").await.into_iter().next()?;
            let path = format!("/api/deliveries/{}", newest["id"].as_str()?);
            let shown = self.client().get(&path).await.expect_status(200).json();
            (shown["attempts"].as_array()?.len() >= attempts).then_some(shown)
        })
        .await
    }

    /// Changes its pending deliveries past the API; answers how many.
    pub async fn age(&self, set: &str) -> u64 {
        let sql = format!(
            "with aged as (update deliveries set {set}
              where endpoint_id = $1::text::uuid and status = 'pending' returning 1)
             select to_jsonb(count(*)) from aged"
        );
        self.write(&sql).await
    }

    /// Changes the endpoint itself past the API.
    pub async fn age_endpoint(&self, set: &str) {
        let sql = format!(
            "with aged as (update webhook_endpoints set {set}
              where id = $1::text::uuid returning 1)
             select to_jsonb(count(*)) from aged"
        );
        assert_eq!(self.write(&sql).await, 1);
    }

    async fn write(&self, sql: &str) -> u64 {
        let database = Database::admin().await;
        database.as_tenant(&self.tenant.id).await;
        let count = database.json(sql, &[(&self.id, Type::TEXT)]).await;
        count.as_u64().expect("a count")
    }

    /// Makes its pending deliveries due and lets the minute tick find them.
    pub async fn make_due(&self) {
        assert!(self.age("due_at = now(), lease_until = null").await > 0);
        Control::here().cron("* * * * *").await;
    }
}
