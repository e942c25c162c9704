//! A large guest list: how soon its object is awake, what it takes of memory, and what scanners
//! download of it.
//!
//! Invariant: the runtime was killed just before, so the one object is all that it holds; bytes are
//! those of bodies, not compressed, as the Worker sends them.
//! Failure: an answer that is no part of the list ends the bench.

use super::Scale;
use super::checkin::Subject;
use super::figures::{ms, whole};
use super::http::{Connection, Head, Target};
use super::report::{Report, Table};
use super::rig::{Baseline, Product, Side};
use crate::local::runtime::usage_of;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Guests on the list.
const GUESTS: usize = 100_000;
/// Guests of a page, as scanners ask.
const PAGE: usize = 5_000;

/// What came.
#[derive(Default)]
struct Download {
    pages: usize,
    bytes: usize,
    took: Duration,
    position: String,
}

/// Kills the runtime; the product's side as it is then.
async fn restarted(product: &Product) -> Result<Side> {
    product.stack.kill_worker(false).await?;
    let url = product.stack.runtime.lock().await.ready.direct_url.clone();
    Ok(Side {
        target: Target::parse(&url)?,
        url,
        pid: product.stack.runtime_pid().await,
    })
}

/// Asks for a part of the list until it is whole.
async fn download(
    target: &Target,
    subject: &Subject,
    query: &str,
    known: &str,
) -> Result<Download> {
    let mut connection = Connection::open(target).await?;
    let (mut done, mut after) = (Download::default(), String::new());
    let began = Instant::now();
    loop {
        let path = format!("/pulse/{}/roster?{query}{after}", subject.table);
        let mut request = Vec::new();
        Head::new(target, "GET", &path, Some(&subject.api.token))
            .with("if-none-match", &format!("\"{known}\""))
            .write(&mut request);
        let reply = connection.send(&request).await?;
        done.pages += 1;
        done.bytes += reply.body.len();
        let page: Value = match reply.status {
            200 => serde_json::from_slice(reply.body)?,
            304 if !known.is_empty() => Value::Null,
            status => bail!("GET {path} answered {status}: {}", reply.shown()),
        };
        if done.position.is_empty() {
            let position = page["position"].as_str();
            position.unwrap_or(known).clone_into(&mut done.position);
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    done.took = began.elapsed();
    Ok(done)
}

/// Measures it; the runtime is another one afterwards.
pub async fn run(
    product: &Product,
    baseline: &Baseline,
    scale: &Scale,
    report: &mut Report,
) -> Result<()> {
    let guests = GUESTS / scale.shorter;
    let side = restarted(product).await?;
    let mut subject = Subject::prepare(&side, &baseline.side, guests).await?;
    subject.api.dashboard(&subject.table).await?;
    let side = restarted(product).await?;
    subject.api.target = side.target.clone();
    let rss = || anyhow::Ok(usage_of(side.pid)?.rss_kb as f64 / 1024.0);
    let empty = rss()?;
    let step = Step::begin(format!("a list of {} guests", whole(guests as f64)));
    let began = Instant::now();
    subject.api.dashboard(&subject.table).await?;
    let (woke, awake) = (began.elapsed(), rss()?);
    let millis = |time: Duration| ms(time.as_secs_f64() * 1e3);
    let mut rows = vec![[
        "waking from its storage".to_owned(),
        String::new(),
        String::new(),
        millis(woke),
    ]];
    let open = download(&side.target, &subject, &format!("limit={PAGE}"), "").await?;
    let sealed = format!("sealed=true&limit={PAGE}");
    let sealed = download(&side.target, &subject, &sealed, "").await?;
    let since = format!("since={}", open.position);
    let same = download(&side.target, &subject, &since, &open.position).await?;
    let path = format!("/pulse/tables/{}/rows", subject.table);
    let row = json!({"name": "Late Larry", "barcode": "LATE-1"});
    subject.api.post(&path, &row).await?;
    let one = download(&side.target, &subject, &since, "").await?;
    if one.bytes < 100 || one.pages != 1 {
        bail!("one change came as {} bytes", one.bytes);
    }
    for (what, download) in [
        ("the whole list", open),
        ("the whole list, sealed", sealed),
        ("nothing changed (304)", same),
        ("one guest was added", one),
    ] {
        rows.push([
            what.to_owned(),
            download.pages.to_string(),
            whole(download.bytes as f64),
            millis(download.took),
        ]);
    }
    step.done(format!("awake after {} ms", millis(woke)));
    let title = format!("A list of {} guests", whole(guests as f64));
    let mut table = Table::new(&title, &["what", "requests", "bytes", "ms"]);
    for row in rows {
        table.row(row);
    }
    report.table(table);
    let (grown, loaded) = (awake - empty, rss().context("the runtime is gone")? - empty);
    report.note(format!(
        "The object took {grown:.0} MiB of the runtime's memory when it was awake and {loaded:.0} MiB \
         with the downloads behind it."
    ));
    Ok(())
}
