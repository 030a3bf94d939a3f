//! Evaluation over batches.

use std::sync::Arc;

use common::{PgResult, internal};
use functions::{FnCache, FnContext};
use nodes::expr::{BoolTestKind, SqlValueKind};
use types::{Bitmap, Datum, PhysType, Selection, Vector, VectorData};

use crate::env::{Inputs, Runtime};
use crate::program::{Call, ExprProgram, ExprState, Node, NodeKind};

/// What every step of an evaluation carries.
pub(crate) struct Cx<'r, 'i> {
    pub rt: &'r mut dyn Runtime,
    pub state: &'r mut ExprState,
    pub inputs: Inputs<'i>,
}

impl ExprProgram {
    /// The values at the selected positions.
    pub fn eval(
        &self,
        rt: &mut dyn Runtime,
        state: &mut ExprState,
        inputs: Inputs<'_>,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        Cx { rt, state, inputs }.eval(&self.root, sel)
    }

    /// The selected positions for which a boolean expression is true.
    pub fn filter(
        &self,
        rt: &mut dyn Runtime,
        state: &mut ExprState,
        inputs: Inputs<'_>,
        sel: &Selection,
    ) -> PgResult<Selection> {
        Cx { rt, state, inputs }.filter(&self.root, sel)
    }
}

/// Truth of row `i` of a boolean vector: NULL is `None`.
#[inline]
pub(crate) fn truth(v: &Vector, i: usize) -> Option<bool> {
    if v.is_null(i) {
        return None;
    }
    match v.data() {
        VectorData::Bool(data) => Some(data[v.index(i)]),
        _ => None,
    }
}

/// The same as [`bool_vector`] where the computation may fail.
pub(crate) fn try_bool_vector(
    rows: usize,
    sel: &Selection,
    mut f: impl FnMut(usize) -> PgResult<Option<bool>>,
) -> PgResult<Arc<Vector>> {
    let mut failed = None;
    let vector = bool_vector(rows, sel, |i| {
        // Behind a failure nothing counts any more.
        match failed.is_none().then(|| f(i)) {
            Some(Ok(value)) => value,
            Some(Err(e)) => {
                failed = Some(e);
                None
            }
            None => None,
        }
    });
    failed.map_or(Ok(vector), Err)
}

/// A boolean vector computed per selected position.
pub(crate) fn bool_vector(
    rows: usize,
    sel: &Selection,
    mut f: impl FnMut(usize) -> Option<bool>,
) -> Arc<Vector> {
    let mut data = vec![false; rows];
    let mut validity: Option<Bitmap> = None;
    sel.for_each(|i| match f(i) {
        Some(b) => data[i] = b,
        None => validity
            .get_or_insert_with(|| Bitmap::filled(rows, true))
            .set(i, false),
    });
    Arc::new(Vector::new(VectorData::Bool(data), validity))
}

impl Cx<'_, '_> {
    pub(crate) fn constant(&self, phys: PhysType, value: &Datum) -> Arc<Vector> {
        Arc::new(Vector::constant(phys, value, self.inputs.rows))
    }

    /// An empty result to fill in.
    pub(crate) fn output(&self, phys: PhysType) -> Vector {
        Vector::defaults(phys, self.inputs.rows)
    }

    /// Runs a kernel.
    pub(crate) fn run(
        &mut self,
        call: &Call,
        args: &[&Vector],
        sel: &Selection,
        out: &mut Vector,
    ) -> PgResult<()> {
        let parts = self.rt.parts();
        let Some(cache) = self.state.caches.get_mut(call.site) else {
            return Err(internal!("expression state does not fit its program"));
        };
        let mut ctx = FnContext {
            call: &call.info,
            settings: parts.settings,
            cancel: parts.cancel,
            session: parts.session,
            cache,
        };
        (call.kernels.vector)(&mut ctx, args, sel, out)
    }

