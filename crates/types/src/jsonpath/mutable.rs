//! Whether a path depends on the session's time zone, so that no index may be built on it.
//!
//! PG: src/backend/utils/adt/jsonpath.c (`jspIsMutable`).

use common::Oid;

use crate::jsonpath::{BinaryOp, Item, ItemId, ItemKind, Method, Path};
use crate::oids;

/// What is known of the items at a point of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    NoDateTime,
    UnknownDateTime,
    Zoned,
    NotZoned,
}

struct Walk<'p> {
    path: &'p Path,
    variables: &'p [(&'p str, Oid)],
    current: Kind,
    mutable: bool,
}

impl Path {
    /// True when results may depend on the time zone, given the types of the variables.
    pub fn is_mutable(&self, variables: &[(&str, Oid)]) -> bool {
        let mut walk = Walk {
            path: self,
            variables,
            current: Kind::NoDateTime,
            mutable: false,
        };
        walk.chain(self.root);
        walk.mutable
    }
}

/// True when a template asks for a time zone.
fn template_has_zone(template: &str) -> bool {
    let unquoted: String = template
        .split('"')
        .enumerate()
        .filter(|(k, _)| k % 2 == 0)
        .map(|(_, part)| part)
        .collect();
    let upper = unquoted.to_ascii_uppercase();
    upper.contains("TZ") || upper.contains("OF")
}

impl Walk<'_> {
    fn chain(&mut self, from: ItemId) -> Kind {
        let mut kind = Kind::NoDateTime;
        let mut at = Some(from);
        while let Some(item) = at.and_then(|id| self.path.item(id)) {
            if self.mutable {
                break;
            }
            kind = self.step(item, kind);
            at = item.next;
        }
        kind
    }

    fn step(&mut self, item: &Item, kind: Kind) -> Kind {
        match &item.kind {
            ItemKind::Current => self.current,
            ItemKind::Filter(p) => {
                let outer = std::mem::replace(&mut self.current, kind);
                self.chain(*p);
                self.current = outer;
                kind
            }
            ItemKind::Variable(name) => {
                let found = self.variables.iter().find(|(n, _)| *n == &**name);
                match found.map(|(_, type_oid)| *type_oid) {
                    Some(oids::DATE | oids::TIME | oids::TIMESTAMP) => Kind::NotZoned,
                    Some(oids::TIMETZ | oids::TIMESTAMPTZ) => Kind::Zoned,
                    _ => Kind::NoDateTime,
                }
            }
            ItemKind::Binary(op, ..) if op.is_logic() || op.is_arithmetic() => {
                self.row(item);
                kind
            }
            ItemKind::Binary(op, left, right) => {
                let (l, r) = (self.chain(*left), self.chain(*right));
                let compares = matches!(
                    op,
                    BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Gt | BinaryOp::Le | BinaryOp::Ge
                );
                let both = l != Kind::NoDateTime && r != Kind::NoDateTime;
                let unknown = l == Kind::UnknownDateTime || r == Kind::UnknownDateTime;
                self.mutable |= compares && both && (unknown || l != r);
                kind
            }
            ItemKind::Not(p)
            | ItemKind::IsUnknown(p)
            | ItemKind::Exists(p)
            | ItemKind::Plus(p)
            | ItemKind::Minus(p)
            | ItemKind::LikeRegex { expr: p, .. } => {
                self.chain(*p);
                kind
            }
            ItemKind::Index(subscripts) => {
                for s in subscripts {
                    self.chain(s.from);
                    if let Some(to) = s.to {
                        self.chain(to);
                    }
                }
                self.unwrapped(kind)
            }
            ItemKind::AnyArray => self.unwrapped(kind),
            ItemKind::Any { first, .. } if *first == 0 => kind,
            ItemKind::Method(method, arg) => self.method(*method, *arg),
            ItemKind::Root => kind,
            _ => Kind::NoDateTime,
        }
    }

    /// The operands of a row of operators.
    fn row(&mut self, item: &Item) {
        let mut at = Some(item);
        while let Some(item) = at {
            let left = self.path.left_chain(&item.kind);
            if let ItemKind::Binary(_, first, right) = &item.kind {
                self.chain(*right);
                if left.is_none() {
                    self.chain(*first);
                }
            }
            at = left.and_then(|left| self.path.item(left));
        }
    }

    fn unwrapped(&self, kind: Kind) -> Kind {
        if self.path.lax { kind } else { Kind::NoDateTime }
    }

    fn method(&mut self, method: Method, arg: Option<ItemId>) -> Kind {
        match method {
            Method::Datetime => match arg.and_then(|id| self.path.item(id)).map(|i| &i.kind) {
                Some(ItemKind::String(template)) if template_has_zone(template) => Kind::Zoned,
                Some(_) => Kind::NotZoned,
                None => Kind::UnknownDateTime,
            },
            Method::Time | Method::Date | Method::Timestamp => {
                self.mutable = true;
                Kind::NotZoned
            }
            Method::TimeTz | Method::TimestampTz => {
                self.mutable = true;
                Kind::Zoned
            }
            _ => Kind::NoDateTime,
        }
    }
}
