//! TLS in front of a Postgres server of the tests, and ways to misbehave (`tls_front.mjs`).
//!
//! Invariant: what it passes on it passes on as it came; the process ends with the test.
//! Failure: one that does not start panics with what it said.

use crate::authority::{Authority, Pair};
use crate::stack;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running front.
#[derive(Debug)]
pub struct TlsFront {
    /// Where it listens, at `localhost`.
    pub port: u16,
    said: Arc<Mutex<Vec<Value>>>,
    done: Receiver<String>,
    orders: ChildStdin,
    process: Child,
}

impl TlsFront {
    /// One with a certificate that the Worker trusts, in front of a port of this machine.
    pub fn new(upstream: u16) -> Self {
        Self::start(upstream, "encrypt", &Authority::here().host("localhost"))
    }

    /// One whose certificate nobody has reason to trust.
    pub fn untrusted(upstream: u16) -> Self {
        Self::start(upstream, "encrypt", &Authority::new().host("localhost"))
    }

    /// One whose certificate is that of another host.
    pub fn of_another_host(upstream: u16) -> Self {
        let pair = Authority::here().host("replica.example.org");
        Self::start(upstream, "encrypt", &pair)
    }

    /// One that follows a plan: see `tls_front.mjs`.
    pub fn with(upstream: u16, plan: &str) -> Self {
        Self::start(upstream, plan, &Authority::here().host("localhost"))
    }

    fn start(upstream: u16, plan: &str, pair: &Pair) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/tls_front.mjs");
        let config =
            json!({"cert": pair.certificate, "key": pair.key, "upstream": upstream, "plan": plan});
        let mut process = Command::new(stack::variable("PULSE_NODE"))
            .arg(script)
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let orders = process.stdin.take().expect("an input");
        let mut lines = BufReader::new(process.stdout.take().expect("an output")).lines();
        let first = lines.next().expect("a line").expect("a line");
        let ready: Value = serde_json::from_str(&first).expect("JSON");
        let said = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&said);
        let (tell, done) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).expect("JSON");
                if let Some(word) = line["done"].as_str() {
                    let _ = tell.send(word.to_owned());
                }
                keeping.lock().expect("no panic").push(line);
            }
        });
        Self {
            port: u16::try_from(ready["port"].as_u64().expect("a port")).expect("a port"),
            said,
            done,
            orders,
            process,
        }
    }

    /// How many connections were opened so far, and how many of them are open.
    pub fn connections(&self) -> (usize, usize) {
        let said = self.said.lock().expect("no panic");
        let count = |what: &str| said.iter().filter(|line| line.get(what).is_some()).count();
        (count("opened"), count("opened") - count("closed"))
    }

    /// Passes nothing on from now on; connections stay open.
    pub fn freeze(&mut self) {
        self.order("freeze");
    }

    /// Goes on as before.
    pub fn thaw(&mut self) {
        self.order("thaw");
    }

    /// Ends every connection.
    pub fn cut(&mut self) {
        self.order("cut");
    }

    fn order(&mut self, word: &str) {
        writeln!(self.orders, "{word}").expect("an order");
        let done = self.done.recv_timeout(Duration::from_secs(10));
        assert_eq!(done.as_deref(), Ok(word));
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
