//! The outbox when something dies: Postgres in between, the sender in the middle.
//!
//! Invariant: every event arrives; one that arrives again has the id it had.
//! Failure: the event that is missing, or that came under two ids.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};
use pulse_tests::webhook::Webhook;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_made_while_postgres_is_away_are_announced_when_it_is_back() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    let (control, door) = (Control::here(), event.door());
    door.scan("Ada").await.accepted();
    hook.settled("delivered", 1).await;
    control.stop_postgres().await;
    door.scan("Bob").await.accepted();
    control.kill_worker().await;
    door.scan("Cleo").await.accepted();
    control.start_postgres().await;
    event.recorded().await;
    // A job that was lost with the runtime is made up for by the minute tick.
    control.cron("* * * * *").await;
    hook.settled("delivered", 3).await;
    let ids: BTreeSet<_> = receiver.hooks().iter().map(|h| h.id().to_owned()).collect();
    assert_eq!((ids.len(), receiver.hooks().len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_while_postgres_is_away_is_noted_when_it_is_back() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    let receiver = Receiver::with([status(200).after_ms(2_000)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    receiver.received(1).await;
    let control = Control::here();
    control.stop_postgres().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    control.start_postgres().await;
    let delivered = hook.settled("delivered", 1).await;
    assert_eq!(delivered[0]["attempt_count"], 1);
    assert_eq!(receiver.hooks().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_killed_is_followed_by_another_when_its_lease_runs_out() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    let receiver = Receiver::with([status(200).after_ms(8_000), status(200)]).await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    receiver.received(1).await;
    let control = Control::here();
    control.kill_worker().await;
    control.cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.hooks().len(), 1, "the lease still holds");
    assert_eq!(
        hook.age("lease_until = now() - interval '1 second'").await,
        1
    );
    control.cron("* * * * *").await;
    hook.settled("delivered", 1).await;
    let hooks = receiver.hooks();
    assert_eq!(hooks.len(), 2);
    assert_eq!(hooks[0].id(), hooks[1].id());
}
