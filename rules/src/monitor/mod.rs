//! The monitor: what is asked of a read replica, what may be asked, and what an answer means.
//!
//! Invariant: production is never loaded. A server that is no replica is asked one question; every
//! statement runs in a read-only transaction with limits, after its plan was found cheap enough and
//! while the hour's budget lasts; SQL that a tenant wrote is written out anew from its tree. What
//! is not known is not judged: a lagging replica, a cancelled statement or a locked table says
//! nothing about data.
//! Failure: each part has typed refusals; none of them is an alert about data.

pub mod again;
pub mod backfill;
pub mod breaker;
pub mod catalog;
pub mod check;
pub mod custom;
pub mod due;
pub mod explain;
pub mod identifier;
pub mod lag;
pub mod learned;
pub mod ledger;
pub mod outcome;
pub mod privileges;
pub mod schema;
pub mod session;
pub mod shift;
pub mod sql;
pub mod verdict;

pub use crate::sql_guard::TableName;
