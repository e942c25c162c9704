//! The ways a scanner of a soak reaches the server: requests over HTTP, and frames over the table's
//! live connection.
//!
//! Invariant: both ways carry the same bodies. What was not answered may have been carried out.
//! Failure: an answer that no retry changes is an error; a way that broke is opened anew.

use super::round::Counts;
use crate::bench::http::{Answer, Head, Line, Target};
use crate::bench::socket::Socket;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::sync::atomic::Ordering::Relaxed;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// One scan.
    Scan,
    /// A batch of what was decided without a connection.
    Sync,
    /// An admission is undone. There is no frame for it.
    Undo(&'a str),
}

/// One device's connections.
#[derive(Debug)]
pub struct Link {
    target: Target,
    token: String,
    live: String,
    scan: Head,
    sync: Head,
    line: Line,
    socket: Option<Socket>,
    id: u64,
}

impl Request<'_> {
    /// The name of its frame, and of the frame's answer.
    fn frame(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Scan => Some(("scan", "verdict")),
            Self::Sync => Some(("sync", "synced")),
            Self::Undo(_) => None,
        }
    }
}

impl Link {
    /// Nothing is open yet.
    pub fn new(target: &Target, token: &str, table: &str) -> Self {
        let post = |path| Head::new(target, "POST", path, Some(token));
        Self {
            target: target.clone(),
            token: token.to_owned(),
            live: format!("/live/check-in/{table}"),
            scan: post("/pulse/check-ins"),
            sync: post("/pulse/check-ins/sync"),
            line: Line::to(target),
            socket: None,
            id: 0,
        }
    }

    /// Is its socket open, as far as it knows?
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Opens its socket. It stays shut when the server is not there.
    pub async fn open(&mut self) {
        let open = Socket::connect(&self.target, &self.live, &self.token);
        self.socket = open.await.ok();
    }

    /// Asks once, over the socket where it is open and there is a frame for it and `by_socket` says
    /// so. None: no answer, or "try again".
    pub async fn ask(
        &mut self,
        request: Request<'_>,
        by_socket: bool,
        body: &Value,
        counts: &Counts,
    ) -> Result<Option<Value>> {
        match (request.frame(), self.socket.take()) {
            (Some((verb, member)), Some(mut socket)) if by_socket => {
                self.id += 1;
                let frame = frame_of(self.id, verb, body);
                let Ok(answer) = socket.ask(self.id, frame.as_bytes()).await else {
                    return Ok(None);
                };
                let told = serde_json::from_slice(answer).context("an answer without JSON")?;
                self.socket = Some(socket);
                counts.frames.fetch_add(1, Relaxed);
                answer_in(told, member).with_context(|| format!("the frame {verb} of {body}"))
            }
            (_, socket) => {
                self.socket = socket;
                let request = self.written(request, body);
                match self.line.ask(&request).await {
                    Ok(Answer {
                        status: 200 | 201,
                        replayed,
                        body,
                    }) => {
                        counts.replays.fetch_add(u64::from(replayed), Relaxed);
                        let body = serde_json::from_slice(&body);
                        Ok(Some(body.context("an answer without JSON")?))
                    }
                    Ok(answer) if answer.status < 500 && answer.status != 429 => {
                        bail!("{body} was answered {}: {}", answer.status, answer.shown());
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    /// Asks and hangs up without reading the answer; whether it arrives is unknown.
    pub async fn cut(&mut self, request: Request<'_>, by_socket: bool, body: &Value) {
        let _ = match (request.frame(), self.socket.take()) {
            (Some((verb, _)), Some(socket)) if by_socket => {
                self.id += 1;
                socket.cut(frame_of(self.id, verb, body).as_bytes()).await
            }
            (_, socket) => {
                self.socket = socket;
                self.line.cut(&self.written(request, body)).await
            }
        };
    }

    fn written(&self, request: Request<'_>, body: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        let body = body.to_string();
        self.head(request).write_json(&mut bytes, None, &body);
        bytes
    }

    fn head(&self, request: Request<'_>) -> Head {
        match request {
            Request::Scan => self.scan.clone(),
            Request::Sync => self.sync.clone(),
            Request::Undo(check_in) => {
                let path = format!("/pulse/check-ins/{check_in}/annul");
                Head::new(&self.target, "POST", &path, Some(&self.token))
            }
        }
    }
}

fn frame_of(id: u64, verb: &str, body: &Value) -> String {
    format!(r#"{{"id":{id},"{verb}":{body}}}"#)
}

/// What a frame says; nothing when it says "try again".
fn answer_in(mut told: Value, member: &str) -> Result<Option<Value>> {
    if told["error"]["temporary"] == true {
        return Ok(None);
    }
    match told.get_mut(member) {
        Some(answer) => Ok(Some(answer.take())),
        None => bail!("answered {told}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_frame_says_an_answer_or_try_again_or_is_a_fault() {
        let good = json!({"id": 1, "verdict": {"seq": 3}});
        assert_eq!(
            answer_in(good, "verdict").expect("an answer"),
            Some(json!({"seq": 3}))
        );
        let busy = json!({"id": 1, "error": {"code": "unavailable", "temporary": true}});
        assert_eq!(answer_in(busy, "verdict").expect("no fault"), None);
        let wrong = json!({"id": 1, "error": {"code": "invalid", "temporary": false}});
        assert!(answer_in(wrong, "verdict").is_err());
    }
}
