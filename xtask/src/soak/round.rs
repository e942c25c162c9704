//! One round: an event, its clients, what happens meanwhile, and the judgement at its end.
//!
//! Invariant: every client has sent all that it queued before anything is judged.
//! Failure: an answer that is neither success nor "try again" ends the run.

use super::Options;
use super::client::Client;
use super::judge::{self, Found};
use super::trouble;
use crate::bench::api::{Api, Scanner};
use crate::bench::figures::whole;
use crate::demo::dice::Dice;
use crate::local::stack::Stack;
use crate::say;
use anyhow::{Context, Result};
use pulse_tests::history::{History, Rule};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

/// Operations for each guest: enough that most are met more than once.
const PER_GUEST: u64 = 3;
/// How often progress is printed.
const BEAT: Duration = Duration::from_secs(15);

/// Numbers of a round.
#[derive(Debug, Default)]
pub struct Counts {
    /// Operations given out.
    pub begun: AtomicU64,
    /// Operations answered.
    pub answered: AtomicU64,
    /// Those that devices decided without a connection.
    pub queued: AtomicU64,
    /// Items that no server takes.
    pub poison: AtomicU64,
    /// Annulments.
    pub undone: AtomicU64,
    /// Requests sent again, because no answer came.
    pub retries: AtomicU64,
    /// Frames answered; all else went over HTTP.
    pub frames: AtomicU64,
    /// Answers that were thrown away on purpose.
    pub cut: AtomicU64,
    /// Operations told to have been answered before.
    pub replays: AtomicU64,
}

/// What the clients of a round share.
#[derive(Debug)]
pub struct Round {
    /// The check-in table.
    pub table: String,
    /// Guests on the list.
    pub guests: u64,
    /// What was asked and told.
    pub history: History,
    /// Numbers.
    pub counts: Counts,
    /// Held by clients in the middle of a step, and by who wants none.
    pub gate: RwLock<()>,
    size: u64,
    over: AtomicBool,
}

impl Round {
    /// Takes operations out of those that are left; false when there are none.
    pub fn take(&self, count: u64) -> bool {
        let before = self.counts.begun.load(Relaxed);
        if before >= self.size {
            return false;
        }
        self.counts.begun.fetch_add(count, Relaxed);
        true
    }

    /// Operations answered so far.
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Relaxed)
    }

    /// Has every client ended?
    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }
}

/// The code of a guest on the list.
pub fn code_of(guest: u64) -> String {
    format!("S{guest}")
}

/// Runs a round of so many operations.
pub async fn run(stack: &Arc<Stack>, options: &Options, number: u64, size: u64) -> Result<Found> {
    let mut dice = Dice::new(options.seed ^ (number + 1).wrapping_mul(0x5851_f42d_4c95_7f2d));
    let rule = if number.is_multiple_of(2) {
        Rule::Once
    } else {
        Rule::AfterExit
    };
    let guests = (size / PER_GUEST).max(50);
    let mut api = Api::at(&stack.url)?;
    api.register("Soak").await?;
    let (table, scanners) = prepare(&api, guests, rule, options.clients).await?;
    let round = Arc::new(Round {
        table,
        guests,
        history: History::default(),
        counts: Counts::default(),
        gate: RwLock::new(()),
        size,
        over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for scanner in scanners {
        let client = Client::new(&api.target, &scanner, round.clone(), Dice::new(dice.next()));
        clients.spawn(client.work());
    }
    let trouble = trouble::make(stack, &round, options.every, Dice::new(dice.next()));
    let working = async {
        let mut failed = None;
        while let Some(ended) = clients.join_next().await {
            if let Err(error) = ended.context("a client's task failed").flatten() {
                failed.get_or_insert(error);
            }
        }
        round.over.store(true, Relaxed);
        failed.map_or(Ok(()), Err)
    };
    let (trouble, ()) = tokio::select! {
        both = async { tokio::try_join!(trouble, working) } => both?,
        () = progress(&round, number) => unreachable!("progress never ends"),
    };
    judge::round(stack, &mut api, &round, rule, trouble).await
}

async fn prepare(
    api: &Api,
    guests: u64,
    rule: Rule,
    clients: u64,
) -> Result<(String, Vec<Scanner>)> {
    let mut csv = "name,barcode\n".to_owned();
    for guest in 0..guests {
        writeln!(csv, "Guest {guest},{}", code_of(guest))?;
    }
    let table = api.guest_list("Soak", &csv).await?;
    let settings = json!({"allow_reentry": rule == Rule::AfterExit});
    let enable = json!({"table_id": table, "settings": settings});
    api.post("/pulse", &enable).await?;
    let mut scanners = Vec::new();
    for number in 0..clients {
        let name = format!("Scanner {number}");
        scanners.push(api.scanner(&table, &name, "Door").await?);
    }
    Ok((table, scanners))
}

async fn progress(round: &Round, number: u64) {
    let (began, mut before) = (Instant::now(), 0);
    loop {
        tokio::time::sleep(BEAT).await;
        let answered = round.answered();
        let rate = (answered - before) as f64 / BEAT.as_secs_f64();
        before = answered;
        say::note(format!(
            "round {}: {} of {} answered after {}, {} a second",
            number + 1,
            whole(answered as f64),
            whole(round.size as f64),
            say::time(began.elapsed()),
            whole(rate),
        ));
    }
}
