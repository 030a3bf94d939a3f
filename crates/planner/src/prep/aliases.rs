//! Columns of joins are names for columns of what is joined: replace them.

use common::Span;
use nodes::expr::{CoercionForm, Expr, RowExpr, VarSource};
use nodes::query::{Query, RteKind};
use nodes::walk;

use crate::exprs::query_walk::for_each_expr_deep;

/// Replaces every reference to a join's (or GROUP BY entry's) column by what it stands for, in subqueries too.
pub fn flatten_join_aliases(query: &mut Query) {
    let aliases: Vec<Option<Vec<Expr>>> = query
        .range_table
        .iter()
        .map(|rte| match &rte.kind {
            RteKind::Join { alias_vars, .. } => Some(alias_vars.clone()),
            RteKind::Group { exprs } => Some(exprs.clone()),
            _ => None,
        })
        .collect();
    if aliases.iter().all(Option::is_none) {
        return;
    }
    for_each_expr_deep(query, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| replace(e, depth, &aliases))
    });
}

fn replace(e: &mut Expr, depth: usize, aliases: &[Option<Vec<Expr>>]) {
    // An alias may name a column of another join below, so repeat until nothing changes.
    while let Some(mut expansion) = lookup(e, depth, aliases) {
        raise_levels(&mut expansion, depth);
        let nested = !matches!(expansion, Expr::Var(_));
        *e = expansion;
        if nested {
            nodes::walk::for_each_child_mut(e, &mut |child| {
                walk::rewrite(child, &mut |c| replace(c, depth, aliases));
            });
            return;
        }
    }
}

fn lookup(e: &Expr, depth: usize, aliases: &[Option<Vec<Expr>>]) -> Option<Expr> {
    let Expr::Var(v) = e else { return None };
    let VarSource::Rel { index, levels_up } = v.source else {
        return None;
    };
    let columns = aliases.get(index.wrapping_sub(1))?.as_ref()?;
    if levels_up != depth || v.attno < 0 {
        return None;
    }
    if v.attno == 0 {
        return Some(Expr::Row(RowExpr {
            args: columns.clone(),
            row_type: v.type_ref.oid,
            names: Vec::new(),
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        }));
    }
    columns.get(v.attno as usize - 1).cloned()
}

/// Makes the columns of the current level refer to the query `levels` further out.
pub fn raise_levels(expr: &mut Expr, levels: usize) {
    if levels == 0 {
        return;
    }
    walk::rewrite(expr, &mut |e| {
        if let Expr::Var(v) = e {
            if let VarSource::Rel { levels_up, .. } = &mut v.source {
                *levels_up += levels;
            }
        }
    });
}
