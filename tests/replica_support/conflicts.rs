//! Locks, conflicts with replay, and what a reader on the standby does to the primary.
//!
//! Invariant: whom replay cancelled is what the standby counted, besides what the client was told.
//! Failure: the reader that was spared, or cancelled for another reason.

use super::code;
use pulse_tests::replica::{Cluster, Conflicts};
use pulse_tests::stack::within;
use std::time::{Duration, Instant};

/// What a test does between two statements may take a while.
const PATIENT: &str = "set idle_in_transaction_session_timeout = 0";

#[tokio::test]
async fn a_lock_on_the_primary_reaches_the_standby_and_blocks_readers() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    let reader = customer.reader(["t"]).await;
    assert_eq!(customer.locked("t").await, None);
    let lock = customer.lock_standby("t").await;
    assert_eq!(customer.locked("t").await, Some(true));
    let session = reader.session(&cluster.standby, "blocked").await;
    let started = Instant::now();
    let refused = session
        .attempt("select to_jsonb(count(*)) from t", &[])
        .await;
    assert_eq!(code(refused).code(), "55P03");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(240), "{waited:?}");
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    lock.release().await;
    within(Duration::from_secs(10), "a lock that is gone", || async {
        customer.locked("t").await.is_none().then_some(())
    })
    .await;
    let count = session.json("select to_jsonb(count(*)) from t", &[]).await;
    assert_eq!(count, 10);
}

#[tokio::test]
async fn a_lock_blocks_readers_of_the_primary_only_in_a_mode_that_excludes_them() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&cluster.primary, "blocked").await;
    let ask = "select to_jsonb(count(*)) from t";
    let lock = customer.lock("t", "exclusive").await;
    assert_eq!(session.json(ask, &[]).await, 10);
    lock.release().await;
    let lock = customer.lock("t", "access exclusive").await;
    assert_eq!(code(session.attempt(ask, &[]).await).code(), "55P03");
    lock.release().await;
    assert_eq!(session.json(ask, &[]).await, 10);
}

/// A statement that looks at a table for ten seconds, through a session that may take as long.
async fn long_look(customer: &pulse_tests::replica::Customer<'_>, before: &str) -> LongLook {
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&customer.cluster.standby, "long").await;
    session.run("set statement_timeout = 0").await;
    session.run(before).await;
    let task = tokio::spawn(async move {
        let ended = session.attempt(
            "select to_jsonb(count(*)) from t where pg_sleep(0.1) is not null",
            &[],
        );
        let ended = ended.await;
        let alive = session.attempt("select to_jsonb(1)", &[]).await;
        (ended, alive.is_ok())
    });
    within(Duration::from_secs(10), "a look under way", || async {
        let sql = "select to_jsonb(count(*)) from pg_stat_activity
                    where application_name = 'long' and state = 'active'
                      and datname = current_database()";
        (customer.standby().await.json(sql, &[]).await == 1).then_some(())
    })
    .await;
    task
}

type LongLook = tokio::task::JoinHandle<(Result<serde_json::Value, tokio_postgres::Error>, bool)>;

#[tokio::test]
async fn cleaning_up_rows_cancels_a_statement_that_may_look_at_them() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("200ms").await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let look = long_look(&customer, "begin read only").await;
    customer.clean_up("t", 50).await;
    let (ended, _) = look.await.expect("no panic");
    let error = ended.expect_err("a conflict");
    assert_eq!(error.code().map(|code| code.code()), Some("40001"));
    let said = error.as_db_error().expect("words").message().to_owned();
    assert!(said.contains("conflict with recovery"), "{said}");
    let conflicts = customer.conflicted(Conflicts::default()).await;
    assert_eq!((conflicts.snapshot, conflicts.lock), (1, 0));
    cluster.replayed().await;
}

#[tokio::test]
async fn a_lock_cancels_a_statement_that_reads_the_table() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("200ms").await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let look = long_look(&customer, "begin read only").await;
    customer.lock_briefly("t").await;
    let (ended, _) = look.await.expect("no panic");
    assert_eq!(code(ended).code(), "40001");
    let conflicts = customer.conflicted(Conflicts::default()).await;
    assert_eq!((conflicts.snapshot, conflicts.lock), (0, 1));
}

