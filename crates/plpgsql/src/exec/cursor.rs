//! OPEN, FETCH, MOVE, CLOSE.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_open`, `exec_stmt_fetch`).

use std::sync::Arc;

use common::{PgResult, pg_err};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::plan::{Planned, QueryPlan};
use crate::exec::record::Shape;
use crate::exec::value::Slot;
use crate::host::{CursorFetch, CursorQuery};
use crate::tree::{Decl, Dno, Expr, Fetch, Mode, Open, OpenSource};

impl Call<'_> {
    fn cursor_name(&self, cursor: Dno) -> Option<String> {
        match self.act.values.get(cursor) {
            Some(Slot::Var(Datum::Text(name))) => Some(name.to_string()),
            _ => None,
        }
    }

    /// The portal that a cursor variable names.
    fn open_name(&self, cursor: Dno) -> PgResult<String> {
        let decl = self.func.decls.get(cursor);
        let Some(name) = self.cursor_name(cursor) else {
            let variable = match decl {
                Some(Decl::Var(v)) => v.name.clone(),
                _ => "".into(),
            };
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "cursor variable \"{variable}\" is null"
            ));
        };
        match self.host.has_cursor(&name) {
            true => Ok(name),
            false => Err(pg_err!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist")),
        }
    }

    fn check_free(&self, cursor: Dno) -> PgResult<()> {
        match self.cursor_name(cursor) {
            Some(name) if self.host.has_cursor(&name) => {
                Err(pg_err!(DUPLICATE_CURSOR, "cursor \"{name}\" already in use"))
            }
            _ => Ok(()),
        }
    }

    fn set_cursor(&mut self, cursor: Dno, name: &str) {
        if let Some(slot) = self.act.values.get_mut(cursor) {
            *slot = Slot::Var(Datum::text(name));
        }
    }

    /// After a loop over a cursor that had no name of its own.
    pub(crate) fn forget_cursor(&mut self, cursor: Dno) {
        let unnamed = self
            .cursor_name(cursor)
            .is_some_and(|n| n.starts_with("<unnamed portal"));
        if unnamed && let Some(slot) = self.act.values.get_mut(cursor) {
            *slot = Slot::Var(Datum::Null);
        }
    }

    /// Opens a bound cursor with its arguments; the portal's name.
    pub(crate) fn open_bound(
        &mut self,
        cursor: Dno,
        args: Option<&Expr>,
        scroll: Option<bool>,
    ) -> PgResult<String> {
        self.check_free(cursor)?;
        let func = self.func.clone();
        let Some(Decl::Var(decl)) = func.decls.get(cursor) else {
            return Err(common::internal!("cursor is no variable"));
        };
        let Some(bound) = &decl.cursor else {
            return Err(common::internal!("cursor is not bound"));
        };
        match (args, bound.args) {
            (Some(args), Some(row)) => self.cursor_arguments(row, args)?,
            (None, Some(_)) => {
                return Err(pg_err!(SYNTAX_ERROR, "arguments required for cursor"));
            }
            _ => {}
        }
        self.open_query(cursor, &bound.query, scroll.or(bound.scroll))
    }

    /// Arguments are one row that goes into the cursor's parameters.
    fn cursor_arguments(&mut self, row: Dno, args: &Expr) -> PgResult<()> {
        self.settle()?;
        let plan = self.planned(args)?;
        match &plan.what {
            Planned::Query(query) => {
                let brought = self.run_query(args, &plan, query, 1)?;
                let columns = query.columns.clone();
                let columns = columns.ok_or_else(|| common::internal!("cursor arguments without columns"))?;
                self.move_row(row, &columns, brought.rows.into_iter().next())
            }
            _ => {
                let (value, type_ref) = self.eval_any(args)?;
                let shape = Shape::anonymous([Box::from("?column?")].into(), vec![type_ref]);
                self.move_row(row, &Arc::new(shape), Some(vec![value]))
            }
        }
    }

    fn open_query(&mut self, cursor: Dno, expr: &Expr, scroll: Option<bool>) -> PgResult<String> {
        self.settle()?;
        let plan = self.planned(expr)?;
        let params = self.param_values(&plan.params)?;
        let made;
        let query = match &plan.what {
            Planned::Query(query) => query,
            Planned::Simple { .. } => {
                made = self.unsimplified(expr)?;
                &made
            }
            Planned::Utility(_) => {
                return Err(pg_err!(
                    INVALID_CURSOR_DEFINITION,
                    "cannot open utility statement query as cursor"
                ));
            }
        };
        self.open_portal(cursor, query, params, &expr.text, scroll)
    }

    /// A simple expression's statement as a query after all.
    pub(crate) fn unsimplified(&mut self, expr: &Expr) -> PgResult<QueryPlan> {
        let text = expr.text.clone();
        self.in_sql(Mode::Statement, &text, |call| call.full_plan(expr))
    }

    fn open_portal(
        &mut self,
        cursor: Dno,
        query: &QueryPlan,
        params: Vec<Datum>,
        text: &Arc<str>,
        scroll: Option<bool>,
    ) -> PgResult<String> {
        if query.columns.is_none() {
            return Err(pg_err!(
                INVALID_CURSOR_DEFINITION,
                "cannot open {} query as cursor",
                match query.command {
                    nodes::query::CommandType::Insert => "INSERT",
                    nodes::query::CommandType::Update => "UPDATE",
                    nodes::query::CommandType::Delete => "DELETE",
                    _ => "MERGE",
                }
            ));
        }
        let given = self.cursor_name(cursor);
        let (plan, tree) = (query.plan.clone(), query.query.clone());
        let name = self.in_sql(Mode::Statement, text, |call| {
            call.host.open_cursor(CursorQuery {
                name: given.as_deref(),
                text,
                query: &tree,
                plan: &plan,
                params,
                scroll,
            })
        })?;
        self.set_cursor(cursor, &name);
        Ok(name)
    }

    pub(crate) fn open_statement(&mut self, s: &Open) -> PgResult<()> {
        match &s.source {
            OpenSource::Bound(args) => self.open_bound(s.cursor, args.as_ref(), s.scroll).map(drop),
            OpenSource::Query(expr) => {
                self.check_free(s.cursor)?;
                self.open_query(s.cursor, expr, s.scroll).map(drop)
            }
            OpenSource::Dynamic { query, params } => {
                self.check_free(s.cursor)?;
                let d = self.dynamic(query, params)?;
                let text = d.text.clone();
                let plan = self.in_sql(Mode::Statement, &text, |call| {
                    let [only] = &d.statements[..] else {
                        return Err(pg_err!(
                            INVALID_CURSOR_DEFINITION,
                            "cannot open multi-query plan as cursor"
                        ));
                    };
                    call.dynamic_plan(&d, &only.stmt)
                })?;
                self.open_portal(s.cursor, &plan, d.params, &text, s.scroll)
                    .map(drop)
            }
        }
    }

    pub(crate) fn fetch_statement(&mut self, s: &Fetch) -> PgResult<()> {
        let name = self.open_name(s.cursor)?;
        let mut count = s.count;
        if let Some(expr) = &s.expr {
            let value = self.eval_as(expr, TypeRef::plain(oids::INT4))?;
            count = match value {
                Datum::Int4(v) => i64::from(v),
                _ => {
                    return Err(pg_err!(
                        NULL_VALUE_NOT_ALLOWED,
                        "relative or absolute cursor position is null"
                    ));
                }
            };
        }
        let fetch = CursorFetch {
            direction: s.direction,
            count,
        };
        let brought = self.host.move_cursor(&name, fetch)?;
        self.dirty = true;
        self.processed = brought.rows.len() as u64;
        if let Some(target) = s.target {
            let (names, types): (Vec<Box<str>>, Vec<TypeRef>) = brought
                .columns
                .into_iter()
                .map(|(n, t)| (Box::from(n), t))
                .unzip();
            let shape = Arc::new(Shape::anonymous(names.into(), types));
            let row = brought.rows.into_iter().next();
            self.move_row(target, &shape, row)?;
        }
        self.set_found(self.processed != 0);
        Ok(())
    }

    pub(crate) fn close_statement(&mut self, cursor: Dno) -> PgResult<()> {
        let name = self.open_name(cursor)?;
        self.host.close_cursor(&name)?;
        Ok(())
    }
}
