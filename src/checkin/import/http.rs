//! x
/// x
pub fn routes() -> Vec<crate::platform::http::Route> { vec![] }
