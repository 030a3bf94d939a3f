//! Facts about an expression that decide where it may be evaluated.

use catalog::CatalogView;
use common::{Oid, PgResult};
use nodes::expr::{BoolOp, BoolTestKind, Expr, ParamKind, Var, VarSource};
use nodes::relids::RelIds;
use nodes::walk;

/// The range table index of a column of this query level.
pub fn var_rel(v: &Var) -> Option<usize> {
    match v.source {
        VarSource::Rel { index, levels_up: 0 } => Some(index),
        _ => None,
    }
}

/// The relations of this query level that an expression uses.
pub fn relids(expr: &Expr) -> RelIds {
    let mut out = RelIds::empty();
    walk::walk(expr, &mut |e| {
        match e {
            Expr::Var(v) => var_rel(v).into_iter().for_each(|i| out.insert(i)),
            Expr::CurrentOf { relation, .. } => out.insert(*relation),
            _ => {}
        }
        true
    });
    out
}

/// The columns of this query level in an expression, not looking inside aggregates when `stop_at_aggs`.
pub fn vars<'e>(expr: &'e Expr, stop_at_aggs: bool, out: &mut Vec<&'e Expr>) {
    walk::walk(expr, &mut |e| {
        match e {
            Expr::Var(v) if var_rel(v).is_some() => out.push(e),
            Expr::Aggref(_) if stop_at_aggs => return false,
            _ => {}
        }
        true
    });
}

/// True when an aggregate of this level is inside.
pub fn contains_agg(expr: &Expr) -> bool {
    walk::any(expr, &mut |e| {
        matches!(e, Expr::Aggref(a) if a.levels_up == 0) || matches!(e, Expr::GroupingFunc(_))
    })
}

/// True when an expression without columns may yet differ from row to row: aggregates, window functions, sets, volatile functions.
pub fn makes_values(expr: &Expr, catalog: &dyn CatalogView) -> bool {
    contains_agg(expr)
        || contains_srf(expr)
        || walk::any(expr, &mut |e| matches!(e, Expr::WindowFunc(_)))
        || is_volatile(expr, catalog).unwrap_or(true)
}

/// True when a set-returning function is inside.
pub fn contains_srf(expr: &Expr) -> bool {
    walk::any(expr, &mut |e| matches!(e, Expr::Func(f) if f.returns_set))
}

/// True when a subquery is inside, planned or not.
pub fn contains_subquery(expr: &Expr) -> bool {
    walk::any(expr, &mut |e| matches!(e, Expr::SubLink(_) | Expr::SubPlan(_)))
}

/// True when an executor parameter is inside.
pub fn contains_exec_param(expr: &Expr) -> bool {
    walk::any(
        expr,
        &mut |e| matches!(e, Expr::Param(p) if p.kind == ParamKind::Exec),
    )
}

