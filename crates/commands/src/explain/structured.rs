//! The structured formats of EXPLAIN: JSON, XML and YAML from one sequence of fields and groups.
//!
//! PG: src/backend/commands/explain_format.c.

use std::fmt::Write;

use xml::names::escape_text;

use crate::explain::Format;
use crate::explain::render::Value;

/// Writes a document field by field.
pub(super) struct Writer {
    format: Format,
    out: String,
    level: usize,
    /// Per open group: nothing is written in it yet. YAML: what comes first stands on the line of the dash.
    first: Vec<bool>,
    /// Closing tags, for XML.
    tags: Vec<String>,
}

/// What a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Object,
    List,
}

/// A label as an XML name.
fn tag(label: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    label.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// A JSON string; YAML takes the same.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 32 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn quote_all(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|i| quote(i)).collect();
    format!("[{}]", quoted.join(", "))
}

impl Writer {
    /// An empty document.
    pub fn new(format: Format) -> Writer {
        let mut writer = Writer {
            format,
            out: String::new(),
            level: 0,
            first: vec![true],
            tags: Vec::new(),
        };
        match format {
            Format::Json => {
                writer.out.push('[');
                writer.level = 1;
            }
            Format::Xml => {
                writer
                    .out
                    .push_str("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n");
                writer.level = 1;
            }
            Format::Yaml | Format::Text => {}
        }
        writer
    }

    /// The finished document.
    pub fn finish(mut self) -> String {
        match self.format {
            Format::Json => self.out.push_str("\n]"),
            Format::Xml => self.out.push_str("</explain>"),
            Format::Yaml | Format::Text => {}
        }
        self.out
    }

    fn indent(&mut self, level: usize) {
        self.out.extend(std::iter::repeat_n(' ', level * 2));
    }

    /// Begins an entry of the open group.
    fn begin_entry(&mut self) {
        let first = self
            .first
            .last_mut()
            .is_some_and(|first| std::mem::replace(first, false));
        match self.format {
            Format::Json => {
                if !first {
                    self.out.push(',');
                }
                self.out.push('\n');
                self.indent(self.level);
            }
            Format::Yaml if first => {}
            Format::Yaml => {
                self.out.push('\n');
                self.indent(self.level);
            }
            Format::Xml | Format::Text => self.indent(self.level),
        }
    }

    /// A labelled value.
    pub fn field(&mut self, label: &str, value: &Value) {
        match value {
            Value::List(items) => self.list(label, items),
            Value::Sets(sets) => self.sets(label, sets),
            Value::Text(text) => {
                let quoted = match self.format {
                    Format::Xml => escape_text(text),
                    _ => quote(text),
                };
                self.scalar(label, &quoted);
            }
            Value::Number(number) => self.scalar(label, number),
            Value::Bool(b) => self.scalar(label, if *b { "true" } else { "false" }),
        }
    }

    fn scalar(&mut self, label: &str, value: &str) {
        self.begin_entry();
        let _ = match self.format {
            Format::Json => write!(self.out, "\"{label}\": {value}"),
            Format::Xml => {
                let tag = tag(label);
                writeln!(self.out, "<{tag}>{value}</{tag}>")
            }
            Format::Yaml | Format::Text => write!(self.out, "{label}: {value}"),
        };
    }

    fn list(&mut self, label: &str, items: &[String]) {
        match self.format {
            Format::Json => self.scalar(label, &quote_all(items)),
            Format::Xml => {
                self.open(Some(label), label, Group::List);
                self.items(items);
                self.close(Group::List);
            }
            Format::Yaml | Format::Text => {
                self.begin_entry();
                let _ = write!(self.out, "{label}: ");
                for item in items {
                    self.out.push('\n');
                    self.indent(self.level + 1);
                    let _ = write!(self.out, "- {}", quote(item));
                }
            }
        }
    }

    /// XML's items of a list.
    fn items(&mut self, items: &[String]) {
        for item in items {
            self.indent(self.level);
            let _ = writeln!(self.out, "<Item>{}</Item>", escape_text(item));
        }
    }

    /// Grouping sets: objects with a list of lists each.
    fn sets(&mut self, label: &str, sets: &[(&'static str, Vec<Vec<String>>)]) {
        self.open(Some(label), label, Group::List);
        for (key, lists) in sets {
            self.open(None, "Grouping Set", Group::Object);
            let keys = format!("{key}s");
            self.open(Some(&keys), &keys, Group::List);
            for list in lists {
                match self.format {
                    Format::Xml => {
                        self.open(None, key, Group::List);
                        self.items(list);
                        self.close(Group::List);
                    }
                    format => {
                        self.begin_entry();
                        if format == Format::Yaml {
                            self.out.push_str("- ");
                        }
                        self.out.push_str(&quote_all(list));
                    }
                }
            }
            self.close(Group::List);
            self.close(Group::Object);
        }
        self.close(Group::List);
    }

    /// Opens a group: with a label in an object, without one in a list. `kind` names it in XML.
    pub fn open(&mut self, label: Option<&str>, kind: &str, group: Group) {
        self.begin_entry();
        match self.format {
            Format::Json => {
                if let Some(label) = label {
                    let _ = write!(self.out, "\"{label}\": ");
                }
                self.out.push(if group == Group::Object { '{' } else { '[' });
                self.first.push(true);
            }
            Format::Xml => {
                let tag = tag(label.unwrap_or(kind));
                let _ = writeln!(self.out, "<{tag}>");
                self.tags.push(tag);
                self.first.push(true);
            }
            Format::Yaml | Format::Text => {
                match label {
                    Some(label) => {
                        let _ = write!(self.out, "{label}: ");
                    }
                    None => self.out.push_str("- "),
                }
                // After a dash the first entry follows on the same line.
                self.first.push(label.is_none());
            }
        }
        self.level += 1;
    }

    /// Closes the group opened last.
    pub fn close(&mut self, group: Group) {
        self.level -= 1;
        self.first.pop();
        match self.format {
            Format::Json => {
                self.out.push('\n');
                self.indent(self.level);
                self.out.push(if group == Group::Object { '}' } else { ']' });
            }
            Format::Xml => {
                self.indent(self.level);
                if let Some(tag) = self.tags.pop() {
                    let _ = writeln!(self.out, "</{tag}>");
                }
            }
            Format::Yaml | Format::Text => {}
        }
    }

    /// A document that only names a statement without a plan.
    pub fn name_alone(mut self, name: &str) -> String {
        self.begin_entry();
        let _ = match self.format {
            Format::Json => write!(self.out, "{}", quote(name)),
            Format::Xml => writeln!(self.out, "<{} />", tag(name)),
            Format::Yaml | Format::Text => write!(self.out, "- {}", quote(name)),
        };
        self.finish()
    }
}
