//! How many rows a condition lets through, by PostgreSQL's estimators and defaults.

use common::CTID;
use std::cmp::Ordering;

use catalog::view::ColumnStatistics;
use nodes::expr::{BoolOp, BoolTestKind, Const, Expr, ScalarArrayOpExpr, Var};
use nodes::query::JoinType;
use types::Datum;

use crate::exprs::facts;
use crate::extended;
use crate::inequality::{Inequality, inequality};
use crate::paths::ColumnFacts;
use crate::rel::{BaseKind, BaseRel};
use crate::root::Root;

pub(crate) const DEFAULT_INEQ: f64 = 1.0 / 3.0;
const DEFAULT_RANGE: f64 = 0.005;
const DEFAULT_MATCH: f64 = 0.005;
const DEFAULT_UNK: f64 = 0.005;
const DEFAULT_DISTINCT: f64 = 200.0;

/// Whether statistics on several columns together count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Using {
    All,
    SingleColumns,
}

/// The selectivity of one condition, 0 to 1. `join` is the kind of join it is tested at, if it is a join's condition.
pub fn clause(root: &Root<'_, '_>, expr: &Expr, join: Option<JoinType>) -> f64 {
    clause_using(root, expr, join, Using::All)
}

pub(crate) fn clause_using(root: &Root<'_, '_>, expr: &Expr, join: Option<JoinType>, using: Using) -> f64 {
    let s = match expr {
        Expr::Const(c) => match c.value {
            Datum::Bool(true) => 1.0,
            _ => 0.0,
        },
        Expr::Bool(b) => match b.op {
            BoolOp::And => all_using(root, b.args.iter(), join, using),
            BoolOp::Or => any_using(root, &b.args, join, using),
            BoolOp::Not => 1.0 - b.args.first().map_or(0.5, |a| clause_using(root, a, join, using)),
        },
        Expr::Func(_) => operator(root, expr),
        Expr::ScalarArrayOp(s) => array_operator(root, s),
        Expr::NullTest(n) => {
            let nulls = stats_of(root, &n.arg).map_or(DEFAULT_UNK, |s| f64::from(s.null_fraction));
            if n.is_not { 1.0 - nulls } else { nulls }
        }
        Expr::BooleanTest(b) => match b.kind {
            BoolTestKind::IsUnknown => DEFAULT_UNK,
            BoolTestKind::IsNotUnknown => 1.0 - DEFAULT_UNK,
            _ => 0.5,
        },
        Expr::Distinct(d) => {
            let eq = operator(root, &Expr::Func(d.equality.clone()));
            if d.negated { eq } else { 1.0 - eq }
        }
        Expr::CurrentOf { .. } => 0.0,
        _ => 0.5,
    };
    s.clamp(0.0, 1.0)
}

/// The selectivity of several conditions together; pairs of range conditions on one column count as a range.
pub fn all<'e>(root: &Root<'_, '_>, clauses: impl Iterator<Item = &'e Expr>, join: Option<JoinType>) -> f64 {
    all_using(root, clauses, join, Using::All)
}

fn any_using(root: &Root<'_, '_>, args: &[Expr], join: Option<JoinType>, using: Using) -> f64 {
    let args: Vec<&Expr> = args.iter().collect();
    let (start, done) = match using {
        Using::All => extended::any(root, &args),
        Using::SingleColumns => (0.0, Vec::new()),
    };
    let rest = args
        .iter()
        .enumerate()
        .filter(|(i, _)| done.get(*i) != Some(&true));
    rest.fold(start, |s, (_, a)| {
        let t = clause_using(root, a, join, using);
        s + t - s * t
    })
}

pub(crate) fn all_using<'e>(
    root: &Root<'_, '_>,
    clauses: impl Iterator<Item = &'e Expr>,
    join: Option<JoinType>,
    using: Using,
) -> f64 {
    let clauses: Vec<&Expr> = clauses.collect();
    let (mut product, done) = match (using, clauses.len()) {
        (Using::All, 2..) => extended::all(root, &clauses),
        _ => (1.0, Vec::new()),
    };
    let rest = clauses
        .iter()
        .enumerate()
        .filter(|(i, _)| done.get(*i) != Some(&true));
    // (column, upper bound side, selectivity)
    let mut ranges: Vec<(&Expr, bool, f64)> = Vec::new();
    for (_, c) in rest {
        let s = clause_using(root, c, join, using);
        match range_side(root, c) {
            Some((column, upper)) => ranges.push((column, upper, s)),
            None => product *= s,
        }
    }
    while let Some((column, upper, s)) = ranges.pop() {
        match ranges.iter().position(|(c, u, _)| *c == column && *u != upper) {
            Some(i) => {
                let (_, _, other) = ranges.remove(i);
                let both = if s == DEFAULT_INEQ || other == DEFAULT_INEQ {
                    DEFAULT_RANGE
                } else {
                    let nulls = stats_of(root, column).map_or(0.0, |s| f64::from(s.null_fraction));
                    s + other - 1.0 + nulls
                };
                product *= match both {
                    // Far below zero the two estimates contradict each other.
                    b if b < -0.01 => DEFAULT_RANGE,
                    b if b <= 0.0 => 1e-10,
                    b => b,
                };
            }
            None => product *= s,
        }
    }
    product
}

