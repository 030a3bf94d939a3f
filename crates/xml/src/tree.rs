//! A parsed document: an arena of nodes in document order.

use std::sync::Arc;

/// A node by its place in the arena; 0 is the document. Greater means later in the document.
pub type NodeId = u32;

/// The document node.
pub const DOCUMENT: NodeId = 0;

/// The namespace that `xml:` always means.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// A name as written, with the namespace it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What stands before the colon.
    pub prefix: Option<Box<str>>,
    /// What stands behind it.
    pub local: Box<str>,
    /// The namespace.
    pub uri: Option<Arc<str>>,
}

impl Name {
    /// As written.
    pub fn qualified(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}:{}", self.local),
            None => self.local.to_string(),
        }
    }
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// Its value, references resolved.
    pub value: Box<str>,
}

/// A namespace declaration.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// `None`: the default namespace.
    pub prefix: Option<Box<str>>,
    /// Empty: none.
    pub uri: Arc<str>,
}

/// An element.
#[derive(Clone, Debug)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Attributes in the order written.
    pub attributes: Vec<Attribute>,
    /// Namespaces declared here.
    pub namespaces: Vec<Namespace>,
}

/// What a node is.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum NodeData {
    Document,
    Element(Box<Element>),
    Text(String),
    CData(String),
    Comment(Box<str>),
    Pi {
        target: Box<str>,
        data: Box<str>,
    },
    /// `<!DOCTYPE ...>` as it is printed.
    Doctype(Box<str>),
}

/// A node with its neighbours.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Node {
    pub data: NodeData,
    pub parent: Option<NodeId>,
    pub first_child: Option<NodeId>,
    pub last_child: Option<NodeId>,
    pub previous: Option<NodeId>,
    pub next: Option<NodeId>,
}

/// A document, or a piece of content under a document node.
#[derive(Clone, Debug)]
pub struct Document {
    nodes: Vec<Node>,
}

impl Default for Document {
    fn default() -> Self {
        let mut document = Document { nodes: Vec::new() };
        document.nodes.push(Node::new(NodeData::Document, None));
        document
    }
}

impl Node {
    fn new(data: NodeData, parent: Option<NodeId>) -> Node {
        Node {
            data,
            parent,
            first_child: None,
            last_child: None,
            previous: None,
            next: None,
        }
    }
}

impl Document {
    /// The node; the document itself where there is none.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&self.nodes[0])
    }

    /// The element, if it is one.
    pub fn element(&self, id: NodeId) -> Option<&Element> {
        match &self.node(id).data {
            NodeData::Element(e) => Some(e),
            _ => None,
        }
    }

    /// Its nodes: for those who free them in a way of their own.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// The outermost element.
    pub fn root(&self) -> Option<NodeId> {
        self.children(DOCUMENT).find(|&id| self.element(id).is_some())
    }

    /// Children in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(id).first_child, |&id| self.node(id).next)
    }

    /// Appends a node to `parent`'s children.
    pub(crate) fn append(&mut self, parent: NodeId, data: NodeData) -> NodeId {
        let id = self.nodes.len() as NodeId;
        let mut node = Node::new(data, Some(parent));
        node.previous = self.node(parent).last_child;
        if let Some(previous) = node.previous {
            self.nodes[previous as usize].next = Some(id);
        } else {
            self.nodes[parent as usize].first_child = Some(id);
        }
        self.nodes[parent as usize].last_child = Some(id);
        self.nodes.push(node);
        id
    }

    /// Appends text, to the text before it if there is one.
    pub(crate) fn append_text(&mut self, parent: NodeId, text: &str) {
        if let Some(last) = self.node(parent).last_child
            && let NodeData::Text(before) = &mut self.nodes[last as usize].data
        {
            before.push_str(text);
            return;
        }
        self.append(parent, NodeData::Text(text.to_owned()));
    }

    /// Takes away the children of `parent` behind `last`, which have none of their own.
    pub(crate) fn truncate_children(&mut self, parent: NodeId, last: Option<NodeId>) {
        self.nodes[parent as usize].last_child = last;
        match last {
            Some(last) => self.nodes[last as usize].next = None,
            None => self.nodes[parent as usize].first_child = None,
        }
    }

    /// The node behind `id` in document order, not leaving the tree under `top`.
    pub fn following_in(&self, top: NodeId, id: NodeId) -> Option<NodeId> {
        if let Some(child) = self.node(id).first_child {
            return Some(child);
        }
        let mut at = id;
        while at != top {
            if let Some(next) = self.node(at).next {
                return Some(next);
            }
            at = self.node(at).parent?;
        }
        None
    }

    /// The text in and below a node, as XPath sees it.
    pub fn string_value(&self, id: NodeId) -> String {
        match &self.node(id).data {
            NodeData::Text(s) | NodeData::CData(s) => s.clone(),
            NodeData::Comment(s) => s.to_string(),
            NodeData::Pi { data, .. } => data.to_string(),
            NodeData::Doctype(_) => String::new(),
            NodeData::Document | NodeData::Element(_) => {
                let mut out = String::new();
                let mut at = id;
                while let Some(next) = self.following_in(id, at) {
                    if let NodeData::Text(s) | NodeData::CData(s) = &self.node(next).data {
                        out.push_str(s);
                    }
                    at = next;
                }
                out
            }
        }
    }

    /// The namespaces in scope, innermost first; `xml` leads.
    pub fn in_scope(&self, id: NodeId) -> Vec<Namespace> {
        let mut out = vec![Namespace {
            prefix: Some("xml".into()),
            uri: XML_NAMESPACE.into(),
        }];
        let mut hidden: Vec<Option<Box<str>>> = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            for ns in self.element(id).map_or(&[][..], |e| &e.namespaces) {
                if !hidden.contains(&ns.prefix) {
                    hidden.push(ns.prefix.clone());
                    if !ns.uri.is_empty() {
                        out.push(ns.clone());
                    }
                }
            }
            at = self.node(id).parent;
        }
        out
    }
}
