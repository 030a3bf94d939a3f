//! Operators and operator-like constructs: IN, BETWEEN, DISTINCT, row comparisons, AND/OR/NOT.
//!
//! PG: src/backend/parser/parse_expr.c (`transformAExpr*`, `make_row_comparison_op`).

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err, unsupported};
use nodes::Expr;
use nodes::expr::{
    ArrayExpr, BoolExpr, BoolOp, CoercionForm, DistinctExpr, FuncExpr, NullTest, RowCompareExpr,
    RowCompareKind, RowExpr,
};
use parser::ast::{self, AExprKind, BoolExprType};
use types::oids;
use types::settings::TypeRef;

use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::parse_oper::BTREE_AM;
use crate::parse_type::name_list_to_string;
use crate::state::Analyzer;
use crate::walk::find_var_of_level;

/// btree's equality, and the number for "not equal" that has no strategy of its own.
const BT_EQUAL: i16 = 3;
const NOT_EQUAL: i16 = 6;

impl Analyzer<'_> {
    /// An operator or one of the constructs written like one.
    pub fn a_expr(&mut self, a: &ast::AExpr) -> PgResult<Expr> {
        match a.kind {
            AExprKind::Op | AExprKind::Like | AExprKind::ILike | AExprKind::Similar => self.operator_expr(a),
            AExprKind::OpAny | AExprKind::OpAll => {
                let (left, right) = self.both_sides(a)?;
                self.make_scalar_array_op(&a.name, a.kind == AExprKind::OpAny, left, right, a.span)
            }
            AExprKind::Distinct | AExprKind::NotDistinct => self.distinct_expr(a),
            AExprKind::NullIf => self.nullif_expr(a),
            AExprKind::In => self.in_expr(a),
            AExprKind::Between | AExprKind::NotBetween | AExprKind::BetweenSym | AExprKind::NotBetweenSym => {
                let raw = between_as_comparisons(a)?;
                self.expr(&raw)
            }
        }
    }

    fn both_sides(&mut self, a: &ast::AExpr) -> PgResult<(Expr, Expr)> {
        let (Some(l), Some(r)) = (&a.lexpr, &a.rexpr) else {
            return Err(internal!("operator lacks an operand"));
        };
        let left = self.expr(l)?;
        let right = self.expr(r)?;
        Ok((left, right))
    }

    fn operator_expr(&mut self, a: &ast::AExpr) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        match (&a.lexpr, &a.rexpr) {
            (Some(l @ ast::Expr::RowExpr(_)), Some(ast::Expr::SubLink(s)))
                if s.kind == ast::SubLinkType::Expr =>
            {
                self.row_compare_link(l, &a.name, s, a.span)
            }
            (Some(ast::Expr::RowExpr(_)), Some(ast::Expr::RowExpr(_))) => {
                let (left, right) = self.both_sides(a)?;
                let (Expr::Row(l), Expr::Row(r)) = (left, right) else {
                    return Err(internal!("row expressions expected"));
                };
                self.row_comparison(&a.name, l.args, r.args, a.span)
            }
            (Some(_), Some(_)) => {
                let (left, right) = self.both_sides(a)?;
                self.make_op_after(&a.name, Some(left), right, last_srf, a.span)
            }
            (None, Some(r)) => {
                let right = self.expr(r)?;
                self.make_op_after(&a.name, None, right, last_srf, a.span)
            }
            _ => Err(internal!("postfix operators do not exist")),
        }
    }

    fn distinct_expr(&mut self, a: &ast::AExpr) -> PgResult<Expr> {
        let negated = a.kind == AExprKind::NotDistinct;
        let (Some(l), Some(r)) = (&a.lexpr, &a.rexpr) else {
            return Err(internal!("DISTINCT lacks an operand"));
        };
        let null_side = if is_null_const(r) {
            Some(l)
        } else if is_null_const(l) {
            Some(r)
        } else {
            None
        };
        if let Some(tested) = null_side {
            let arg = self.expr(tested)?;
            return Ok(Expr::NullTest(NullTest {
                arg: Box::new(arg),
                is_not: !negated,
                arg_is_row: false,
                span: a.span,
            }));
        }
        let (left, right) = self.both_sides(a)?;
        match (left, right) {
            (Expr::Row(l), Expr::Row(r)) => {
                let any = self.row_distinct(&a.name, l, r, a.span)?;
                Ok(if negated { not(any, a.span) } else { any })
            }
            (left, right) => self.make_distinct(&a.name, left, right, negated, a.span),
        }
    }

    fn row_distinct(&mut self, name: &[ast::Ident], l: RowExpr, r: RowExpr, span: Span) -> PgResult<Expr> {
        if l.args.len() != r.args.len() {
            return Err(pg_err!(SYNTAX_ERROR, "unequal number of entries in row expressions").at(span));
        }
        let mut parts = Vec::new();
        for (x, y) in l.args.into_iter().zip(r.args) {
            parts.push(self.make_distinct(name, x, y, false, span)?);
        }
        Ok(match parts.len() {
            0 => Expr::bool_const(false),
            1 => parts.remove(0),
            _ => combine(BoolOp::Or, parts, span),
        })
    }

    fn make_distinct(
        &mut self,
        name: &[ast::Ident],
        left: Expr,
        right: Expr,
        negated: bool,
        span: Span,
    ) -> PgResult<Expr> {
        let equality = self.boolean_equality(name, left, right, "IS DISTINCT FROM", span)?;
        Ok(Expr::Distinct(DistinctExpr { equality, negated }))
    }

    fn boolean_equality(
        &mut self,
        name: &[ast::Ident],
        left: Expr,
        right: Expr,
        construct: &str,
        span: Span,
    ) -> PgResult<FuncExpr> {
        let Expr::Func(call) = self.make_op(name, Some(left), right, span)? else {
            return Err(internal!("operator call expected"));
        };
        if call.result.oid != oids::BOOL {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "{construct} requires = operator to yield boolean"
            )
            .at(span));
        }
        if call.returns_set {
            return Err(pg_err!(DATATYPE_MISMATCH, "{construct} must not return a set").at(span));
        }
        Ok(call)
    }

    fn nullif_expr(&mut self, a: &ast::AExpr) -> PgResult<Expr> {
        let (left, right) = self.both_sides(a)?;
        let mut call = self.boolean_equality(&a.name, left, right, "NULLIF", a.span)?;
        call.result = call
            .args
            .first()
            .map_or(TypeRef::plain(oids::UNKNOWN), Expr::type_ref);
        Ok(Expr::NullIf(call))
    }

    fn in_expr(&mut self, a: &ast::AExpr) -> PgResult<Expr> {
        let use_or = a.name.first().is_none_or(|n| n.as_str() != "<>");
        let left = a
            .lexpr
            .as_ref()
            .ok_or_else(|| internal!("IN without left side"))?;
        let left = self.expr(left)?;
        let (mut plain, mut with_vars) = (Vec::new(), Vec::new());
        for item in &a.list {
            let e = self.expr(item)?;
            if find_var_of_level(&e, 0).is_some() {
                with_vars.push(e);
            } else {
                plain.push(e);
            }
        }
        let mut parts = Vec::new();
        let mut rest = Vec::new();
        match self.in_array(a, &left, &plain, use_or)? {
            Some(e) => parts.push(e),
            None => rest = plain,
        }
        // PostgreSQL keeps the order of the list when no array can be used.
        if parts.is_empty() && !with_vars.is_empty() {
            rest.clear();
            for item in &a.list {
                rest.push(self.expr(item)?);
            }
        } else {
            rest.append(&mut with_vars);
        }
        for e in rest {
            let one = match (&left, e) {
                (Expr::Row(l), Expr::Row(r)) => {
                    self.row_comparison(&a.name, l.args.clone(), r.args, a.span)?
                }
                (l, e) => self.make_op(&a.name, Some(l.clone()), e, a.span)?,
            };
            parts.push(self.coerce_to_boolean(one, "IN")?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            combine(if use_or { BoolOp::Or } else { BoolOp::And }, parts, a.span)
        })
    }

    /// `x IN (constants)` as a comparison with an array, when the items have a common type that has arrays.
    fn in_array(
        &mut self,
        a: &ast::AExpr,
        left: &Expr,
        items: &[Expr],
        use_or: bool,
    ) -> PgResult<Option<Expr>> {
        if items.len() < 2 {
            return Ok(None);
        }
        let mut types = vec![(left.type_oid(), left.span())];
        types.extend(items.iter().map(|e| (e.type_oid(), e.span())));
        let common = self.select_common_type(&types, None)?;
        if !common.is_valid() || common == oids::RECORD {
            return Ok(None);
        }
        for (t, _) in &types {
            if !self.can_coerce_type(&[*t], &[common], CoercionContext::Implicit)? {
                return Ok(None);
            }
        }
        let array_type = self.array_type(common)?;
        if !array_type.is_valid() {
            return Ok(None);
        }
        let mut elements = Vec::with_capacity(items.len());
        for e in items {
            elements.push(self.coerce_to_common_type(e.clone(), common, "IN")?);
        }
        let array = Expr::Array(ArrayExpr {
            elements,
            array_type,
            element_type: common,
            multidims: false,
            collation: Oid::INVALID,
            span: Span::NONE,
        });
        self.make_scalar_array_op(&a.name, use_or, left.clone(), array, a.span)
            .map(Some)
    }

    /// AND, OR, NOT.
    pub fn bool_expr(&mut self, b: &ast::BoolExpr) -> PgResult<Expr> {
        let (op, name) = match b.op {
            BoolExprType::And => (BoolOp::And, "AND"),
            BoolExprType::Or => (BoolOp::Or, "OR"),
            BoolExprType::Not => (BoolOp::Not, "NOT"),
        };
        let mut args = Vec::with_capacity(b.args.len());
        for a in &b.args {
            let arg = self.expr(a)?;
            args.push(self.coerce_to_boolean(arg, name)?);
        }
        Ok(Expr::Bool(BoolExpr {
            op,
            args,
            span: b.span,
        }))
    }

    /// `(a, b) op (c, d)`: equality is an AND, inequality an OR, the rest goes by btree order.
    pub fn row_comparison(
        &mut self,
        name: &[ast::Ident],
        left: Vec<Expr>,
        right: Vec<Expr>,
        span: Span,
    ) -> PgResult<Expr> {
        if left.len() != right.len() {
            return Err(pg_err!(SYNTAX_ERROR, "unequal number of entries in row expressions").at(span));
        }
        if left.is_empty() {
            return Err(pg_err!(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").at(span));
        }
        let mut calls = Vec::new();
        for (l, r) in left.into_iter().zip(right) {
            let Expr::Func(call) = self.make_op(name, Some(l), r, span)? else {
                return Err(internal!("operator call expected"));
            };
            if call.result.oid != oids::BOOL {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "row comparison operator must yield type boolean, not type {}",
                    self.format_type(call.result.oid)
                )
                .at(span));
            }
            if call.returns_set {
                return Err(
                    pg_err!(DATATYPE_MISMATCH, "row comparison operator must not return a set").at(span),
                );
            }
            calls.push(call);
        }
        if calls.len() == 1 {
            return Ok(Expr::Func(calls.remove(0)));
        }
        let interpretations = self.common_interpretation(&calls, name, span)?;
        let kind = match interpretations.0 {
            BT_EQUAL => {
                return Ok(combine(
                    BoolOp::And,
                    calls.into_iter().map(Expr::Func).collect(),
                    span,
                ));
            }
            NOT_EQUAL => {
                return Ok(combine(
                    BoolOp::Or,
                    calls.into_iter().map(Expr::Func).collect(),
                    span,
                ));
            }
            1 => RowCompareKind::Lt,
            2 => RowCompareKind::Le,
            4 => RowCompareKind::Ge,
            _ => RowCompareKind::Gt,
        };
        self.make_row_compare(kind, calls, &interpretations.1, span)
    }

    /// A strategy that all operators have in some family, and those families.
    fn common_interpretation(
        &self,
        calls: &[FuncExpr],
        name: &[ast::Ident],
        span: Span,
    ) -> PgResult<(i16, Vec<Oid>)> {
        let mut all: Vec<Vec<(Oid, i16)>> = Vec::new();
        for c in calls {
            let mut found = self.cx.catalog.operator_families(BTREE_AM, c.op)?;
            if found.is_empty() {
                let negator = self.operator(c.op)?.negator;
                if negator.is_valid() {
                    let of_negator = self.cx.catalog.operator_families(BTREE_AM, negator)?;
                    found.extend(
                        of_negator
                            .into_iter()
                            .filter(|(_, s)| *s == BT_EQUAL)
                            .map(|(f, _)| (f, NOT_EQUAL)),
                    );
                }
            }
            all.push(found);
        }
        let strategy = (1..=NOT_EQUAL).find(|s| all.iter().all(|list| list.iter().any(|(_, x)| x == s)));
        let Some(strategy) = strategy else {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "could not determine interpretation of row comparison operator {}",
                name_list_to_string(name)
            )
            .hint("Row comparison operators must be associated with btree operator families.")
            .at(span));
        };
        let families = all
            .iter()
            .filter_map(|list| list.iter().find(|(_, s)| *s == strategy).map(|(f, _)| *f))
            .collect();
        Ok((strategy, families))
    }

    fn make_row_compare(
        &mut self,
        kind: RowCompareKind,
        calls: Vec<FuncExpr>,
        families: &[Oid],
        span: Span,
    ) -> PgResult<Expr> {
        let mut out = RowCompareExpr {
            kind,
            ops: Vec::new(),
            cmp_funcs: Vec::new(),
            input_collations: vec![Oid::INVALID; calls.len()],
            left: Vec::new(),
            right: Vec::new(),
            span,
        };
        for (call, family) in calls.into_iter().zip(families) {
            let op = self.operator(call.op)?;
            let proc = self.cx.catalog.opfamily_proc(*family, op.left, op.right, 1)?;
            out.ops.push(call.op);
            out.cmp_funcs.push(
                proc.ok_or_else(|| internal!("missing support function 1 in operator family {family}"))?,
            );
            let mut args = call.args.into_iter();
            out.left.extend(args.next());
            out.right.extend(args.next());
        }
        Ok(Expr::RowCompare(out))
    }

    /// ROW(...) or a whole row as a value of a composite type.
    pub fn coerce_record_to_complex(&mut self, expr: Expr, to: CoerceTo) -> PgResult<Expr> {
        let input = expr.type_oid();
        let base = self.base_type(to.target.oid)?;
        let args = match expr {
            Expr::Row(r) => r.args,
            Expr::Var(ref v) if v.attno == 0 => match self.expand_row(&expr, v.span)? {
                Some(columns) => columns.into_iter().map(|(e, _)| e).collect(),
                None => return Err(self.cannot_cast(input, to.target.oid, to.span)),
            },
            _ => return Err(self.cannot_cast(input, to.target.oid, to.span)),
        };
        let fields = self
            .composite_fields(base)?
            .ok_or_else(|| unsupported!("composite type without columns"))?;
        let mut given = args.into_iter();
        let mut out = Vec::new();
        let mut number = 0;
        for f in &fields {
            if f.dropped {
                // Records hold live attributes only.
                continue;
            }
            number += 1;
            let Some(value) = given.next() else {
                return Err(self
                    .cannot_cast(input, to.target.oid, to.span)
                    .detail("Input has too few columns."));
            };
            let from = value.type_oid();
            let column_to = CoerceTo {
                target: f.type_ref,
                form: CoercionForm::ImplicitCast,
                ..to
            };
            match self.coerce_to_target_type(value, column_to)? {
                Some(e) => out.push(e),
                None => {
                    return Err(self.cannot_cast(input, to.target.oid, to.span).detail(format!(
                        "Cannot cast type {} to {} in column {number}.",
                        self.format_type(from),
                        self.format_type(f.type_ref.oid)
                    )));
                }
            }
        }
        if given.next().is_some() {
            return Err(self
                .cannot_cast(input, to.target.oid, to.span)
                .detail("Input has too many columns."));
        }
        let row = Expr::Row(RowExpr {
            args: out,
            row_type: base,
            names: Vec::new(),
            form: to.form,
            span: to.span,
        });
        if base == to.target.oid {
            return Ok(row);
        }
        self.coerce_type(row, to)
    }
}

