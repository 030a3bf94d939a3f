//! Stored expressions and queries as PostgreSQL spells them: `pg_get_expr`, `pg_get_viewdef`, defaults, CHECK constraints.
//!
//! PG: src/backend/utils/adt/ruleutils.c.
//!
//! # How it works
//! One [`Writer`] appends to one text. [`Style`] says whether every operator call has its own parentheses (the plain form) or only
//! those that need them (the "pretty" form, [`paren`]), and whether lines are broken. A query puts a [`from::Scope`] with the names
//! of its range table on a stack; columns find theirs there.
//!
//! # Not here
//! Data-modifying queries (they only occur in rules) answer 0A000.

mod calls;
mod constant;
mod from;
mod json;
mod json_table;
mod paren;
mod query;
mod routine;
mod syntax;
mod xml;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, unsupported};
use nodes::expr::{
    BoolOp, BoolTestKind, BooleanTest, CaseExpr, CoercionForm, FuncExpr, NullTest, ScalarArrayOpExpr,
    SqlValueFunction, SqlValueKind, SubscriptingRef, VarSource,
};
use nodes::partition::{PartitionBound, RangeDatum};
use nodes::{Expr, Query};
use types::io::IoContext;
use types::settings::TypeRef;

pub use crate::deparse::constant::quote_literal;
pub use crate::deparse::from::looks_like_function;
pub use crate::deparse::routine::routine_body;

use crate::deparse::from::Scope;
use crate::deparse::paren::Parent;
use crate::desc::RelationDesc;
use crate::format_type::format_type;
use crate::names::{quote_identifier, quote_qualified};
use crate::view::CatalogView;

/// What names and values are printed with.
pub struct Deparse<'a> {
    /// The catalog, for names of functions, operators, types, collations.
    pub view: &'a dyn CatalogView,
    /// The relation whose columns the expression names, if any.
    pub relation: Option<&'a RelationDesc>,
    /// For constants.
    pub io: IoContext<'a>,
}

/// Spaces by which CASE arms are indented.
const INDENT: i32 = 4;

/// How texts look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Leave parentheses out where precedence makes them needless.
    pub pretty: bool,
    /// Break lines.
    pub indent: bool,
    /// Lists go on a new line beyond this column; 0: one item per line.
    pub wrap_column: usize,
}

impl Style {
    /// What `pg_get_*def(oid)` prints.
    pub const PLAIN: Style = Style {
        pretty: false,
        indent: true,
        wrap_column: 0,
    };
    /// What `pg_get_*def(oid, true)` prints.
    pub const PRETTY: Style = Style {
        pretty: true,
        indent: true,
        wrap_column: 0,
    };
    /// What EXPLAIN prints.
    pub const INLINE: Style = Style {
        pretty: false,
        indent: false,
        wrap_column: 0,
    };
}

/// The SQL text of an expression.
pub fn expression(ctx: &Deparse<'_>, expr: &Expr) -> PgResult<String> {
    styled_expression(ctx, expr, Style::PLAIN)
}

/// The SQL text of an expression in a style.
pub fn styled_expression(ctx: &Deparse<'_>, expr: &Expr, style: Style) -> PgResult<String> {
    let mut out = Writer::new(ctx, style);
    out.expr(expr, Implicit::Hidden)?;
    Ok(out.text)
}

/// One side of a range bound: `(1, MINVALUE)`.
pub fn range_side(ctx: &Deparse<'_>, side: &[RangeDatum]) -> PgResult<String> {
    let mut out = Writer::new(ctx, Style::PLAIN);
    out.push("(");
    for (i, datum) in side.iter().enumerate() {
        if i > 0 {
            out.push(", ");
        }
        match datum {
            RangeDatum::MinValue => out.push("MINVALUE"),
            RangeDatum::MaxValue => out.push("MAXVALUE"),
            RangeDatum::Value(c) => out.constant(c, constant::Label::Never)?,
        }
    }
    out.push(")");
    Ok(out.text)
}

