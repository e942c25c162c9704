//! HTTP as the product speaks it: calls in, answers out, problems, the route table, the API document.
//!
//! Invariant: a route cannot exist without its entry in the API document, because both come from
//! the same item; every answer carries `x-request-id`, `Server-Timing` and the security headers.
//! Failure: see [`problem`]; any input gets a clear problem, never a 500.

mod call;
mod document;
pub(super) mod limit;
mod problem;
mod reply;
mod route;
mod serve;
mod source;
mod stream;
mod strict;

pub use call::{Call, decode};
pub use document::document;
pub use limit::count;
pub use problem::Problem;
pub use reply::{Answer, Body, Reply, created, json, no_content};
pub(crate) use route::routes;
pub use route::{Access, Found, Module, Route, Routes};
pub use serve::serve;
pub use stream::{Upload, parts};
