//! Statements that differ in integer literals only share one plan, where it is the plan of a point statement.
//!
//! # How it works
//! Clients of the simple protocol write values into the text, so no two texts are alike, and each would be parsed, analyzed and planned.
//! A text whose *shape* (the text without its integer literals) has come before is prepared once with parameters in the literals' place;
//! later ones bring their numbers only. An integer literal and a parameter of type int4 mean the same wherever an expression may stand.
//!
//! # Invariants
//! - Only point statements are shared: their plan does not depend on the values, and clauses in which a number is no expression
//!   (`ORDER BY 1`, `LIMIT 1`, `GROUP BY 1`) do not occur in them.
//! - Nothing that PostgreSQL would compute while planning, and that can fail, is left to the execution, which may meet no row.
//! - Positions of errors are those of the client's text ([`Literals::position`]).

use std::sync::Arc;

use executor::PreparedPlan;
use nodes::expr::Expr;
use nodes::query::TargetEntry;
use nodes::{Plan, PlanNode, Query};
use smallvec::SmallVec;
use types::{Datum, oids};

use crate::session::Session;
use crate::session::plan::is_optimizable;
use crate::session::prepared::{Prepared, StatementCache, environment_hash};

/// Texts longer than this are not looked at.
const TEXT_MAX: usize = 2_000;
/// Literals of one statement.
const LITERALS_MAX: usize = 32;
/// Stands for a literal in a shape; no statement that has a shape holds it.
const MARK: char = '\u{1}';

/// A text's integer literals.
pub(crate) struct Literals {
    shape: String,
    values: SmallVec<[i32; 8]>,
    /// Begin and end of each.
    spans: SmallVec<[(usize, usize); 8]>,
}

