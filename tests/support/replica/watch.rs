//! A watch over the sessions of an application: what the server shows of them, every 20 ms.
//!
//! Invariant: it misses what lasts less than the longest gap between two looks, which it tells. Times
//! of transactions, statements and states are the server's own; a lock's time is between the looks
//! that saw it.
//! Failure: a look that fails ends the watch, and [`Watch::end`] panics with why.

use super::{Customer, background};
use crate::database::Database;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);

/// A watch under way.
#[derive(Debug)]
pub struct Watch {
    stop: watch::Sender<bool>,
    looks: Arc<AtomicU64>,
    task: JoinHandle<Observed>,
}

/// What a watch saw.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// How often it looked.
    pub looks: u64,
    /// The longest time between two looks.
    pub longest_gap: Duration,
    /// The most sessions that there were at once.
    pub most_sessions: usize,
    /// Sessions that there were, by process.
    pub sessions: BTreeSet<i64>,
    /// The states that sessions were in, with the longest time in each.
    pub states: BTreeMap<String, Duration>,
    /// The longest transaction.
    pub longest_transaction: Duration,
    /// The longest statement.
    pub longest_statement: Duration,
    /// What sessions waited for, such as "Lock:relation".
    pub waits: BTreeSet<String>,
    /// How many transactions its oldest snapshot was old.
    pub oldest_snapshot: i64,
    /// Locks that were held or waited for.
    pub locks: Vec<Held>,
    /// Parallel workers that worked for it.
    pub parallel_workers: usize,
}

/// A lock that a session held or waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The session's process.
    pub pid: i64,
    /// The table, or the kind of what else is locked.
    pub of: String,
    /// Its mode, such as "AccessShareLock".
    pub mode: String,
    /// Whether it was held.
    pub granted: bool,
    /// How long it was seen at least.
    pub longest: Duration,
}

impl Observed {
    /// The longest time that a lock of a mode was held.
    pub fn held(&self, mode: &str) -> Duration {
        let held = self.locks.iter();
        let held = held.filter(|lock| lock.granted && lock.mode == mode);
        held.map(|lock| lock.longest).max().unwrap_or_default()
    }

    /// The modes of locks on tables that were held.
    pub fn modes(&self) -> BTreeSet<&str> {
        let held = self.locks.iter().filter(|lock| lock.granted);
        held.map(|lock| lock.mode.as_str()).collect()
    }
}

#[derive(Deserialize)]
struct Look {
    sessions: Vec<Seen>,
    locks: Vec<SeenLock>,
    workers: usize,
}

#[derive(Deserialize)]
struct Seen {
    pid: i64,
    state: Option<String>,
    transaction: Option<f64>,
    statement: Option<f64>,
    state_age: Option<f64>,
    wait: Option<String>,
    snapshot: Option<i64>,
}

#[derive(Deserialize, PartialEq, Eq, Hash, Clone)]
struct SeenLock {
    pid: i64,
    transaction: Option<String>,
    of: String,
    mode: String,
    granted: bool,
}

/// One look. A transaction's own lock on its number is no lock on anything of the customer's.
const LOOK: &str = "
    with mine as materialized (
      select * from pg_stat_activity
       where (application_name = $1 or usename = $1) and pid <> pg_backend_pid()),
    clients as (select * from mine where backend_type = 'client backend'),
    clock as (select clock_timestamp() as now)
    select jsonb_build_object(
      'workers', (select count(*) from mine where backend_type = 'parallel worker'),
      'sessions', coalesce((select jsonb_agg(jsonb_build_object(
          'pid', pid, 'state', state,
          'transaction', extract(epoch from now - xact_start),
          'statement', case when state = 'active' then extract(epoch from now - query_start) end,
          'state_age', extract(epoch from now - state_change),
          'wait', wait_event_type || ':' || wait_event,
          'snapshot', age(backend_xmin))) from clients, clock), '[]'),
      'locks', coalesce((select jsonb_agg(jsonb_build_object(
          'pid', l.pid, 'transaction', l.virtualtransaction, 'mode', l.mode, 'granted', l.granted,
          'of', coalesce(case when l.locktype = 'relation' then c.relname end, l.locktype)))
        from pg_locks l join clients using (pid)
        left join pg_class c on c.oid = l.relation
       where l.locktype <> 'virtualxid'), '[]'))";

