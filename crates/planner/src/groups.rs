//! How many groups there will be.
//!
//! PG: src/backend/utils/adt/selfuncs.c (`estimate_num_groups`, `estimate_multivariate_ndistinct`).

use nodes::expr::Expr;

use crate::exprs::facts;
use crate::extended;
use crate::root::Root;
use crate::selectivity::{distinct_values, stats_of};

/// A column or expression that counts as one.
struct Part {
    expr: Expr,
    rel: Option<usize>,
    distinct: f64,
}

/// Estimated number of groups for some grouping expressions over `rows` input rows.
pub fn groups(root: &Root<'_, '_>, exprs: &[&Expr], rows: f64) -> f64 {
    let mut parts: Vec<Part> = Vec::new();
    let mut others = 1.0;
    for e in exprs {
        // A boolean has two values whatever it is made of.
        if e.type_oid() == types::oids::BOOL && !matches!(e, Expr::Var(_)) {
            others *= 2.0;
            continue;
        }
        collect(root, e, &mut parts);
    }
    let mut total = others;
    while let Some(rel) = parts.first().map(|p| p.rel) {
        let (own, rest): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|p| p.rel == rel);
        parts = rest;
        total *= of_relation(root, rel, own, rows);
    }
    total.min(rows).max(1.0).ceil()
}

fn collect(root: &Root<'_, '_>, e: &Expr, parts: &mut Vec<Part>) {
    let e = facts::strip_relabel(e);
    let mut add = |e: &Expr| {
        if parts.iter().all(|p| p.expr != *e) {
            parts.push(Part {
                expr: e.clone(),
                rel: facts::relids(e).singleton(),
                distinct: distinct_values(root, e),
            });
        }
    };
    if matches!(e, Expr::Var(_)) || stats_of(root, e).is_some() {
        if !facts::relids(e).is_empty() {
            add(e);
        }
        return;
    }
    let mut vars = Vec::new();
    facts::vars(e, false, &mut vars);
    vars.into_iter().for_each(add);
}

/// The combinations of one relation's columns that its rows can have.
fn of_relation(root: &Root<'_, '_>, rel: Option<usize>, mut parts: Vec<Part>, rows: f64) -> f64 {
    let (mut product, mut largest, mut count) = (1.0f64, 1.0f64, 0);
    while !parts.is_empty() {
        let exprs: Vec<&Expr> = parts.iter().map(|p| &p.expr).collect();
        if let Some((distinct, covered)) = rel.and_then(|rel| extended::ndistinct(root, rel, &exprs)) {
            product *= distinct;
            largest = largest.max(distinct);
            count += 1;
            let mut covered = covered.into_iter();
            parts.retain(|_| covered.next() != Some(true));
            continue;
        }
        for part in parts.drain(..) {
            product *= part.distinct;
            largest = largest.max(part.distinct);
            count += 1;
        }
    }
    let Some(info) = rel.and_then(|i| root.rels.get(i)).and_then(Option::as_ref) else {
        return product.min(rows);
    };
    let tuples = info.base.as_ref().map_or(info.rows, |b| b.tuples);
    if tuples <= 0.0 {
        return product;
    }
    // Several columns are seldom independent of each other.
    let most = match count {
        0 | 1 => tuples,
        _ => (tuples * 0.1).max(largest).min(tuples),
    };
    product = product.min(most);
    if product > 0.0 && info.rows < tuples {
        product *= 1.0 - ((tuples - info.rows) / tuples).powf(tuples / product);
    }
    product.round().max(1.0)
}
