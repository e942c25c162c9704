//! The embedded Postgres: a real server from npm, in the stack's folder.
//!
//! Invariant: it listens on the loopback address only, keeps its port while the stack lives, and
//! the role that owns the tables is neither superuser nor free of row-level security, as in
//! production.
//! Failure: a server that does not come up ends with the last lines of its log. As root the server
//! runs as `postgres` or `nobody`; where that user cannot reach the project's folder, programs and
//! data move to /var/tmp.

use super::database::Address;
use super::guard::{Guarded, Spec};
use super::secrets::Secrets;
use crate::project::{self, Project};
use crate::{run, say, tools};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The superuser of the server; only this file uses it.
const SUPERUSER: &str = "postgres";
/// The role that migrates and owns the tables.
pub const OWNER: &str = "pulse_owner";
/// The database.
pub const DATABASE: &str = "pulse";
/// Major version of the data folder.
const MAJOR: &str = "17";

/// A server of this stack.
#[derive(Debug)]
pub struct Embedded {
    place: Place,
    /// Waits for the disk at commit; throw-away stacks do not.
    durable: bool,
    port: u16,
    log: PathBuf,
    pidfile: PathBuf,
    secrets: Secrets,
    server: Option<Guarded>,
}

/// Where programs and data are, and who runs them.
#[derive(Debug)]
struct Place {
    bin: PathBuf,
    data: PathBuf,
    run_as: Option<(u32, u32)>,
}

impl Embedded {
    /// Makes the data folder when there is none, starts the server and makes role and database.
    pub async fn start(project: &Project, folder: &Path, durable: bool) -> Result<Self> {
        let secrets = Secrets::of(folder)?;
        let place = Place::find(project, folder)?;
        let port = remembered_port(folder)?;
        let mut server = Self {
            place,
            durable,
            port,
            log: folder.join("postgres.log"),
            pidfile: folder.join("postgres.pid"),
            secrets,
            server: None,
        };
        super::guard::sweep(&server.pidfile)?;
        server.initialise(folder)?;
        server.start_again().await?;
        server.prepare().await?;
        Ok(server)
    }

    /// The owner's address.
    pub fn owner(&self) -> Result<Address> {
        Address::local(OWNER, &self.secrets.owner_password, self.port, DATABASE)
    }

    /// Who sees every row of the product's database.
    pub fn admin(&self) -> Result<Address> {
        self.superuser(DATABASE)
    }

    /// The superuser's address.
    pub fn superuser(&self, database: &str) -> Result<Address> {
        Address::local(
            SUPERUSER,
            &self.secrets.superuser_password,
            self.port,
            database,
        )
    }

    /// The user that servers run as, when this command runs as root.
    pub fn run_as(&self) -> Option<(u32, u32)> {
        self.place.run_as
    }

    /// `initdb`, into a folder that gets its name when it is complete.
    fn initialise(&self, folder: &Path) -> Result<()> {
        let data = &self.place.data;
        if let Ok(version) = std::fs::read_to_string(data.join("PG_VERSION")) {
            if version.trim() != MAJOR {
                bail!(
                    "{} holds data of Postgres {}; start once with --reset to begin anew",
                    data.display(),
                    version.trim()
                );
            }
            return Ok(());
        }
        let step = say::Step::begin(format!("Postgres {MAJOR}: new data folder"));
        let fresh = data.with_extension("new");
        let _ = std::fs::remove_dir_all(&fresh);
        std::fs::create_dir_all(&fresh)?;
        std::fs::set_permissions(&fresh, PermissionsExt::from_mode(0o700))?;
        let password = fresh.with_extension("password");
        project::write_private(&password, &self.secrets.superuser_password)?;
        if let Some((uid, gid)) = self.place.run_as {
            std::os::unix::fs::chown(&fresh, Some(uid), Some(gid))?;
            std::os::unix::fs::chown(&password, Some(uid), Some(gid))?;
        }
        let mut initdb = Command::new(self.place.bin.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&fresh)
            .arg("--pwfile")
            .arg(&password);
        initdb.args([
            "--username",
            SUPERUSER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]);
        initdb.args([
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]);
        initdb.arg("--no-sync").current_dir("/");
        self.place.become_user(&mut initdb);
        let done = run::logged(&step, &mut initdb, &folder.join("initdb.log"));
        let _ = std::fs::remove_file(&password);
        done?;
        std::fs::rename(&fresh, data)?;
        step.done("");
        Ok(())
    }

