//! From the text of an expression or statement to something that runs.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_prepare_plan`, `exec_simple_check_plan`), pl_comp.c (`resolve_column_ref`).

use std::cell::RefCell;
use std::sync::Arc;

use analyzer::AnalyzeContext;
use analyzer::variables::{Variable, VariableConflict, Variables};
use common::{Oid, PgError, PgResult, pg_err};
use executor::PreparedPlan;
use expr::ExprProgram;
use nodes::Query;
use nodes::plan::PlanNode;
use nodes::query::CommandType;
use parser::ast::Statement;
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::record::Shape;
use crate::exec::value::Slot;
use crate::host::{Context, Host, SqlFrame, Stamp};
use crate::namespace::{Found, ItemKind};
use crate::tree::{Decl, Dno, Expr, Function, Mode};

/// Where the value of a parameter comes from.
#[derive(Clone, Debug)]
pub(crate) enum ParamSource {
    Var(Dno),
    /// A whole record.
    Rec(Dno),
    Field {
        rec: Dno,
        name: Arc<str>,
        at: usize,
        type_oid: Oid,
    },
}

/// An expression or statement that has been analyzed and planned.
pub(crate) struct ExprPlan {
    pub stamp: Stamp,
    pub params: Vec<ParamSource>,
    pub what: Planned,
}

pub(crate) enum Planned {
    /// One value without a table.
    Simple {
        program: ExprProgram,
        result: TypeRef,
        /// Name of its column.
        name: Box<str>,
        /// Evaluating it may change what plans rest on.
        calls_session: bool,
    },
    Query(QueryPlan),
    Utility(Arc<Statement>),
}

pub(crate) struct QueryPlan {
    pub query: Arc<Query>,
    pub plan: Arc<PreparedPlan>,
    /// Columns of its rows; `None`: it returns none.
    pub columns: Option<Arc<Shape>>,
    pub command: CommandType,
}

/// The variables that are visible at an expression.
struct Visible<'a> {
    func: &'a Function,
    values: &'a [Slot],
    scope: crate::namespace::Scope,
    params: RefCell<Vec<ParamSource>>,
    host: &'a dyn Host,
}

