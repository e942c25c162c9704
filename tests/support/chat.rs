//! A language model behind chat completions: a small HTTP server that says what it is told to, whole
//! or in pieces, and holds every request to the contract of the API.
//!
//! Invariant: a request that breaks the contract is answered 400 and kept as a violation; each
//! other gets the next turn of the script, and the last one for ever.
//! Failure: [`Chat::requests`] panics with the violations.

use crate::client::{Call, Client, Reply};
use crate::receiver::{self, Hook};
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// The key that opens it.
pub const KEY: &str = "sk-test-4f1d9c";
/// The model.
pub const MODEL: &str = "test-model-1";

/// What the model does with a request.
#[derive(Clone, Debug)]
pub struct Turn {
    message: Value,
    finish: String,
    status: u16,
    headers: Vec<(String, String)>,
    raw: Option<String>,
    delay: Duration,
    breaks: Option<Break>,
    whole: bool,
}

/// How an answer ends before its end.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// The connection is closed.
    Closes,
    /// Nothing more comes.
    Hangs,
}

/// It writes this.
pub fn says(text: &str) -> Turn {
    Turn {
        message: json!({"role": "assistant", "content": text}),
        finish: "stop".to_owned(),
        status: 200,
        headers: Vec::new(),
        raw: None,
        delay: Duration::ZERO,
        breaks: None,
        whole: false,
    }
}

/// It calls these tools at once; arguments are sent as they are here, JSON or not.
pub fn calls<const N: usize>(calls: [(&str, &str); N]) -> Turn {
    let calls: Vec<Value> = (0..)
        .zip(calls)
        .map(|(place, (name, arguments)): (u32, _)| {
            json!({"id": format!("call_{place}_{name}"), "type": "function",
                   "function": {"name": name, "arguments": arguments}})
        })
        .collect();
    let mut turn = says("").finish("tool_calls");
    turn.message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    turn
}

/// It runs a query.
pub fn queries(name: &str, sql: &str) -> Turn {
    let arguments = json!({"name": name, "sql": sql}).to_string();
    calls([("run_query", &arguments)])
}

/// The server answers this status.
pub fn fails(status: u16) -> Turn {
    let body = json!({"error": {"message": "The double was told to fail.", "code": "told_to"}});
    let mut turn = says("");
    turn.status = status;
    turn.raw = Some(body.to_string());
    turn
}

