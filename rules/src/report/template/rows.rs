//! A dataset as a template sees it: a list of rows, and the columns of its one row.
//!
//! Invariant: `orders[0].total` and `{% for row in orders %}` always work; `orders.total` means the
//! only row.
//! Failure: a column of several rows is undefined, which is an error where it is used.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::Value as Json;

use crate::report::{Dataset, Kind, dataset};

/// A dataset in a template.
#[derive(Debug)]
pub struct Rows {
    /// The dataset.
    pub set: Dataset,
    rows: Vec<Value>,
}

/// A dataset as a value.
pub fn value(set: &Dataset) -> Value {
    let rows = (0..set.rows.len()).map(|row| map(set, row)).collect();
    Value::from_object(Rows {
        set: set.clone(),
        rows,
    })
}

impl Object for Rows {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(at) = key.as_usize() {
            return self.rows.get(at).cloned();
        }
        let name = key.as_str()?;
        match (self.set.column(name), self.rows.len()) {
            (Some(column), 1) => Some(cell(&self.set, 0, column)),
            (Some(_), 0) => Some(Value::from(())),
            (None, _) if name == "truncated" => Some(Value::from(self.set.truncated)),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.rows.len())
    }
}

fn map(set: &Dataset, row: usize) -> Value {
    let cells = set.columns.iter().enumerate();
    Value::from_pairs(cells.map(|(at, column)| (column.name.clone(), cell(set, row, at))))
}

fn cell(set: &Dataset, row: usize, column: usize) -> Value {
    let kind = set
        .columns
        .get(column)
        .map_or(Kind::Text, |column| column.kind);
    let Some(cell) = set.cell(row, column) else {
        return Value::from(());
    };
    if let Some(number) = cell.as_str().and_then(|_| dataset::number(cell, kind)) {
        return Value::from(number);
    }
    match cell {
        Json::Null => Value::from(()),
        Json::Bool(is) => Value::from(*is),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(real)) => Value::from(real),
            (None, None) => Value::from(number.to_string()),
        },
        Json::String(text) => Value::from(text.as_str()),
        other => Value::from(other.to_string()),
    }
}
