//! Stored expressions as PostgreSQL spells them: `pg_get_expr`, defaults, CHECK constraints, index expressions.
//!
//! PG: src/backend/utils/adt/ruleutils.c (without "pretty" parentheses: every operator call has its own).
//!
//! Not here: queries (`pg_get_viewdef`), aggregates and window functions: they answer 0A000.

mod constant;
mod json;

#[cfg(test)]
mod tests;

use common::{AttrNumber, Oid, PgResult, unsupported};
use nodes::Expr;
use nodes::expr::{
    BoolOp, BoolTestKind, BooleanTest, CaseExpr, CoercionForm, FuncExpr, NullTest, ScalarArrayOpExpr,
    SqlValueFunction, SqlValueKind, SubscriptingRef, VarSource,
};
use nodes::partition::{PartitionBound, RangeDatum};
use types::io::IoContext;
use types::settings::TypeRef;

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
const INDENT: usize = 4;

/// The SQL text of an expression.
pub fn expression(ctx: &Deparse<'_>, expr: &Expr) -> PgResult<String> {
    let mut out = Writer {
        ctx,
        names: None,
        text: String::new(),
        level: 0,
    };
    out.expr(expr, Implicit::Hidden)?;
    Ok(out.text)
}

/// One side of a range bound: `(1, MINVALUE)`.
pub fn range_side(ctx: &Deparse<'_>, side: &[RangeDatum]) -> PgResult<String> {
    let mut out = Writer {
        ctx,
        names: None,
        text: String::new(),
        level: 0,
    };
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

/// Texts of nodes that only their surroundings can name: columns of plan nodes, subplans, aggregates (EXPLAIN).
pub trait Names {
    /// The text of this node; `None`: print it as usual.
    fn name(&self, expr: &Expr) -> PgResult<Option<String>>;
}

/// The SQL text of an expression, with names from its surroundings.
pub fn expression_with(ctx: &Deparse<'_>, expr: &Expr, names: &dyn Names) -> PgResult<String> {
    let mut out = Writer {
        ctx,
        names: Some(names),
        text: String::new(),
        level: 0,
    };
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
    text: String,
    level: usize,
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
            Expr::Var(v) => self.column(v.source, v.attno),
            Expr::Param(p) => {
                self.push(&format!("${}", p.number));
                Ok(())
            }
            Expr::Func(f) => self.call(f, implicit),
            Expr::Distinct(d) if d.negated => {
                self.push("(NOT ");
                self.infix(&d.equality.args, "IS DISTINCT FROM")?;
                self.push(")");
                Ok(())
            }
            Expr::Distinct(d) => self.infix(&d.equality.args, "IS DISTINCT FROM"),
            Expr::NullIf(f) => self.named_list("NULLIF", &f.args),
            Expr::ScalarArrayOp(a) => self.scalar_array(a),
            Expr::Bool(b) => match b.op {
                BoolOp::And => self.infix(&b.args, "AND"),
                BoolOp::Or => self.infix(&b.args, "OR"),
                BoolOp::Not => self.prefix("NOT", &b.args),
            },
            Expr::Case(c) => self.case(c),
            Expr::Coalesce(c) => self.named_list("COALESCE", &c.args),
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
                self.push("(");
                self.expr(&c.arg, Implicit::Shown)?;
                let collation = self.collation(c.collation)?;
                self.push(&format!(" COLLATE {collation})"));
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
            Expr::NextValue { sequence, .. } => self.next_value(*sequence),
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

    /// `(a op b op c)`.
    fn infix(&mut self, args: &[Expr], op: &str) -> PgResult<()> {
        self.push("(");
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                self.push(&format!(" {op} "));
            }
            self.expr(arg, Implicit::Shown)?;
        }
        self.push(")");
        Ok(())
    }

    /// `(op a)`.
    fn prefix(&mut self, op: &str, args: &[Expr]) -> PgResult<()> {
        self.push(&format!("({op} "));
        self.list(args)?;
        self.push(")");
        Ok(())
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
                self.expr(arg, implicit)
            }
            (CoercionForm::ExplicitCast | CoercionForm::ImplicitCast, Some(arg)) => self.cast(arg, f.result),
            _ => self.function_call(f),
        }
    }

    fn function_call(&mut self, f: &FuncExpr) -> PgResult<()> {
        let Some(desc) = self.ctx.view.function(f.func)? else {
            return Err(common::internal!("cache lookup failed for function {}", f.func));
        };
        if f.form == CoercionForm::SqlSyntax && self.special_syntax(&desc.name, &f.args)? {
            return Ok(());
        }
        let visible = self
            .ctx
            .view
            .functions_by_name(None, &desc.name)?
            .iter()
            .any(|v| v.oid == f.func);
        let schema = if visible {
            None
        } else {
            self.ctx.view.namespace_name(desc.namespace)?
        };
        self.push(&quote_qualified(schema.as_deref(), &desc.name));
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

    /// Functions with a syntax of their own, when it was written so.
    fn special_syntax(&mut self, name: &str, args: &[Expr]) -> PgResult<bool> {
        match (name, args) {
            ("timezone", [zone, value]) => {
                self.push("(");
                self.expr(value, Implicit::Shown)?;
                self.push(" AT TIME ZONE ");
                self.expr(zone, Implicit::Shown)?;
                self.push(")");
            }
            ("extract", [Expr::Const(field), value]) => {
                let field = field.value.as_str().unwrap_or_default().to_owned();
                self.push(&format!("EXTRACT({field} FROM "));
                self.expr(value, Implicit::Shown)?;
                self.push(")");
            }
            ("position", [text, part]) => {
                self.push("POSITION((");
                self.expr(part, Implicit::Shown)?;
                self.push(") IN (");
                self.expr(text, Implicit::Shown)?;
                self.push("))");
            }
            ("btrim" | "ltrim" | "rtrim", [text, rest @ ..]) => {
                let side = match name {
                    "btrim" => "BOTH",
                    "ltrim" => "LEADING",
                    _ => "TRAILING",
                };
                self.push(&format!("TRIM({side}"));
                if let [chars] = rest {
                    self.push(" ");
                    self.expr(chars, Implicit::Shown)?;
                }
                self.push(" FROM ");
                self.expr(text, Implicit::Shown)?;
                self.push(")");
            }
            ("substring", [text, from, rest @ ..]) => {
                self.push("SUBSTRING(");
                self.expr(text, Implicit::Shown)?;
                self.push(" FROM ");
                self.expr(from, Implicit::Shown)?;
                if let [len] = rest {
                    self.push(" FOR ");
                    self.expr(len, Implicit::Shown)?;
                }
                self.push(")");
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn operator_name(&self, op: Oid) -> PgResult<String> {
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
        match f.args.len() {
            1 => self.prefix(&name, &f.args),
            _ => self.infix(&f.args, &name),
        }
    }

    fn scalar_array(&mut self, a: &ScalarArrayOpExpr) -> PgResult<()> {
        let name = self.operator_name(a.op)?;
        self.push("(");
        self.expr(&a.scalar, Implicit::Shown)?;
        self.push(&format!(" {name} {} (", if a.use_or { "ANY" } else { "ALL" }));
        self.expr(&a.array, Implicit::Shown)?;
        self.push("))");
        Ok(())
    }

    /// A new line at the current indentation.
    fn line(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.level * INDENT));
    }

    fn case(&mut self, c: &CaseExpr) -> PgResult<()> {
        self.line();
        self.push("CASE");
        self.level += 1;
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
        self.level -= 1;
        self.line();
        self.push("END");
        Ok(())
    }

    fn null_test(&mut self, n: &NullTest) -> PgResult<()> {
        self.push("(");
        self.expr(&n.arg, Implicit::Shown)?;
        // On a row that is not syntactically one, PostgreSQL tells the two meanings apart.
        self.push(if n.is_not { " IS NOT NULL)" } else { " IS NULL)" });
        Ok(())
    }

    fn boolean_test(&mut self, b: &BooleanTest) -> PgResult<()> {
        self.push("(");
        self.expr(&b.arg, Implicit::Hidden)?;
        self.push(match b.kind {
            BoolTestKind::IsTrue => " IS TRUE)",
            BoolTestKind::IsNotTrue => " IS NOT TRUE)",
            BoolTestKind::IsFalse => " IS FALSE)",
            BoolTestKind::IsNotFalse => " IS NOT FALSE)",
            BoolTestKind::IsUnknown => " IS UNKNOWN)",
            BoolTestKind::IsNotUnknown => " IS NOT UNKNOWN)",
        });
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
            return self.expr(arg, implicit);
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
                self.push("(");
                self.expr(arg, Implicit::Hidden)?;
                self.push(")");
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
        self.push("(");
        self.expr(arg, Implicit::Shown)?;
        let name = name.unwrap_or_else(|| format!("f{field}").into());
        self.push(&format!(").{}", quote_identifier(&name)));
        Ok(())
    }

    fn subscripts(&mut self, s: &SubscriptingRef) -> PgResult<()> {
        if s.assign.is_some() {
            return Err(unsupported!(
                "printing an assignment to a subscript is not supported yet"
            ));
        }
        let bare = matches!(*s.container, Expr::Var(_));
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
