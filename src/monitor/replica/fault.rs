//! What it means that a replica could not be asked, in words for who looks after it.
//!
//! Invariant: every fault has a stable code and says what to do; no words of ours hold a password.
//! Failure: none.

use crate::platform::error::Error;
use crate::platform::pg::session::{Fault, Step};

/// The code of a privilege that lacks.
pub const PRIVILEGE: &str = "privilege_missing";

/// Why a replica was not asked.
#[derive(Debug)]
pub enum Trouble {
    /// A backend of ours may still be at work there.
    Busy,
    /// The replica, or the way there.
    Fault(Fault),
    /// Ourselves.
    Ours(Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// The code of a fault, and what to do about it.
pub fn hint(fault: &Fault) -> (&'static str, &'static str) {
    match (&fault.sqlstate, fault.step) {
        (Some(sqlstate), _) => of_sqlstate(sqlstate),
        (None, Step::Refused) => ("address_refused", "The address may not be called."),
        (None, Step::Connecting) if fault.late => (
            "no_route",
            "Nothing answers there in time. Is a firewall in between? Pulse calls from Cloudflare's addresses.",
        ),
        (None, Step::Connecting) => (
            "no_route",
            "Nothing listens there, or no way leads there. Are host and port right?",
        ),
        (None, Step::Unencrypted) => (
            "tls_refused",
            "The server does not encrypt. Switch ssl on there; passwords and data do not travel in the clear.",
        ),
        (None, Step::Encrypting) if fault.late => (
            "tls_failed",
            "The server agreed to encrypt and then did not answer in time.",
        ),
        // The runtime tells these two apart from nothing else.
        (None, Step::Encrypting) if fault.words.contains("connection lost") => (
            "tls_failed",
            "The connection was cut while it was being encrypted.",
        ),
        (None, Step::Encrypting) => (
            "certificate_untrusted",
            "The server's certificate is not of a public authority, has expired, or is for another name than the host's.",
        ),
        (None, Step::SigningIn) if fault.late => (
            "timeout",
            "The server did not answer to the log-in in time.",
        ),
        (None, Step::SigningIn) => (
            "connection_lost",
            "The server ended the connection during log-in.",
        ),
        (None, Step::Asking) if fault.late => ("timeout", "The server did not answer in time."),
        (None, Step::Asking) => ("connection_lost", "The server ended the connection."),
    }
}

fn of_sqlstate(sqlstate: &str) -> (&'static str, &'static str) {
    match sqlstate {
        "28P01" => (
            "wrong_password",
            "The role does not exist, or has another password.",
        ),
        "28000" => (
            "not_admitted",
            "The server admits nobody by this role, database and address: see its pg_hba.conf.",
        ),
        "3D000" => ("unknown_database", "There is no such database."),
        "53300" => (
            "too_many_connections",
            "The role has a connection open already, or the server has none left.",
        ),
        "57P03" => ("starting_up", "The server is starting up or shutting down."),
        "57P01" | "57P02" => ("shut_down", "The server was shut down."),
        "42501" => (
            PRIVILEGE,
            "The role may not do this; see the grants to run.",
        ),
        "57014" => (
            "timeout",
            "The server cancelled it because it took too long.",
        ),
        "55P03" => ("locked", "It is locked by somebody else."),
        "40001" => (
            "recovery_conflict",
            "The replica needed to replay what the query still read.",
        ),
        _ => ("server_error", "The server did not do it."),
    }
}
