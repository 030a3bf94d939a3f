//! Subscripts and field selection.
//!
//! PG: src/backend/parser/parse_node.c (`transformContainerSubscripts`), src/backend/utils/adt/arraysubs.c.

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::SubscriptingRef;
use parser::ast::{self, Indirection};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::parse_coerce::{CoerceTo, CoercionContext, const_expr};
use crate::parse_func::CallSite;
use crate::state::Analyzer;

const MAX_DIMS: usize = 6;

/// Analyzed subscripts.
struct Subscripts {
    upper: Vec<Option<Expr>>,
    lower: Vec<Option<Expr>>,
}

impl Analyzer<'_> {
    /// `(arg)[1].field`.
    pub fn indirection(&mut self, i: &ast::AIndirection) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        let mut result = self.expr(&i.arg)?;
        let mut pending: Vec<&ast::AIndices> = Vec::new();
        for step in &i.indirection {
            match step {
                Indirection::Index(x) => pending.push(x),
                Indirection::Star(_) => {
                    return Err(pg_err!(
                        FEATURE_NOT_SUPPORTED,
                        "row expansion via \"*\" is not supported here"
                    )
                    .at(result.span()));
                }
                Indirection::Field(name) => {
                    if !pending.is_empty() {
                        result = self.container_subscripts(result, &pending, None)?;
                        pending.clear();
                    }
                    let site = CallSite {
                        names: std::slice::from_ref(name),
                        call: None,
                        proc_call: false,
                        last_srf,
                        span: result.span(),
                    };
                    let copy = result.clone();
                    result = match self.parse_func_or_column(site, vec![result], None)? {
                        Some(e) => e,
                        None => return Err(self.unknown_attribute(&copy, name.as_str(), copy.span())),
                    };
                }
            }
        }
        if !pending.is_empty() {
            result = self.container_subscripts(result, &pending, None)?;
        }
        Ok(result)
    }

    /// Type of the container behind domains and vectors, and of its elements.
    pub fn container_types(&self, type_ref: TypeRef, span: Span) -> PgResult<(TypeRef, Oid)> {
        let mut base = self.base_type_and_typmod(type_ref)?;
        base.oid = match base.oid {
            oids::INT2VECTOR => oids::INT2_ARRAY,
            oids::OIDVECTOR => oids::OID_ARRAY,
            t => t,
        };
        if base.oid == oids::JSONB {
            return Ok((base, oids::JSONB));
        }
        let element = if base.oid == oids::UNKNOWN {
            Oid::INVALID
        } else {
            self.ty(base.oid)?.element
        };
        if !element.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "cannot subscript type {} because it does not support subscripting",
                self.format_type(base.oid)
            )
            .at(span));
        }
        Ok((base, element))
    }

    /// Subscripts a container; with `assign`, replaces what they select by that (already coerced) value.
    pub fn container_subscripts(
        &mut self,
        container: Expr,
        indices: &[&ast::AIndices],
        assign: Option<Expr>,
    ) -> PgResult<Expr> {
        let span = container.span();
        let (base, element) = self.container_types(container.type_ref(), span)?;
        let container = if base.oid == container.type_oid() {
            container
        } else {
            let to = CoerceTo::implicit(base.oid);
            self.coerce_type(container, to)?
        };
        let is_slice = indices.iter().any(|i| i.is_slice);
        let subs = if base.oid == oids::JSONB {
            self.jsonb_subscripts(indices, is_slice)?
        } else {
            self.array_subscripts(indices, is_slice)?
        };
        let result = TypeRef {
            oid: if is_slice || assign.is_some() {
                base.oid
            } else {
                element
            },
            typmod: base.typmod,
        };
        Ok(Expr::Subscripting(SubscriptingRef {
            container: Box::new(container),
            container_type: base.oid,
            element_type: element,
            result,
            collation: Oid::INVALID,
            upper: subs.upper,
            lower: subs.lower,
            is_slice,
            assign: assign.map(Box::new),
            span,
        }))
    }

    fn array_subscripts(&mut self, indices: &[&ast::AIndices], is_slice: bool) -> PgResult<Subscripts> {
        let mut subs = Subscripts {
            upper: Vec::new(),
            lower: Vec::new(),
        };
        for i in indices {
            if is_slice {
                subs.lower.push(match &i.lower {
                    Some(e) => Some(self.array_subscript(e)?),
                    // In a slice, a single subscript means 1:n.
                    None if !i.is_slice => Some(const_expr(Datum::Int4(1), oids::INT4)),
                    None => None,
                });
            }
            subs.upper.push(match &i.upper {
                Some(e) => Some(self.array_subscript(e)?),
                None => None,
            });
        }
        if subs.upper.len() > MAX_DIMS {
            return Err(pg_err!(
                PROGRAM_LIMIT_EXCEEDED,
                "number of array dimensions ({}) exceeds the maximum allowed ({MAX_DIMS})",
                subs.upper.len()
            ));
        }
        Ok(subs)
    }

    fn array_subscript(&mut self, e: &ast::Expr) -> PgResult<Expr> {
        let sub = self.expr(e)?;
        let span = sub.span();
        let to = CoerceTo {
            context: CoercionContext::Assignment,
            ..CoerceTo::implicit(oids::INT4)
        };
        match self.coerce_to_target_type(sub, to)? {
            Some(e) => Ok(e),
            None => Err(pg_err!(DATATYPE_MISMATCH, "array subscript must have type integer").at(span)),
        }
    }

    fn jsonb_subscripts(&mut self, indices: &[&ast::AIndices], is_slice: bool) -> PgResult<Subscripts> {
        let mut subs = Subscripts {
            upper: Vec::new(),
            lower: Vec::new(),
        };
        for i in indices {
            if is_slice {
                let bound = i.upper.as_ref().or(i.lower.as_ref());
                let at = bound.map_or(Span::NONE, ast::Expr::location);
                return Err(pg_err!(DATATYPE_MISMATCH, "jsonb subscript does not support slices").at(at));
            }
            let Some(e) = &i.upper else { continue };
            let sub = self.expr(e)?;
            let (input, span) = (sub.type_oid(), sub.span());
            let mut target = oids::UNKNOWN;
            if input == oids::UNKNOWN {
                target = oids::TEXT;
            } else {
                for t in [oids::INT4, oids::TEXT] {
                    if self.can_coerce_type(&[input], &[t], CoercionContext::Implicit)? {
                        if target != oids::UNKNOWN {
                            return Err(pg_err!(
                                DATATYPE_MISMATCH,
                                "subscript type {} is not supported",
                                self.format_type(input)
                            )
                            .hint("jsonb subscript must be coercible to only one type, integer or text.")
                            .at(span));
                        }
                        target = t;
                    }
                }
            }
            if target == oids::UNKNOWN {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "subscript type {} is not supported",
                    self.format_type(input)
                )
                .hint("jsonb subscript must be coercible to either integer or text.")
                .at(span));
            }
            subs.upper
                .push(Some(self.coerce_type(sub, CoerceTo::implicit(target))?));
        }
        Ok(subs)
    }
}
