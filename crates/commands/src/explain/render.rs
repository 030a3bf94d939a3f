//! Writing the tree of an explained plan: PostgreSQL's text layout, and JSON.

use std::fmt::Write;
use std::time::Duration;

use crate::explain::{Format, Options};

/// A value of a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// A number as it is to be printed.
    Number(String),
    Bool(bool),
    List(Vec<String>),
}

/// Where a property is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Both,
    Json,
    Text,
}

/// A labelled value.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub label: String,
    pub value: Value,
    pub shown: Shown,
}

/// A node with what is to be said of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// `Seq Scan on t`, with costs and measurements.
    pub line: String,
    /// What JSON says before the properties.
    pub head: Vec<Property>,
    pub properties: Vec<Property>,
    pub children: Vec<Child>,
}

/// A node below another.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    /// `Outer`, `Inner`, `Member`, `Subquery`, `InitPlan`, `SubPlan`.
    pub relationship: &'static str,
    /// `InitPlan 1`, `CTE x`: a line of its own.
    pub name: Option<String>,
    pub node: Node,
}

/// Properties being collected.
#[derive(Default)]
pub(crate) struct Properties(pub Vec<Property>);

impl Properties {
    pub fn add(&mut self, label: &str, value: Value, shown: Shown) {
        self.0.push(Property {
            label: label.to_owned(),
            value,
            shown,
        });
    }

    pub fn text(&mut self, label: &str, text: impl Into<String>) {
        self.add(label, Value::Text(text.into()), Shown::Both);
    }

    pub fn json(&mut self, label: &str, value: Value) {
        self.add(label, value, Shown::Json);
    }
}

/// A number as a value.
pub(crate) fn number(value: impl std::fmt::Display) -> Value {
    Value::Number(value.to_string())
}

/// How long things took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub planning: Duration,
    pub execution: Option<Duration>,
}

/// Writes the plan.
pub(crate) fn render(node: &Node, options: Options, times: Times) -> String {
    match options.format {
        Format::Text => {
            let mut out = String::new();
            text_node(node, None, 0, &mut out);
            if options.summary {
                let _ = writeln!(out, "Planning Time: {:.3} ms", millis(times.planning));
            }
            if let (true, Some(execution)) = (options.summary, times.execution) {
                let _ = writeln!(out, "Execution Time: {:.3} ms", millis(execution));
            }
            out
        }
        Format::Json => json(node, options, times),
    }
}

/// Milliseconds with fractions.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn spaces(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', level * 2));
}

fn text_node(node: &Node, name: Option<&str>, level: usize, out: &mut String) {
    let mut level = level;
    if let Some(name) = name {
        spaces(level, out);
        out.push_str(name);
        out.push('\n');
        level += 1;
    }
    if level > 0 {
        spaces(level, out);
        out.push_str("->  ");
        level += 2;
    }
    out.push_str(&node.line);
    out.push('\n');
    level += 1;
    for property in node.properties.iter().filter(|p| p.shown != Shown::Json) {
        spaces(level, out);
        let text = match &property.value {
            Value::Text(text) | Value::Number(text) => text.clone(),
            Value::Bool(b) => b.to_string(),
            Value::List(items) => items.join(", "),
        };
        if property.label.is_empty() {
            let _ = writeln!(out, "{text}");
        } else {
            let _ = writeln!(out, "{}: {text}", property.label);
        }
    }
    for child in &node.children {
        text_node(&child.node, child.name.as_deref(), level, out);
    }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 32 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn json(node: &Node, options: Options, times: Times) -> String {
    let mut out = String::from("[\n  {\n    \"Plan\": ");
    json_node(node, None, 2, &mut out);
    if options.summary {
        let _ = write!(out, ",\n    \"Planning Time\": {:.3}", millis(times.planning));
    }
    if options.analyze {
        out.push_str(",\n    \"Triggers\": [\n    ]");
    }
    if let (true, Some(execution)) = (options.summary, times.execution) {
        let _ = write!(out, ",\n    \"Execution Time\": {:.3}", millis(execution));
    }
    out.push_str("\n  }\n]");
    out
}

fn json_value(value: &Value) -> String {
    match value {
        Value::Text(text) => quote(text),
        Value::Number(number) => number.clone(),
        Value::Bool(b) => b.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|i| quote(i)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn json_node(node: &Node, child: Option<&Child>, level: usize, out: &mut String) {
    let mut lines: Vec<String> = Vec::new();
    let mut line = |label: &str, value: &Value| lines.push(format!("\"{label}\": {}", json_value(value)));
    let mut head = node.head.iter();
    if let Some(kind) = head.next() {
        line(&kind.label, &kind.value);
    }
    if let Some(child) = child {
        // Strategy and the like stand before the relationship only for the node's own kind.
        line("Parent Relationship", &Value::Text(child.relationship.to_owned()));
        if let Some(name) = &child.name {
            line("Subplan Name", &Value::Text(name.clone()));
        }
    }
    for property in head {
        line(&property.label, &property.value);
    }
    for property in node.properties.iter().filter(|p| p.shown != Shown::Text) {
        line(&property.label, &property.value);
    }
    out.push_str("{\n");
    for (at, text) in lines.iter().enumerate() {
        if at > 0 {
            out.push_str(",\n");
        }
        spaces(level + 1, out);
        out.push_str(text);
    }
    if !node.children.is_empty() {
        out.push_str(",\n");
        spaces(level + 1, out);
        out.push_str("\"Plans\": [\n");
        for (at, child) in node.children.iter().enumerate() {
            if at > 0 {
                out.push_str(",\n");
            }
            spaces(level + 2, out);
            json_node(&child.node, Some(child), level + 2, out);
        }
        out.push('\n');
        spaces(level + 1, out);
        out.push(']');
    }
    out.push('\n');
    spaces(level, out);
    out.push('}');
}
