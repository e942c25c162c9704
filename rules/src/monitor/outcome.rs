//! What one run of one check came to, and what an error of the server means for it.
//!
//! Invariant: only `pass`, `warn` and `fail` are verdicts about data. A conflict with recovery, a lock,
//! a full server or a lost connection says nothing about data: the run is skipped, and what was never
//! judged neither opens nor resolves an alert.
//! Failure: an error that is not in the table is `errored`, with its code.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunOutcome))]
pub enum Outcome {
    /// The data is fine.
    Pass,
    /// It should be looked at.
    Warn,
    /// It is broken.
    Fail,
    /// There is not enough history to tell.
    Learning {
        /// How much there is.
        have: u32,
        /// How much is needed.
        need: u32,
    },
    /// The replica is too far behind to tell.
    Inconclusive,
    /// It did not run.
    Skipped {
        /// What for.
        why: Skipped,
    },
    /// It ran into an error.
    Errored,
    /// What it is about is not there, or not allowed.
    Misconfigured,
}

/// Why a run was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunSkipped))]
pub enum Skipped {
    /// The plan is too expensive.
    Cost,
    /// Recovery or an administrator cancelled it.
    Conflict,
    /// The table is locked.
    Locked,
    /// The budget of the hour is spent.
    Budget,
    /// The replica is being spared.
    Breaker,
    /// The server has no room.
    Busy,
    /// The server is not there, or went away.
    Unreachable,
}

impl Outcome {
    /// The same, skipped.
    pub const fn skipped(why: Skipped) -> Self {
        Self::Skipped { why }
    }

    /// Whether it says something about the data.
    pub const fn is_verdict(&self) -> bool {
        matches!(self, Self::Pass | Self::Warn | Self::Fail)
    }
}

/// What went wrong, as the driver tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The SQLSTATE; none when the server did not say one.
    pub sqlstate: Option<String>,
    /// The message of the server, or of the connection.
    pub message: String,
    /// The connection is gone.
    pub disconnected: bool,
    /// Our own deadline passed before the server answered.
    pub deadline: bool,
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// For the run.
    pub outcome: Outcome,
    /// The connection can no longer be used: the next run makes a new one.
    pub reconnect: bool,
    /// The same may go well at once.
    pub retry: bool,
    /// For the breaker: a conflict with recovery.
    pub conflict: bool,
}

/// How often a run is tried again after a conflict. Others kept on for a quarter of an hour.
pub const RETRIES: u32 = 2;
/// The first wait before another try; the second is twice as long.
pub const WAIT: TimeDelta = TimeDelta::milliseconds(500);

/// How long to wait before the run is tried again; none when it is not. `tries`: those that were
/// made.
pub fn retry(meaning: &Meaning, tries: u32) -> Option<TimeDelta> {
    let again = meaning.retry && !meaning.reconnect && (1..=RETRIES).contains(&tries);
    let times = i32::try_from(tries).unwrap_or(i32::MAX);
    again.then(|| WAIT * times)
}

/// What an error means. `elapsed` and `limit` tell a time-out from a cancellation, whose code is the
/// same: messages may be in any language.
pub fn meaning(failure: &Failure, elapsed: TimeDelta, limit: TimeDelta) -> Meaning {
    let of = |outcome, reconnect, retry, conflict| Meaning {
        outcome,
        reconnect,
        retry,
        conflict,
    };
    let skipped = |why| of(Outcome::skipped(why), false, false, false);
    let gone = of(Outcome::skipped(Skipped::Unreachable), true, false, false);
    let errored = of(Outcome::Errored, failure.disconnected, false, false);
    let misconfigured = of(Outcome::Misconfigured, failure.disconnected, false, false);
    if failure.deadline {
        // The server's own time-outs should have ended it: it cannot be reached.
        return gone;
    }
    let Some(code) = failure.sqlstate.as_deref() else {
        return match failure.disconnected {
            true => gone,
            false => errored,
        };
    };
    let class = code.get(..2).unwrap_or_default();
    match (code, class) {
        // Cancelled by recovery; when it was between statements, with the connection.
        ("40001" | "40P01", _) => of(
            Outcome::skipped(Skipped::Conflict),
            failure.disconnected,
            true,
            true,
        ),
        ("57014", _) if elapsed < limit => skipped(Skipped::Conflict),
        ("57014" | "25P04", _) => Meaning {
            reconnect: failure.disconnected || code == "25P04",
            ..errored
        },
        ("57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03", _) => gone,
        ("55P03", _) => skipped(Skipped::Locked),
        (_, "53") => of(
            Outcome::skipped(Skipped::Busy),
            failure.disconnected,
            false,
            false,
        ),
        (_, "08" | "28" | "3D") => gone,
        // A name, a type or a function that is not there; a pattern or an argument that is wrong.
        ("42501" | "2201B" | "0A000" | "25006", _) | (_, "42" | "3F") => misconfigured,
        _ => errored,
    }
}

/// A hint to what would help, in the words a user reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint<'a> {
    /// The role that is used.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
    /// The schema of the table, if it is about one.
    pub schema: Option<&'a str>,
    /// The table.
    pub table: Option<&'a str>,
}

