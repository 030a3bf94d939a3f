//! Comparisons with several values as one `x = ANY (array)`.
//!
//! PG: `convert_VALUES_to_ANY` (subselect.c), `make_SAOP_expr` (clauses.c).

use common::{Oid, PgResult, Span};
use nodes::expr::{ArrayExpr, Expr, FuncExpr, ParamKind, ScalarArrayOpExpr, SubLink};
use nodes::query::{CommandType, Query, RteKind};
use nodes::walk;

use crate::context::PlannerContext;
use crate::exprs::{facts, fold};
use crate::prep::PLACEHOLDER_BASE;

/// `scalar op ANY (elements)`, `op` and the collation being those of `like`; `None` where the elements' type has no arrays.
pub fn any_of(
    context: &PlannerContext<'_>,
    like: &FuncExpr,
    scalar: Expr,
    elements: Vec<Expr>,
) -> PgResult<Option<Expr>> {
    let Some(first) = elements.first() else {
        return Ok(None);
    };
    let (element_type, collation) = (first.type_oid(), first.collation());
    let array_type = context.catalog.type_desc(element_type)?.map(|t| t.array);
    let Some(array_type) = array_type.filter(|t| t.is_valid()) else {
        return Ok(None);
    };
    let mut array = Expr::Array(ArrayExpr {
        elements,
        array_type,
        element_type,
        multidims: false,
        collation,
        span: Span::NONE,
    });
    fold::fold_constants(&mut array, context)?;
    Ok(Some(Expr::ScalarArrayOp(ScalarArrayOpExpr {
        op: like.op,
        func: like.func,
        use_or: true,
        scalar: Box::new(scalar),
        array: Box::new(array),
        input_collation: like.input_collation,
        span: Span::NONE,
    })))
}

/// `x IN (VALUES (1), (2))` as `x = ANY ('{1,2}')`, where all values are constants.
pub fn of_values(link: &SubLink, context: &PlannerContext<'_>) -> PgResult<Option<Expr>> {
    let Some(Expr::Func(test)) = &link.test else {
        return Ok(None);
    };
    let ([left, right], Some(values)) = (&test.args[..], column_of_values(&link.query)) else {
        return Ok(None);
    };
    if !test.op.is_valid() || values.len() < 2 || walk::any(left, &mut is_placeholder) {
        return Ok(None);
    }
    let mut elements = Vec::with_capacity(values.len());
    for value in values {
        let mut element = right.clone();
        walk::rewrite(&mut element, &mut |e| {
            if is_placeholder(e) {
                *e = value.clone();
            }
        });
        if facts::contains_subquery(&element) || facts::is_volatile(&element, context.catalog)? {
            return Ok(None);
        }
        fold::fold_constants(&mut element, context)?;
        if !matches!(element, Expr::Const(_)) {
            return Ok(None);
        }
        elements.push(element);
    }
    any_of(context, test, left.clone(), elements)
}

fn is_placeholder(e: &Expr) -> bool {
    matches!(e, Expr::Param(p) if p.kind == ParamKind::Exec && p.number >= PLACEHOLDER_BASE)
}

/// The values of the only column of a query that is nothing but VALUES.
fn column_of_values(query: &Query) -> Option<Vec<&Expr>> {
    let plain = query.command == CommandType::Select
        && query.set_operations.is_none()
        && query.join_tree.quals.is_none()
        && query.sort_clause.is_empty()
        && query.group_clause.is_empty()
        && query.distinct_clause.is_empty()
        && query.limit_count.is_none()
        && query.limit_offset.is_none()
        && !query.has_aggs
        && query.having.is_none();
    let ([entry], [column]) = (&query.range_table[..], &query.target_list[..]) else {
        return None;
    };
    let (RteKind::Values { rows, .. }, Expr::Var(v)) = (&entry.kind, &column.expr) else {
        return None;
    };
    let at = usize::try_from(v.attno).ok()?.checked_sub(1)?;
    if !plain || facts::var_rel(v) != Some(1) {
        return None;
    }
    rows.iter().map(|row| row.get(at)).collect()
}

/// The values that an OR of equalities compares an index key with, all by one operator, and that as one condition.
///
/// `compared`: what the key is compared with, by which operator when the key stands on the left, or nothing.
///
/// PG: `match_orclause_to_indexcol`.
pub fn of_alternatives<'e>(
    context: &PlannerContext<'_>,
    arms: &'e [Expr],
    mut compared: impl FnMut(&'e Expr) -> PgResult<Option<(Oid, &'e Expr)>>,
) -> PgResult<Option<Expr>> {
    let mut elements: Vec<Expr> = Vec::with_capacity(arms.len());
    let mut first: Option<(FuncExpr, &Expr)> = None;
    for arm in arms {
        let (Expr::Func(f), Some((op, value))) = (arm, compared(arm)?) else {
            return Ok(None);
        };
        let fits = |known: &FuncExpr, type_oid| {
            known.op == op && known.input_collation == f.input_collation && type_oid == value.type_oid()
        };
        match (&first, elements.first()) {
            (Some((known, _)), Some(e)) if !fits(known, e.type_oid()) => return Ok(None),
            (Some(_), _) => {}
            (None, _) => {
                let key = f.args.iter().find(|a| !std::ptr::eq(*a, value));
                let (Some(operator), Some(key)) = (context.catalog.operator(op)?, key) else {
                    return Ok(None);
                };
                let func = operator.function;
                first = Some((
                    FuncExpr {
                        op,
                        func,
                        ..f.clone()
                    },
                    key,
                ));
            }
        }
        if value.type_oid() == types::oids::RECORD || facts::is_volatile(value, context.catalog)? {
            return Ok(None);
        }
        elements.push(value.clone());
    }
    match first {
        Some((like, key)) if elements.len() > 1 => any_of(context, &like, key.clone(), elements),
        _ => Ok(None),
    }
}
