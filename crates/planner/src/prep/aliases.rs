//! Columns of joins are names for columns of what is joined: replace them.

use common::Span;
use nodes::expr::{CoercionForm, Expr, ReturningKind, RowExpr, Var, VarSource};
use nodes::query::{Query, RangeTblEntry, RteColumn, RteKind};
use nodes::{RelIds, walk};

use crate::exprs::query_walk::for_each_expr_deep;

/// What stands behind a range table entry.
struct Behind {
    /// Its columns.
    columns: Vec<Expr>,
    names: Vec<Box<str>>,
    /// Only references to the whole row are replaced; the columns are the entry's own.
    whole_only: bool,
}

fn behind(index: usize, rte: &RangeTblEntry) -> Option<Behind> {
    let names = || rte.eref.columns.iter().map(|n| Box::from(&**n)).collect();
    match &rte.kind {
        RteKind::Join { alias_vars, .. } => Some(Behind {
            columns: alias_vars.clone(),
            names: names(),
            whole_only: false,
        }),
        RteKind::Group { exprs } => Some(Behind {
            columns: exprs.clone(),
            names: Vec::new(),
            whole_only: false,
        }),
        RteKind::Subquery { .. }
        | RteKind::Values { .. }
        | RteKind::Cte { .. }
        | RteKind::Function { .. } => {
            let column = |(k, c): (usize, &RteColumn)| {
                Expr::Var(Var {
                    source: VarSource::Rel {
                        index: index + 1,
                        levels_up: 0,
                    },
                    attno: k as i16 + 1,
                    type_ref: c.type_ref,
                    collation: c.collation,
                    nulling_rels: RelIds::empty(),
                    returning: ReturningKind::Default,
                    span: Span::NONE,
                })
            };
            Some(Behind {
                columns: rte.columns.iter().enumerate().map(column).collect(),
                names: names(),
                whole_only: true,
            })
        }
        _ => None,
    }
}

/// Replaces every reference to a join's (or GROUP BY entry's) column by what it stands for, and references to whole rows by
/// rows of their columns, in subqueries too.
pub fn flatten_join_aliases(query: &mut Query) {
    let entries = query.range_table.iter().enumerate();
    let aliases: Vec<Option<Behind>> = entries.map(|(k, rte)| behind(k, rte)).collect();
    if aliases.iter().all(Option::is_none) {
        return;
    }
    for_each_expr_deep(query, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| replace(e, depth, &aliases))
    });
}

fn replace(e: &mut Expr, depth: usize, aliases: &[Option<Behind>]) {
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

fn lookup(e: &Expr, depth: usize, aliases: &[Option<Behind>]) -> Option<Expr> {
    let Expr::Var(v) = e else { return None };
    let VarSource::Rel { index, levels_up } = v.source else {
        return None;
    };
    let behind = aliases.get(index.wrapping_sub(1))?.as_ref()?;
    if levels_up != depth || v.attno < 0 {
        return None;
    }
    if v.attno == 0 {
        let mut args = behind.columns.clone();
        if behind.whole_only {
            for arg in &mut args {
                if let Expr::Var(column) = arg {
                    column.nulling_rels = v.nulling_rels.clone();
                }
            }
        }
        return Some(Expr::Row(RowExpr {
            args,
            row_type: v.type_ref.oid,
            names: behind.names.clone(),
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        }));
    }
    if behind.whole_only {
        return None;
    }
    behind.columns.get(v.attno as usize - 1).cloned()
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