impl Turn {
    /// Why the answer ends.
    pub fn finish(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.finish);
        self
    }

    /// It refuses in these words.
    pub fn refusal(mut self, words: &str) -> Self {
        self.message["content"] = Value::Null;
        self.message["refusal"] = words.into();
        self
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body, whatever was asked.
    pub fn raw(mut self, body: &str) -> Self {
        self.raw = Some(body.to_owned());
        self
    }

    /// After so many milliseconds.
    pub fn after_ms(mut self, millis: u64) -> Self {
        self.delay = Duration::from_millis(millis);
        self
    }

    /// The connection breaks in the middle of the answer.
    pub fn breaks_off(mut self) -> Self {
        self.breaks = Some(Break::Closes);
        self
    }

    /// Nothing comes after the middle of the answer.
    pub fn hangs(mut self) -> Self {
        self.breaks = Some(Break::Hangs);
        self
    }

    /// In one piece, also when it was asked to stream.
    pub fn in_one_piece(mut self) -> Self {
        self.whole = true;
        self
    }

    /// The body when it is not streamed.
    fn body(&self) -> String {
        let whole = || {
            json!({"id": "chatcmpl-1", "object": "chat.completion", "model": MODEL,
                   "choices": [{"index": 0, "message": self.message, "finish_reason": self.finish}],
                   "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}})
        };
        self.raw.clone().unwrap_or_else(|| whole().to_string())
    }

    /// The events when it is: words of the text and parts of arguments, one by one.
    fn events(&self, with_usage: bool) -> Vec<String> {
        let chunk = |delta: Value, finish: Value| {
            json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": MODEL,
                   "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        };
        let mut chunks = vec![chunk(
            json!({"role": "assistant", "content": ""}),
            Value::Null,
        )];
        let content = self.message["content"].as_str().unwrap_or_default();
        for word in content.split_inclusive(' ') {
            chunks.push(chunk(json!({"content": word}), Value::Null));
        }
        if let Some(refusal) = self.message["refusal"].as_str() {
            chunks.push(chunk(json!({"refusal": refusal}), Value::Null));
        }
        for (index, call) in self.message["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let mut first = call.clone();
            first["index"] = index.into();
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            first["function"]["arguments"] = "".into();
            chunks.push(chunk(json!({"tool_calls": [first]}), Value::Null));
            let letters: Vec<char> = arguments.chars().collect();
            for part in letters.chunks(7) {
                let part: String = part.iter().collect();
                let delta = json!({"index": index, "function": {"arguments": part}});
                chunks.push(chunk(json!({"tool_calls": [delta]}), Value::Null));
            }
        }
        chunks.push(chunk(json!({}), self.finish.as_str().into()));
        if with_usage {
            chunks.push(
                json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}),
            );
        }
        let mut events: Vec<String> = chunks
            .iter()
            .map(|chunk| format!("data: {chunk}\n\n"))
            .collect();
        events.insert(1, ": keep-alive\n\n".to_owned());
        events.push("data: [DONE]\n\n".to_owned());
        events
    }
}

#[derive(Debug, Default)]
struct State {
    script: Vec<Turn>,
    requests: Vec<Value>,
    violations: Vec<String>,
    unknown: Vec<String>,
}

/// A running model; it ends with the test.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Its address, as a deployment is told it.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Chat {
    /// Starts one with a script.
    pub async fn with(script: impl IntoIterator<Item = Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let chat = Self { url, state };
        chat.turns(script);
        let attending = chat.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let attending = attending.clone();
                tokio::spawn(async move { attending.attend(socket).await });
            }
        });
        chat
    }

    /// Goes on with this script.
    pub fn turns(&self, script: impl IntoIterator<Item = Turn>) {
        self.state.lock().expect("no panic").script = script.into_iter().collect();
    }

    /// Does not know this parameter and refuses requests with it.
    pub fn without(self, parameter: &str) -> Self {
        let mut state = self.state.lock().expect("no panic");
        state.unknown.push(parameter.to_owned());
        drop(state);
        self
    }

    /// The bodies of the requests so far, all of them sound.
    #[track_caller]
    pub fn requests(&self) -> Vec<Value> {
        let state = self.state.lock().expect("no panic");
        assert!(state.violations.is_empty(), "{:#?}", state.violations);
        state.requests.clone()
    }

    /// The messages of the last request.
    #[track_caller]
    pub fn heard(&self) -> Vec<Value> {
        let last = self.requests().pop().expect("a request");
        last["messages"].as_array().cloned().unwrap_or_default()
    }

    /// Makes it the writer of a tenant.
    pub async fn writes_for(&self, tenant: &Tenant) -> Reply {
        self.writes_with(tenant, true).await
    }

    /// The same, asked for answers in pieces or not.
    pub async fn writes_with(&self, tenant: &Tenant, stream: bool) -> Reply {
        let body = json!({"kind": "model", "baseUrl": self.url, "model": MODEL, "apiKey": KEY,
                          "stream": stream});
        let call = tenant.client().call("PUT", "/api/writer").json(&body);
        call.await.expect_status(200)
    }

    async fn attend(&self, mut socket: TcpStream) {
        let Some(hook) = receiver::read(&mut socket).await else {
            return;
        };
        let turn = self.turn(&hook);
        tokio::time::sleep(turn.delay).await;
        let streamed = hook.json()["stream"] == true && turn.raw.is_none() && !turn.whole;
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", turn.status);
        for (name, value) in &turn.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let parts = match streamed {
            true => {
                head += "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n";
                let with_usage = hook.json()["stream_options"]["include_usage"] == true;
                let events = turn.events(with_usage).into_iter();
                let mut parts: Vec<_> = events
                    .map(|event| format!("{:x}\r\n{event}\r\n", event.len()))
                    .collect();
                parts.push("0\r\n\r\n".to_owned());
                parts
            }
            false => {
                let body = turn.body();
                let length = body.len();
                head += &format!("content-type: application/json\r\ncontent-length: {length}\r\n");
                let letters: Vec<char> = body.chars().collect();
                letters
                    .chunks(200)
                    .map(|part| part.iter().collect())
                    .collect()
            }
        };
        let sent = match turn.breaks {
            None => parts.len(),
            Some(_) => parts.len() / 2,
        };
        // Who gave up waiting does not read it.
        let _ = socket.write_all(format!("{head}\r\n").as_bytes()).await;
        for part in parts.iter().take(sent) {
            let _ = socket.write_all(part.as_bytes()).await;
            let _ = socket.flush().await;
        }
        if matches!(turn.breaks, Some(Break::Hangs)) {
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
    }

    fn turn(&self, hook: &Hook) -> Turn {
        let mut state = self.state.lock().expect("no panic");
        let body: Value = serde_json::from_str(&hook.body).unwrap_or_default();
        if let Some(unknown) = state
            .unknown
            .iter()
            .find(|name| body.get(name.as_str()).is_some())
        {
            let message = format!("Unsupported parameter: '{unknown}'.");
            return fails(400).raw(&json!({"error": {"message": message}}).to_string());
        }
        if let Err(violation) = contract(hook, &body) {
            state.violations.push(format!("{violation}: {body:#}"));
            return fails(400).raw(&json!({"error": {"message": violation}}).to_string());
        }
        state.requests.push(body);
        match state.script.len() {
            0 => fails(500),
            1 => state.script[0].clone(),
            _ => state.script.remove(0),
        }
    }
}

