//! What a server logged: every statement with its application, duration, plan and error, and every
//! session.
//!
//! Invariant: complete up to the moment of the question; statements of sessions that did not get
//! their answer yet are missing.
//! Failure: a log that does not come to its end within its time panics.

use super::{PATIENCE, Server};
use crate::stack::within;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;
use uuid::Uuid;

/// A moment in a server's log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// How a statement came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// As text, in one message.
    Simple,
    /// Read and planned, not yet run.
    Parse,
    /// Given its parameters, not yet run.
    Bind,
    /// Run, after the two before.
    Execute,
    /// Refused or cancelled, at any of these.
    Failed,
}

/// A step of a statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// The server's process.
    pub pid: i64,
    /// `application_name` of the session.
    pub application: String,
    /// The role.
    pub role: String,
    /// The database.
    pub database: String,
    /// Which step.
    pub step: Step,
    /// The text, or for a session that was ended what it was told.
    pub text: String,
    /// The values of its parameters, as the server words them.
    pub parameters: Option<String>,
    /// How long the step took; nothing for one that failed.
    pub took: Option<Duration>,
    /// SQLSTATE of its error.
    pub error: Option<String>,
    /// What the error said.
    pub message: Option<String>,
    /// How it was carried out, with counts; one with parameters tells when the next one comes or its
    /// transaction ends.
    pub plan: Option<Plan>,
}

/// How a statement was carried out.
#[derive(Clone, Debug)]
pub struct Plan(pub Value);

impl Plan {
    /// Pages that it found in memory or read.
    pub fn buffers(&self) -> u64 {
        let of = |key: &str| self.0["Plan"][key].as_u64().unwrap_or_default();
        of("Shared Hit Blocks") + of("Shared Read Blocks")
    }

    /// The kinds of its nodes with their tables, such as "Seq Scan orders".
    pub fn nodes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![&self.0["Plan"]];
        while let Some(node) = waiting.pop() {
            let of = |key: &str| node[key].as_str().unwrap_or_default();
            let name = format!("{} {}", of("Node Type"), of("Relation Name"));
            found.push(name.trim().to_owned());
            waiting.extend(node["Plans"].as_array().into_iter().flatten());
        }
        found
    }
}

/// A session, from the moment its role was let in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The server's process.
    pub pid: i64,
    /// `application_name`.
    pub application: String,
    /// The role.
    pub role: String,
    /// The database.
    pub database: String,
    /// Whether it was encrypted; unknown for one that began before the excerpt.
    pub encrypted: Option<bool>,
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended, if it did.
    pub to: Option<DateTime<Utc>>,
    /// SQLSTATE of what ended it, if it did not leave by itself.
    pub ended_by: Option<String>,
}

/// A part of a log.
#[derive(Clone, Debug, Default)]
pub struct Excerpt {
    /// Steps of statements, in the order in which they ended.
    pub statements: Vec<Statement>,
    /// Sessions that began or ended in it.
    pub sessions: Vec<Session>,
}

impl Server {
    /// This moment in its log.
    pub async fn mark(&self) -> Mark {
        Mark(self.logged().await)
    }

    /// Everything since a mark.
    pub async fn since(&self, mark: Mark) -> Excerpt {
        let end = self.logged().await;
        let mut file = std::fs::File::open(self.at("log/server.json")).expect("a log");
        file.seek(SeekFrom::Start(mark.0)).expect("a mark");
        let mut text = String::new();
        file.take(end - mark.0)
            .read_to_string(&mut text)
            .expect("a log in UTF-8");
        Excerpt::read(&text)
    }

    /// Waits until everything that happened is in the log, and says how long it is.
    async fn logged(&self) -> u64 {
        let word = Uuid::new_v4().to_string();
        let path = self.at("log/server.json");
        // Others may write any number of lines behind the word before it is looked for.
        let from = std::fs::metadata(&path).map_or(0, |file| file.len());
        // Every process of the server writes to one pipe; what this one writes comes last.
        let session = self.session("postgres").await;
        session.run(&format!("select '{word}'")).await;
        within(PATIENCE, "the end of a log", || async {
            let mut file = std::fs::File::open(&path).ok()?;
            file.seek(SeekFrom::Start(from)).ok()?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).ok()?;
            let (mut end, mut found) = (from, None);
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                end += line.len() as u64;
                if line.ends_with(b"\n") && String::from_utf8_lossy(line).contains(&word) {
                    found = Some(end);
                }
            }
            found
        })
        .await
    }
}

impl Excerpt {
    /// What an application or a role did.
    pub fn of(&self, who: &str) -> Self {
        let mut excerpt = self.clone();
        excerpt
            .statements
            .retain(|statement| statement.application == who || statement.role == who);
        excerpt
            .sessions
            .retain(|session| session.application == who || session.role == who);
        excerpt
    }

    /// Statements that were run: texts of those that ended well and of those that failed.
    pub fn run(&self) -> Vec<&Statement> {
        let ran = |step| matches!(step, Step::Simple | Step::Execute | Step::Failed);
        self.statements
            .iter()
            .filter(|statement| ran(statement.step))
            .collect()
    }

    /// SQLSTATEs of the errors.
    pub fn errors(&self) -> Vec<&str> {
        let errors = self.statements.iter();
        errors.filter_map(|one| one.error.as_deref()).collect()
    }

    /// How long the server worked on what ended well.
    pub fn busy(&self) -> Duration {
        self.statements.iter().filter_map(|one| one.took).sum()
    }

    /// Pages that it found in memory or read.
    pub fn buffers(&self) -> u64 {
        let plans = self.statements.iter().filter_map(|one| one.plan.as_ref());
        plans.map(Plan::buffers).sum()
    }
}

/// The most of these sessions that there were at once, without those that the server refused because
/// there were too many. Two that meet within the millisecond that the log counts in are not at once.
pub fn most_at_once(sessions: &[Session]) -> usize {
    let refused = |session: &&Session| session.ended_by.as_deref() == Some("53300");
    let had: Vec<_> = sessions.iter().filter(|one| !refused(one)).collect();
    let living = |at: DateTime<Utc>| {
        let alive = |session: &&&Session| session.from <= at && session.to.is_none_or(|to| to > at);
        had.iter().filter(alive).count()
    };
    let starts = had.iter().map(|session| living(session.from));
    starts.max().unwrap_or_default()
}
