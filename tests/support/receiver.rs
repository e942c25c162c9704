//! A receiver of webhooks: a small HTTP server that keeps what it was sent and answers as told.
//!
//! Invariant: a request is kept before it is answered; each gets the next answer of the list, and
//! the last one for ever.
//! Failure: waiting for a request that does not come panics with those that did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long [`Receiver::received`] waits: past the first retry and a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a request is answered.
#[derive(Clone, Debug)]
pub struct Plan {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    delay: Duration,
    dropped: bool,
}

/// The connection ends without an answer.
pub fn dropped() -> Plan {
    Plan {
        dropped: true,
        ..status(200)
    }
}

/// An answer with this status.
pub fn status(status: u16) -> Plan {
    Plan {
        status,
        headers: Vec::new(),
        body: String::new(),
        delay: Duration::ZERO,
        dropped: false,
    }
}

impl Plan {
    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With JSON.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(&body.to_string())
    }

    /// With a body.
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// After so many milliseconds.
    pub fn after_ms(mut self, millis: u64) -> Self {
        self.delay = Duration::from_millis(millis);
        self
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Hook {
    /// When.
    pub at: Instant,
    /// Method and path.
    pub line: String,
    headers: HashMap<String, String>,
    /// The body as it came.
    pub body: String,
}

impl Hook {
    /// A header's value; its name in lower case.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Whether a header came.
    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The body as a form.
    #[track_caller]
    pub fn form(&self) -> HashMap<String, String> {
        let address = format!("http://form/?{}", self.body);
        let address = reqwest::Url::parse(&address).expect("a form");
        address.query_pairs().into_owned().collect()
    }

    /// The event's identifier.
    #[track_caller]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }

    /// The type of the event.
    #[track_caller]
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// Is one of its signatures made with this secret, as Standard Webhooks says?
    #[track_caller]
    pub fn signed_with(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("whsec_");
        let key = STANDARD.decode(key).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        let timestamp = self.header("webhook-timestamp");
        mac.update(format!("{}.{timestamp}.{}", self.id(), self.body).as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature")
            .split(' ')
            .any(|signature| signature == expected)
    }
}

#[derive(Debug, Default)]
struct State {
    plans: Vec<Plan>,
    hooks: Vec<Hook>,
}

/// A running receiver; it ends with the test.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts one that answers 200.
    pub async fn new() -> Self {
        Self::with([status(200)]).await
    }

    /// The address of the whole server, without a path.
    pub fn base(&self) -> &str {
        self.url.trim_end_matches("/hook")
    }

    /// Starts one with these answers.
    pub async fn with(plans: impl IntoIterator<Item = Plan>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let receiver = Self { url, state };
        receiver.answer(plans);
        let attending = receiver.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let attending = attending.clone();
                tokio::spawn(async move { attending.attend(socket).await });
            }
        });
        receiver
    }

    /// Answers like this from now on.
    pub fn answer(&self, plans: impl IntoIterator<Item = Plan>) {
        self.state.lock().expect("no panic").plans = plans.into_iter().collect();
    }

    /// What came so far.
    pub fn hooks(&self) -> Vec<Hook> {
        self.state.lock().expect("no panic").hooks.clone()
    }

    /// Waits until so many requests came; answers all that came.
    pub async fn received(&self, count: usize) -> Vec<Hook> {
        let started = Instant::now();
        loop {
            let hooks = self.hooks();
            if hooks.len() >= count {
                return hooks;
            }
            let waiting = started.elapsed() < PATIENCE;
            assert!(waiting, "{count} requests did not come: {hooks:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn attend(&self, mut socket: TcpStream) {
        let Some(hook) = read(&mut socket).await else {
            return;
        };
        let plan = {
            let mut state = self.state.lock().expect("no panic");
            state.hooks.push(hook);
            match state.plans.len() {
                1 => state.plans[0].clone(),
                _ => state.plans.remove(0),
            }
        };
        tokio::time::sleep(plan.delay).await;
        if plan.dropped {
            return;
        }
        let mut answer = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
            plan.status,
            plan.body.len()
        );
        for (name, value) in &plan.headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        answer.push_str(&plan.body);
        // Who gave up waiting does not read it.
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

/// Reads one request; nothing when the sender has left.
pub(crate) async fn read(socket: &mut TcpStream) -> Option<Hook> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16_384];
    loop {
        let read = socket
            .read(&mut chunk)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or_default();
        let body = &bytes[end + 4..];
        if body.len() >= length {
            return Some(Hook {
                at: Instant::now(),
                line,
                headers,
                body: String::from_utf8_lossy(body).into_owned(),
            });
        }
    }
}