/// Asks a tenant's writer for a draft.
pub fn attempt(client: &Client, prompt: &str) -> Call {
    let body = json!({"prompt": prompt, "title": "Try", "timezone": "Europe/Berlin"});
    client
        .post("/api/writer/try", &body)
        .timeout(Duration::from_secs(90))
}

/// Holds a request to the contract of chat completions.
fn contract(hook: &Hook, body: &Value) -> Result<(), String> {
    let demand = |holds: bool, what: &str| match holds {
        true => Ok(()),
        false => Err(what.to_owned()),
    };
    demand(hook.line == "POST /v1/chat/completions", &hook.line)?;
    demand(
        hook.header("content-type") == "application/json",
        "content-type",
    )?;
    let bearer = format!("Bearer {KEY}");
    demand(hook.header("authorization") == bearer, "authorization")?;
    let known = [
        "model",
        "messages",
        "tools",
        "tool_choice",
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
    ];
    let fields = body.as_object().ok_or("no object")?;
    for name in fields.keys() {
        demand(known.contains(&name.as_str()), &format!("the field {name}"))?;
    }
    demand(body["model"] == MODEL, "model")?;
    demand(body["stream"].is_boolean(), "stream")?;
    let options = body.get("stream_options").is_none() || body["stream"] == true;
    demand(options, "stream_options without stream")?;
    demand(
        matches!(body["tool_choice"].as_str(), Some("auto" | "none")),
        "tool_choice",
    )?;
    for tool in body["tools"].as_array().ok_or("tools")? {
        let function = &tool["function"];
        let sound = tool["type"] == "function"
            && function["name"].is_string()
            && function["description"].is_string()
            && function["parameters"]["type"] == "object"
            && function["parameters"]["properties"].is_object();
        demand(sound, "a tool")?;
    }
    conversation(body["messages"].as_array().ok_or("messages")?)
}

/// Every call of an assistant is answered by one tool message under its id, before anybody speaks.
fn conversation(messages: &[Value]) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let content = &message["content"];
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let known = open.iter().position(|known| known == id);
            open.remove(known.ok_or(format!("no call {id}"))?);
            if !content.is_string() {
                return Err("a tool's content".to_owned());
            }
            continue;
        }
        if !open.is_empty() {
            return Err(format!("unanswered calls {open:?}"));
        }
        match role {
            "system" if place == 0 && content.is_string() => {}
            "user" if content.as_str().is_some_and(|text| !text.is_empty()) => {}
            "assistant" => {
                let calls = message["tool_calls"].as_array().cloned();
                if content.is_null() && calls.is_none() {
                    return Err("an assistant that says nothing".to_owned());
                }
                for call in calls.unwrap_or_default() {
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    let sound =
                        serde_json::from_str::<Value>(arguments).is_ok_and(|a| a.is_object());
                    if call["type"] != "function" || !sound {
                        return Err("a call".to_owned());
                    }
                    open.push(call["id"].as_str().ok_or("an id")?.to_owned());
                }
            }
            _ => return Err(format!("the message {place} of {role}")),
        }
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(format!("unanswered calls {open:?}")),
    }
}
