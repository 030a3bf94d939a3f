//! Coercions: which exist between two types, and how an expression is wrapped to make one.
//!
//! PG: src/backend/parser/parse_coerce.c.

use common::cancel;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err, unsupported};
use nodes::Expr;
use nodes::expr::{ArrayCoerceExpr, CoerceExpr, CoercionForm, CollateExpr, Const, RelabelExpr, TypedSlot};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::state::Analyzer;

/// How much freedom a coercion has, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum CoercionContext {
    Implicit,
    Assignment,
    Plpgsql,
    Explicit,
}

/// How a value gets from one type to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoercionPath {
    None,
    Function(Oid),
    Relabel,
    Array,
    ViaIo,
}

/// One coercion step: what to make, how freely, and how it was written.
#[derive(Clone, Copy)]
pub(crate) struct CoerceTo {
    pub target: TypeRef,
    pub context: CoercionContext,
    pub form: CoercionForm,
    pub span: Span,
}

impl CoerceTo {
    /// An implicit coercion without place.
    pub fn implicit(target: Oid) -> CoerceTo {
        CoerceTo {
            target: TypeRef::plain(target),
            context: CoercionContext::Implicit,
            form: CoercionForm::ImplicitCast,
            span: Span::NONE,
        }
    }
}

impl Analyzer<'_> {
    /// Coerces to a type and modifier; `None` when there is no such coercion.
    pub fn coerce_to_target_type(&mut self, expr: Expr, to: CoerceTo) -> PgResult<Option<Expr>> {
        let input = expr.type_oid();
        if !self.can_coerce_type(&[input], &[to.target.oid], to.context)? {
            return Ok(None);
        }
        let (inner, collate) = match expr {
            Expr::Collate(c) => (strip_collate(*c.arg), Some((c.collation, c.span))),
            other => (other, None),
        };
        let before_const = matches!(inner, Expr::Const(_));
        let result = self.coerce_type(inner, to)?;
        let _ = before_const;
        let result = self.coerce_type_typmod(result, to)?;
        match collate {
            Some((collation, span)) if self.type_collation(to.target.oid)?.is_valid() => {
                Ok(Some(Expr::Collate(CollateExpr {
                    arg: Box::new(result),
                    collation,
                    span,
                })))
            }
            _ => Ok(Some(result)),
        }
    }

    /// Coerces to a type that the caller knows to be reachable; the modifier is not applied but to literals.
    pub fn coerce_type(&mut self, expr: Expr, to: CoerceTo) -> PgResult<Expr> {
        let (input, target) = (expr.type_oid(), to.target.oid);
        if target == input {
            return Ok(expr);
        }
        if is_any_scalar(target) {
            return Ok(expr);
        }
        if is_any_container(target) && input != oids::UNKNOWN {
            let base = self.base_type(input)?;
            if base != input {
                return Ok(relabel(expr, TypeRef::plain(base), Oid::INVALID, to));
            }
            return Ok(expr);
        }
        if let Expr::Const(c) = &expr
            && input == oids::UNKNOWN
        {
            cancel::check()?;
            return self.coerce_unknown_literal(c.clone(), to);
        }
        if let Expr::Param(_) = &expr
            && let Some(done) = self.coerce_unknown_param(&expr, target)?
        {
            return Ok(done);
        }
        if let Expr::Collate(c) = expr {
            let result = self.coerce_type(*c.arg, to)?;
            if self.type_collation(target)?.is_valid() {
                return Ok(Expr::Collate(CollateExpr {
                    arg: Box::new(result),
                    collation: c.collation,
                    span: c.span,
                }));
            }
            return Ok(result);
        }
        self.coerce_by_path(expr, input, to)
    }

    fn coerce_by_path(&mut self, expr: Expr, input: Oid, to: CoerceTo) -> PgResult<Expr> {
        cancel::check()?;
        let target = to.target.oid;
        match self.find_coercion_pathway(target, input, to.context)? {
            CoercionPath::None => {}
            CoercionPath::Relabel => {
                let base = self.base_type_and_typmod(TypeRef::plain(target))?;
                if base.oid != target {
                    return self.coerce_to_domain(expr, base, to);
                }
                let collation = self.relabeled_collation(&expr, target)?;
                return Ok(relabel(expr, TypeRef::plain(target), collation, to));
            }
            path => {
                let base = self.base_type_and_typmod(to.target)?;
                let inner = CoerceTo { target: base, ..to };
                let result = self.build_coercion(expr, path, inner)?;
                if base.oid != target {
                    return self.coerce_to_domain(result, base, to);
                }
                return Ok(result);
            }
        }
        let target_is_complex = self.is_complex(target)?;
        if input == oids::RECORD && target_is_complex {
            return self.coerce_record_to_complex(expr, to);
        }
        if target == oids::RECORD && self.is_complex(input)? {
            return Ok(expr);
        }
        if target == oids::RECORD_ARRAY && self.is_complex_array(input)? {
            return Ok(expr);
        }
        if self.is_complex(input)? && target_is_complex {
            return Err(unsupported!("conversion of a row type to that of its parent table").at(to.span));
        }
        Err(internal!(
            "failed to find conversion function from {} to {}",
            self.format_type(input),
            self.format_type(target)
        ))
    }

    /// A label's collation is decided with those of the expression around it; a constant that changes its type has no other time.
    fn relabeled_collation(&self, expr: &Expr, target: Oid) -> PgResult<Oid> {
        let Expr::Const(c) = expr else {
            return Ok(Oid::INVALID);
        };
        let of_type = self.type_collation(target)?;
        Ok(match of_type.is_valid() && c.collation.is_valid() {
            true => c.collation,
            false => of_type,
        })
    }

    fn coerce_unknown_literal(&mut self, c: Const, to: CoerceTo) -> PgResult<Expr> {
        let base = self.base_type_and_typmod(to.target)?;
        // Only interval's input needs the modifier to know what a bare number means; for all others a length coercion follows.
        let input_typmod = if base.oid == oids::INTERVAL {
            base.typmod
        } else {
            -1
        };
        let literal_type = TypeRef {
            oid: base.oid,
            typmod: input_typmod,
        };
        if self.holds_domains(base.oid)? && !c.value.is_null() {
            return self.literal_at_run_time(c, base, to);
        }
        let value = match &c.value {
            Datum::Text(text) => self.literal_value(literal_type, text, c.span)?,
            _ => Datum::Null,
        };
        let made = Expr::Const(Const {
            value,
            type_ref: literal_type,
            collation: self.type_collation(base.oid)?,
            span: c.span,
        });
        if base.oid != to.target.oid {
            return self.coerce_to_domain(made, base, to);
        }
        Ok(made)
    }

    /// Wraps a value of the base type into the domain, with the domain's modifier applied first.
    pub(crate) fn coerce_to_domain(&mut self, expr: Expr, base: TypeRef, to: CoerceTo) -> PgResult<Expr> {
        let arg = self.coerce_type_typmod(
            expr,
            CoerceTo {
                target: base,
                // Explicit casts to a domain cut texts off, as casts to its base type do.
                context: to.context,
                form: CoercionForm::ImplicitCast,
                span: to.span,
            },
        )?;
        Ok(Expr::CoerceToDomain(CoerceExpr {
            arg: Box::new(arg),
            // What follows on top of a domain is only a label: the modifier is the domain's own affair.
            result: TypeRef::plain(to.target.oid),
            collation: Oid::INVALID,
            form: to.form,
            span: to.span,
        }))
    }

    /// Applies a modifier (length coercion) to a value that has the type already.
    pub fn coerce_type_typmod(&mut self, expr: Expr, to: CoerceTo) -> PgResult<Expr> {
        if to.target.typmod == expr.type_ref().typmod {
            return Ok(expr);
        }
        let path = if to.target.typmod < 0 {
            CoercionPath::None
        } else {
            self.find_typmod_coercion(to.target.oid)?
        };
        if path != CoercionPath::None {
            return self.build_coercion(expr, path, to);
        }
        let collation = expr.collation();
        Ok(relabel(expr, to.target, collation, to))
    }

    fn build_coercion(&mut self, expr: Expr, path: CoercionPath, to: CoerceTo) -> PgResult<Expr> {
        match path {
            CoercionPath::Function(func) => self.build_cast_call(expr, func, to),
            CoercionPath::Array => self.build_array_coercion(expr, to),
            CoercionPath::ViaIo => Ok(Expr::CoerceViaIo(CoerceExpr {
                arg: Box::new(expr),
                result: TypeRef::plain(to.target.oid),
                collation: Oid::INVALID,
                form: to.form,
                span: to.span,
            })),
            CoercionPath::None | CoercionPath::Relabel => {
                Err(internal!("unsupported pathtype in a coercion"))
            }
        }
    }

    fn build_array_coercion(&mut self, expr: Expr, to: CoerceTo) -> PgResult<Expr> {
        let source = self.base_type_and_typmod(expr.type_ref())?;
        let slot = Expr::CaseTest(TypedSlot {
            type_ref: TypeRef {
                oid: self.element_type(source.oid)?,
                typmod: source.typmod,
            },
            collation: Oid::INVALID,
            span: Span::NONE,
        });
        let element_target = TypeRef {
            oid: self.element_type(to.target.oid)?,
            typmod: to.target.typmod,
        };
        let element = self
            .coerce_to_target_type(
                slot,
                CoerceTo {
                    target: element_target,
                    ..to
                },
            )?
            .ok_or_else(|| internal!("failed to coerce array element type as expected"))?;
        let typmod = element.type_ref().typmod;
        Ok(Expr::ArrayCoerce(ArrayCoerceExpr {
            arg: Box::new(expr),
            element: Box::new(element),
            result: TypeRef {
                oid: to.target.oid,
                typmod,
            },
            collation: Oid::INVALID,
            form: to.form,
            span: to.span,
        }))
    }

    /// True when every input type can become its target type.
    pub fn can_coerce_type(
        &self,
        inputs: &[Oid],
        targets: &[Oid],
        context: CoercionContext,
    ) -> PgResult<bool> {
        let mut generics = false;
        for (&input, &target) in inputs.iter().zip(targets) {
            if input == target || target == oids::ANY {
                continue;
            }
            if is_polymorphic(target) {
                generics = true;
                continue;
            }
            if input == oids::UNKNOWN {
                continue;
            }
            if self.find_coercion_pathway(target, input, context)? != CoercionPath::None {
                continue;
            }
            if input == oids::RECORD && self.is_complex(target)? {
                continue;
            }
            if target == oids::RECORD && self.is_complex(input)? {
                continue;
            }
            if target == oids::RECORD_ARRAY && self.is_complex_array(input)? {
                continue;
            }
            return Ok(false);
        }
        if generics {
            return self.check_generic_type_consistency(inputs, targets);
        }
        Ok(true)
    }

    /// The way from `source` to `target` that the context allows.
    pub fn find_coercion_pathway(
        &self,
        target: Oid,
        source: Oid,
        context: CoercionContext,
    ) -> PgResult<CoercionPath> {
        let source = self.base_type(source)?;
        let target = self.base_type(target)?;
        if source == target {
            return Ok(CoercionPath::Relabel);
        }
        if let Some(cast) = self.cx.catalog.cast(source, target)? {
            let needs = match cast.context {
                b'i' => CoercionContext::Implicit,
                b'a' => CoercionContext::Assignment,
                _ => CoercionContext::Explicit,
            };
            if context < needs {
                return self.plpgsql_path(context);
            }
            return Ok(match cast.method {
                b'f' => CoercionPath::Function(cast.function),
                b'i' => CoercionPath::ViaIo,
                _ => CoercionPath::Relabel,
            });
        }
        if target != oids::OIDVECTOR && target != oids::INT2VECTOR {
            let target_element = self.element_type(target)?;
            let source_element = self.element_type(source)?;
            if target_element.is_valid()
                && source_element.is_valid()
                && self.find_coercion_pathway(target_element, source_element, context)? != CoercionPath::None
            {
                return Ok(CoercionPath::Array);
            }
        }
        if context >= CoercionContext::Assignment && self.ty(target)?.category == b'S' {
            return Ok(CoercionPath::ViaIo);
        }
        if context >= CoercionContext::Explicit && self.ty(source)?.category == b'S' {
            return Ok(CoercionPath::ViaIo);
        }
        self.plpgsql_path(context)
    }

    fn plpgsql_path(&self, context: CoercionContext) -> PgResult<CoercionPath> {
        Ok(if context == CoercionContext::Plpgsql {
            CoercionPath::ViaIo
        } else {
            CoercionPath::None
        })
    }

    fn find_typmod_coercion(&self, type_oid: Oid) -> PgResult<CoercionPath> {
        let element = self.element_type(type_oid)?;
        let (lookup, is_array) = if element.is_valid() {
            (element, true)
        } else {
            (type_oid, false)
        };
        let Some(cast) = self.cx.catalog.cast(lookup, lookup)? else {
            return Ok(CoercionPath::None);
        };
        Ok(match (cast.function.is_valid(), is_array) {
            (false, _) => CoercionPath::None,
            (true, true) => CoercionPath::Array,
            (true, false) => CoercionPath::Function(cast.function),
        })
    }

    /// A composite type, or a domain over one.
    pub fn is_complex(&self, oid: Oid) -> PgResult<bool> {
        if !oid.is_valid() {
            return Ok(false);
        }
        let base = self.base_type(oid)?;
        Ok(self.ty(base)?.kind == b'c')
    }

    fn is_complex_array(&self, oid: Oid) -> PgResult<bool> {
        let element = self.element_type(oid)?;
        Ok(element.is_valid() && self.is_complex(element)?)
    }

    /// True when a value of `source` can be used as `target` without change of bits.
    pub fn is_binary_coercible(&self, source: Oid, target: Oid) -> PgResult<bool> {
        if source == target || matches!(target, oids::ANY | oids::ANYELEMENT | oids::ANYCOMPATIBLE) {
            return Ok(true);
        }
        let source = self.base_type(source)?;
        if source == target {
            return Ok(true);
        }
        let t = self.ty(source)?;
        if matches!(target, oids::ANYARRAY | oids::ANYCOMPATIBLEARRAY) {
            return Ok(t.is_array);
        }
        if matches!(target, oids::ANYNONARRAY | oids::ANYCOMPATIBLENONARRAY) {
            return Ok(!t.is_array);
        }
        if target == oids::ANYENUM {
            return Ok(t.kind == b'e');
        }
        if matches!(target, oids::ANYRANGE | oids::ANYCOMPATIBLERANGE) {
            return Ok(t.kind == b'r');
        }
        if matches!(target, oids::ANYMULTIRANGE | oids::ANYCOMPATIBLEMULTIRANGE) {
            return Ok(t.kind == b'm');
        }
        if target == oids::RECORD {
            return Ok(t.kind == b'c');
        }
        if target == oids::RECORD_ARRAY {
            return self.is_complex_array(source);
        }
        Ok(self
            .cx
            .catalog
            .cast(source, target)?
            .is_some_and(|c| c.method == b'b' && c.context == b'i'))
    }

    /// A condition: anything assignable to boolean, and no set.
    pub fn coerce_to_boolean(&mut self, expr: Expr, construct: &str) -> PgResult<Expr> {
        self.coerce_to_specific_type(expr, oids::BOOL, construct)
    }

    /// The argument of a clause that wants one type.
    pub fn coerce_to_specific_type(&mut self, expr: Expr, target: Oid, construct: &str) -> PgResult<Expr> {
        let input = expr.type_oid();
        let span = expr.span();
        let expr = if input == target {
            expr
        } else {
            let to = CoerceTo {
                context: CoercionContext::Assignment,
                ..CoerceTo::implicit(target)
            };
            match self.coerce_to_target_type(expr, to)? {
                Some(e) => e,
                None => {
                    return Err(pg_err!(
                        DATATYPE_MISMATCH,
                        "argument of {construct} must be type {}, not type {}",
                        self.format_type(target),
                        self.format_type(input)
                    )
                    .at(span));
                }
            }
        };
        if expression_returns_set(&expr) {
            return Err(
                pg_err!(DATATYPE_MISMATCH, "argument of {construct} must not return a set").at(expr.span()),
            );
        }
        Ok(expr)
    }

    /// The type that all expressions of a construct get. `context` None: no error, but an invalid OID.
    pub fn select_common_type(&self, exprs: &[(Oid, Span)], context: Option<&str>) -> PgResult<Oid> {
        let Some(&(first, _)) = exprs.first() else {
            return Ok(Oid::INVALID);
        };
        if first != oids::UNKNOWN && exprs.iter().all(|e| e.0 == first) {
            return Ok(first);
        }
        let mut chosen = self.base_type(first)?;
        let mut desc = self.ty(chosen)?;
        for &(next, span) in &exprs[1..] {
            let next = self.base_type(next)?;
            if next == oids::UNKNOWN || next == chosen {
                continue;
            }
            let next_desc = self.ty(next)?;
            let take = if chosen == oids::UNKNOWN {
                true
            } else if next_desc.category != desc.category {
                let Some(context) = context else {
                    return Ok(Oid::INVALID);
                };
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "{context} types {} and {} cannot be matched",
                    self.format_type(chosen),
                    self.format_type(next)
                )
                .at(span));
            } else {
                !desc.preferred
                    && self.can_coerce_type(&[chosen], &[next], CoercionContext::Implicit)?
                    && !self.can_coerce_type(&[next], &[chosen], CoercionContext::Implicit)?
            };
            if take {
                chosen = next;
                desc = next_desc;
            }
        }
        Ok(if chosen == oids::UNKNOWN {
            oids::TEXT
        } else {
            chosen
        })
    }

    /// Makes an expression of a construct have the type chosen by [`Self::select_common_type`].
    pub fn coerce_to_common_type(&mut self, expr: Expr, target: Oid, context: &str) -> PgResult<Expr> {
        let input = expr.type_oid();
        if input == target {
            return Ok(expr);
        }
        if self.can_coerce_type(&[input], &[target], CoercionContext::Implicit)? {
            return self.coerce_type(expr, CoerceTo::implicit(target));
        }
        Err(pg_err!(
            CANNOT_COERCE,
            "{context} could not convert type {} to {}",
            self.format_type(input),
            self.format_type(target)
        )
        .at(expr.span()))
    }
}

