//! Steps that need a running stack: one is started when the first of them asks, and shared.
//!
//! Invariant: the Worker under test is the release build unless a quick one is asked for, reached
//! through the strict proxy.
//! Failure: a stack that does not start fails every step that needs it; its folder is kept for a
//! look when anything failed.

use super::{Tally, browser, cargo, commands, schemathesis};
use crate::command::build::{self, Profile};
use crate::local::bouncer;
use crate::local::control;
use crate::local::database::Address;
use crate::local::folder::Folder;
use crate::local::scratch::Scratch;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::project::Project;
use crate::say;
use crate::tools;
use anyhow::Result;
use pulse_tests::authority::Authority;
use pulse_tests::replica::Cluster;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Secret and issuer of the Supabase project that the tests make tokens of.
const SUPABASE: [(&str, &str); 2] = [
    (
        "SUPABASE_JWT_SECRET",
        "a-secret-of-the-test-stack-at-least-32-bytes",
    ),
    ("SUPABASE_ISSUER", "https://tests.supabase.co/auth/v1"),
];
/// The origin that browsers of the tests may call from.
const ORIGIN: &str = "https://app.example";

/// How the Worker tells of a panic.
const PANIC: &str = "Error: Rust panic";

/// The stacks of a test run.
pub struct Live {
    project: Project,
    profile: Profile,
    keep: bool,
    /// A server to use instead of one for each stack.
    server: Option<Address>,
    runtime: Option<Runtime>,
    shared: Option<Running>,
    folders: Vec<PathBuf>,
    databases: Vec<Scratch>,
    /// Panics that were told of already.
    panics: usize,
}

/// A stack with its control server, and what tests need to know about it.
struct Running {
    stack: Arc<Stack>,
    environment: Vec<(&'static str, String)>,
}

/// How many end-to-end tests run at once: they wait more than they compute, so more than there are
/// processors of a small machine.
fn at_once() -> String {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    format!("--test-threads={}", processors.max(4))
}

impl Live {
    /// Starts nothing yet.
    pub fn new(project: &Project, profile: Profile, keep: bool, server: Option<Address>) -> Self {
        Self {
            project: project.clone(),
            profile,
            keep,
            server,
            runtime: None,
            shared: None,
            folders: Vec::new(),
            databases: Vec::new(),
            panics: 0,
        }
    }

    /// A step is no success while the Worker panics: that resets the isolate for everyone, and tests may
    /// not notice.
    pub fn without_panics(&mut self, mut tally: Tally) -> Tally {
        let logs = self.folders.iter();
        let logs =
            logs.filter_map(|folder| std::fs::read_to_string(folder.join("runtime.log")).ok());
        let panics: usize = logs.map(|log| log.matches(PANIC).count()).sum();
        if panics > self.panics {
            say::note(format!("{} panics in runtime.log", panics - self.panics));
            self.panics = panics;
            tally.failed += 1;
        }
        tally
    }

    /// The end-to-end tests, and those of what they stand on: the proxy, the replica.
    pub fn e2e(&mut self, filter: Option<&str>) -> Result<Tally> {
        let environment = self.shared()?;
        let scope = [
            "--package",
            "pulse-tests",
            "--lib",
            "--test",
            "e2e",
            "--test",
            "replica_support",
        ];
        cargo::test(&self.project, &scope, filter, &[&at_once()], &environment)
    }

    /// The fault tests, one at a time: each breaks the stack for all.
    pub fn faults(&mut self, filter: Option<&str>) -> Result<Tally> {
        if self.server.is_some() {
            return Ok(Tally::missing("they stop a server of their own"));
        }
        let environment = self.shared()?;
        let scope = ["--package", "pulse-tests", "--test", "faults"];
        cargo::test(
            &self.project,
            &scope,
            filter,
            &["--test-threads=1"],
            &environment,
        )
    }

    /// The pages in a browser.
    pub fn browser(&mut self) -> Result<Tally> {
        let Some(chromium) = browser::chromium() else {
            return Ok(Tally::missing(browser::HOW_TO_GET));
        };
        let mut environment = self.shared()?;
        let runtime = self.runtime()?;
        // What goes wrong with it is this step's failure and no other's.
        let replica = runtime.block_on(runtime.spawn(Cluster::start()))?;
        environment.extend([
            ("PULSE_REPLICA_PRIMARY", replica.primary.url("postgres")),
            ("PULSE_REPLICA_PORT", replica.standby.port().to_string()),
        ]);
        browser::run(&self.project, &chromium, &environment)
    }

    /// The project's other commands, some of them against the running stack.
    pub fn commands(&mut self) -> Result<Tally> {
        let environment = self.shared()?;
        let authority = environment
            .iter()
            .find(|(name, _)| *name == "PULSE_AUTHORITY");
        let authority =
            authority.map_or_else(Authority::new, |(_, folder)| Authority::of(folder.as_ref()));
        let url = self.url()?;
        let project = self.project.clone();
        self.runtime()?
            .block_on(commands::run(&project, &url, authority))
    }

