//! Load: closed loops, where each connection sends as fast as it is answered, and an open one, where
//! requests come at a rate whatever the answers do.
//!
//! Invariant: a slice ends at its time, or when a request fails. In the open loop a latency counts
//! from when the request was due, unless its connection was idle then: how late this process woke
//! up is not the server's.
//! Failure: the first wrong answer ends the slice with what came.

use super::figures::Latencies;
use super::http::{Connection, Reply, Target};
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What one connection sends, and what it expects.
pub trait Caller: Send + 'static {
    /// Writes the next request.
    fn next(&mut self, out: &mut Vec<u8>);

    /// Looks at its answer; an error ends the slice.
    fn answered(&mut self, reply: &Reply<'_>) -> Result<()>;
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As soon as the answer is there.
    Closed,
    /// So many a second over all connections.
    Open(u32),
}

/// What came of a slice.
#[derive(Debug, Default)]
pub struct Slice {
    /// Of each answered request.
    pub latencies: Latencies,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// Opens a connection for each caller.
pub async fn connect(target: &Target, count: usize) -> Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(Connection::open(target).await?);
    }
    Ok(connections)
}

/// Runs one slice: each caller on a connection of its own, opened before the clock starts.
pub async fn run<C: Caller>(
    target: &Target,
    callers: Vec<C>,
    pace: Pace,
    time: Duration,
) -> Result<(Slice, Vec<C>)> {
    let connections = connect(target, callers.len()).await?;
    let started = Instant::now();
    let tickets = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for (connection, caller) in connections.into_iter().zip(callers) {
        let tickets = tickets.clone();
        tasks.spawn(async move {
            match pace {
                Pace::Closed => closed(connection, caller, started, time).await,
                Pace::Open(rate) => open(connection, caller, started, time, rate, &tickets).await,
            }
        });
    }
    let mut slice = Slice::default();
    let mut callers = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (latencies, caller) = done.context("a connection's task failed")??;
        slice.latencies.join(latencies);
        callers.push(caller);
    }
    slice.took = started.elapsed();
    if slice.latencies.count() == 0 {
        bail!("nothing was answered");
    }
    Ok((slice, callers))
}

async fn closed<C: Caller>(
    mut connection: Connection,
    mut caller: C,
    started: Instant,
    time: Duration,
) -> Result<(Latencies, C)> {
    let mut latencies = Latencies::default();
    let mut request = Vec::with_capacity(2048);
    while started.elapsed() < time {
        request.clear();
        caller.next(&mut request);
        let sent = Instant::now();
        let reply = connection.send(&request).await?;
        latencies.add(sent.elapsed());
        caller.answered(&reply)?;
    }
    Ok((latencies, caller))
}

async fn open<C: Caller>(
    mut connection: Connection,
    mut caller: C,
    started: Instant,
    time: Duration,
    rate: u32,
    tickets: &AtomicU64,
) -> Result<(Latencies, C)> {
    let mut latencies = Latencies::default();
    let mut request = Vec::with_capacity(2048);
    loop {
        let ticket = tickets.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(ticket as f64 / f64::from(rate));
        if due >= time {
            return Ok((latencies, caller));
        }
        let due = started + due;
        request.clear();
        caller.next(&mut request);
        let idle = Instant::now() < due;
        tokio::time::sleep_until(due.into()).await;
        let from = if idle { Instant::now() } else { due };
        let reply = connection.send(&request).await?;
        latencies.add(from.elapsed());
        caller.answered(&reply)?;
    }
}
