//! The canonical spelling of a path.

use std::fmt;

use crate::json_text::push_string;
use crate::jsonpath::{BinaryOp, Item, ItemId, ItemKind, LEVEL_LAST, Path, RegexFlags};

/// Operators bind tighter with higher numbers.
fn priority(kind: &ItemKind) -> u8 {
    match kind {
        ItemKind::Binary(op, ..) => match op {
            BinaryOp::Or => 0,
            BinaryOp::And => 1,
            BinaryOp::Add | BinaryOp::Sub => 3,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 4,
            _ => 2,
        },
        ItemKind::Plus(_) | ItemKind::Minus(_) => 5,
        _ => 6,
    }
}

/// How an item stands among others.
#[derive(Clone, Copy)]
struct Place {
    /// Behind a dot.
    in_key: bool,
    brackets: bool,
}

const BARE: Place = Place {
    in_key: false,
    brackets: false,
};

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if !self.lax {
            out.push_str("strict ");
        }
        let place = Place {
            in_key: false,
            brackets: true,
        };
        self.print(self.root, place, &mut out);
        f.write_str(&out)
    }
}

fn level(n: u32) -> String {
    if n == LEVEL_LAST {
        "last".to_owned()
    } else {
        n.to_string()
    }
}

/// `**` with its levels.
fn levels(first: u32, last: u32) -> String {
    match (first, last) {
        (0, LEVEL_LAST) => "**".to_owned(),
        (a, b) if a == b => format!("**{{{}}}", level(a)),
        (a, b) => format!("**{{{} to {}}}", level(a), level(b)),
    }
}

impl Path {
    fn print(&self, id: ItemId, place: Place, out: &mut String) {
        let (mut at, mut place) = (Some(id), place);
        while let Some(item) = at.and_then(|id| self.items.get(id)) {
            self.print_kind(item, place, out);
            at = item.next;
            place = Place {
                in_key: true,
                brackets: true,
            };
        }
    }

    /// Whether an operand stands in brackets.
    fn has_brackets(&self, operand: ItemId, parent: &ItemKind) -> bool {
        self.items
            .get(operand)
            .is_some_and(|i| priority(&i.kind) <= priority(parent))
    }

    fn print_operand(&self, id: ItemId, parent: &ItemKind, out: &mut String) {
        let place = Place {
            in_key: false,
            brackets: self.has_brackets(id, parent),
        };
        self.print(id, place, out);
    }

    /// An operator of two operands, with the row of such that its left operand may be.
    fn print_row(&self, item: &Item, out: &mut String) {
        let (mut at, mut above) = (item, Vec::new());
        while let Some((left, inner)) = self
            .left_chain(&at.kind)
            .and_then(|left| Some((left, self.items.get(left)?)))
        {
            let brackets = self.has_brackets(left, &at.kind);
            if brackets {
                out.push('(');
            }
            above.push((at, brackets));
            at = inner;
        }
        if let ItemKind::Binary(_, left, _) = &at.kind {
            self.print_operand(*left, &at.kind, out);
        }
        loop {
            if let ItemKind::Binary(op, _, right) = &at.kind {
                out.push_str(&format!(" {} ", op.symbol()));
                self.print_operand(*right, &at.kind, out);
            }
            let Some((outer, brackets)) = above.pop() else {
                return;
            };
            if brackets {
                out.push(')');
            }
            at = outer;
        }
    }

    fn print_around(&self, before: &str, id: ItemId, after: &str, out: &mut String) {
        out.push_str(before);
        self.print(id, BARE, out);
        out.push_str(after);
    }

    fn print_kind(&self, item: &Item, place: Place, out: &mut String) {
        let dot = if place.in_key { "." } else { "" };
        match &item.kind {
            ItemKind::Null => out.push_str("null"),
            ItemKind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            ItemKind::Number(n) if item.next.is_some() => out.push_str(&format!("({n})")),
            ItemKind::Number(n) => out.push_str(&n.to_string()),
            ItemKind::String(s) => push_string(s, out),
            ItemKind::Root => out.push('$'),
            ItemKind::Current => out.push('@'),
            ItemKind::Last => out.push_str("last"),
            ItemKind::Variable(name) => {
                out.push('$');
                push_string(name, out);
            }
            ItemKind::Key(name) => {
                out.push_str(dot);
                push_string(name, out);
            }
            ItemKind::AnyKey => {
                out.push_str(dot);
                out.push('*');
            }
            ItemKind::AnyArray => out.push_str("[*]"),
            ItemKind::Any { first, last } => {
                out.push_str(dot);
                out.push_str(&levels(*first, *last));
            }
            ItemKind::Index(subscripts) => {
                out.push('[');
                for (k, s) in subscripts.iter().enumerate() {
                    if k > 0 {
                        out.push(',');
                    }
                    self.print(s.from, BARE, out);
                    if let Some(to) = s.to {
                        out.push_str(" to ");
                        self.print(to, BARE, out);
                    }
                }
                out.push(']');
            }
            ItemKind::Filter(p) => self.print_around("?(", *p, ")", out),
            ItemKind::Not(p) => self.print_around("!(", *p, ")", out),
            ItemKind::Exists(p) => self.print_around("exists (", *p, ")", out),
            ItemKind::IsUnknown(p) => self.print_around("(", *p, ") is unknown", out),
            ItemKind::Method(m, arg) => {
                out.push_str(&format!(".{}(", m.name()));
                if let Some(arg) = arg {
                    self.print(*arg, BARE, out);
                }
                out.push(')');
            }
            ItemKind::Decimal(precision, scale) => {
                out.push_str(".decimal(");
                if let Some(p) = precision {
                    self.print(*p, BARE, out);
                }
                if let Some(s) = scale {
                    out.push(',');
                    self.print(*s, BARE, out);
                }
                out.push(')');
            }
            _ => self.print_operator(item, place, out),
        }
    }

    fn print_operator(&self, item: &Item, place: Place, out: &mut String) {
        if place.brackets {
            out.push('(');
        }
        match &item.kind {
            ItemKind::Binary(..) => self.print_row(item, out),
            ItemKind::Plus(arg) => {
                out.push('+');
                self.print_operand(*arg, &item.kind, out);
            }
            ItemKind::Minus(arg) => {
                out.push('-');
                self.print_operand(*arg, &item.kind, out);
            }
            ItemKind::LikeRegex { expr, pattern, flags } => {
                self.print_operand(*expr, &item.kind, out);
                out.push_str(" like_regex ");
                push_string(pattern, out);
                print_flags(*flags, out);
            }
            _ => {}
        }
        if place.brackets {
            out.push(')');
        }
    }
}

fn print_flags(flags: RegexFlags, out: &mut String) {
    if flags == RegexFlags::default() {
        return;
    }
    out.push_str(" flag \"");
    for (set, letter) in [
        (flags.ignore_case, 'i'),
        (flags.dot_all, 's'),
        (flags.multi_line, 'm'),
        (flags.expanded, 'x'),
        (flags.quote, 'q'),
    ] {
        if set {
            out.push(letter);
        }
    }
    out.push('"');
}
