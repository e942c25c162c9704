//! A whole running Pulse on this machine: Postgres, a pooler, the Worker on workerd.
//!
//! ```text
//! Worker ──► strict or plain proxy ──► PgBouncer ──► Postgres
//!            └── each of the two in the middle is optional ──┘
//! ```
//! Invariant: one command per folder; every part keeps its port while the stack lives, so parts can
//! be stopped and brought back under load.
//! Failure: a part that does not start stops those before it and ends the command with its log.

use super::bouncer::Bouncer;
use super::database::Address;
use super::folder::Folder;
use super::guard::Guarded;
use super::migrations::{self, APP_ROLE};
use super::postgres::Embedded;
use super::runtime::{Config, Runtime, Usage};
use super::secrets::Secrets;
use crate::project::Project;
use crate::say::{self, Step};
use crate::tools;
use anyhow::{Context, Result};
use pulse_tests::authority::Authority;
use pulse_tests::proxy::{Proxy, ProxyOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Connections that the proxy opens to Postgres, as many as a Hyperdrive configuration has.
const PROXY_CONNECTIONS: usize = 20;

/// What stands between the Worker and Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// The proxy of the tests: pools by transaction; strict refuses what Hyperdrive cannot carry.
    Proxy {
        /// Refuse what Hyperdrive cannot carry.
        strict: bool,
    },
    /// PgBouncer in transaction mode, nothing else: what benches measure behind.
    Bouncer {
        /// It asks each connection for a password, by SCRAM.
        scram: bool,
    },
    /// The strict proxy in front of PgBouncer.
    ProxyAndBouncer,
}

/// What stack to start.
#[derive(Debug)]
pub struct Options {
    /// Everything of the stack is in this folder.
    pub folder: Folder,
    /// The Worker's port at 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The owner's address of a server to use instead of the embedded one.
    pub database: Option<Address>,
    /// Wait for the disk at commit.
    pub durable: bool,
    /// What stands between the Worker and Postgres.
    pub pooler: Pooler,
    /// Fire the crons at their minutes.
    pub crons: bool,
    /// Variables of the Worker over those of `wrangler.toml`; secrets are added.
    pub vars: BTreeMap<String, String>,
}

/// A running stack. Its parts are behind locks, so that a control server can work on them while the
/// stack serves.
pub struct Stack {
    /// Where the Worker answers.
    pub url: String,
    /// Where the Worker answers without the assets router: what benches measure.
    pub direct_url: String,
    /// The Worker's variables, without the secrets of the stack.
    pub vars: BTreeMap<String, String>,
    /// The secrets of the stack.
    pub secrets: Secrets,
    /// The owner of the tables, directly.
    pub owner: Address,
    /// Who sees every row, for tests that look past the policies: the superuser of the embedded
    /// server, the owner of any other.
    pub admin: Address,
    /// The Worker's role, on the way the Worker takes.
    pub app: Address,
    /// The Worker.
    pub runtime: Mutex<Runtime>,
    /// Another one beside it, while a test wants one: the same database, objects and queues of its own.
    pub second: Mutex<Option<Runtime>>,
    project: Project,
    /// The embedded server, unless another one is used.
    pub postgres: Option<Mutex<Embedded>>,
    /// The proxy, if there is one.
    pub proxy: Option<Proxy>,
    bouncer: Mutex<Option<Bouncer>>,
    tunnel: Mutex<Option<Guarded>>,
    /// Held while the stack lives.
    folder: Folder,
}