/// What a user reads about an error: what happened, then what to do.
pub fn hint(failure: &Failure, about: &Hint<'_>) -> String {
    use super::identifier::quote;
    let (user, database) = (quote(about.user), quote(about.database));
    let code = failure.sqlstate.as_deref().unwrap_or_default();
    let said = || {
        let message: String = failure.message.chars().take(500).collect();
        message.trim_end_matches('.').to_owned()
    };
    match code {
        "28P01" | "28000" => format!(
            "The server refused the role {user}: wrong password, or pg_hba.conf does not let it in. \
             Set the password of the connection, or run: ALTER ROLE {user} PASSWORD '…';"
        ),
        "3D000" => format!("There is no database {database} on this server."),
        "42501" => match (about.schema, about.table) {
            (Some(schema), _) if failure.message.contains("schema") => format!(
                "The role may not use the schema. Run on the primary: GRANT USAGE ON SCHEMA {} TO \
                 {user};",
                quote(schema)
            ),
            (Some(schema), Some(table)) => format!(
                "The role may not read the table. Run on the primary: GRANT SELECT ON {}.{} TO \
                 {user};",
                quote(schema),
                quote(table)
            ),
            _ => format!(
                "The role may not connect. Run on the primary: GRANT CONNECT ON DATABASE {database} \
                 TO {user};"
            ),
        },
        "53300" => format!(
            "The server has no connection left for the role {user}. It needs one of its own: ALTER \
             ROLE {user} CONNECTION LIMIT 1;"
        ),
        "40001" | "40P01" => "The replica cancelled the statement to replay changes. It is tried \
             again with the next run."
            .to_owned(),
        "55P03" => {
            "The table is locked on the replica. It is tried again with the next run.".to_owned()
        }
        "57014" | "25P04" => {
            "The statement took longer than its time-out. Look at the latest rows \
             only (scope), or add an index on what the check looks for."
                .to_owned()
        }
        "57P03" => "The server is starting or stopping.".to_owned(),
        "57P01" | "57P02" => "The server ended the connection.".to_owned(),
        "42P01" => format!("There is no such table: {}.", said()),
        "42703" => format!("There is no such column: {}.", said()),
        "42883" => format!(
            "There is no such function or operator for these types: {}.",
            said()
        ),
        "2201B" => format!("The pattern is no regular expression: {}.", said()),
        "" if failure.deadline => "The server did not answer in time.".to_owned(),
        "" if failure.disconnected => {
            format!("The connection to the server was lost: {}.", said())
        }
        "" => format!("{}.", said()),
        code => match quotes_rows(code) {
            Some(what) => format!("{what} (SQLSTATE {code})."),
            None => format!("{} (SQLSTATE {code}).", said()),
        },
    }
}

/// What to say of an error whose own words may hold what a row holds; none of any other.
pub fn quotes_rows(code: &str) -> Option<&'static str> {
    Some(match code {
        // About a pattern of the check.
        "2201B" => return None,
        "22P02" | "22018" => "A value cannot be read as the type that is asked for",
        "22003" => "A value is out of the range of its type",
        "22007" | "22008" => "A value is no date or time",
        "22012" => "Something was divided by zero",
        "21000" => "A subquery that should give one row gave more",
        code if code.starts_with("22") || code.starts_with("23") => {
            "A value does not fit what is done with it"
        }
        _ => return None,
    })
}

/// Why a connection cannot be used, found when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ConnectProblem {
    /// The role or its password.
    WrongPassword,
    /// There is no such database.
    UnknownDatabase,
    /// Nothing answers there.
    NoRoute,
    /// The server does no TLS, or its certificate is not what it should be.
    TlsRefused,
    /// It is a primary.
    NotAReplica,
    /// Something must be granted.
    MissingPrivilege,
    /// It has no connection left.
    TooManyConnections,
    /// Something else.
    Other,
}

/// At which step a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Reaching the host.
    Reach,
    /// Encrypting.
    Encrypt,
    /// Being let in, and all that comes after.
    Enter,
}

