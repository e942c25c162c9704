//! The role, its sessions, and how they are watched.
//!
//! Invariant: every test's sessions have an application or a role of their own.
//! Failure: the sessions, states or locks that were seen instead.

use super::code;
use pulse_tests::replica::{Cluster, Customer, Reader, Session, most_at_once};
use pulse_tests::stack::within;
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

const PATIENCE: Duration = Duration::from_secs(15);

async fn refused(reader: &Reader, port: u16) -> String {
    let tried = tokio_postgres::connect(&reader.url(port, "two"), NoTls).await;
    code(tried.map(drop)).code().to_owned()
}

/// Waits until the standby knows no session of a role.
async fn gone(customer: &Customer<'_>, reader: &Reader) {
    let sql = format!(
        "select to_jsonb(count(*)) from pg_stat_activity where usename = '{}'",
        reader.role
    );
    within(PATIENCE, "a session that is gone", || async {
        (customer.standby().await.json(&sql, &[]).await == 0).then_some(())
    })
    .await;
}

/// Waits until a role's statement sleeps on the standby.
async fn asleep(customer: &Customer<'_>, reader: &Reader) {
    let sql = format!(
        "select to_jsonb(count(*)) from pg_stat_activity
          where usename = '{}' and wait_event = 'PgSleep'",
        reader.role
    );
    let standby = customer.standby().await;
    within(PATIENCE, "a statement that sleeps", || async {
        (standby.json(&sql, &[]).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_role_reads_its_tables_once_at_a_time_and_writes_nothing() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    customer.make("create table secret (n int)").await;
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&cluster.standby, "one").await;
    let count = session.json("select to_jsonb(count(*)) from t", &[]).await;
    assert_eq!(count, 10);
    let secret = session.attempt("select to_jsonb(n) from secret", &[]);
    assert_eq!(code(secret.await).code(), "42501");
    assert_eq!(refused(&reader, cluster.standby.port()).await, "53300");
    // With its rights it sees what the lag is told by.
    let sql = "select to_jsonb(status) from pg_stat_wal_receiver";
    assert_eq!(session.json(sql, &[]).await, "streaming");
    drop(session);
    gone(&customer, &reader).await;
    // The primary is not this role's to write either.
    let session = reader.session(&cluster.primary, "one").await;
    session.run("set default_transaction_read_only = off").await;
    let written = session.attempt("delete from t returning to_jsonb(id)", &[]);
    assert_eq!(code(written.await).code(), "42501");
}

#[tokio::test]
async fn a_bare_role_sees_neither_tables_nor_the_receiver() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    let reader = customer.bare_reader().await;
    let session = reader.session(&cluster.standby, "bare").await;
    let count = session.attempt("select to_jsonb(count(*)) from t", &[]);
    assert_eq!(code(count.await).code(), "42501");
    let sql = "select to_jsonb(status) from pg_stat_wal_receiver";
    assert_eq!(session.json(sql, &[]).await, serde_json::Value::Null);
    let other = customer.cluster.customer().await;
    let strange = Reader {
        database: other.name,
        ..customer.bare_reader().await
    };
    assert_eq!(refused(&strange, cluster.standby.port()).await, "42501");
    let wrong = Reader {
        password: "wrong".to_owned(),
        ..reader
    };
    assert_eq!(refused(&wrong, cluster.standby.port()).await, "28P01");
}

#[tokio::test]
async fn a_watch_sees_sessions_states_transactions_and_locks() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    assert_eq!(customer.seen("watched").await.most_sessions, 0);
    let watch = customer.watch("watched").await;
    let reader = customer.reader(["t"]).await;
    let other = customer.standby().await;
    let session = reader.session(&cluster.standby, "watched").await;
    let began = Instant::now();
    session.run("begin read only").await;
    session.json("select to_jsonb(count(*)) from t", &[]).await;
    assert_eq!(customer.seen("watched").await.most_sessions, 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    session.run("commit").await;
    let held_for = began.elapsed();
    let asked = Instant::now();
    session
        .json("select to_jsonb(pg_sleep(0.3)::text)", &[])
        .await;
    let longest = held_for.max(asked.elapsed());
    other
        .json("select to_jsonb(pg_sleep(0.1)::text)", &[])
        .await;
    within(PATIENCE, "looks", || async {
        (watch.looks() > 15).then_some(())
    })
    .await;
    let seen = watch.end().await;
    assert_eq!((seen.most_sessions, seen.sessions.len()), (1, 1));
    // What lasts is seen up to the last look at it.
    let gap = seen.longest_gap;
    assert!(
        seen.longest_transaction + gap >= Duration::from_millis(400),
        "{seen:?}"
    );
    assert!(
        seen.longest_transaction < longest + gap,
        "{longest:?}: {seen:?}"
    );
    assert!(
        seen.longest_statement + gap >= Duration::from_millis(200),
        "{seen:?}"
    );
    assert!(
        seen.states["idle in transaction"] + gap >= Duration::from_millis(400),
        "{seen:?}"
    );
    assert!(seen.states.contains_key("active"), "{seen:?}");
    assert_eq!(
        seen.modes().into_iter().collect::<Vec<_>>(),
        ["AccessShareLock"]
    );
    let held = seen.held("AccessShareLock");
    assert!(held + 2 * gap >= Duration::from_millis(350), "{seen:?}");
    assert!(seen.locks.iter().any(|lock| lock.of == "t"), "{seen:?}");
    assert_eq!(seen.parallel_workers, 0);
}

#[tokio::test]
async fn a_watch_sees_who_waits_for_a_lock_and_a_second_session() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 10).await;
    let (one, two) = (customer.reader(["t"]).await, customer.reader(["t"]).await);
    let lock = customer.lock_standby("t").await;
    let watch = customer.watch("both").await;
    let first = one.session(&cluster.standby, "both").await;
    let second = two.session(&cluster.standby, "both").await;
    let blocked = first.attempt("select to_jsonb(count(*)) from t", &[]).await;
    assert_eq!(code(blocked).code(), "55P03");
    drop(second);
    lock.release().await;
    let seen = watch.end().await;
    assert_eq!(seen.most_sessions, 2);
    assert!(seen.waits.contains("Lock:relation"), "{seen:?}");
    let waited = seen
        .locks
        .iter()
        .find(|lock| !lock.granted)
        .expect("a wait");
    // It waits for 250 ms, seen from a look after its begin to a look before its end.
    let longest = waited.longest + 2 * seen.longest_gap;
    assert!(longest >= Duration::from_millis(240), "{waited:?}");
    assert_eq!(waited.of, "t");
}

