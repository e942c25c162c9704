//! Sockets that never miss an event: the realtime protocol, for every object alike.
//!
//! An object owns a [`Hub`]; the rules of frames, sessions and recovery are pure code in
//! `rules::live`. What differs between objects is behind [`Surface`].
//! Invariant: an event reaches a subscriber once, in order; what was missed is recovered whole or
//! the client is told to read a snapshot.
//! Failure: a socket that fails is closed and recovers; it never disturbs the others.

mod hub;
mod readers;
mod surface;

pub use hub::Hub;
pub use rules::live::log::Channel;
pub use surface::{Happened, Known, Surface};
