//! Messages and channels as tests handle them: posted as products post them, looked at through the
//! API, brought forward in time.
//!
//! Invariant: what is changed past the API is named by its tenant, so tests never meet.
//! Failure: an answer other than the expected one panics with it.

use crate::client::{Client, Reply};
use crate::control::Control;
use crate::database::Database;
use crate::event::merge;
use crate::receiver::{Hook, Plan, Receiver};
use crate::stack::within;
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// How long deliveries may take to get somewhere.
const PATIENCE: Duration = Duration::from_secs(40);

/// A file of the message that [`sent`] posts.
pub const CSV: &str = "YSxiCjEsMgo=";
/// A picture of it.
pub const PNG: &str = "iVBORw0KGgo=";

/// A channel of a tenant.
#[derive(Clone, Debug)]
pub struct Channel {
    tenant: Tenant,
    /// Its id.
    pub id: String,
    /// The answer to its creation.
    pub made: Value,
}

impl Channel {
    /// Makes one with these settings.
    pub async fn with(tenant: &Tenant, kind: &str, settings: Value) -> Self {
        let body = json!({"kind": kind, "name": kind, "settings": settings});
        let made = tenant.client().post("/api/channels", &body).await;
        let made = made.expect_status(201);
        Self {
            tenant: tenant.clone(),
            id: made.text_at("/id"),
            made: made.json(),
        }
    }

    /// The admin's client.
    pub fn client(&self) -> &Client {
        self.tenant.client()
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("/api/channels/{}", self.id)
    }

    /// The channel as it is.
    pub async fn show(&self) -> Reply {
        self.client().get(&self.path()).await.expect_status(200)
    }

    /// Changes it.
    pub async fn change(&self, body: Value) -> Reply {
        self.client()
            .patch(&self.path(), &body)
            .await
            .expect_status(200)
    }

    /// Posts a message to one address by it; answers what was posted.
    pub async fn post(&self, address: &str) -> Posted {
        let recipients = json!([{"channel_id": self.id, "address": address}]);
        Posted::with(&self.tenant, json!({"recipients": recipients})).await
    }

    /// Posts a message by it that needs no address.
    pub async fn tell(&self, extra: Value) -> Posted {
        let mut body = json!({"recipients": [{"channel_id": self.id, "address": null}]});
        merge(&mut body, extra);
        Posted::with(&self.tenant, body).await
    }
}

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    tenant: Tenant,
    /// Why.
    pub source_id: String,
    /// What it can be unsubscribed from.
    pub topic_id: String,
    /// What `app.post_message` answered.
    pub answer: Value,
    /// What it was given.
    pub body: Value,
}

impl Posted {
    /// Posts to addresses by the tenant's default channel.
    pub async fn to(tenant: &Tenant, addresses: &[&str]) -> Self {
        let recipients: Vec<_> = addresses.iter().map(|a| json!({"address": a})).collect();
        Self::with(tenant, json!({"recipients": recipients})).await
    }

    /// Posts with fields of choice, and tells the queue as a product does.
    pub async fn with(tenant: &Tenant, extra: Value) -> Self {
        let posted = Self::quietly(tenant, extra).await;
        posted.announce().await;
        posted
    }

    /// What a product of a tenant posted for a reason.
    pub fn found(tenant: &Tenant, source_id: &str) -> Self {
        Self {
            tenant: tenant.clone(),
            source_id: source_id.to_owned(),
            topic_id: String::new(),
            answer: Value::Null,
            body: Value::Null,
        }
    }

    /// Posts and tells nobody.
    pub async fn quietly(tenant: &Tenant, extra: Value) -> Self {
        let mut body = json!({
            "topic_kind": "report", "topic_id": Uuid::new_v4(), "topic_name": "Weekly numbers",
            "source_kind": "report_job", "source_id": Uuid::new_v4(),
            "subject": "Weekly numbers",
            "html": "<p>42 guests. <a href=\"{unsubscribe_url}\">Unsubscribe</a></p>",
            "text": "42 guests.\n\nUnsubscribe: {unsubscribe_url}\n",
            "attachments": [],
        });
        merge(&mut body, extra);
        let answer = post(&tenant.id, &body).await.expect("a posted message");
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Self {
            tenant: tenant.clone(),
            source_id: text("source_id"),
            topic_id: text("topic_id"),
            answer,
            body,
        }
    }

    /// Posts the same once more, with changes.
    pub async fn again(&self, extra: Value) -> Value {
        let mut body = self.body.clone();
        merge(&mut body, extra);
        let answer = post(&self.tenant.id, &body)
            .await
            .expect("a posted message");
        self.announce().await;
        answer
    }