    /// Starts the server on its port and waits until it takes connections.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        clear_leftover(&self.place.data)?;
        for attempt in 0.. {
            let log = File::options().create(true).append(true).open(&self.log)?;
            let server = Guarded::start(self.spec(), log.try_clone()?.into(), log.into()).await?;
            match self.wait(server).await {
                Ok(server) => {
                    self.server = Some(server);
                    break;
                }
                // The shared memory of a killed predecessor takes a moment to go.
                Err(error) if attempt < 20 && format!("{error:#}").contains("in use") => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn spec(&self) -> Spec {
        let sync = if self.durable { "on" } else { "off" };
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=128MB".to_owned(),
            "jit=off".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "logging_collector=off".to_owned(),
            format!("fsync={sync}"),
            format!("full_page_writes={sync}"),
        ];
        let mut args = vec!["-D".into(), self.place.data.clone().into()];
        args.extend(["-p".into(), self.port.to_string().into()]);
        for setting in settings {
            args.extend(["-c".into(), setting.into()]);
        }
        Spec {
            program: self.place.bin.join("postgres"),
            args,
            run_as: self.place.run_as,
            stop: "INT",
            grace: Duration::from_secs(20),
            pidfile: self.pidfile.clone(),
            marker: self.place.data.to_string_lossy().into_owned(),
        }
    }

    /// Waits for the first connection, or for the server's end.
    async fn wait(&self, mut server: Guarded) -> Result<Guarded> {
        let started = Instant::now();
        let address = self.superuser("postgres")?;
        loop {
            match address.connect().await {
                Ok(_) => return Ok(server),
                Err(error) if started.elapsed() > Duration::from_secs(60) => {
                    return Err(error.context(format!("see {}", self.log.display())));
                }
                Err(_) if server.has_ended() => bail!(
                    "Postgres did not start; the end of {}:\n{}",
                    self.log.display(),
                    run::tail(&self.log, 8)
                ),
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }

    /// Makes the owner and the database; harmless when they are there.
    async fn prepare(&self) -> Result<()> {
        let client = self.superuser("postgres")?.connect().await?;
        let verifier = super::migrations::verifier(&self.secrets.owner_password);
        client
            .batch_execute(&format!(
                "do $$ begin
                   if not exists (select from pg_roles where rolname = '{OWNER}') then
                     create role {OWNER} login createrole;
                   end if;
                 end $$;
                 alter role {OWNER} login createrole nosuperuser nobypassrls password '{verifier}'"
            ))
            .await?;
        let found = client
            .query_opt("select 1 from pg_database where datname = $1", &[&DATABASE])
            .await?;
        if found.is_none() {
            client
                .batch_execute(&format!("create database {DATABASE} owner {OWNER}"))
                .await?;
        }
        Ok(())
    }

    /// Stops politely: sessions are cut, everything is written.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Stops at once, as if the machine had failed; the next start recovers from the log.
    pub async fn stop_at_once(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.signal(Signal::QUIT)?;
            server.ended().await;
        }
        Ok(())
    }

    /// Freezes or thaws the server with all its sessions.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let server = self.server.as_ref().context("Postgres is stopped")?;
        let leader = server.pid().context("Postgres is stopped")?;
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        // The leader first, so that no session is born in between.
        kill_process(leader, signal)?;
        for pid in children(leader) {
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }
}

impl Place {
    fn find(project: &Project, folder: &Path) -> Result<Self> {
        let native = tools::embedded_postgres(project)?;
        let data = folder.join("postgres");
        let run_as = unprivileged()?;
        let place = Self {
            bin: native.join("bin"),
            data,
            run_as,
        };
        let mut probe = Command::new(place.bin.join("postgres"));
        probe.arg("--version").current_dir("/");
        place.become_user(&mut probe);
        match probe.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => Ok(place),
            Ok(output) => {
                bail!(
                    "Postgres does not run: {}",
                    String::from_utf8_lossy(&output.stderr)
                )
            }
            Err(_) if run_as.is_some() => place.moved(&native, folder),
            Err(error) => Err(error).context("Postgres does not run"),
        }
    }

    /// The same place where every user can reach it.
    fn moved(self, native: &Path, folder: &Path) -> Result<Self> {
        let base = refuge(folder);
        let copy = base.join("native");
        if !copy.is_dir() {
            say::note(format!(
                "the server's user cannot reach {}; Postgres lives in {}",
                folder.display(),
                base.display()
            ));
            let fresh = base.join("native.new");
            let _ = std::fs::remove_dir_all(&fresh);
            std::fs::create_dir_all(&base)?;
            std::fs::set_permissions(&base, PermissionsExt::from_mode(0o755))?;
            let mut copy_all = Command::new("cp");
            copy_all.arg("-RP").arg(native).arg(&fresh);
            if !copy_all.status()?.success() {
                bail!("cannot copy Postgres to {}", base.display());
            }
            std::fs::rename(&fresh, &copy)?;
        }
        Ok(Self {
            bin: copy.join("bin"),
            data: base.join("postgres"),
            run_as: self.run_as,
        })
    }

    fn become_user(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.run_as {
            command.uid(uid).gid(gid);
        }
    }
}

/// Where a stack's servers live when their user cannot reach the stack's folder.
pub fn refuge(folder: &Path) -> PathBuf {
    let key = project::sha256(folder.to_string_lossy().as_bytes());
    PathBuf::from("/var/tmp").join(format!("pulse-{}", &key[..12]))
}

/// Postgres refuses to run as root: the user and group it gets instead.
fn unprivileged() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    for user in ["postgres", "nobody"] {
        let id = |what: &str| -> Option<u32> {
            run::output(Command::new("id").args([what, user]))?
                .parse()
                .ok()
        };
        if let (Some(uid), Some(gid)) = (id("-u"), id("-g")) {
            return Ok(Some((uid, gid)));
        }
    }
    bail!("Postgres does not run as root, and there is no user postgres or nobody to run it as")
}

