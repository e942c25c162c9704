//! The demo tenant: an account, a guest list of forty invented people, two gates.
//!
//! Invariant: everything goes through the API, as a user would do it; a stack that has the account
//! is left as it is.
//! Failure: a step that is refused names the request and shows the answer.

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// The demo account.
pub const EMAIL: &str = "demo@pulse.local";
/// Its password; only ever on a local stack.
pub const PASSWORD: &str = "demo-password";
/// The demo guest list.
const TABLE: &str = "Harbour Lights 2026";

/// The demo as it stands.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The guest list, when it still exists.
    pub table_id: Option<String>,
    /// Whether it was made now.
    pub fresh: bool,
    /// An access token of the demo account.
    pub token: String,
}

/// Makes the demo tenant unless it is there.
pub async fn demo(url: &str) -> Result<Demo> {
    let api = Api::at(url)?;
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let (status, session) = api
        .send(Method::POST, "/api/auth/login", None, Some(&login))
        .await?;
    if status == StatusCode::OK {
        let token = session["access_token"].as_str();
        let (_, tables) = api.send(Method::GET, "/pulse/tables", token, None).await?;
        let items = tables["items"].as_array().cloned().unwrap_or_default();
        let named = items
            .iter()
            .find(|table| table["name"] == TABLE)
            .or(items.first());
        let table_id = named
            .and_then(|table| table["id"].as_str())
            .map(str::to_owned);
        return Ok(Demo {
            table_id,
            fresh: false,
            token: token.unwrap_or_default().to_owned(),
        });
    }
    api.make().await
}

/// The API of a running stack.
pub struct Api {
    client: Client,
    url: String,
}

impl Api {
    /// That of the stack at an address.
    pub fn at(url: &str) -> Result<Self> {
        Ok(Self {
            // A kept connection may be closed by the other side just when it is used again.
            client: Client::builder()
                .timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(0)
                .build()?,
            url: url.to_owned(),
        })
    }

    async fn make(&self) -> Result<Demo> {
        let account = json!({
            "email": EMAIL,
            "password": PASSWORD,
            "name": "Demo Organiser",
            "tenant_name": "Harbour Events",
        });
        let session = self.post("/api/auth/register", None, &account).await?;
        let token = session["access_token"].as_str();
        let table = json!({"name": TABLE, "timezone": "Europe/Berlin"});
        let table = self.post("/pulse/tables", token, &table).await?;
        let id = table["id"]
            .as_str()
            .context("the new table has no id")?
            .to_owned();
        self.post(
            &format!("/pulse/tables/{id}/import"),
            token,
            &Value::Array(guests()),
        )
        .await?;
        let enable = json!({
            "table_id": id,
            "settings": {"allow_reentry": true, "capacity": 60, "capacity_mode": "warn"},
            "gates": [
                {"name": "Main gate", "categories": []},
                {"name": "Backstage", "categories": ["crew", "vip"]},
            ],
        });
        self.post("/pulse", token, &enable).await?;
        Ok(Demo {
            table_id: Some(id),
            fresh: true,
            token: token.unwrap_or_default().to_owned(),
        })
    }

    /// Sends JSON; any success is an answer.
    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value> {
        let (status, answer) = self.send(Method::POST, path, token, Some(body)).await?;
        if !status.is_success() {
            bail!("POST {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    /// Sends a request; answers its status and what came with it.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request
            .send()
            .await
            .with_context(|| format!("{method} {path}"))?;
        let status = reply.status();
        let text = reply.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }
}

/// Forty guests with codes HL-001 to HL-040; the last is cancelled, one needs attention.
fn guests() -> Vec<Value> {
    let first = [
        "Ada", "Bruno", "Chidi", "Dana", "Emil", "Farah", "Goro", "Hana",
    ];
    let last = ["Almeida", "Bergström", "Castel", "Dervish", "Eklund"];
    let categories = ["standard", "standard", "standard", "vip", "crew"];
    let mut guests = Vec::new();
    for number in 0..first.len() * last.len() {
        let (given, family) = (first[number % first.len()], last[number / first.len()]);
        let mut guest = json!({
            "name": format!("{given} {family}"),
            "email": format!("guest{:02}@example.com", number + 1),
            "barcode": format!("HL-{:03}", number + 1),
            "category": categories[number % categories.len()],
        });
        match number {
            4 => guest["attention_note"] = json!("Needs the step-free entrance"),
            39 => guest["status"] = json!("canceled"),
            _ => {}
        }
        guests.push(guest);
    }
    guests
}

#[cfg(test)]
mod tests {
    use super::guests;
    use std::collections::HashSet;

    #[test]
    fn forty_guests_have_their_own_codes() {
        let guests = guests();
        let codes: HashSet<_> = guests
            .iter()
            .map(|guest| guest["barcode"].as_str())
            .collect();
        let names: HashSet<_> = guests.iter().map(|guest| guest["name"].as_str()).collect();
        assert_eq!((guests.len(), codes.len(), names.len()), (40, 40, 40));
    }
}