fn in_identifier(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

/// Where a run of bytes ends.
fn end_of(bytes: &[u8], from: usize, test: impl Fn(u8) -> bool) -> usize {
    let run = bytes[from..].iter().position(|b| !test(*b));
    run.map_or(bytes.len(), |n| from + n)
}

/// Where a quoted piece that begins at `from` ends; `None` when a backslash may mean something in it.
fn end_of_quoted(bytes: &[u8], from: usize) -> Option<usize> {
    let quote = bytes[from];
    let at = from
        + 1
        + bytes[from + 1..]
            .iter()
            .position(|b| *b == quote || *b == b'\\')?;
    (bytes[at] == quote).then_some(at + 1)
}

/// Only these can be point statements.
fn may_be_point(sql: &str) -> bool {
    let first = sql.trim_start().as_bytes().first();
    matches!(first.map(u8::to_ascii_lowercase), Some(b's' | b'i' | b'u' | b'd'))
}

impl Literals {
    /// The integer literals of a statement; `None` if it has none, or is written in a way that needs the lexer to be understood.
    pub fn find(sql: &str) -> Option<Literals> {
        if sql.len() > TEXT_MAX || !may_be_point(sql) {
            return None;
        }
        let bytes = sql.as_bytes();
        let mut found = Literals {
            shape: String::with_capacity(sql.len()),
            values: SmallVec::new(),
            spans: SmallVec::new(),
        };
        let (mut i, mut copied) = (0, 0);
        while let Some(&b) = bytes.get(i) {
            let next = bytes.get(i + 1).copied().unwrap_or(b' ');
            match b {
                // Dollar quotes, parameters, comments, the mark itself.
                b'\\' | b'$' | 0..=8 => return None,
                b'-' if next == b'-' => return None,
                b'/' if next == b'*' => return None,
                b'\'' | b'"' => i = end_of_quoted(bytes, i)?,
                b'0'..=b'9' => {
                    let end = end_of(bytes, i, |b| b.is_ascii_digit());
                    let whole = end_of(bytes, i, |b| in_identifier(b) || b == b'.');
                    if let (true, Ok(value)) = (end == whole, sql[i..end].parse()) {
                        found.shape.push_str(&sql[copied..i]);
                        found.shape.push(MARK);
                        found.values.push(value);
                        found.spans.push((i, end));
                        copied = end;
                    }
                    i = whole;
                }
                b'.' => i = end_of(bytes, i, |b| in_identifier(b) || b == b'.'),
                _ if in_identifier(b) => i = end_of(bytes, i, in_identifier),
                _ => i += 1,
            }
        }
        found.shape.push_str(&sql[copied..]);
        (1..=LITERALS_MAX).contains(&found.values.len()).then_some(found)
    }

    /// The values, as parameters.
    pub fn datums(&self) -> Vec<Datum> {
        self.values.iter().map(|v| Datum::Int4(*v)).collect()
    }

    /// The statement with parameters in the literals' place.
    fn parameterized(&self) -> String {
        let mut out = String::with_capacity(self.shape.len() + 2 * self.values.len());
        for (n, piece) in self.shape.split(MARK).enumerate() {
            if n > 0 {
                out.push('$');
                out.push_str(&n.to_string());
            }
            out.push_str(piece);
        }
        out
    }

    /// A position in the parameterized statement as one in the client's text.
    pub fn position(&self, at: u32) -> u32 {
        let mut shift = 0_isize;
        for (n, (begin, end)) in self.spans.iter().enumerate() {
            if at as isize <= *begin as isize - shift {
                break;
            }
            let digits = (n + 1).ilog10() as isize + 1;
            shift += (end - begin) as isize - (1 + digits);
        }
        u32::try_from(at as isize + shift).unwrap_or(at)
    }
}

/// Shapes that came lately and had no point plan.
const REFUSED: usize = 256;

/// A session's shared statements by shape.
pub(crate) struct Templates {
    known: StatementCache,
    refused: Box<[u64; REFUSED]>,
}

impl Templates {
    pub fn new(capacity: usize) -> Templates {
        Templates {
            known: StatementCache::new(capacity),
            refused: Box::new([0; REFUSED]),
        }
    }

    pub fn clear(&mut self) {
        self.known.clear();
    }
}

/// Functions of numbers alone that cannot fail on a positive int4, so that it does not matter when they are called:
/// unary minus; conversion to int8, numeric, float8, float4.
const HARMLESS: [u32; 5] = [212, 481, 1740, 316, 318];

/// True when PostgreSQL would compute the call on literals while planning, and it may fail.
fn folds(e: &Expr) -> bool {
    let Expr::Func(f) = e else { return false };
    let holds = |test: fn(&Expr) -> bool| nodes::walk::any(e, &mut |e| test(e));
    !HARMLESS.contains(&f.func.0)
        && holds(|e| matches!(e, Expr::Param(_)))
        && !holds(|e| matches!(e, Expr::Var(_)))
}

/// True for a query with clauses in which a number is a position or a limit: the plan of one row may have lost them.
fn counts(query: &Query) -> bool {
    !(query.sort_clause.is_empty() && query.group_clause.is_empty() && query.distinct_clause.is_empty())
        || query.limit_count.is_some()
        || query.limit_offset.is_some()
}

/// True when rows decide whether an expression is computed that PostgreSQL would compute while planning.
fn leaves_work(plan: &Plan) -> bool {
    let (input, returning) = match &plan.node {
        PlanNode::ModifyTable(m) => (&*m.input, m.relations.first().map_or(&[][..], |r| &r.returning)),
        PlanNode::LockRows { input, .. } => (&**input, &[][..]),
        _ => (plan, &[][..]),
    };
    let targets = |list: &[TargetEntry]| list.iter().any(|t| nodes::walk::any(&t.expr, &mut folds));
    // What VALUES hold is computed whatever happens.
    let is_values = matches!(input.node, PlanNode::Result { .. });
    let scanned = !is_values
        && (targets(&input.target_list) || input.qual.iter().any(|e| nodes::walk::any(e, &mut folds)));
    scanned || targets(returning)
}

impl Session {
    /// The shared statement of a text's shape, if there is one and it still means the same.
    pub(crate) fn find_template(&mut self, literals: &Literals) -> Option<Arc<Prepared>> {
        let known = self.templates.known.get(&literals.shape, &[])?;
        let version = self.session_catalog().version();
        self.is_current(&known, version).then_some(known)
    }

    /// Makes the shared statement of a shape that came before. `None`: this statement is prepared for itself, as if nothing had been
    /// tried.
    pub(crate) fn make_template(&mut self, literals: &Literals) -> Option<Arc<Prepared>> {
        if self.block.failed {
            return None;
        }
        let hash = environment_hash(&[&literals.shape]);
        let place = hash as usize % REFUSED;
        if self.templates.refused[place] == hash || !self.templates.known.comes_again(&literals.shape) {
            return None;
        }
        let notices = self.core.notices.borrow().len();
        let made = self.point_template(literals);
        // What there is to say of the statement is said each time it is prepared.
        let silent = self.core.notices.borrow().len() == notices;
        self.core.notices.borrow_mut().truncate(notices);
        match made.filter(|_| silent) {
            Some(prepared) => {
                let shape = literals.shape.as_str().into();
                self.templates.known.insert(shape, &[], &prepared);
                Some(prepared)
            }
            None => {
                self.templates.refused[place] = hash;
                None
            }
        }
    }

    fn point_template(&mut self, literals: &Literals) -> Option<Arc<Prepared>> {
        let text: Arc<str> = literals.parameterized().into();
        let parsed = parser::parse_with_notices(&text, &self.settings().parse).ok()?;
        let Ok([raw]) = <[_; 1]>::try_from(parsed.statements) else {
            return None;
        };
        if !parsed.notices.is_empty() || !is_optimizable(&raw.stmt) {
            return None;
        }
        let types = vec![oids::INT4; literals.values.len()];
        let prepared = self.prepare_statement(&text, Some(raw), &types).ok()?;
        let view = self.current_view().ok()?;
        let plan: Arc<PreparedPlan> = self.generic_plan(&prepared, &view).ok()?;
        let shared = plan.is_point()
            && prepared.query().is_some_and(|q| !counts(q))
            && !leaves_work(&plan.plan().plan);
        (shared && prepared.param_types == types).then_some(prepared)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_leave_integer_literals_out() {
        let l = Literals::find("select t1.a + 1.5, 'x 7', \"c 8\" from t1 where id=42 and b <10").unwrap();
        assert_eq!(l.values[..], [42, 10]);
        assert_eq!(
            l.parameterized(),
            "select t1.a + 1.5, 'x 7', \"c 8\" from t1 where id=$1 and b <$2"
        );
    }

    #[test]
    fn numbers_of_other_kinds_stay() {
        for number in ["1e5", "0x1F", "1_000", ".5", "5.", "2147483648", "99999999999"] {
            assert!(
                Literals::find(&format!("select {number} from t")).is_none(),
                "{number}"
            );
        }
    }

    #[test]
    fn what_needs_the_lexer_has_no_shape() {
        for text in [
            "select 1 -- 2",
            "select 1 /* 2 */",
            "select $1 + 1",
            "select $$1$$, 1",
            "select E'\\'1', 1",
            "select 'open, 1",
            "vacuum t1, 1",
        ] {
            assert!(Literals::find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn positions_go_back_to_the_text() {
        let text = "select 123456 + x, 7, y";
        let l = Literals::find(text).unwrap();
        let with_parameters = l.parameterized();
        for name in ["select", "x", "y"] {
            let at = with_parameters.find(name).unwrap() as u32;
            assert_eq!(l.position(at) as usize, text.find(name).unwrap(), "{name}");
        }
        assert_eq!(l.position(with_parameters.find("$2").unwrap() as u32), 19);
    }
}