/// The port of the last run when it is free, so that a saved connection keeps working.
fn remembered_port(folder: &Path) -> Result<u16> {
    let path = folder.join("postgres.port");
    let last = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let port = match last {
        Some(port) if tools::port_is_free(port) => port,
        _ => tools::free_port()?,
    };
    std::fs::write(&path, port.to_string())?;
    Ok(port)
}

/// Ends a server that a killed command left behind, and removes its lock file. The stack's own lock
/// is held, so whatever runs on this folder is a leftover.
fn clear_leftover(data: &Path) -> Result<()> {
    let lock = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&lock) else {
        return Ok(());
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let started = Instant::now();
        while is_postgres(pid, data) {
            let gentle = started.elapsed() < Duration::from_secs(5);
            let _ = kill_process(pid, if gentle { Signal::QUIT } else { Signal::KILL });
            if started.elapsed() > Duration::from_secs(10) {
                bail!(
                    "Postgres of an earlier run (process {}) does not end",
                    pid.as_raw_nonzero()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let _ = std::fs::remove_file(&lock);
    Ok(())
}

fn is_postgres(pid: Pid, data: &Path) -> bool {
    let pid = pid.as_raw_nonzero().to_string();
    let args = run::output(Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]));
    args.is_some_and(|args| args.contains(&*data.to_string_lossy()))
}

fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let mut ps = Command::new("ps");
    let listing = run::output(ps.args(["-A", "-o", "pid=,ppid="])).unwrap_or_default();
    listing
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(_, ppid)| ppid.trim() == parent)
        .filter_map(|(pid, _)| Pid::from_raw(pid.parse().ok()?))
        .collect()
}