/// The modifier that all expressions share, if their type is the common one; else -1.
pub(crate) fn select_common_typmod(refs: &[TypeRef], common: Oid) -> i32 {
    match refs.first() {
        Some(first) if refs.iter().all(|r| r.oid == common && r.typmod == first.typmod) => first.typmod,
        _ => -1,
    }
}

/// Anything inside returns a set (aggregates hide what is below them).
pub(crate) fn expression_returns_set(expr: &Expr) -> bool {
    let mut found = false;
    nodes::walk::walk(expr, &mut |e| {
        match e {
            Expr::Func(f) if f.returns_set => found = true,
            Expr::Aggref(_) | Expr::GroupingFunc(_) | Expr::WindowFunc(_) | Expr::SubLink(_) => return false,
            _ => {}
        }
        !found
    });
    found
}

/// A relabeling; constants simply change their label.
pub(crate) fn relabel(expr: Expr, result: TypeRef, collation: Oid, to: CoerceTo) -> Expr {
    match expr {
        Expr::Const(mut c) => {
            c.type_ref = result;
            c.collation = collation;
            Expr::Const(c)
        }
        Expr::Relabel(inner) => Expr::Relabel(RelabelExpr {
            arg: inner.arg,
            result,
            collation,
            form: to.form,
            span: to.span,
        }),
        expr => Expr::Relabel(RelabelExpr {
            arg: Box::new(expr),
            result,
            collation,
            form: to.form,
            span: to.span,
        }),
    }
}

