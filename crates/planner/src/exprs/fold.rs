//! Constant folding and boolean simplification (PostgreSQL's `eval_const_expressions`).

use catalog::CatalogView;
use common::cancel;
use common::error::ErrorExt;
use common::sqlstate::{FEATURE_NOT_SUPPORTED, INTERNAL_ERROR};
use common::{Oid, PgError, PgResult, Span};
use nodes::expr::{BoolExpr, BoolOp, Const, Expr, NullTest, ParamKind};
use nodes::walk;
use types::Datum;

use crate::context::PlannerContext;
use crate::exprs::facts;

/// Simplifies an expression: bound parameters become constants, immutable calls over constants are evaluated, boolean
/// connectives, CASE and COALESCE with known arms shrink. Errors: those of the evaluated calls; arms that a constant before them
/// decides against are not looked at, as in PostgreSQL.
pub fn fold_constants(expr: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    cancel::check()?;
    match expr {
        Expr::Bool(b) if b.op != BoolOp::Not => fold_connective(expr, context),
        Expr::Case(_) => fold_case(expr, context),
        Expr::Coalesce(_) => fold_coalesce(expr, context),
        _ => {
            let mut result = Ok(());
            walk::for_each_child_mut(expr, &mut |child| {
                if result.is_ok() {
                    result = fold_constants(child, context);
                }
            });
            result?;
            fold_node(expr, context)
        }
    }
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
        Expr::Bool(_) => fold_not(e),
        Expr::Collate(c) => {
            let (arg, collation) = (
                std::mem::replace(&mut *c.arg, Expr::bool_const(true)),
                c.collation,
            );
            *e = with_collation(arg, collation);
        }
        Expr::Func(f) if f.returns_set => {}
        Expr::Func(f) if matches!(f.func, BOOLEQ | BOOLNE) && is_boolean_equality(&f.args) => {
            fold_boolean_equality(e);
        }
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
        | Expr::Row(_)
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

/// What a constant argument decides alone, so that the others are never evaluated: NULLIF beside NULL is its first argument; a row
/// with a field that is NULL is not `IS NOT NULL`, one with a field that is not is not `IS NULL`.
fn decided_by_one(e: &mut Expr) -> Option<Expr> {
    match e {
        Expr::NullIf(f)
            if f.args
                .iter()
                .any(|a| matches!(a, Expr::Const(c) if c.value.is_null())) =>
        {
            Some(f.args.swap_remove(0))
        }
        Expr::NullTest(n) if n.arg_is_row => match &*n.arg {
            Expr::Row(row) => {
                let decides = |a: &Expr| matches!(a, Expr::Const(c) if c.value.is_null() == n.is_not);
                if row.args.iter().any(decides) {
                    return Some(Expr::bool_const(false));
                }
                // One field after the other: what the first decides, the others need not be looked at for.
                let test = |arg: &Expr| {
                    Expr::NullTest(NullTest {
                        arg: Box::new(arg.clone()),
                        is_not: n.is_not,
                        arg_is_row: false,
                        span: n.span,
                    })
                };
                (row.args.len() > 1).then(|| {
                    Expr::Bool(BoolExpr {
                        op: BoolOp::And,
                        args: row.args.iter().map(test).collect(),
                        span: n.span,
                    })
                })
            }
            _ => None,
        },
        _ => None,
    }
}

fn fold_call(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    if let Some(decided) = decided_by_one(e) {
        *e = decided;
        return Ok(());
    }
    let mut all_const = true;
    let mut any_null = false;
    walk::for_each_child(e, &mut |child| match child {
        Expr::Const(c) => any_null |= c.value.is_null(),
        Expr::CaseTest(_) => all_const = false,
        _ => all_const = false,
    });
    if let Expr::ArrayCoerce(a) = e {
        // Its element expression speaks of an element.
        all_const = matches!(*a.arg, Expr::Const(_));
    }
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
    match context.evaluator.evaluate(e) {
        Ok(value) => {
            *e = Expr::Const(Const {
                value,
                type_ref: e.type_ref(),
                collation: e.collation(),
                span: Span::NONE,
            });
            Ok(())
        }
        // What cannot be evaluated here may be at run time.
        Err(e) if matches!(e.sqlstate, FEATURE_NOT_SUPPORTED | INTERNAL_ERROR) => Ok(()),
        Err(error) => Err(from_sql_function(e, error, context)),
    }
}

/// Some built-in functions are in language SQL in PostgreSQL, which says so where one of them fails at planning.
#[cold]
fn from_sql_function(e: &Expr, error: Box<PgError>, context: &PlannerContext<'_>) -> Box<PgError> {
    let Expr::Func(f) = e else { return error };
    match context.catalog.function(f.func) {
        Ok(Some(desc)) if desc.is_sql() && desc.oid < Oid::FIRST_NORMAL => {
            error.context(format!("SQL function \"{}\" statement 1", desc.name))
        }
        _ => error,
    }
}

fn is_volatile_call(e: &Expr, catalog: &dyn CatalogView) -> bool {
    !matches!(facts::is_volatile(e, catalog), Ok(false))
}

/// `boolean = boolean`, and its function.
pub const BOOLEAN_EQUAL: Oid = Oid(91);
/// See [`BOOLEAN_EQUAL`].
pub const BOOLEQ: Oid = Oid(60);
const BOOLNE: Oid = Oid(84);

fn known_bool(e: &Expr) -> Option<bool> {
    match e {
        Expr::Const(c) => c.value.as_bool(),
        _ => None,
    }
}

/// One side is true or false, the other is not known.
fn is_boolean_equality(args: &[Expr]) -> bool {
    let known = |e: &Expr| known_bool(e).is_some();
    let open = |e: &Expr| !matches!(e, Expr::Const(_));
    matches!(args, [a, b] if known(a) && open(b) || open(a) && known(b))
}

/// `x = true` is `x`, `x = false` is `NOT x`.
///
/// PG: `simplify_boolean_equality`.
fn fold_boolean_equality(e: &mut Expr) {
    let Expr::Func(f) = e else { return };
    let side = f
        .args
        .iter()
        .enumerate()
        .find_map(|(i, a)| Some((i, known_bool(a)?)));
    let Some((at, value)) = side.map(|(known, value)| (1 - known, value)) else {
        return;
    };
    let positive = value == (f.func == BOOLEQ);
    let arg = f.args.swap_remove(at);
    *e = match positive {
        true => arg,
        false => Expr::Bool(nodes::expr::BoolExpr {
            op: BoolOp::Not,
            args: vec![arg],
            span: Span::NONE,
        }),
    };
    fold_not(e);
}

fn fold_not(e: &mut Expr) {
    let Expr::Bool(b) = e else { return };
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
}

/// AND and OR: what comes after a constant that decides is dropped unseen.
fn fold_connective(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    let Expr::Bool(b) = e else { return Ok(()) };
    let op = b.op;
    let absorbing = Datum::Bool(op == BoolOp::Or);
    let neutral = Datum::Bool(op == BoolOp::And);
    let mut args = Vec::with_capacity(b.args.len());
    let mut saw_null = false;
    for mut arg in std::mem::take(&mut b.args) {
        fold_constants(&mut arg, context)?;
        match arg {
            Expr::Const(c) if c.value == absorbing => {
                *e = Expr::Const(c);
                return Ok(());
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
    Ok(())
}

/// CASE: arms that are never reached are dropped unseen.
fn fold_case(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    let Expr::Case(c) = e else { return Ok(()) };
    if let Some(arg) = &mut c.arg {
        fold_constants(arg, context)?;
    }
    if let Some(Expr::Const(_)) = c.arg.as_deref()
        && let Some(value) = c.arg.take()
    {
        c.whens
            .iter_mut()
            .for_each(|w| put_case_value(&mut w.condition, &value));
    }
    let mut whens = Vec::with_capacity(c.whens.len());
    let mut decided = false;
    for mut w in std::mem::take(&mut c.whens) {
        fold_constants(&mut w.condition, context)?;
        match &w.condition {
            Expr::Const(k) if k.value == Datum::Bool(true) => {
                *c.default = w.result;
                decided = true;
            }
            Expr::Const(_) => continue,
            _ => {
                fold_constants(&mut w.result, context)?;
                whens.push(w);
            }
        }
        if decided {
            break;
        }
    }
    fold_constants(&mut c.default, context)?;
    c.whens = whens;
    if c.whens.is_empty() {
        *e = std::mem::replace(&mut *c.default, Expr::bool_const(true));
    }
    Ok(())
}

/// `CASE 1 WHEN ...`: the constant in the conditions, so that they fold one after the other.
fn put_case_value(condition: &mut Expr, value: &Expr) {
    match condition {
        Expr::CaseTest(_) => *condition = value.clone(),
        // What stands in these is their own.
        Expr::Case(inner) if inner.arg.is_some() => {
            if let Some(arg) = &mut inner.arg {
                put_case_value(arg, value);
            }
        }
        Expr::ArrayCoerce(inner) => put_case_value(&mut inner.arg, value),
        other => walk::for_each_child_mut(other, &mut |child| put_case_value(child, value)),
    }
}

/// COALESCE: what comes after a constant is dropped unseen.
fn fold_coalesce(e: &mut Expr, context: &PlannerContext<'_>) -> PgResult<()> {
    let Expr::Coalesce(c) = e else { return Ok(()) };
    let mut args = Vec::with_capacity(c.args.len());
    for mut arg in std::mem::take(&mut c.args) {
        fold_constants(&mut arg, context)?;
        match &arg {
            Expr::Const(k) if k.value.is_null() => continue,
            Expr::Const(_) => {
                args.push(arg);
                break;
            }
            _ => args.push(arg),
        }
    }
    match args.len() {
        0 => *e = Expr::null_const(c.result, c.collation),
        1 => *e = args.remove(0),
        _ => c.args = args,
    }
    Ok(())
}
