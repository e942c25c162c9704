//! The doors, and what a standby knows of its primary.
//!
//! Invariant: a door that is cut or blackholed is this test's own.
//! Failure: the standby's view of its primary, or the bytes that went where they should not.

use pulse_tests::replica::{Cluster, Customer, Position};
use pulse_tests::stack::within;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

async fn count(customer: &Customer<'_>) -> Value {
    let standby = customer.standby().await;
    standby.json("select to_jsonb(count(*)) from t", &[]).await
}

async fn until(cluster: &Cluster, what: &str, holds: impl Fn(&Position) -> bool) -> Position {
    within(PATIENCE, what, || async {
        let position = cluster.position().await;
        holds(&position).then_some(position)
    })
    .await
}

#[tokio::test]
async fn a_standby_follows_its_primary_and_takes_no_writes() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer
        .make("create table t (n int); insert into t values (1)")
        .await;
    assert_eq!(count(&customer).await, 1);
    let position = cluster.position().await;
    assert!(position.in_recovery && !position.paused, "{position:?}");
    assert_eq!(position.status.as_deref(), Some("streaming"));
    let standby = customer.standby().await;
    let refused = standby.attempt("insert into t values (2) returning to_jsonb(n)", &[]);
    assert_eq!(super::code(refused.await).code(), "25006");
    let primary = cluster
        .primary
        .ask("select to_jsonb(pg_is_in_recovery())")
        .await;
    assert_eq!(primary, false);
}

#[tokio::test]
async fn after_a_cut_the_receiver_is_gone_while_received_is_replayed() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.make("create table t (n int)").await;
    cluster.link.cut().await;
    customer.run("insert into t values (1)").await;
    cluster.not_streaming().await;
    // What the popular formula takes for no lag at all.
    let position = until(&cluster, "old news", |position| {
        position.replay_age.is_some_and(|age| age > 2.0)
    });
    let position = position.await;
    assert_eq!(position.unreplayed_bytes, Some(0), "{position:?}");
    assert_ne!(
        position.status.as_deref(),
        Some("streaming"),
        "{position:?}"
    );
    assert_eq!(count(&customer).await, 0);
    cluster.link.heal().await;
    cluster.replayed().await;
    cluster.streaming().await;
    assert_eq!(count(&customer).await, 1);
}

#[tokio::test]
async fn behind_a_blackhole_the_receiver_says_it_streams_and_hears_nothing() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.make("create table t (n int)").await;
    cluster.link.blackhole();
    customer.run("insert into t values (1)").await;
    let silent = until(&cluster, "silence", |position| {
        position.message_age.is_some_and(|age| age > 3.0)
    });
    let silent = silent.await;
    assert_eq!(silent.status.as_deref(), Some("streaming"), "{silent:?}");
    assert_eq!(silent.unreplayed_bytes, Some(0), "{silent:?}");
    assert_eq!(count(&customer).await, 0);
    cluster.link.heal().await;
    cluster.replayed().await;
    assert_eq!(count(&customer).await, 1);
}

#[tokio::test]
async fn a_blackhole_is_noticed_after_the_receivers_timeout() {
    let cluster = Cluster::start().await;
    cluster.standby.set([("wal_receiver_timeout", "1s")]).await;
    // The receiver that is there already has to hear of it.
    cluster.link.hang_up().await;
    cluster.streaming().await;
    cluster.link.blackhole();
    cluster.not_streaming().await;
    cluster.link.heal().await;
    cluster.streaming().await;
}

