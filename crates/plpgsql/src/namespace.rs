//! Which names are visible where.
//!
//! PG: src/pl/plpgsql/src/pl_funcs.c (`plpgsql_ns_lookup`).
//!
//! # How it works
//! Items form chains towards the outside; a block or loop begins with a label item, named or not. An expression remembers the item
//! that was innermost where it stands.

use std::sync::Arc;

use crate::tree::Dno;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// Begins a block.
    Block,
    /// Begins a loop.
    Loop,
    /// Begins something else (arguments of a cursor).
    Other,
    /// A scalar variable.
    Var(Dno),
    /// A record variable.
    Rec(Dno),
}

impl ItemKind {
    fn is_label(self) -> bool {
        matches!(self, ItemKind::Block | ItemKind::Loop | ItemKind::Other)
    }
}

#[derive(Clone, Debug)]
struct Item {
    kind: ItemKind,
    name: Arc<str>,
    outer: Option<usize>,
}

/// The innermost item at a place; `None`: nothing is visible.
pub(crate) type Scope = Option<usize>;

/// All items of a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    items: Vec<Item>,
}

/// A variable that was found, and how many of the names led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub kind: ItemKind,
    pub names_used: usize,
}

impl Namespace {
    /// Adds an item inside `scope`.
    pub fn add(&mut self, scope: Scope, kind: ItemKind, name: &str) -> Scope {
        self.items.push(Item {
            kind,
            name: name.into(),
            outer: scope,
        });
        Some(self.items.len() - 1)
    }

    fn get(&self, scope: Scope) -> Option<&Item> {
        scope.and_then(|at| self.items.get(at))
    }

    /// The variable that names mean at a place; `local`: in the innermost block only.
    pub fn find(&self, scope: Scope, names: &[&str], local: bool) -> Option<Found> {
        let first = names.first()?;
        let mut level = scope;
        while level.is_some() {
            let mut at = level;
            while let Some(item) = self.get(at).filter(|i| !i.kind.is_label()) {
                let plain = names.len() == 1 || matches!(item.kind, ItemKind::Rec(_));
                if *item.name == **first && plain {
                    return Some(Found {
                        kind: item.kind,
                        names_used: 1,
                    });
                }
                at = item.outer;
            }
            let label = self.get(at)?;
            if let Some(second) = names.get(1).filter(|_| *label.name == **first) {
                if let Some(found) = self.find_in_level(level, second, names.len()) {
                    return Some(found);
                }
            }
            if local {
                return None;
            }
            level = label.outer;
        }
        None
    }

    fn find_in_level(&self, level: Scope, name: &str, names: usize) -> Option<Found> {
        let mut at = level;
        while let Some(item) = self.get(at).filter(|i| !i.kind.is_label()) {
            if *item.name == *name && (names == 2 || matches!(item.kind, ItemKind::Rec(_))) {
                return Some(Found {
                    kind: item.kind,
                    names_used: 2,
                });
            }
            at = item.outer;
        }
        None
    }

    /// What the label of an enclosing block or loop begins.
    pub fn find_label(&self, scope: Scope, name: &str) -> Option<ItemKind> {
        let mut at = scope;
        while let Some(item) = self.get(at) {
            if item.kind.is_label() && *item.name == *name {
                return Some(item.kind);
            }
            at = item.outer;
        }
        None
    }

    /// True inside a loop.
    pub fn in_loop(&self, scope: Scope) -> bool {
        let mut at = scope;
        while let Some(item) = self.get(at) {
            if item.kind == ItemKind::Loop {
                return true;
            }
            at = item.outer;
        }
        false
    }
}