/// FOR VALUES ... as `pg_get_expr(relpartbound)` prints it.
pub fn partition_bound(ctx: &Deparse<'_>, bound: &PartitionBound) -> PgResult<String> {
    Ok(match bound {
        PartitionBound::Default => "DEFAULT".to_owned(),
        PartitionBound::Hash { modulus, remainder } => {
            format!("FOR VALUES WITH (modulus {modulus}, remainder {remainder})")
        }
        PartitionBound::Range { lower, upper } => format!(
            "FOR VALUES FROM {} TO {}",
            range_side(ctx, lower)?,
            range_side(ctx, upper)?
        ),
        PartitionBound::List(values) => {
            let values: Vec<RangeDatum> = values.iter().cloned().map(RangeDatum::Value).collect();
            format!("FOR VALUES IN {}", range_side(ctx, &values)?)
        }
    })
}

/// The SQL text of a view's query; `columns` are the view's column names.
pub fn query(ctx: &Deparse<'_>, query: &Arc<Query>, columns: &[Arc<str>], style: Style) -> PgResult<String> {
    let mut out = Writer::new(ctx, style);
    out.query(query, query::Names::Of(columns))?;
    Ok(out.text)
}

/// Texts of nodes that only their surroundings can name: columns of plan nodes, subplans, aggregates (EXPLAIN).
pub trait Names {
    /// The text of this node; `None`: print it as usual.
    fn name(&self, expr: &Expr) -> PgResult<Option<String>>;
}

/// The SQL text of an expression, with names from its surroundings.
pub fn expression_with(ctx: &Deparse<'_>, expr: &Expr, names: &dyn Names) -> PgResult<String> {
    let mut out = Writer::new(ctx, Style::INLINE);
    out.names = Some(names);
    out.expr(expr, Implicit::Hidden)?;
    Ok(out.text)
}

/// Whether casts that nobody wrote are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Implicit {
    Hidden,
    Shown,
}

struct Writer<'a> {
    ctx: &'a Deparse<'a>,
    names: Option<&'a dyn Names>,
    /// The routine whose body is printed, and its parameters.
    routine: Option<(&'a str, &'a [Arc<str>])>,
    text: String,
    style: Style,
    /// Spaces at the begin of a line.
    level: i32,
    /// Queries around what is being printed, innermost last.
    scopes: Vec<Scope>,
}

