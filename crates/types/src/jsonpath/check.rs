//! What a path must keep beyond its grammar: depth, the places of `@` and `last`, patterns and their flags.

use common::error::ErrorExt;
use common::{PgResult, pg_err};

use crate::json_text::too_deep as too_deep_for_stack;
use crate::jsonpath::{ItemKind, Path, RegexFlags};

/// More items than this one below or behind another are refused (PostgreSQL: some 10,000, by `max_stack_depth`).
const CHAIN_MAX: usize = 1000;

/// How many accessors an operand counts for.
const OPERAND_COST: usize = 4;

/// And more operators in a row.
const OPERATORS_MAX: usize = 9000;

/// Evaluation goes down once per accessor and further per operand: what is too long for the stack is refused here. Chains of
/// operators to the left it does not go down; the parentheses of their canonical form have a limit of their own.
pub(super) fn check_depth(path: &Path) -> PgResult<()> {
    let mut open = vec![(path.root, 1, 0)];
    while let Some((id, depth, chain)) = open.pop() {
        if depth > CHAIN_MAX || chain > OPERATORS_MAX {
            return Err(too_deep_for_stack());
        }
        let Some(item) = path.items.get(id) else { continue };
        if let Some(next) = item.next {
            open.push((next, depth + 1, chain));
        }
        let left = path.left_chain(&item.kind);
        item.kind.operands(&mut |operand| {
            open.push(match left == Some(operand) {
                true => (operand, depth, chain + 1),
                false => (operand, depth + OPERAND_COST, chain),
            });
        });
    }
    Ok(())
}

/// Where an item stands, for `@` and `last`.
#[derive(Clone, Copy, Default)]
struct Places {
    in_filter: bool,
    in_subscript: bool,
}

pub(super) fn check_places(path: &Path) -> PgResult<()> {
    let mut open = vec![(path.root, Places::default())];
    while let Some((id, at)) = open.pop() {
        let Some(item) = path.items.get(id) else { continue };
        let mut below = at;
        match &item.kind {
            ItemKind::Current if !at.in_filter => {
                return Err(pg_err!(SYNTAX_ERROR, "@ is not allowed in root expressions"));
            }
            ItemKind::Last if !at.in_subscript => {
                return Err(pg_err!(SYNTAX_ERROR, "LAST is allowed only in array subscripts"));
            }
            ItemKind::Filter(_) => below.in_filter = true,
            ItemKind::Index(_) => below.in_subscript = true,
            _ => {}
        }
        // The first to be looked at goes last: operands as written, then what is behind them.
        open.extend(item.next.map(|next| (next, at)));
        let first = open.len();
        item.kind.operands(&mut |operand| open.push((operand, below)));
        if let Some(operands) = open.get_mut(first..) {
            operands.reverse();
        }
    }
    Ok(())
}

pub(super) fn regex_flags(text: &str) -> PgResult<RegexFlags> {
    let mut flags = RegexFlags::default();
    for c in text.chars() {
        match c {
            'i' => flags.ignore_case = true,
            's' => flags.dot_all = true,
            'm' => flags.multi_line = true,
            'x' => flags.expanded = true,
            'q' => flags.quote = true,
            _ => {
                return Err(
                    pg_err!(SYNTAX_ERROR, "invalid input syntax for type jsonpath").detail(format!(
                        "Unrecognized flag character \"{c}\" in LIKE_REGEX predicate."
                    )),
                );
            }
        }
    }
    Ok(flags)
}

/// What can be said of a pattern without compiling it.
pub(super) fn check_regex(pattern: &str, flags: RegexFlags) -> PgResult<()> {
    if flags.quote {
        return Ok(());
    }
    if flags.expanded {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "XQuery \"x\" flag (expanded regular expressions) is not implemented"
        ));
    }
    let (mut open, mut in_set) = (0_i64, false);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' => in_set = true,
            ']' => in_set = false,
            '(' if !in_set => open += 1,
            ')' if !in_set => open -= 1,
            _ => {}
        }
        if open < 0 {
            break;
        }
    }
    if open != 0 {
        return Err(pg_err!(
            INVALID_REGULAR_EXPRESSION,
            "invalid regular expression: parentheses () not balanced"
        ));
    }
    Ok(())
}
