//! What a server logged: every statement with its application, duration, plan and error, and every
//! session.
//!
//! Invariant: complete up to the moment of the question; statements of sessions that did not get
//! their answer yet are missing.
//! Failure: a line that cannot be read panics with the line.

use super::{PATIENCE, Server};
use crate::stack::within;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
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
    /// How it was carried out, with counts.
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

#[derive(Deserialize)]
struct Line {
    timestamp: String,
    session_start: String,
    pid: i64,
    #[serde(default)]
    user: String,
    #[serde(default)]
    dbname: String,
    #[serde(default)]
    application_name: String,
    error_severity: String,
    #[serde(default)]
    state_code: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    statement: Option<String>,
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
        // Every process of the server writes to one pipe; what this one writes comes last.
        let session = self.session("postgres").await;
        session.run(&format!("select '{word}'")).await;
        let path = self.at("log/server.json");
        within(PATIENCE, "the end of a log", || async {
            let mut file = std::fs::File::open(&path).ok()?;
            let length = file.metadata().ok()?.len();
            let from = length.saturating_sub(64 * 1024);
            file.seek(SeekFrom::Start(from)).ok()?;
            let mut tail = Vec::new();
            file.take(length - from).read_to_end(&mut tail).ok()?;
            let tail = String::from_utf8_lossy(&tail);
            let at = tail.rfind(&word)?;
            let line = tail[at..].find('\n')?;
            // Counted from the end, so that a letter cut at the beginning does not matter.
            Some(length - (tail.len() - at - line - 1) as u64)
        })
        .await
    }
}

impl Excerpt {
    fn read(text: &str) -> Self {
        let mut excerpt = Self::default();
        let mut plans = HashMap::new();
        for line in text.lines() {
            let line: Line =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            excerpt.take(line, &mut plans);
        }
        excerpt
    }

    fn take(&mut self, line: Line, plans: &mut HashMap<i64, Plan>) {
        if line.message.starts_with("connection authorized: ") {
            self.sessions.push(Session {
                encrypted: Some(line.message.contains(" SSL enabled")),
                ..line.session()
            });
        } else if line.message.starts_with("disconnection: ") {
            self.session(&line).to = Some(line.at());
        } else if line.error_severity == "FATAL" {
            let session = self.session(&line);
            session.to = Some(line.at());
            session.ended_by.clone_from(&line.state_code);
            self.statements.extend(line.failed());
        } else if line.error_severity == "ERROR" {
            plans.remove(&line.pid);
            self.statements.extend(line.failed());
        } else if let Some(plan) = line.plan() {
            self.carried_out_by(plan, line.pid, plans);
        } else if let Some(mut statement) = line.carried_out() {
            if statement.step == Step::Simple {
                statement.plan = plans.remove(&line.pid);
            }
            self.statements.push(statement);
        }
    }

    /// The server tells how it carried out a simple statement before it tells what it took, and one
    /// with parameters after.
    fn carried_out_by(&mut self, plan: Plan, pid: i64, plans: &mut HashMap<i64, Plan>) {
        let mut own = self.statements.iter_mut().rev();
        match own.find(|statement| statement.pid == pid) {
            Some(last) if last.step == Step::Execute && plan.0["Query Text"] == *last.text => {
                last.plan = Some(plan);
            }
            _ => {
                plans.insert(pid, plan);
            }
        }
    }

    /// The session of a line, which may have begun before the excerpt.
    fn session(&mut self, line: &Line) -> &mut Session {
        let own = |session: &Session| session.pid == line.pid && session.to.is_none();
        let last = |session: &Session| session.pid == line.pid && session.ended_by.is_some();
        let found = self
            .sessions
            .iter()
            .rposition(own)
            .or_else(|| self.sessions.iter().rposition(last));
        let at = found.unwrap_or_else(|| {
            self.sessions.push(line.session());
            self.sessions.len() - 1
        });
        let session = &mut self.sessions[at];
        if !line.application_name.is_empty() {
            session.application.clone_from(&line.application_name);
        }
        session
    }

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

impl Line {
    fn at(&self) -> DateTime<Utc> {
        instant(&self.timestamp)
    }

    fn session(&self) -> Session {
        let named = self.message.split(" application_name=").nth(1);
        let named = named.and_then(|rest| rest.split(' ').next());
        let begins = self.message.starts_with("connection authorized: ");
        Session {
            pid: self.pid,
            application: named.unwrap_or(&self.application_name).to_owned(),
            role: self.user.clone(),
            database: self.dbname.clone(),
            encrypted: None,
            from: instant(if begins {
                &self.timestamp
            } else {
                &self.session_start
            }),
            to: None,
            ended_by: None,
        }
    }

    fn statement(&self, step: Step, text: &str) -> Statement {
        Statement {
            at: self.at(),
            pid: self.pid,
            application: self.application_name.clone(),
            role: self.user.clone(),
            database: self.dbname.clone(),
            step,
            text: text.to_owned(),
            parameters: self.detail.clone(),
            took: None,
            error: None,
            message: None,
            plan: None,
        }
    }

    /// A client that was refused before it had a session has no statement.
    fn failed(&self) -> Option<Statement> {
        let text = match &self.statement {
            Some(text) => text,
            None if self.application_name.is_empty() => return None,
            None => &self.message,
        };
        Some(Statement {
            error: self.state_code.clone(),
            message: Some(self.message.clone()),
            ..self.statement(Step::Failed, text)
        })
    }

    fn plan(&self) -> Option<Plan> {
        let (_, plan) = self.measured()?.1.split_once("plan:\n")?;
        Some(Plan(serde_json::from_str(plan).ok()?))
    }

    fn carried_out(&self) -> Option<Statement> {
        let (took, rest) = self.measured()?;
        let (kind, text) = rest.split_once(": ")?;
        let step = match kind.split(' ').next()? {
            "statement" => Step::Simple,
            "parse" => Step::Parse,
            "bind" => Step::Bind,
            "execute" => Step::Execute,
            _ => return None,
        };
        Some(Statement {
            took: Some(took),
            ..self.statement(step, text)
        })
    }

    /// "duration: 0.123 ms  …".
    fn measured(&self) -> Option<(Duration, &str)> {
        let rest = self.message.strip_prefix("duration: ")?;
        let (millis, rest) = rest.split_once(" ms  ")?;
        let millis: f64 = millis.parse().ok()?;
        Some((Duration::from_secs_f64(millis / 1_000.0), rest))
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f UTC");
    naive
        .unwrap_or_else(|_| panic!("no time: {text}"))
        .and_utc()
}

/// The most of these sessions that there were at once. Two that meet within the millisecond that the
/// log counts in are not at once.
pub fn most_at_once(sessions: &[Session]) -> usize {
    let living = |at: DateTime<Utc>| {
        let alive = |session: &&Session| session.from <= at && session.to.is_none_or(|to| to > at);
        sessions.iter().filter(alive).count()
    };
    let starts = sessions.iter().map(|session| living(session.from));
    starts.max().unwrap_or_default()
}