/// `pg_proc.provolatile` of the least stable function inside: `i`, `s` or `v`.
pub fn volatility(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<u8> {
    let mut worst = b'i';
    let mut failure = None;
    walk::walk(expr, &mut |e| {
        let mut note = |func: Oid| match catalog.function(func) {
            Ok(Some(f)) => worst = worst.max(f.volatility),
            Ok(None) => worst = b'v',
            Err(e) => failure = Some(e),
        };
        match e {
            Expr::Func(f) | Expr::NullIf(f) => note(f.func),
            Expr::Distinct(d) => note(d.equality.func),
            Expr::ScalarArrayOp(s) => note(s.func),
            Expr::CoerceViaIo(c) if is_plain_text(c.arg.type_oid()) && is_plain_text(c.result.oid) => {}
            Expr::SqlValueFunction(_) | Expr::CoerceViaIo(_) | Expr::Json(_) | Expr::Xml(_) => {
                worst = worst.max(b's');
            }
            Expr::NextValue { .. } => worst = b'v',
            Expr::SubLink(_) | Expr::SubPlan(_) => worst = worst.max(b's'),
            _ => {}
        }
        true
    });
    failure.map_or(Ok(worst), Err)
}

/// Types whose text form depends on no setting and no time: their input and output functions are immutable.
fn is_plain_text(type_oid: Oid) -> bool {
    use types::oids::{
        BOOL, BPCHAR, CHAR, FLOAT4, FLOAT8, INT2, INT4, INT8, NAME, NUMERIC, TEXT, UUID, VARCHAR,
    };
    [
        BOOL, CHAR, NAME, INT8, INT2, INT4, TEXT, FLOAT4, FLOAT8, BPCHAR, VARCHAR, NUMERIC, UUID,
    ]
    .contains(&type_oid)
}

/// True when evaluation may give different results each time.
pub fn is_volatile(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<bool> {
    Ok(volatility(expr, catalog)? == b'v')
}

/// The relations whose all-NULL row makes this condition not true (so an outer join that would add such rows is moot).
pub fn nonnullable_rels(expr: &Expr, top: bool, catalog: &dyn CatalogView) -> RelIds {
    let all = |args: &[Expr]| {
        args.iter().fold(RelIds::empty(), |s, a| {
            s.union(&nonnullable_rels(a, false, catalog))
        })
    };
    match expr {
        Expr::Var(v) => var_rel(v).map_or(RelIds::empty(), RelIds::single),
        Expr::Func(f) if is_strict(f.func, catalog) => all(&f.args),
        Expr::ScalarArrayOp(s) if s.use_or && is_strict(s.func, catalog) => {
            nonnullable_rels(&s.scalar, false, catalog)
        }
        Expr::Bool(b) => match b.op {
            BoolOp::And if top => b.args.iter().fold(RelIds::empty(), |s, a| {
                s.union(&nonnullable_rels(a, true, catalog))
            }),
            BoolOp::Not => all(&b.args),
            BoolOp::And | BoolOp::Or => {
                let mut args = b.args.iter().map(|a| nonnullable_rels(a, top, catalog));
                let first = args.next().unwrap_or_default();
                args.fold(first, |s, r| s.intersection(&r))
            }
        },
        Expr::Relabel(r) => nonnullable_rels(&r.arg, top, catalog),
        Expr::CoerceViaIo(c) => nonnullable_rels(&c.arg, top, catalog),
        Expr::Collate(c) => nonnullable_rels(&c.arg, top, catalog),
        Expr::NullTest(n) if top && n.is_not && !n.arg_is_row => nonnullable_rels(&n.arg, false, catalog),
        Expr::BooleanTest(b)
            if top
                && matches!(
                    b.kind,
                    BoolTestKind::IsTrue | BoolTestKind::IsFalse | BoolTestKind::IsNotUnknown
                ) =>
        {
            nonnullable_rels(&b.arg, false, catalog)
        }
        _ => RelIds::empty(),
    }
}

/// True for strict functions.
pub fn is_strict(func: Oid, catalog: &dyn CatalogView) -> bool {
    matches!(catalog.function(func), Ok(Some(f)) if f.strict)
}

/// Splits a condition at its top-level ANDs.
pub fn flatten_and(expr: Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::Bool(b) if b.op == BoolOp::And => b.args.into_iter().for_each(|a| flatten_and(a, out)),
        Expr::Const(c) if c.value == types::Datum::Bool(true) => {}
        other => out.push(other),
    }
}

/// The operator and arguments of a binary operator call.
pub fn binary_op(expr: &Expr) -> Option<(Oid, &Expr, &Expr)> {
    match expr {
        Expr::Func(f) if f.op.is_valid() && f.args.len() == 2 => Some((f.op, &f.args[0], &f.args[1])),
        _ => None,
    }
}

/// Looks through casts that keep the representation.
pub fn strip_relabel(mut expr: &Expr) -> &Expr {
    while let Expr::Relabel(r) = expr {
        expr = &r.arg;
    }
    expr
}