#[tokio::test]
async fn a_transaction_that_does_nothing_meanwhile_loses_its_session() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("200ms").await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let reader = customer.reader(["t"]).await;
    let mark = cluster.standby.mark().await;
    let session = reader.session(&cluster.standby, "idle").await;
    session.run(PATIENT).await;
    session
        .run("begin isolation level repeatable read read only")
        .await;
    session.json("select to_jsonb(count(*)) from t", &[]).await;
    customer.clean_up("t", 50).await;
    customer.conflicted(Conflicts::default()).await;
    let next = session.attempt("select to_jsonb(1)", &[]).await;
    next.expect_err("no session");
    within(Duration::from_secs(10), "a session that ended", || async {
        let log = cluster.standby.since(mark).await.of("idle");
        let ended = log.sessions.first()?.ended_by.clone()?;
        assert_eq!(ended, "40001");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn between_simple_statements_read_committed_is_in_the_way_of_locks_only() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("200ms").await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&cluster.standby, "between").await;
    session.run(PATIENT).await;
    session.run("begin read only").await;
    // A statement with parameters would keep its snapshot until the next one, or the end.
    session.run("select count(*) from t").await;
    customer.clean_up("t", 50).await;
    cluster.replayed().await;
    let ask = "select to_jsonb(count(*)) from t";
    assert_eq!(session.json(ask, &[]).await, 50);
    session.run("select 1").await;
    customer.lock_briefly("t").await;
    let conflicts = customer.conflicted(Conflicts::default()).await;
    assert_eq!((conflicts.snapshot, conflicts.lock), (0, 1));
    session.attempt(ask, &[]).await.expect_err("no session");
}

#[tokio::test]
async fn a_statement_with_parameters_keeps_its_snapshot_until_the_next() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&cluster.standby, "keeping").await;
    session.run(PATIENT).await;
    session.run("begin read only").await;
    let held = async || {
        let sql = "select to_jsonb(backend_xmin is not null) from pg_stat_activity
                    where application_name = 'keeping'";
        customer.standby().await.json(sql, &[]).await
    };
    let ask = "select to_jsonb(count(*)) from t";
    session.json(ask, &[]).await;
    assert_eq!(held().await, true);
    session.run("select 1").await;
    assert_eq!(held().await, false);
    session.json(ask, &[]).await;
    session.run("commit").await;
    assert_eq!(held().await, false);
}

#[tokio::test]
async fn without_a_limit_a_reader_holds_replay_back() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("-1").await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let look = long_look(&customer, "begin read only").await;
    customer.clean_up("t", 50).await;
    customer.run("create table after (n int)").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let position = cluster.position().await;
    let held_back = position.unreplayed_bytes.expect("bytes");
    assert!(held_back > 0, "{position:?}");
    assert_eq!(customer.terminate("long").await, 1);
    let (ended, alive) = look.await.expect("no panic");
    assert_eq!((code(ended).code(), alive), ("57P01", false));
    cluster.replayed().await;
    let none = cluster.standby.conflicts(&customer.name).await;
    assert_eq!(none.snapshot, 0, "{none:?}");
}

#[tokio::test]
async fn with_feedback_a_reader_keeps_dead_rows_on_the_primary() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    customer.orders("t", 200).await;
    assert_eq!(cluster.pinned().await, None);
    cluster.feedback(true).await;
    let look = long_look(&customer, "begin read only").await;
    within(Duration::from_secs(10), "a snapshot", || async {
        cluster.pinned().await
    })
    .await;
    for _ in 0..5 {
        customer
            .run("update t set status = 'late' where id <= 10")
            .await;
    }
    let pinned = cluster.pinned().await.expect("a snapshot");
    assert!(pinned >= 5, "{pinned}");
    customer.clean_up("t", 50).await;
    let sql = "select to_jsonb(n_dead_tup) from pg_stat_user_tables where relname = 't'";
    let kept = within(Duration::from_secs(10), "dead rows", || async {
        customer
            .primary()
            .await
            .json(sql, &[])
            .await
            .as_i64()
            .filter(|kept| *kept > 0)
    });
    assert!(kept.await >= 50);
    assert_eq!(customer.terminate("long").await, 1);
    let (ended, alive) = look.await.expect("no panic");
    assert_eq!((code(ended).code(), alive), ("57P01", false));
    cluster.feedback(false).await;
}

#[tokio::test]
async fn load_keeps_both_servers_busy_until_it_is_dropped() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    let before = cluster.primary.writes(&customer.name).await;
    let (writes, reads) = (
        customer.write_load(2, Duration::from_millis(5)).await,
        customer.read_load(1, Duration::from_millis(5)),
    );
    within(Duration::from_secs(20), "load", || async {
        (writes.done() >= 20 && reads.done() >= 5).then_some(())
    })
    .await;
    let wanted = writes.done() as i64;
    drop((writes, reads));
    within(
        Duration::from_secs(10),
        "writes that are counted",
        || async {
            let rows = cluster.primary.writes(&customer.name).await.rows - before.rows;
            (rows >= 100 * wanted).then_some(())
        },
    )
    .await;
    let sql = "select to_jsonb(count(*)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
    within(Duration::from_secs(10), "sessions that ended", || async {
        let primary = customer.primary().await.json(sql, &[]).await;
        let standby = customer.standby().await.json(sql, &[]).await;
        (primary == 0 && standby == 0).then_some(())
    })
    .await;
}
