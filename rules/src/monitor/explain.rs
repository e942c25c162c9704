//! Whether a plan is cheap enough to run.
//!
//! Every statement is explained before it runs, under the same time-outs, because explaining runs
//! functions that are immutable.
//!
//! Invariant: no plan passes that costs more than the limit, reads a big table from end to end, draws
//! a sample row by row, reaches another server, or takes locks on rows. What is not understood is
//! refused.
//! Failure: [`Refused`] with the table and what would help, for a person: the run is skipped.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::Catalog;
use super::ledger::Work;
use crate::sql_guard::TableName;

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The highest total cost, in the planner's unit: about one page read in order.
    pub max_cost: f64,
    /// From how many pages on a table is not read from end to end.
    pub big_pages: i64,
}

impl Default for Limits {
    /// A table of [`super::sql::Size::big_pages`] pages costs about twice that to read, with
    /// conditions on its rows up to five times.
    fn default() -> Self {
        Self {
            max_cost: 50_000.0,
            big_pages: 10_000,
        }
    }
}

/// A plan that may run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AllowedPlan))]
pub struct Allowed {
    /// Its total cost.
    pub cost: f64,
    /// About how many buffers it reads at most.
    pub buffers: u64,
}

/// A plan that may not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RefusedPlan))]
pub struct Refused {
    /// Which rule it breaks: `cost`, `big_table`, `sampling`, `foreign`, `locks`, `unreadable`.
    pub code: String,
    /// One or two sentences for a person.
    pub why: String,
    /// Its total cost, where it could be read.
    pub cost: Option<f64>,
}

/// How deep plans are looked into.
const DEPTH: usize = 100;

/// Judges the answer to `explain (format json, verbose)`.
pub fn judge(plan: &Value, limits: &Limits, catalog: &Catalog) -> Result<Allowed, Refused> {
    // The answer is a list of one, or its only element.
    let root = plan.get(0).unwrap_or(plan).get("Plan");
    let cost = root.and_then(total).filter(|cost| cost.is_finite());
    let (Some(root), Some(cost)) = (root, cost) else {
        return Err(refused("unreadable", "The plan cannot be read.", None));
    };
    let mut walk = Walk {
        limits,
        catalog,
        cost,
    };
    walk.node(root, false, 0)?;
    if cost > limits.max_cost {
        let why = format!(
            "The plan costs {cost:.0}, of which {:.0} is allowed. Look at the latest rows only \
             (scope), or add an index on what the check looks for.",
            limits.max_cost
        );
        return Err(refused("cost", why, Some(cost)));
    }
    Ok(Allowed {
        cost,
        // A page costs 1 at least where settings are as they come, and most of the rest is work.
        buffers: cost.clamp(1.0, 1.0e15) as u64,
    })
}

/// The most that a statement with this plan can cost, for the ledger.
pub fn work(allowed: &Allowed, timeout_ms: u64) -> Work {
    Work {
        statements: 1,
        milliseconds: timeout_ms,
        buffers: allowed.buffers,
    }
}

struct Walk<'a> {
    limits: &'a Limits,
    catalog: &'a Catalog,
    cost: f64,
}

impl Walk<'_> {
    /// `first`: only the first row is fetched.
    fn node(&mut self, node: &Value, first: bool, depth: usize) -> Result<(), Refused> {
        let refuse = |code: &str, why: String| Err(refused(code, why, Some(self.cost)));
        let Some(kind) = text(node, "Node Type").filter(|_| depth < DEPTH) else {
            return refuse("unreadable", "The plan cannot be read.".to_owned());
        };
        let name = relation(node);
        let shown = name.as_ref().map_or_else(
            || "a table".to_owned(),
            |table| format!("{}.{}", table.schema, table.name),
        );
        match kind {
            "Seq Scan" => {
                let pages = name.as_ref().and_then(|name| self.catalog.get(name));
                // Of a partition nothing is known but its cost: a page costs 1.
                let pages = pages.map_or_else(
                    || total(node).unwrap_or(f64::MAX),
                    |facts| facts.pages as f64,
                );
                let whole = !first || node.get("Filter").is_some();
                if whole && pages > self.limits.big_pages as f64 {
                    return refuse(
                        "big_table",
                        format!(
                            "{shown} would be read from end to end: {pages:.0} pages, of which {} \
                             are allowed. Look at the latest rows only (scope), or add an index on \
                             what the check looks for.",
                            self.limits.big_pages
                        ),
                    );
                }
            }
            "Sample Scan" if text(node, "Sampling Method") != Some("system") => {
                let method = "A sample is drawn by pages (SYSTEM), not by rows";
                return refuse(
                    "sampling",
                    format!("{method}: that would read {shown} whole."),
                );
            }
            "Foreign Scan" | "Custom Scan" => {
                return refuse("foreign", format!("{shown} is not read by this server."));
            }
            "LockRows" | "ModifyTable" => {
                let what = "The statement would lock or change rows.";
                return refuse("locks", what.to_owned());
            }
            "Gather" | "Gather Merge" => {
                let what = "The statement would use more than one process.";
                return refuse("cost", what.to_owned());
            }
            _ => {}
        }
        // A limit makes what it is above look cheap: it takes for granted that a row is found soon.
        let looks_for = !first || node.get("Filter").is_some();
        let own = total(node).filter(|own| looks_for && *own > self.limits.max_cost);
        if let Some(own) = own.filter(|_| kind.ends_with("Scan")) {
            return refuse(
                "cost",
                format!(
                    "Looking through {shown} costs up to {own:.0}, of which {:.0} is allowed. Look \
                     at the latest rows only (scope), or add an index on what the check looks for.",
                    self.limits.max_cost
                ),
            );
        }
        // What is above a limit of one row stops it there; what only hands rows on keeps that.
        let hands_on =
            matches!(kind, "Append" | "Result" | "Subquery Scan") && node.get("Filter").is_none();
        let few = text_number(node, "Plan Rows").is_some_and(|rows| rows <= 1.0);
        let first = (kind == "Limit" && few) || (first && hands_on);
        let plans = node.get("Plans").and_then(Value::as_array);
        for plan in plans.into_iter().flatten() {
            let outer = matches!(
                text(plan, "Parent Relationship"),
                Some("Outer" | "Member" | "Subquery")
            );
            self.node(plan, first && outer, depth + 1)?;
        }
        Ok(())
    }
}

fn refused(code: &str, why: impl Into<String>, cost: Option<f64>) -> Refused {
    Refused {
        code: code.to_owned(),
        why: why.into(),
        cost,
    }
}

fn total(node: &Value) -> Option<f64> {
    text_number(node, "Total Cost")
}

fn text_number(node: &Value, name: &str) -> Option<f64> {
    node.get(name).and_then(Value::as_f64)
}

fn text<'v>(node: &'v Value, name: &str) -> Option<&'v str> {
    node.get(name).and_then(Value::as_str)
}

fn relation(node: &Value) -> Option<TableName> {
    Some(TableName {
        schema: text(node, "Schema")?.to_owned(),
        name: text(node, "Relation Name")?.to_owned(),
    })
}
