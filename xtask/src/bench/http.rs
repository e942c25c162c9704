//! A lean HTTP/1.1 client for load: one connection, one request at a time, no copies.
//!
//! Invariant: load goes to the loopback address only. A connection that failed is not used again.
//! Failure: an answer that is not HTTP, or none within [`PATIENCE`], is an error.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// workerd hangs up on connections that are idle for five seconds.
const IDLE: Duration = Duration::from_secs(4);

/// A server on this machine.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    host: String,
}

impl Target {
    /// Reads `http://127.0.0.1:PORT` or `http://localhost:PORT`; no other host gets any load.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.trim_end_matches('/').strip_prefix("http://");
        let (host, port) = rest
            .and_then(|rest| rest.split_once(':'))
            .with_context(|| format!("{url} is not http://127.0.0.1:PORT"))?;
        if !matches!(host, "127.0.0.1" | "localhost") {
            bail!("{url} is not on this machine; load goes to 127.0.0.1 only");
        }
        let port: u16 = port.parse().with_context(|| format!("{url} has no port"))?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Ok(Self {
            address,
            host: format!("{host}:{port}"),
        })
    }
}

/// A request in the making: what every request of a connection starts with.
#[derive(Clone, Debug)]
pub struct Head(Vec<u8>);

impl Head {
    /// `path` with its query; `token` becomes the `Authorization` header.
    pub fn new(target: &Target, method: &str, path: &str, token: Option<&str>) -> Self {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", target.host);
        if let Some(token) = token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        Self(head.into_bytes())
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0
            .extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        self
    }

    /// Writes the request without a body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        out.extend_from_slice(b"\r\n");
    }

    /// Writes the request with one more header, if any, and a JSON body.
    pub fn write_json(&self, out: &mut Vec<u8>, more: Option<(&str, &str)>, body: &str) {
        out.extend_from_slice(&self.0);
        if let Some((name, value)) = more {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let length = body.len();
        let _ = write!(
            out,
            "content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        out.extend_from_slice(body.as_bytes());
    }
}

/// An answer, as long as the connection is not used again.
#[derive(Debug)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers.
    pub head: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// A header's value; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }

    /// The body as text, cut off for a message.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(self.body)
            .chars()
            .take(400)
            .collect()
    }
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that the last answer took.
    used: usize,
    /// When it was last used.
    at: Instant,
}

impl Connection {
    /// Connects.
    pub async fn open(target: &Target) -> Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(target.address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
            used: 0,
            at: Instant::now(),
        })
    }

    /// Was it idle for so long that the server may have hung up?
    pub fn is_stale(&self) -> bool {
        self.at.elapsed() > IDLE
    }

    /// Sends a whole request and waits for its whole answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.stream.write_all(request).await?;
        let (head, length) = timeout(PATIENCE, self.receive())
            .await
            .with_context(|| format!("no answer within {PATIENCE:?}"))??;
        self.used = head + length;
        self.at = Instant::now();
        let text = std::str::from_utf8(&self.buffer[..head]).context("the head is not text")?;
        let status = text.get(9..12).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no status in {text:?}"))?;
        Ok(Reply {
            status,
            head: text,
            body: &self.buffer[head..head + length],
        })
    }

    /// Sends a whole request and hangs up without reading the answer.
    pub async fn cut(mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Length of the head with its blank line, and of the body.
    async fn receive(&mut self) -> Result<(usize, usize)> {
        let mut seen = 0;
        let head = loop {
            if let Some(at) = find(&self.buffer[seen..], b"\r\n\r\n") {
                break seen + at + 4;
            }
            seen = self.buffer.len().saturating_sub(3);
            self.more().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("the head is not text")?;
        let status = text.get(9..12).unwrap_or_default();
        if header(text, "transfer-encoding").is_some() {
            return Ok((head, self.chunks(head).await?));
        }
        let length = match header(text, "content-length") {
            Some(length) => length.parse().context("an odd content-length")?,
            None if matches!(status, "101" | "204" | "304") => 0,
            None => bail!("an answer without a length: {text:?}"),
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok((head, length))
    }

    /// Joins the chunks of a body in place; answers its length.
    async fn chunks(&mut self, head: usize) -> Result<usize> {
        let (mut end, mut at) = (head, head);
        loop {
            let line = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(line) => break line,
                    None => self.more().await?,
                }
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line])?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)?;
            let start = at + line + 2;
            while self.buffer.len() < start + size + 2 {
                self.more().await?;
            }
            self.buffer.copy_within(start..start + size, end);
            end += size;
            at = start + size + 2;
            if size == 0 {
                self.buffer.truncate(end);
                return Ok(end - head);
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }
}

/// An answer that was taken off its connection.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// It says that it was given before.
    pub replayed: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text, cut off for a message.
    pub fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.chars().take(400).collect()
    }
}

/// A connection that is opened when it is needed, and again after it failed or was idle.
#[derive(Debug)]
pub struct Line {
    target: Target,
    connection: Option<Connection>,
}

impl Line {
    /// Not open yet.
    pub fn to(target: &Target) -> Self {
        Self {
            target: target.clone(),
            connection: None,
        }
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a whole request and waits for its whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        let kept = self.connection.take().filter(|kept| !kept.is_stale());
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        let reply = connection.send(request).await?;
        let answer = Answer {
            status: reply.status,
            replayed: reply.header("idempotent-replayed").is_some(),
            body: reply.body.to_vec(),
        };
        self.connection = Some(connection);
        Ok(answer)
    }

    /// Sends a whole request on a connection of its own and hangs up without reading the answer.
    pub async fn cut(&self, request: &[u8]) -> Result<()> {
        Connection::open(&self.target).await?.cut(request).await
    }
}

/// Where `needle` begins.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answered(parts: &'static [&'static str]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 64];
            while socket.read(&mut asked).await.unwrap_or(0) > 0 {
                for part in parts {
                    socket.write_all(part.as_bytes()).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        Connection::open(&Target::parse(&format!("http://{address}")).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn answers_are_read_however_they_are_cut() {
        let mut one = answered(&[
            "HTTP/1.1 201 Created\r\nContent-Le",
            "ngth: 4\r\n\r\nab",
            "cd",
        ])
        .await;
        for _ in 0..2 {
            let reply = one.send(b"x").await.unwrap();
            assert_eq!((reply.status, reply.body), (201, &b"abcd"[..]));
            assert_eq!(reply.header("content-length"), Some("4"));
        }
        let mut chunked = answered(&[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r",
            "\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ])
        .await;
        for _ in 0..2 {
            assert_eq!(chunked.send(b"x").await.unwrap().body, b"abcde");
        }
    }

    #[test]
    fn only_this_machine_gets_load() {
        assert!(Target::parse("http://127.0.0.1:8787/").is_ok());
        assert!(Target::parse("http://localhost:80").is_ok());
        for other in [
            "https://127.0.0.1:1",
            "http://pulse.example:80",
            "http://127.0.0.1",
            "http://10.0.0.1:80",
        ] {
            assert!(Target::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_request_is_written_whole() {
        let target = Target::parse("http://127.0.0.1:9").unwrap();
        let mut out = Vec::new();
        Head::new(&target, "POST", "/x", Some("t")).write_json(
            &mut out,
            Some(("idempotency-key", "k")),
            "{}",
        );
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "POST /x HTTP/1.1\r\nhost: 127.0.0.1:9\r\nauthorization: Bearer t\r\nidempotency-key: k\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        );
    }
}