impl Visible<'_> {
    fn number(&self, source: ParamSource) -> usize {
        let mut params = self.params.borrow_mut();
        let known = params.iter().position(|p| match (p, &source) {
            (ParamSource::Var(a), ParamSource::Var(b)) | (ParamSource::Rec(a), ParamSource::Rec(b)) => a == b,
            (ParamSource::Field { rec, name, .. }, ParamSource::Field { rec: r, name: n, .. }) => {
                rec == r && name == n
            }
            _ => false,
        });
        known.map_or_else(
            || {
                params.push(source);
                params.len()
            },
            |at| at + 1,
        )
    }

    fn collation(&self, type_oid: Oid) -> PgResult<Oid> {
        let desc = self.host.catalog().type_desc(type_oid)?;
        Ok(desc.map_or(Oid::INVALID, |d| d.collation))
    }

    fn variable(&self, dno: Dno) -> PgResult<Option<Variable>> {
        match self.func.decls.get(dno) {
            Some(Decl::Var(v)) => Ok(Some(Variable {
                number: self.number(ParamSource::Var(dno)),
                type_ref: self.func.case_type(dno).unwrap_or(v.ty.type_ref),
                collation: v.ty.collation,
            })),
            Some(Decl::Rec(v)) => Ok(Some(Variable {
                number: self.number(ParamSource::Rec(dno)),
                type_ref: v.ty.type_ref,
                collation: Oid::INVALID,
            })),
            Some(Decl::Field(f)) => self.field(f.rec, &f.name, true),
            _ => Ok(None),
        }
    }

    /// The shape of a record variable: what it holds, or its declared type.
    fn shape(&self, rec: Dno) -> PgResult<Option<Arc<Shape>>> {
        if let Some(Slot::Rec(record)) = self.values.get(rec)
            && let Some(shape) = &record.shape
        {
            return Ok(Some(shape.clone()));
        }
        match self.func.decls.get(rec) {
            Some(Decl::Rec(v)) if v.ty.type_ref.oid != oids::RECORD => {
                Shape::of_type(v.ty.type_ref.oid, self.host.catalog()).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn rec_name(&self, rec: Dno) -> Arc<str> {
        match self.func.decls.get(rec) {
            Some(Decl::Rec(v)) => v.name.clone(),
            _ => "".into(),
        }
    }

    fn field(&self, rec: Dno, name: &str, must: bool) -> PgResult<Option<Variable>> {
        let Some(shape) = self.shape(rec)? else {
            return match must {
                true => Err(not_assigned(&self.rec_name(rec))),
                false => Ok(None),
            };
        };
        let Some(at) = shape.position(name) else {
            return match must {
                true => Err(no_field(&self.rec_name(rec), name)),
                false => Ok(None),
            };
        };
        self.field_at(rec, &shape, at).map(Some)
    }

    fn field_at(&self, rec: Dno, shape: &Shape, at: usize) -> PgResult<Variable> {
        let type_ref = shape.types.get(at).copied().unwrap_or(TypeRef::plain(oids::TEXT));
        let name: Arc<str> = shape.names.get(at).map_or("".into(), |n| (&**n).into());
        let source = ParamSource::Field {
            rec,
            name,
            at,
            type_oid: type_ref.oid,
        };
        Ok(Variable {
            number: self.number(source),
            type_ref,
            collation: self.collation(type_ref.oid)?,
        })
    }
}

/// The error for a field of a record without a structure.
pub(crate) fn not_assigned(name: &str) -> Box<PgError> {
    use common::error::ErrorExt;
    pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "record \"{name}\" is not assigned yet"
    )
    .detail("The tuple structure of a not-yet-assigned record is indeterminate.")
}

/// The error for a field that a record does not have.
pub(crate) fn no_field(record: &str, name: &str) -> Box<PgError> {
    pg_err!(UNDEFINED_COLUMN, "record \"{record}\" has no field \"{name}\"")
}

impl Variables for Visible<'_> {
    fn conflict(&self) -> VariableConflict {
        self.func.conflict
    }

    fn find(&self, names: &[&str], star: bool, must: bool) -> PgResult<Option<Variable>> {
        let Some(Found { kind, names_used }) = self.func.namespace.find(self.scope, names, false) else {
            return Ok(None);
        };
        match kind {
            ItemKind::Var(dno) if names_used == names.len() && !star => self.variable(dno),
            ItemKind::Rec(dno) if names_used == names.len() => self.variable(dno),
            ItemKind::Rec(dno) if names_used + 1 == names.len() && !star => {
                self.field(dno, names[names_used], must)
            }
            _ => Ok(None),
        }
    }

    fn fields(&self, names: &[&str]) -> PgResult<Option<Vec<(Arc<str>, Variable)>>> {
        let found = self.func.namespace.find(self.scope, names, false);
        let Some(ItemKind::Rec(rec)) = found.filter(|f| f.names_used == names.len()).map(|f| f.kind) else {
            return Ok(None);
        };
        let Some(shape) = self.shape(rec)? else {
            return Err(not_assigned(&self.rec_name(rec)));
        };
        let mut out = Vec::with_capacity(shape.names.len());
        for at in 0..shape.names.len() {
            let name: Arc<str> = (&*shape.names[at]).into();
            out.push((name, self.field_at(rec, &shape, at)?));
        }
        Ok(Some(out))
    }

    fn param(&self, number: usize) -> PgResult<Option<Variable>> {
        let name = format!("${number}");
        self.find(&[&name], false, false)
    }
}

