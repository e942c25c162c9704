//! Things that happen twice: a cron tick fired at once by two.
//!
//! Invariant: a tick takes no input and may be repeated; its effects happen once.
//! Failure: the effect that was doubled.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_fired_by_two_at_once_does_its_work_once() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    event.door().scan("Ada").await.accepted();
    event
        .door()
        .scan_with(json!({"walk_in": {"name": "Walter"}}))
        .await
        .accepted();
    let before = event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    let control = Control::here();
    for cron in ["* * * * *", "17 3 * * *"] {
        tokio::join!(control.cron(cron), control.cron(cron), control.cron(cron));
    }
    let after = event.recorded().await;
    for part in [
        "/total",
        "/checked_in",
        "/inside",
        "/walk_ins",
        "/recent",
        "/live",
    ] {
        assert_eq!(after.at(part), before.at(part), "{part}");
    }
    assert_eq!(
        Database::admin()
            .await
            .scan_log(&event.tenant.id, &event.table)
            .await,
        log
    );
    let rows = event
        .client()
        .get(&format!("/pulse/tables/{}/rows", event.table))
        .await;
    assert_eq!(rows.expect_status(200).list_at("/items").len(), 3);
    eventually("it is healthy", || async {
        let health = Client::anonymous().get("/health").await;
        (health.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daily_tick_sweeps_what_is_old_and_nothing_else() {
    let _alone = alone().await;
    let tenant = Tenant::new().await;
    let list = json!({"name": "Kept", "timezone": "UTC"});
    let post = |key: &str| {
        tenant
            .client()
            .post("/pulse/tables", &list)
            .header("idempotency-key", key)
    };
    for key in ["young", "old"] {
        post(key).await.expect_status(201);
    }
    let sql = "with aged as (update idempotency_keys set created_at = now() - interval '25 hours'
               where tenant_id = $1::text::uuid and key = 'old' returning 1) select to_jsonb(count(*)) from aged";
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let aged = database
        .json(sql, &[(&tenant.id, tokio_postgres::types::Type::TEXT)])
        .await;
    assert_eq!(aged, 1);
    Control::here().daily().await;
    let sql = "select jsonb_agg(key) from idempotency_keys where tenant_id = $1::text::uuid";
    eventually("the old key is swept", || async {
        let keys = database
            .json(sql, &[(&tenant.id, tokio_postgres::types::Type::TEXT)])
            .await;
        (keys == json!(["young"])).then_some(())
    })
    .await;
    assert_eq!(
        post("young")
            .await
            .expect_status(201)
            .header("idempotent-replayed"),
        Some("true")
    );
}
