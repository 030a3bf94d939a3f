//! Visiting and rewriting the sub-expressions of an expression, in one place for every pass.

use crate::expr::Expr;

/// Calls `f` on every direct sub-expression.
pub fn for_each_child<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Const(_)
        | Expr::Var(_)
        | Expr::Param(_)
        | Expr::CaseTest(_)
        | Expr::SqlValueFunction(_)
        | Expr::CoerceToDomainValue(_)
        | Expr::SetToDefault(_)
        | Expr::CurrentOf { .. }
        | Expr::NextValue { .. } => {}
        Expr::Func(e) | Expr::NullIf(e) => e.args.iter().for_each(f),
        Expr::Distinct(e) => e.equality.args.iter().for_each(f),
        Expr::ScalarArrayOp(e) => {
            f(&e.scalar);
            f(&e.array);
        }
        Expr::Bool(e) => e.args.iter().for_each(f),
        Expr::Case(e) => {
            e.arg.iter().for_each(|a| f(a));
            for w in &e.whens {
                f(&w.condition);
                f(&w.result);
            }
            f(&e.default);
        }
        Expr::Coalesce(e) => e.args.iter().for_each(f),
        Expr::MinMax(e) => e.args.args.iter().for_each(f),
        Expr::NullTest(e) => f(&e.arg),
        Expr::BooleanTest(e) => f(&e.arg),
        Expr::Relabel(e) => f(&e.arg),
        Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => f(&e.arg),
        Expr::ArrayCoerce(e) => {
            f(&e.arg);
            f(&e.element);
        }
        Expr::Collate(e) => f(&e.arg),
        Expr::Array(e) => e.elements.iter().for_each(f),
        Expr::Row(e) => e.args.iter().for_each(f),
        Expr::RowCompare(e) => e.left.iter().chain(&e.right).for_each(f),
        Expr::FieldSelect(e) => f(&e.arg),
        Expr::FieldStore(e) => {
            f(&e.arg);
            e.new_values.iter().for_each(|(_, v)| f(v));
        }
        Expr::Subscripting(e) => {
            f(&e.container);
            e.upper.iter().chain(&e.lower).flatten().for_each(&mut *f);
            e.assign.iter().for_each(|a| f(a));
        }
        Expr::Aggref(e) => {
            e.direct_args.iter().for_each(&mut *f);
            e.args.iter().for_each(|t| f(&t.expr));
            e.filter.iter().for_each(f);
        }
        Expr::GroupingFunc(e) => e.args.iter().for_each(f),
        Expr::WindowFunc(e) => e.args.iter().chain(&e.filter).for_each(f),
        Expr::SubLink(e) => e.test.iter().for_each(f),
        Expr::SubPlan(e) => {
            e.test.iter().for_each(&mut *f);
            e.params.iter().for_each(|(_, v)| f(v));
        }
        Expr::Json(e) => e.args.iter().for_each(f),
        Expr::Xml(e) => e.args.iter().for_each(f),
        Expr::NamedArg { arg, .. } => f(arg),
    }
}

/// Calls `f` on every direct sub-expression, for rewriting in place.
pub fn for_each_child_mut(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    match expr {
        Expr::Const(_)
        | Expr::Var(_)
        | Expr::Param(_)
        | Expr::CaseTest(_)
        | Expr::SqlValueFunction(_)
        | Expr::CoerceToDomainValue(_)
        | Expr::SetToDefault(_)
        | Expr::CurrentOf { .. }
        | Expr::NextValue { .. } => {}
        Expr::Func(e) | Expr::NullIf(e) => e.args.iter_mut().for_each(f),
        Expr::Distinct(e) => e.equality.args.iter_mut().for_each(f),
        Expr::ScalarArrayOp(e) => {
            f(&mut e.scalar);
            f(&mut e.array);
        }
        Expr::Bool(e) => e.args.iter_mut().for_each(f),
        Expr::Case(e) => {
            e.arg.iter_mut().for_each(|a| f(a));
            for w in &mut e.whens {
                f(&mut w.condition);
                f(&mut w.result);
            }
            f(&mut e.default);
        }
        Expr::Coalesce(e) => e.args.iter_mut().for_each(f),
        Expr::MinMax(e) => e.args.args.iter_mut().for_each(f),
        Expr::NullTest(e) => f(&mut e.arg),
        Expr::BooleanTest(e) => f(&mut e.arg),
        Expr::Relabel(e) => f(&mut e.arg),
        Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => f(&mut e.arg),
        Expr::ArrayCoerce(e) => {
            f(&mut e.arg);
            f(&mut e.element);
        }
        Expr::Collate(e) => f(&mut e.arg),
        Expr::Array(e) => e.elements.iter_mut().for_each(f),
        Expr::Row(e) => e.args.iter_mut().for_each(f),
        Expr::RowCompare(e) => e.left.iter_mut().chain(&mut e.right).for_each(f),
        Expr::FieldSelect(e) => f(&mut e.arg),
        Expr::FieldStore(e) => {
            f(&mut e.arg);
            e.new_values.iter_mut().for_each(|(_, v)| f(v));
        }
        Expr::Subscripting(e) => {
            f(&mut e.container);
            e.upper.iter_mut().chain(&mut e.lower).flatten().for_each(&mut *f);
            e.assign.iter_mut().for_each(|a| f(a));
        }
        Expr::Aggref(e) => {
            e.direct_args.iter_mut().for_each(&mut *f);
            e.args.iter_mut().for_each(|t| f(&mut t.expr));
            e.filter.iter_mut().for_each(f);
        }
        Expr::GroupingFunc(e) => e.args.iter_mut().for_each(f),
        Expr::WindowFunc(e) => e.args.iter_mut().chain(&mut e.filter).for_each(f),
        Expr::SubLink(e) => e.test.iter_mut().for_each(f),
        Expr::SubPlan(e) => {
            e.test.iter_mut().for_each(&mut *f);
            e.params.iter_mut().for_each(|(_, v)| f(v));
        }
        Expr::Json(e) => e.args.iter_mut().for_each(f),
        Expr::Xml(e) => e.args.iter_mut().for_each(f),
        Expr::NamedArg { arg, .. } => f(arg),
    }
}

/// Calls `f` on the expression and everything below it, parents first, until `f` says false for a node (its children are
/// then skipped).
pub fn walk<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr) -> bool) {
    if f(expr) {
        for_each_child(expr, &mut |child| walk(child, f));
    }
}

/// True when `test` holds for the expression or anything below it.
pub fn any(expr: &Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    let mut found = false;
    walk(expr, &mut |e| {
        found = found || test(e);
        !found
    });
    found
}

/// Rewrites bottom-up: children first, then `f` on the node itself.
pub fn rewrite(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    for_each_child_mut(expr, &mut |child| rewrite(child, f));
    f(expr);
}