fn range_side<'e>(root: &Root<'_, '_>, c: &'e Expr) -> Option<(&'e Expr, bool)> {
    let (op, left, right) = facts::binary_op(c)?;
    let restrict = root.context().catalog.operator(op).ok()??.restrict.clone();
    let upper = match &*restrict {
        "scalarltsel" | "scalarlesel" => true,
        "scalargtsel" | "scalargesel" => false,
        _ => return None,
    };
    match (column_of(left), column_of(right)) {
        (Some(_), None) => Some((facts::strip_relabel(left), upper)),
        (None, Some(_)) => Some((facts::strip_relabel(right), !upper)),
        _ => None,
    }
}

/// `column op ANY (array)` and ALL: the elements one by one.
///
/// PG: `scalararraysel`.
fn array_operator(root: &Root<'_, '_>, s: &ScalarArrayOpExpr) -> f64 {
    let operator = root.context().catalog.operator(s.op).ok().flatten();
    let estimator = operator.map(|o| o.restrict.clone());
    // Equal to one of some values, or different from all of them, is a sum.
    let sums = estimator.as_deref() == Some(if s.use_or { "eqsel" } else { "neqsel" });
    let elements: Vec<Option<Expr>> = match facts::strip_relabel(&s.array) {
        Expr::Array(a) => a.elements.iter().cloned().map(Some).collect(),
        Expr::Const(c) => match &c.value {
            Datum::Array(a) => {
                let element = |value: &Datum| {
                    Some(Expr::Const(Const {
                        value: value.clone(),
                        type_ref: s.scalar.type_ref(),
                        collation: c.collation,
                        span: common::Span::NONE,
                    }))
                };
                a.elements.iter().map(element).collect()
            }
            Datum::Null => return 0.0,
            _ => vec![None; 10],
        },
        _ => vec![None; 10],
    };
    let start = if s.use_or { 0.0 } else { 1.0 };
    let (mut all, mut disjoint): (f64, f64) = (start, start);
    for element in &elements {
        let one = operator_selectivity(root, s.op, &s.scalar, element.as_ref().map(|e| (e, false)));
        if s.use_or {
            all = all + one - all * one;
            disjoint += one;
        } else {
            all *= one;
            disjoint += one - 1.0;
        }
    }
    match sums && (0.0..=1.0).contains(&disjoint) {
        true => disjoint,
        false => all,
    }
}

fn column_of(e: &Expr) -> Option<&Var> {
    match facts::strip_relabel(e) {
        Expr::Var(v) if facts::var_rel(v).is_some() => Some(v),
        _ => None,
    }
}

fn operator(root: &Root<'_, '_>, expr: &Expr) -> f64 {
    let Some((op, left, right)) = facts::binary_op(expr) else {
        return if expr.type_oid() == types::oids::BOOL {
            0.3333333
        } else {
            0.5
        };
    };
    match (column_of(left), column_of(right)) {
        (Some(l), Some(r)) if facts::var_rel(l) != facts::var_rel(r) => join_operator(root, op, left, right),
        (Some(_), _) => match pattern(root, expr, op, left) {
            Some(selected) => selected,
            None => operator_selectivity(root, op, left, Some((right, false))),
        },
        (None, Some(_)) => operator_selectivity(root, op, right, Some((left, true))),
        (None, None) if facts::relids(expr).len() > 1 => join_operator(root, op, left, right),
        (None, None) => operator_selectivity(root, op, left, Some((right, false))),
    }
}

