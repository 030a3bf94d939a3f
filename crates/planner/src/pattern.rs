//! Selectivity of LIKE, ILIKE and regular expressions: the operator itself is tried on the values that ANALYZE kept.
//!
//! PG: src/backend/utils/adt/like_support.c (`patternsel_common`).

use catalog::view::ColumnStatistics;
use common::{Oid, Span};
use nodes::expr::{ArrayExpr, Const, Expr, FuncExpr};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exprs::facts;
use crate::root::Root;

const DEFAULT_MATCH: f64 = 0.005;
/// A histogram of this size is trusted alone.
const HISTOGRAM_TRUSTED: usize = 100;
const HISTOGRAM_MIN: usize = 10;
const FIXED_CHAR: f64 = 0.20;
const ANY_CHAR: f64 = 0.9;
const FULL_WILDCARD: f64 = 5.0;

/// A match of a column against a constant pattern.
pub struct Match<'e> {
    /// The operator's call.
    pub call: &'e FuncExpr,
    pub stats: &'e ColumnStatistics,
    pub is_like: bool,
    /// The pattern negated: NOT LIKE.
    pub negated: bool,
}

/// The selectivity; `None` when the pattern is not known now.
pub fn selectivity(root: &Root<'_, '_>, m: &Match<'_>) -> Option<f64> {
    let Expr::Const(pattern) = facts::strip_relabel(m.call.args.get(1)?) else {
        return None;
    };
    let Datum::Text(text) = &pattern.value else {
        return pattern.value.is_null().then_some(0.0);
    };
    let common: Vec<&Datum> = m.stats.most_common.iter().map(|(v, _)| v).collect();
    let bounds = &m.stats.histogram;
    let inner: Vec<&Datum> = match bounds.len() > HISTOGRAM_MIN {
        true => bounds[1..bounds.len() - 1].iter().collect(),
        false => Vec::new(),
    };
    let matches = matching(root, m, common.iter().chain(&inner).copied())?;
    // NOT LIKE is tried as it is; what matches the pattern is the rest.
    let hit = |found: &bool| *found != m.negated;
    let (in_common, in_histogram) = matches.split_at_checked(common.len())?;
    let guess = heuristic(text, m.is_like);
    let mut selected = match in_histogram.len() {
        0 => guess,
        n => {
            let share = in_histogram.iter().filter(|f| hit(f)).count() as f64 / n as f64;
            let weight = (bounds.len() as f64 / HISTOGRAM_TRUSTED as f64).min(1.0);
            share * weight + guess * (1.0 - weight)
        }
    };
    selected = selected.clamp(0.0001, 0.9999);
    let nulls = f64::from(m.stats.null_fraction);
    let total: f64 = m.stats.most_common.iter().map(|(_, f)| f64::from(*f)).sum();
    let known: f64 = std::iter::zip(in_common, &m.stats.most_common)
        .filter(|(found, _)| hit(found))
        .map(|(_, (_, f))| f64::from(*f))
        .sum();
    let result = selected * (1.0 - nulls - total).max(0.0) + known;
    Some(if m.negated { 1.0 - result - nulls } else { result })
}

/// What the operator says of each value.
fn matching<'d>(
    root: &Root<'_, '_>,
    m: &Match<'_>,
    values: impl Iterator<Item = &'d Datum>,
) -> Option<Vec<bool>> {
    let column = m.call.args.first()?;
    let call = |value: &Datum| {
        let mut call = m.call.clone();
        if let Some(arg) = call.args.first_mut() {
            *arg = Expr::Const(Const {
                value: value.clone(),
                type_ref: column.type_ref(),
                collation: column.collation(),
                span: Span::NONE,
            });
        }
        Expr::Func(call)
    };
    let elements: Vec<Expr> = values.map(call).collect();
    if elements.is_empty() {
        return Some(Vec::new());
    }
    let all = Expr::Array(ArrayExpr {
        elements,
        array_type: oids::BOOL_ARRAY,
        element_type: TypeRef::plain(oids::BOOL).oid,
        multidims: false,
        collation: Oid::INVALID,
        span: Span::NONE,
    });
    match root.context().evaluator.evaluate(&all).ok()? {
        Datum::Array(a) => Some(a.elements.iter().map(|d| d.as_bool() == Some(true)).collect()),
        _ => None,
    }
}

/// What the pattern itself suggests.
pub fn heuristic(pattern: &str, is_like: bool) -> f64 {
    if !is_like {
        return DEFAULT_MATCH;
    }
    let prefix = pattern.bytes().take_while(|b| !matches!(b, b'%' | b'_')).count();
    let rest = &pattern.as_bytes()[prefix..];
    let start = if prefix > 0 { DEFAULT_MATCH } else { 1.0 };
    let mut selected = 1.0;
    let mut chars = rest.iter().skip_while(|b| matches!(b, b'%' | b'_'));
    while let Some(b) = chars.next() {
        selected *= match b {
            b'%' => FULL_WILDCARD,
            b'_' => ANY_CHAR,
            b'\\' => {
                chars.next();
                FIXED_CHAR
            }
            _ => FIXED_CHAR,
        };
    }
    start * f64::min(selected, 1.0)
}
