//! Axes and node tests.

use crate::tree::{DOCUMENT, Document, NodeData, NodeId};
use crate::xpath::parse::Test;
use crate::xpath::{Part, XNode, XResult, invalid};

/// A direction from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Namespace,
    Parent,
    Preceding,
    PrecedingSibling,
    Itself,
}

impl Axis {
    pub fn by_name(name: &str) -> Option<Axis> {
        Some(match name {
            "ancestor" => Axis::Ancestor,
            "ancestor-or-self" => Axis::AncestorOrSelf,
            "attribute" => Axis::Attribute,
            "child" => Axis::Child,
            "descendant" => Axis::Descendant,
            "descendant-or-self" => Axis::DescendantOrSelf,
            "following" => Axis::Following,
            "following-sibling" => Axis::FollowingSibling,
            "namespace" => Axis::Namespace,
            "parent" => Axis::Parent,
            "preceding" => Axis::Preceding,
            "preceding-sibling" => Axis::PrecedingSibling,
            "self" => Axis::Itself,
            _ => return None,
        })
    }

    /// All nodes of the axis, in its order, to `f`.
    pub fn walk(self, d: &Document, from: XNode, f: &mut dyn FnMut(XNode) -> XResult<()>) -> XResult<()> {
        let mut give = |id: NodeId| match d.node(id).data {
            NodeData::Doctype(_) => Ok(()),
            _ => f(XNode::own(id)),
        };
        let id = from.owner;
        match (self, from.part) {
            (Axis::Itself, _) => f(from),
            (Axis::AncestorOrSelf, _) => {
                f(from)?;
                Axis::Ancestor.walk(d, from, f)
            }
            (Axis::DescendantOrSelf, _) => {
                f(from)?;
                Axis::Descendant.walk(d, from, f)
            }
            (Axis::Parent, Part::Own) => d.node(id).parent.map_or(Ok(()), give),
            (Axis::Parent, _) => give(id),
            (Axis::Ancestor, part) => {
                let first = if part == Part::Own {
                    d.node(id).parent
                } else {
                    Some(id)
                };
                std::iter::successors(first, |&a| d.node(a).parent).try_for_each(give)
            }
            (Axis::Following, part) => {
                // Attributes and namespaces come before the children of their element.
                let mut at = if part == Part::Own {
                    skip(d, id)
                } else {
                    d.following_in(DOCUMENT, id)
                };
                while let Some(next) = at {
                    give(next)?;
                    at = d.following_in(DOCUMENT, next);
                }
                Ok(())
            }
            (Axis::Preceding, _) => preceding(d, id, &mut give),
            (_, Part::Attribute(_) | Part::Namespace(_)) => Ok(()),
            (Axis::Child, _) => d.children(id).try_for_each(give),
            (Axis::Descendant, _) => {
                let mut at = d.following_in(id, id);
                while let Some(next) = at {
                    give(next)?;
                    at = d.following_in(id, next);
                }
                Ok(())
            }
            (Axis::FollowingSibling, _) => {
                std::iter::successors(d.node(id).next, |&n| d.node(n).next).try_for_each(give)
            }
            (Axis::PrecedingSibling, _) => {
                std::iter::successors(d.node(id).previous, |&n| d.node(n).previous).try_for_each(give)
            }
            (Axis::Attribute, _) => {
                let count = d.element(id).map_or(0, |e| e.attributes.len());
                parts(id, count, Part::Attribute, f)
            }
            (Axis::Namespace, _) => {
                let count = d.element(id).map_or(0, |_| d.in_scope(id).len());
                parts(id, count, Part::Namespace, f)
            }
        }
    }
}

/// The first `count` parts of an element.
fn parts(
    owner: NodeId,
    count: usize,
    part: fn(u32) -> Part,
    f: &mut dyn FnMut(XNode) -> XResult<()>,
) -> XResult<()> {
    (0..count as u32).try_for_each(|k| f(XNode { owner, part: part(k) }))
}

/// The node behind everything in and below `id`.
fn skip(d: &Document, id: NodeId) -> Option<NodeId> {
    let mut at = id;
    loop {
        if let Some(next) = d.node(at).next {
            return Some(next);
        }
        at = d.node(at).parent?;
    }
}

/// Nodes before `id`, nearest first, ancestors left out.
fn preceding(d: &Document, id: NodeId, f: &mut dyn FnMut(NodeId) -> XResult<()>) -> XResult<()> {
    let mut at = id;
    loop {
        if let Some(previous) = d.node(at).previous {
            at = previous;
            while let Some(last) = d.node(at).last_child {
                at = last;
            }
            f(at)?;
        } else {
            let Some(parent) = d.node(at).parent else {
                return Ok(());
            };
            at = parent;
            let is_ancestor =
                std::iter::successors(d.node(id).parent, |&a| d.node(a).parent).any(|a| a == at);
            if !is_ancestor {
                f(at)?;
            }
        }
    }
}

/// Finds the namespace that the caller bound to a prefix.
pub(super) type Prefixes<'p> = &'p [(String, String)];

fn uri_of<'p>(prefixes: Prefixes<'p>, prefix: &str) -> XResult<&'p str> {
    let found = prefixes.iter().rev().find(|(p, _)| p == prefix);
    match found {
        Some((_, uri)) => Ok(uri),
        None if prefix == "xml" => Ok(crate::tree::XML_NAMESPACE),
        None => invalid("Undefined namespace prefix"),
    }
}

impl Test {
    /// Does `node`, reached along `axis`, pass?
    pub fn passes(&self, d: &Document, axis: Axis, node: XNode, prefixes: Prefixes<'_>) -> XResult<bool> {
        let named = |prefix: Option<&str>, local: Option<&str>| -> XResult<bool> {
            let uri = prefix.map(|p| uri_of(prefixes, p)).transpose()?;
            let fits = |name: &crate::tree::Name| {
                name.uri.as_deref() == uri && local.is_none_or(|l| *l == *name.local)
            };
            Ok(match (axis, node.part) {
                (Axis::Attribute, Part::Attribute(k)) => {
                    let attribute = d.element(node.owner).and_then(|e| e.attributes.get(k as usize));
                    attribute.is_some_and(|a| fits(&a.name))
                }
                (Axis::Namespace, Part::Namespace(k)) => {
                    let scope = d.in_scope(node.owner);
                    let own = scope.get(k as usize).and_then(|n| n.prefix.clone());
                    uri.is_none() && local.is_some_and(|l| Some(l) == own.as_deref())
                }
                (Axis::Attribute | Axis::Namespace, _) => false,
                (_, Part::Own) => d.element(node.owner).is_some_and(|e| fits(&e.name)),
                _ => false,
            })
        };
        let data = &d.node(node.owner).data;
        let own = node.part == Part::Own;
        match self {
            Test::Node => Ok(true),
            Test::AnyName => Ok(match axis {
                Axis::Attribute => matches!(node.part, Part::Attribute(_)),
                Axis::Namespace => matches!(node.part, Part::Namespace(_)),
                _ => own && matches!(data, NodeData::Element(_)),
            }),
            Test::Prefix(prefix) => named(Some(prefix), None),
            Test::Name(prefix, local) => named(prefix.as_deref(), Some(local)),
            Test::Text => Ok(own && matches!(data, NodeData::Text(_) | NodeData::CData(_))),
            Test::Comment => Ok(own && matches!(data, NodeData::Comment(_))),
            Test::Pi(None) => Ok(own && matches!(data, NodeData::Pi { .. })),
            Test::Pi(Some(wanted)) => {
                Ok(own && matches!(data, NodeData::Pi { target, .. } if target == wanted))
            }
        }
    }
}