    /// Generated requests.
    pub fn schemathesis(&mut self) -> Result<Tally> {
        let program = match schemathesis::ensure(&self.project) {
            Ok(program) => program,
            Err(error) => return Ok(Tally::missing(format!("{error:#}"))),
        };
        let environment = self.shared()?;
        let url = self.url()?;
        let project = self.project.clone();
        self.runtime()?
            .block_on(schemathesis::run(&project, &program, &url, &environment))
    }

    /// The end-to-end tests with PgBouncer behind the strict proxy.
    pub fn pgbouncer(&mut self, filter: Option<&str>) -> Result<Tally> {
        if bouncer::program().is_none() {
            let how = bouncer::HOW_TO_GET;
            return Ok(Tally::missing(format!(
                "there is no pgbouncer on the path; {how}"
            )));
        }
        let running = self.start(Pooler::ProxyAndBouncer)?;
        let scope = ["--package", "pulse-tests", "--test", "e2e"];
        let harness = [&*at_once()];
        let tally = cargo::test(
            &self.project,
            &scope,
            filter,
            &harness,
            &running.environment,
        );
        self.runtime()?.block_on(running.stack.stop());
        tally
    }

    /// Stops what runs; deletes the folders unless they are wanted.
    pub fn end(mut self, passed: bool) {
        if let Some(runtime) = self.runtime.take() {
            if let Some(running) = self.shared.take() {
                runtime.block_on(running.stack.stop());
            }
            for database in self.databases.drain(..) {
                runtime.block_on(database.drop());
            }
            // The control server holds the stack too.
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        }
        for folder in &self.folders {
            if passed && !self.keep {
                let _ = Folder::claim(folder).and_then(|folder| folder.clear());
            } else {
                stack::say_logs(folder);
            }
        }
    }

    /// The environment of the shared stack, which is started when it is not there.
    fn shared(&mut self) -> Result<Vec<(&'static str, String)>> {
        if self.shared.is_none() {
            self.shared = Some(self.start(Pooler::Proxy { strict: true })?);
        }
        let running = self.shared.as_ref();
        Ok(running
            .map(|running| running.environment.clone())
            .unwrap_or_default())
    }

    /// Where the shared stack answers.
    fn url(&mut self) -> Result<String> {
        self.shared()?;
        let running = self.shared.as_ref();
        Ok(running
            .map(|running| running.stack.url.clone())
            .unwrap_or_default())
    }

    fn start(&mut self, pooler: Pooler) -> Result<Running> {
        build::worker(&self.project, self.profile)?;
        let folder = Folder::fresh(&self.project, "test")?;
        self.folders.push(folder.path.clone());
        // Stand-ins of the tests have certificates that the Worker must be told to trust.
        Authority::make(&folder.path)?;
        let authority = folder.path.to_string_lossy().into_owned();
        let node = self.project.node().to_string_lossy().into_owned();
        let jwks = format!("http://127.0.0.1:{}/jwks.json", tools::free_port()?);
        // Every request is logged, so that tests can see what is not.
        let mut vars = stack::local_vars("test", "info");
        let more = [
            ("TEST_CLOCK", "1"),
            ("CORS_ORIGINS", ORIGIN),
            ("SUPABASE_JWKS_URL", &jwks),
            // Low enough to be met by a test, high enough for one device of a load test.
            ("RATE_LIMIT", "8000/50"),
            ("GUEST_RATE_LIMIT", "600/10"),
            // A model that hangs is given up while a test waits for it.
            ("CHAT_LIMIT", "12/60000"),
        ];
        for (name, value) in more.into_iter().chain(SUPABASE) {
            vars.insert(name.to_owned(), value.to_owned());
        }
        let database = match self.server.clone() {
            Some(server) => {
                let database = self.runtime()?.block_on(Scratch::create(&server))?;
                let address = database.address.clone();
                self.databases.push(database);
                Some(address)
            }
            None => None,
        };
        let project = self.project.clone();
        let options = Options {
            folder,
            port: 0,
            database,
            durable: false,
            pooler,
            crons: false,
            vars,
        };
        self.runtime()?.block_on(async {
            let stack = Arc::new(Stack::start(&project, options).await?);
            let control = control::start(stack.clone()).await?;
            say::note(format!("control at {control}"));
            let mut environment = stack.environment(&control)?;
            environment.extend([("PULSE_AUTHORITY", authority), ("PULSE_NODE", node)]);
            Ok(Running { stack, environment })
        })
    }

    fn runtime(&mut self) -> Result<&Runtime> {
        if self.runtime.is_none() {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            self.runtime = Some(builder.worker_threads(2).enable_all().build()?);
        }
        self.runtime
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("no runtime"))
    }
}