/// Why a connection cannot be made.
pub fn connect_problem(step: Step, failure: &Failure) -> ConnectProblem {
    match (step, failure.sqlstate.as_deref()) {
        (_, Some("28P01" | "28000")) => ConnectProblem::WrongPassword,
        (_, Some("3D000")) => ConnectProblem::UnknownDatabase,
        (_, Some("42501")) => ConnectProblem::MissingPrivilege,
        (_, Some("53300")) => ConnectProblem::TooManyConnections,
        (_, Some(_)) => ConnectProblem::Other,
        (Step::Reach, None) => ConnectProblem::NoRoute,
        (Step::Encrypt, None) => ConnectProblem::TlsRefused,
        (Step::Enter, None) if failure.deadline || failure.disconnected => ConnectProblem::NoRoute,
        (Step::Enter, None) => ConnectProblem::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlstate(code: &str) -> Failure {
        Failure {
            sqlstate: Some(code.to_owned()),
            message: "permission denied for table orders".to_owned(),
            ..Failure::default()
        }
    }

    fn of(code: &str) -> Meaning {
        meaning(
            &sqlstate(code),
            TimeDelta::seconds(2),
            TimeDelta::seconds(2),
        )
    }

    #[test]
    fn each_code_means_what_the_table_says() {
        use Outcome::{Errored, Misconfigured};
        let skipped = Outcome::skipped;
        for (code, expected) in [
            ("40001", skipped(Skipped::Conflict)),
            ("40P01", skipped(Skipped::Conflict)),
            ("55P03", skipped(Skipped::Locked)),
            ("53300", skipped(Skipped::Busy)),
            ("53200", skipped(Skipped::Busy)),
            ("57P01", skipped(Skipped::Unreachable)),
            ("57P03", skipped(Skipped::Unreachable)),
            ("08006", skipped(Skipped::Unreachable)),
            ("28P01", skipped(Skipped::Unreachable)),
            ("57014", Errored),
            ("22012", Errored),
            ("22P02", Errored),
            ("XX000", Errored),
            ("42P01", Misconfigured),
            ("42703", Misconfigured),
            ("42883", Misconfigured),
            ("42501", Misconfigured),
            ("3F000", Misconfigured),
            ("2201B", Misconfigured),
            ("?", Errored),
        ] {
            assert_eq!(of(code).outcome, expected, "{code}");
            assert!(!of(code).outcome.is_verdict());
        }
    }

    #[test]
    fn a_statement_cancelled_before_its_time_out_was_cancelled_by_someone() {
        let early = meaning(
            &sqlstate("57014"),
            TimeDelta::milliseconds(1_999),
            TimeDelta::seconds(2),
        );
        assert_eq!(early.outcome, Outcome::skipped(Skipped::Conflict));
        assert!(!early.conflict, "no conflict with recovery");
    }

    #[test]
    fn a_conflict_is_tried_twice_more_and_then_left() {
        let conflict = of("40001");
        let waits: Vec<_> = (1..=4).map(|tries| retry(&conflict, tries)).collect();
        assert_eq!(waits, [Some(WAIT), Some(WAIT * 2), None, None]);
        assert!(conflict.conflict);
        assert_eq!(retry(&of("55P03"), 1), None);
        let fatal = Failure {
            disconnected: true,
            ..sqlstate("40001")
        };
        let fatal = meaning(&fatal, TimeDelta::zero(), TimeDelta::seconds(2));
        assert!(fatal.reconnect && fatal.conflict);
        assert_eq!(
            retry(&fatal, 1),
            None,
            "the next tick makes a new connection"
        );
    }

    #[test]
    fn a_socket_that_says_nothing_is_unreachable() {
        let deadline = Failure {
            deadline: true,
            ..Failure::default()
        };
        let lost = Failure {
            disconnected: true,
            ..Failure::default()
        };
        for failure in [deadline, lost] {
            let found = meaning(&failure, TimeDelta::seconds(9), TimeDelta::seconds(2));
            assert_eq!(found.outcome, Outcome::skipped(Skipped::Unreachable));
            assert!(found.reconnect && !found.retry);
        }
    }

    #[test]
    fn a_missing_privilege_says_the_exact_grant() {
        let about = Hint {
            user: "pulse",
            database: "shop",
            schema: Some("sales"),
            table: Some("order\"s"),
        };
        let text = hint(&sqlstate("42501"), &about);
        assert!(
            text.ends_with(r#"GRANT SELECT ON "sales"."order""s" TO "pulse";"#),
            "{text}"
        );
        let schema = Failure {
            message: "permission denied for schema sales".to_owned(),
            ..sqlstate("42501")
        };
        let text = hint(&schema, &about);
        assert!(
            text.ends_with(r#"GRANT USAGE ON SCHEMA "sales" TO "pulse";"#),
            "{text}"
        );
    }

    #[test]
    fn every_problem_of_a_connection_has_its_name() {
        use ConnectProblem::*;
        let none = Failure::default();
        for (step, failure, expected) in [
            (Step::Reach, none.clone(), NoRoute),
            (Step::Encrypt, none.clone(), TlsRefused),
            (Step::Enter, sqlstate("28P01"), WrongPassword),
            (Step::Enter, sqlstate("3D000"), UnknownDatabase),
            (Step::Enter, sqlstate("42501"), MissingPrivilege),
            (Step::Enter, sqlstate("53300"), TooManyConnections),
            (Step::Enter, none, Other),
        ] {
            assert_eq!(connect_problem(step, &failure), expected);
        }
    }

    #[test]
    fn outcomes_are_stored_as_they_are_named() {
        let json = serde_json::to_string(&Outcome::skipped(Skipped::Cost)).unwrap();
        assert_eq!(json, r#"{"outcome":"skipped","why":"cost"}"#);
        let json = serde_json::to_string(&Outcome::Learning { have: 3, need: 24 }).unwrap();
        assert_eq!(json, r#"{"outcome":"learning","have":3,"need":24}"#);
    }
}