impl Call<'_> {
    /// The plan of an expression, from what is kept if it is good still.
    pub(crate) fn planned(&mut self, expr: &Expr) -> PgResult<Arc<ExprPlan>> {
        let stamp = self.stamp;
        if let Some(slot) = self.act.exprs.get(expr.id)
            && let Some(plan) = slot.plan.as_ref().filter(|p| p.stamp == stamp)
        {
            return Ok(plan.clone());
        }
        let kept = self.func.plans.lock().get(expr.id).cloned().flatten();
        let plan = match kept.filter(|p| p.stamp == stamp) {
            Some(plan) => plan,
            None => {
                let plan = Arc::new(self.prepare(expr)?);
                let mut plans = self.func.plans.lock();
                if plans.len() < self.func.expr_count {
                    plans.resize(self.func.expr_count, None);
                }
                if let Some(place) = plans.get_mut(expr.id) {
                    *place = Some(plan.clone());
                }
                plan
            }
        };
        if let Some(slot) = self.act.exprs.get_mut(expr.id) {
            slot.state = match &plan.what {
                Planned::Simple { program, .. } => program.new_state(),
                _ => expr::ExprState::default(),
            };
            slot.plan = Some(plan.clone());
        }
        Ok(plan)
    }

    fn prepare(&mut self, expr: &Expr) -> PgResult<ExprPlan> {
        let depth = self.host.enter(Context::Sql(SqlFrame {
            mode: expr.mode,
            text: Arc::clone(&expr.text),
        }));
        let made = self.prepare_here(expr);
        self.host.leave(depth);
        made.map_err(|e| in_sql(e, expr.mode, &expr.text))
    }

    fn prepare_here(&mut self, expr: &Expr) -> PgResult<ExprPlan> {
        let options = self.host.options();
        let (query, params) = match expr.mode {
            Mode::Statement => {
                let mut parsed = parser::parse(&expr.text, &options)?;
                let Some(raw) = parsed.pop() else {
                    return Err(common::internal!("query \"{}\" is empty", expr.text));
                };
                if !is_optimizable(&raw.stmt) {
                    return Ok(ExprPlan {
                        stamp: self.stamp,
                        params: Vec::new(),
                        what: Planned::Utility(Arc::new(raw.stmt)),
                    });
                }
                self.analyzed(expr, |cx| analyzer::analyze(&raw.stmt, &expr.text, cx))?
            }
            Mode::Expression => {
                let select = parser::parse_plpgsql_expression(&expr.text, &options)?;
                let stmt = Statement::Select(select);
                self.analyzed(expr, |cx| analyzer::analyze(&stmt, &expr.text, cx))?
            }
            Mode::Assign(names) => {
                let stmt = parser::parse_plpgsql_assignment(&expr.text, &options)?;
                self.analyzed(expr, |cx| {
                    analyzer::variables::analyze_assignment(&stmt, names, cx)
                })?
            }
        };
        let what = self.plan_query(query, &params)?;
        Ok(ExprPlan {
            stamp: self.stamp,
            params,
            what,
        })
    }

    fn analyzed(
        &self,
        expr: &Expr,
        work: impl FnOnce(&AnalyzeContext<'_>) -> PgResult<Query>,
    ) -> PgResult<(Query, Vec<ParamSource>)> {
        self.analyzed_expr(expr, work)
    }

    /// Analyzes something where an expression stands.
    pub(crate) fn analyzed_expr<T>(
        &self,
        expr: &Expr,
        work: impl FnOnce(&AnalyzeContext<'_>) -> PgResult<T>,
    ) -> PgResult<(T, Vec<ParamSource>)> {
        let visible = Visible {
            func: &self.func,
            values: &self.act.values,
            scope: expr.scope,
            params: RefCell::default(),
            host: &*self.host,
        };
        let cx = AnalyzeContext::new(self.host.catalog(), self.host.settings())
            .with_variables(&visible)
            .with_database(self.host.database());
        let query = work(&cx)?;
        for notice in cx.notices.take() {
            self.host.notice(notice);
        }
        drop(cx);
        Ok((query, visible.params.into_inner()))
    }

    fn param_types(&self, params: &[ParamSource]) -> Vec<Oid> {
        let type_of = |source: &ParamSource| match source {
            ParamSource::Var(dno) | ParamSource::Rec(dno) => match self.func.decls.get(*dno) {
                Some(Decl::Var(v) | Decl::Rec(v)) => self.func.case_type(*dno).unwrap_or(v.ty.type_ref).oid,
                _ => Oid::INVALID,
            },
            ParamSource::Field { type_oid, .. } => *type_oid,
        };
        params.iter().map(type_of).collect()
    }

    /// Plans a query; one value without a table becomes a program.
    fn plan_query(&mut self, query: Query, params: &[ParamSource]) -> PgResult<Planned> {
        let types = self.param_types(params);
        let simple = is_simple(&query);
        let plan = self.host.plan(&query, &types)?;
        if simple
            && let PlanNode::Result { .. } = plan.plan().plan.node
            && plan.plan().subplans.is_empty()
            && let [target] = &plan.plan().plan.target_list[..]
        {
            let program = executor::compile_scalar(&target.expr, self.host.catalog())?;
            return Ok(Planned::Simple {
                result: target.expr.type_ref(),
                name: target.name.as_deref().unwrap_or("?column?").into(),
                calls_session: calls_session(&target.expr),
                program,
            });
        }
        self.query_plan(query, plan).map(Planned::Query)
    }

    /// The plan of a statement that is kept as a simple expression.
    pub(crate) fn full_plan(&mut self, expr: &Expr) -> PgResult<QueryPlan> {
        let options = self.host.options();
        let mut parsed = parser::parse(&expr.text, &options)?;
        let Some(raw) = parsed.pop() else {
            return Err(common::internal!("query \"{}\" is empty", expr.text));
        };
        let (query, params) = self.analyzed(expr, |cx| analyzer::analyze(&raw.stmt, &expr.text, cx))?;
        let types = self.param_types(&params);
        let plan = self.host.plan(&query, &types)?;
        self.query_plan(query, plan)
    }

    pub(crate) fn query_plan(&self, query: Query, plan: Arc<PreparedPlan>) -> PgResult<QueryPlan> {
        let returns = query.command == CommandType::Select || !query.returning.is_empty();
        let columns = returns.then(|| {
            let columns = query.output_columns();
            let (names, types) = columns
                .map(|t| {
                    (
                        Box::from(t.name.as_deref().unwrap_or("?column?")),
                        t.expr.type_ref(),
                    )
                })
                .unzip::<Box<str>, TypeRef, Vec<_>, Vec<_>>();
            Arc::new(Shape::anonymous(names.into(), types))
        });
        Ok(QueryPlan {
            command: query.command,
            query: Arc::new(query),
            plan,
            columns,
        })
    }

    /// Values of the parameters of a plan.
    pub(crate) fn param_values(&mut self, params: &[ParamSource]) -> PgResult<Vec<Datum>> {
        let mut out = Vec::with_capacity(params.len());
        for (at, source) in params.iter().enumerate() {
            out.push(crate::exec::value::param_value(
                &self.func,
                &self.act.values,
                source,
                at + 1,
                self.host.session(),
            )?);
        }
        Ok(out)
    }
}

/// Statements that have a plan.
pub(crate) fn is_optimizable(stmt: &Statement) -> bool {
    match stmt {
        Statement::Select(s) => s.into.is_none(),
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => true,
        _ => false,
    }
}

fn is_simple(q: &Query) -> bool {
    q.command == CommandType::Select
        && q.range_table.is_empty()
        && q.join_tree.quals.is_none()
        && q.target_list.len() == 1
        && !(q.has_aggs || q.has_window_funcs || q.has_target_srfs || q.has_sub_links || q.has_modifying_cte)
        && q.ctes.is_empty()
        && q.group_clause.is_empty()
        && q.grouping_sets.is_empty()
        && q.having.is_none()
        && q.window_clause.is_empty()
        && q.distinct_clause.is_empty()
        && q.sort_clause.is_empty()
        && q.limit_count.is_none()
        && q.limit_offset.is_none()
        && q.set_operations.is_none()
}

/// True when evaluation reaches into the session: functions made by users, and those that may run SQL or change settings.
fn calls_session(expr: &nodes::Expr) -> bool {
    nodes::walk::any(expr, &mut |e| match e {
        nodes::Expr::Func(f) | nodes::Expr::NullIf(f) => {
            f.func >= Oid::FIRST_NORMAL
                || functions::facts::proc(f.func)
                    .is_none_or(|p| p.provolatile == b'v' && p.prosrc != "clock_timestamp")
        }
        nodes::Expr::ScalarArrayOp(s) => s.func >= Oid::FIRST_NORMAL,
        nodes::Expr::CoerceToDomain(_) | nodes::Expr::NextValue { .. } => true,
        _ => false,
    })
}

/// The CONTEXT line of SQL in a function.
pub(crate) fn context_line(mode: Mode, text: &str) -> String {
    match mode {
        Mode::Statement => format!("SQL statement \"{text}\""),
        Mode::Expression => format!("PL/pgSQL expression \"{text}\""),
        Mode::Assign(_) => format!("PL/pgSQL assignment \"{text}\""),
    }
}

/// An error of SQL that the client did not send.
pub(crate) fn in_sql(mut e: Box<PgError>, mode: Mode, text: &str) -> Box<PgError> {
    use common::error::ErrorExt;
    match e.position.take() {
        Some(at) => {
            let before = text.get(..at as usize).unwrap_or(text);
            e.internal_position = Some(before.chars().count() as u32 + 1);
            e.internal_query = Some(text.to_owned());
            e
        }
        None => e.context(context_line(mode, text)),
    }
}
