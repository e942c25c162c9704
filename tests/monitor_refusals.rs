//! What keeps a replica from being asked, and that doing what is said about it helps.
//!
//! Invariant: a `GRANT` that is told is run as it is told, and then it works.
//! Failure: the answer that came instead.

use pulse_tests::monitored::Connection;
use pulse_tests::prelude::*;
use pulse_tests::replica::{Cluster, Customer, Door, Reader};

/// A customer with a table of orders in a schema of its own.
async fn customer(cluster: &Cluster) -> Customer<'_> {
    let customer = cluster.customer().await;
    customer
        .make(
            "create schema \"Sales\";
             create table \"Sales\".\"Orders\" (id int, secret text, at timestamptz);
             insert into \"Sales\".\"Orders\" values (1, 'x', now())",
        )
        .await;
    customer
}

#[track_caller]
fn fails(tested: &Reply, code: &str) -> String {
    assert_eq!(
        (tested.at("/ok"), tested.at("/code")),
        (json!(false), json!(code)),
        "{tested}"
    );
    tested.text_at("/message")
}

/// The statement that a text says to run on the primary.
#[track_caller]
fn grant_in(text: &str) -> String {
    let from = text
        .find("GRANT ")
        .unwrap_or_else(|| panic!("no GRANT: {text}"));
    let to = text[from..].find(';').expect("its end");
    text[from..from + to].to_owned()
}

#[tokio::test]
async fn what_a_standby_refuses_is_said_with_its_code() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    let reader = customer.reader([]).await;
    let tested = async |reader: &Reader, extra: Value| {
        let connection = Connection::to(&tenant, &customer, reader, extra).await;
        let tested = connection.test().await;
        assert!(!tested.text().contains(&reader.password), "{tested}");
        tested
    };
    let wrong = json!({"password": "wrong"});
    fails(&tested(&reader, wrong).await, "wrong_password");
    fails(
        &tested(&reader, json!({"username": "nobody"})).await,
        "wrong_password",
    );
    let nowhere = json!({"database": "nowhere"});
    fails(&tested(&reader, nowhere).await, "unknown_database");
    let plain = json!({"port": cluster.plain.port()});
    fails(&tested(&reader, plain).await, "tls_refused");
    let shut = Door::to(cluster.standby.port()).await;
    shut.cut().await;
    let shut = json!({"port": shut.port()});
    fails(&tested(&reader, shut).await, "no_route");
    let other_name = json!({"host": "127.0.0.1"});
    fails(&tested(&reader, other_name).await, "certificate_untrusted");
    let primary = json!({"port": cluster.primary.port()});
    let said = fails(&tested(&reader, primary).await, "not_a_replica");
    assert!(said.contains("primary"), "{said}");
    let fine = tested(&reader, json!({})).await;
    assert_eq!(
        (fine.at("/ok"), fine.at("/in_recovery")),
        (json!(true), json!(true)),
        "{fine}"
    );
    assert_eq!(fine.at("/advice"), json!([]), "{fine}");
}

/// Each grant that lacks is told, one after the other; with the last, the check passes.
#[tokio::test]
async fn each_privilege_that_lacks_is_told_as_the_grant_to_run() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = customer(cluster).await;
    let reader = customer.bare_reader().await;
    let role = &reader.role;
    let database = &customer.name;
    customer
        .make(&format!(
            "revoke connect on database {database} from {role}"
        ))
        .await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let said = fails(&connection.test().await, "privilege_missing");
    let grant = grant_in(&said);
    assert!(grant.contains("CONNECT ON DATABASE"), "{said}");
    customer.make(&grant).await;
    let tested = connection.test().await;
    assert_eq!(tested.at("/ok"), true, "{tested}");
    let advice = tested.list_at("/advice");
    let stats = advice.iter().find(|one| one["code"] == "stats_unreadable");
    let stats = stats.and_then(|one| one["sql"].as_str()).expect("a grant");
    customer.make(stats).await;
    let table = json!({"schema": "Sales"});
    let table = connection.table_with("Orders", table).await;
    let check = json!({"kind": "null_rate", "settings": {"column": "secret"},
        "fail": {"kind": "absolute", "max": 0.5}});
    let check = table.check(check).await;
    let mut result = table.first(&check).await;
    for missing in [
        "USAGE ON SCHEMA \"Sales\"",
        "SELECT ON \"Sales\".\"Orders\"",
    ] {
        assert_eq!(result["outcome"], "misconfigured", "{result}");
        let text = result["detail"]["text"].as_str().expect("words");
        let grant = grant_in(text);
        assert!(grant.contains(missing), "{text}");
        customer.make(&grant).await;
        result = table.run_one().await;
    }
    assert_eq!(result["outcome"], "pass", "{result}");
    let alerts = connection.alerts().await;
    let kinds: Vec<_> = alerts.iter().map(|alert| &alert["kind"]).collect();
    assert_eq!(kinds, ["misconfigured"], "{alerts:?}");
    assert_eq!(alerts[0]["state"], "resolved", "{alerts:?}");
}