impl Stack {
    /// Starts everything. The Worker must be built.
    pub async fn start(project: &Project, options: Options) -> Result<Self> {
        let folder = options.folder.path.clone();
        tools::require_port(options.port)?;
        let port = if options.port == 0 {
            tools::free_port()?
        } else {
            options.port
        };
        let secrets = Secrets::of(&folder)?;

        let step = Step::begin("Postgres");
        let (postgres, owner, admin, tunnel) = match &options.database {
            None => {
                let server = Embedded::start(project, &folder, options.durable).await?;
                let (owner, admin) = (server.owner()?, server.admin()?);
                (Some(server), owner, admin, None)
            }
            Some(address) => {
                let (plain, tunnel) = address.plain(project, &folder).await?;
                (None, plain.clone(), plain, tunnel)
            }
        };
        let place = options.database.as_ref().unwrap_or(&owner).place();
        step.done(&place);

        let password = app_password(options.database.as_ref(), &secrets)?;
        let step = Step::begin("migrations");
        let migrated =
            migrations::migrate(&owner, &project.at("migrations"), Some(&password)).await;
        let outcome = match &options.database {
            None => {
                migrated.context("the local database cannot be migrated; --reset deletes it")?
            }
            Some(_) => migrated?,
        };
        step.done(format!(
            "{} applied, {} in place",
            outcome.applied.len(),
            outcome.total
        ));

        let mut app = owner.with_role(APP_ROLE, &password)?;
        let mut bouncer = None;
        let scram = match options.pooler {
            Pooler::Bouncer { scram } => Some(scram),
            Pooler::ProxyAndBouncer => Some(true),
            Pooler::Proxy { .. } => None,
        };
        if let Some(scram) = scram {
            let run_as = postgres.as_ref().and_then(Embedded::run_as);
            let started = Bouncer::start(&folder, &app, run_as, scram).await?;
            app = started.address.clone();
            bouncer = Some(started);
        }
        let mut proxy = None;
        if !matches!(options.pooler, Pooler::Bouncer { .. }) {
            let strict = options.pooler != Pooler::Proxy { strict: false };
            let upstream = app.url().to_owned();
            let started = Proxy::start(ProxyOptions {
                upstream,
                port: 0,
                strict,
                pool_size: PROXY_CONNECTIONS,
            })
            .await
            .context("the Postgres proxy does not start")?;
            app = app.through(started.port())?;
            proxy = Some(started);
        }

        let step = Step::begin("Worker on workerd");
        let mut vars = options.vars.clone();
        vars.insert("TOKEN_SECRET".into(), secrets.token_secret.clone());
        vars.insert("DATA_KEYS".into(), secrets.data_keys.clone());
        vars.insert("OPERATOR_TOKEN".into(), secrets.operator_token.clone());
        vars.insert("PUBLIC_URL".into(), format!("http://127.0.0.1:{port}"));
        let config = Config {
            project: project.root.clone(),
            build: project.build_folder(),
            host: "127.0.0.1".to_owned(),
            port,
            state: folder.join("state"),
            database_url: app.url().to_owned(),
            vars,
            crons: options.crons,
            trusted: Some(Authority::certificate_in(&folder)).filter(|path| path.is_file()),
        };
        let runtime = Runtime::start(project, &folder, config).await?;
        let (url, direct_url) = (runtime.ready.url.clone(), runtime.ready.direct_url.clone());
        let stack = Self {
            url,
            direct_url,
            vars: options.vars,
            secrets,
            owner,
            admin,
            app,
            runtime: Mutex::new(runtime),
            second: Mutex::new(None),
            project: project.clone(),
            postgres: postgres.map(Mutex::new),
            proxy,
            bouncer: Mutex::new(bouncer),
            tunnel: Mutex::new(tunnel),
            folder: options.folder,
        };
        stack.answers().await?;
        step.done(&stack.url);
        Ok(stack)
    }

