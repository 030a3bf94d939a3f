//! Columns of joins are names for columns of what is joined: replace them.

use std::collections::HashMap;

use common::{Oid, Span, TABLEOID};
use nodes::expr::{CaseExpr, CaseWhen, CoercionForm, Expr, NullTest, ReturningKind, RowExpr, Var, VarSource};
use nodes::query::{JoinTreeNode, JoinType, Query, RangeTblEntry, RteColumn, RteKind};
use nodes::{RelIds, walk};
use types::oids;
use types::settings::TypeRef;

use crate::exprs::query_walk::for_each_expr_deep;

/// What stands behind a range table entry.
struct Behind {
    /// Its columns.
    columns: Vec<Expr>,
    names: Vec<Box<str>>,
    /// Only references to the whole row are replaced; the columns are the entry's own.
    whole_only: bool,
    /// Columns one of which is not NULL in every row of a join that an outer join further up may turn to NULL; empty for others.
    present: Vec<Expr>,
}

fn behind(index: usize, rte: &RangeTblEntry, nullable: Option<&Nullable>) -> Option<Behind> {
    let names = || rte.eref.columns.iter().map(|n| Box::from(&**n)).collect();
    match &rte.kind {
        RteKind::Join { alias_vars, .. } => Some(Behind {
            columns: alias_vars.clone(),
            names: names(),
            whole_only: false,
            present: nullable.map_or_else(Vec::new, |n| n.present.clone()),
        }),
        RteKind::Group { exprs } => Some(Behind {
            columns: exprs.clone(),
            names: Vec::new(),
            whole_only: false,
            present: Vec::new(),
        }),
        // The scan makes the row, and outer joins turn it to NULL as they do columns.
        _ if nullable.is_some() => None,
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
                present: Vec::new(),
            })
        }
        _ => None,
    }
}

/// Replaces every reference to a join's (or GROUP BY entry's) column by what it stands for, and references to whole rows by
/// rows of their columns, in subqueries too.
pub fn flatten_join_aliases(query: &mut Query) {
    let nullable = nullable_entries(query);
    let entries = query.range_table.iter().enumerate();
    let aliases = entries.map(|(k, rte)| behind(k, rte, nullable.get(&(k + 1))));
    let aliases: Vec<Option<Behind>> = aliases.collect();
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
        let row = Expr::Row(RowExpr {
            args,
            row_type: v.type_ref.oid,
            names: behind.names.clone(),
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        });
        return Some(null_unless_present(row, &behind.present));
    }
    if behind.whole_only {
        return None;
    }
    behind.columns.get(v.attno as usize - 1).cloned()
}

/// The row, or NULL where an outer join has turned all it stands on to NULL.
fn null_unless_present(row: Expr, present: &[Expr]) -> Expr {
    if present.is_empty() {
        return row;
    }
    let (result, collation) = (row.type_ref(), row.collation());
    let when = |column: &Expr| CaseWhen {
        condition: Expr::NullTest(NullTest {
            arg: Box::new(column.clone()),
            is_not: true,
            arg_is_row: false,
            span: Span::NONE,
        }),
        result: row.clone(),
        span: Span::NONE,
    };
    Expr::Case(CaseExpr {
        arg: None,
        whens: present.iter().map(when).collect(),
        default: Box::new(Expr::null_const(result, collation)),
        result,
        collation,
        span: Span::NONE,
    })
}

/// An entry of the range table that an outer join may turn to NULL.
pub struct Nullable {
    /// For joins: see [`Behind::present`].
    present: Vec<Expr>,
}

/// The entries whose rows may be missing from rows of the query's join tree.
pub fn nullable_entries(query: &Query) -> HashMap<usize, Nullable> {
    let mut found = HashMap::new();
    for item in &query.join_tree.items {
        note_nullable(query, item, false, &mut found);
    }
    found
}

fn note_nullable(query: &Query, node: &JoinTreeNode, nullable: bool, found: &mut HashMap<usize, Nullable>) {
    let mut note = |index: usize, present: Vec<Expr>| {
        if nullable {
            found.insert(index, Nullable { present });
        }
    };
    match node {
        JoinTreeNode::Rel(index) => note(*index, Vec::new()),
        JoinTreeNode::From(from) => {
            for item in &from.items {
                note_nullable(query, item, nullable, found);
            }
        }
        JoinTreeNode::Join(join) => {
            if join.rt_index != 0 {
                let mut rels = Vec::new();
                always_present(node, &mut rels);
                note(join.rt_index, rels.iter().map(|i| presence(query, *i)).collect());
            }
            let left = nullable || matches!(join.join_type, JoinType::Right | JoinType::Full);
            let not_right = matches!(join.join_type, JoinType::Inner | JoinType::Right | JoinType::Semi);
            note_nullable(query, &join.left, left, found);
            note_nullable(query, &join.right, nullable || !not_right, found);
        }
    }
}

/// Relations one of which is there in every row of the join.
fn always_present(node: &JoinTreeNode, rels: &mut Vec<usize>) {
    match node {
        JoinTreeNode::Rel(index) => rels.push(*index),
        JoinTreeNode::From(from) => from
            .items
            .iter()
            .take(1)
            .for_each(|item| always_present(item, rels)),
        JoinTreeNode::Join(join) => {
            if join.join_type != JoinType::Right {
                always_present(&join.left, rels);
            }
            if matches!(join.join_type, JoinType::Right | JoinType::Full) {
                always_present(&join.right, rels);
            }
        }
    }
}

/// A column of an entry that is NULL only where an outer join made it so.
fn presence(query: &Query, index: usize) -> Expr {
    let is_table = matches!(query.rte(index).kind, RteKind::Relation { .. });
    let (attno, type_oid) = if is_table {
        (TABLEOID, oids::OID)
    } else {
        (0, oids::RECORD)
    };
    Expr::Var(Var {
        source: VarSource::Rel { index, levels_up: 0 },
        attno,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid::INVALID,
        nulling_rels: RelIds::empty(),
        returning: ReturningKind::Default,
        span: Span::NONE,
    })
}

/// A column of what a scan reads. The whole row of what is no table is made of its columns: tables alone hand out rows as one value.
pub fn at_scan(v: &Var, rte: &RangeTblEntry) -> Expr {
    if v.attno != 0 || matches!(rte.kind, RteKind::Relation { .. }) {
        return Expr::Var(Var {
            source: VarSource::Scan,
            ..v.clone()
        });
    }
    let column = |(k, c): (usize, &RteColumn)| {
        Expr::Var(Var {
            source: VarSource::Scan,
            attno: (k + 1) as i16,
            type_ref: c.type_ref,
            collation: c.collation,
            ..v.clone()
        })
    };
    Expr::Row(RowExpr {
        args: rte.columns.iter().enumerate().map(column).collect(),
        row_type: v.type_ref.oid,
        names: rte.eref.columns.iter().map(|n| Box::from(&**n)).collect(),
        form: CoercionForm::ImplicitCast,
        span: Span::NONE,
    })
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
