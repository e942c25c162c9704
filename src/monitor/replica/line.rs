//! The one session that an object has with its replica.
//!
//! A session may be used by every event of the object that opened it, because they share one
//! context; it is kept while it is used often and closed when it is not, since an object with an
//! open socket stays in memory.
//! Invariant: there is never a second backend: the old session has ended before a new one is opened,
//! and one that was given up in the middle of a statement is waited out, also by the object's
//! successor. One whose runtime died in the middle is ended by its time-out, and may meet the next
//! until then.
//! Failure: a [`Trouble`]; whoever asks next begins with a new session.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::fault::Trouble;
use super::storage::Storage;
use super::store::Access;
use crate::monitor::connections::{Owner, SslMode};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::pg::session::{Fault, Parameter, Session, Step, Target};

/// What administrators see of us in `pg_stat_activity`.
pub const APPLICATION: &str = "pulse-monitor";
/// How long a session that nobody uses stays open: a check of every minute finds it open.
pub const KEPT: TimeDelta = TimeDelta::seconds(75);
/// How long a host may take until we have signed in.
const OPENING: Duration = Duration::from_secs(8);
/// How long a server may take to set up a session.
const SETTING_UP: Duration = Duration::from_secs(4);
/// How long a server lets somebody sign in who says no more, unless it is told otherwise.
const SIGNING_IN: TimeDelta = TimeDelta::seconds(60);
/// How long a server is left alone that agreed to encrypt and then said nothing; twice as long after
/// each further time. The runtime keeps such a socket until the server ends it: each try costs one.
const STALLED: TimeDelta = TimeDelta::minutes(5);
/// The longest.
const LONGEST_STALLED: TimeDelta = TimeDelta::hours(1);
/// How long a backend can be at work that nobody listens to: the longest of its own limits, and a
/// little.
const AT_WORK: TimeDelta = TimeDelta::seconds(10);

/// Limits of the session as a whole, for whatever is asked in it; those that this version of the
/// server knows. What a transaction sets itself is narrower. The last two end a backend whose client
/// is gone.
const LIMITS: &str = "
    select count(set_config(s.name, v.value, false))::text
    from (values ('default_transaction_read_only', 'on'), ('statement_timeout', '2s'),
                 ('lock_timeout', '250ms'), ('idle_in_transaction_session_timeout', '5s'),
                 ('max_parallel_workers_per_gather', '0'), ('jit', 'off'),
                 ('search_path', 'pg_catalog'), ('idle_session_timeout', '150s'),
                 ('client_connection_check_interval', '1s')) v (name, value)
    join pg_catalog.pg_settings s on s.name = v.name";

/// The session, if one is open.
#[derive(Default)]
pub struct Line {
    open: Option<Open>,
    stalled: Option<Stalled>,
}

/// A server whose encryption never came about.
struct Stalled {
    fault: Fault,
    pause: TimeDelta,
    until: DateTime<Utc>,
}

struct Open {
    session: Session,
    /// Whether the limits of the session are set.
    limited: bool,
    /// Of the connection that it was opened for.
    version: i64,
    used_at: DateTime<Utc>,
}

impl Line {
    /// Makes sure that a session is open for the connection as it is now.
    pub async fn ready(
        &mut self,
        ctx: &Ctx,
        storage: &Storage,
        connection: Uuid,
        access: &Access,
    ) -> Result<(), Trouble> {
        if let Some(open) = &mut self.open
            && open.version == access.version
            && open.session.is_open()
        {
            open.used_at = clock::now();
            return Ok(());
        }
        self.close().await;
        if storage.quiet_until()?.is_some_and(|at| at > clock::now()) {
            return Err(Trouble::Busy);
        }
        if let Some(stalled) = &self.stalled
            && stalled.until > clock::now()
        {
            return Err(stalled.fault.clone().into());
        }
        let owner = Owner {
            tenant: access.tenant_id,
            connection,
            version: access.secret_version,
        };
        let password = owner.open(ctx, &access.secret)?;
        let target = Target {
            host: &access.host,
            port: access.port,
            database: &access.database,
            user: &access.username,
            password: &password,
            encrypted: access.sslmode == SslMode::Require,
            application: APPLICATION,
        };
        let session = match Session::open(ctx, &target, OPENING).await {
            Ok(session) => session,
            Err(fault) => {
                if fault.late && fault.step == Step::SigningIn {
                    storage.put("quiet_until", &(clock::now() + SIGNING_IN))?;
                }
                if fault.late && fault.step == Step::Encrypting {
                    self.stall(&fault);
                }
                return Err(fault.into());
            }
        };
        self.stalled = None;
        self.open = Some(Open {
            session,
            limited: false,
            version: access.version,
            used_at: clock::now(),
        });
        Ok(())
    }

    fn stall(&mut self, fault: &Fault) {
        let before = self.stalled.take();
        let pause = before.map_or(STALLED, |before| {
            (before.pause + before.pause).min(LONGEST_STALLED)
        });
        self.stalled = Some(Stalled {
            fault: fault.clone(),
            pause,
            until: clock::now() + pause,
        });
    }

    /// Somebody says that the server is well again: it is tried once, whatever was before.
    pub fn try_again(&mut self) {
        if let Some(stalled) = &mut self.stalled {
            stalled.until = DateTime::UNIX_EPOCH;
        }
    }

    /// Sets the limits of the session, once it is known that more may be said in it. Whether that took
    /// a statement.
    pub async fn limit(&mut self, storage: &Storage) -> Result<bool, Trouble> {
        if self.open.as_ref().is_some_and(|open| open.limited) {
            return Ok(false);
        }
        self.ask(storage, LIMITS, &[], SETTING_UP).await?;
        if let Some(open) = &mut self.open {
            open.limited = true;
        }
        Ok(true)
    }

    /// Asks; a session must be ready. Whatever did not answer in time is waited out before there is
    /// another session.
    pub async fn ask(
        &mut self,
        storage: &Storage,
        sql: &str,
        parameters: &[Parameter<'_>],
        patience: Duration,
    ) -> Result<Option<String>, Trouble> {
        let Some(open) = &mut self.open else {
            return Err(Trouble::Busy);
        };
        let answer = open.session.ask(sql, parameters, patience).await;
        open.used_at = clock::now();
        if let Err(Fault { late: true, .. }) = &answer {
            self.open = None;
            storage.put("quiet_until", &(clock::now() + AT_WORK))?;
        }
        Ok(answer?)
    }

    /// Runs statements that answer nothing; as [`Line::ask`].
    pub async fn run(
        &mut self,
        storage: &Storage,
        sql: &str,
        patience: Duration,
    ) -> Result<(), Trouble> {
        let Some(open) = &mut self.open else {
            return Err(Trouble::Busy);
        };
        let outcome = open.session.run(sql, patience).await;
        open.used_at = clock::now();
        if let Err(Fault { late: true, .. }) = &outcome {
            self.open = None;
            storage.put("quiet_until", &(clock::now() + AT_WORK))?;
        }
        Ok(outcome?)
    }

    /// Whether there is a session that can be asked.
    pub fn is_open(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.session.is_open())
    }

    /// Ends the session if it was opened for another version of the connection.
    pub async fn close_unless(&mut self, version: i64) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.version != version)
        {
            self.close().await;
        }
    }

    /// Ends the session, and answers when its backend is gone.
    pub async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.session.close().await;
        }
    }

    /// When the session has been unused for so long that it is closed.
    pub fn closes_at(&self) -> Option<DateTime<Utc>> {
        self.open.as_ref().map(|open| open.used_at + KEPT)
    }
}
