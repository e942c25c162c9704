//! Reports: what a run found, whether its figures are true, and the message that is made of it.
//!
//! Invariant: the same input makes the same bytes, so a preview is what is sent. Everything that a
//! tenant or a model can write has a bound.
//! Failure: typed errors with line and column; a figure that cannot be traced is marked, never dropped.

pub mod chart;
pub mod compose;
pub mod condition;
pub mod config;
pub mod dataset;
pub mod document;
pub mod figures;
pub mod format;
pub mod job;
pub mod markdown;
pub mod moment;
pub mod place;
pub mod template;
pub mod unit;

pub use dataset::{Column, Dataset, Kind, is_empty};
pub use place::Flaw;
