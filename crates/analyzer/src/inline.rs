//! Calls of SQL functions replaced by what the functions say, where that cannot change the result.
//!
//! PG: src/backend/optimizer/util/clauses.c (`inline_function`, `inline_set_returning_function`). PostgreSQL does it while it plans; here
//! it is part of the rewriter's work, before the planner sees the query.
//!
//! # Invariants
//! - An argument that is volatile, or dear, is put in once at most.
//! - A strict function stays a call unless its body is NULL whenever an argument is.
//! - A function is not put into its own body.

use std::sync::Arc;

use catalog::FunctionDesc;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult};
use nodes::expr::{CollateExpr, FuncExpr, ParamKind, VarSource};
use nodes::query::{CommandType, RangeTblEntry, RangeTblFunction, RteKind};
use nodes::{Expr, Query, walk};
use types::oids;
use types::settings::TypeRef;

use crate::context::{AnalyzeContext, RoutineParam, RoutineScope};
use crate::sql_routine::{ResultShape, RoutineResult, analyze_statement, check_result, out_columns};
use crate::state::Analyzer;
use crate::walk::for_each_expr_mut;

/// An argument may be evaluated again if its functions together cost no more than this many operators.
const CHEAP: f32 = 10.0;

/// What a body needs to be known of.
#[derive(Default)]
struct Traits {
    volatility: u8,
    non_strict: bool,
}

