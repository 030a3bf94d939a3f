//! Expressions of a query level in terms of the columns of a node's inputs, by position.

use common::{PgResult, internal};
use nodes::expr::{Expr, VarSource};
use nodes::walk;

use crate::exprs::facts;
use crate::upper::{input_var, outer_var};

/// Replaces what the input holds by references to its columns.
pub fn fix(e: &Expr, input: &[Expr]) -> PgResult<Expr> {
    let mut e = e.clone();
    fix_in_place(&mut e, &mut |e| match input.iter().position(|x| x == e) {
        Some(i) => {
            *e = outer_var(i, e);
            true
        }
        None => false,
    })?;
    Ok(e)
}

/// Columns of the written relation are `Scan`, all others come from the input.
///
/// What the input computes over the relation it computes over the old row, so its expressions are no use here.
pub fn fix_written(e: &Expr, input: &[Expr], result: usize) -> PgResult<Expr> {
    let mut e = e.clone();
    fix_in_place(&mut e, &mut |e| {
        let Expr::Var(v) = &mut *e else { return false };
        if facts::var_rel(v) == Some(result) {
            v.source = VarSource::Scan;
            return true;
        }
        let found = input.iter().position(|x| x == e);
        if let Some(i) = found {
            *e = outer_var(i, e);
        }
        found.is_some()
    })?;
    Ok(e)
}

/// The same over the two inputs of a join.
pub fn fix_join(e: &Expr, outer: &[Expr], inner: &[Expr]) -> PgResult<Expr> {
    let mut e = e.clone();
    fix_in_place(&mut e, &mut |e| {
        let found = outer
            .iter()
            .position(|x| x == e)
            .map(|i| (VarSource::Outer, i))
            .or_else(|| inner.iter().position(|x| x == e).map(|i| (VarSource::Inner, i)));
        match found {
            Some((source, i)) if !matches!(e, Expr::Const(_)) => {
                *e = input_var(source, i, e);
                true
            }
            _ => false,
        }
    })?;
    Ok(e)
}

/// Whether all columns of an expression are handed out by its input, or parts of it are.
pub fn is_computed_from(e: &Expr, input: &[Expr]) -> bool {
    fix_in_place(&mut e.clone(), &mut |e| input.contains(e)).is_ok()
}

fn fix_in_place(e: &mut Expr, replace: &mut dyn FnMut(&mut Expr) -> bool) -> PgResult<()> {
    if replace(e) {
        return Ok(());
    }
    if let Expr::Var(v) = e {
        if facts::var_rel(v).is_some() {
            return Err(internal!("column {v:?} is not computed by the plan below"));
        }
    }
    let mut result = Ok(());
    walk::for_each_child_mut(e, &mut |child| {
        if result.is_ok() {
            result = fix_in_place(child, replace);
        }
    });
    result
}

/// Puts a node's old output expressions in place of references to its output columns.
pub fn substitute_outer(mut e: Expr, list: &[Expr]) -> Expr {
    if let Expr::Var(v) = &e {
        if v.source == VarSource::Outer {
            if let Some(x) = list.get(v.attno as usize - 1) {
                return x.clone();
            }
        }
    }
    walk::for_each_child_mut(&mut e, &mut |child| {
        let taken = std::mem::replace(child, Expr::bool_const(true));
        *child = substitute_outer(taken, list);
    });
    e
}
