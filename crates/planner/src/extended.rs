//! Estimates from extended statistics: most common combinations, functional dependencies, distinct combinations, expressions.
//!
//! PG: src/backend/statistics/README, `extended_stats.c`, `mcv.c`, `dependencies.c`.

use std::collections::BTreeSet;
use std::rc::Rc;

use catalog::statistics_ext::ExtendedStatistics;
use catalog::view::ColumnStatistics;
use common::Oid;
use nodes::expr::{BoolOp, Const, Expr};
use nodes::walk;

use crate::exprs::facts;
use crate::paths::at_rel;
use crate::rel::BaseRel;
use crate::root::Root;
use crate::selectivity::{Using, all_using, clause_using};

/// A statistics object of a relation, its expressions in the relation's terms.
#[derive(Debug)]
pub struct Known {
    stats: ExtendedStatistics,
    exprs: Vec<Expr>,
}

impl Known {
    /// The attribute that an expression is.
    fn attribute(&self, e: &Expr) -> Option<i16> {
        if let Expr::Var(v) = e
            && self.stats.keys.contains(&v.attno)
        {
            return Some(v.attno);
        }
        let at = self.exprs.iter().position(|x| x == e)?;
        Some(ExtendedStatistics::expr_attribute(at))
    }

    fn attributes(&self, operands: &[&Expr]) -> Option<Vec<i16>> {
        operands.iter().map(|e| self.attribute(e)).collect()
    }

    /// Columns and expressions that it is about.
    fn size(&self) -> usize {
        self.stats.keys.len() + self.exprs.len()
    }
}

/// What is known of a base relation (of its tree if it stands for one), found out once per query.
fn known<'r>(root: &'r Root<'_, '_>, rel: usize) -> &'r [Known] {
    let base = root
        .rels
        .get(rel)
        .and_then(Option::as_ref)
        .and_then(|r| r.base.as_ref());
    base.map_or(&[], |base| base.extended.get_or_init(|| look_up(root, base)))
}

fn look_up(root: &Root<'_, '_>, base: &BaseRel) -> Rc<[Known]> {
    let found = base
        .table()
        .and_then(|table| root.context().catalog.extended_statistics(table.oid).ok());
    let all = found.iter().flat_map(|all| all.iter());
    all.filter(|s| s.inherited == base.is_append)
        .map(|s| Known {
            exprs: s
                .exprs
                .iter()
                .map(|e| as_in_queries(root, e, base.rt_index))
                .collect(),
            stats: s.clone(),
        })
        .collect()
}

/// A stored expression as it would look in a query, constants folded.
fn as_in_queries(root: &Root<'_, '_>, e: &Expr, rt_index: usize) -> Expr {
    let plain = at_rel(e, rt_index);
    let mut folded = plain.clone();
    match crate::exprs::fold::fold_constants(&mut folded, root.context()) {
        Ok(()) => folded,
        Err(_) => plain,
    }
}

/// Statistics of an expression over one relation.
pub fn of_expression(root: &Root<'_, '_>, e: &Expr) -> Option<ColumnStatistics> {
    if matches!(e, Expr::Const(_) | Expr::Param(_)) {
        return None;
    }
    let rel = facts::relids(e).singleton()?;
    known(root, rel).iter().find_map(|k| {
        let at = k.exprs.iter().position(|x| x == e)?;
        k.stats.expr_statistics.get(at).cloned()
    })
}

/// How many combinations some of the expressions have, and which ones these are.
pub fn ndistinct(root: &Root<'_, '_>, rel: usize, exprs: &[&Expr]) -> Option<(f64, Vec<bool>)> {
    let mut best: Option<(usize, usize, &Known, Vec<Option<i16>>)> = None;
    for k in known(root, rel) {
        let found: Vec<Option<i16>> = exprs.iter().map(|e| k.attribute(e)).collect();
        let of_exprs = found.iter().flatten().filter(|a| **a < 0).count();
        let of_columns = found.iter().flatten().count() - of_exprs;
        if of_exprs + of_columns < 2 || k.stats.ndistinct.is_empty() {
            continue;
        }
        if best.as_ref().is_none_or(|b| (of_exprs, of_columns) > (b.0, b.1)) {
            best = Some((of_exprs, of_columns, k, found));
        }
    }
    let (_, _, k, found) = best?;
    let wanted: BTreeSet<i16> = found.iter().flatten().copied().collect();
    let same = |attributes: &Vec<i16>| {
        attributes.len() == wanted.len() && attributes.iter().all(|a| wanted.contains(a))
    };
    let item = k
        .stats
        .ndistinct
        .iter()
        .find(|(attributes, _)| same(attributes))?;
    Some((item.1, found.iter().map(Option::is_some).collect()))
}

