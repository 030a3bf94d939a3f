//! `ts_rewrite`: parts of a query replaced by another query.
//!
//! Chains of AND or OR are sets here: a target matches when all its members are among them. Members are kept in PostgreSQL's
//! order, which shows in the result.

use std::cmp::Ordering;

use types::order::sort_form;
use types::textsearch::query::{self, Item};

/// A query with chains flattened and sorted; operands of a binary operator stand right before left, as in memory.
#[derive(Clone)]
struct Tree {
    item: Item,
    children: Vec<Tree>,
    /// Put in by the rewriting: not looked at again.
    fixed: bool,
}

fn tree(bytes: &[u8]) -> Option<Tree> {
    let mut stack: Vec<Tree> = Vec::new();
    for item in query::items(bytes) {
        let mut children = Vec::new();
        match item {
            Item::Word(_) | Item::Stop => {}
            Item::Not => children.push(stack.pop()?),
            _ => {
                children.push(stack.pop()?);
                children.push(stack.pop()?);
            }
        }
        stack.push(Tree {
            item,
            children,
            fixed: false,
        });
    }
    stack.pop()
}

fn code(item: &Item) -> u8 {
    match item {
        Item::Not => 1,
        Item::And => 2,
        Item::Or => 3,
        Item::Phrase(_) => 4,
        _ => 0,
    }
}

impl Tree {
    /// Flattens chains of AND and of OR.
    fn flat(mut self) -> Tree {
        let children = std::mem::take(&mut self.children);
        for child in children {
            let child = child.flat();
            if matches!(self.item, Item::And | Item::Or) && child.item == self.item {
                self.children.extend(child.children);
            } else {
                self.children.push(child);
            }
        }
        self
    }

    fn sort(&mut self) {
        self.children.iter_mut().for_each(Tree::sort);
        if !matches!(self.item, Item::Phrase(_)) {
            self.children.sort_by(Tree::compare);
        }
    }

    fn compare(&self, other: &Tree) -> Ordering {
        let by_code = |t: &Tree| code(&t.item);
        match (&self.item, &other.item) {
            (Item::Word(_), Item::Word(_)) => {
                let form = |t: &Tree| {
                    let one = query::encode(std::slice::from_ref(&t.item));
                    // Without number of items and size.
                    sort_form(types::oids::TSQUERY, &one).split_off(8)
                };
                form(self).cmp(&form(other))
            }
            (Item::Word(_), _) => Ordering::Greater,
            (_, Item::Word(_)) => Ordering::Less,
            _ => by_code(other)
                .cmp(&by_code(self))
                .then(other.children.len().cmp(&self.children.len()))
                .then_with(|| {
                    let pairs = self.children.iter().zip(&other.children);
                    pairs
                        .map(|(a, b)| a.compare(b))
                        .find(|o| o.is_ne())
                        .unwrap_or(Ordering::Equal)
                })
                .then_with(|| match (&self.item, &other.item) {
                    (Item::Phrase(a), Item::Phrase(b)) => b.cmp(a),
                    _ => Ordering::Equal,
                }),
        }
    }

    fn is_operator(&self) -> bool {
        !self.children.is_empty()
    }

    /// Back to binary operators, in postfix order.
    fn flatten(mut self, out: &mut Vec<Item>) {
        while self.children.len() > 2 {
            let second = self.children.swap_remove(1);
            let first = std::mem::replace(
                &mut self.children[0],
                Tree {
                    item: Item::Stop,
                    children: Vec::new(),
                    fixed: false,
                },
            );
            self.children[0] = Tree {
                item: self.item.clone(),
                children: vec![first, second],
                fixed: false,
            };
        }
        while let Some(child) = self.children.pop() {
            child.flatten(out);
        }
        out.push(self.item);
    }
}

/// The node itself replaced, if it matches.
fn replace_here(mut node: Tree, target: &Tree, substitute: Option<&Tree>) -> Option<Tree> {
    let put = || {
        substitute.map(|s| Tree {
            fixed: true,
            ..s.clone()
        })
    };
    if node.fixed || code(&node.item) != code(&target.item) {
        return Some(node);
    }
    if node.compare(target).is_eq() {
        return put();
    }
    let (many, few) = (node.children.len(), target.children.len());
    if many <= few || few == 0 {
        return Some(node);
    }
    let mut matched = vec![false; many];
    let mut wanted = target.children.iter().peekable();
    for (child, hit) in node.children.iter().zip(&mut matched) {
        let Some(next) = wanted.peek() else { break };
        match child.compare(next) {
            Ordering::Equal => {
                *hit = true;
                wanted.next();
            }
            Ordering::Less => {}
            Ordering::Greater => break,
        }
    }
    if wanted.peek().is_none() {
        let mut keep = matched.into_iter();
        node.children.retain(|_| !keep.next().unwrap_or(false));
        node.children.extend(put());
        node.sort();
    }
    Some(node)
}

fn replace(node: Tree, target: &Tree, substitute: Option<&Tree>) -> Option<Tree> {
    let mut node = replace_here(node, target, substitute)?;
    if node.fixed || !node.is_operator() {
        return Some(node);
    }
    let children = std::mem::take(&mut node.children);
    let children = children
        .into_iter()
        .filter_map(|c| replace(c, target, substitute));
    node.children = children.collect();
    match node.children.len() {
        0 => None,
        1 if node.item != Item::Not => node.children.pop(),
        _ => Some(node),
    }
}

/// A query with every part that matches `target` replaced.
pub(crate) fn rewrite(bytes: &[u8], target: &[u8], substitute: &[u8]) -> Vec<u8> {
    let (Some(node), Some(target)) = (tree(bytes), tree(target)) else {
        return bytes.to_vec();
    };
    let (mut node, mut target) = (node.flat(), target.flat());
    node.sort();
    target.sort();
    let mut items = Vec::new();
    if let Some(done) = replace(node, &target, tree(substitute).as_ref()) {
        done.flatten(&mut items);
    }
    query::encode(&items)
}
