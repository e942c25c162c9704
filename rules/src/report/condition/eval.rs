//! Whether a condition holds over the data of a run.
//!
//! Invariant: `and` and `or` stop as soon as they are decided.
//! Failure: a dataset or column that is not there, or values that cannot be compared.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Aggregate, Expression, Node, Operator, Wrong};
use crate::report::{Dataset, Kind, dataset};

/// A value while evaluating.
#[derive(Clone, Debug, PartialEq)]
enum Is {
    Number(f64),
    Text(String),
    Bool(bool),
    Null,
}

/// Whether it holds.
pub fn holds(node: &Node, data: &[Dataset]) -> Result<bool, Wrong> {
    truth(node, &value(node, data)?)
}

fn value(node: &Node, data: &[Dataset]) -> Result<Is, Wrong> {
    Ok(match &node.kind {
        Expression::Number(number) => Is::Number(*number),
        Expression::Text(text) => Is::Text(text.clone()),
        Expression::Bool(is) => Is::Bool(*is),
        Expression::Null => Is::Null,
        Expression::Rows(set) => count(dataset(node, set, data)?.rows.len()),
        Expression::Cell(set, column) => {
            let (set, place) = find(node, set, column, data)?;
            match set.rows.len() {
                0 => Is::Null,
                1 => is(set, 0, place),
                rows => {
                    let message = format!(
                        "{} has {rows} rows: use sum, avg, min, max, first or last.",
                        set.name
                    );
                    return Err(Wrong::new(node.at, "condition_rows", message));
                }
            }
        }
        Expression::Of(aggregate, set, column) => {
            let (set, place) = find(node, set, column, data)?;
            aggregated(*aggregate, set, place)
        }
        Expression::Not(one) => Is::Bool(!holds(one, data)?),
        Expression::Minus(one) => match value(one, data)? {
            Is::Null => Is::Null,
            other => Is::Number(-number(one, &other)?),
        },
        Expression::Two(operator, one, other) => two(*operator, one, other, data)?,
    })
}

fn two(operator: Operator, one: &Node, other: &Node, data: &[Dataset]) -> Result<Is, Wrong> {
    match operator {
        Operator::And => return Ok(Is::Bool(holds(one, data)? && holds(other, data)?)),
        Operator::Or => return Ok(Is::Bool(holds(one, data)? || holds(other, data)?)),
        _ => {}
    }
    let (left, right) = (value(one, data)?, value(other, data)?);
    let arithmetic = |reckon: fn(f64, f64) -> f64| -> Result<Is, Wrong> {
        if left == Is::Null || right == Is::Null {
            return Ok(Is::Null);
        }
        let reckoned = reckon(number(one, &left)?, number(other, &right)?);
        // A division by nothing has no value.
        Ok(if reckoned.is_finite() {
            Is::Number(reckoned)
        } else {
            Is::Null
        })
    };
    match operator {
        Operator::Plus => return arithmetic(|one, other| one + other),
        Operator::Minus => return arithmetic(|one, other| one - other),
        Operator::Times => return arithmetic(|one, other| one * other),
        Operator::Over => return arithmetic(|one, other| one / other),
        _ => {}
    }
    let order = order(other, &left, &right)?;
    Ok(Is::Bool(match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::Unequal => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::More => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }))
}

/// How two values compare; none if one is null.
fn order(at: &Node, left: &Is, right: &Is) -> Result<Option<Ordering>, Wrong> {
    Ok(match (left, right) {
        (Is::Null, Is::Null) => Some(Ordering::Equal),
        (Is::Null, _) | (_, Is::Null) => None,
        (Is::Number(left), Is::Number(right)) => left.partial_cmp(right),
        (Is::Text(left), Is::Text(right)) => Some(left.cmp(right)),
        (Is::Bool(left), Is::Bool(right)) => Some(left.cmp(right)),
        _ => {
            let message = format!("{} cannot be compared with {}.", kind(left), kind(right));
            return Err(Wrong::new(at.at, "condition_type", message));
        }
    })
}

