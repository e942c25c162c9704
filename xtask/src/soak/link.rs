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

    /// Asks once, over the socket where there is a frame for it and `by_socket` says so. None: no
    /// answer, or "try again".
    pub async fn ask(
        &mut self,
        request: Request<'_>,
        by_socket: bool,
        body: &Value,
        counts: &Counts,
    ) -> Result<Option<Value>> {
        match request.frame().filter(|_| by_socket) {
            Some((verb, member)) => {
                let told = self.frame(verb, body).await;
                let Ok(told) = told else {
                    self.socket = None;
                    return Ok(None);
                };
                counts.frames.fetch_add(1, Relaxed);
                answer_in(told, member).with_context(|| format!("the frame {verb} of {body}"))
            }
            None => {
                let mut bytes = Vec::new();
                self.head(request)
                    .write_json(&mut bytes, None, &body.to_string());
                match self.line.ask(&bytes).await {
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

    /// Asks and hangs up without reading the answer.
    pub async fn cut(&mut self, request: Request<'_>, by_socket: bool, body: &Value) {
        // Whether it arrived is unknown, which is what a cut is.
        let _ = match request.frame().filter(|_| by_socket) {
            Some((verb, _)) => match self.socket().await {
                Ok(_) => self.send_and_hang_up(verb, body).await,
                Err(error) => Err(error),
            },
            None => {
                let mut bytes = Vec::new();
                self.head(request)
                    .write_json(&mut bytes, None, &body.to_string());
                self.line.cut(&bytes).await
            }
        };
    }

    async fn frame(&mut self, verb: &str, body: &Value) -> Result<Value> {
        self.id += 1;
        let (id, frame) = (self.id, frame_of(self.id, verb, body));
        let answer = self.socket().await?.ask(id, frame.as_bytes()).await?;
        serde_json::from_slice(answer).context("an answer without JSON")
    }

    async fn send_and_hang_up(&mut self, verb: &str, body: &Value) -> Result<()> {
        self.id += 1;
        let frame = frame_of(self.id, verb, body);
        match self.socket.take() {
            Some(socket) => socket.cut(frame.as_bytes()).await,
            None => Ok(()),
        }
    }

    async fn socket(&mut self) -> Result<&mut Socket> {
        let open = match self.socket.take() {
            Some(open) => open,
            None => Socket::connect(&self.target, &self.live, &self.token).await?,
        };
        Ok(self.socket.insert(open))
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
