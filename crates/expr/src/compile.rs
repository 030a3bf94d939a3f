//! From [`Expr`] to [`ExprProgram`].

use common::cancel;
use common::{Oid, PgResult, internal, unsupported};
use functions::{CallInfo, Kernels, facts, kernels};
use nodes::expr::{BoolOp, Expr, FuncExpr, ParamKind, ScalarArrayOpExpr, SubPlan};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::env::CompileEnv;
use crate::program::{
    Call, CaseArm, Domain, ExprProgram, JsonbSubscript, Node, NodeKind, ScalarArray, SubPlanNode, Subscript,
};
use crate::sqljson::JsonNode;
use crate::xml::XmlNode;

struct Compiler<'e> {
    env: &'e dyn CompileEnv,
    sites: usize,
}

pub fn compile(expr: &Expr, env: &dyn CompileEnv) -> PgResult<ExprProgram> {
    let mut c = Compiler { env, sites: 0 };
    let root = c.node(expr)?;
    Ok(ExprProgram {
        root,
        result: expr.type_ref(),
        sites: c.sites,
    })
}

impl Compiler<'_> {
    fn node(&mut self, expr: &Expr) -> PgResult<Node> {
        cancel::check()?;
        let kind = self.kind(expr)?;
        // A value of an unknown type made by a user takes its class from the catalog.
        Ok(Node {
            kind,
            phys: self.env.phys(expr.type_oid())?,
        })
    }

    fn boxed(&mut self, expr: &Expr) -> PgResult<Box<Node>> {
        Ok(Box::new(self.node(expr)?))
    }

    fn list(&mut self, exprs: &[Expr]) -> PgResult<Vec<Node>> {
        exprs.iter().map(|e| self.node(e)).collect()
    }

    fn site(&mut self) -> usize {
        self.sites += 1;
        self.sites - 1
    }

    #[expect(clippy::too_many_lines, reason = "one arm per expression kind")]
    fn kind(&mut self, expr: &Expr) -> PgResult<NodeKind> {
        Ok(match expr {
            Expr::Const(c) => {
                let phys = self.env.phys(c.type_ref.oid)?;
                NodeKind::Const(crate::coerce::reclass(phys, c.value.clone()))
            }
            Expr::Var(v) => NodeKind::Column(self.env.column(v)?),
            Expr::Param(p) => match p.kind {
                ParamKind::External => NodeKind::Param(p.number),
                ParamKind::Exec => NodeKind::ExecParam(p.number),
            },
            Expr::Func(f) if f.returns_set => {
                return Err(internal!("set-returning function in a scalar expression"));
            }
            Expr::Func(f) => NodeKind::Call(self.call(f)?),
            Expr::NullIf(f) => NodeKind::NullIf(self.call(f)?),
            Expr::Distinct(d) => NodeKind::Distinct(self.call(&d.equality)?, d.negated),
            Expr::ScalarArrayOp(s) => NodeKind::ScalarArray(Box::new(self.scalar_array(s)?)),
            Expr::Bool(b) => match b.op {
                BoolOp::And => NodeKind::And(self.list(&b.args)?),
                BoolOp::Or => NodeKind::Or(self.list(&b.args)?),
                BoolOp::Not => match b.args.first() {
                    Some(arg) => NodeKind::Not(self.boxed(arg)?),
                    None => return Err(internal!("NOT without an argument")),
                },
            },
            Expr::Case(c) => NodeKind::Case {
                arg: c.arg.as_ref().map(|a| self.boxed(a)).transpose()?,
                arms: c
                    .whens
                    .iter()
                    .map(|w| {
                        Ok(CaseArm {
                            condition: self.node(&w.condition)?,
                            result: self.node(&w.result)?,
                        })
                    })
                    .collect::<PgResult<_>>()?,
                default: self.boxed(&c.default)?,
            },
            Expr::CaseTest(_) => NodeKind::CaseTest,
            Expr::Coalesce(c) => NodeKind::Coalesce(self.list(&c.args)?),
            Expr::MinMax(m) => {
                let type_oid = m.args.result.oid;
                let (cmp, info) =
                    self.function(m.cmp_func, &[type_oid, type_oid], oids::INT4, m.input_collation)?;
                NodeKind::MinMax {
                    greatest: m.greatest,
                    cmp,
                    info,
                    args: self.list(&m.args.args)?,
                    site: self.site(),
                }
            }
            Expr::NullTest(n) => NodeKind::NullTest {
                arg: self.boxed(&n.arg)?,
                is_not: n.is_not,
                is_row: n.arg_is_row,
            },
            Expr::BooleanTest(b) => NodeKind::BooleanTest(self.boxed(&b.arg)?, b.kind),
            Expr::SqlValueFunction(f) => NodeKind::SqlValue(f.kind, f.result.typmod),
            Expr::Relabel(r) => {
                let arg = self.node(&r.arg)?;
                let phys = self.env.phys(r.result.oid)?;
                match arg.kind {
                    kind if arg.phys == phys => kind,
                    NodeKind::Const(value) => NodeKind::Const(crate::coerce::reclass(phys, value)),
                    kind => NodeKind::Reclass(Box::new(Node { kind, phys: arg.phys })),
                }
            }
            Expr::Collate(c) => self.kind(&c.arg)?,
            Expr::CoerceViaIo(c) => NodeKind::CoerceViaIo {
                arg: self.boxed(&c.arg)?,
                from: c.arg.type_oid(),
                to: c.result,
            },
            Expr::ArrayCoerce(a) => NodeKind::ArrayCoerce {
                arg: self.boxed(&a.arg)?,
                element: self.boxed(&a.element)?,
                element_type: self.element_of(a.result.oid)?,
            },
            Expr::CoerceToDomain(c) => {
                let domain = self.domain(c.result.oid)?;
                NodeKind::CoerceToDomain {
                    arg: self.boxed(&c.arg)?,
                    domain: Box::new(domain),
                }
            }
            Expr::CoerceToDomainValue(_) => NodeKind::DomainValue,
            Expr::Array(a) => NodeKind::Array {
                elements: self.list(&a.elements)?,
                element_type: a.element_type,
                nested: a.multidims,
            },
            Expr::Row(r) => NodeKind::Row {
                fields: self.list(&r.args)?,
                row_type: r.row_type,
                field_types: r.args.iter().map(Expr::type_oid).collect(),
                names: (r.names.len() == r.args.len() && r.row_type == oids::RECORD)
                    .then(|| r.names.clone().into()),
            },
            Expr::RowCompare(r) => {
                let mut pairs = Vec::new();
                for ((func, collation), (l, rt)) in r
                    .cmp_funcs
                    .iter()
                    .zip(&r.input_collations)
                    .zip(r.left.iter().zip(&r.right))
                {
                    let (k, info) =
                        self.function(*func, &[l.type_oid(), rt.type_oid()], oids::INT4, *collation)?;
                    pairs.push((k, info, self.site()));
                }
                NodeKind::RowCompare {
                    kind: r.kind,
                    pairs,
                    left: self.list(&r.left)?,
                    right: self.list(&r.right)?,
                }
            }
            Expr::FieldSelect(f) => {
                let attributes = self.env.composite(f.arg.type_oid())?;
                let index = field_position(attributes.as_deref(), f.field)?;
                NodeKind::FieldSelect(self.boxed(&f.arg)?, index)
            }
            Expr::FieldStore(f) => {
                let attributes = self.env.composite(f.result.oid)?;
                let values = f
                    .new_values
                    .iter()
                    .map(|(field, e)| Ok((field_position(attributes.as_deref(), *field)?, self.node(e)?)));
                NodeKind::FieldStore {
                    values: values.collect::<PgResult<_>>()?,
                    arg: self.boxed(&f.arg)?,
                    row_type: f.result.oid,
                    field_types: attributes.iter().flatten().copied().flatten().collect(),
                }
            }
            Expr::Subscripting(s) if s.container_type == oids::JSONB => {
                NodeKind::JsonbSubscript(Box::new(self.jsonb_subscript(s)?))
            }
            Expr::Subscripting(s) => NodeKind::Subscript(Box::new(self.subscript(s)?)),
            Expr::NextValue { sequence, .. } => NodeKind::NextValue(*sequence),
            Expr::SubPlan(s) => NodeKind::SubPlan(Box::new(self.sub_plan(s)?)),
            Expr::Json(j) => NodeKind::Json(Box::new(JsonNode {
                kind: j.kind.clone(),
                args: self.list(&j.args)?,
                info: CallInfo {
                    args: j.args.iter().map(Expr::type_ref).collect(),
                    result: j.result,
                    ..CallInfo::new(Oid::INVALID, &[], j.result.oid)
                },
                site: self.site(),
            })),
            Expr::Xml(x) => NodeKind::Xml(Box::new(XmlNode {
                kind: x.kind.clone(),
                args: self.list(&x.args)?,
                info: CallInfo {
                    args: x.args.iter().map(Expr::type_ref).collect(),
                    result: x.result,
                    ..CallInfo::new(Oid::INVALID, &[], x.result.oid)
                },
                site: self.site(),
            })),
            Expr::NamedArg { arg, .. } => self.kind(arg)?,
            Expr::Aggref(_) | Expr::WindowFunc(_) | Expr::GroupingFunc(_) => {
                return Err(internal!("aggregate or window function outside of its plan node"));
            }
            Expr::SubLink(_) | Expr::SetToDefault(_) => {
                return Err(internal!("expression was not planned"));
            }
            Expr::CurrentOf { .. } => {
                return Err(unsupported!(
                    "WHERE CURRENT OF is not supported for this table type"
                ));
            }
        })
    }

    fn kernels(&self, func: Oid) -> PgResult<Kernels> {
        let made_by_user = func >= Oid::FIRST_NORMAL;
        let code = if made_by_user {
            self.env.kernel_function(func)?
        } else {
            func
        };
        if made_by_user && let Some(strict) = self.env.session_function(func)? {
            return Ok(functions::framework::registry::routine_kernels(strict));
        }
        kernels(code).ok_or_else(|| self.env.missing_function(func))
    }

    /// The kernels of a call under a collation, which may be one that nobody can determine.
    fn kernels_under(&self, func: Oid, collation: Oid) -> PgResult<Kernels> {
        let found = self.kernels(func)?;
        if collation.is_valid() {
            return Ok(found);
        }
        Ok(functions::framework::indeterminate::without_collation(func).unwrap_or(found))
    }

    fn function(
        &self,
        func: Oid,
        args: &[Oid],
        result: Oid,
        collation: Oid,
    ) -> PgResult<(Kernels, CallInfo)> {
        let found = self.kernels_under(func, collation)?;
        let mut info = CallInfo::new(func, args, result);
        info.collation = collation;
        Ok((found, info))
    }

    fn call(&mut self, f: &FuncExpr) -> PgResult<Call> {
        let found = self.kernels_under(f.func, f.input_collation)?;
        let info = CallInfo {
            proc: f.func,
            args: f.args.iter().map(Expr::type_ref).collect(),
            result: f.result,
            collation: f.input_collation,
            variadic: f.variadic,
            columns: Vec::new(),
        };
        Ok(Call {
            kernels: found,
            info,
            args: self.list(&f.args)?,
            site: self.site(),
        })
    }

    fn element_of(&self, type_oid: Oid) -> PgResult<Oid> {
        self.env
            .element_type(type_oid)?
            .ok_or_else(|| internal!("type {type_oid} is not an array"))
    }

    fn scalar_array(&mut self, s: &ScalarArrayOpExpr) -> PgResult<ScalarArray> {
        let element_type = self.element_of(s.array.type_oid())?;
        let args = [s.scalar.type_oid(), element_type];
        let (found, info) = self.function(s.func, &args, oids::BOOL, s.input_collation)?;
        let hashable = args[0] == element_type
            && (s.input_collation.is_valid()
                || functions::framework::indeterminate::without_collation(s.func).is_none())
            && facts::operator(s.op).is_some_and(|o| o.oprcanhash && o.oprleft == o.oprright && s.use_or);
        Ok(ScalarArray {
            kernels: found,
            info,
            site: self.site(),
            use_or: s.use_or,
            scalar: self.node(&s.scalar)?,
            array: self.node(&s.array)?,
            hashable,
        })
    }

    fn domain(&mut self, type_oid: Oid) -> PgResult<Domain> {
        let info = self.env.domain(type_oid)?;
        let checks = info
            .checks
            .iter()
            .map(|c| Ok((c.name.clone(), self.node(&c.expr)?)))
            .collect::<PgResult<_>>()?;
        Ok(Domain {
            name: info.name,
            not_null: info.not_null,
            checks,
        })
    }

    fn subscript(&mut self, s: &nodes::expr::SubscriptingRef) -> PgResult<Subscript> {
        let raw = matches!(
            s.container_type,
            oids::POINT | oids::LSEG | oids::BOX | oids::LINE | oids::NAME
        );
        if !raw
            && self.env.element_type(s.container_type)?.is_none()
            && !matches!(s.container_type, oids::INT2VECTOR | oids::OIDVECTOR)
        {
            return Err(unsupported!("subscripting of this type is not supported yet"));
        }
        let mut side = |list: &[Option<Expr>]| -> PgResult<Vec<Option<Node>>> {
            list.iter()
                .map(|e| e.as_ref().map(|e| self.node(e)).transpose())
                .collect()
        };
        let (upper, lower) = (side(&s.upper)?, side(&s.lower)?);
        Ok(Subscript {
            container: self.node(&s.container)?,
            upper,
            lower,
            is_slice: s.is_slice,
            element_type: s.element_type,
            raw: raw.then_some(s.container_type),
            assign: s.assign.as_ref().map(|e| self.node(e)).transpose()?,
        })
    }

    fn jsonb_subscript(&mut self, s: &nodes::expr::SubscriptingRef) -> PgResult<JsonbSubscript> {
        let given = s.upper.iter().flatten();
        Ok(JsonbSubscript {
            container: self.node(&s.container)?,
            first_is_number: given.clone().next().is_some_and(|e| e.type_oid() == oids::INT4),
            subscripts: given.map(|e| self.node(e)).collect::<PgResult<_>>()?,
            assign: s.assign.as_ref().map(|e| self.node(e)).transpose()?,
        })
    }

    fn sub_plan(&mut self, s: &SubPlan) -> PgResult<SubPlanNode> {
        let hash = if s.use_hash_table {
            self.hash_sides(s)?
        } else {
            None
        };
        let element_type = match s.kind {
            nodes::expr::SubLinkKind::Array => self.element_of(s.result.oid)?,
            _ => Oid::INVALID,
        };
        Ok(SubPlanNode {
            kind: s.kind,
            plan_id: s.plan_id,
            test: s.test.as_ref().map(|t| self.node(t)).transpose()?,
            output_params: s.output_params.clone(),
            params: s
                .params
                .iter()
                .map(|(slot, e)| Ok((*slot, self.node(e)?)))
                .collect::<PgResult<_>>()?,
            hash,
            unknown_is_false: s.unknown_equals_false,
            element_type,
        })
    }

    /// The left sides of `a = $x AND b = $y`, when the equalities are between equal types (so that hashes agree).
    fn hash_sides(&mut self, s: &SubPlan) -> PgResult<Option<Vec<(Node, Oid)>>> {
        let clauses: Vec<&Expr> = match &s.test {
            Some(Expr::Bool(b)) if b.op == BoolOp::And => b.args.iter().collect(),
            Some(e) => vec![e],
            None => return Ok(None),
        };
        let mut out = Vec::new();
        for (clause, slot) in clauses.iter().zip(&s.output_params) {
            let Expr::Func(f) = clause else { return Ok(None) };
            let [left, Expr::Param(p)] = &f.args[..] else {
                return Ok(None);
            };
            if p.number != *slot || left.type_oid() != p.type_ref.oid {
                return Ok(None);
            }
            out.push((self.node(left)?, left.type_oid()));
        }
        Ok((out.len() == s.output_params.len()).then_some(out))
    }
}

/// Where an attribute lies in a record: dropped ones are not in it.
fn field_position(attributes: Option<&[Option<Oid>]>, field: i16) -> PgResult<usize> {
    let index = usize::try_from(field).ok().and_then(|i| i.checked_sub(1));
    let index = index.ok_or_else(|| internal!("field {field} selected"))?;
    Ok(match attributes {
        Some(all) => all.iter().take(index).flatten().count(),
        None => index,
    })
}

/// A constant as a program, for callers that mix values and expressions.
impl ExprProgram {
    /// A program that yields a constant.
    pub fn constant(value: Datum, type_ref: TypeRef, phys: types::PhysType) -> ExprProgram {
        ExprProgram {
            root: Node {
                kind: NodeKind::Const(value),
                phys,
            },
            result: type_ref,
            sites: 0,
        }
    }
}
