//! A busy while, from the replica's side: thirty checks of three tables, one of them locked, one
//! cleaned up under our eyes, one that is slow.
//!
//! Invariant: what is measured is measured by the servers: log, statistics, sessions, locks.
//! Failure: the statement, lock or session that should not have been.

use pulse_tests::monitored::{Connection, Table};
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Excerpt, Observed, Usage, most_at_once};
use pulse_tests::stack::within;
use std::collections::BTreeMap;
use std::time::Duration;

/// No statement takes longer than its limit, and a moment to end.
const LONGEST: Duration = Duration::from_millis(2_600);
/// No lock is held longer than a transaction may be: its statements, each within the limit.
const HELD: Duration = Duration::from_secs(6);

/// Ten checks of a table, of most kinds.
fn checks() -> Vec<Value> {
    let most = |max: f64| json!({"kind": "absolute", "max": max});
    let metric = |sql: &str| json!({ "sql": sql });
    vec![
        json!({"name": "Fresh", "kind": "freshness", "settings": {"column": "at"},
            "fail": most(86_400.0)}),
        json!({"name": "Volume", "kind": "volume", "settings": {"column": "at", "bucket": 60}}),
        json!({"name": "Rows", "kind": "row_count", "fail": most(1e6)}),
        json!({"name": "Nulls", "kind": "null_rate", "settings": {"column": "status"}}),
        json!({"name": "Unique", "kind": "uniqueness", "settings": {"columns": ["id"]}}),
        json!({"name": "Accepted", "kind": "accepted_values",
            "settings": {"column": "status", "values": ["paid", "sent", "new"]}}),
        json!({"name": "Pattern", "kind": "pattern",
            "settings": {"column": "filler", "pattern": "^x+$"}}),
        json!({"name": "Columns", "kind": "schema"}),
        json!({"name": "Metric", "kind": "metric", "settings": metric("select avg(id) from orders"),
            "fail": most(1e6)}),
        json!({"name": "Costly", "kind": "metric", "fail": most(1e12),
            "settings": metric("select count(*) from orders a cross join orders b")}),
    ]
}

struct Busy<'a> {
    customer: &'a Customer<'a>,
    connection: Connection,
    tables: Vec<Table>,
}

impl<'a> Busy<'a> {
    /// The connection is off until all thirty checks are there.
    async fn new(customer: &'a Customer<'a>, role: &pulse_tests::replica::Reader) -> Self {
        let tenant = Tenant::new().await;
        let off = json!({"enabled": false});
        let connection = Connection::to(&tenant, customer, role, off).await;
        let mut tables = Vec::new();
        for name in ["orders", "locked", "cleaned"] {
            let table = connection.table(name).await;
            for mut check in checks() {
                if let Some(sql) = check.pointer_mut("/settings/sql") {
                    let text = sql.as_str().expect("a query").replace("orders", name);
                    *sql = json!(text);
                }
                table.check(check).await;
            }
            tables.push(table);
        }
        let sleeps = json!({"name": "Sleeps", "kind": "metric", "fail":
            {"kind": "absolute", "max": 1}, "settings": {"sql": "select count(slept) from sleepy"}});
        tables[0].check(sleeps).await;
        Self {
            customer,
            connection,
            tables,
        }
    }

    async fn switch(&self, on: bool) {
        let client = self.connection.tenant.client();
        let on = json!({ "enabled": on });
        client
            .patch(&self.connection.path(), &on)
            .await
            .expect_status(200);
    }

    /// What the role's statements cost, once none is under way any more.
    async fn spent(&self, role: &str) -> Vec<Usage> {
        let (standby, database) = (&self.customer.cluster.standby, &self.customer.name);
        let calls = |all: &[Usage]| all.iter().map(|usage| usage.calls).sum::<i64>();
        within(Duration::from_secs(60), "quiet", || async {
            let before = standby.usage(role, database).await;
            tokio::time::sleep(LONGEST).await;
            let after = standby.usage(role, database).await;
            (calls(&before) == calls(&after)).then_some(after)
        })
        .await
    }

    /// Waits until every check has run by its schedule; answers the outcomes with their reasons.
    async fn ran(&self) -> BTreeMap<String, u32> {
        let client = self.connection.tenant.client();
        within(Duration::from_secs(120), "every check has run", || async {
            let mut outcomes = BTreeMap::new();
            for table in &self.tables {
                let path = format!("{}/checks", table.path());
                for check in client.get(&path).await.list_at("/items") {
                    let outcome = check["last_outcome"].as_str()?.to_owned();
                    *outcomes.entry(outcome).or_default() += 1;
                }
            }
            Some(outcomes)
        })
        .await
    }

