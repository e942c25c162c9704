//! Prints the API document without a server.
//!
//! Invariant: it is the document that the Worker serves at `/openapi.json`.
//! Failure: a route table that cannot be built ends with its reason and exit status 1.

use std::process::ExitCode;

use pulse::platform::http::document;
use pulse::routes;

fn main() -> ExitCode {
    let text = routes::table().and_then(|table| {
        document(&table)
            .to_pretty_json()
            .map_err(|error| error.to_string())
    });
    match text {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("the API document cannot be made: {reason}");
            ExitCode::FAILURE
        }
    }
}
