//! Literals: text to values of their type, and the types of numbers.
//!
//! PG: src/backend/parser/parse_node.c (`make_const`), parse_param.c.

use catalog::view::TextSearchObject;
use common::error::{ErrorExt, ResultExt};
use common::{Oid, PgResult, Span, cancel, pg_err};
use nodes::Expr;
use nodes::expr::{CoerceExpr, Const, Param, ParamKind};
use parser::ast::{self, ConstValue};
use types::io::{CompositeField, IoContext, NameResolver, RegKind, UserType};
use types::names::{name_and_types, split_name};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::context::{AnalyzeContext, ParamTypes, is_known_param};
use crate::parse_coerce::CoerceTo;
use crate::state::Analyzer;

impl Analyzer<'_> {
    /// A constant of the statement text; strings stay `unknown`.
    pub fn make_const(&self, c: &ast::AConst) -> PgResult<Expr> {
        let (value, type_oid) = match &c.value {
            ConstValue::Null => (Datum::Null, oids::UNKNOWN),
            ConstValue::Integer(i) => (Datum::Int4(*i), oids::INT4),
            ConstValue::Boolean(b) => (Datum::Bool(*b), oids::BOOL),
            ConstValue::String(s) => (Datum::text(s.clone()), oids::UNKNOWN),
            ConstValue::BitString(s) => (
                self.literal_value(TypeRef::plain(oids::BIT), s, c.span)?,
                oids::BIT,
            ),
            ConstValue::Float(s) => match parse_int8(s) {
                // An int4 written with more digits or another radix than the lexer's integer still is one.
                Some(v) if i32::try_from(v).is_ok() => (Datum::Int4(v as i32), oids::INT4),
                Some(v) => (Datum::Int8(v), oids::INT8),
                None => (
                    self.literal_value(TypeRef::plain(oids::NUMERIC), s, c.span)?,
                    oids::NUMERIC,
                ),
            },
        };
        Ok(Expr::Const(Const {
            value,
            type_ref: TypeRef::plain(type_oid),
            collation: Oid::INVALID,
            span: c.span,
        }))
    }

    /// The value of a literal for a base type.
    pub fn literal_value(&self, type_ref: TypeRef, text: &str, span: Span) -> PgResult<Datum> {
        let t = self.ty(type_ref.oid)?;
        match t.kind {
            b'p' if type_ref.oid != oids::RECORD
                && type_ref.oid != oids::CSTRING
                && type_ref.oid != oids::UNKNOWN =>
            {
                if type_ref.oid == oids::VOID {
                    return Ok(Datum::text(""));
                }
                Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot accept a value of type {}",
                    self.format_type(type_ref.oid)
                )
                .at(span))
            }
            _ => {
                let names = CatalogNames { cx: self.cx, span };
                let mut io = IoContext::new(self.cx.settings);
                let cancel = cancel::current();
                io.resolver = Some(&names);
                io.cancel = &cancel;
                types::io::input(type_ref.oid, type_ref.typmod, text, &io).at(span)
            }
        }
    }

    /// Input functions check the constraints of domains inside arrays and rows, which takes an expression evaluator.
    pub(crate) fn literal_at_run_time(&mut self, c: Const, base: TypeRef, to: CoerceTo) -> PgResult<Expr> {
        let made = Expr::CoerceViaIo(CoerceExpr {
            span: c.span,
            arg: Box::new(Expr::Const(c)),
            result: TypeRef::plain(base.oid),
            collation: self.type_collation(base.oid)?,
            form: to.form,
        });
        if base.oid != to.target.oid {
            return self.coerce_to_domain(made, base, to);
        }
        Ok(made)
    }

    /// True for arrays, rows and ranges of users that contain domains.
    pub(crate) fn holds_domains(&self, type_oid: Oid) -> PgResult<bool> {
        if type_oid < Oid::FIRST_NORMAL {
            return Ok(false);
        }
        let t = self.ty(type_oid)?;
        let inner: Vec<Oid> = match t.kind {
            _ if t.is_array => vec![t.element],
            b'c' => {
                let fields = self.composite_fields(type_oid)?.unwrap_or_default();
                fields
                    .iter()
                    .filter(|f| !f.dropped)
                    .map(|f| f.type_ref.oid)
                    .collect()
            }
            b'r' | b'm' => self
                .cx
                .catalog
                .range(type_oid)?
                .map(|r| r.subtype)
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        for t in inner {
            if t >= Oid::FIRST_NORMAL && (self.ty(t)?.kind == b'd' || self.holds_domains(t)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `$n`.
    pub fn transform_param(&mut self, p: &ast::ParamRef) -> PgResult<Expr> {
        let missing = || pg_err!(UNDEFINED_PARAMETER, "there is no parameter ${}", p.number).at(p.span);
        let number = usize::try_from(p.number).map_err(|_| missing())?;
        if let Some(variables) = self.cx.variables {
            let found = variables.param(number)?.ok_or_else(missing)?;
            return Ok(crate::variables::variable_expr(found, p.span));
        }
        let type_oid = match &self.cx.params {
            ParamTypes::Fixed(types) => match number.checked_sub(1).and_then(|i| types.get(i)) {
                Some(t) if t.is_valid() => *t,
                _ => return Err(missing()),
            },
            ParamTypes::Variable(types) => {
                const PARAMS_MAX: usize = 65535;
                if number == 0 || number > PARAMS_MAX {
                    return Err(missing());
                }
                let mut types = types.borrow_mut();
                if types.len() < number {
                    types.resize(number, Oid::INVALID);
                }
                let slot = &mut types[number - 1];
                if !slot.is_valid() {
                    *slot = oids::UNKNOWN;
                }
                // "unknown" declared by the client is the same as undeclared; a client's void means the same as well.
                *slot
            }
        };
        self.param_expr(number, type_oid, p.span)
    }

    pub(crate) fn param_expr(&self, number: usize, type_oid: Oid, span: Span) -> PgResult<Expr> {
        Ok(Expr::Param(Param {
            kind: ParamKind::External,
            number,
            type_ref: TypeRef::plain(type_oid),
            collation: self.type_collation(type_oid)?,
            span,
        }))
    }

    /// A parameter without type that meets one takes it; `None` when the expression is no such parameter.
    pub fn coerce_unknown_param(&mut self, expr: &Expr, target: Oid) -> PgResult<Option<Expr>> {
        let (Expr::Param(p), ParamTypes::Variable(types)) = (expr, &self.cx.params) else {
            return Ok(None);
        };
        if p.kind != ParamKind::External || p.type_ref.oid != oids::UNKNOWN {
            return Ok(None);
        }
        let known = types.borrow().get(p.number - 1).copied().unwrap_or(Oid::INVALID);
        if !is_known_param(known) {
            if let Some(slot) = types.borrow_mut().get_mut(p.number - 1) {
                *slot = target;
            }
        } else if known != target {
            return Err(pg_err!(
                AMBIGUOUS_PARAMETER,
                "inconsistent types deduced for parameter ${}",
                p.number
            )
            .detail(format!(
                "{} versus {}",
                self.format_type(known),
                self.format_type(target)
            ))
            .at(p.span));
        }
        Ok(Some(self.param_expr(p.number, target, p.span)?))
    }
}

/// A number literal (sign, radix prefix, underscores) that fits eight bytes.
pub(crate) fn parse_int8(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let cleaned: String = digits.chars().filter(|c| *c != '_').collect();
    let lower = cleaned.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ => (10, lower.as_str()),
    };
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Catalog names for literal input: `reg*` values, enums and other types made by users.
struct CatalogNames<'a> {
    cx: &'a AnalyzeContext<'a>,
    /// The literal.
    span: Span,
}

impl NameResolver for CatalogNames<'_> {
    fn notice(&self, notice: Box<common::PgError>) {
        self.cx.notice(notice.at(self.span));
    }

    fn resolve(&self, kind: RegKind, name: &str) -> PgResult<Oid> {
        if matches!(kind, RegKind::Procedure | RegKind::Oper | RegKind::Operator) {
            return self.resolve_signature(kind, name);
        }
        if kind == RegKind::Type {
            // A type's name may be words: `character varying`.
            if name.trim().is_empty() {
                return Err(pg_err!(SYNTAX_ERROR, "invalid type name \"{name}\""));
            }
            let parsed = parser::parse_type_name(name).map_err(without_place)?;
            let found = crate::state::Analyzer::new(self.cx).resolve_type(&parsed);
            return Ok(found.map_err(without_place)?.oid);
        }
        let parts = split_name(name)?;
        if matches!(kind, RegKind::Namespace | RegKind::Role) && parts.len() > 1 {
            return Err(pg_err!(INVALID_NAME, "invalid name syntax"));
        }
        let (schema, last) = self.qualified(kind, &parts)?;
        let catalog = self.cx.catalog;
        match kind {
            RegKind::Class => match catalog.relation_by_name(schema, last)? {
                Some(r) => Ok(r.oid),
                None => Err(pg_err!(
                    UNDEFINED_TABLE,
                    "relation \"{}\" does not exist",
                    parts.join(".")
                )),
            },
            RegKind::Proc => {
                let all = catalog.functions_by_name(schema, last)?;
                match all.as_slice() {
                    [] => Err(pg_err!(UNDEFINED_FUNCTION, "function \"{name}\" does not exist")),
                    [one] => Ok(one.oid),
                    _ => Err(pg_err!(
                        AMBIGUOUS_FUNCTION,
                        "more than one function named \"{name}\""
                    )),
                }
            }
            RegKind::Namespace => match catalog.namespace_by_name(last)? {
                Some(oid) => Ok(oid),
                None => Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{last}\" does not exist")),
            },
            RegKind::Collation => match catalog.collation_by_name(schema, last)? {
                Some(oid) => Ok(oid),
                None => Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "collation \"{}\" for encoding \"UTF8\" does not exist",
                    parts.join(".")
                )),
            },
            RegKind::Config => self.text_search(TextSearchObject::Config, &parts.join("."), schema, last),
            RegKind::Dictionary => {
                self.text_search(TextSearchObject::Dictionary, &parts.join("."), schema, last)
            }
            RegKind::Role => match catalog.role_by_name(last)? {
                Some(oid) => Ok(oid),
                None => Err(pg_err!(UNDEFINED_OBJECT, "role \"{last}\" does not exist")),
            },
            _ => Err(common::unsupported!(
                "names of this kind are not supported in literals yet"
            )),
        }
    }

    fn user_type(&self, type_oid: Oid) -> PgResult<Option<UserType>> {
        let Some(t) = self.cx.catalog.type_desc(type_oid)? else {
            return Ok(None);
        };
        Ok(Some(match t.kind {
            b'e' => UserType::Enum,
            b'd' => UserType::Domain {
                base: t.base_type,
                typmod: t.typmod,
            },
            b'c' => {
                let rel = self.cx.catalog.relation(t.relation)?;
                UserType::Composite {
                    fields: rel
                        .iter()
                        .flat_map(|r| &r.columns)
                        .filter(|c| !c.dropped)
                        .map(|c| CompositeField {
                            name: c.name.to_string(),
                            type_oid: c.type_ref.oid,
                            typmod: c.type_ref.typmod,
                        })
                        .collect(),
                }
            }
            _ if t.is_array => UserType::Array {
                element: t.element,
                delimiter: char::from(t.delimiter),
            },
            b'r' | b'm' => match self.cx.catalog.range(type_oid)? {
                Some(r) if r.range == type_oid => UserType::Range { subtype: r.subtype },
                Some(r) => UserType::Multirange { range: r.range },
                None => return Ok(None),
            },
            _ if t.like.is_valid() => UserType::Base { like: t.like },
            _ => return Ok(None),
        }))
    }

    fn enum_label_oid(&self, type_oid: Oid, label: &str) -> PgResult<Option<Oid>> {
        let labels = self.cx.catalog.enum_labels(type_oid)?;
        let found = labels.iter().find(|(_, l)| &**l == label).map(|(oid, _)| *oid);
        if let Some(oid) = found {
            self.cx.catalog.check_enum_label(oid)?;
        }
        Ok(found)
    }

    fn type_name(&self, type_oid: Oid) -> PgResult<Option<String>> {
        Ok(Some(crate::state::Analyzer::new(self.cx).format_type(type_oid)))
    }
}

