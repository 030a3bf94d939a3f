//! Constant folding and boolean simplification (PostgreSQL's `eval_const_expressions`).

use catalog::CatalogView;
use common::{PgResult, Span};
use nodes::expr::{BoolOp, Const, Expr, ParamKind};
use nodes::walk;
use types::Datum;

use crate::context::PlannerContext;
use crate::exprs::facts;

/// Simplifies an expression: bound parameters become constants, immutable calls over constants are evaluated, boolean
/// connectives, CASE and COALESCE with known arms shrink. What fails to evaluate stays for run time.
pub fn fold_constants(expr: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    // CASE and COALESCE decide which arms run at all, so an error in a dead arm must not be raised; evaluation
    // errors therefore just leave the call in place.
    let mut failure = None;
    walk::rewrite(expr, &mut |e| {
        if failure.is_none() {
            if let Err(error) = fold_node(e, context) {
                failure = Some(error);
            }
        }
    });
    failure.map_or(Ok(()), Err)
}

fn fold_node(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    match e {
        Expr::Param(p) if p.kind == ParamKind::External => {
            let value = context
                .bound_params
                .and_then(|values| values.get(p.number.wrapping_sub(1)));
            if let Some(value) = value {
                let (type_ref, collation) = (p.type_ref, p.collation);
                *e = Expr::Const(Const {
                    value: value.clone(),
                    type_ref,
                    collation,
                    span: Span::NONE,
                });
            }
        }
        Expr::Bool(_) => fold_bool(e),
        Expr::Case(_) => fold_case(e),
        Expr::Coalesce(c) => {
            c.args
                .retain(|a| !matches!(a, Expr::Const(c) if c.value.is_null()));
            if let Some(i) = c.args.iter().position(|a| matches!(a, Expr::Const(_))) {
                c.args.truncate(i + 1);
            }
            match c.args.len() {
                0 => *e = Expr::null_const(c.result, c.collation),
                1 => *e = c.args.remove(0),
                _ => {}
            }
        }
        Expr::Collate(c) => {
            let (arg, collation) = (
                std::mem::replace(&mut *c.arg, Expr::bool_const(true)),
                c.collation,
            );
            *e = with_collation(arg, collation);
        }
        Expr::Func(f) if f.returns_set => {}
        Expr::Func(_)
        | Expr::NullIf(_)
        | Expr::Distinct(_)
        | Expr::ScalarArrayOp(_)
        | Expr::Relabel(_)
        | Expr::CoerceViaIo(_)
        | Expr::NullTest(_)
        | Expr::BooleanTest(_)
        | Expr::MinMax(_)
        | Expr::Array(_)
        | Expr::RowCompare(_)
        | Expr::ArrayCoerce(_)
        | Expr::Subscripting(_) => fold_call(e, context)?,
        _ => {}
    }
    Ok(())
}

/// COLLATE only matters to analysis; at run time the value just carries another collation.
fn with_collation(arg: Expr, collation: common::Oid) -> Expr {
    match arg {
        Expr::Const(c) => Expr::Const(Const { collation, ..c }),
        other => {
            let result = other.type_ref();
            Expr::Relabel(nodes::expr::RelabelExpr {
                arg: Box::new(other),
                result,
                collation,
                form: nodes::expr::CoercionForm::ImplicitCast,
                span: Span::NONE,
            })
        }
    }
}

fn fold_call(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    let mut all_const = true;
    let mut any_null = false;
    walk::for_each_child(e, &mut |child| match child {
        Expr::Const(c) => any_null |= c.value.is_null(),
        Expr::CaseTest(_) => all_const = false,
        _ => all_const = false,
    });
    let strict_null = any_null
        && match e {
            Expr::Func(f) => facts::is_strict(f.func, context.catalog),
            _ => false,
        };
    if strict_null && !is_volatile_call(e, context.catalog) {
        *e = Expr::null_const(e.type_ref(), e.collation());
        return Ok(());
    }
    if !all_const || facts::volatility(e, context.catalog)? != b'i' {
        return Ok(());
    }
    if let Ok(value) = context.evaluator.evaluate(e) {
        *e = Expr::Const(Const {
            value,
            type_ref: e.type_ref(),
            collation: e.collation(),
            span: Span::NONE,
        });
    }
    Ok(())
}

fn is_volatile_call(e: &Expr, catalog: &dyn CatalogView) -> bool {
    !matches!(facts::is_volatile(e, catalog), Ok(false))
}

fn fold_bool(e: &mut Expr) {
    let Expr::Bool(b) = e else { return };
    let op = b.op;
    if op == BoolOp::Not {
        let replacement = match b.args.first_mut() {
            Some(Expr::Const(c)) => match c.value {
                Datum::Bool(v) => Some(Expr::bool_const(!v)),
                _ => Some(Expr::null_const(c.type_ref, c.collation)),
            },
            Some(Expr::Bool(inner)) if inner.op == BoolOp::Not => inner.args.pop(),
            _ => None,
        };
        if let Some(r) = replacement {
            *e = r;
        }
        return;
    }
    let absorbing = Datum::Bool(op == BoolOp::Or);
    let neutral = Datum::Bool(op == BoolOp::And);
    let mut args = Vec::with_capacity(b.args.len());
    let mut saw_null = false;
    for arg in std::mem::take(&mut b.args) {
        match arg {
            Expr::Const(c) if c.value == absorbing => {
                *e = Expr::Const(c);
                return;
            }
            Expr::Const(c) if c.value == neutral => {}
            Expr::Const(c) if c.value.is_null() && saw_null => drop(c),
            Expr::Bool(inner) if inner.op == op => args.extend(inner.args),
            other => {
                saw_null |= matches!(&other, Expr::Const(c) if c.value.is_null());
                args.push(other);
            }
        }
    }
    match args.len() {
        0 => *e = Expr::bool_const(op == BoolOp::And),
        1 => *e = args.remove(0),
        _ => b.args = args,
    }
}

fn fold_case(e: &mut Expr) {
    let Expr::Case(c) = e else { return };
    let mut whens = Vec::with_capacity(c.whens.len());
    for w in std::mem::take(&mut c.whens) {
        match &w.condition {
            Expr::Const(k) if k.value == Datum::Bool(true) => {
                *c.default = w.result;
                break;
            }
            Expr::Const(_) => {}
            _ => whens.push(w),
        }
    }
    c.whens = whens;
    if c.whens.is_empty() {
        *e = std::mem::replace(&mut *c.default, Expr::bool_const(true));
    }
}
