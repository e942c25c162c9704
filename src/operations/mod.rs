//! Running the thing: health, metrics, the minute and the daily tick, the API document, the pages.
//!
//! Invariant: nothing here holds state; what it says is read when it is asked.
//! Failure: a part that is away is reported within a second, never waited for.

pub mod docs;
pub mod health;
pub mod metrics;
pub mod pages;
mod store;
pub mod tick;
mod upkeep;

pub use pages::{serve as page, wants_html};

use crate::platform::http::Module;

/// The routes of operations.
pub fn routes() -> Vec<Module> {
    let mut operations = health::routes();
    operations.extend(metrics::routes());
    let mut pages = docs::routes();
    pages.extend(pages::routes());
    vec![
        Module {
            tag: "Operations",
            about: "For those who run Pulse.",
            routes: operations,
        },
        Module {
            tag: "Pages",
            about: "For browsers.",
            routes: pages,
        },
    ]
}
