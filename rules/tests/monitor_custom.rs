//! SQL of tenants: what attacks is refused when it is saved, what asks runs as it was understood.
//!
//! Invariant: default deny; the corpus of attacks names what each must be refused for.
//! Failure: every text that was judged otherwise.

mod monitor_support;

use std::collections::BTreeMap;

use monitor_support::{at, catalog, check, orders, plan_of, table};
use rules::monitor::catalog::{Catalog, Kind, TableFacts};
use rules::monitor::custom::{self, bind, condition, write};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Corpus {
    /// By the code that they are refused with.
    refused: BTreeMap<String, Vec<String>>,
    refused_conditions: Vec<String>,
    accepted: Vec<String>,
    accepted_conditions: Vec<String>,
}

fn corpus() -> Corpus {
    serde_json::from_str(include_str!("fixtures/monitor_custom.json")).expect("a corpus")
}

#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(
        wrong.is_empty(),
        "{} texts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_attack_is_refused_for_its_reason() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (code, texts) in corpus().refused {
        for sql in texts {
            count += 1;
            match custom::check(&sql) {
                Err(refusal) if refusal.code == code => assert!(!refusal.message.is_empty()),
                Err(refusal) => {
                    wrong.push(format!("{code}: {sql}\n    {} {refusal}", refusal.code))
                }
                Ok(custom) => wrong.push(format!("{code}: {sql}\n    runs as {}", custom.sql)),
            }
        }
    }
    assert!(count >= 130, "{count}");
    none(wrong);
}

#[test]
fn a_condition_is_about_one_row_and_nothing_else() {
    let corpus = corpus();
    assert!(corpus.refused_conditions.len() >= 25);
    let judge = |text: &String| custom::check_condition(text, &table("orders"));
    let passed = corpus
        .refused_conditions
        .iter()
        .filter(|text| judge(text).is_ok());
    none(passed.cloned().collect());
    let refused = corpus.accepted_conditions.iter();
    let refused = refused.filter_map(|text| Some(format!("{text}: {}", judge(text).err()?)));
    none(refused.collect());
}

#[test]
fn every_honest_metric_is_accepted_and_written_the_same_again() {
    let corpus = corpus();
    assert!(corpus.accepted.len() >= 25);
    let mut wrong = Vec::new();
    for sql in &corpus.accepted {
        match custom::check(sql) {
            Err(refusal) => wrong.push(format!("{sql}\n    {} {refusal}", refusal.code)),
            Ok(first) => match custom::check(&first.sql) {
                Ok(second) if second.sql == first.sql => {}
                // Series stand in SELECT, which is ours alone to write.
                _ if first.sql.contains("(select generate_series(") => {}
                again => wrong.push(format!("{sql}\n    {}\n    {again:?}", first.sql)),
            },
        }
    }
    none(wrong);
}

#[test]
fn tables_are_written_with_their_schema_and_now_is_where_the_replica_is() {
    let sql = "SELECT count(*) FROM Orders o JOIN sales.\"Lines\" l ON l.id = o.id \
               WHERE o.at > now() - interval '1 hour'";
    let custom = write(sql, "shop", at("2026-06-01T10:30:00Z")).expect("a metric");
    assert_eq!(
        custom.sql,
        "select count(*) as count from shop.orders as o join sales.\"Lines\" as l on l.id = o.id \
         where o.at > (cast('2026-06-01T10:30:00.000000Z' as timestamptz) - (interval '1 hour'))"
    );
    let named: Vec<_> = custom.tables.iter().map(|table| &*table.name).collect();
    assert_eq!(named, ["orders", "Lines"]);
}

#[test]
fn a_name_of_with_hides_a_table_but_not_one_with_its_schema() {
    let sql = "with orders as (select id from public.orders) select count(*) from orders";
    let custom = custom::check(sql).expect("a metric");
    assert_eq!(custom.tables, [table("orders")]);
    assert!(custom.sql.ends_with("from orders"), "{}", custom.sql);
}

#[test]
fn tables_and_columns_that_are_not_there_are_told_before_anything_runs() {
    let catalog = catalog(10);
    for (sql, told) in [
        (
            "select count(*) from gone",
            "There is no table public.gone.",
        ),
        (
            "select count(*) from other.orders",
            "There is no table other.orders.",
        ),
        ("select max(gone) from orders", "orders has no column gone."),
        (
            "select max(o.gone) from orders o",
            "orders has no column gone.",
        ),
        (
            "select max(gone) from orders o join customers c on c.id = o.customer",
            "orders or customers has no column gone.",
        ),
        (
            "select max(x.gone) from (select * from orders) x",
            "orders has no column gone.",
        ),
        // Functions that look like columns, and rows that look like one.
        (
            "select max(o.row_to_json) from orders o",
            "orders has no column row_to_json.",
        ),
        (
            "select count(o.evil) from orders o",
            "orders has no column evil.",
        ),
        (
            "select count(orders) from orders",
            "orders has no column orders.",
        ),
    ] {
        let custom = custom::check(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        assert_eq!(bind(&custom, &catalog).unwrap_err().message, told, "{sql}");
    }
    for fine in [
        "select max(amount) from orders",
        "select max(x.amount) from (select * from orders) x",
        "select max(total) from (select amount * 2 as total from orders) x",
        "select count(*) from orders o join customers c using (id) where name is not null",
        "select count(*) from orders o where exists (select 1 from customers c where c.id = o.customer)",
    ] {
        let custom = custom::check(fine).unwrap_or_else(|refusal| panic!("{fine}: {refusal}"));
        assert_eq!(bind(&custom, &catalog), Ok(()), "{fine}");
    }
}

#[test]
fn a_foreign_table_is_not_read() {
    let foreign = TableFacts {
        kind: Kind::Foreign,
        ..orders(10)
    };
    let catalog = Catalog::from([(table("orders"), foreign)]);
    let metric = check("metric", json!({"sql": "select count(*) from orders"}));
    let told = plan_of(&metric, &catalog).unwrap_err().message;
    assert!(told.contains("foreign table"), "{told}");
}

#[test]
fn a_condition_is_written_in_parentheses_with_the_columns_it_names() {
    let orders = table("orders");
    let custom = condition(
        "amount > 0 or orders.status = 'x'",
        &orders,
        at("2026-06-01T00:00:00Z"),
    );
    let custom = custom.expect("a condition");
    assert_eq!(custom.sql, "((amount > 0) or (orders.status = 'x'))");
    assert_eq!(bind(&custom, &catalog(10)), Ok(()));
    let custom = condition("evil", &orders, at("2026-06-01T00:00:00Z")).expect("a condition");
    assert!(bind(&custom, &catalog(10)).is_err());
}
