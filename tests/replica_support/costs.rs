//! What statements cost, by the server's own count.
//!
//! Invariant: figures are the server's; pages are compared with the table's own size.
//! Failure: the figures that do not agree with what was run.

use pulse_tests::database::Database;
use pulse_tests::replica::{Cluster, Customer, Reader, Usage};
use std::time::Duration;

const ROWS: u32 = 100_000;

/// Runs a statement as the role, and tells what the server counted for it.
async fn cost(customer: &Customer<'_>, reader: &Reader, session: &Database, sql: &str) -> Usage {
    let standby = &customer.cluster.standby;
    let before = standby.usage(&reader.role, &customer.name).await;
    session.json(sql, &[]).await;
    let after = standby.usage(&reader.role, &customer.name).await;
    let added = Usage::since(&after, &before);
    assert_eq!(added.len(), 1, "{added:#?}");
    let usage = Usage::containing(&added, "from t").expect("a statement");
    assert_eq!((usage.calls, usage.rows), (1, 1), "{usage:?}");
    usage
}

#[tokio::test]
async fn samples_of_rows_read_every_page_and_samples_of_pages_few() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", ROWS).await;
    let sql = "select to_jsonb(relpages) from pg_class where relname = 't'";
    let pages = customer.standby().await.json(sql, &[]).await;
    let pages = pages.as_i64().expect("pages");
    assert!(pages > 1_000, "{pages}");
    let reader = customer.reader(["t"]).await;
    let session = reader.session(&cluster.standby, "costs").await;
    session.run("set max_parallel_workers_per_gather = 0").await;
    let mark = cluster.standby.mark().await;
    let ask = async |sql| cost(&customer, &reader, &session, sql).await.buffers;
    let rows = ask("select to_jsonb(count(*)) from t tablesample bernoulli (1)").await;
    let some = ask("select to_jsonb(count(*)) from t tablesample system (1)").await;
    let newest = ask("select to_jsonb(max(at)) from t").await;
    let longest = ask("select to_jsonb(max(filler)) from t").await;
    // Planning may look at the index too.
    assert!(rows >= pages, "{rows} of {pages}");
    assert!(longest >= pages, "{longest} of {pages}");
    assert!(some < pages / 20, "{some} of {pages}");
    assert!(newest < 20, "{newest}");
    let log = cluster.standby.since(mark).await.of("costs");
    let plans: Vec<_> = log
        .run()
        .iter()
        .filter_map(|one| one.plan.clone())
        .collect();
    let read: Vec<_> = plans.iter().map(|plan| plan.buffers() as i64).collect();
    assert_eq!(read.len(), 4, "{read:?}");
    assert!(read[0] >= pages && read[1] < pages / 20, "{read:?}");
    assert!(
        plans[0].nodes().contains(&"Sample Scan t".to_owned()),
        "{:?}",
        plans[0].nodes()
    );
    assert!(
        plans[3].nodes().contains(&"Seq Scan t".to_owned()),
        "{:?}",
        plans[3].nodes()
    );
    assert!(log.buffers() as i64 >= 2 * pages);
}

