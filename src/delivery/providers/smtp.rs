//! E-mail through a mail server (RFC 5321, 3207, 4954, 6531), message by message.
//!
//! Invariant: nothing is said over a connection that is not encrypted, but where private addresses
//! may be called; the last bytes of a message are the line between what certainly did not arrive and
//! what may have.
//! Failure: part of the report, with the server's own words.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use rules::delivery::settings::MAIL_PORTS;
use rules::delivery::settle::{self, KEPT, MESSAGE_PATIENCE, Outcome, Question};
use serde::Deserialize;
use wasm_smtp::{
    AuthError, IoError, ProtocolError, SmtpClient, SmtpError, SmtpOp, StartTlsCapable, Transport,
};

use super::mail::Mailbox;
use super::{Channel, Report, mime};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;
use crate::platform::error::Error;
use crate::platform::outbound::TIMEOUT;
use crate::platform::tcp::{Connection, Encryption};

/// How long one step may take: an answer, or so many bytes to be taken.
const STEP: Duration = Duration::from_secs(10);
/// How long a server may take to say goodbye; the message is its own by then.
const GOODBYE: Duration = Duration::from_millis(500);
/// How much is written in one step.
const CHUNK: usize = 32 << 10;
/// How a message ends.
const END: &[u8] = b"\r\n.\r\n";

/// The channel.
#[derive(Deserialize)]
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    username: Option<String>,
    password: Option<String>,
    from: Mailbox,
    reply_to: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Security {
    Tls,
    Starttls,
    None,
}

impl Channel for Smtp {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let Some(message) = mime::message(letter, &self.from, self.reply_to.as_deref()) else {
            return Report::failed(Outcome::Withheld, "attachment_unreadable");
        };
        let told = Rc::new(Told::default());
        let talk = std::pin::pin!(self.talk(ctx, letter, &message, &told));
        let limit = std::pin::pin!(worker::Delay::from(MESSAGE_PATIENCE));
        match select(talk, limit).await {
            Either::Left((report, _)) => report,
            Either::Right(((), _)) => Report::failed(told.lost(), TIMEOUT),
        }
    }
}

impl Smtp {
    async fn talk(&self, ctx: &Ctx, letter: &Letter, message: &[u8], told: &Rc<Told>) -> Report {
        let encryption = match self.security {
            Security::Tls => Encryption::Now,
            Security::Starttls => Encryption::Later,
            Security::None => Encryption::Never,
        };
        let connection =
            Connection::open(ctx, &self.host, self.port, &MAIL_PORTS, encryption, STEP).await;
        let wire = match connection {
            Ok(connection) => Wire {
                connection,
                told: Rc::clone(told),
            },
            Err(error) => return unreached(&error),
        };
        match self.send(wire, letter, message).await {
            Ok(report) => report,
            Err(error) => report(error, told),
        }
    }

    async fn send(&self, wire: Wire, letter: &Letter, message: &[u8]) -> Result<Report, SmtpError> {
        let name = ascii_domain(self.from.domain()).unwrap_or_else(|| "localhost".to_owned());
        let mut client = match self.security {
            Security::Starttls => SmtpClient::connect_starttls(wire, &name).await?,
            Security::Tls | Security::None => SmtpClient::connect(wire, &name).await?,
        };
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            client.login(user, password).await?;
        }
        let (from, to) = (envelope(&self.from.email), envelope(&letter.recipient));
        let taken = match from.is_ascii() && to.is_ascii() {
            true => client.send_mail_bytes(&from, &[&to], message).await?,
            false => {
                let text = String::from_utf8_lossy(message);
                client.send_mail_smtputf8(&from, &[&to], &text).await?
            }
        };
        let goodbye = std::pin::pin!(client.quit());
        let limit = std::pin::pin!(worker::Delay::from(GOODBYE));
        select(goodbye, limit).await;
        let mut report = answered(Outcome::Taken, taken.code, &taken.server_message);
        report.provider_id = taken.queue_id;
        Ok(report)
    }
}

/// What the server has been told so far.
#[derive(Default)]
struct Told {
    /// It was asked to take a message and agreed, or will say otherwise.
    data: Cell<bool>,
    /// The end of the message is on its way.
    end: Cell<bool>,
    /// A step took too long.
    late: Cell<bool>,
    /// The connection is being encrypted.
    encrypting: Cell<bool>,
}

impl Told {
    /// What a lost connection means.
    fn lost(&self) -> Outcome {
        match self.end.get() {
            true => Outcome::Unclear,
            false => Outcome::Unreached,
        }
    }
}

/// The connection as the protocol needs it.
struct Wire {
    connection: Connection,
    told: Rc<Told>,
}

impl Wire {
    fn lost(&self, error: Error) -> IoError {
        self.told.late.set(error.code == TIMEOUT);
        IoError::new(error.context.unwrap_or_default())
    }
}

impl Transport for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        let read = self.connection.read(buffer, STEP).await;
        let read = read.map_err(|error| self.lost(error))?;
        self.told.encrypting.set(false);
        Ok(read)
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        let (body, end) = match self.told.data.get() && bytes.ends_with(END) {
            true => bytes.split_at(bytes.len() - END.len()),
            false => (bytes, &b""[..]),
        };
        for chunk in body.chunks(CHUNK) {
            let written = self.connection.write(chunk, STEP).await;
            written.map_err(|error| self.lost(error))?;
        }
        if !end.is_empty() {
            self.told.end.set(true);
            let written = self.connection.write(end, STEP).await;
            written.map_err(|error| self.lost(error))?;
        }
        if bytes.ends_with(b"DATA\r\n") {
            self.told.data.set(true);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), IoError> {
        // It closes when it is dropped.
        Ok(())
    }
}

