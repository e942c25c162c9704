//! Writing a report with a language model: what it is told, what it may ask for, when it is enough.
//!
//! Invariant: a conversation ends: rounds, words, queries and bytes are bounded, and the last round
//! can only be a report. What queries found is handed over as data, in a frame that data cannot
//! close. What is kept of a conversation says what happened, shortened where it says so.
//! Failure: a [`Failed`] that says whether waiting may mend it; a tool that is called wrongly is told
//! to the model, which may call it again.

pub mod answer;
pub mod failed;
pub mod prompt;
pub mod request;
pub mod show;
pub mod sse;
pub mod talk;
pub mod tool;

pub use answer::{Answer, Call, Finish, Usage};
pub use failed::Failed;
pub use talk::{Kept, Limits, Next, Talk, Told};
