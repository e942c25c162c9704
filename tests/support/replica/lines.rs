//! Reads the lines of a server's log.
//!
//! Invariant: a plan goes to the statement that it carried out; an end goes to its session.
//! Failure: a line that is no JSON, or has no time, panics with the line.

use super::log::{Excerpt, Plan, Session, Statement, Step};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

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

impl Excerpt {
    /// Reads lines.
    pub(super) fn read(text: &str) -> Self {
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

    /// The server tells how it carried out a simple statement before it tells what it took. One with
    /// parameters it tells when that is put away: for the next one, or at the end of the transaction.
    fn carried_out_by(&mut self, plan: Plan, pid: i64, plans: &mut HashMap<i64, Plan>) {
        let waits = |statement: &&mut Statement| {
            statement.pid == pid
                && statement.step == Step::Execute
                && statement.plan.is_none()
                && plan.0["Query Text"] == *statement.text
        };
        match self.statements.iter_mut().rev().find(waits) {
            Some(statement) => statement.plan = Some(plan),
            None => {
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
