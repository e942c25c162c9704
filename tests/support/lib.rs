//! What the end-to-end tests stand on: the strict Postgres proxy, clients of Pulse and of its
//! control, and builders of tenants and events.
//!
//! Invariant: a test makes its own tenant, so all tests run at once against one stack.
//! Failure: a helper that expects something panics at the caller's line with what came instead.

pub mod answer;
pub mod authority;
pub mod aws;
pub mod chat;
pub mod client;
pub mod clock;
pub mod control;
pub mod database;
pub mod event;
pub mod feedback;
pub mod history;
pub mod learned;
pub mod list;
pub mod mail_server;
pub mod messages;
pub mod monitored;
pub mod proxy;
pub mod qr;
pub mod receiver;
pub mod replica;
pub mod report;
pub mod socket;
pub mod stack;
pub mod supabase;
pub mod tenant;
pub mod tickets;
pub mod tls_front;
pub mod token;
pub mod watched;
pub mod webhook;

/// What nearly every test uses.
pub mod prelude {
    pub use crate::answer::{Answer, Dashboard};
    pub use crate::client::{Client, Reply};
    pub use crate::clock::{rfc3339, seconds_from_now, time};
    pub use crate::event::Event;
    pub use crate::socket::{Position, Socket};
    pub use crate::stack::eventually;
    pub use crate::tenant::{PASSWORD, Tenant, User, email};
    pub use serde_json::{Value, json};
}