#[tokio::test]
async fn the_log_has_every_statement_of_an_application_with_what_it_took() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    customer.orders("t", 100).await;
    let reader = customer.reader(["t"]).await;
    let mark = cluster.standby.mark().await;
    let session = reader.session(&cluster.standby, "noted").await;
    session.run("begin read only").await;
    let id = 7_i64;
    let by_id = "select to_jsonb(status) from t where id = $1";
    session
        .json(by_id, &[(&id, tokio_postgres::types::Type::INT8)])
        .await;
    session
        .json("select to_jsonb(pg_sleep(0.2)::text)", &[])
        .await;
    let failed = session.attempt("select to_jsonb(1 / (id - 7)) from t where id = 7", &[]);
    assert_eq!(super::code(failed.await).code(), "22012");
    session.run("rollback").await;
    let log = cluster.standby.since(mark).await;
    let other = log.statements.len();
    let log = log.of("noted");
    assert!(
        other > log.statements.len(),
        "what tests themselves ask is there too"
    );
    let texts: Vec<_> = log.run().iter().map(|one| one.text.clone()).collect();
    assert_eq!(
        texts,
        [
            "begin read only",
            by_id,
            "select to_jsonb(pg_sleep(0.2)::text)",
            "select to_jsonb(1 / (id - 7)) from t where id = 7",
            "rollback",
        ]
    );
    assert_eq!(log.errors(), ["22012"]);
    let looked_up = log.run()[1];
    let parameters = looked_up.parameters.as_deref().unwrap_or_default();
    assert!(parameters.contains("$1 = '7'"), "{parameters}");
    assert_eq!(looked_up.database, customer.name);
    let plan = looked_up.plan.as_ref().expect("a plan");
    assert!(plan.buffers() > 0, "{plan:?}");
    let slept = log.run()[2].took.expect("a time");
    assert!(
        slept >= Duration::from_millis(200) && slept < Duration::from_secs(2),
        "{slept:?}"
    );
    assert!(log.busy() >= slept);
    let primary = cluster.primary.since(cluster.primary.mark().await).await;
    assert!(primary.of("noted").statements.is_empty());
}

#[tokio::test]
async fn the_log_tells_what_a_session_that_was_ended_had_been_doing() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let mark = cluster.standby.mark().await;
    let session = reader.session(&cluster.standby, "timed").await;
    session.run("begin read only").await;
    session.run("set local transaction_timeout = '200ms'").await;
    let ended = session
        .attempt("select to_jsonb(pg_sleep(1)::text)", &[])
        .await;
    assert_eq!(super::code(ended).code(), "25P04");
    let log = cluster.standby.since(mark).await.of("timed");
    assert_eq!(log.errors(), ["25P04"]);
    assert_eq!(log.run()[2].text, "select to_jsonb(pg_sleep(1)::text)");
    assert_eq!(log.sessions[0].ended_by.as_deref(), Some("25P04"));
}

#[tokio::test]
async fn writes_are_counted_where_they_happen() {
    let cluster = Cluster::shared().await;
    let customer = cluster.customer().await;
    let before = cluster.primary.writes(&customer.name).await;
    customer.orders("t", 100).await;
    customer
        .run("update t set status = 'late' where id <= 10; delete from t where id <= 5")
        .await;
    let wanted = 100 + 10 + 5;
    pulse_tests::stack::within(Duration::from_secs(10), "writes", || async {
        let rows = cluster.primary.writes(&customer.name).await.rows - before.rows;
        // Statistics of columns and the catalogue are rows too.
        (rows >= wanted).then_some(())
    })
    .await;
    let reader = customer.reader(["t"]).await;
    cluster.replayed().await;
    let (primary, standby) = (
        cluster.primary.writes(&customer.name).await,
        cluster.standby.writes(&customer.name).await,
    );
    let session = reader.session(&cluster.standby, "reads").await;
    session.run("set work_mem = '64kB'").await;
    let sorted = "select to_jsonb(max(n)) from
                    (select row_number() over (order by filler, n) as n
                       from generate_series(1, 20000) n, (select filler from t limit 1) f) as t";
    session.json(sorted, &[]).await;
    drop(session);
    pulse_tests::stack::within(Duration::from_secs(10), "temporary files", || async {
        let now = cluster.standby.writes(&customer.name).await;
        (now.temporary_bytes > standby.temporary_bytes).then_some(())
    })
    .await;
    assert_eq!(cluster.standby.writes(&customer.name).await.rows, 0);
    assert_eq!(
        cluster.primary.writes(&customer.name).await.rows,
        primary.rows
    );
    let usage = cluster.standby.usage(&reader.role, &customer.name).await;
    assert!(usage.iter().any(|usage| usage.written > 0), "{usage:?}");
}
