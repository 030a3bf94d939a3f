//! Calls that ask how a table's value is stored, as columns of the table's scan ([`StoredFact`]).
//!
//! Calls on anything else stay what they are: functions of a value that is whole.

use common::PgResult;
use nodes::expr::{Expr, TypedArgs, Var, VarSource};
use nodes::query::{CommandType, Query, RteKind};
use nodes::stored::StoredFact;
use nodes::walk;

use crate::exprs::query_walk;
use crate::root::Root;

/// Replaces the calls of one query level. Subqueries of it are pulled up already.
pub fn replace_calls(root: &mut Root<'_, '_>) -> PgResult<()> {
    let mut asked = Vec::new();
    query_walk::for_each_expr_mut(&mut root.query, &mut |e| {
        walk::walk(e, &mut |e| {
            asked.extend(call(e).map(|(_, var)| (var.source, var.attno)));
            true
        });
    });
    if asked.is_empty() {
        return Ok(());
    }
    let mut stored = Vec::with_capacity(asked.len());
    for (source, attno) in asked {
        if is_stored(root, source, attno)? {
            stored.push((source, attno));
        }
    }
    let query = &mut root.query;
    let mut replace = |e: &mut Expr| {
        let found = call(e).filter(|(_, var)| stored.contains(&(var.source, var.attno)));
        if let Some(column) = found.map(|(fact, var)| column(fact, var, e)) {
            *e = column;
        }
    };
    query_walk::for_each_condition_mut(query, &mut |e| walk::rewrite(e, &mut replace));
    // RETURNING and the like see what the statement writes, which is not stored yet.
    if matches!(query.command, CommandType::Select | CommandType::Update) {
        replace_in_outputs(query, &mut replace);
    }
    Ok(())
}

/// The fact that a call asks for, and of which column.
fn call(e: &Expr) -> Option<(StoredFact, &Var)> {
    let Expr::Func(f) = e else { return None };
    let fact = StoredFact::of_function(f.func)?;
    let var = match f.args.as_slice() {
        [Expr::Var(var)] => var,
        [Expr::Relabel(r)] => match &*r.arg {
            Expr::Var(var) => var,
            _ => return None,
        },
        _ => return None,
    };
    let own = matches!(var.source, VarSource::Rel { levels_up: 0, .. });
    (own && var.attno > 0).then_some((fact, var))
}

/// True for columns of tables whose values may be stored otherwise than they are.
fn is_stored(root: &Root<'_, '_>, source: VarSource, attno: i16) -> PgResult<bool> {
    let VarSource::Rel { index, .. } = source else {
        return Ok(false);
    };
    let RteKind::Relation { relation, .. } = root.query.rte(index).kind else {
        return Ok(false);
    };
    let desc = root.context().catalog.relation(relation)?;
    Ok(desc.is_some_and(|desc| {
        let toasted = desc.column(attno).is_some_and(|c| c.storage != b'p');
        toasted && matches!(desc.relkind, b'r' | b'p' | b'm')
    }))
}

/// The call as a column of the scan.
fn column(fact: StoredFact, var: &Var, call: &Expr) -> Expr {
    let (result, collation) = (call.type_ref(), call.collation());
    let stored = Expr::Var(Var {
        attno: fact.attno(var.attno),
        type_ref: result,
        collation,
        ..var.clone()
    });
    match fact {
        StoredFact::Compression | StoredFact::ChunkId => stored,
        StoredFact::Size => Expr::Coalesce(TypedArgs {
            args: vec![stored, call.clone()],
            result,
            collation,
            span: var.span,
        }),
    }
}

/// The target list and HAVING. Above groups there are grouping expressions, arguments of aggregates, and what depends on the keys.
fn replace_in_outputs(query: &mut Query, replace: &mut dyn FnMut(&mut Expr)) {
    let grouped = query.has_aggs || !query.group_clause.is_empty() || !query.grouping_sets.is_empty();
    let is_key = |r: u32| r != 0 && query.group_clause.iter().any(|c| c.target_ref == r);
    let keys: Vec<Expr> = query
        .target_list
        .iter()
        .filter(|t| is_key(t.sort_group_ref))
        .map(|t| t.expr.clone())
        .collect();
    let outputs = query.target_list.iter_mut().map(|t| &mut t.expr);
    for e in outputs.chain(&mut query.having) {
        match grouped {
            true => above_groups(e, &keys, replace),
            false => walk::rewrite(e, replace),
        }
    }
}

fn above_groups(e: &mut Expr, keys: &[Expr], replace: &mut dyn FnMut(&mut Expr)) {
    let below = match e {
        Expr::Aggref(a) => a.direct_args.is_empty(),
        _ => keys.contains(e) || call(e).is_some_and(|(_, var)| is_no_key(var, keys)),
    };
    match below {
        true => walk::rewrite(e, replace),
        false => walk::for_each_child_mut(e, &mut |child| above_groups(child, keys, replace)),
    }
}

/// True unless a grouping expression uses the column: only that one comes through then.
fn is_no_key(var: &Var, keys: &[Expr]) -> bool {
    let mut uses = false;
    for key in keys {
        walk::walk(key, &mut |e| {
            uses |= matches!(e, Expr::Var(v) if v.source == var.source && v.attno == var.attno);
            true
        });
    }
    !uses
}
