//! Where the running stack is: the environment that `cargo xtask test` sets.
//!
//! Invariant: nothing here starts or stops anything.
//! Failure: without the environment a test panics and says which command sets it.

use std::future::Future;
use std::time::{Duration, Instant};

/// Reads one of the variables of the test stack.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Where the Worker answers, without a slash at the end.
pub fn url() -> String {
    variable("PULSE_URL").trim_end_matches('/').to_owned()
}

/// How long [`eventually`] waits.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Awaits a condition: asks again every 50 ms until it gives something, for 15 s at most.
pub async fn eventually<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(PATIENCE, what, ask).await
}

/// As [`eventually`], for a given time at most.
pub async fn within<T, F>(patience: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            started.elapsed() < patience,
            "waited {patience:?} in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The one origin that `CORS_ORIGINS` of test stacks allows.
pub const CORS_ORIGIN: &str = "https://app.example";
