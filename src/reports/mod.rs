//! Reports: prompts on a schedule, written, checked, rendered and delivered.
//!
//! Invariant: what is shown in a preview is what is sent.
//! Failure: each stage says what it could not do; the stages before it are not repeated.

pub mod picture;