    /// Waits until the Worker answers anything at all: with Postgres down it says so, and is alive.
    pub async fn answers(&self) -> Result<Duration> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()?;
        let started = Instant::now();
        loop {
            match client.get(format!("{}/health", self.url)).send().await {
                Ok(_) => return Ok(started.elapsed()),
                Err(error) if started.elapsed() > Duration::from_secs(30) => {
                    return Err(error).context("the Worker does not answer");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// What a test process needs to know about this stack.
    pub fn environment(&self, control: &str) -> Result<Vec<(&'static str, String)>> {
        let mut environment = vec![
            ("PULSE_URL", self.url.clone()),
            ("PULSE_DIRECT_URL", self.direct_url.clone()),
            ("PULSE_CONTROL", control.to_owned()),
            ("PULSE_PG_ADMIN", self.admin.url().to_owned()),
            ("PULSE_PG_APP", self.app.url().to_owned()),
            ("PULSE_OPERATOR_TOKEN", self.secrets.operator_token.clone()),
            ("PULSE_TOKEN_SECRET", self.secrets.token_secret.clone()),
        ];
        let vars = &self.vars;
        for name in [
            "SUPABASE_JWT_SECRET",
            "SUPABASE_ISSUER",
            "SUPABASE_JWKS_URL",
        ] {
            if let Some(value) = vars.get(name) {
                environment.push((name, value.clone()));
            }
        }
        Ok(environment)
    }

    /// What the Worker and its runtime logged since the stack was started.
    pub fn log(&self) -> PathBuf {
        self.folder.path.join("runtime.log")
    }

    /// CPU time and memory of workerd; Linux only.
    pub async fn usage(&self) -> Result<Usage> {
        self.runtime.lock().await.usage()
    }

    /// The process id of workerd.
    pub async fn runtime_pid(&self) -> i32 {
        self.runtime.lock().await.ready.runtime_pid
    }

    /// Kills the runtime with SIGKILL and brings it back on the same port and state; answers how
    /// long it took from the kill to the first answer.
    pub async fn kill_worker(&self, wipe: bool) -> Result<Duration> {
        let started = Instant::now();
        let mut runtime = self.runtime.lock().await;
        runtime.kill().await;
        if wipe {
            runtime.wipe()?;
        }
        runtime.start_again().await?;
        drop(runtime);
        self.answers().await?;
        Ok(started.elapsed())
    }

    /// Starts the runtime again, on the same port and state, with variables over those it has.
    pub async fn restart_with(&self, vars: BTreeMap<String, String>) -> Result<Duration> {
        let started = Instant::now();
        let mut runtime = self.runtime.lock().await;
        runtime.config.vars.extend(vars);
        runtime.start_again().await?;
        drop(runtime);
        self.answers().await?;
        Ok(started.elapsed())
    }

    /// Starts a second Worker on the same database, as two deployments or two data centres have.
    pub async fn start_second(&self) -> Result<()> {
        let mut second = self.second.lock().await;
        let folder = self.folder.path.join("second");
        std::fs::create_dir_all(&folder)?;
        let mut config = self.runtime.lock().await.config.clone();
        config.port = tools::free_port()?;
        config.state = folder.join("state");
        *second = Some(Runtime::start(&self.project, &folder, config).await?);
        Ok(())
    }

    /// Kills the second Worker.
    pub async fn kill_second(&self) {
        if let Some(mut second) = self.second.lock().await.take() {
            second.kill().await;
        }
    }

    /// Stops Postgres at once; the proxy refuses connections until it is back.
    pub async fn stop_postgres(&self) -> Result<()> {
        if let Some(proxy) = &self.proxy {
            proxy.cut();
        }
        self.embedded()?.lock().await.stop_at_once().await
    }

    /// Brings Postgres back.
    pub async fn start_postgres(&self) -> Result<()> {
        self.embedded()?.lock().await.start_again().await?;
        if let Some(proxy) = &self.proxy {
            proxy.restore();
        }
        Ok(())
    }

    /// Freezes or thaws Postgres.
    pub async fn freeze_postgres(&self, frozen: bool) -> Result<()> {
        self.embedded()?.lock().await.freeze(frozen)
    }

    fn embedded(&self) -> Result<&Mutex<Embedded>> {
        self.postgres
            .as_ref()
            .context("this stack uses a Postgres that is not its own")
    }

    /// Stops every part, the Worker first.
    pub async fn stop(&self) {
        self.kill_second().await;
        self.runtime.lock().await.stop().await;
        if let Some(proxy) = &self.proxy {
            proxy.cut();
        }
        if let Some(bouncer) = self.bouncer.lock().await.take() {
            bouncer.stop().await;
        }
        if let Some(tunnel) = self.tunnel.lock().await.take() {
            tunnel.stop().await;
        }
        if let Some(postgres) = &self.postgres {
            postgres.lock().await.stop().await;
        }
    }
}

/// The password that the Worker's role gets. On a server elsewhere it is not ours to change.
fn app_password(database: Option<&Address>, secrets: &Secrets) -> Result<String> {
    let named = std::env::var("PULSE_APP_PASSWORD").unwrap_or_default();
    match database {
        Some(_) if !named.is_empty() => Ok(named),
        Some(server) if !server.is_here() => anyhow::bail!(
            "DATABASE_URL leads to {}: set PULSE_APP_PASSWORD to the password that {APP_ROLE} has \
             or gets there, or unset DATABASE_URL to use the embedded server",
            server.place()
        ),
        _ => Ok(secrets.app_password.clone()),
    }
}

/// The variables of a local Worker: private addresses may be reached, no jurisdictions.
pub fn local_vars(environment: &str, log_level: &str) -> BTreeMap<String, String> {
    let vars = [
        ("ENVIRONMENT", environment),
        ("OUTBOUND_ALLOW_PRIVATE", "1"),
        ("JURISDICTIONS", ""),
        ("HOSTING", ""),
        ("LOG_LEVEL", log_level),
    ];
    vars.into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Says where a stack's logs are.
pub fn say_logs(folder: &Path) {
    say::note(format!(
        "logs: {0}/runtime.log, {0}/postgres.log",
        folder.display()
    ));
}
