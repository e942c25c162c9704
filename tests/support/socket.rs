//! A client of the realtime protocol that demands what the protocol promises.
//!
//! Invariant: the offsets of a channel whose events count are dense; of one that only shows the
//! latest value they rise. Every event taken is checked.
//! Failure: a gap, a repeat, a frame nobody asked for or silence of ten seconds panics.

use crate::stack;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a frame is awaited.
const PATIENCE: Duration = Duration::from_secs(10);
/// The channels that only show the latest value.
const COALESCED: [&str; 3] = ["stats", "devices", "roster"];

/// A place in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which life of the channel.
    pub epoch: String,
    /// The last event seen; 0 before the first.
    pub offset: u64,
}

/// The answer to a subscribe.
#[derive(Clone, Debug, Deserialize)]
pub struct Subscribed {
    /// Where the channel stands after `events`.
    #[serde(flatten)]
    pub position: Position,
    /// Was everything since the asked position delivered?
    #[serde(default)]
    pub recovered: bool,
    /// The events since the asked position, in order.
    #[serde(default)]
    pub events: Vec<Value>,
}

/// A connected socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u64,
    last: HashMap<String, u64>,
    waiting: VecDeque<Value>,
    /// The `connected` answer.
    pub connected: Value,
}

impl Socket {
    /// Connects with the subprotocol pair `pulse.v1, <token>` and waits for the answer.
    pub async fn connect(path: &str, token: &str) -> Self {
        let mut socket = Self::open(path, Some(token), None).await.expect("a socket");
        socket.greeted().await;
        socket
    }

    /// Connects as [`Socket::connect`]; a server that is away is an error.
    pub async fn try_connect(path: &str, token: &str) -> Result<Self, String> {
        let opened = Self::open(path, Some(token), None).await;
        let mut socket = opened.map_err(|error| error.to_string())?;
        match socket.message().await {
            Ok(text) if text.contains("connected") => Ok(socket),
            other => Err(format!("{other:?}")),
        }
    }

    /// Connects without a token; the first frame may bring one.
    pub async fn bare(path: &str) -> Self {
        Self::open(path, None, None).await.expect("a socket")
    }

    /// Connects as [`Socket::connect`] with a receive buffer of 4 KiB: not reading soon stops the
    /// server from sending.
    pub async fn slow(path: &str, token: &str) -> Self {
        let mut socket = Self::open(path, Some(token), Some(4096))
            .await
            .expect("a socket");
        socket.greeted().await;
        socket
    }

    /// Opens a socket; a refused upgrade is an error.
    pub async fn open(path: &str, token: Option<&str>, buffer: Option<u32>) -> Result<Self, Error> {
        Self::open_at(&stack::url(), path, token, buffer).await
    }

    async fn open_at(
        base: &str,
        path: &str,
        token: Option<&str>,
        buffer: Option<u32>,
    ) -> Result<Self, Error> {
        let authority = base.strip_prefix("http://").expect("plain http").to_owned();
        let mut request = format!("ws://{authority}{path}").into_client_request()?;
        if let Some(token) = token {
            let pair = format!("pulse.v1, {token}")
                .parse()
                .expect("a header value");
            request.headers_mut().insert("sec-websocket-protocol", pair);
        }
        let address = tokio::net::lookup_host(&authority)
            .await?
            .next()
            .expect("an address");
        let tcp = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(buffer) = buffer {
            tcp.set_recv_buffer_size(buffer)?;
        }
        let (stream, _) = client_async(request, tcp.connect(address).await?).await?;
        let (last, waiting) = (HashMap::new(), VecDeque::new());
        Ok(Self {
            stream,
            next_id: 1,
            last,
            waiting,
            connected: Value::Null,
        })
    }

    async fn greeted(&mut self) {
        let frame = self.frame().await;
        assert!(frame["connected"]["ttl"].is_u64(), "not connected: {frame}");
        self.connected = frame["connected"].clone();
    }

    /// Brings the token in the first frame.
    pub async fn hello(&mut self, token: &str) {
        let reply = self
            .request(json!({"connect": {"token": token, "client": "tests/1"}}))
            .await;
        assert!(reply["connected"]["ttl"].is_u64(), "not connected: {reply}");
        self.connected = reply["connected"].clone();
    }