    /// Makes trouble until it is dropped.
    async fn trouble(&self) {
        loop {
            let lock = self.customer.lock_standby("locked").await;
            self.customer.clean_up("cleaned", 5).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            lock.release().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn harmless(seen: &Excerpt) {
    let begins = [
        "select",
        "explain (format json",
        "begin transaction",
        "with ",
        "rollback",
    ];
    for statement in seen.run() {
        let text = statement.text.trim().to_lowercase();
        // Between two statements the server ends what is in the way of replay.
        if text.starts_with("terminating connection due to conflict") {
            continue;
        }
        assert!(begins.iter().any(|begin| text.starts_with(begin)), "{text}");
        let crossed = text.contains("cross join") && !text.contains("pg_partition_tree");
        assert!(
            !crossed || text.starts_with("explain"),
            "too costly: {text}"
        );
        assert_eq!(statement.application, "pulse-monitor", "{text}");
        let took = statement.took.unwrap_or_default();
        assert!(took < LONGEST, "{took:?}: {text}");
    }
    for code in seen.errors() {
        let known = ["40001", "55P03", "57014"];
        assert!(known.contains(&code), "{:?}", seen.errors());
    }
    assert_eq!(most_at_once(&seen.sessions), 1, "{:?}", seen.sessions);
}

fn held_little(seen: &Observed) {
    assert_eq!(seen.most_sessions, 1, "{seen:?}");
    assert_eq!(seen.parallel_workers, 0, "{seen:?}");
    let longest = LONGEST + seen.longest_gap;
    assert!(seen.longest_statement < longest, "{seen:?}");
    assert!(seen.longest_transaction < HELD, "{seen:?}");
    for lock in &seen.locks {
        assert_eq!(lock.mode, "AccessShareLock", "{lock:?}");
        assert!(lock.longest < HELD, "{lock:?}");
    }
}

/// Behaviours 4 and 5, and the promises of the budget, over everything at once.
#[tokio::test]
async fn a_busy_while_writes_nothing_locks_nothing_for_long_and_stays_in_its_budget() {
    let cluster = Cluster::start().await;
    cluster.patience_with_readers("100ms").await;
    let customer = cluster.customer().await;
    for table in ["orders", "locked", "cleaned"] {
        customer.orders(table, 4_000).await;
    }
    customer.slow("sleepy", "orders", 30.0).await;
    let role = customer
        .reader(["orders", "locked", "cleaned", "sleepy"])
        .await;
    let busy = Busy::new(&customer, &role).await;
    let mark = cluster.standby.mark().await;
    let before = cluster.standby.usage(&role.role, &customer.name).await;
    let watch = customer.watch(&role.role).await;
    let outcomes = tokio::select! {
        outcomes = async { busy.switch(true).await; busy.ran().await } => outcomes,
        () = busy.trouble() => unreachable!("it goes on for ever"),
    };
    let seen = watch.end().await;
    let total: u32 = outcomes.values().sum();
    assert_eq!(total, 31, "{outcomes:?}");
    assert!(outcomes["skipped"] >= 3, "cost at the least: {outcomes:?}");
    harmless(&cluster.standby.since(mark).await.of(&role.role));
    held_little(&seen);
    // Histories are filled in for a while yet.
    busy.switch(false).await;
    let after = busy.spent(&role.role).await;
    let spent = Usage::since(&after, &before);
    assert!(!spent.is_empty());
    for usage in &spent {
        assert_eq!(usage.written, 0, "{usage:?}");
    }
    let client = busy.connection.tenant.client();
    let impact = client
        .get(&format!("{}/impact", busy.connection.path()))
        .await
        .expect_status(200);
    let sum = |name: &str| -> i64 {
        let hours = impact.list_at("/hours");
        hours.iter().filter_map(|hour| hour[name].as_i64()).sum()
    };
    // Beginning, ending and limiting a transaction is no question.
    let asks = |usage: &&Usage| {
        let text = usage.text.trim().to_lowercase();
        ["select", "explain", "with"]
            .iter()
            .any(|verb| text.starts_with(verb))
    };
    let calls: i64 = spent.iter().filter(asks).map(|usage| usage.calls).sum();
    // What is counted is what the server counted; it leaves out what was cancelled.
    assert!(sum("statements") >= calls, "{calls}: {impact}");
    let (most, millis) = (impact.at("/budget/statements"), sum("milliseconds"));
    assert!(Some(sum("statements")) <= most.as_i64(), "{impact}");
    let most = impact.at("/budget/milliseconds");
    assert!(Some(millis) <= most.as_i64(), "{impact}");
    // Nobody is alarmed about data because a replica was busy.
    assert_eq!(busy.connection.alerts_of("check").await, [json!(null); 0]);
    // The primary has never seen us.
    let primary = cluster.primary.usage(&role.role, &customer.name).await;
    assert!(primary.is_empty(), "{primary:?}");
}