#[tokio::test]
async fn the_log_knows_every_session_from_its_first_moment_to_its_last() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let mark = cluster.standby.mark().await;
    for _ in 0..3 {
        let session = reader.next_session(cluster.standby.port(), "serial").await;
        session.json("select to_jsonb(1)", &[]).await;
        drop(session);
        gone(&customer, &reader).await;
    }
    let log = cluster.standby.since(mark).await.of("serial");
    let served = |session: &&Session| session.ended_by.is_none();
    let served: Vec<_> = log.sessions.iter().filter(served).collect();
    assert_eq!(served.len(), 3, "{:#?}", log.sessions);
    assert_eq!(most_at_once(&log.sessions), 1, "{:#?}", log.sessions);
    let whole = |session: &Session| {
        session.to.is_some() && session.encrypted == Some(false) && session.role == reader.role
    };
    assert!(served.into_iter().all(whole), "{:#?}", log.sessions);
    let (one, two) = (customer.reader([]).await, customer.reader([]).await);
    let mark = cluster.standby.mark().await;
    let both = (
        one.session(&cluster.standby, "pair").await,
        two.session(&cluster.standby, "pair").await,
    );
    let log = cluster.standby.since(mark).await.of("pair");
    assert_eq!(most_at_once(&log.sessions), 2, "{:#?}", log.sessions);
    drop(both);
}

#[tokio::test]
async fn an_operator_cancels_statements_and_ends_sessions() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let session = reader.session(&cluster.standby, "told").await;
    session.run("set statement_timeout = 0").await;
    let sleep = "select to_jsonb(pg_sleep(10)::text)";
    let cancelled = async {
        asleep(&customer, &reader).await;
        customer.cancel("told").await
    };
    let (ended, count) = tokio::join!(session.attempt(sleep, &[]), cancelled);
    assert_eq!((code(ended).code(), count), ("57014", 1));
    assert_eq!(session.json("select to_jsonb(1)", &[]).await, 1);
    let ended = async {
        asleep(&customer, &reader).await;
        customer.terminate("told").await
    };
    let (gone, count) = tokio::join!(session.attempt(sleep, &[]), ended);
    assert_eq!((code(gone).code(), count), ("57P01", 1));
    assert!(session.attempt("select to_jsonb(1)", &[]).await.is_err());
}

#[tokio::test]
async fn a_client_that_vanished_keeps_its_role_busy_until_its_statement_ends() {
    let cluster = Cluster::start().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let vanish = async |before: &str| {
        let session = reader.next_session(cluster.door.port(), "vanishing").await;
        session.run("set statement_timeout = 0").await;
        session.run(before).await;
        let sleep = session.attempt("select to_jsonb(pg_sleep(6)::text)", &[]);
        let hang_up = async {
            asleep(&customer, &reader).await;
            cluster.door.hang_up().await;
        };
        let (ended, ()) = tokio::join!(sleep, hang_up);
        assert!(ended.is_err());
    };
    vanish("set client_connection_check_interval = 0").await;
    // Half a second later the server still works for nobody.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(refused(&reader, cluster.standby.port()).await, "53300");
    gone(&customer, &reader).await;
    vanish("set client_connection_check_interval = '100ms'").await;
    let started = Instant::now();
    gone(&customer, &reader).await;
    let waited = started.elapsed();
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    let again = reader.next_session(cluster.standby.port(), "again").await;
    assert_eq!(again.json("select to_jsonb(1)", &[]).await, 1);
}

#[tokio::test]
async fn a_client_that_waits_for_the_end_of_its_session_may_come_again_at_once() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let url = reader.url(cluster.standby.port(), "polite");
    for _ in 0..20 {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a slot");
        let connection = tokio::spawn(connection);
        client.simple_query("select 1").await.expect("an answer");
        drop(client);
        connection.await.expect("no panic").expect("a polite end");
    }
}
