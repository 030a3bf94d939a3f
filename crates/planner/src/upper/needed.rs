//! Which columns each relation must hand up, and how far.

use nodes::expr::Expr;
use nodes::query::RteKind;

use crate::exprs::facts;
use crate::rel::NeededVar;
use crate::root::Root;

/// Fills `root.needed` from everything above the joins and from the join conditions.
pub fn collect(root: &mut Root<'_, '_>) {
    let mut top: Vec<Expr> = root.query.target_list.iter().map(|t| t.expr.clone()).collect();
    top.extend(root.query.having.clone());
    top.extend(root.query.returning.iter().map(|t| t.expr.clone()));
    top.extend(root.query.with_check_options.iter().map(|w| w.qual.clone()));
    let result = root.query.result_relation;
    for e in &top {
        note(root, e, |n| n.top = true);
    }
    // Columns of the target in RETURNING come from the modified row, not through the joins.
    if result != 0 {
        let kept: Vec<Expr> = root.query.target_list.iter().map(|t| t.expr.clone()).collect();
        let mut in_targets = Vec::new();
        kept.iter().for_each(|e| facts::vars(e, false, &mut in_targets));
        let in_targets: Vec<Expr> = in_targets.into_iter().cloned().collect();
        root.needed
            .retain(|n| n.rel != result || in_targets.contains(&n.expr));
    }
    for info in root.join_clauses.clone() {
        note(root, &info.clause, |n| n.joins.push(info.required.clone()));
    }
    for lateral in root.lateral_params.clone() {
        let reach = lateral
            .relids
            .union(&nodes::RelIds::single(root.topmost(lateral.user)));
        note(root, &lateral.value, |n| n.joins.push(reach.clone()));
    }
    lateral_expressions(root);
}

/// Functions and VALUES in FROM that refer to their siblings.
fn lateral_expressions(root: &mut Root<'_, '_>) {
    for i in 1..root.rels.len() {
        if root.rels[i].is_none() {
            continue;
        }
        let exprs: Vec<Expr> = match &root.query.rte(i).kind {
            RteKind::Function { functions, .. } => functions.iter().map(|f| f.expr.clone()).collect(),
            RteKind::Relation { sample: Some(s), .. } => {
                s.args.iter().chain(&s.repeatable).cloned().collect()
            }
            RteKind::Values { rows, .. } => rows.iter().flatten().cloned().collect(),
            _ => continue,
        };
        for e in exprs {
            let reach = facts::relids(&e).union(&nodes::RelIds::single(root.topmost(i)));
            note(root, &e, |n| n.joins.push(reach.clone()));
        }
    }
}

fn note(root: &mut Root<'_, '_>, e: &Expr, mark: impl Fn(&mut NeededVar)) {
    let mut vars = Vec::new();
    facts::vars(e, false, &mut vars);
    for v in vars {
        let Expr::Var(var) = v else { continue };
        let Some(rel) = facts::var_rel(var) else { continue };
        if let Some(n) = root.needed.iter_mut().find(|n| n.expr == *v) {
            mark(n);
            continue;
        }
        let mut n = NeededVar {
            expr: v.clone(),
            rel,
            attno: var.attno,
            joins: Vec::new(),
            top: false,
            width: crate::paths::expr_width(root, v),
        };
        mark(&mut n);
        root.needed.push(n);
    }
}