impl Analyzer<'_> {
    /// Replaces the calls in an expression; functions inside them have been replaced already.
    pub(crate) fn inline_calls(&mut self, expr: &mut Expr) -> PgResult<()> {
        let mut result = Ok(());
        walk::rewrite(expr, &mut |e| {
            let Expr::Func(call) = e else { return };
            if call.func < Oid::FIRST_NORMAL || call.returns_set || result.is_err() {
                return;
            }
            match self.inlined(call) {
                Ok(Some(body)) => *e = body,
                Ok(None) => {}
                Err(failure) => result = Err(failure),
            }
        });
        result
    }

    fn inlined(&mut self, call: &FuncExpr) -> PgResult<Option<Expr>> {
        let desc = self.function(call.func)?;
        if !may_inline(&desc, call, self.cx) || desc.returns_set || call.result.oid == oids::RECORD {
            return Ok(None);
        }
        let Some(query) = self.body_of(&desc, call, &[])? else {
            return Ok(None);
        };
        let (query, shape) = query;
        let simple = query.range_table.is_empty()
            && query.join_tree.quals.is_none()
            && query.target_list.len() == 1
            && !(query.has_aggs || query.has_window_funcs || query.has_target_srfs || query.has_sub_links)
            && query.ctes.is_empty()
            && query.group_clause.is_empty()
            && query.grouping_sets.is_empty()
            && query.having.is_none()
            && query.distinct_clause.is_empty()
            && query.sort_clause.is_empty()
            && query.limit_count.is_none()
            && query.limit_offset.is_none()
            && query.set_operations.is_none();
        if !simple || shape != ResultShape::Value {
            return Ok(None);
        }
        let Some(target) = query.target_list.into_iter().next() else {
            return Ok(None);
        };
        let mut body = target.expr;
        if body.type_oid() != call.result.oid {
            return Ok(None);
        }
        let traits = self.traits(&body)?;
        if traits.volatility > desc.volatility || desc.strict && traits.non_strict {
            return Ok(None);
        }
        if !self.arguments_fit(&desc, &call.args, &param_uses(&body, call.args.len()))? {
            return Ok(None);
        }
        put_arguments(&mut body, &call.args, 0);
        self.inline_nested(call.func, &mut body)?;
        if call.collation.is_valid() && body.collation() != call.collation {
            body = Expr::Collate(CollateExpr {
                arg: Box::new(body),
                collation: call.collation,
                span: call.span,
            });
        }
        Ok(Some(body))
    }

    /// What the body itself calls; not the function again.
    fn inline_nested(&mut self, func: Oid, body: &mut Expr) -> PgResult<()> {
        if self.inlining.contains(&func) {
            return Ok(());
        }
        self.inlining.push(func);
        let done = self.inline_calls(body);
        self.inlining.pop();
        done
    }

    /// The only statement of a function, its output coerced to the result; `None`: it cannot be inlined.
    fn body_of(
        &mut self,
        desc: &FunctionDesc,
        call: &FuncExpr,
        columns: &[TypeRef],
    ) -> PgResult<Option<(Query, ResultShape)>> {
        if self.inlining.contains(&call.func) {
            return Ok(None);
        }
        let context = self.body_context(desc, call);
        let analyzed = analyzed_body(desc, &context);
        let body = analyzed.and_then(|query| {
            let Some(mut query) = query else { return Ok(None) };
            let expected = result_of(desc, call, columns, &context)?;
            let (shape, later) = check_result(Some(&mut query), &expected, &context)?;
            Ok(later.iter().all(Option::is_none).then_some((query, shape)))
        });
        body.map_err(|e| in_function(e, desc))
    }

    fn body_context(&self, desc: &FunctionDesc, call: &FuncExpr) -> AnalyzeContext<'_> {
        let is_input =
            |i: usize| desc.arg_modes.is_empty() || matches!(desc.arg_modes.get(i), Some(b'i' | b'b' | b'v'));
        let mut names = desc.arg_names.iter().enumerate().filter(|(i, _)| is_input(*i));
        let params = call.args.iter().map(|a| RoutineParam {
            name: names.next().map(|(_, n)| n.clone()).unwrap_or_default(),
            type_oid: a.type_oid(),
        });
        AnalyzeContext::new(self.cx.catalog, self.cx.settings)
            .with_database(self.cx.database.clone())
            .with_routine(RoutineScope {
                name: desc.name.clone(),
                params: params.collect(),
            })
    }

    /// Arguments used more than once must be cheap and stable; a strict function must use them all.
    fn arguments_fit(&self, desc: &FunctionDesc, args: &[Expr], uses: &[usize]) -> PgResult<bool> {
        for (arg, uses) in args.iter().zip(uses) {
            if *uses == 0 && desc.strict {
                return Ok(false);
            }
            if *uses == 1 {
                continue;
            }
            if self.traits(arg)?.volatility == b'v' {
                return Ok(false);
            }
            if *uses > 1
                && (self.cost(arg)? > CHEAP || walk::any(arg, &mut |e| matches!(e, Expr::SubLink(_))))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn cost(&self, expr: &Expr) -> PgResult<f32> {
        let mut funcs = Vec::new();
        walk::walk(expr, &mut |e| {
            if let Expr::Func(f) | Expr::NullIf(f) = e {
                funcs.push(f.func);
            }
            true
        });
        let mut sum = 0.0;
        for func in funcs {
            sum += self.function(func)?.cost;
        }
        Ok(sum)
    }

    fn traits(&self, expr: &Expr) -> PgResult<Traits> {
        let mut funcs = Vec::new();
        let mut traits = Traits {
            volatility: b'i',
            non_strict: false,
        };
        walk::walk(expr, &mut |e| {
            match e {
                Expr::Func(f) => funcs.push(f.func),
                Expr::ScalarArrayOp(s) => funcs.push(s.func),
                Expr::NextValue { .. } => traits.volatility = b'v',
                Expr::SqlValueFunction(_) => {
                    traits.volatility = traits.volatility.max(b's');
                    traits.non_strict = true;
                }
                Expr::CoerceViaIo(_) => traits.volatility = traits.volatility.max(b's'),
                Expr::Json(_) | Expr::SubLink(_) => {
                    traits.volatility = traits.volatility.max(b's');
                    traits.non_strict = true;
                }
                Expr::Const(c) if c.value.is_null() => {}
                Expr::Const(_) | Expr::Var(_) | Expr::Param(_) | Expr::Relabel(_) | Expr::Collate(_) => {}
                Expr::FieldSelect(_) | Expr::ArrayCoerce(_) => {}
                _ => traits.non_strict = true,
            }
            true
        });
        for func in funcs {
            let desc = self.function(func)?;
            traits.volatility = traits.volatility.max(desc.volatility);
            traits.non_strict |= !desc.strict;
        }
        Ok(traits)
    }

    /// A set-returning SQL function alone in FROM becomes a subquery.
    pub(crate) fn inline_set_functions(&mut self, query: &mut Query) -> PgResult<()> {
        for at in 0..query.range_table.len() {
            if let Some((body, lateral)) = self.inlined_set(&query.range_table[at])? {
                query.range_table[at].kind = RteKind::Subquery {
                    query: Arc::new(body),
                    lateral,
                    view: None,
                    security_barrier: false,
                };
            }
        }
        Ok(())
    }

    fn inlined_set(&mut self, rte: &RangeTblEntry) -> PgResult<Option<(Query, bool)>> {
        let RteKind::Function {
            functions,
            ordinality: false,
            lateral,
        } = &rte.kind
        else {
            return Ok(None);
        };
        let [
            RangeTblFunction {
                expr: Expr::Func(call),
                column_defs,
                ..
            },
        ] = &functions[..]
        else {
            return Ok(None);
        };
        if call.func < Oid::FIRST_NORMAL || !call.returns_set {
            return Ok(None);
        }
        let desc = self.function(call.func)?;
        let fits = may_inline(&desc, call, self.cx)
            && desc.returns_set
            && !desc.strict
            && desc.volatility != b'v'
            && call.result.oid != oids::VOID
            && rte.columns.iter().all(|c| c.type_ref.oid.is_valid());
        if !fits {
            return Ok(None);
        }
        for arg in &call.args {
            if self.traits(arg)?.volatility == b'v' || walk::any(arg, &mut |e| matches!(e, Expr::SubLink(_)))
            {
                return Ok(None);
            }
        }
        let columns: Vec<TypeRef> = column_defs.iter().map(|c| c.1).collect();
        let Some((mut body, shape)) = self.body_of(&desc, call, &columns)? else {
            return Ok(None);
        };
        let wanted: Vec<Oid> = rte.columns.iter().map(|c| c.type_ref.oid).collect();
        let given: Vec<Oid> = body.output_columns().map(|t| t.expr.type_oid()).collect();
        let one = matches!(shape, ResultShape::Value) && rte.columns.len() == 1;
        if body.command != CommandType::Select || wanted != given || !(one || shape == ResultShape::Row) {
            return Ok(None);
        }
        put_into_query(&mut body, &call.args, 1);
        self.inlining.push(call.func);
        let done = self.rewrite_query(&mut body);
        self.inlining.pop();
        done?;
        Ok(Some((body, *lateral)))
    }
}

fn in_function(e: Box<PgError>, desc: &FunctionDesc) -> Box<PgError> {
    let mut e = e;
    if let Some(at) = e.position.take() {
        let before = desc.source.get(..at as usize).unwrap_or(&desc.source);
        e.internal_position = Some(before.chars().count() as u32 + 1);
        e.internal_query = Some(desc.source.to_string());
    }
    e.context(format!("SQL function \"{}\" during inlining", desc.name))
}

fn may_inline(desc: &FunctionDesc, call: &FuncExpr, cx: &AnalyzeContext<'_>) -> bool {
    desc.is_sql()
        && desc.kind == b'f'
        && !desc.security_definer
        && desc.config.is_empty()
        && desc.acl.is_none()
        && desc.arg_types.len() == call.args.len()
        && cx.inlines
}

fn analyzed_body(desc: &FunctionDesc, context: &AnalyzeContext<'_>) -> PgResult<Option<Query>> {
    if let Some(body) = &desc.sql_body {
        let mut stored = nodes::serial::decode_body(body)?;
        let only = if stored.statements.len() == 1 {
            stored.statements.pop()
        } else {
            None
        };
        return Ok(only.filter(|q| q.command == CommandType::Select));
    }
    let mut parsed = parser::parse(&desc.source, &parser::ParseOptions::default())?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(only), true) => match &only.stmt {
            parser::ast::Statement::Select(s) if s.into.is_none() => {
                analyze_statement(&only.stmt, context).map(Some)
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn result_of(
    desc: &FunctionDesc,
    call: &FuncExpr,
    columns: &[TypeRef],
    context: &AnalyzeContext<'_>,
) -> PgResult<RoutineResult> {
    let row = if !columns.is_empty() {
        Some(columns.to_vec())
    } else if call.result.oid == oids::RECORD {
        let args: Vec<Oid> = call.args.iter().map(Expr::type_oid).collect();
        out_columns(desc, &args, context)?.map(|c| c.into_iter().map(|(_, t)| TypeRef::plain(t)).collect())
    } else {
        let fields = Analyzer::new(context).composite_fields(call.result.oid)?;
        fields.map(|f| f.into_iter().filter(|f| !f.dropped).map(|f| f.type_ref).collect())
    };
    Ok(RoutineResult {
        type_oid: call.result.oid,
        is_procedure: false,
        row,
    })
}

/// How often each parameter occurs.
fn param_uses(body: &Expr, count: usize) -> Vec<usize> {
    let mut uses = vec![0; count];
    walk::walk(body, &mut |e| {
        if let Expr::Param(p) = e
            && p.kind == ParamKind::External
            && let Some(n) = uses.get_mut(p.number.wrapping_sub(1))
        {
            *n += 1;
        }
        true
    });
    uses
}

/// Arguments for parameters, so many query levels further in.
fn put_arguments(expr: &mut Expr, args: &[Expr], depth: usize) {
    walk::rewrite(expr, &mut |e| match e {
        Expr::Param(p) if p.kind == ParamKind::External => {
            if let Some(arg) = args.get(p.number.wrapping_sub(1)) {
                *e = deeper(arg, depth);
            }
        }
        Expr::SubLink(s) => put_into_query(Arc::make_mut(&mut s.query), args, depth + 1),
        _ => {}
    });
}

fn put_into_query(query: &mut Query, args: &[Expr], depth: usize) {
    for cte in &mut query.ctes {
        put_into_query(Arc::make_mut(&mut cte.query), args, depth + 1);
    }
    for rte in &mut query.range_table {
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            put_into_query(Arc::make_mut(query), args, depth + 1);
        }
    }
    for_each_expr_mut(query, &mut |e| put_arguments(e, args, depth));
}

fn deeper(arg: &Expr, depth: usize) -> Expr {
    let mut e = arg.clone();
    if depth > 0 {
        walk::rewrite(&mut e, &mut |x| {
            if let Expr::Var(v) = x
                && let VarSource::Rel { levels_up, .. } = &mut v.source
            {
                *levels_up += depth;
            }
        });
    }
    e
}