    pub(crate) fn eval(&mut self, node: &Node, sel: &Selection) -> PgResult<Arc<Vector>> {
        match &node.kind {
            NodeKind::Const(value) => Ok(self.constant(node.phys, value)),
            NodeKind::Column(place) => {
                let v = self.inputs.column(*place)?;
                if v.phys() != node.phys && v.is_constant() && v.is_null(0) {
                    // One row given as datums: NULL has no class of its own.
                    return Ok(self.constant(node.phys, &Datum::Null));
                }
                Ok(Arc::clone(v))
            }
            NodeKind::Reclass(arg) => {
                let v = self.eval(arg, sel)?;
                let mut out = self.output(node.phys);
                sel.for_each(|i| out.set(i, &crate::coerce::reclass(node.phys, v.datum(i))));
                Ok(Arc::new(out))
            }
            NodeKind::Param(n) => {
                let value = self.rt.param(*n)?;
                Ok(self.constant(node.phys, &value))
            }
            NodeKind::ExecParam(slot) => {
                let value = self.rt.exec_param(*slot)?;
                Ok(self.constant(node.phys, &value))
            }
            NodeKind::Call(call) => self.call(node, call, sel),
            NodeKind::Distinct(call, negated) => self.distinct(call, *negated, sel),
            NodeKind::NullIf(call) => self.null_if(call, sel),
            NodeKind::And(args) => self.and(args, sel),
            NodeKind::Or(args) => self.or(args, sel),
            NodeKind::Not(arg) => {
                let v = self.eval(arg, sel)?;
                Ok(bool_vector(self.inputs.rows, sel, |i| truth(&v, i).map(|b| !b)))
            }
            NodeKind::Case { arg, arms, default } => self.case(node.phys, arg.as_deref(), arms, default, sel),
            NodeKind::CaseTest => self.top_value(false),
            NodeKind::DomainValue => self.top_value(true),
            NodeKind::Coalesce(args) => self.coalesce(node.phys, args, sel),
            NodeKind::MinMax { .. } => self.min_max(node, sel),
            NodeKind::NullTest { arg, is_not, is_row } => self.null_test(arg, *is_not, *is_row, sel),
            NodeKind::BooleanTest(arg, kind) => {
                let v = self.eval(arg, sel)?;
                Ok(bool_vector(self.inputs.rows, sel, |i| {
                    Some(boolean_test(*kind, truth(&v, i)))
                }))
            }
            NodeKind::SqlValue(kind, typmod) => self.sql_value(node.phys, *kind, *typmod),
            NodeKind::ScalarArray(s) => self.scalar_array(s, sel),
            NodeKind::CoerceViaIo { arg, from, to } => self.coerce_via_io(node.phys, arg, *from, *to, sel),
            NodeKind::ArrayCoerce {
                arg,
                element,
                element_type,
            } => self.array_coerce(arg, element, *element_type, sel),
            NodeKind::CoerceToDomain { arg, domain } => self.coerce_to_domain(arg, domain, sel),
            NodeKind::Array {
                elements,
                element_type,
                nested,
            } => self.array(elements, *element_type, *nested, sel),
            NodeKind::Row { .. } => self.row(node, sel),
            NodeKind::RowCompare {
                kind,
                pairs,
                left,
                right,
            } => self.row_compare(*kind, pairs, left, right, sel),
            NodeKind::FieldSelect(arg, index) => self.field_select(node.phys, arg, *index, sel),
            NodeKind::FieldStore {
                arg,
                values,
                row_type,
                field_types,
            } => self.field_store(arg, values, *row_type, field_types, sel),
            NodeKind::Subscript(s) => self.subscript(node.phys, s, sel),
            NodeKind::Json(j) => self.json_expr(node.phys, j, sel),
            NodeKind::Xml(x) => self.xml_expr(node.phys, x, sel),
            NodeKind::JsonbSubscript(s) => self.jsonb_subscript(s, sel),
            NodeKind::NextValue(sequence) => self.next_value(node.phys, *sequence, sel),
            NodeKind::SubPlan(s) => self.sub_plan(node.phys, s, sel),
        }
    }

    /// The positions where a condition is true; ANDs narrow step by step.
    pub(crate) fn filter(&mut self, node: &Node, sel: &Selection) -> PgResult<Selection> {
        if let NodeKind::And(args) = &node.kind {
            let mut sel = sel.clone();
            for arg in args {
                if sel.is_empty() {
                    break;
                }
                self.rt.parts().cancel.check()?;
                sel = self.filter(arg, &sel)?;
            }
            return Ok(sel);
        }
        let v = self.eval(node, sel)?;
        if v.is_constant() {
            return Ok(if truth(&v, 0) == Some(true) {
                sel.clone()
            } else {
                Selection::Rows(Arc::from([]))
            });
        }
        match (v.data(), v.validity()) {
            (VectorData::Bool(data), None) => Ok(sel.filter(|i| data[i])),
            (VectorData::Bool(data), Some(valid)) => Ok(sel.filter(|i| data[i] && valid.get(i))),
            _ => Err(internal!("condition is not boolean")),
        }
    }

    pub(crate) fn args(&mut self, args: &[Node], sel: &Selection) -> PgResult<Vec<Arc<Vector>>> {
        args.iter().map(|a| self.eval(a, sel)).collect()
    }

