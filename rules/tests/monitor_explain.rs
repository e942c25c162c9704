//! Plans that may run and plans that may not, as Postgres tells them.
//!
//! Invariant: what would read a big table from end to end is refused before it does.
//! Failure: the plan that is judged otherwise.

mod monitor_support;

use monitor_support::{BIG, SMALL, catalog};
use rules::monitor::explain::{Limits, judge, work};
use serde_json::{Value, json};

/// A plan of one node.
fn plan(node: Value) -> Value {
    json!([{"Plan": node}])
}

fn scan(kind: &str, cost: f64) -> Value {
    json!({"Node Type": kind, "Relation Name": "orders", "Schema": "public",
           "Total Cost": cost, "Plan Rows": 100.0})
}

/// `Limit` over a node, of one row.
fn limit(node: Value, rows: f64) -> Value {
    let mut node = node;
    node["Parent Relationship"] = json!("Outer");
    json!({"Node Type": "Limit", "Total Cost": 0.5, "Plan Rows": rows, "Plans": [node]})
}

/// What it is judged as: a code, or `ok`.
fn judged(node: Value, pages: i64) -> String {
    match judge(&plan(node), &Limits::default(), &catalog(pages)) {
        Ok(_) => "ok".to_owned(),
        Err(refused) => {
            assert!(refused.why.ends_with('.'), "{}", refused.why);
            refused.code
        }
    }
}

#[test]
fn a_big_table_is_not_read_from_end_to_end_and_a_small_one_may_be() {
    assert_eq!(judged(scan("Seq Scan", 40_000.0), BIG), "big_table");
    assert_eq!(judged(scan("Seq Scan", 4_000.0), SMALL), "ok");
    assert_eq!(judged(scan("Index Only Scan", 4.5), BIG), "ok");
    let deep = json!({"Node Type": "Aggregate", "Total Cost": 10.0, "Plan Rows": 1.0,
        "Plans": [{"Node Type": "Hash Join", "Total Cost": 9.0, "Plan Rows": 1.0,
                   "Plans": [scan("Seq Scan", 9.0)]}]});
    assert_eq!(
        judged(deep, BIG),
        "big_table",
        "whatever the planner thinks it costs"
    );
}

#[test]
fn a_table_that_is_not_known_is_judged_by_its_cost() {
    let partition = |cost: f64| {
        let mut node = scan("Seq Scan", cost);
        node["Relation Name"] = json!("orders_2026_06");
        node
    };
    assert_eq!(judged(partition(10_001.0), SMALL), "big_table");
    assert_eq!(judged(partition(9_999.0), SMALL), "ok");
}

#[test]
fn what_costs_too_much_is_refused_with_what_would_help() {
    let refused = judge(
        &plan(scan("Bitmap Heap Scan", 50_001.0)),
        &Limits::default(),
        &catalog(BIG),
    );
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.cost),
        ("cost", Some(50_001.0))
    );
    assert!(refused.why.contains("scope") && refused.why.contains("index"));
    assert_eq!(judged(scan("Bitmap Heap Scan", 50_000.0), BIG), "ok");
}

#[test]
fn the_first_row_of_a_big_table_may_be_looked_at_but_not_looked_for() {
    assert_eq!(judged(limit(scan("Seq Scan", 40_000.0), 1.0), BIG), "ok");
    let mut looked_for = scan("Seq Scan", 40_000.0);
    looked_for["Filter"] = json!("(at > now())");
    assert_eq!(judged(limit(looked_for, 1.0), BIG), "big_table");
    assert_eq!(
        judged(limit(scan("Seq Scan", 40_000.0), 20.0), BIG),
        "big_table"
    );
    let mut below = scan("Seq Scan", 40_000.0);
    below["Parent Relationship"] = json!("Outer");
    let sorted =
        json!({"Node Type": "Sort", "Total Cost": 9.0, "Plan Rows": 1.0, "Plans": [below]});
    assert_eq!(
        judged(limit(sorted, 1.0), BIG),
        "big_table",
        "a sort reads all of it"
    );
}

/// A limit takes the cost of the whole for the cost of a row, as if one were found at once.
#[test]
fn what_is_looked_for_below_a_limit_is_judged_by_what_it_takes_when_it_is_not_found() {
    let mut in_order = scan("Index Scan", 400_000.0);
    assert_eq!(judged(limit(in_order.clone(), 1.0), BIG), "ok", "the first");
    in_order["Filter"] = json!("((amount + 0) > 1000000000)");
    assert_eq!(judged(limit(in_order, 1.0), BIG), "cost");

    let mut below = scan("Seq Scan", 40_000.0);
    below["Parent Relationship"] = json!("Subquery");
    let mut outside = json!({"Node Type": "Subquery Scan", "Total Cost": 40_000.0, "Plan Rows": 9.0,
        "Plans": [below]});
    assert_eq!(judged(limit(outside.clone(), 1.0), BIG), "ok");
    outside["Filter"] = json!("((x.v + 0) > 1000000000)");
    assert_eq!(judged(limit(outside, 1.0), BIG), "big_table");
}

#[test]
fn samples_are_drawn_by_pages() {
    let sample = |method: &str| {
        let mut node = scan("Sample Scan", 400.0);
        node["Sampling Method"] = json!(method);
        node
    };
    assert_eq!(judged(sample("system"), BIG), "ok");
    assert_eq!(judged(sample("bernoulli"), BIG), "sampling");
    assert_eq!(
        judged(scan("Sample Scan", 1.0), BIG),
        "sampling",
        "not told is not known"
    );
}

#[test]
fn other_servers_locks_changes_and_more_processes_are_refused() {
    for (kind, code) in [
        ("Foreign Scan", "foreign"),
        ("Custom Scan", "foreign"),
        ("LockRows", "locks"),
        ("ModifyTable", "locks"),
        ("Gather", "cost"),
        ("Gather Merge", "cost"),
    ] {
        assert_eq!(judged(scan(kind, 1.0), SMALL), code, "{kind}");
    }
}

#[test]
fn what_is_no_plan_is_refused() {
    let mut nested = scan("Result", 1.0);
    for _ in 0..200 {
        nested = json!({"Node Type": "Result", "Total Cost": 1.0, "Plans": [nested]});
    }
    for wrong in [
        json!(null),
        json!([]),
        json!([{}]),
        json!({"Plan": {}}),
        plan(json!({"Node Type": "Seq Scan"})),
        plan(json!({"Total Cost": 1.0})),
        plan(json!({"Node Type": "Result", "Total Cost": 1.0, "Plans": [{}]})),
        plan(nested),
    ] {
        let refused = judge(&wrong, &Limits::default(), &catalog(SMALL));
        assert_eq!(refused.unwrap_err().code, "unreadable", "{wrong}");
    }
}

#[test]
fn the_most_that_a_plan_can_cost_is_set_aside() {
    let allowed = judge(
        &plan(scan("Seq Scan", 812.4)),
        &Limits::default(),
        &catalog(SMALL),
    );
    let work = work(&allowed.expect("allowed"), 2_000);
    assert_eq!(
        (work.statements, work.milliseconds, work.buffers),
        (1, 2_000, 812)
    );
}
