//! What happens to the stack during a round.
//!
//! Invariant: a fault that is counted was done; how many there are depends on the seed, and when they
//! come on the operations answered so far.
//! Failure: a part of the stack that does not come back ends the run.

use super::round::Round;
use crate::demo::dice::Dice;
use crate::local::control;
use crate::local::stack::Stack;
use anyhow::{Context, Result};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an eviction is tried.
const EVICTION: Duration = Duration::from_secs(3);

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// The runtime was killed.
    pub kills: u64,
    /// The object was put out of memory.
    pub evictions: u64,
    /// Postgres was stopped and started.
    pub stops: u64,
    /// Postgres was frozen and thawed.
    pub freezes: u64,
    /// A flush was stored and its answer lost.
    pub lost: u64,
    /// The objects' storage was deleted.
    pub wipes: u64,
}

impl Trouble {
    /// Adds those of another round.
    pub fn join(&mut self, other: Self) {
        self.kills += other.kills;
        self.evictions += other.evictions;
        self.stops += other.stops;
        self.freezes += other.freezes;
        self.lost += other.lost;
        self.wipes += other.wipes;
    }

    /// Each by name.
    pub fn all(&self) -> [(&'static str, u64); 6] {
        [
            ("runtime killed with SIGKILL", self.kills),
            ("object evicted", self.evictions),
            ("Postgres stopped at once and started", self.stops),
            ("Postgres frozen", self.freezes),
            ("flush stored, its answer lost", self.lost),
            ("storage of the objects deleted", self.wipes),
        ]
    }
}

/// Makes trouble about every so many operations until the round has none left.
pub async fn make(
    stack: &Arc<Stack>,
    round: &Round,
    every: u64,
    mut dice: Dice,
) -> Result<Trouble> {
    let mut trouble = Trouble::default();
    let lost_before = lost(stack);
    let mut next = 0.0;
    loop {
        next += dice.between(0.3, 1.7) * every as f64;
        while (round.answered() as f64) < next {
            if round.is_over() {
                trouble.lost = lost(stack) - lost_before;
                return Ok(trouble);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match dice.share() {
            share if share < 0.25 => {
                stack.kill_worker(false).await?;
                trouble.kills += 1;
            }
            share if share < 0.55 => trouble.evictions += u64::from(evict(stack, round).await?),
            share if share < 0.70 => {
                stack.stop_postgres().await?;
                tokio::time::sleep(Duration::from_secs_f64(dice.between(0.2, 4.0))).await;
                stack.start_postgres().await?;
                trouble.stops += 1;
            }
            share if share < 0.80 => {
                stack.freeze_postgres(true).await?;
                tokio::time::sleep(Duration::from_secs_f64(dice.between(0.5, 5.0))).await;
                stack.freeze_postgres(false).await?;
                trouble.freezes += 1;
            }
            _ => {
                let count = 1 + u32::try_from(dice.index(3))?;
                let proxy = stack.proxy.as_ref().context("a soak has a proxy")?;
                proxy.lose_answers("flush_scans", count);
            }
        }
    }
}

fn lost(stack: &Stack) -> u64 {
    stack.proxy.as_ref().map_or(0, |proxy| proxy.stats().lost)
}

/// Puts the object out of memory while no client is in the middle of a request; false when something
/// else holds it, such as a flush.
async fn evict(stack: &Stack, round: &Round) -> Result<bool> {
    let _nobody = round.gate.write().await;
    let started = Instant::now();
    while started.elapsed() < EVICTION {
        let name = json!({"name": round.table});
        let order = control::order(stack, "/evict", &name);
        let Ok(ended) = tokio::time::timeout(EVICTION, order).await else {
            break;
        };
        match ended {
            Ok(_) => return Ok(true),
            Err(error) if error.to_string().contains("active references") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error.context("cannot evict")),
        }
    }
    Ok(false)
}