/// The one relation that all conditions are about.
fn single_relation(clauses: &[&Expr]) -> Option<usize> {
    let rel = facts::relids(clauses.first()?).singleton()?;
    let same = |c: &&Expr| facts::relids(c).singleton() == Some(rel);
    clauses.iter().all(same).then_some(rel)
}

/// The selectivity of those conditions together that statistics speak of, and which ones these are.
pub fn all(root: &Root<'_, '_>, clauses: &[&Expr]) -> (f64, Vec<bool>) {
    let mut done = vec![false; clauses.len()];
    let Some(known) = single_relation(clauses).map(|rel| known(root, rel)) else {
        return (1.0, done);
    };
    if known.is_empty() {
        return (1.0, done);
    }
    let mut product = 1.0;
    while let Some((k, members)) = best_list(root, known, clauses, &done) {
        let chosen: Vec<&Expr> = members.iter().map(|i| clauses[*i]).collect();
        members.iter().for_each(|i| done[*i] = true);
        let simple = all_using(root, chosen.iter().copied(), None, Using::SingleColumns);
        let matches = |item: usize| chosen.iter().all(|c| item_matches(root, k, item, c));
        let found: Vec<bool> = (0..k.stats.mcv.len()).map(matches).collect();
        product *= Matched::of(k, &found).combined(simple);
    }
    (product * by_dependencies(root, known, clauses, &mut done), done)
}

/// The same for conditions joined by OR.
pub fn any(root: &Root<'_, '_>, clauses: &[&Expr]) -> (f64, Vec<bool>) {
    let mut done = vec![false; clauses.len()];
    let Some(known) = single_relation(clauses).map(|rel| known(root, rel)) else {
        return (0.0, done);
    };
    let mut sum = 0.0;
    while let Some((k, members)) = best_list(root, known, clauses, &done) {
        let mut before = vec![false; k.stats.mcv.len()];
        let (mut of_list, mut simple_or) = (0.0f64, 0.0f64);
        for i in members {
            done[i] = true;
            let simple = clause_using(root, clauses[i], None, Using::SingleColumns);
            let simple_overlap = simple_or * simple;
            simple_or = (simple_or + simple - simple_overlap).clamp(0.0, 1.0);
            let found: Vec<bool> = (0..before.len())
                .map(|at| item_matches(root, k, at, clauses[i]))
                .collect();
            let overlap: Vec<bool> = found.iter().zip(&before).map(|(f, b)| *f && *b).collect();
            let one_column = operands(root, clauses[i])
                .and_then(|o| k.attributes(&o))
                .is_some_and(|a| a.iter().all(|x| *x == a[0]));
            let own = match one_column {
                true => simple,
                false => Matched::of(k, &found).combined(simple),
            };
            let twice = Matched::of(k, &overlap).combined(simple_overlap);
            of_list = (of_list + own - twice).clamp(0.0, 1.0);
            before.iter_mut().zip(&found).for_each(|(b, f)| *b |= *f);
        }
        sum = sum + of_list - sum * of_list;
    }
    (sum, done)
}

/// The list of most common values that covers most, and the conditions that it covers.
fn best_list<'k>(
    root: &Root<'_, '_>,
    known: &'k [Known],
    clauses: &[&Expr],
    done: &[bool],
) -> Option<(&'k Known, Vec<usize>)> {
    let mut best: Option<(usize, &Known, Vec<usize>)> = None;
    for k in known.iter().filter(|k| !k.stats.mcv.is_empty()) {
        let mut matched: BTreeSet<i16> = BTreeSet::new();
        let mut members = Vec::new();
        for (i, clause) in clauses.iter().enumerate().filter(|(i, _)| !done[*i]) {
            if let Some(attributes) = operands(root, clause).and_then(|o| k.attributes(&o)) {
                matched.extend(attributes);
                members.push(i);
            }
        }
        let better = match &best {
            None => matched.len() >= 2,
            Some((count, other, _)) => {
                matched.len() > *count || matched.len() == *count && k.size() < other.size()
            }
        };
        if better {
            best = Some((matched.len(), k, members));
        }
    }
    best.map(|(_, k, members)| (k, members))
}