/// LIKE and relatives of a column with statistics.
fn pattern(root: &Root<'_, '_>, expr: &Expr, op: common::Oid, column: &Expr) -> Option<f64> {
    let Expr::Func(call) = expr else { return None };
    let estimator = root.context().catalog.operator(op).ok()??.restrict.clone();
    let (is_like, negated) = match &*estimator {
        "likesel" => (true, false),
        "nlikesel" => (true, true),
        "iclikesel" | "regexeqsel" | "icregexeqsel" => (false, false),
        "icnlikesel" | "regexnesel" | "icregexnesel" => (false, true),
        _ => return None,
    };
    let stats = stats_of(root, column)?;
    let found = crate::pattern::Match {
        call,
        stats: &stats,
        is_like,
        negated,
    };
    crate::pattern::selectivity(root, &found)
}

fn join_operator(root: &Root<'_, '_>, op: common::Oid, left: &Expr, right: &Expr) -> f64 {
    let estimator = root
        .context()
        .catalog
        .operator(op)
        .ok()
        .flatten()
        .map(|o| o.join.clone());
    match estimator.as_deref() {
        Some("eqjoinsel") => {
            let nulls = |e: &Expr| stats_of(root, e).map_or(0.0, |s| f64::from(s.null_fraction));
            (1.0 - nulls(left)) * (1.0 - nulls(right))
                / distinct_values(root, left)
                    .max(distinct_values(root, right))
                    .max(1.0)
        }
        Some("neqjoinsel") => {
            1.0 - 1.0
                / distinct_values(root, left)
                    .max(distinct_values(root, right))
                    .max(1.0)
        }
        Some("scalarltjoinsel" | "scalarlejoinsel" | "scalargtjoinsel" | "scalargejoinsel") => DEFAULT_INEQ,
        Some("likejoinsel" | "iclikejoinsel" | "regexeqjoinsel") => DEFAULT_MATCH,
        _ => 0.5,
    }
}

/// `column OP other` (or `other OP column` when `.1` is true).
fn operator_selectivity(
    root: &Root<'_, '_>,
    op: common::Oid,
    column: &Expr,
    other: Option<(&Expr, bool)>,
) -> f64 {
    let estimator = root
        .context()
        .catalog
        .operator(op)
        .ok()
        .flatten()
        .map(|o| o.restrict.clone());
    let value = match other {
        Some((Expr::Const(c), _)) => Some(&c.value),
        _ => None,
    };
    let flipped = other.is_some_and(|(_, f)| f);
    match estimator.as_deref() {
        Some("eqsel") => equal(root, column, value),
        Some("neqsel") => {
            let nulls = stats_of(root, column).map_or(0.0, |s| f64::from(s.null_fraction));
            1.0 - equal(root, column, value) - nulls
        }
        Some(name @ ("scalarltsel" | "scalarlesel" | "scalargtsel" | "scalargesel")) => {
            let op = Inequality {
                above: matches!(name, "scalargtsel" | "scalargesel"),
                or_equal: matches!(name, "scalarlesel" | "scalargesel"),
            };
            inequality(root, column, value, op.flipped(flipped))
        }
        Some("likesel" | "iclikesel" | "regexeqsel" | "icregexeqsel") => DEFAULT_MATCH,
        Some("nlikesel" | "icnlikesel" | "regexnesel" | "icregexnesel") => 1.0 - DEFAULT_MATCH,
        Some("contsel" | "arraycontsel" | "tsmatchsel") => 0.001,
        Some("areasel" | "positionsel" | "matchingsel") => 0.005,
        _ => 0.5,
    }
}

fn equal(root: &Root<'_, '_>, column: &Expr, value: Option<&Datum>) -> f64 {
    if value.is_some_and(Datum::is_null) {
        return 0.0;
    }
    if let (Some(stats), Some(value)) = (stats_of(root, column), value) {
        // `char(n)` keeps blanks that its equality ignores, `numeric` its scale, and integers may be of another width.
        let same = |v: &Datum| match (v, value) {
            (Datum::Text(_), Datum::Text(_)) | (Datum::Numeric(_), Datum::Numeric(_)) => {
                let type_oid = facts::strip_relabel(column).type_oid();
                root.context().evaluator.compare(type_oid, v, value) == Some(Ordering::Equal)
            }
            _ => v == value || v.as_i64().is_some_and(|n| value.as_i64() == Some(n)),
        };
        if let Some((_, f)) = stats.most_common.iter().find(|(v, _)| same(v)) {
            return f64::from(*f);
        }
        if !stats.most_common.is_empty() {
            let common: f64 = stats.most_common.iter().map(|(_, f)| f64::from(*f)).sum();
            let rest = distinct_values(root, column) - stats.most_common.len() as f64;
            let each = (1.0 - common - f64::from(stats.null_fraction)) / rest.max(1.0);
            let least = stats.most_common.last().map_or(1.0, |(_, f)| f64::from(*f));
            return each.clamp(0.0, least);
        }
    }
    let nulls = stats_of(root, column).map_or(0.0, |s| f64::from(s.null_fraction));
    (1.0 - nulls) / distinct_values(root, column).max(1.0)
}