    /// Subscribes from now on.
    pub async fn subscribe(&mut self, channel: &str) -> Subscribed {
        self.subscribe_with(channel, None).await
    }

    /// Subscribes from a position on; the events in the answer are checked for gaps.
    pub async fn recover(&mut self, channel: &str, from: &Position) -> Subscribed {
        self.subscribe_with(channel, Some(from)).await
    }

    /// As [`Socket::recover`]; `None` when the connection ends before the answer. Only for a socket
    /// with no other subscription.
    pub async fn try_recover(&mut self, channel: &str, from: &Position) -> Option<Subscribed> {
        let body = json!({"id": 1, "subscribe": {"channel": channel, "recover": from}});
        self.stream
            .send(Message::text(body.to_string()))
            .await
            .ok()?;
        let text = self.message().await.ok()?;
        let reply: Value = serde_json::from_str(&text).ok()?;
        Some(self.subscribed(channel, Some(from), &reply))
    }

    /// The next event, checked; `None` when none comes in time or the connection ends.
    pub async fn next_within(&mut self, patience: Duration) -> Option<Value> {
        let text = timeout(patience, self.message()).await.ok()?.ok()?;
        let frame: Value = serde_json::from_str(&text).ok()?;
        self.waiting.push_back(frame["event"].clone());
        Some(self.event().await)
    }

    async fn subscribe_with(&mut self, channel: &str, from: Option<&Position>) -> Subscribed {
        let mut body = json!({ "channel": channel });
        if let Some(from) = from {
            body["recover"] = json!(from);
        }
        let reply = self.request(json!({ "subscribe": body })).await;
        self.subscribed(channel, from, &reply)
    }

    fn subscribed(&mut self, channel: &str, from: Option<&Position>, reply: &Value) -> Subscribed {
        let answer = Subscribed::deserialize(&reply["subscribed"]);
        let subscribed = answer.unwrap_or_else(|error| panic!("{error}: {reply}"));
        if let Some(from) = from.filter(|_| subscribed.recovered) {
            self.last.insert(channel.to_owned(), from.offset);
            for event in &subscribed.events {
                self.check(channel, event);
            }
            let reached = self.last.get(channel).copied().unwrap_or_default();
            assert!(
                reached == subscribed.position.offset || COALESCED.contains(&channel),
                "recovered to {reached}, told {:?}",
                subscribed.position
            );
        } else {
            assert!(
                subscribed.events.is_empty(),
                "events without recovery: {subscribed:?}"
            );
        }
        self.last
            .insert(channel.to_owned(), subscribed.position.offset);
        subscribed
    }

    /// Sends a request and waits for the frame with its id; events meanwhile wait their turn.
    pub async fn request(&mut self, mut body: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        body["id"] = json!(id);
        self.send(&body.to_string()).await;
        loop {
            let frame = self.frame().await;
            if frame["id"] == id {
                return frame;
            }
            assert!(
                frame["event"].is_object(),
                "neither an event nor the answer to {id}: {frame}"
            );
            self.waiting.push_back(frame["event"].clone());
        }
    }

    /// Sends text.
    pub async fn send(&mut self, text: &str) {
        self.stream
            .send(Message::text(text))
            .await
            .expect("an open socket");
    }

    /// The next text frame as it came.
    pub async fn text(&mut self) -> String {
        match self.message().await {
            Ok(text) => text,
            Err(code) => panic!("the socket was closed: {code}"),
        }
    }

    /// The next text, or the code of the close; 1006 when the connection just ended.
    async fn message(&mut self) -> Result<String, u16> {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await;
            match next.unwrap_or_else(|_| panic!("silence for {PATIENCE:?}")) {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(Some(close)))) => return Err(close.code.into()),
                Some(Ok(Message::Close(None))) => return Err(1005),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    async fn frame(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    /// The next event of any subscribed channel, checked.
    pub async fn event(&mut self) -> Value {
        let event = match self.waiting.pop_front() {
            Some(event) => event,
            None => self.frame().await["event"].clone(),
        };
        let channel = event["channel"]
            .as_str()
            .unwrap_or_else(|| panic!("no channel: {event}"));
        self.check(channel.to_owned().as_str(), &event);
        event
    }

    /// The next event of one channel, and past the others.
    pub async fn event_of(&mut self, channel: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["channel"] == channel {
                return event;
            }
        }
    }

