//! One Postgres server of a cluster: started, stopped, killed, set up and looked into.
//!
//! Invariant: it listens at 127.0.0.1 on a port that stays its own, and shows a certificate of
//! `localhost` that the test authority signed, until told otherwise.
//! Failure: a server that does not come up panics with the end of its log.

use super::home::{Home, SUPERUSER};
use super::port::Port;
use crate::authority::{Authority, Pair};
use crate::database::Database;
use crate::stack::within;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every server is told.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '32MB'
fsync = off
full_page_writes = off
autovacuum = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
ssl = on
scram_iterations = 4096
wal_level = replica
wal_keep_size = '512MB'
max_wal_size = '512MB'
wal_receiver_status_interval = '1s'
wal_retrieve_retry_interval = '100ms'
logging_collector = on
log_destination = 'jsonlog'
log_directory = 'log'
log_filename = 'server.log'
log_rotation_age = 0
log_rotation_size = 0
log_min_duration_statement = 0
log_connections = on
log_disconnections = on
shared_preload_libraries = 'pg_stat_statements,auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_buffers = on
auto_explain.log_timing = off
auto_explain.log_format = json
";

/// Who may come: everyone with a password, encrypted or not.
const ACCESS: &str = "
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

/// A server.
#[derive(Debug)]
pub struct Server {
    data: PathBuf,
    port: Port,
    process: Mutex<Option<Child>>,
}

impl Server {
    /// A data folder with settings; the server is not started.
    pub(super) fn make(data: PathBuf, pair: &Pair, more: &str) -> Self {
        let home = Home::get();
        home.copy_to(&data);
        let server = Self {
            port: Port::free(),
            process: Mutex::default(),
            data,
        };
        let initial = std::fs::read_to_string(server.at("postgresql.conf")).expect("settings");
        let port = server.port();
        let settings = format!("{initial}{SETTINGS}port = {port}\n{more}");
        home.write(&server.at("postgresql.conf"), &settings);
        home.write(&server.at("pg_hba.conf"), ACCESS);
        server.write_pair(pair);
        server
    }

    /// Its port at 127.0.0.1, past every door.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Starts it, if it does not run, and waits until it takes connections.
    pub async fn start(&self) {
        self.launch();
        let started = Instant::now();
        while let Err(error) = tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls)
            .await
            .map(drop)
        {
            let hopeless = !self.runs() || started.elapsed() > PATIENCE;
            assert!(!hopeless, "Postgres: {error:?}\n{}", self.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it, if it does not run, and waits for nothing.
    pub fn launch(&self) {
        let mut process = self.process();
        if process.is_some() {
            return;
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.data.with_extension("log"))
            .expect("a log");
        let mut postgres = Home::get().program("postgres");
        postgres.arg("-D").arg(&self.data);
        postgres.stdout(log.try_clone().expect("a log")).stderr(log);
        *process = Some(postgres.spawn().expect("postgres"));
    }

    /// Stops it politely: sessions are told and ended.
    pub async fn stop(&self) {
        self.end("INT").await;
    }

    /// Stops it at once, as if its machine had failed: it recovers when it is started again.
    pub async fn kill(&self) {
        self.end("QUIT").await;
    }

    /// Stops it politely and starts it again.
    pub async fn restart(&self) {
        self.stop().await;
        self.start().await;
    }

    async fn end(&self, name: &str) {
        self.signal(name);
        within(PATIENCE, "a server that ends", || async {
            (!self.runs()).then_some(())
        })
        .await;
        *self.process() = None;
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &*self.process() {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &pid]).output();
            sent.expect("kill");
        }
    }

    fn runs(&self) -> bool {
        let mut process = self.process();
        let child = process.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_words(&self) -> String {
        let mut all = String::new();
        for path in [self.data.with_extension("log"), self.at("log/server.json")] {
            all += &std::fs::read_to_string(path).unwrap_or_default();
        }
        let lines: Vec<_> = all.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// The superuser's address of a database.
    pub fn url(&self, database: &str) -> String {
        let (password, port) = (&Home::get().password, self.port());
        format!(
            "postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}?application_name=tests"
        )
    }

    /// A superuser's session with a database.
    pub async fn session(&self, database: &str) -> Database {
        Database::at(&self.url(database)).await
    }

    /// What a statement answers in a session of its own: one row with one `jsonb`.
    pub async fn ask(&self, sql: &str) -> Value {
        self.session("postgres").await.json(sql, &[]).await
    }

    /// Changes settings for all sessions, present and new, as an operator does, and waits until they
    /// hold. They must be ones that need no restart.
    pub async fn set<const N: usize>(&self, settings: [(&str, &str); N]) {
        let session = self.session("postgres").await;
        for (name, value) in settings {
            let sql = format!("alter system set {name} = '{value}'");
            session.run(&sql).await;
        }
        self.reload().await;
    }

    /// Reads settings, access rules and certificate anew, and waits until they hold for new sessions.
    pub async fn reload(&self) {
        let session = self.session("postgres").await;
        // The server takes sessions and reads its settings in one process, in turns.
        let mark = Uuid::new_v4().to_string();
        session
            .run(&format!("alter system set pulse.reloaded = '{mark}'"))
            .await;
        session.run("select pg_reload_conf()").await;
        within(PATIENCE, "settings that hold", || async {
            let sql = "select to_jsonb(current_setting('pulse.reloaded', true))";
            (self.ask(sql).await == mark.as_str()).then_some(())
        })
        .await;
    }

    /// The value of a setting in a new session, in its base unit.
    pub async fn setting(&self, name: &str) -> String {
        let sql = "select to_jsonb(setting) from pg_settings where name = $1";
        let session = self.session("postgres").await;
        let value = session.json(sql, &[(&name, Type::TEXT)]).await;
        value.as_str().expect("a setting").to_owned()
    }

    /// Shows new sessions this certificate.
    pub async fn present(&self, pair: &Pair) {
        self.write_pair(pair);
        self.set([("ssl", "on")]).await;
    }

    /// Shows new sessions a certificate of `localhost` that nobody has reason to trust.
    pub async fn present_untrusted(&self) {
        self.present(&Authority::new().host("localhost")).await;
    }

    /// Encrypts no new session.
    pub async fn encrypt_nothing(&self) {
        self.set([("ssl", "off")]).await;
    }

    fn write_pair(&self, pair: &Pair) {
        let write = |path: &Path, text: &str| Home::get().write(path, text);
        write(&self.at("server.crt"), &pair.certificate);
        write(&self.at("server.key"), &pair.key);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("CONT");
        self.signal("QUIT");
        if let Some(mut child) = self.process().take() {
            let started = Instant::now();
            while matches!(child.try_wait(), Ok(None)) {
                if started.elapsed() > Duration::from_secs(10) {
                    let _ = child.kill();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
