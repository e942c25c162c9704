//! A real mail server for tests: npm `smtp-server` in a process of its own, with encryption both ways,
//! log-in, and ways to misbehave (`mail_server.mjs`).
//!
//! Invariant: a message is kept before it is answered; the process ends with the test.
//! Failure: a server that does not start, or mail that does not come, panics with what did.

use crate::authority::{Authority, Pair};
use crate::stack;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long [`MailServer::received`] waits.
const PATIENCE: Duration = Duration::from_secs(40);

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    tls: &'static str,
    pair: Pair,
    user: Option<(String, String)>,
    methods: Vec<&'static str>,
    plans: Vec<String>,
}

impl Setup {
    /// Encrypted from the first byte on.
    pub fn tls() -> Self {
        Self {
            tls: "now",
            pair: Authority::here().host("localhost"),
            user: None,
            methods: vec!["PLAIN", "LOGIN"],
            plans: vec!["take".to_owned()],
        }
    }

    /// Encrypted from `STARTTLS` on.
    pub fn starttls() -> Self {
        Self {
            tls: "later",
            ..Self::tls()
        }
    }

    /// Without encryption.
    pub fn plain() -> Self {
        Self {
            tls: "never",
            ..Self::tls()
        }
    }

    /// With a certificate that nobody has reason to trust.
    pub fn untrusted(self) -> Self {
        Self {
            pair: Authority::new().host("localhost"),
            ..self
        }
    }

    /// Only for this user.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// With these ways to log in only.
    pub fn methods<const N: usize>(mut self, methods: [&'static str; N]) -> Self {
        self.methods = methods.to_vec();
        self
    }

    /// Each connection follows the next of these, the last one for ever: see `mail_server.mjs`.
    pub fn plans<const N: usize>(mut self, plans: [&str; N]) -> Self {
        self.plans = plans.map(str::to_owned).to_vec();
        self
    }

    /// Starts it.
    pub fn start(self) -> MailServer {
        MailServer::start(&self)
    }
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// How its last recipient was named, word for word.
    pub asked: String,
    /// Headers and body, byte for byte.
    pub body: Vec<u8>,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// Whether `SMTPUTF8` was asked for.
    pub utf8: bool,
    /// Who logged in.
    pub user: Option<String>,
}

impl Mail {
    fn of(said: &Value) -> Self {
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        let to = said["to"].as_array().cloned().unwrap_or_default();
        Self {
            from: text("from"),
            to: to
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            asked: text("asked"),
            body: STANDARD.decode(text("body")).expect("base64"),
            tls: said["tls"] == true,
            utf8: said["utf8"] == true,
            user: said["user"].as_str().map(str::to_owned),
        }
    }

    /// The message, read as a mail program does.
    #[track_caller]
    pub fn parsed(&self) -> mail_parser::Message<'_> {
        let parser = mail_parser::MessageParser::default();
        parser.parse(&self.body).expect("a message")
    }

    /// A header as it stands there, unfolded.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.body).replace("\r\n ", " ");
        let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
        let start = format!("{}:", name.to_lowercase());
        let found = head
            .lines()
            .find(|line| line.to_lowercase().starts_with(&start));
        let line = found.unwrap_or_else(|| panic!("no {name} in {head}"));
        line[start.len()..].trim().to_owned()
    }
}

/// A running mail server.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens, at `localhost`.
    pub port: u16,
    said: Arc<Mutex<Vec<Value>>>,
    process: Child,
}

impl MailServer {
    fn start(setup: &Setup) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/mail_server.mjs");
        let mut config = json!({"cert": setup.pair.certificate, "key": setup.pair.key,
            "tls": setup.tls, "methods": setup.methods, "plans": setup.plans});
        if let Some((name, password)) = &setup.user {
            config["user"] = json!(name);
            config["password"] = json!(password);
        }
        let mut process = Command::new(stack::variable("PULSE_NODE"))
            .arg(script)
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let mut lines = BufReader::new(process.stdout.take().expect("an output")).lines();
        let first = lines.next().expect("a line").expect("a line");
        let ready: Value = serde_json::from_str(&first).expect("JSON");
        let said = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("JSON");
                keeping.lock().expect("no panic").push(line);
            }
        });
        Self {
            port: u16::try_from(ready["port"].as_u64().expect("a port")).expect("a port"),
            said,
            process,
        }
    }

    /// The mail that came so far.
    pub fn mails(&self) -> Vec<Mail> {
        let said = self.said.lock().expect("no panic");
        said.iter()
            .filter_map(|line| line.get("mail"))
            .map(Mail::of)
            .collect()
    }

    /// Waits until so many messages came; answers all that came.
    pub async fn received(&self, count: usize) -> Vec<Mail> {
        let started = Instant::now();
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            let waiting = started.elapsed() < PATIENCE;
            let said = self.said.lock().expect("no panic").clone();
            assert!(waiting, "{count} messages did not come: {said:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The settings of a channel that leads here.
    pub fn settings(&self) -> Value {
        json!({"host": "localhost", "port": self.port,
               "from": {"email": "reports@example.org", "name": "Reports"}})
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