    /// Tells the queue that there is something to send.
    pub async fn announce(&self) {
        let job = json!({"kind": "deliveries", "tenant": self.tenant.id});
        Control::here().queue("JOBS", &[job]).await;
    }

    /// Its deliveries, newest first, with a filter such as `status=failed`.
    pub async fn deliveries(&self, filter: &str) -> Vec<Value> {
        let path = format!(
            "/api/messages?limit=200&source_id={}&{filter}",
            self.source_id
        );
        let listed = self.tenant.client().get(&path).await.expect_status(200);
        listed.list_at("/items")
    }

    /// Waits until so many deliveries stand there; answers them.
    pub async fn settled(&self, status: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} messages are {status}");
        within(PATIENCE, &what, || async {
            let found = self.deliveries(&format!("status={status}")).await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// Waits until the one delivery was tried so often; answers it with its attempts.
    pub async fn tried(&self, attempts: usize) -> Value {
        let what = format!("{attempts} attempts are noted");
        within(PATIENCE, &what, || async {
            let newest = self.deliveries("").await.into_iter().next()?;
            let path = format!("/api/messages/{}", newest["id"].as_str()?);
            let shown = self
                .tenant
                .client()
                .get(&path)
                .await
                .expect_status(200)
                .json();
            let settled = shown["status"] != "sending";
            (settled && shown["attempts"].as_array()?.len() >= attempts).then_some(shown)
        })
        .await
    }

    /// Waits until the one delivery stands there; answers it with its attempts.
    pub async fn ends(&self, status: &str) -> Value {
        let settled = self.settled(status, 1).await;
        let path = format!(
            "/api/messages/{}",
            settled[0]["id"].as_str().expect("an id")
        );
        self.tenant
            .client()
            .get(&path)
            .await
            .expect_status(200)
            .json()
    }

    /// Changes its deliveries past the API; answers how many.
    pub async fn age(&self, set: &str) -> u64 {
        let sql = format!(
            "with aged as (update message_deliveries set {set}
              where source_id = $1::text::uuid and status in ('pending', 'sending') returning 1)
             select to_jsonb(count(*)) from aged"
        );
        let database = Database::admin().await;
        database.as_tenant(&self.tenant.id).await;
        let count = database.json(&sql, &[(&self.source_id, Type::TEXT)]).await;
        count.as_u64().expect("a count")
    }

    /// Makes what waits due and has it sent.
    pub async fn make_due(&self) {
        assert!(self.age("due_at = now()").await > 0);
        self.announce().await;
    }
}

/// Posts as a product does: as the Worker's own job, in the tenant's transaction.
pub async fn post(tenant: &str, body: &Value) -> Result<Value, tokio_postgres::Error> {
    system(tenant, "select app.post_message($1)", body).await
}

/// Runs a statement as the Worker's own job for a tenant.
pub async fn system(
    tenant: &str,
    sql: &str,
    input: &Value,
) -> Result<Value, tokio_postgres::Error> {
    let actor = json!({"kind": "system", "job": "test", "tenant": tenant}).to_string();
    let call =
        "select app.call($1::text::jsonb, array[]::text[], $2, $3::text::jsonb, null, 'test')
                -> 'result'";
    let input = input.to_string();
    let app = Database::app().await;
    app.attempt(
        call,
        &[
            (&actor, Type::TEXT),
            (&sql, Type::TEXT),
            (&input, Type::TEXT),
        ],
    )
    .await
}

/// A message with everything, posted by a channel of the kind that leads to a double; answers the
/// request and the delivery.
pub async fn sent(kind: &str, settings: Value, answer: Plan) -> (Hook, Value) {
    let tenant = Tenant::new().await;
    let double = Receiver::with([answer]).await;
    let mut settings = settings;
    settings["base_url"] = json!(double.base());
    let channel = Channel::with(&tenant, kind, settings).await;
    let address = match kind {
        "twilio" => json!("+14155550100"),
        "pagerduty" | "opsgenie" => Value::Null,
        _ => json!("ada@example.org"),
    };
    let files = json!([
        {"name": "numbers.csv", "content_type": "text/csv; charset=utf-8", "content": CSV, "content_id": null},
        {"name": "chart.png", "content_type": "image/png", "content": PNG, "content_id": "chart-1"},
    ]);
    let posted = Posted::with(
        &tenant,
        json!({
            "attachments": files,
            "alert": {"severity": "critical", "dedup_key": "db/lag", "status": "firing"},
            "recipients": [{"channel_id": channel.id, "address": address}],
        }),
    )
    .await;
    let hook = double.received(1).await.remove(0);
    let message = posted.ends("sent").await;
    assert_eq!(double.hooks().len(), 1);
    (hook, message)
}