fn strip_collate(mut expr: Expr) -> Expr {
    while let Expr::Collate(c) = expr {
        expr = *c.arg;
    }
    expr
}

/// A constant without place and collation.
pub(crate) fn const_expr(value: Datum, type_oid: Oid) -> Expr {
    Expr::Const(Const {
        value,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid::INVALID,
        span: Span::NONE,
    })
}

fn is_any_scalar(oid: Oid) -> bool {
    matches!(
        oid,
        oids::ANY | oids::ANYELEMENT | oids::ANYNONARRAY | oids::ANYCOMPATIBLE | oids::ANYCOMPATIBLENONARRAY
    )
}

fn is_any_container(oid: Oid) -> bool {
    matches!(
        oid,
        oids::ANYARRAY
            | oids::ANYENUM
            | oids::ANYRANGE
            | oids::ANYMULTIRANGE
            | oids::ANYCOMPATIBLEARRAY
            | oids::ANYCOMPATIBLERANGE
            | oids::ANYCOMPATIBLEMULTIRANGE
    )
}

/// The first polymorphic family (`anyelement` and relatives).
pub(crate) fn is_polymorphic_1(oid: Oid) -> bool {
    matches!(
        oid,
        oids::ANYELEMENT
            | oids::ANYARRAY
            | oids::ANYNONARRAY
            | oids::ANYENUM
            | oids::ANYRANGE
            | oids::ANYMULTIRANGE
    )
}

/// The second polymorphic family (`anycompatible` and relatives).
pub(crate) fn is_polymorphic_2(oid: Oid) -> bool {
    matches!(
        oid,
        oids::ANYCOMPATIBLE
            | oids::ANYCOMPATIBLEARRAY
            | oids::ANYCOMPATIBLENONARRAY
            | oids::ANYCOMPATIBLERANGE
            | oids::ANYCOMPATIBLEMULTIRANGE
    )
}

/// Any polymorphic pseudo-type.
pub(crate) fn is_polymorphic(oid: Oid) -> bool {
    is_polymorphic_1(oid) || is_polymorphic_2(oid)
}