impl Customer<'_> {
    /// Watches the sessions of an application or a role on the standby, from now on.
    pub async fn watch(&self, who: &str) -> Watch {
        Watch::start(self.cluster.standby.url(&self.name), who).await
    }

    /// What the standby shows of an application or a role at this moment.
    pub async fn seen(&self, who: &str) -> Observed {
        self.watch(who).await.end().await
    }

    /// Watches the sessions of an application or a role on the primary, from now on.
    pub async fn watch_primary(&self, who: &str) -> Watch {
        Watch::start(self.cluster.primary.url(&self.name), who).await
    }
}

impl Watch {
    async fn start(url: String, who: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (ready, begun) = tokio::sync::oneshot::channel();
        let who = who.to_owned();
        let looks = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&looks);
        let task = background().spawn(async move {
            let session = Database::at(&url).await;
            observe(&session, &who, stopped, ready, &counter).await
        });
        // The first look is behind us when this returns.
        let _ = begun.await;
        Self { stop, looks, task }
    }

    /// How often it has looked.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Ends it, with a last look.
    pub async fn end(self) -> Observed {
        self.stop.send_replace(true);
        self.task.await.expect("a watch")
    }
}

async fn observe(
    session: &Database,
    who: &str,
    mut stopped: watch::Receiver<bool>,
    ready: tokio::sync::oneshot::Sender<()>,
    looks: &AtomicU64,
) -> Observed {
    let mut observed = Observed::default();
    let mut locks: HashMap<SeenLock, (Instant, Instant)> = HashMap::new();
    let (mut ready, mut last) = (Some(ready), Instant::now());
    loop {
        let ending = *stopped.borrow_and_update();
        let answer = session.json(LOOK, &[(&who, Type::TEXT)]).await;
        let look: Look = serde_json::from_value(answer).expect("a look");
        let now = Instant::now();
        observed.longest_gap = observed.longest_gap.max(now - last);
        last = now;
        for lock in &look.locks {
            locks.entry(lock.clone()).or_insert((now, now)).1 = now;
        }
        observed.take(look);
        looks.store(observed.looks, Ordering::Relaxed);
        if let Some(ready) = ready.take() {
            let _ = ready.send(());
        }
        if ending {
            break;
        }
        // Dropped without an end, there is nobody to tell.
        if let Ok(Err(_)) = tokio::time::timeout(EVERY, stopped.changed()).await {
            break;
        }
    }
    observed.locks = summed(locks);
    observed
}

impl Observed {
    fn take(&mut self, look: Look) {
        self.looks += 1;
        self.most_sessions = self.most_sessions.max(look.sessions.len());
        self.parallel_workers = self.parallel_workers.max(look.workers);
        for seen in look.sessions {
            self.sessions.insert(seen.pid);
            self.longest_transaction = self.longest_transaction.max(lasting(seen.transaction));
            self.longest_statement = self.longest_statement.max(lasting(seen.statement));
            self.waits.extend(seen.wait);
            self.oldest_snapshot = self.oldest_snapshot.max(seen.snapshot.unwrap_or_default());
            let state = self.states.entry(seen.state.unwrap_or_default());
            let longest = state.or_default();
            *longest = (*longest).max(lasting(seen.state_age));
        }
    }
}

/// Locks of all transactions of a session in one.
fn summed(locks: HashMap<SeenLock, (Instant, Instant)>) -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    for (lock, (from, to)) in locks {
        let one = Held {
            pid: lock.pid,
            of: lock.of,
            mode: lock.mode,
            granted: lock.granted,
            longest: to - from,
        };
        let key = |held: &Held| (held.pid, held.of.clone(), held.mode.clone(), held.granted);
        match found.iter_mut().find(|held| key(held) == key(&one)) {
            Some(held) => held.longest = held.longest.max(one.longest),
            None => found.push(one),
        }
    }
    found.sort_by(|one, other| (&one.of, &one.mode).cmp(&(&other.of, &other.mode)));
    found
}

/// The clocks of two processes of the server may differ by a moment.
fn lasting(seconds: Option<f64>) -> Duration {
    Duration::from_secs_f64(seconds.unwrap_or_default().max(0.0))
}