impl StartTlsCapable for Wire {
    async fn upgrade_to_tls(&mut self) -> Result<(), IoError> {
        self.told.encrypting.set(true);
        self.connection.encrypt().map_err(|error| self.lost(error))
    }
}

fn unreached(error: &Error) -> Report {
    match (error.status, error.errors.first()) {
        (422, Some(refused)) => Report::failed(Outcome::Withheld, &refused.code),
        _ => Report::failed(Outcome::Unreached, error.code.as_ref()),
    }
}

fn report(error: SmtpError, told: &Told) -> Report {
    match error {
        SmtpError::Protocol(ProtocolError::UnexpectedCode {
            during,
            actual,
            message,
            ..
        }) => answered(
            settle::smtp(actual, &message, question(during)),
            actual,
            &message,
        ),
        SmtpError::Auth(AuthError::Rejected { code, message, .. }) => {
            answered(Outcome::Barred, code, &message)
        }
        SmtpError::Auth(_) => Report::failed(Outcome::Barred, "auth_unsupported"),
        SmtpError::Protocol(ProtocolError::ExtensionUnavailable { name: "STARTTLS" }) => {
            Report::failed(Outcome::Barred, "starttls_unavailable")
        }
        SmtpError::Protocol(ProtocolError::ExtensionUnavailable { .. }) => {
            Report::failed(Outcome::Never, "smtputf8_unavailable")
        }
        SmtpError::InvalidInput(_) | SmtpError::Policy(_) => {
            Report::failed(Outcome::Withheld, "address_invalid")
        }
        SmtpError::Io(_) | SmtpError::Protocol(_) => {
            let code = match (told.late.get(), told.encrypting.get()) {
                (true, _) => TIMEOUT,
                (false, true) => "tls_failed",
                (false, false) => "peer_unavailable",
            };
            Report::failed(told.lost(), code)
        }
    }
}

/// Whether a refusal is about us or about the mail.
fn question(during: SmtpOp) -> Question {
    match during {
        SmtpOp::RcptTo | SmtpOp::Data => Question::Mail,
        _ => Question::Entry,
    }
}

fn answered(outcome: Outcome, code: u16, message: &str) -> Report {
    let message = message.as_bytes();
    Report::answered(outcome, code, message.get(..KEPT).unwrap_or(message))
}

/// An address as mail servers take it: its domain in ASCII, so that few servers need to know more.
fn envelope(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    match ascii_domain(domain) {
        Some(domain) => format!("{local}@{domain}"),
        None => address.to_owned(),
    }
}

fn ascii_domain(domain: &str) -> Option<String> {
    match domain.is_ascii() {
        true => (!domain.is_empty()).then(|| domain.to_owned()),
        false => rules::email::ascii_domain(domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(end: bool, late: bool) -> Told {
        let told = Told::default();
        told.end.set(end);
        told.late.set(late);
        told
    }

    fn refused(during: SmtpOp, actual: u16, message: &str) -> SmtpError {
        SmtpError::Protocol(ProtocolError::UnexpectedCode {
            during,
            expected_class: 2,
            actual,
            enhanced: None,
            message: message.to_owned(),
        })
    }

    #[test]
    fn a_refusal_is_about_us_or_about_the_mail() {
        let say = |during, code, text| report(refused(during, code, text), &told(true, false));
        let outcome = |during, code| say(during, code, "no").outcome;
        let nobody = say(SmtpOp::RcptTo, 550, "5.1.1 no such user");
        assert_eq!(nobody.outcome, Outcome::Bounced);
        assert_eq!(outcome(SmtpOp::Greeting, 554), Outcome::Barred);
        assert_eq!(outcome(SmtpOp::MailFrom, 553), Outcome::Barred);
        assert_eq!(outcome(SmtpOp::RcptTo, 550), Outcome::Never);
        assert_eq!(outcome(SmtpOp::RcptTo, 450), Outcome::Later(None));
        assert_eq!(outcome(SmtpOp::Data, 552), Outcome::Never);
        assert_eq!(outcome(SmtpOp::Data, 452), Outcome::Later(None));
    }

    #[test]
    fn a_connection_lost_before_the_end_of_the_message_is_no_doubt() {
        let lost = || SmtpError::Protocol(ProtocolError::UnexpectedClose);
        let before = report(lost(), &told(false, false));
        assert_eq!(before.outcome, Outcome::Unreached);
        assert_eq!(before.error.as_deref(), Some("peer_unavailable"));
        let after = report(lost(), &told(true, true));
        assert_eq!(after.outcome, Outcome::Unclear);
        assert_eq!(after.error.as_deref(), Some(TIMEOUT));
        let malformed = SmtpError::Protocol(ProtocolError::Malformed("x".to_owned()));
        assert_eq!(
            report(malformed, &told(true, false)).outcome,
            Outcome::Unclear
        );
    }

    #[test]
    fn a_domain_travels_in_ascii_and_a_local_part_as_it_is() {
        assert_eq!(envelope("ada@example.org"), "ada@example.org");
        assert_eq!(envelope("ada@bücher.example"), "ada@xn--bcher-kva.example");
        assert_eq!(envelope("jürgen@example.org"), "jürgen@example.org");
    }
}
