//! Two engines of the rules: the one compiled into this program, and wasm under Node.
//!
//! Invariant: both take the same orders, and answer each with one text.
//! Failure: an engine that cannot run is an error; what it answers is only compared.

use crate::project::Project;
use anyhow::{Context, Result, bail};
use pulse_scanner_core::{Table, run_cases};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// One order: an operation and its texts.
#[derive(Clone, Debug)]
pub struct Order(Vec<String>);

impl Order {
    /// An order.
    pub fn new<'a>(operation: &'a str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts = std::iter::once(operation).chain(texts);
        Self(texts.map(str::to_owned).collect())
    }

    /// Is it this operation?
    pub fn is(&self, operation: &str) -> bool {
        self.0.first().is_some_and(|first| first == operation)
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The rules of this program.
#[derive(Default)]
pub struct Native(Option<Table>);

impl Native {
    /// Carries an order out.
    pub fn obey(&mut self, order: &Order) -> String {
        let texts: Vec<&str> = order.0.iter().map(String::as_str).collect();
        match (texts.as_slice(), &mut self.0) {
            (["cases", kind, text], _) => run_cases(kind, text),
            (["load", json], table) => match Table::load(json) {
                Ok(loaded) => {
                    *table = Some(loaded);
                    String::new()
                }
                Err(why) => format!("thrown {why}"),
            },
            (["scan", json], Some(table)) => table.scan(json),
            (["annul", json], Some(table)) => table.annul(json),
            (["log_after", seq], Some(table)) => table.log_after(seq.parse().unwrap_or_default()),
            (["snapshot"], Some(table)) => table.snapshot(),
            (["decide", json], Some(table)) => table.decide(json),
            (["learn", json], Some(table)) => table.learn(json),
            (["position"], Some(table)) => table.position().unwrap_or_default(),
            (["pending"], Some(table)) => table.pending(),
            (["acknowledge", json], Some(table)) => table.acknowledge(json),
            _ => "thrown no such order".to_owned(),
        }
    }
}

/// The same that remembers what it was asked and what it answered.
#[derive(Default)]
pub struct Engine {
    native: Native,
    /// What it was asked.
    pub orders: Vec<Order>,
    /// What it answered.
    pub answers: Vec<String>,
}

impl Engine {
    /// Carries an order out.
    pub fn obey(&mut self, operation: &str, text: Option<&str>) -> String {
        let order = Order::new(operation, text);
        let answer = self.native.obey(&order);
        self.orders.push(order);
        self.answers.push(answer.clone());
        answer
    }
}

/// What the module in a folder answers to the orders, under Node.
pub fn in_wasm(project: &Project, folder: &Path, orders: &[Order]) -> Result<Vec<String>> {
    let mut input = String::new();
    for order in orders {
        input.push_str(&serde_json::to_string(&order.0)?);
        input.push('\n');
    }
    let mut node = Command::new(project.node());
    node.arg(project.at("xtask/runtime/rules.mjs")).arg(folder);
    node.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.spawn().context("cannot run node")?;
    let mut stdin = child.stdin.take().context("no input")?;
    // The script reads all before it writes, so neither side waits for the other.
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("xtask/runtime/rules.mjs failed");
    }
    let text = String::from_utf8(output.stdout)?;
    let answer = |line: &str| -> Result<String> {
        Ok(match serde_json::from_str(line)? {
            serde_json::Value::String(text) => text,
            thrown => format!("thrown {}", thrown["thrown"].as_str().unwrap_or_default()),
        })
    };
    let answers: Vec<String> = text.lines().map(answer).collect::<Result<_>>()?;
    if answers.len() != orders.len() {
        bail!("{} orders, {} answers", orders.len(), answers.len());
    }
    Ok(answers)
}
