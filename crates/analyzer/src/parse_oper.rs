//! Operators: overload resolution, operator expressions, and the operators that sorting and grouping use.
//!
//! PG: src/backend/parser/parse_oper.c, src/backend/utils/cache/typcache.c.

use std::sync::Arc;

use catalog::OperatorDesc;
use common::error::{ErrorExt, ResultExt};
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{FuncExpr, ScalarArrayOpExpr};
use parser::ast::Ident;
use types::oids;
use types::settings::TypeRef;

use crate::parse_coerce::{CoerceTo, is_polymorphic};
use crate::parse_type::name_list_to_string;
use crate::state::Analyzer;

/// Access method OID of btree.
pub(crate) const BTREE_AM: Oid = Oid(403);
/// Access method OID of hash.
pub(crate) const HASH_AM: Oid = Oid(405);

/// Why a lookup found nothing.
pub(crate) enum LookupFailure {
    NotFound,
    Ambiguous,
}

/// The operators by which a type sorts and groups; invalid where it cannot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortGroupOperators {
    pub lt: Oid,
    pub eq: Oid,
    pub gt: Oid,
    pub hashable: bool,
}

impl Analyzer<'_> {
    /// An operator that is known to exist.
    pub fn operator(&self, oid: Oid) -> PgResult<Arc<OperatorDesc>> {
        self.cx
            .catalog
            .operator(oid)?
            .ok_or_else(|| internal!("cache lookup failed for operator {oid}"))
    }

    /// Schema (which exists) and name of an operator.
    fn operator_name<'n>(&self, name: &'n [Ident], span: Span) -> PgResult<(Option<&'n str>, &'n str)> {
        let (schema, last) = self.deconstruct_name(name, span)?;
        if let Some(schema) = schema {
            self.require_namespace(schema, span)?;
        }
        Ok((schema, last))
    }

    fn operators_named(
        &self,
        schema: Option<&str>,
        name: &str,
        kind: u8,
    ) -> PgResult<Vec<Arc<OperatorDesc>>> {
        let mut all = self.cx.catalog.operators_by_name(schema, name)?;
        all.retain(|o| o.kind == kind);
        Ok(all)
    }

    /// The operator for operand types (left invalid: prefix operator), by PostgreSQL's rules.
    pub fn find_operator(
        &self,
        name: &[Ident],
        left: Oid,
        right: Oid,
        span: Span,
    ) -> PgResult<Result<Arc<OperatorDesc>, LookupFailure>> {
        let prefix = !left.is_valid();
        let (schema, name) = self.operator_name(name, span)?;
        if let Some(exact) = self.exact_operator(schema, name, left, right)? {
            return Ok(Ok(exact));
        }
        let all = self.operators_named(schema, name, if prefix { b'l' } else { b'b' })?;
        let inputs: &[Oid] = if prefix { &[right] } else { &[left, right] };
        let mut matching: Vec<(usize, Vec<Oid>)> = Vec::new();
        for (i, op) in all.iter().enumerate() {
            let args = if prefix {
                vec![op.right]
            } else {
                vec![op.left, op.right]
            };
            if matching.iter().any(|(_, seen)| *seen == args) {
                continue;
            }
            if self.can_coerce_type(inputs, &args, crate::parse_coerce::CoercionContext::Implicit)? {
                matching.push((i, args));
            }
        }
        match matching.as_slice() {
            [] => return Ok(Err(LookupFailure::NotFound)),
            [(i, _)] => return Ok(Ok(all[*i].clone())),
            _ => {}
        }
        let lists: Vec<&[Oid]> = matching.iter().map(|(_, a)| a.as_slice()).collect();
        Ok(match self.select_candidate(inputs, &lists)? {
            Some(best) => Ok(all[matching[best].0].clone()),
            None => Err(LookupFailure::Ambiguous),
        })
    }

    fn exact_operator(
        &self,
        schema: Option<&str>,
        name: &str,
        left: Oid,
        right: Oid,
    ) -> PgResult<Option<Arc<OperatorDesc>>> {
        let find = |l: Oid, r: Oid| self.cx.catalog.operator_exact(schema, name, l, r);
        if !left.is_valid() {
            return find(left, right);
        }
        let (l, r, was_unknown) = match (left == oids::UNKNOWN, right == oids::UNKNOWN) {
            (true, false) => (right, right, true),
            (false, true) => (left, left, true),
            _ => (left, right, false),
        };
        if let Some(op) = find(l, r)? {
            return Ok(Some(op));
        }
        if was_unknown {
            let base = self.base_type(l)?;
            if base != l {
                return find(base, base);
            }
        }
        Ok(None)
    }

    /// Like [`Self::find_operator`], with PostgreSQL's error.
    pub fn require_operator(
        &self,
        name: &[Ident],
        left: Oid,
        right: Oid,
        span: Span,
    ) -> PgResult<Arc<OperatorDesc>> {
        let failure = match self.find_operator(name, left, right, span)? {
            Ok(op) => {
                if !op.function.is_valid() {
                    return Err(pg_err!(
                        UNDEFINED_FUNCTION,
                        "operator is only a shell: {}",
                        self.operator_signature(name, left, right)
                    )
                    .at(span));
                }
                return Ok(op);
            }
            Err(failure) => failure,
        };
        let signature = self.operator_signature(name, left, right);
        Err(match failure {
            LookupFailure::Ambiguous => pg_err!(AMBIGUOUS_FUNCTION, "operator is not unique: {signature}").hint(
                "Could not choose a best candidate operator. You might need to add explicit type casts.",
            ),
            LookupFailure::NotFound => pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {signature}").hint(
                if left.is_valid() && right.is_valid() {
                    "No operator matches the given name and argument types. You might need to add explicit type casts."
                } else {
                    "No operator matches the given name and argument type. You might need to add an explicit type cast."
                },
            ),
        }
        .at(span))
    }

    /// `integer + text`.
    pub fn operator_signature(&self, name: &[Ident], left: Oid, right: Oid) -> String {
        let name = name_list_to_string(name);
        if left.is_valid() {
            format!("{} {name} {}", self.format_type(left), self.format_type(right))
        } else {
            format!("{name} {}", self.format_type(right))
        }
    }

    /// An operator expression over analyzed operands.
    pub fn make_op(&mut self, name: &[Ident], left: Option<Expr>, right: Expr, span: Span) -> PgResult<Expr> {
        let last_srf = self.cur().last_srf;
        self.make_op_after(name, left, right, last_srf, span)
    }

    /// The same; `last_srf` was the last set-returning call before the operands.
    pub fn make_op_after(
        &mut self,
        name: &[Ident],
        left: Option<Expr>,
        right: Expr,
        last_srf: (usize, Span),
        span: Span,
    ) -> PgResult<Expr> {
        let left_type = left.as_ref().map_or(Oid::INVALID, Expr::type_oid);
        let op = self.require_operator(name, left_type, right.type_oid(), span)?;
        let (args, mut declared) = match left {
            Some(l) => (vec![l, right], vec![op.left, op.right]),
            None => (vec![right], vec![op.right]),
        };
        let actual: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
        let result = self.enforce_generic_types(&actual, &mut declared, op.result, false)?;
        let args = self.make_fn_arguments(args, &declared)?;
        let func = self.function(op.function)?;
        if func.returns_set {
            self.check_srf_placement(last_srf, span)?;
        }
        let call = Expr::Func(FuncExpr {
            func: op.function,
            op: op.oid,
            args,
            result: TypeRef::plain(result),
            returns_set: func.returns_set,
            variadic: false,
            form: nodes::expr::CoercionForm::ExplicitCall,
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span,
        });
        if func.returns_set {
            self.note_srf(span);
        }
        Ok(call)
    }

    /// Coerces arguments to the declared types of a function.
    pub fn make_fn_arguments(&mut self, args: Vec<Expr>, declared: &[Oid]) -> PgResult<Vec<Expr>> {
        let mut out = Vec::with_capacity(args.len());
        for (arg, &target) in args.into_iter().zip(declared) {
            let arg = match arg {
                Expr::NamedArg { name, arg, span } => Expr::NamedArg {
                    name,
                    arg: Box::new(self.coerce_argument(*arg, target)?),
                    span,
                },
                arg => self.coerce_argument(arg, target)?,
            };
            out.push(arg);
        }
        Ok(out)
    }

    fn coerce_argument(&mut self, arg: Expr, target: Oid) -> PgResult<Expr> {
        if arg.type_oid() == target {
            return Ok(arg);
        }
        self.coerce_type(arg, CoerceTo::implicit(target))
    }

    /// `scalar op ANY/ALL (array)`.
    pub fn make_scalar_array_op(
        &mut self,
        name: &[Ident],
        use_or: bool,
        left: Expr,
        right: Expr,
        span: Span,
    ) -> PgResult<Expr> {
        let left_type = left.type_oid();
        let array_type = right.type_oid();
        let element_type = if array_type == oids::UNKNOWN {
            oids::UNKNOWN
        } else {
            let element = self.element_type(self.base_type(array_type)?)?;
            if !element.is_valid() {
                return Err(pg_err!(
                    WRONG_OBJECT_TYPE,
                    "op ANY/ALL (array) requires array on right side"
                )
                .at(span));
            }
            element
        };
        let op = self.require_operator(name, left_type, element_type, span)?;
        let mut declared = vec![op.left, op.right];
        let result =
            self.enforce_generic_types(&[left_type, element_type], &mut declared, op.result, false)?;
        if result != oids::BOOL {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires operator to yield boolean"
            )
            .at(span));
        }
        if self.function(op.function)?.returns_set {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires operator not to return a set"
            )
            .at(span));
        }
        let target_array = if is_polymorphic(op.right) && array_type != oids::UNKNOWN {
            array_type
        } else {
            let a = self.array_type(declared[1])?;
            if !a.is_valid() {
                return Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "could not find array type for data type {}",
                    self.format_type(declared[1])
                )
                .at(span));
            }
            a
        };
        let mut args = self.make_fn_arguments(vec![left, right], &[declared[0], target_array])?;
        let (Some(array), Some(scalar)) = (args.pop(), args.pop()) else {
            return Err(internal!("two arguments expected"));
        };
        Ok(Expr::ScalarArrayOp(ScalarArrayOpExpr {
            op: op.oid,
            func: op.function,
            use_or,
            scalar: Box::new(scalar),
            array: Box::new(array),
            input_collation: Oid::INVALID,
            span,
        }))
    }

    /// How a type sorts and hashes by its default operator classes.
    pub fn sort_group_operators(&self, type_oid: Oid) -> PgResult<SortGroupOperators> {
        let mut found = SortGroupOperators {
            lt: Oid::INVALID,
            eq: Oid::INVALID,
            gt: Oid::INVALID,
            hashable: false,
        };
        if let Some((family, input)) = self.default_opclass(BTREE_AM, type_oid)? {
            let member = |s: i16| self.cx.catalog.opfamily_member(family, input, input, s);
            found.lt = member(1)?.unwrap_or_default();
            found.eq = member(3)?.unwrap_or_default();
            found.gt = member(5)?.unwrap_or_default();
        }
        let hash = self.default_opclass(HASH_AM, type_oid)?;
        if let (false, Some((family, input))) = (found.eq.is_valid(), hash) {
            found.eq = self
                .cx
                .catalog
                .opfamily_member(family, input, input, 1)?
                .unwrap_or_default();
        }
        found.hashable = hash.is_some() && found.eq.is_valid() && self.operator(found.eq)?.can_hash;
        self.restrict_by_parts(type_oid, &mut found)?;
        Ok(found)
    }

    /// Arrays, composites and ranges sort and hash only as their parts do.
    fn restrict_by_parts(&self, type_oid: Oid, found: &mut SortGroupOperators) -> PgResult<()> {
        let base = self.base_type(type_oid)?;
        let desc = self.ty(base)?;
        let mut parts = Vec::new();
        if desc.is_array {
            parts.push(desc.element);
        } else if desc.kind == b'c' {
            if let Some(rel) = self.cx.catalog.relation(desc.relation)? {
                parts.extend(rel.columns.iter().filter(|c| !c.dropped).map(|c| c.type_ref.oid));
            }
        } else if matches!(desc.kind, b'r' | b'm') {
            // A range type always has a btree class for its subtype; only hashing may be missing.
            if let Some(r) = self.cx.catalog.range(base)? {
                found.hashable &= self.sort_group_operators(r.subtype)?.hashable;
            }
            return Ok(());
        }
        for part in parts {
            let p = self.sort_group_operators(part)?;
            if !p.eq.is_valid() {
                found.eq = Oid::INVALID;
            }
            if !p.lt.is_valid() {
                found.lt = Oid::INVALID;
                found.gt = Oid::INVALID;
            }
            found.hashable &= p.hashable;
        }
        Ok(())
    }

    /// Family and input type of the default operator class, through domains and binary coercions.
    pub fn default_opclass(&self, method: Oid, type_oid: Oid) -> PgResult<Option<(Oid, Oid)>> {
        let base = self.base_type(type_oid)?;
        let exact = |t: Oid| -> PgResult<Option<(Oid, Oid)>> {
            Ok(self
                .cx
                .catalog
                .default_opclass(method, t)?
                .map(|o| (o.family, o.input_type)))
        };
        if let Some(found) = exact(base)? {
            return Ok(Some(found));
        }
        let desc = self.ty(base)?;
        let general = match desc.kind {
            b'e' => oids::ANYENUM,
            b'r' => oids::ANYRANGE,
            b'm' => oids::ANYMULTIRANGE,
            b'c' => oids::RECORD,
            _ if desc.is_array => oids::ANYARRAY,
            _ => {
                for t in [oids::TEXT, oids::OID, oids::INET, oids::BPCHAR, oids::VARBIT] {
                    if self.is_binary_coercible(base, t)? {
                        return exact(t);
                    }
                }
                return Ok(None);
            }
        };
        exact(general)
    }

    /// The ordering operators of a type, or PostgreSQL's error.
    pub fn require_ordering(&self, type_oid: Oid) -> PgResult<SortGroupOperators> {
        let ops = self.sort_group_operators(type_oid)?;
        if ops.lt.is_valid() && ops.gt.is_valid() && ops.eq.is_valid() {
            return Ok(ops);
        }
        Err(pg_err!(
            UNDEFINED_FUNCTION,
            "could not identify an ordering operator for type {}",
            self.format_type(type_oid)
        )
        .hint("Use an explicit ordering operator or modify the query."))
    }

    /// The equality operator of a type, or PostgreSQL's error.
    pub fn require_equality(&self, type_oid: Oid) -> PgResult<SortGroupOperators> {
        let ops = self.sort_group_operators(type_oid)?;
        if ops.eq.is_valid() {
            return Ok(ops);
        }
        Err(pg_err!(
            UNDEFINED_FUNCTION,
            "could not identify an equality operator for type {}",
            self.format_type(type_oid)
        ))
    }

    /// The operator of that name for a type, accepted only if it takes the type without conversion.
    pub fn compatible_operator(
        &self,
        name: &[Ident],
        type_oid: Oid,
        span: Span,
    ) -> PgResult<Arc<OperatorDesc>> {
        let op = self.require_operator(name, type_oid, type_oid, span)?;
        if self.is_binary_coercible(type_oid, op.left)? && self.is_binary_coercible(type_oid, op.right)? {
            return Ok(op);
        }
        Err(pg_err!(
            UNDEFINED_FUNCTION,
            "operator requires run-time type coercion: {}",
            self.operator_signature(name, type_oid, type_oid)
        ))
        .at(span)
    }
}