/// The columns and expressions that a condition compares with constants; `None` for other conditions.
fn operands<'e>(root: &Root<'_, '_>, clause: &'e Expr) -> Option<Vec<&'e Expr>> {
    let mut found = Vec::new();
    collect_operands(root, clause, &mut found).then_some(found)
}

fn estimator(root: &Root<'_, '_>, op: Oid) -> Option<std::sync::Arc<str>> {
    Some(root.context().catalog.operator(op).ok()??.restrict.clone())
}

fn collect_operands<'e>(root: &Root<'_, '_>, clause: &'e Expr, out: &mut Vec<&'e Expr>) -> bool {
    const COMPARES: [&str; 6] = [
        "eqsel",
        "neqsel",
        "scalarltsel",
        "scalarlesel",
        "scalargtsel",
        "scalargesel",
    ];
    let compares = |op: Oid| estimator(root, op).is_some_and(|e| COMPARES.contains(&&*e));
    let clause = facts::strip_relabel(clause);
    match clause {
        Expr::Bool(b) => return b.args.iter().all(|a| collect_operands(root, a, out)),
        Expr::NullTest(n) => out.push(facts::strip_relabel(&n.arg)),
        Expr::ScalarArrayOp(s) => {
            if !is_constant_array(&s.array) || !compares(s.op) {
                return false;
            }
            out.push(facts::strip_relabel(&s.scalar));
        }
        Expr::Func(_) if let Some((op, left, right)) = facts::binary_op(clause) => {
            let (left, right) = (facts::strip_relabel(left), facts::strip_relabel(right));
            let operand = match (left, right) {
                (Expr::Const(_), other) | (other, Expr::Const(_)) => other,
                _ => return false,
            };
            if !compares(op) {
                return false;
            }
            out.push(operand);
        }
        other => out.push(other),
    }
    true
}

fn is_constant_array(e: &Expr) -> bool {
    let constant = |e: &Expr| matches!(facts::strip_relabel(e), Expr::Const(_));
    match facts::strip_relabel(e) {
        Expr::Array(a) => a.elements.iter().all(constant),
        other => constant(other),
    }
}

/// Shares of the items that conditions match.
struct Matched {
    frequency: f64,
    base: f64,
    /// Of all items.
    total: f64,
}

impl Matched {
    fn of(k: &Known, found: &[bool]) -> Matched {
        let mut m = Matched {
            frequency: 0.0,
            base: 0.0,
            total: 0.0,
        };
        for (item, matches) in k.stats.mcv.iter().zip(found) {
            m.total += item.frequency;
            if *matches {
                m.frequency += item.frequency;
                m.base += item.base_frequency;
            }
        }
        m
    }

    /// With what single columns say of the rows outside the list.
    fn combined(&self, simple: f64) -> f64 {
        let other = (simple - self.base).clamp(0.0, 1.0).min(1.0 - self.total);
        (self.frequency + other).clamp(0.0, 1.0)
    }
}

fn item_matches(root: &Root<'_, '_>, k: &Known, item: usize, clause: &Expr) -> bool {
    let mut e = clause.clone();
    substitute(&mut e, k, item);
    let value = root.context().evaluator.evaluate(&e);
    value.is_ok_and(|v| v.as_bool() == Some(true))
}

/// Puts an item's values in the place of its columns and expressions.
fn substitute(e: &mut Expr, k: &Known, item: usize) {
    let found = k.attribute(e).and_then(|a| k.stats.dimension(a));
    if let Some(value) = found.and_then(|d| k.stats.mcv.get(item)?.values.get(d)) {
        *e = Expr::Const(Const {
            value: value.clone(),
            type_ref: e.type_ref(),
            collation: e.collation(),
            span: common::Span::NONE,
        });
        return;
    }
    walk::for_each_child_mut(e, &mut |child| substitute(child, k, item));
}