impl<'a> Writer<'a> {
    fn new(ctx: &'a Deparse<'a>, style: Style) -> Writer<'a> {
        Writer {
            ctx,
            names: None,
            routine: None,
            text: String::new(),
            style,
            level: 0,
            scopes: Vec::new(),
        }
    }
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn expr(&mut self, expr: &Expr, implicit: Implicit) -> PgResult<()> {
        if let Some(names) = self.names
            && let Some(text) = names.name(expr)?
        {
            self.push(&text);
            return Ok(());
        }
        match expr {
            Expr::Const(c) => self.constant(c, constant::Label::WhereNeeded),
            Expr::Var(v) => self.variable(v),
            Expr::Param(p) => {
                self.parameter(p.number);
                Ok(())
            }
            Expr::Func(f) => self.call(f, implicit),
            Expr::Distinct(d) if d.negated => {
                self.open();
                self.push("NOT ");
                self.infix(&d.equality.args, "IS DISTINCT FROM", |_| Parent::Other)?;
                self.close();
                Ok(())
            }
            Expr::Distinct(d) => self.infix(&d.equality.args, "IS DISTINCT FROM", |_| Parent::Other),
            Expr::NullIf(f) => self.named_list("NULLIF", &f.args),
            Expr::ScalarArrayOp(a) => self.scalar_array(a),
            Expr::Bool(b) => match b.op {
                BoolOp::And => self.infix(&b.args, "AND", |_| Parent::Bool(BoolOp::And)),
                BoolOp::Or => self.infix(&b.args, "OR", |_| Parent::Bool(BoolOp::Or)),
                BoolOp::Not => self.prefix("NOT", &b.args, Parent::Bool(BoolOp::Not)),
            },
            Expr::Case(c) => self.case(c),
            Expr::Coalesce(c) => self.coalesce(&c.args),
            Expr::MinMax(m) => self.named_list(if m.greatest { "GREATEST" } else { "LEAST" }, &m.args.args),
            Expr::NullTest(n) => self.null_test(n),
            Expr::BooleanTest(b) => self.boolean_test(b),
            Expr::SqlValueFunction(f) => self.sql_value(f),
            Expr::Relabel(r) => self.coercion(&r.arg, r.result, r.form, implicit),
            Expr::CoerceViaIo(c) | Expr::CoerceToDomain(c) => {
                self.coercion(&c.arg, c.result, c.form, implicit)
            }
            Expr::ArrayCoerce(a) => self.coercion(&a.arg, a.result, a.form, implicit),
            Expr::CoerceToDomainValue(_) => {
                self.push("VALUE");
                Ok(())
            }
            Expr::Collate(c) => {
                self.open();
                self.operand(&c.arg, implicit, Parent::Other)?;
                let collation = self.collation(c.collation)?;
                self.push(&format!(" COLLATE {collation}"));
                self.close();
                Ok(())
            }
            Expr::Array(a) => {
                self.push("ARRAY[");
                self.list(&a.elements)?;
                self.push("]");
                if a.elements.is_empty() {
                    self.label(TypeRef::plain(a.array_type))?;
                }
                Ok(())
            }
            Expr::Row(r) => {
                self.named_list("ROW", &r.args)?;
                if r.form == CoercionForm::ExplicitCast {
                    self.label(TypeRef::plain(r.row_type))?;
                }
                Ok(())
            }
            Expr::FieldSelect(f) => self.field(&f.arg, f.field),
            Expr::Json(j) => self.json(j),
            Expr::Subscripting(s) => self.subscripts(s),
            other => self.rare(other, implicit),
        }
    }

    /// Kinds that stored expressions seldom have.
    fn rare(&mut self, expr: &Expr, implicit: Implicit) -> PgResult<()> {
        match expr {
            Expr::NextValue { sequence, .. } => self.next_value(*sequence),
            Expr::Aggref(a) => self.aggregate(a),
            Expr::WindowFunc(w) => self.window_call(w),
            Expr::GroupingFunc(g) => self.named_list("GROUPING", &g.args),
            Expr::SubLink(s) => self.sublink(s),
            Expr::RowCompare(r) => self.row_compare(r),
            Expr::Xml(x) => self.xml(x),
            Expr::SetToDefault(_) => {
                self.push("DEFAULT");
                Ok(())
            }
            Expr::NamedArg { name, arg, .. } => {
                self.push(&format!("{} => ", quote_identifier(name)));
                self.expr(arg, implicit)
            }
            _ => Err(unsupported!(
                "printing this kind of expression is not supported yet"
            )),
        }
    }

    fn next_value(&mut self, sequence: Oid) -> PgResult<()> {
        let name = self.relation_name(sequence)?;
        self.push(&format!("nextval({}::regclass)", constant::quote_literal(&name)));
        Ok(())
    }

    /// `(` where every call has its own.
    fn open(&mut self) {
        if !self.style.pretty {
            self.text.push('(');
        }
    }

    /// The end of [`Writer::open`].
    fn close(&mut self) {
        if !self.style.pretty {
            self.text.push(')');
        }
    }

    /// An operand, in parentheses where the pretty form needs them.
    fn operand(&mut self, arg: &Expr, implicit: Implicit, parent: Parent) -> PgResult<()> {
        let bare = !self.style.pretty || self.is_simple(arg, parent)?;
        self.push(if bare { "" } else { "(" });
        self.expr(arg, implicit)?;
        self.push(if bare { "" } else { ")" });
        Ok(())
    }

    fn list(&mut self, args: &[Expr]) -> PgResult<()> {
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.expr(arg, Implicit::Shown)?;
        }
        Ok(())
    }

    fn named_list(&mut self, name: &str, args: &[Expr]) -> PgResult<()> {
        self.push(name);
        self.push("(");
        self.list(args)?;
        self.push(")");
        Ok(())
    }

    /// `(a op b op c)`; `parent` tells what operand number n is part of.
    fn infix(&mut self, args: &[Expr], op: &str, parent: impl Fn(usize) -> Parent) -> PgResult<()> {
        self.open();
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                self.push(&format!(" {op} "));
            }
            self.operand(arg, Implicit::Shown, parent(at))?;
        }
        self.close();
        Ok(())
    }

    /// `(op a)`.
    fn prefix(&mut self, op: &str, args: &[Expr], parent: Parent) -> PgResult<()> {
        self.open();
        self.push(&format!("{op} "));
        for arg in args {
            self.operand(arg, Implicit::Shown, parent)?;
        }
        self.close();
        Ok(())
    }

    fn variable(&mut self, v: &nodes::Var) -> PgResult<()> {
        if self.scopes.is_empty() {
            self.column(v.source, v.attno)
        } else {
            self.query_column(v, from::Place::Inside).map(|_| ())
        }
    }

    fn column(&mut self, source: VarSource, attno: AttrNumber) -> PgResult<()> {
        let VarSource::Rel { levels_up: 0, .. } = source else {
            return Err(unsupported!("printing expressions of plans is not supported"));
        };
        let name = match self.ctx.relation.and_then(|r| r.column(attno)) {
            Some(column) => quote_identifier(&column.name).into_owned(),
            None if attno == 0 => match self.ctx.relation {
                Some(r) => format!("{}.*", quote_identifier(&r.name)),
                None => return Err(common::internal!("whole-row reference without a relation")),
            },
            None => match crate::builtin::rows::SYSTEM_COLUMNS.iter().find(|c| c.2 == attno) {
                Some(system) => system.0.to_owned(),
                None => return Err(common::internal!("bogus varattno {attno}")),
            },
        };
        self.push(&name);
        Ok(())
    }

    fn call(&mut self, f: &FuncExpr, implicit: Implicit) -> PgResult<()> {
        if f.op.is_valid() {
            return self.operator_call(f);
        }
        match (f.form, f.args.first()) {
            (CoercionForm::ImplicitCast, Some(arg)) if implicit == Implicit::Hidden => {
                self.operand(arg, implicit, Parent::Cast)
            }
            (CoercionForm::ExplicitCast | CoercionForm::ImplicitCast, Some(arg)) => {
                self.cast(without_inner_cast(arg, f.result), f.result)
            }
            _ => self.function_call(f),
        }
    }

    pub(crate) fn operator_name(&self, op: Oid) -> PgResult<String> {
        let Some(desc) = self.ctx.view.operator(op)? else {
            return Err(common::internal!("cache lookup failed for operator {op}"));
        };
        if self
            .ctx
            .view
            .operators_by_name(None, &desc.name)?
            .iter()
            .any(|v| v.oid == op)
        {
            return Ok(desc.name.to_string());
        }
        let schema = self.ctx.view.namespace_name(desc.namespace)?;
        Ok(format!(
            "OPERATOR({}.{})",
            quote_identifier(schema.as_deref().unwrap_or_default()),
            desc.name
        ))
    }

    fn operator_call(&mut self, f: &FuncExpr) -> PgResult<()> {
        let name = self.operator_name(f.op)?;
        let rank = paren::rank(&name);
        match f.args.len() {
            1 => self.prefix(&name, &f.args, Parent::Operator { rank, left: true }),
            _ => self.infix(&f.args, &name, |at| Parent::Operator { rank, left: at == 0 }),
        }
    }

    fn scalar_array(&mut self, a: &ScalarArrayOpExpr) -> PgResult<()> {
        let name = self.operator_name(a.op)?;
        self.open();
        self.operand(&a.scalar, Implicit::Shown, Parent::Other)?;
        self.push(&format!(" {name} {} (", if a.use_or { "ANY" } else { "ALL" }));
        self.operand(&a.array, Implicit::Shown, Parent::Other)?;
        self.push(")");
        self.close();
        Ok(())
    }

    /// A new line at the current indentation, or a space where lines are not broken.
    fn line(&mut self) {
        if self.style.indent {
            self.break_line(0);
        } else if !self.text.is_empty() && !self.text.ends_with([' ', '(']) {
            self.text.push(' ');
        }
    }

    /// Characters since the last line break.
    fn line_length(&self) -> usize {
        self.text.len() - self.text.rfind('\n').map_or(0, |at| at + 1)
    }

    /// Without trailing spaces: those of the line so far go.
    fn trim(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
    }

    /// A new line with `plus` spaces more than the current indentation. Far inside, lines begin at the left again.
    fn break_line(&mut self, plus: i32) {
        const LIMIT: i32 = 40;
        const DEEP_STEP: i32 = 4;
        self.trim();
        self.text.push('\n');
        let amount = if self.level < LIMIT {
            self.level.max(0)
        } else {
            (LIMIT + (self.level - LIMIT) / DEEP_STEP) % LIMIT
        };
        self.text
            .extend(std::iter::repeat_n(' ', (amount + plus).max(0) as usize));
    }

    fn case(&mut self, c: &CaseExpr) -> PgResult<()> {
        self.line();
        self.push("CASE");
        self.level += INDENT;
        if let Some(arg) = &c.arg {
            self.push(" ");
            self.expr(arg, Implicit::Shown)?;
        }
        for when in &c.whens {
            self.line();
            self.push("WHEN ");
            self.expr(case_test(c, &when.condition), Implicit::Hidden)?;
            self.push(" THEN ");
            self.expr(&when.result, Implicit::Shown)?;
        }
        self.line();
        self.push("ELSE ");
        self.expr(&c.default, Implicit::Shown)?;
        self.level -= INDENT;
        self.line();
        self.push("END");
        Ok(())
    }

    fn null_test(&mut self, n: &NullTest) -> PgResult<()> {
        self.open();
        self.operand(&n.arg, Implicit::Shown, Parent::Other)?;
        // On a row that is not syntactically one, PostgreSQL tells the two meanings apart.
        self.push(if n.is_not { " IS NOT NULL" } else { " IS NULL" });
        self.close();
        Ok(())
    }

    fn boolean_test(&mut self, b: &BooleanTest) -> PgResult<()> {
        self.open();
        self.operand(&b.arg, Implicit::Hidden, Parent::Other)?;
        self.push(match b.kind {
            BoolTestKind::IsTrue => " IS TRUE",
            BoolTestKind::IsNotTrue => " IS NOT TRUE",
            BoolTestKind::IsFalse => " IS FALSE",
            BoolTestKind::IsNotFalse => " IS NOT FALSE",
            BoolTestKind::IsUnknown => " IS UNKNOWN",
            BoolTestKind::IsNotUnknown => " IS NOT UNKNOWN",
        });
        self.close();
        Ok(())
    }

    fn sql_value(&mut self, f: &SqlValueFunction) -> PgResult<()> {
        let name = match f.kind {
            SqlValueKind::CurrentDate => "CURRENT_DATE",
            SqlValueKind::CurrentTime => "CURRENT_TIME",
            SqlValueKind::CurrentTimestamp => "CURRENT_TIMESTAMP",
            SqlValueKind::LocalTime => "LOCALTIME",
            SqlValueKind::LocalTimestamp => "LOCALTIMESTAMP",
            SqlValueKind::CurrentRole => "CURRENT_ROLE",
            SqlValueKind::CurrentUser => "CURRENT_USER",
            SqlValueKind::User => "USER",
            SqlValueKind::SessionUser => "SESSION_USER",
            SqlValueKind::CurrentCatalog => "CURRENT_CATALOG",
            SqlValueKind::CurrentSchema => "CURRENT_SCHEMA",
        };
        self.push(name);
        if f.result.typmod >= 0 {
            self.push(&format!("({})", f.result.typmod));
        }
        Ok(())
    }

    fn coercion(
        &mut self,
        arg: &Expr,
        result: TypeRef,
        form: CoercionForm,
        implicit: Implicit,
    ) -> PgResult<()> {
        if form == CoercionForm::ImplicitCast && implicit == Implicit::Hidden {
            return self.operand(arg, implicit, Parent::Other);
        }
        self.cast(arg, result)
    }

    /// `(arg)::type`, or a labelled constant.
    fn cast(&mut self, arg: &Expr, result: TypeRef) -> PgResult<()> {
        match arg {
            Expr::Const(c) if c.type_ref == TypeRef::plain(result.oid) => {
                self.constant(c, constant::Label::Never)?
            }
            arg => {
                self.open();
                self.operand(arg, Implicit::Hidden, Parent::Cast)?;
                self.close();
            }
        }
        self.label(result)
    }

    fn label(&mut self, type_ref: TypeRef) -> PgResult<()> {
        let name = format_type(self.ctx.view, type_ref.oid, type_ref.typmod)?;
        self.push(&format!("::{name}"));
        Ok(())
    }

    fn collation(&self, collation: Oid) -> PgResult<String> {
        let name = self.ctx.view.collation_name(collation)?;
        Ok(quote_identifier(name.as_deref().unwrap_or("???")).into_owned())
    }

    fn relation_name(&self, relation: Oid) -> PgResult<String> {
        let Some(rel) = self.ctx.view.relation(relation)? else {
            return Ok(relation.to_string());
        };
        let found = self.ctx.view.relation_by_name(None, &rel.name)?;
        let visible = found.is_some_and(|f| f.oid == relation);
        Ok(quote_qualified(
            if visible { None } else { Some(&rel.namespace_name) },
            &rel.name,
        ))
    }

    fn field(&mut self, arg: &Expr, field: AttrNumber) -> PgResult<()> {
        let row_type = self.ctx.view.type_desc(arg.type_oid())?;
        let relation = match row_type {
            Some(t) if t.relation.is_valid() => self.ctx.view.relation(t.relation)?,
            _ => None,
        };
        let name = relation
            .as_ref()
            .and_then(|r| r.column(field))
            .map(|c| c.name.clone());
        let bare = matches!(arg, Expr::Subscripting(_) | Expr::FieldSelect(_));
        self.push(if bare { "" } else { "(" });
        self.expr(arg, Implicit::Shown)?;
        let name = name.unwrap_or_else(|| format!("f{field}").into());
        self.push(if bare { "." } else { ")." });
        self.push(&quote_identifier(&name));
        Ok(())
    }

    fn subscripts(&mut self, s: &SubscriptingRef) -> PgResult<()> {
        if s.assign.is_some() {
            return Err(unsupported!(
                "printing an assignment to a subscript is not supported yet"
            ));
        }
        let bare = matches!(*s.container, Expr::Var(_) | Expr::FieldSelect(_));
        self.push(if bare { "" } else { "(" });
        self.expr(&s.container, Implicit::Shown)?;
        self.push(if bare { "" } else { ")" });
        for (at, upper) in s.upper.iter().enumerate() {
            self.push("[");
            if s.is_slice {
                if let Some(Some(lower)) = s.lower.get(at) {
                    self.expr(lower, Implicit::Hidden)?;
                }
                self.push(":");
            }
            if let Some(upper) = upper {
                self.expr(upper, Implicit::Hidden)?;
            }
            self.push("]");
        }
        Ok(())
    }
}

