//! The control server of a test stack: faults, crons and measurements over HTTP.
//!
//! ```text
//! POST /worker/kill           SIGKILL to node and workerd, back on the same port and state
//! POST /worker/wipe-objects   the same, with what the objects stored deleted in between
//! POST /worker/vars           {name: value, …}: starts again with these variables over its own
//! POST /worker/evict          {name?|id?, class?, sockets?: "hibernate"|"close"}
//! GET  /worker/cpu            {utime_ms, stime_ms, rss_kb} of workerd
//! GET  /worker/objects        {class: [id, …]}
//! POST /worker/log            {containing: [text, …]}: the lines of the log that hold any of them
//! POST /pg/stop /pg/start     immediate shutdown with the proxy cut; recovery
//! POST /pg/pause /pg/resume   SIGSTOP and SIGCONT
//! POST /pg/lose-answers       {containing, count}: Postgres does the work, nobody hears of it
//! POST /second/start          a second runtime on the same Postgres, with objects of its own
//! POST /second/kill           SIGKILL to it
//! POST /second/cron           {cron, time?}: as /cron, on it
//! POST /cron                  {cron, time?}: runs the scheduled handler
//! POST /queue                 {queue: binding, messages: […]}
//! GET  /proxy                 what the proxy saw
//! ```
//! Invariant: an answer comes when the effect is there. Kills and restarts of one part wait for each
//! other; crons and evictions may overlap.
//! Failure: 500 with `{"error": …}`.

use super::runtime::Runtime;
use super::stack::Stack;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The largest body taken, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// Listens on a free loopback port and answers its address. It ends with the process.
pub async fn start(stack: Arc<Stack>) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let stack = stack.clone();
            tokio::spawn(async move {
                let _ = attend(socket, &stack).await;
            });
        }
    });
    Ok(format!("http://{address}"))
}

/// Serves the requests of one connection.
async fn attend(mut socket: TcpStream, stack: &Stack) -> Result<()> {
    let (reader, mut writer) = socket.split();
    let mut reader = BufReader::new(reader);
    while let Some((method, path, body)) = request(&mut reader).await? {
        let (status, answer) = match carry_out(stack, &method, &path, &body).await {
            Ok(answer) => ("200 OK", answer),
            Err(error) => (
                "500 Internal Server Error",
                json!({"error": format!("{error:#}")}),
            ),
        };
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

/// Reads one request: method, path, body. Nothing when the client has left.
async fn request<R>(reader: &mut R) -> Result<Option<(String, String, Value)>>
where
    R: AsyncBufReadExt + Unpin,
{
    let mut line = String::new();
    if reader.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().context("no method")?.to_owned();
    let path = words.next().context("no path")?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>()?;
        }
    }
    if length > BODY_LIMIT {
        bail!("the body is too long");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    let body = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&body)?
    };
    Ok(Some((method, path, body)))
}

async fn carry_out(stack: &Stack, method: &str, path: &str, body: &Value) -> Result<Value> {
    match (method, path) {
        ("POST", "/worker/kill") => took(stack.kill_worker(false).await?),
        ("POST", "/worker/wipe-objects") => took(stack.kill_worker(true).await?),
        ("POST", "/worker/vars") => {
            let vars = serde_json::from_value(body.clone())?;
            took(stack.restart_with(vars).await?)
        }
        ("POST", "/worker/evict") => order(stack, "/evict", body).await,
        ("GET", "/worker/objects") => order(stack, "/objects", body).await,
        ("POST", "/worker/log") => {
            let wanted: Vec<String> = serde_json::from_value(body["containing"].clone())?;
            let log = std::fs::read(stack.log())?;
            let log = String::from_utf8_lossy(&log);
            let holds = |line: &&str| wanted.iter().any(|text| line.contains(text.as_str()));
            let lines: Vec<&str> = log.lines().filter(holds).collect();
            Ok(json!({ "lines": lines }))
        }
        ("GET", "/worker/cpu") => Ok(serde_json::to_value(stack.usage().await?)?),
        ("POST", "/second/start") => done(stack.start_second().await?),
        ("POST", "/second/kill") => {
            stack.kill_second().await;
            done(())
        }
        ("POST", "/second/cron") => {
            let second = stack.second.lock().await.as_ref().map(Runtime::orders);
            let orders = second.context("there is no second runtime")?;
            orders.give("/cron", body).await
        }
        ("POST", "/cron") => order(stack, "/cron", body).await,
        ("POST", "/queue") => order(stack, "/queue", body).await,
        ("POST", "/pg/stop") => done(stack.stop_postgres().await?),
        ("POST", "/pg/start") => done(stack.start_postgres().await?),
        ("POST", "/pg/pause") => done(stack.freeze_postgres(true).await?),
        ("POST", "/pg/resume") => done(stack.freeze_postgres(false).await?),
        ("POST", "/pg/lose-answers") => {
            let proxy = stack.proxy.as_ref().context("this stack has no proxy")?;
            let containing = body["containing"].as_str().context("containing what?")?;
            let count = body["count"].as_u64().context("how many?")?;
            proxy.lose_answers(containing, u32::try_from(count)?);
            done(())
        }
        ("GET", "/proxy") => {
            let proxy = stack.proxy.as_ref().context("this stack has no proxy")?;
            Ok(serde_json::to_value(proxy.stats())?)
        }
        _ => bail!("no such control: {method} {path}"),
    }
}

/// Gives the runtime an order. Orders may overlap: two cron runs at once are a case that tests want.
pub async fn order(stack: &Stack, path: &str, body: &Value) -> Result<Value> {
    let orders = stack.runtime.lock().await.orders();
    orders.give(path, body).await
}

fn took(time: std::time::Duration) -> Result<Value> {
    Ok(json!({"took_ms": u64::try_from(time.as_millis())?}))
}

fn done((): ()) -> Result<Value> {
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_read_one_after_another() {
        let bytes = b"POST /cron HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"cron\":\"x\"}GET /proxy HTTP/1.1\r\n\r\n";
        let mut reader = BufReader::new(&bytes[..]);
        let (method, path, body) = request(&mut reader).await.unwrap().unwrap();
        assert_eq!((method.as_str(), path.as_str()), ("POST", "/cron"));
        assert_eq!(body, json!({"cron": "x"}));
        let (method, path, body) = request(&mut reader).await.unwrap().unwrap();
        assert_eq!(
            (method.as_str(), path.as_str(), body),
            ("GET", "/proxy", json!({}))
        );
        assert!(request(&mut reader).await.unwrap().is_none());
    }
}