/// The column or expression that a condition fixes to one value (or one of a few).
fn fixed<'e>(root: &Root<'_, '_>, clause: &'e Expr) -> Option<&'e Expr> {
    let is_equality = |op: Oid| estimator(root, op).as_deref() == Some("eqsel");
    let constant = |e: &Expr| facts::relids(e).is_empty() && !facts::contains_subquery(e);
    let clause = facts::strip_relabel(clause);
    let found = match clause {
        Expr::Bool(b) if b.op == BoolOp::Or => {
            let mut each = b.args.iter().map(|a| fixed(root, a));
            let first = each.next()??;
            if each.any(|other| other != Some(first)) {
                return None;
            }
            first
        }
        Expr::Bool(b) if b.op == BoolOp::Not => b.args.first()?,
        Expr::Bool(_) | Expr::NullTest(_) => return None,
        Expr::ScalarArrayOp(s) => {
            if !s.use_or || !constant(&s.array) || !is_equality(s.op) {
                return None;
            }
            &s.scalar
        }
        Expr::Func(_) if let Some((op, left, right)) = facts::binary_op(clause) => {
            if !is_equality(op) {
                return None;
            }
            match (constant(left), constant(right)) {
                (false, true) => left,
                (true, false) => right,
                _ => return None,
            }
        }
        other => other,
    };
    Some(facts::strip_relabel(found))
}

/// Conditions that fix columns of which one follows from others.
fn by_dependencies(root: &Root<'_, '_>, known: &[Known], clauses: &[&Expr], done: &mut [bool]) -> f64 {
    let mut columns: Vec<&Expr> = Vec::new();
    let mut place: Vec<Option<usize>> = Vec::new();
    for (i, clause) in clauses.iter().enumerate() {
        let operand = fixed(root, clause).filter(|_| !done[i]);
        place.push(operand.map(|e| match columns.iter().position(|c| *c == e) {
            Some(at) => at,
            None => {
                columns.push(e);
                columns.len() - 1
            }
        }));
    }
    let applied = applicable(known, &columns);
    let used: BTreeSet<usize> = applied.iter().flat_map(|(c, _)| c.iter().copied()).collect();
    if used.is_empty() {
        return 1.0;
    }
    let mut each: Vec<f64> = vec![1.0; columns.len()];
    for &column in &used {
        let own = clauses.iter().zip(&place).filter(|(_, p)| **p == Some(column));
        each[column] = all_using(root, own.map(|(c, _)| *c), None, Using::SingleColumns);
    }
    for (i, p) in place.iter().enumerate() {
        done[i] |= p.is_some_and(|p| used.contains(&p));
    }
    for (members, degree) in applied.iter().rev() {
        let Some((implied, from)) = members.split_last() else {
            continue;
        };
        let by: f64 = from.iter().map(|c| each[*c]).product();
        let own = each[*implied];
        each[*implied] = match by <= own {
            true => degree + (1.0 - degree) * own,
            false => degree * own / by + (1.0 - degree) * own,
        };
    }
    used.iter().map(|c| each[*c]).product::<f64>().clamp(0.0, 1.0)
}

/// The strongest dependencies among the columns, each column implied once: places in `columns` (the implied one last), degree.
fn applicable(known: &[Known], columns: &[&Expr]) -> Vec<(Vec<usize>, f64)> {
    let mut all: Vec<(Vec<usize>, f64)> = Vec::new();
    for k in known {
        let place = |attribute: &i16| columns.iter().position(|c| k.attribute(c) == Some(*attribute));
        for (attributes, degree) in &k.stats.dependencies {
            let places: Option<Vec<usize>> = attributes.iter().map(place).collect();
            all.extend(places.map(|p| (p, *degree)));
        }
    }
    let mut left: BTreeSet<usize> = (0..columns.len()).collect();
    let mut chosen = Vec::new();
    loop {
        let mut strongest: Option<&(Vec<usize>, f64)> = None;
        for d in all.iter().filter(|d| d.0.iter().all(|c| left.contains(c))) {
            if strongest.is_none_or(|s| (d.0.len(), d.1) > (s.0.len(), s.1)) {
                strongest = Some(d);
            }
        }
        let Some(found) = strongest else { return chosen };
        if let Some(implied) = found.0.last() {
            left.remove(implied);
        }
        chosen.push(found.clone());
    }
}