#[tokio::test]
async fn an_idle_primary_makes_the_replay_timestamp_grow_old_and_messages_stay_young() {
    let cluster = Cluster::start().await;
    cluster.standby.set([("wal_receiver_timeout", "4s")]).await;
    cluster.link.hang_up().await;
    cluster.streaming().await;
    let customer = cluster.customer().await;
    customer.make("create table t (n int)").await;
    let mut oldest_message = 0.0;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(8) {
        let position = cluster.position().await;
        assert_eq!(position.status.as_deref(), Some("streaming"));
        assert_eq!(position.unreplayed_bytes, Some(0));
        oldest_message = f64::max(oldest_message, position.message_age.expect("an age"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let age = cluster.position().await.replay_age.expect("an age");
    assert!(age > 7.9, "{age} s");
    // The receiver asks for a sign of life after half its timeout.
    assert!(oldest_message < 4.0, "{oldest_message} s");
}

#[tokio::test]
async fn a_paused_replay_receives_and_shows_nothing_new() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.make("create table t (n int)").await;
    cluster.pause().await;
    customer.run("insert into t values (1)").await;
    let waiting = until(&cluster, "unreplayed bytes", |position| {
        position.unreplayed_bytes.is_some_and(|bytes| bytes > 0)
    });
    let waiting = waiting.await;
    assert!(waiting.paused, "{waiting:?}");
    assert_eq!(waiting.status.as_deref(), Some("streaming"), "{waiting:?}");
    assert_eq!(count(&customer).await, 0);
    cluster.resume().await;
    cluster.replayed().await;
    assert_eq!(count(&customer).await, 1);
    assert!(!cluster.position().await.paused);
}

#[tokio::test]
async fn a_cut_door_drops_clients_and_refuses_new_ones_until_it_is_healed() {
    let cluster = Cluster::start().await;
    let port = cluster.door.port();
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
    within(PATIENCE, "a client inside", || async {
        (cluster.door.traffic().open == 1).then_some(())
    })
    .await;
    cluster.door.cut().await;
    let ended = client.read(&mut [0; 8]).await;
    let ended = ended.expect_err("a reset");
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
    let refused = TcpStream::connect(("127.0.0.1", port)).await;
    let refused = refused.expect_err("a refusal");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    cluster.door.heal().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let url = reader.url(port, "again");
    let session = pulse_tests::database::Database::at(&url).await;
    assert_eq!(session.json("select to_jsonb(1)", &[]).await, 1);
    let traffic = cluster.door.traffic();
    assert_eq!((traffic.taken, traffic.open, traffic.most), (2, 1, 1));
    assert!(traffic.sent > 0 && traffic.got > 0, "{traffic:?}");
}

#[tokio::test]
async fn a_blackhole_keeps_clients_waiting_and_carries_on_when_healed() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let url = reader.url(cluster.door.port(), "patient");
    let session = pulse_tests::database::Database::at(&url).await;
    cluster.door.blackhole();
    let asking = session.json("select to_jsonb(1)", &[]);
    let mut asking = std::pin::pin!(asking);
    let waited = tokio::time::timeout(Duration::from_secs(1), &mut asking).await;
    assert!(waited.is_err(), "an answer through a blackhole");
    // A new one is taken, and nobody speaks to it.
    let mut new = TcpStream::connect(("127.0.0.1", cluster.door.port()))
        .await
        .expect("taken");
    new.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])
        .await
        .expect("sent");
    let answer = tokio::time::timeout(Duration::from_millis(500), new.read_u8()).await;
    assert!(answer.is_err(), "{answer:?}");
    cluster.door.heal().await;
    assert_eq!(asking.await, 1);
    assert_eq!(new.read_u8().await.expect("an answer"), b'S');
}

#[tokio::test]
async fn a_slow_door_delays_every_answer() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let url = reader.url(cluster.door.port(), "slow");
    let session = pulse_tests::database::Database::at(&url).await;
    cluster.door.slow(Duration::from_millis(200));
    let started = Instant::now();
    session.json("select to_jsonb(1)", &[]).await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
}

#[tokio::test]
async fn a_hang_up_ends_the_clients_there_are_and_takes_new_ones() {
    let cluster = Cluster::start().await;
    let port = cluster.door.port();
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
    within(PATIENCE, "a client inside", || async {
        (cluster.door.traffic().open == 1).then_some(())
    })
    .await;
    cluster.door.hang_up().await;
    client.read(&mut [0; 8]).await.expect_err("a reset");
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
    client
        .write_all(&[0, 0, 0, 8, 4, 210, 22, 47])
        .await
        .expect("sent");
    assert_eq!(client.read_u8().await.expect("an answer"), b'S');
}