impl CatalogNames<'_> {
    /// Schema and name of a name in parts; a database may stand before them, if it is this one.
    fn qualified<'p>(&self, kind: RegKind, parts: &'p [String]) -> PgResult<(Option<&'p str>, &'p str)> {
        match parts {
            [name] => Ok((None, name)),
            [schema, name] => Ok((Some(schema), name)),
            [database, schema, name] if **database == *self.cx.database => Ok((Some(schema), name)),
            [_, _, _] if kind == RegKind::Class => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: \"{}\"",
                parts.join(".")
            )),
            [_, _, _] => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: {}",
                parts.join(".")
            )),
            _ => Err(pg_err!(
                SYNTAX_ERROR,
                "improper {} name (too many dotted names): {}",
                if kind == RegKind::Class {
                    "relation"
                } else {
                    "qualified"
                },
                parts.join(".")
            )),
        }
    }

    fn text_search(
        &self,
        object: TextSearchObject,
        name: &str,
        schema: Option<&str>,
        last: &str,
    ) -> PgResult<Oid> {
        let found = self.cx.catalog.text_search_by_name(object, schema, last)?;
        let word = match object {
            TextSearchObject::Config => "configuration",
            TextSearchObject::Dictionary => "dictionary",
        };
        found.ok_or_else(|| pg_err!(UNDEFINED_OBJECT, "text search {word} \"{name}\" does not exist"))
    }

    /// `f(integer)`, `+(integer,integer)`, or an operator's bare name.
    fn resolve_signature(&self, kind: RegKind, text: &str) -> PgResult<Oid> {
        let (parts, written) = match kind {
            RegKind::Oper => (split_name(text)?, Vec::new()),
            _ => name_and_types(text)?,
        };
        let types = self.argument_types(&written)?;
        let (schema, last) = self.qualified(kind, &parts)?;
        if kind == RegKind::Procedure {
            let all = self.cx.catalog.functions_by_name(schema, last)?;
            return match all.iter().find(|f| f.arg_types == types) {
                Some(f) => Ok(f.oid),
                None => Err(pg_err!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist")),
            };
        }
        let all = self.cx.catalog.operators_by_name(schema, last)?;
        let missing = || pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {text}");
        if kind == RegKind::Oper {
            return match all.as_slice() {
                [] => Err(missing()),
                [one] => Ok(one.oid),
                _ => Err(pg_err!(AMBIGUOUS_FUNCTION, "more than one operator named {text}")),
            };
        }
        let [left, right] = types.as_slice() else {
            return Err(pg_err!(UNDEFINED_PARAMETER, "missing argument")
                .hint("Use NONE to denote the missing argument of a unary operator."));
        };
        match all.iter().find(|o| o.left == *left && o.right == *right) {
            Some(o) => Ok(o.oid),
            None => Err(missing()),
        }
    }

    fn argument_types(&self, written: &[&str]) -> PgResult<Vec<Oid>> {
        let one = |name: &&str| {
            if name.eq_ignore_ascii_case("none") {
                return Ok(Oid::INVALID);
            }
            let parsed = parser::parse_type_name(name).map_err(without_place)?;
            let resolved = crate::state::Analyzer::new(self.cx).resolve_type(&parsed);
            Ok(resolved.map_err(without_place)?.oid)
        };
        written.iter().map(one).collect()
    }
}

/// Errors about names inside a literal have no place of their own in the statement.
fn without_place(mut e: Box<common::PgError>) -> Box<common::PgError> {
    e.position = None;
    e
}