    fn call(&mut self, node: &Node, call: &Call, sel: &Selection) -> PgResult<Arc<Vector>> {
        let values = self.args(&call.args, sel)?;
        if let Some(computed) = self.call_by_words(node, call, &values, sel) {
            return Ok(computed);
        }
        let refs: smallvec::SmallVec<[&Vector; 4]> = values.iter().map(|v| &**v).collect();
        let mut out = self.output(node.phys);
        self.run(call, &refs, sel, &mut out)?;
        Ok(Arc::new(out))
    }

    fn distinct(&mut self, call: &Call, negated: bool, sel: &Selection) -> PgResult<Arc<Vector>> {
        let values = self.args(&call.args, sel)?;
        let [a, b] = &values[..] else {
            return Err(internal!("IS DISTINCT FROM takes two arguments"));
        };
        let both = sel.filter(|i| !a.is_null(i) && !b.is_null(i));
        let mut equal = self.output(PhysType::Bool);
        self.run(call, &[&**a, &**b], &both, &mut equal)?;
        Ok(bool_vector(self.inputs.rows, sel, |i| {
            let distinct = match (a.is_null(i), b.is_null(i)) {
                (true, true) => false,
                (false, false) => truth(&equal, i) != Some(true),
                _ => true,
            };
            Some(distinct != negated)
        }))
    }

    fn null_if(&mut self, call: &Call, sel: &Selection) -> PgResult<Arc<Vector>> {
        let values = self.args(&call.args, sel)?;
        let [a, b] = &values[..] else {
            return Err(internal!("NULLIF takes two arguments"));
        };
        let both = sel.filter(|i| !a.is_null(i) && !b.is_null(i));
        let mut equal = self.output(PhysType::Bool);
        self.run(call, &[&**a, &**b], &both, &mut equal)?;
        let mut out = a.flatten();
        both.for_each(|i| {
            if truth(&equal, i) == Some(true) {
                out.set_null(i);
            }
        });
        Ok(Arc::new(out))
    }

    fn top_value(&self, domain: bool) -> PgResult<Arc<Vector>> {
        let stack = if domain {
            &self.state.domain_values
        } else {
            &self.state.case_values
        };
        stack
            .last()
            .cloned()
            .ok_or_else(|| internal!("no value under test"))
    }

    fn null_test(
        &mut self,
        arg: &Node,
        is_not: bool,
        is_row: bool,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        if is_row {
            return Ok(bool_vector(self.inputs.rows, sel, |i| {
                Some(match v.datum(i) {
                    Datum::Record(r) => r.fields.iter().all(|f| f.is_null() != is_not),
                    other => other.is_null() != is_not,
                })
            }));
        }
        Ok(bool_vector(self.inputs.rows, sel, |i| {
            Some(v.is_null(i) != is_not)
        }))
    }

    fn sql_value(&mut self, phys: PhysType, kind: SqlValueKind, typmod: i32) -> PgResult<Arc<Vector>> {
        let value = crate::coerce::sql_value(self.rt.parts(), kind, typmod)?;
        Ok(self.constant(phys, &value))
    }

    fn next_value(
        &mut self,
        phys: PhysType,
        sequence: common::Oid,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let mut out = self.output(phys);
        sel.try_for_each(|i| {
            let value = crate::coerce::int_of_class(phys, self.rt.next_value(sequence)?)?;
            out.set(i, &value);
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }
}

/// The six boolean tests.
pub(crate) fn boolean_test(kind: BoolTestKind, value: Option<bool>) -> bool {
    match kind {
        BoolTestKind::IsTrue => value == Some(true),
        BoolTestKind::IsNotTrue => value != Some(true),
        BoolTestKind::IsFalse => value == Some(false),
        BoolTestKind::IsNotFalse => value != Some(false),
        BoolTestKind::IsUnknown => value.is_none(),
        BoolTestKind::IsNotUnknown => value.is_some(),
    }
}

/// A function context for a call site outside the ordinary path.
pub(crate) fn fn_context<'a>(
    rt: &'a dyn Runtime,
    info: &'a functions::CallInfo,
    cache: &'a mut FnCache,
) -> FnContext<'a> {
    let parts = rt.parts();
    FnContext {
        call: info,
        settings: parts.settings,
        cancel: parts.cancel,
        session: parts.session,
        cache,
    }
}

impl Cx<'_, '_> {
    /// Runs `f` with the function context of a call site.
    pub(crate) fn with_call_site<T>(
        &mut self,
        info: &functions::CallInfo,
        site: usize,
        f: impl FnOnce(&mut FnContext<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        let Some(cache) = self.state.caches.get_mut(site) else {
            return Err(internal!("expression state does not fit its program"));
        };
        let mut ctx = fn_context(&*self.rt, info, cache);
        f(&mut ctx)
    }
}
