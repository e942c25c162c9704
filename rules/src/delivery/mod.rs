//! Sending messages to recipients outside: what is sent, how it is signed, what an answer means and
//! when to try again.
//!
//! Invariant: the same message has the same identifier and the same body however often it is sent.
//! Failure: every attempt ends in one [`settle::Next`]; none is left undecided.

pub mod channel;
pub mod event;
pub mod facts;
pub mod retry;
pub mod settings;
pub mod settle;
pub mod signature;
pub mod sigv4;
pub mod unsubscribe;
