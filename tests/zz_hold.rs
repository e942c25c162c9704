//! Hold.
//! Invariant: none. Failure: none.
#[tokio::test]
async fn zz_hold() {
    tokio::time::sleep(std::time::Duration::from_secs(6 * 3600)).await;
}
