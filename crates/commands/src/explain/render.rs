//! Writing the tree of an explained plan: PostgreSQL's text layout, and what the structured formats say in which order.

use std::fmt::Write;
use std::time::Duration;

use planner::PlanningMemory;

use crate::explain::serialize::{Serialize, Serialized};
use crate::explain::structured::{Group, Writer};
use crate::explain::{Format, Options};

/// Counters of blocks, which PostgreSQL's JSON lists. There are no shared buffers here: all are zero, of which its text form shows nothing.
pub(super) const BUFFERS: [&str; 10] = [
    "Shared Hit Blocks",
    "Shared Read Blocks",
    "Shared Dirtied Blocks",
    "Shared Written Blocks",
    "Local Hit Blocks",
    "Local Read Blocks",
    "Local Dirtied Blocks",
    "Local Written Blocks",
    "Temp Read Blocks",
    "Temp Written Blocks",
];

/// Their times, with `track_io_timing`: nobody waits for blocks here.
pub(super) const IO_TIMES: [&str; 6] = [
    "Shared I/O Read Time",
    "Shared I/O Write Time",
    "Local I/O Read Time",
    "Local I/O Write Time",
    "Temp I/O Read Time",
    "Temp I/O Write Time",
];

/// A value of a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// A number as it is to be printed.
    Number(String),
    Bool(bool),
    List(Vec<String>),
    /// Grouping sets: what their keys are called, and the keys of each.
    Sets(Vec<(&'static str, Vec<Vec<String>>)>),
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

/// What is told besides the plan.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub planning: Duration,
    /// MEMORY.
    pub memory: Option<PlanningMemory>,
    /// BUFFERS tell of times, too.
    pub io_timing: bool,
    pub execution: Option<Duration>,
    pub serialized: Option<(Serialize, Serialized)>,
    /// SETTINGS: name and value.
    pub settings: Option<Vec<(&'static str, String)>>,
}

/// Writes the plan.
pub(crate) fn render(node: &Node, options: &Options, facts: &Facts) -> String {
    if options.format != Format::Text {
        return structured(node, options, facts);
    }
    let mut out = String::new();
    text_node(node, None, 0, &mut out);
    if let Some(settings) = facts.settings.as_ref().filter(|s| !s.is_empty()) {
        let parts: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("{name} = '{value}'"))
            .collect();
        let _ = writeln!(out, "Settings: {}", parts.join(", "));
    }
    if let Some(memory) = facts.memory {
        let _ = writeln!(out, "Planning:");
        let _ = writeln!(
            out,
            "  Memory: used={}kB  allocated={}kB",
            memory.used.div_ceil(1024),
            memory.allocated.div_ceil(1024)
        );
    }
    if options.summary {
        let _ = writeln!(out, "Planning Time: {:.3} ms", millis(facts.planning));
    }
    if let Some((form, done)) = &facts.serialized {
        out.push_str("Serialization: ");
        if options.timing {
            let _ = write!(out, "time={:.3} ms  ", millis(done.time));
        }
        let _ = writeln!(
            out,
            "output={}kB  format={}",
            done.bytes.div_ceil(1024),
            form.word()
        );
    }
    if let (true, Some(execution)) = (options.summary, facts.execution) {
        let _ = writeln!(out, "Execution Time: {:.3} ms", millis(execution));
    }
    out
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
            // Each set has a line of its own there.
            Value::Sets(_) => continue,
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

/// The structured formats.
fn structured(node: &Node, options: &Options, facts: &Facts) -> String {
    let mut w = Writer::new(options.format);
    w.open(None, "Query", Group::Object);
    w.open(Some("Plan"), "Plan", Group::Object);
    node_fields(node, None, &mut w);
    w.close(Group::Object);
    if let Some(settings) = &facts.settings {
        w.open(Some("Settings"), "Settings", Group::Object);
        for (name, value) in settings {
            w.field(name, &Value::Text(value.clone()));
        }
        w.close(Group::Object);
    }
    if options.buffers || facts.memory.is_some() {
        w.open(Some("Planning"), "Planning", Group::Object);
        if options.buffers {
            no_buffers(&mut w, facts);
        }
        if let Some(memory) = facts.memory {
            w.field("Memory Used", &number(memory.used.div_ceil(1024)));
            w.field("Memory Allocated", &number(memory.allocated.div_ceil(1024)));
        }
        w.close(Group::Object);
    }
    let time = |duration| number(format!("{:.3}", millis(duration)));
    if options.summary {
        w.field("Planning Time", &time(facts.planning));
    }
    if options.analyze {
        w.open(Some("Triggers"), "Triggers", Group::List);
        w.close(Group::List);
    }
    if let Some((form, done)) = &facts.serialized {
        w.open(Some("Serialization"), "Serialization", Group::Object);
        if options.timing {
            w.field("Time", &time(done.time));
        }
        w.field("Output Volume", &number(done.bytes.div_ceil(1024)));
        w.field("Format", &Value::Text(form.word().to_owned()));
        if options.buffers {
            no_buffers(&mut w, facts);
        }
        w.close(Group::Object);
    }
    if let (true, Some(execution)) = (options.summary, facts.execution) {
        w.field("Execution Time", &time(execution));
    }
    w.close(Group::Object);
    w.finish()
}

fn no_buffers(w: &mut Writer, facts: &Facts) {
    for label in BUFFERS {
        w.field(label, &number(0));
    }
    for label in IO_TIMES.iter().filter(|_| facts.io_timing) {
        w.field(label, &number("0.000"));
    }
}

fn node_fields(node: &Node, child: Option<&Child>, w: &mut Writer) {
    for property in &node.head {
        if let Some(child) = child.filter(|_| property.label == "Parallel Aware") {
            w.field("Parent Relationship", &Value::Text(child.relationship.to_owned()));
            if let Some(name) = &child.name {
                w.field("Subplan Name", &Value::Text(name.clone()));
            }
        }
        w.field(&property.label, &property.value);
    }
    for property in node.properties.iter().filter(|p| p.shown != Shown::Text) {
        w.field(&property.label, &property.value);
    }
    if !node.children.is_empty() {
        w.open(Some("Plans"), "Plans", Group::List);
        for child in &node.children {
            w.open(None, "Plan", Group::Object);
            node_fields(&child.node, Some(child), w);
            w.close(Group::Object);
        }
        w.close(Group::List);
    }
}