pub(crate) fn stats_of(root: &Root<'_, '_>, e: &Expr) -> Option<std::sync::Arc<ColumnStatistics>> {
    let Some(v) = column_of(e) else {
        return extended::of_expression(root, facts::strip_relabel(e)).map(std::sync::Arc::new);
    };
    let rel = root.rels.get(facts::var_rel(v)?)?.as_ref()?;
    let base = rel.base.as_ref()?;
    if let Some(column) = column_facts(base, v) {
        return column.statistics.clone();
    }
    let (catalog, table) = (root.context().catalog, base.table()?);
    let found = match base.is_append {
        true => catalog.inherited_statistics(table.oid, v.attno),
        false => catalog.statistics(table.oid, v.attno),
    };
    found.ok().flatten()
}

/// What is known of a column of a planned subquery.
fn column_facts<'b>(base: &'b BaseRel, v: &Var) -> Option<&'b ColumnFacts> {
    match &base.kind {
        BaseKind::Subquery(planned) => planned
            .columns
            .get(usize::try_from(v.attno).ok()?.checked_sub(1)?),
        _ => None,
    }
}

/// True for a column of a subquery in which no value comes twice.
pub(crate) fn is_unique_column(root: &Root<'_, '_>, e: &Expr) -> bool {
    let found = column_of(e).and_then(|v| {
        let rel = root.rels.get(facts::var_rel(v)?)?.as_ref()?;
        column_facts(rel.base.as_ref()?, v)
    });
    found.is_some_and(|c| c.unique)
}

/// Estimated number of different values of an expression.
pub fn distinct_values(root: &Root<'_, '_>, e: &Expr) -> f64 {
    if e.type_oid() == types::oids::BOOL {
        return 2.0;
    }
    let Some(v) = column_of(e) else {
        return match (stats_of(root, e), facts::relids(e).singleton()) {
            (Some(stats), Some(rel)) => from_statistics(&stats, tuples_of(root, rel)),
            _ => DEFAULT_DISTINCT,
        };
    };
    let Some(rel) = facts::var_rel(v)
        .and_then(|i| root.rels.get(i))
        .and_then(Option::as_ref)
    else {
        return DEFAULT_DISTINCT;
    };
    let tuples = rel.base.as_ref().map_or(rel.rows, |b| b.tuples).max(1.0);
    let unique = rel.base.as_ref().is_some_and(|b| {
        b.indexes
            .iter()
            .any(|i| i.desc.unique && i.desc.key_count == 1 && i.desc.columns[0].attno == v.attno)
    });
    if unique || v.attno == CTID || is_unique_column(root, e) {
        return tuples;
    }
    match stats_of(root, e) {
        Some(stats) => from_statistics(&stats, tuples),
        None => tuples.min(DEFAULT_DISTINCT),
    }
}

/// True when nothing is known of the values of an expression, and there are enough rows for that to matter.
///
/// PG: `isdefault` of `get_variable_numdistinct`.
pub fn is_guessed(root: &Root<'_, '_>, e: &Expr) -> bool {
    let rows = facts::relids(e).singleton().map(|rel| tuples_of(root, rel));
    e.type_oid() != types::oids::BOOL
        && distinct_values(root, e) == DEFAULT_DISTINCT
        && rows.is_none_or(|rows| rows >= DEFAULT_DISTINCT)
        && stats_of(root, e).is_none()
        && !is_unique_column(root, e)
}

fn tuples_of(root: &Root<'_, '_>, rel: usize) -> f64 {
    let rel = root.rels.get(rel).and_then(Option::as_ref);
    rel.map_or(1.0, |r| r.base.as_ref().map_or(r.rows, |b| b.tuples))
        .max(1.0)
}

fn from_statistics(stats: &ColumnStatistics, tuples: f64) -> f64 {
    match f64::from(stats.n_distinct) {
        n if n > 0.0 => n.min(tuples),
        n if n < 0.0 => (-n * tuples).max(1.0).round(),
        _ => tuples.min(DEFAULT_DISTINCT),
    }
}