    /// The next so many events of one channel.
    pub async fn events_of(&mut self, channel: &str, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event_of(channel).await);
        }
        events
    }

    /// Reads until the server closes; answers the close code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.message().await {
                return code;
            }
        }
    }

    /// As [`Socket::closed`], with another patience.
    pub async fn closed_within(&mut self, patience: Duration) -> u16 {
        timeout(patience, async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(close))) => {
                        return close.map_or(1005, |close| close.code.into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return 1006,
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("not closed within {patience:?}"))
    }

    /// The next text frame, or the code the server closed with.
    pub async fn text_or_close(&mut self) -> Result<String, u16> {
        self.message().await
    }

    /// Demands that nothing but a pong comes to a ping: no event is under way.
    pub async fn quiet(&mut self) {
        self.send("ping").await;
        let text = self.text().await;
        assert_eq!(text, "pong");
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
    }

    /// The last offset seen of a channel.
    pub fn offset(&self, channel: &str) -> u64 {
        self.last.get(channel).copied().unwrap_or_default()
    }

    fn check(&mut self, channel: &str, event: &Value) {
        let offset = event["offset"]
            .as_u64()
            .unwrap_or_else(|| panic!("no offset: {event}"));
        let last = self.last.get(channel).copied();
        let last = last.unwrap_or_else(|| panic!("not subscribed to {channel}: {event}"));
        let follows = if COALESCED.contains(&channel) {
            offset >= last
        } else {
            offset == last + 1
        };
        assert!(
            follows,
            "offset {offset} of {channel} after {last}: {event}"
        );
        for member in ["type", "at"] {
            assert!(event[member].is_string(), "no {member}: {event}");
        }
        self.last.insert(channel.to_owned(), offset);
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, Socket};
    use futures_util::{SinkExt, StreamExt};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio_tungstenite::tungstenite::Message;

    /// A server that answers a subscribe with some missed events and then sends these offsets.
    async fn serving(missed: &'static [u64], then: &'static [u64]) -> Socket {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut socket = tokio_tungstenite::accept_async(listener.accept().await.unwrap().0)
                .await
                .unwrap();
            socket.next().await.unwrap().unwrap();
            let event = |offset: &u64| json!({"channel": "scans", "offset": offset, "type": "t", "at": "now"});
            let events: Vec<_> = missed.iter().map(event).collect();
            let offset = missed.last().copied().unwrap_or(1);
            let answer =
                json!({"epoch": "e", "offset": offset, "recovered": true, "events": events});
            let answer = json!({"id": 1, "subscribed": answer}).to_string();
            socket.send(Message::text(answer)).await.unwrap();
            for offset in then {
                let frame = json!({"event": event(offset)}).to_string();
                socket.send(Message::text(frame)).await.unwrap();
            }
            socket.close(None).await.unwrap();
        });
        Socket::open_at(&base, "/", None, None).await.unwrap()
    }

    async fn run(missed: &'static [u64], then: &'static [u64]) {
        let mut socket = serving(missed, then).await;
        let from = Position {
            epoch: "e".into(),
            offset: 1,
        };
        assert_eq!(
            socket.recover("scans", &from).await.events.len(),
            missed.len()
        );
        socket.events_of("scans", then.len()).await;
        assert_eq!(socket.closed().await, 1005);
    }

    #[tokio::test]
    async fn dense_events_pass() {
        run(&[2, 3], &[4, 5]).await;
        run(&[], &[2]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "offset 4 of scans after 2")]
    async fn a_gap_among_recovered_events_is_found() {
        run(&[2, 4], &[]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "offset 5 of scans after 3")]
    async fn a_gap_after_recovery_is_found() {
        run(&[2, 3], &[5]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "offset 3 of scans after 3")]
    async fn a_repeat_is_found() {
        run(&[2, 3], &[3]).await;
    }
}
