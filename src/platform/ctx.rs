//! What one event (a request, a tick, a message, an alarm) carries with it.
//!
//! Invariant: time and randomness enter the product here and are arguments below.
//! Failure: none.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use worker::Env;

use super::config::{self, Config};
use super::pg::Pg;
use super::{boundary, clock};

/// Bindings, time, randomness and the database of one event.
pub struct Ctx {
    /// The Worker's bindings.
    pub env: Env,
    /// Variables and secrets.
    pub config: Rc<Config>,
    /// The time of the event; moved by `x-pulse-now` on test stacks.
    pub now: DateTime<Utc>,
    /// Names this event in logs, answers and the database.
    pub request_id: String,
    /// Postgres.
    pub pg: Pg,
    background: Option<Rc<worker::Context>>,
}

impl Ctx {
    /// The context of an event that began now.
    pub fn new(
        env: Env,
        request_id: Option<String>,
        background: Option<Rc<worker::Context>>,
    ) -> Self {
        let config = config::of(&env);
        let now = clock::now();
        let request_id = request_id.unwrap_or_else(|| id_at(now).to_string());
        let pg = Pg::new(&env, &request_id);
        Self {
            env,
            config,
            now,
            request_id,
            pg,
            background,
        }
    }

    /// The same event, for work that outlives its answer; see [`Ctx::later`].
    pub fn detached(&self) -> Self {
        Self {
            env: self.env.clone(),
            config: Rc::clone(&self.config),
            now: self.now,
            request_id: self.request_id.clone(),
            pg: self.pg.clone(),
            background: None,
        }
    }

    /// A fresh UUIDv7.
    pub fn new_id(&self) -> Uuid {
        id_at(self.now)
    }

    /// Lets the event outlive its answer until `work` is done (at most 30 s). Errors are the
    /// future's own business.
    pub fn later(&self, work: impl Future<Output = ()> + 'static) {
        match &self.background {
            Some(context) => context.wait_until(work),
            None => worker::wasm_bindgen_futures::spawn_local(work),
        }
    }
}

/// A fresh UUIDv7 (RFC 9562 §5.7) of this time.
pub fn id_at(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid()
}

const POOL: usize = 1024;

thread_local! {
    static RANDOM: RefCell<(usize, [u8; POOL])> = const { RefCell::new((POOL, [0; POOL])) };
}

/// Bytes of the runtime's secure generator; a kilobyte is fetched per crossing, and no byte is
/// given out twice. `N` is at most 64.
pub fn random<const N: usize>() -> [u8; N] {
    RANDOM.with_borrow_mut(|(used, pool)| {
        if *used + N > POOL {
            boundary::random_bytes(pool);
            *used = 0;
        }
        let mut out = [0; N];
        if let Some(fresh) = pool.get_mut(*used..*used + N) {
            out.copy_from_slice(fresh);
            fresh.fill(0);
        }
        *used += N;
        out
    })
}
