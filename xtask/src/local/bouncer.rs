//! PgBouncer in transaction mode: the nearest thing to Hyperdrive that runs here.
//!
//! Invariant: clients of the Worker's role only, from the loopback address only.
//! Failure: without `pgbouncer` on the path nothing is started, and the caller says how to get it.

use super::database::Address;
use super::guard::{Guarded, Spec};
use super::migrations::APP_ROLE;
use crate::{project, run, tools};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How to get it, for messages.
pub const HOW_TO_GET: &str =
    "Debian, Ubuntu: apt-get install pgbouncer; macOS: brew install pgbouncer";

/// A running pooler.
#[derive(Debug)]
pub struct Bouncer {
    process: Guarded,
    /// The Worker's role through the pooler.
    pub address: Address,
}

/// Where the program is, if it is installed.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

impl Bouncer {
    /// Starts a pooler in front of `app`, the Worker's role on the server itself. Without `scram` it
    /// asks its clients for no password.
    pub async fn start(
        folder: &Path,
        app: &Address,
        run_as: Option<(u32, u32)>,
        scram: bool,
    ) -> Result<Self> {
        let program = program().with_context(|| format!("no pgbouncer ({HOW_TO_GET})"))?;
        let folder = reachable(folder, run_as)?;
        let port = tools::free_port()?;
        let (config, log) = (folder.join("pgbouncer.ini"), folder.join("pgbouncer.log"));
        let users = folder.join("pgbouncer.users");
        project::write_private(&users, &format!("\"{APP_ROLE}\" \"{}\"\n", app.password()))?;
        let ini = format!(
            "[databases]\n{database} = host={host} port={server} dbname={database}\n\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = {auth}\nauth_file = {users}\npool_mode = transaction\n\
             default_pool_size = 20\nmax_client_conn = 2000\n{prepared}\
             ignore_startup_parameters = extra_float_digits\nserver_round_robin = 1\n\
             log_connections = 0\nlog_disconnections = 0\n",
            prepared = prepared_setting(&program),
            auth = if scram { "scram-sha-256" } else { "trust" },
            database = app.database(),
            host = app.host(),
            server = app.port(),
            users = users.display(),
        );
        project::write_private(&config, &ini)?;
        if let Some((uid, gid)) = run_as {
            for file in [&config, &users] {
                std::os::unix::fs::chown(file, Some(uid), Some(gid))?;
            }
        }
        let output = File::options().create(true).append(true).open(&log)?;
        let spec = Spec {
            program,
            args: vec![config.clone().into()],
            run_as,
            stop: "INT",
            grace: Duration::from_secs(3),
            pidfile: folder.join("pgbouncer.pid"),
            marker: config.to_string_lossy().into_owned(),
        };
        let mut process = Guarded::start(spec, output.try_clone()?.into(), output.into()).await?;
        let address = app.through(port)?;
        let started = Instant::now();
        while let Err(error) = address.connect().await {
            if process.has_ended() || started.elapsed() > Duration::from_secs(15) {
                let tail = run::tail(&log, 8);
                return Err(error.context(format!("PgBouncer does not answer:\n{tail}")));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(Self { process, address })
    }

    /// Stops it.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}

/// Versions from 1.21 on carry named statements over transactions; here they must not, as nothing may
/// rely on it. Older ones do not know the setting.
fn prepared_setting(program: &Path) -> &'static str {
    let said = run::output(Command::new(program).arg("--version")).unwrap_or_default();
    let version = said
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("PgBouncer "));
    let mut parts = version
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version >= (1, 21) {
        "max_prepared_statements = 0\n"
    } else {
        ""
    }
}

/// A folder that the pooler's user can read: the stack's, or one of its own under /var/tmp.
fn reachable(folder: &Path, run_as: Option<(u32, u32)>) -> Result<PathBuf> {
    let Some((uid, gid)) = run_as else {
        return Ok(folder.to_owned());
    };
    use std::os::unix::process::CommandExt;
    let probe = Command::new("ls")
        .arg(folder)
        .uid(uid)
        .gid(gid)
        .current_dir("/")
        .output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Ok(folder.to_owned());
    }
    let moved = super::postgres::refuge(folder);
    if std::fs::create_dir_all(&moved).is_err() {
        bail!("cannot create {}", moved.display());
    }
    Ok(moved)
}