/// A boolean combination at a place.
pub(crate) fn combine(op: BoolOp, args: Vec<Expr>, span: Span) -> Expr {
    Expr::Bool(BoolExpr { op, args, span })
}

fn not(arg: Expr, span: Span) -> Expr {
    combine(BoolOp::Not, vec![arg], span)
}

/// Conditions joined by AND.
pub(crate) fn and_all(mut parts: Vec<Expr>) -> Option<Expr> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(combine(BoolOp::And, parts, Span::NONE)),
    }
}

fn is_null_const(e: &ast::Expr) -> bool {
    matches!(e, ast::Expr::AConst(c) if c.value == ast::ConstValue::Null)
}

/// BETWEEN in terms of comparisons, as PostgreSQL reads it.
fn between_as_comparisons(a: &ast::AExpr) -> PgResult<ast::Expr> {
    let (Some(x), [low, high]) = (&a.lexpr, a.list.as_slice()) else {
        return Err(internal!("BETWEEN needs three operands"));
    };
    let compare = |op: &str, bound: &ast::Expr| {
        ast::Expr::AExpr(Box::new(ast::AExpr {
            kind: AExprKind::Op,
            name: vec![ast::Ident::new(op, a.span)],
            lexpr: Some(x.clone()),
            rexpr: Some(bound.clone()),
            list: Vec::new(),
            span: a.span,
        }))
    };
    let both = |op: BoolExprType, l: ast::Expr, r: ast::Expr| {
        ast::Expr::BoolExpr(Box::new(ast::BoolExpr {
            op,
            args: vec![l, r],
            span: a.span,
        }))
    };
    let (and, or) = (BoolExprType::And, BoolExprType::Or);
    Ok(match a.kind {
        AExprKind::Between => both(and, compare(">=", low), compare("<=", high)),
        AExprKind::NotBetween => both(or, compare("<", low), compare(">", high)),
        AExprKind::BetweenSym => both(
            or,
            both(and, compare(">=", low), compare("<=", high)),
            both(and, compare(">=", high), compare("<=", low)),
        ),
        _ => both(
            and,
            both(or, compare("<", low), compare(">", high)),
            both(or, compare("<", high), compare(">", low)),
        ),
    })
}
