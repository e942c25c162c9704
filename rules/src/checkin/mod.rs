//! Check-in: what a scan is, what it is answered, and what a table's log adds up to.
//!
//! The path of a scan: [`scan::ScanIn::parse`] → [`decide::decide`] → [`entry::record`] → the
//! caller makes the entry durable → [`state::State::apply`] → [`answer::answer`].
//! [`journal::Journal`] is that path in memory.
//!
//! Invariant: the log is the truth; state and answers are functions of it.
//! Failure: wrong input is [`crate::invalid::Invalid`]; a refusal is an answer.

pub mod annul;
pub mod answer;
#[cfg(feature = "server")]
pub mod badge;
pub mod caller;
#[cfg(feature = "server")]
pub mod cases;
mod checks;
pub mod clock;
pub mod conflict;
pub mod dashboard;
pub mod decide;
pub mod device;
pub mod entry;
pub mod event;
#[cfg(feature = "server")]
pub mod exit_all;
#[cfg(feature = "server")]
pub mod export;
pub mod gate;
mod going;
pub mod guest;
pub mod hours;
pub mod journal;
pub mod known;
pub mod labels;
pub mod ledger;
pub mod question;
mod reading;
pub mod refusal;
pub mod report;
pub mod roster;
pub mod scan;
pub mod sealed;
pub mod settings;
pub mod state;
mod subject;
pub mod ticket;
pub mod told;
pub mod verdict;
pub mod visits;

pub use annul::{AnnulIn, AnnulRefusal, Undo, UndoIn, annul};
pub use answer::{ScanAnswer, answer};
pub use caller::{Actor, ActorKind, Caller, Scanner};
pub use conflict::{Conflict, ConflictKind, Reelected};
pub use dashboard::{About, Counters, Dashboard, LivePosition, Record};
pub use decide::{Decision, Ids, decide};
pub use device::{DeviceView, Known, Report, StatusIn};
pub use entry::{Annuls, CheckIn, Entry, FirstEntry, Kind, NewRow, record};
pub use event::{EventType, ScanEvent};
pub use gate::Gate;
pub use guest::{GuestView, Row, Status};
pub use hours::Hours;
pub use journal::Journal;
pub use known::KnownGuest;
pub use ledger::Ledger;
pub use question::{Question, QuestionKind};
pub use report::{Offline, ReportedGuest};
pub use roster::{Found, Roster};
pub use scan::{Scan, ScanIn, Target, WalkIn};
pub use settings::{CapacityMode, Settings};
pub use state::{Config, State};
pub use ticket::{Ticket, Tickets};
pub use verdict::{Direction, Effect, Reason, Verdict, Warning};
pub use visits::{Again, Standing, Visit, Visits};
