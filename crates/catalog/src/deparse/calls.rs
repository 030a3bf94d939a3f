//! Aggregates, window functions, subqueries in expressions, row comparisons.

use common::{Oid, PgResult};
use nodes::Expr;
use nodes::expr::{
    Aggref, CoercionForm, FuncExpr, RowCompareExpr, RowCompareKind, SubLink, SubLinkKind, WindowFunc,
};
use nodes::query::{FrameBound, FrameExclusion, FrameUnits, TargetEntry, WindowClause};
use nodes::stored::StoredFact;

use crate::deparse::query::{Names, SortPlace};
use crate::deparse::{Implicit, Writer};
use crate::names::{TEMP_SCHEMA, quote_identifier, quote_qualified, shown_schema};

impl Writer<'_> {
    pub(super) fn coalesce(&mut self, args: &[Expr]) -> PgResult<()> {
        if let (Some(_), [stored, Expr::Func(call)]) = (self.names, args)
            && StoredFact::of_function(call.func).is_some()
        {
            // In a plan: the planner has added what the scan knows to a call, which is printed as it was written.
            let start = self.text.len();
            self.expr(stored, Implicit::Hidden)?;
            let before = self.text.split_off(start);
            self.call(call, Implicit::Hidden)?;
            if self.text[start..] == before {
                return Ok(());
            }
            self.text.truncate(start);
        }
        self.named_list("COALESCE", args)
    }

    /// The name by which a call finds this function.
    pub(crate) fn function_name(&self, func: Oid) -> PgResult<String> {
        let view = self.ctx.view;
        let Some(desc) = view.function(func)? else {
            return Err(common::internal!("cache lookup failed for function {func}"));
        };
        let visible = view.functions_by_name(None, &desc.name)?;
        let schema = view.namespace_name(desc.namespace)?;
        let schema = schema.as_deref().map(shown_schema);
        // Functions are not looked up in the temporary schema.
        let found = schema != Some(TEMP_SCHEMA) && visible.iter().any(|v| v.oid == func);
        Ok(quote_qualified(schema.filter(|_| !found), &desc.name))
    }

    pub(crate) fn function_call(&mut self, f: &FuncExpr) -> PgResult<()> {
        let Some(desc) = self.ctx.view.function(f.func)? else {
            return Err(common::internal!("cache lookup failed for function {}", f.func));
        };
        if f.form == CoercionForm::SqlSyntax && self.special_syntax(&desc.name, &f.args)? {
            return Ok(());
        }
        let name = self.function_name(f.func)?;
        self.push(&name);
        self.push("(");
        let last = f.args.len().saturating_sub(1);
        self.list(&f.args[..last])?;
        if let Some(arg) = f.args.last() {
            let comma = if last > 0 { ", " } else { "" };
            let variadic = if f.variadic { "VARIADIC " } else { "" };
            self.push(&format!("{comma}{variadic}"));
            self.expr(arg, Implicit::Shown)?;
        }
        self.push(")");
        Ok(())
    }

    pub(crate) fn aggregate(&mut self, a: &Aggref) -> PgResult<()> {
        let name = self.function_name(a.func)?;
        self.push(&format!("{name}("));
        if a.kind != b'n' {
            self.list(&a.direct_args)?;
            self.push(") WITHIN GROUP (ORDER BY ");
            self.order_by(&a.order_by, &a.args, SortPlace::Aggregate)?;
        } else {
            self.push(if a.distinct.is_empty() { "" } else { "DISTINCT " });
            if a.star {
                self.push("*");
            } else {
                let shown: Vec<&TargetEntry> = a.args.iter().filter(|t| !t.resjunk).collect();
                for (at, target) in shown.iter().enumerate() {
                    self.push(if at > 0 { ", " } else { "" });
                    let last = at + 1 == shown.len();
                    self.push(if a.variadic && last { "VARIADIC " } else { "" });
                    self.expr(&target.expr, Implicit::Shown)?;
                }
            }
            if !a.order_by.is_empty() {
                self.push(" ORDER BY ");
                self.order_by(&a.order_by, &a.args, SortPlace::Aggregate)?;
            }
        }
        self.filter(a.filter.as_ref())?;
        self.push(")");
        Ok(())
    }

    /// `) FILTER (WHERE ...`: the closing bracket follows.
    fn filter(&mut self, filter: Option<&Expr>) -> PgResult<()> {
        if let Some(filter) = filter {
            self.push(") FILTER (WHERE ");
            self.expr(filter, Implicit::Hidden)?;
        }
        Ok(())
    }

    pub(crate) fn window_call(&mut self, w: &WindowFunc) -> PgResult<()> {
        let name = self.function_name(w.func)?;
        self.push(&format!("{name}("));
        if w.star {
            self.push("*");
        } else {
            self.list(&w.args)?;
        }
        self.filter(w.filter.as_ref())?;
        self.push(") OVER ");
        let Some(scope) = self.scopes.last() else {
            return Err(common::internal!("window function outside of a query"));
        };
        let query = std::sync::Arc::clone(&scope.query);
        let wanted = |c: &&WindowClause| c.window_ref == w.window_ref;
        match query.window_clause.iter().find(wanted) {
            Some(WindowClause { name: Some(name), .. }) => {
                self.push(&quote_identifier(name));
                Ok(())
            }
            Some(clause) => self.window_spec(clause, &query.target_list),
            None => Err(common::internal!("could not find window clause {}", w.window_ref)),
        }
    }

    /// `(PARTITION BY ... ORDER BY ... ROWS ...)`.
    pub(crate) fn window_spec(&mut self, clause: &WindowClause, targets: &[TargetEntry]) -> PgResult<()> {
        self.push("(");
        let mut space = "";
        if let Some(name) = &clause.ref_name {
            self.push(&quote_identifier(name));
            space = " ";
        }
        if clause.ref_name.is_none() && !clause.partition.is_empty() {
            self.push("PARTITION BY ");
            for (at, item) in clause.partition.iter().enumerate() {
                self.push(if at > 0 { ", " } else { "" });
                self.sort_item(item.target_ref, targets, SortPlace::Group)?;
            }
            space = " ";
        }
        if !clause.order.is_empty() && !clause.copied_order {
            self.push(space);
            self.push("ORDER BY ");
            self.order_by(&clause.order, targets, SortPlace::Group)?;
            space = " ";
        }
        if clause.frame_given {
            self.push(space);
            self.frame(clause)?;
        }
        self.push(")");
        Ok(())
    }

    fn frame(&mut self, clause: &WindowClause) -> PgResult<()> {
        self.push(match clause.units {
            FrameUnits::Rows => "ROWS BETWEEN ",
            FrameUnits::Range => "RANGE BETWEEN ",
            FrameUnits::Groups => "GROUPS BETWEEN ",
        });
        self.frame_bound(&clause.start)?;
        self.push(" AND ");
        self.frame_bound(&clause.end)?;
        self.push(match clause.exclusion {
            FrameExclusion::NoOthers => "",
            FrameExclusion::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclusion::Group => " EXCLUDE GROUP",
            FrameExclusion::Ties => " EXCLUDE TIES",
        });
        Ok(())
    }

    fn frame_bound(&mut self, bound: &FrameBound) -> PgResult<()> {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(offset) => {
                self.expr(offset, Implicit::Hidden)?;
                self.push(" PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.expr(offset, Implicit::Hidden)?;
                self.push(" FOLLOWING");
            }
        }
        Ok(())
    }

    pub(crate) fn sublink(&mut self, s: &SubLink) -> PgResult<()> {
        self.push(if s.kind == SubLinkKind::Array {
            "ARRAY("
        } else {
            "("
        });
        let mut operator = None;
        if let Some(test) = &s.test {
            operator = Some(self.left_side(test)?);
        }
        let operator = s
            .op_name
            .as_deref()
            .map(str::to_owned)
            .or(operator)
            .unwrap_or_default();
        let brackets = match s.kind {
            SubLinkKind::Exists => {
                self.push("EXISTS (");
                true
            }
            SubLinkKind::Any if operator == "=" => {
                self.push(" IN (");
                true
            }
            SubLinkKind::Any | SubLinkKind::All | SubLinkKind::RowCompare => {
                let quantifier = match s.kind {
                    SubLinkKind::Any => "ANY ",
                    SubLinkKind::All => "ALL ",
                    _ => "",
                };
                self.push(&format!(" {operator} {quantifier}("));
                true
            }
            _ => false,
        };
        self.query(&s.query, Names::Hidden)?;
        self.push(if brackets { "))" } else { ")" });
        Ok(())
    }

    /// The left side of a comparison with a subquery; the operator's name.
    fn left_side(&mut self, test: &Expr) -> PgResult<String> {
        match test {
            Expr::Func(f) => {
                if let Some(left) = f.args.first() {
                    self.expr(left, Implicit::Shown)?;
                }
                self.operator_name(f.op)
            }
            Expr::Bool(b) => {
                let mut name = String::new();
                self.push("(");
                for (at, arg) in b.args.iter().enumerate() {
                    self.push(if at > 0 { ", " } else { "" });
                    name = self.left_side(arg)?;
                }
                self.push(")");
                Ok(name)
            }
            Expr::RowCompare(r) => {
                self.push("(");
                self.list(&r.left)?;
                self.push(")");
                Ok(row_operator(r.kind).to_owned())
            }
            Expr::Relabel(r) => self.left_side(&r.arg),
            _ => Err(common::unsupported!(
                "printing this kind of subquery comparison is not supported yet"
            )),
        }
    }

    pub(crate) fn row_compare(&mut self, r: &RowCompareExpr) -> PgResult<()> {
        self.push("(");
        self.named_list("ROW", &r.left)?;
        self.push(&format!(" {} ", row_operator(r.kind)));
        self.named_list("ROW", &r.right)?;
        self.push(")");
        Ok(())
    }
}

fn row_operator(kind: RowCompareKind) -> &'static str {
    match kind {
        RowCompareKind::Lt => "<",
        RowCompareKind::Le => "<=",
        RowCompareKind::Ge => ">=",
        RowCompareKind::Gt => ">",
    }
}
