//! The API as an organiser uses it, to set an event up before the load comes.
//!
//! Invariant: everything goes through public routes; nothing is written past them.
//! Failure: an answer that is not a success names the request and shows the answer.

use super::http::{Connection, Head, Target};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// An organiser, signed in or not yet.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where Pulse answers.
    pub target: Target,
    /// The access token; empty before signing in.
    pub token: String,
    account: (String, String),
}

/// A scanner session.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// The session.
    pub session: uuid::Uuid,
    /// The device token.
    pub token: String,
    /// Where it stands.
    pub gate: String,
}

impl Api {
    /// Nobody yet.
    pub fn at(url: &str) -> Result<Self> {
        Ok(Self {
            target: Target::parse(url)?,
            token: String::new(),
            account: Default::default(),
        })
    }

    /// Registers an account with a tenant of its own.
    pub async fn register(&mut self, tenant: &str) -> Result<()> {
        let email = format!("organiser-{}@example.com", uuid::Uuid::new_v4().simple());
        let password = uuid::Uuid::new_v4().to_string();
        let account = json!({"email": email, "password": password, "tenant_name": tenant});
        let session = self.post("/api/auth/register", &account).await?;
        self.token = text(&session, "access_token")?;
        self.account = (email, password);
        Ok(())
    }

    /// Signs in; false when the account is not there.
    pub async fn login(&mut self, email: &str, password: &str) -> Result<bool> {
        let login = json!({"email": email, "password": password}).to_string();
        let body = Some(("application/json", login.as_str()));
        let (status, session) = self.call("POST", "/api/auth/login", body).await?;
        match status {
            200 => self.token = text(&session, "access_token")?,
            401 => return Ok(false),
            _ => bail!("POST /api/auth/login answered {status}: {session}"),
        }
        self.account = (email.to_owned(), password.to_owned());
        Ok(true)
    }

    /// Signs in again: access tokens live a quarter of an hour.
    pub async fn renew(&mut self) -> Result<()> {
        let (email, password) = self.account.clone();
        match self.login(&email, &password).await? {
            true => Ok(()),
            false => bail!("cannot sign in again as {email}"),
        }
    }

    /// Makes a guest list and imports the guests, a CSV file with a header line.
    pub async fn guest_list(&self, name: &str, csv: &str) -> Result<String> {
        let table = json!({"name": name, "timezone": "Europe/Berlin"});
        let table = text(&self.post("/pulse/tables", &table).await?, "id")?;
        let path = format!("/pulse/tables/{table}/import");
        let (status, imported) = self.call("POST", &path, Some(("text/csv", csv))).await?;
        let guests = csv.lines().count() - 1;
        if status != 200 || imported["imported"] != guests {
            bail!("the import of {guests} guests answered {status}: {imported}");
        }
        Ok(table)
    }

    /// Makes a scanner session.
    pub async fn scanner(&self, table: &str, name: &str, gate: &str) -> Result<Scanner> {
        let body = json!({
            "table_id": table,
            "name": name,
            "gate": gate,
            "scanner_name": name,
            "device_info": {"model": "load generator"},
        });
        let session = self.post("/pulse/sessions", &body).await?;
        Ok(Scanner {
            session: text(&session, "id")?.parse()?,
            token: text(&session, "token")?,
            gate: gate.to_owned(),
        })
    }

    /// The dashboard.
    pub async fn dashboard(&self, table: &str) -> Result<Value> {
        self.get(&format!("/pulse/dashboard/{table}")).await
    }

    /// Sends JSON; any success is an answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let (status, answer) = self
            .call("POST", path, Some(("application/json", &body)))
            .await?;
        if !(200..300).contains(&status) {
            bail!("POST {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    /// Reads JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.call("GET", path, None).await?;
        if status != 200 {
            bail!("GET {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    /// One request on a connection of its own; `body` is its content type and itself.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> Result<(u16, Value)> {
        let token = (!self.token.is_empty()).then_some(self.token.as_str());
        let mut head = Head::new(&self.target, method, path, token);
        let mut request = Vec::new();
        if let Some((kind, body)) = body {
            head = head
                .with("content-type", kind)
                .with("content-length", &body.len().to_string());
            head.write(&mut request);
            request.extend_from_slice(body.as_bytes());
        } else {
            head.write(&mut request);
        }
        let mut connection = Connection::open(&self.target).await?;
        let reply = connection
            .send(&request)
            .await
            .with_context(|| format!("{method} {path}"))?;
        let answer = serde_json::from_slice(reply.body).unwrap_or(Value::Null);
        Ok((reply.status, answer))
    }
}

/// A text member of an answer.
pub fn text(answer: &Value, member: &str) -> Result<String> {
    let text = answer[member]
        .as_str()
        .with_context(|| format!("no {member} in {answer}"))?;
    Ok(text.to_owned())
}