fn aggregated(aggregate: Aggregate, set: &Dataset, column: usize) -> Is {
    let rows = set.rows.len();
    let numbers = || (0..rows).filter_map(|row| set.number(row, column));
    let some = |number: Option<f64>| number.map_or(Is::Null, Is::Number);
    match aggregate {
        Aggregate::First if rows > 0 => is(set, 0, column),
        Aggregate::Last if rows > 0 => is(set, rows - 1, column),
        Aggregate::First | Aggregate::Last => Is::Null,
        Aggregate::Count => {
            let known = |row: &usize| set.cell(*row, column).is_some_and(|cell| !cell.is_null());
            count((0..rows).filter(known).count())
        }
        Aggregate::Sum => Is::Number(numbers().sum()),
        Aggregate::Average => match count(numbers().count()) {
            Is::Number(many) if many > 0.0 => Is::Number(numbers().sum::<f64>() / many),
            _ => Is::Null,
        },
        Aggregate::Least => some(numbers().reduce(f64::min)),
        Aggregate::Most => some(numbers().reduce(f64::max)),
    }
}

fn dataset<'d>(node: &Node, name: &str, data: &'d [Dataset]) -> Result<&'d Dataset, Wrong> {
    data.iter().find(|set| set.name == name).ok_or_else(|| {
        let names: Vec<&str> = data.iter().map(|set| set.name.as_str()).collect();
        let message = match names.is_empty() {
            true => format!("There is no dataset {name}: the report has none."),
            false => format!("There is no dataset {name}; there is {}.", names.join(", ")),
        };
        Wrong::new(node.at, "unknown_dataset", message)
    })
}

fn find<'d>(
    node: &Node,
    set: &str,
    column: &str,
    data: &'d [Dataset],
) -> Result<(&'d Dataset, usize), Wrong> {
    let set = dataset(node, set, data)?;
    let place = set.column(column).ok_or_else(|| {
        let names: Vec<&str> = set
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let message = format!(
            "{} has no column {column}; it has {}.",
            set.name,
            names.join(", ")
        );
        Wrong::new(node.at, "unknown_column", message)
    })?;
    Ok((set, place))
}

fn is(set: &Dataset, row: usize, column: usize) -> Is {
    let kind = set
        .columns
        .get(column)
        .map_or(Kind::Text, |column| column.kind);
    match set.cell(row, column) {
        None | Some(Value::Null) => Is::Null,
        Some(Value::Bool(is)) => Is::Bool(*is),
        Some(cell) => match (dataset::number(cell, kind), cell) {
            (Some(number), _) => Is::Number(number),
            (None, Value::String(text)) => Is::Text(text.clone()),
            (None, other) => Is::Text(other.to_string()),
        },
    }
}

fn truth(node: &Node, is: &Is) -> Result<bool, Wrong> {
    match is {
        Is::Bool(is) => Ok(*is),
        Is::Null => Ok(false),
        other => {
            let message = format!(
                "Expected a comparison; {} is neither true nor false.",
                kind(other)
            );
            Err(Wrong::new(node.at, "condition_type", message))
        }
    }
}

fn number(node: &Node, is: &Is) -> Result<f64, Wrong> {
    match is {
        Is::Number(number) => Ok(*number),
        other => {
            let message = format!("Expected a number instead of {}.", kind(other));
            Err(Wrong::new(node.at, "condition_type", message))
        }
    }
}

fn kind(is: &Is) -> &'static str {
    match is {
        Is::Number(_) => "a number",
        Is::Text(_) => "a text",
        Is::Bool(_) => "true or false",
        Is::Null => "null",
    }
}

fn count(many: usize) -> Is {
    Is::Number(u32::try_from(many).map_or(f64::MAX, f64::from))
}