/// A cast to `varchar(5)` is stored as a cast to `varchar` inside a call that cuts to the length; one is printed.
fn without_inner_cast(arg: &Expr, result: TypeRef) -> &Expr {
    if arg.type_ref() != TypeRef::plain(result.oid) || result.typmod < 0 {
        return arg;
    }
    match arg {
        Expr::Relabel(r) => &r.arg,
        Expr::CoerceViaIo(c) => &c.arg,
        Expr::Func(f) if matches!(f.form, CoercionForm::ExplicitCast | CoercionForm::ImplicitCast) => {
            f.args.first().unwrap_or(arg)
        }
        other => other,
    }
}

/// `CASE x WHEN v` is stored as `placeholder = v`: the value alone is printed.
fn case_test<'e>(case: &CaseExpr, condition: &'e Expr) -> &'e Expr {
    match condition {
        Expr::Func(f) if case.arg.is_some() && f.args.len() == 2 => match strip_coercions(&f.args[0]) {
            Expr::CaseTest(_) => &f.args[1],
            _ => condition,
        },
        _ => condition,
    }
}

fn strip_coercions(expr: &Expr) -> &Expr {
    match expr {
        Expr::Relabel(r) => strip_coercions(&r.arg),
        Expr::CoerceViaIo(c) => strip_coercions(&c.arg),
        Expr::Func(f) if f.form == CoercionForm::ImplicitCast && !f.args.is_empty() => {
            strip_coercions(&f.args[0])
        }
        other => other,
    }
}