/// The table that the grant lacks for is another one than the check's, or has "schema" in its name.
#[tokio::test]
async fn the_grant_that_is_told_is_for_the_table_that_lacks_it() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    customer.orders("schema_x", 10).await;
    customer.orders("customers", 10).await;
    let checks = [
        (
            "orders",
            json!({"kind": "reference", "settings": {"columns": ["id"], "to_columns": ["id"],
                "to": {"schema": "public", "name": "customers"}}}),
            r#"SELECT ON "public"."customers""#,
        ),
        (
            "orders",
            json!({"kind": "comparison", "settings": {"with": {"schema": "public",
                "name": "customers"}}, "fail": {"kind": "absolute", "max": 0}}),
            r#"SELECT ON "public"."customers""#,
        ),
        (
            "orders",
            json!({"kind": "metric", "settings": {"sql": "select count(*) from customers"},
                "fail": {"kind": "absolute", "max": 10}}),
            r#"SELECT ON "public"."customers""#,
        ),
        (
            "schema_x",
            json!({"kind": "null_rate", "settings": {"column": "status"},
                "fail": {"kind": "absolute", "max": 0.5}}),
            r#"SELECT ON "public"."schema_x""#,
        ),
    ];
    for (name, check, missing) in checks {
        let reader = customer.reader(["orders"]).await;
        let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
        let table = connection.table(name).await;
        let path = table.check(check).await;
        let result = table.first(&path).await;
        assert_eq!(result["outcome"], "misconfigured", "{result}");
        let text = result["detail"]["text"].as_str().expect("words");
        assert!(grant_in(text).contains(missing), "{text}");
        assert_eq!(text.matches("GRANT").count(), 1, "{text}");
        customer.make(&grant_in(text)).await;
        assert_eq!(table.run_one().await["outcome"], "pass", "{text}");
    }
}

/// A role that may not see the receiver leaves it open how far an idle replica is: that is said, and
/// nothing about the data.
#[tokio::test]
async fn without_pg_read_all_stats_nothing_is_said_about_data() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::start().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    let reader = customer.reader(["orders"]).await;
    let (take, give) = (
        format!("revoke pg_read_all_stats from {}", reader.role),
        format!("grant pg_read_all_stats to {}", reader.role),
    );
    customer.make(&take).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    connection.lag_limit(2).await;
    let table = connection.table("orders").await;
    let check = json!({"kind": "row_count", "fail": {"kind": "absolute", "max": 5}});
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let check = table.check(check).await;
    let blind = table.first(&check).await;
    assert_eq!(
        (&blind["outcome"], &blind["reason"]),
        (&json!("inconclusive"), &json!("lag")),
        "{blind}"
    );
    let text = blind["detail"]["text"].as_str().unwrap_or_default();
    assert!(text.contains("pg_read_all_stats"), "{blind}");
    assert_eq!(connection.alerts().await, [json!(null); 0]);
    customer.make(&give).await;
    assert_eq!(table.run_one().await["outcome"], "fail");
}

#[tokio::test]
async fn connections_are_for_those_who_may_and_for_nobody_of_another_tenant() {
    let (tenant, cluster) = (Tenant::new().await, Cluster::shared().await);
    let customer = cluster.customer().await;
    customer.orders("orders", 10).await;
    let reader = customer.reader(["orders"]).await;
    let connection = Connection::to(&tenant, &customer, &reader, json!({})).await;
    let table = connection.table("orders").await;
    let check = table.check(json!({"kind": "row_count"})).await;
    let stranger = Tenant::new().await;
    let reads = [
        connection.path(),
        table.path(),
        check.clone(),
        format!("{}/impact", connection.path()),
        format!("{}/schemas", connection.path()),
        format!("{check}/results"),
    ];
    for path in &reads {
        stranger.client().get(path).await.problem_of(404);
    }
    for path in [
        format!("{}/test", connection.path()),
        format!("{}/run", table.path()),
        format!("{}/dry-run", table.path()),
    ] {
        stranger.client().call("POST", &path).await.problem_of(404);
        for role in ["agent", "read_only"] {
            let member = tenant.member(role).await.client;
            member.call("POST", &path).await.problem_of(403);
        }
    }
    let borrowed = json!({"connection_id": connection.id, "name": "orders"});
    let borrowed = stranger.client().post("/api/tables", &borrowed).await;
    assert!([404, 422].contains(&borrowed.status), "{borrowed}");
}
