//! Tree to text.

use std::collections::HashSet;
use std::sync::Arc;

use crate::tree::{DOCUMENT, Document, Element, Name, Namespace, NodeData, NodeId};

/// How nodes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As they are.
    Plain,
    /// Elements without text of their own are broken over lines, two spaces a level.
    Indented,
}

/// Text with what must be escaped in content.
fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("&quot;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_namespace(out: &mut String, ns: &Namespace) {
    let name = ns
        .prefix
        .as_ref()
        .map_or_else(|| "xmlns".to_owned(), |p| format!("xmlns:{p}"));
    push_attribute(out, &name, &ns.uri);
}

struct Writer<'d> {
    document: &'d Document,
    out: String,
    /// Asked before every node: no more is written then.
    stop: &'d dyn Fn() -> bool,
}

/// The node and what is below it. Namespaces that it uses but declares above are declared on it.
pub fn node_to_string(document: &Document, id: NodeId) -> String {
    let mut w = Writer {
        document,
        out: String::new(),
        stop: &|| false,
    };
    if id == DOCUMENT {
        w.out.push_str("<?xml version=\"1.0\"?>\n");
        for child in document.children(id) {
            w.node(child, Layout::Plain, 0, &[]);
            w.out.push('\n');
        }
    } else {
        w.node(id, Layout::Plain, 0, &borrowed_namespaces(document, id));
    }
    w.out
}

/// A whole document laid out, each of its parts on its own line; `declared` puts the XML declaration first. `stop` says when the rest
/// does not matter any more.
pub fn indent_document(document: &Document, declared: bool, stop: &dyn Fn() -> bool) -> String {
    let mut w = Writer {
        document,
        out: String::new(),
        stop,
    };
    if declared {
        w.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    }
    for child in document.children(DOCUMENT) {
        w.node(child, Layout::Indented, 0, &[]);
        w.out.push('\n');
    }
    w.out
}

/// Content laid out: every node but text begins a line. `stop` as for documents.
pub fn indent_content(document: &Document, stop: &dyn Fn() -> bool) -> String {
    let mut w = Writer {
        document,
        out: String::new(),
        stop,
    };
    for child in document.children(DOCUMENT) {
        let is_text = matches!(document.node(child).data, NodeData::Text(_));
        if !is_text && document.node(child).previous.is_some() {
            w.out.push('\n');
        }
        w.node(child, Layout::Indented, 0, &[]);
    }
    w.out
}

/// Namespaces used in the tree under `top` and declared above it, in the order of use.
fn borrowed_namespaces(document: &Document, top: NodeId) -> Vec<Namespace> {
    let mut found: Vec<Namespace> = Vec::new();
    let mut seen: HashSet<(Option<Box<str>>, Arc<str>)> = HashSet::new();
    let mut at = Some(top);
    while let Some(id) = at {
        if let Some(e) = document.element(id) {
            let attributes = e.attributes.iter().map(|a| &a.name);
            for name in std::iter::once(&e.name).chain(attributes) {
                if let Some(uri) = &name.uri
                    && name.prefix.as_deref() != Some("xml")
                    && !declared_within(document, top, id, name)
                    && seen.insert((name.prefix.clone(), Arc::clone(uri)))
                {
                    found.push(Namespace {
                        prefix: name.prefix.clone(),
                        uri: Arc::clone(uri),
                    });
                }
            }
        }
        at = document.following_in(top, id);
    }
    found
}

fn declared_within(document: &Document, top: NodeId, id: NodeId, name: &Name) -> bool {
    let mut at = Some(id);
    while let Some(id) = at {
        let declared = |e: &Element| e.namespaces.iter().any(|n| n.prefix == name.prefix);
        if document.element(id).is_some_and(declared) {
            return true;
        }
        if id == top {
            return false;
        }
        at = document.node(id).parent;
    }
    false
}

impl Writer<'_> {
    /// Recursion is as deep as elements nest, which the parser limits.
    fn node(&mut self, id: NodeId, layout: Layout, level: usize, extra: &[Namespace]) {
        let document = self.document;
        if (self.stop)() {
            return;
        }
        match &document.node(id).data {
            NodeData::Document => {}
            NodeData::Text(s) => push_text(&mut self.out, s),
            NodeData::CData(s) => {
                self.out.push_str("<![CDATA[");
                self.out.push_str(s);
                self.out.push_str("]]>");
            }
            NodeData::Comment(s) => {
                self.out.push_str("<!--");
                self.out.push_str(s);
                self.out.push_str("-->");
            }
            NodeData::Pi { target, data } => {
                self.out.push_str("<?");
                self.out.push_str(target);
                if !data.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(data);
                }
                self.out.push_str("?>");
            }
            NodeData::Doctype(text) => self.out.push_str(text),
            NodeData::Element(e) => self.element(id, e, layout, level, extra),
        }
    }

    fn element(&mut self, id: NodeId, e: &Element, layout: Layout, level: usize, extra: &[Namespace]) {
        let name = e.name.qualified();
        self.out.push('<');
        self.out.push_str(&name);
        for ns in e.namespaces.iter().chain(extra) {
            push_namespace(&mut self.out, ns);
        }
        for a in &e.attributes {
            push_attribute(&mut self.out, &a.name.qualified(), &a.value);
        }
        if self.document.node(id).first_child.is_none() {
            return self.out.push_str("/>");
        }
        self.out.push('>');
        let is_text = |id| {
            matches!(
                self.document.node(id).data,
                NodeData::Text(_) | NodeData::CData(_)
            )
        };
        let broken = layout == Layout::Indented && !self.document.children(id).any(is_text);
        let inner = if broken { Layout::Indented } else { Layout::Plain };
        for child in self.document.children(id) {
            if broken {
                self.line(level + 1);
            }
            self.node(child, inner, level + 1, &[]);
        }
        if broken {
            self.line(level);
        }
        self.out.push_str("</");
        self.out.push_str(&name);
        self.out.push('>');
    }

    fn line(&mut self, level: usize) {
        self.out.push('\n');
        (0..level).for_each(|_| self.out.push_str("  "));
    }
}
