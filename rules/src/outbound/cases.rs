//! Case files of kind `outbound`: an address and whether a request may go there.
//!
//! Invariant: a case says nothing of the deployment unless it says so: the policy is the strict one.
//! Failure: a file of another form is refused as a whole.
//!
//! ```json
//! {"cases": [{"id": "metadata", "url": "https://169.254.169.254/", "expect": "url_address_not_public"},
//!   {"id": "hop", "from": "https://example.com/a", "url": "//localhost/", "expect": "url_host_not_public"},
//!   {"id": "local", "policy": "open", "url": "http://localhost/", "expect": "ok"}]}
//! ```
//! `from` makes `url` the location of a redirect. `policy` is `strict` or `open`. `expect` is `ok`,
//! the normal form of the URL, or the code of the refusal.

use serde::Deserialize;

use super::{Policy, judge, redirect};
use crate::cases::{CaseResult, each};
use crate::invalid::Invalid;

#[derive(Deserialize)]
struct Case {
    url: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    policy: Kind,
    expect: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Strict,
    Open,
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    each(json, |case: &Case| {
        let policy = match case.policy {
            Kind::Strict => Policy::strict(),
            Kind::Open => Policy::open(),
        };
        let judged = match &case.from {
            Some(from) => {
                judge(from, &policy).and_then(|from| redirect(&from, &case.url, 0, &policy))
            }
            None => judge(&case.url, &policy),
        };
        let found = match &judged {
            Ok(target) => target.url.as_str(),
            Err(refusal) => refusal.code(),
        };
        let met = found == case.expect || (judged.is_ok() && case.expect == "ok");
        (!met).then(|| format!("expected {}, got {found}", case.expect))
    })
}
