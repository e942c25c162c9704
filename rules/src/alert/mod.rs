//! Alerts: what a verdict does to them, what belongs together, and who is told.
//!
//! Modelled on Prometheus (`for`, `keep_firing_for`) and Alertmanager (grouping, inhibition,
//! silences, routes); where a small team expects something simpler, the module that differs says so.
//! [`evaluate`] is the whole of it; [`act`] is what people do.
//!
//! Invariant: the state is plain data and all there is: whoever stores it and reads it back goes on
//! as if nothing had been. A receiver is told once of each change, nothing of what is muted, and of
//! the end of whatever it was told the beginning of.
//! Failure: settings that break a rule are refused at their pointers; nothing else can fail.

pub mod act;
mod evaluate;
pub mod evidence;
pub mod incident;
pub mod inhibit;
pub mod mark;
pub mod matcher;
pub mod notify;
pub mod quiet;
pub mod route;
pub mod silence;
mod step;
mod target;
pub mod text;

pub use evaluate::{Evaluation, Mute, Setup, Sighting, Standing, Watched, evaluate};
pub use evidence::{Evidence, Unit};
pub use step::{
    Ack, Alert, Cause, Change, Policy, Recovery, Seen, State, What, recovers_at, step, tick,
};
pub use target::{Kind, Severity, Subject, Target};
