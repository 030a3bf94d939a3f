//! Values and their comparison.

use crate::tree::Document;
use crate::xpath::XNode;
use crate::xpath::number::{number_to_string, string_to_number};

/// What an expression yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// In document order, each node once.
    Nodes(Vec<XNode>),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Value {
    /// `string()`.
    pub fn to_text(&self, d: &Document) -> String {
        match self {
            Value::Nodes(nodes) => nodes.first().map_or(String::new(), |n| n.string_value(d)),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) => number_to_string(*n),
            Value::Text(s) => s.clone(),
        }
    }

    /// `number()`.
    pub fn to_number(&self, d: &Document) -> f64 {
        match self {
            Value::Number(n) => *n,
            Value::Bool(b) => f64::from(u8::from(*b)),
            other => string_to_number(&other.to_text(d)),
        }
    }

    /// `boolean()`.
    pub fn to_bool(&self) -> bool {
        match self {
            Value::Nodes(nodes) => !nodes.is_empty(),
            Value::Bool(b) => *b,
            Value::Number(n) => *n != 0.0 && !n.is_nan(),
            Value::Text(s) => !s.is_empty(),
        }
    }
}

fn numbers(op: &str, a: f64, b: f64) -> bool {
    match op {
        "=" => a == b,
        "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

/// Two values neither of which is a node set.
fn atoms(d: &Document, op: &str, a: &Value, b: &Value) -> bool {
    let equality = matches!(op, "=" | "!=");
    match (a, b) {
        (Value::Bool(_), _) | (_, Value::Bool(_)) if equality => (a.to_bool() == b.to_bool()) == (op == "="),
        (Value::Text(a), Value::Text(b)) if equality => (a == b) == (op == "="),
        _ => numbers(op, a.to_number(d), b.to_number(d)),
    }
}

/// A comparison; of node sets it is true when it is for any of their nodes.
pub(super) fn compare(d: &Document, op: &str, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nodes(_), Value::Bool(_)) => atoms(d, op, &Value::Bool(a.to_bool()), b),
        (Value::Bool(_), Value::Nodes(_)) => atoms(d, op, a, &Value::Bool(b.to_bool())),
        (Value::Nodes(left), Value::Nodes(right)) => {
            if left.is_empty() || right.is_empty() {
                return false;
            }
            let right: Vec<String> = right.iter().map(|n| n.string_value(d)).collect();
            let distinct: std::collections::HashSet<&str> = right.iter().map(String::as_str).collect();
            let right_numbers: Vec<f64> = right.iter().map(|s| string_to_number(s)).collect();
            left.iter().any(|n| {
                let text = n.string_value(d);
                match op {
                    "=" => distinct.contains(text.as_str()),
                    "!=" => distinct.len() > 1 || !distinct.contains(text.as_str()),
                    _ => {
                        let number = string_to_number(&text);
                        right_numbers.iter().any(|r| numbers(op, number, *r))
                    }
                }
            })
        }
        (Value::Nodes(left), _) => left
            .iter()
            .any(|n| atoms(d, op, &Value::Text(n.string_value(d)), b)),
        (_, Value::Nodes(right)) => right
            .iter()
            .any(|n| atoms(d, op, a, &Value::Text(n.string_value(d)))),
        _ => atoms(d, op, a, b),
    }
}
